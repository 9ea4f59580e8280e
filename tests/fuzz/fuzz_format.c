/* tests/fuzz/fuzz_format.c - libFuzzer, one program a format: a decoder that knows shapes says what one without says.
 *
 *     cmake --preset fuzz && cmake --build --preset fuzz
 *     build/fuzz/fuzz_ses -max_total_time=600 CORPUS tests/fuzz/corpus tests/data/formats
 *
 * The input is a row of records with 0xff between them, which no JSON holds; new inputs go to the
 * folder CORPUS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/fuzz/same_decoding.h"

enum { SEPARATOR = 0xff };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    const struct format *format = format_find(SPAN(FUZZ_FORMAT));
    static struct experience experience;
    CHECK(format != NULL);
    if (experience.decoder == NULL) {
        experience_begin(&experience);
    }
    experience_forget(&experience);
    while (rest.size > 0) {
        const char *end = memchr(rest.data, SEPARATOR, rest.size);
        const size_t record_size = end == NULL ? rest.size : (size_t)(end - rest.data);
        experience_bytes(&experience, format, (struct span){rest.data, record_size});
        const size_t used = end == NULL ? record_size : record_size + 1;
        rest = (struct span){rest.data + used, rest.size - used};
    }
    return 0;
}

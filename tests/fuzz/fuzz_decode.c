/* tests/fuzz/fuzz_decode.c - libFuzzer: a decoder that knows shapes says what one without says.
 *
 *     cmake --preset fuzz && cmake --build --preset fuzz
 *     build/fuzz/fuzz_decode -max_total_time=600 CORPUS tests/fuzz/corpus tests/data/formats
 *
 * The input is a row of records with 0xff between them, which no JSON holds; new inputs go to the
 * folder CORPUS. One that begins with 0xff is of the second format.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/fuzz/same_decoding.h"

enum { SEPARATOR = 0xff };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    const struct format *format = format_at(size > 0 && data[0] == SEPARATOR ? 1 : 0);
    struct experience experience;
    experience_begin(&experience);
    while (rest.size > 0) {
        const char *end = memchr(rest.data, SEPARATOR, rest.size);
        const size_t record_size = end == NULL ? rest.size : (size_t)(end - rest.data);
        experience_bytes(&experience, format, (struct span){rest.data, record_size});
        const size_t used = end == NULL ? record_size : record_size + 1;
        rest = (struct span){rest.data + used, rest.size - used};
    }
    experience_end(&experience);
    return 0;
}

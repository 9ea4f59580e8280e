/* tests/fuzz/fuzz_text.c - libFuzzer: what patterns see of any reply stays in its bounds, and is no longer than the reply.
 *
 * The input is a recipient, a line break, and the text of a reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "classify/text_seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of exactly that size: a read behind it is seen by the address sanitizer. */
static char *copy_of(struct span bytes)
{
    char *copy = malloc(bytes.size);
    CHECK(copy != NULL || bytes.size == 0);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span input = {(const char *)data, size};
    const char *end = size == 0 ? NULL : memchr(input.data, '\n', size);
    const size_t recipient_size = end == NULL ? 0 : (size_t)(end - input.data);
    const struct span rest = span_skip(input, end == NULL ? 0 : recipient_size + 1);
    char *recipient = copy_of((struct span){input.data, recipient_size});
    char *text = copy_of(rest);
    char *memory = malloc(TEXT_SEEN_MAX);
    CHECK(memory != NULL);
    const struct span seen =
        text_seen((struct span){text, rest.size}, (struct span){recipient, recipient_size}, memory);
    CHECK(seen.size <= rest.size);
    CHECK(seen.size == 0 || seen.data == text || seen.data == memory);
    free(recipient);
    free(text);
    free(memory);
    return 0;
}

/* base/utf8.c - see utf8.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/utf8.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

static size_t long_sequence_size(const unsigned char *b, size_t left)
{
    if (left >= 2 && b[0] >= 0xc2 && b[0] <= 0xdf && is_continuation(b[1])) {
        return 2;
    }
    if (left >= 3 && (b[0] & 0xf0) == 0xe0 && is_continuation(b[1]) && is_continuation(b[2])) {
        const bool overlong = b[0] == 0xe0 && b[1] < 0xa0;
        const bool surrogate = b[0] == 0xed && b[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (left >= 4 && b[0] >= 0xf0 && b[0] <= 0xf4 && is_continuation(b[1]) &&
        is_continuation(b[2]) && is_continuation(b[3])) {
        const bool overlong = b[0] == 0xf0 && b[1] < 0x90;
        const bool beyond = b[0] == 0xf4 && b[1] > 0x8f; /* U+10FFFF is the last */
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

size_t utf8_sequence_size(struct span text)
{
    if (text.size == 0) {
        return 0;
    }
    const unsigned char *bytes = (const unsigned char *)text.data;
    return bytes[0] < 0x80 ? 1 : long_sequence_size(bytes, text.size);
}

size_t utf8_valid_size(struct span text)
{
    size_t valid = 0;
    while (valid < text.size) {
        const size_t size = utf8_sequence_size((struct span){text.data + valid, text.size - valid});
        if (size == 0) {
            break;
        }
        valid += size;
    }
    return valid;
}

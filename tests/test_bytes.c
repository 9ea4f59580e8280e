/* tests/test_bytes.c - what is found in spans of bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

static size_t find_by_hand(struct span text, struct span words)
{
    for (size_t at = 0; at + words.size <= text.size; at++) {
        if (memcmp(text.data + at, words.data, words.size) == 0) {
            return at;
        }
    }
    return text.size;
}

/* Each text is as long as its memory: a read behind it is seen by the address sanitizer. */
static void words_are_found_where_they_first_stand(void **state)
{
    enum { TEXT_MAX = 80, WORDS_MAX = 40, LETTERS = 2, ROUNDS = 40 };
    unsigned chance = 1;
    (void)state;
    for (size_t size = 1; size <= TEXT_MAX; size++) {
        char *text = malloc(size);
        char words[WORDS_MAX];
        assert_non_null(text);
        for (int round = 0; round < ROUNDS; round++) {
            const size_t words_size = 1 + (size_t)round;
            for (size_t i = 0; i < size + words_size; i++) {
                chance = chance * 1103515245 + 12345;
                const char letter = (char)('a' + (chance >> 16 & 0xff) / (256 / LETTERS));
                *(i < size ? &text[i] : &words[i - size]) = letter;
            }
            if (words_size <= size && round % 4 != 0) { /* it does stand there, late */
                memcpy(text + size - words_size, words, words_size);
            }
            const struct span in = {text, size};
            assert_int_equal(span_find(in, (struct span){words, words_size}),
                             find_by_hand(in, (struct span){words, words_size}));
        }
        free(text);
    }
    assert_int_equal(span_find(SPAN_NONE, SPAN("ab")), 0);
    assert_int_equal(span_find(SPAN("a"), SPAN("ab")), 1);
    assert_int_equal(span_find(SPAN("ab"), SPAN("ab")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_where_they_first_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/test_text_seen.c - what the patterns see of a reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "classify/text_seen.h"

#include "tests/check.h"

static void assert_seen(const char *text, const char *recipient, const char *wanted)
{
    char memory[TEXT_SEEN_MAX];
    const struct span seen = text_seen(span_of(text), span_of(recipient), memory);
    assert_int_equal(seen.size, strlen(wanted));
    assert_memory_equal(seen.data, wanted, seen.size);
}

static void line_breaks_and_tabs_are_one_space(void **state)
{
    (void)state;
    assert_seen("a\r\n b\t\tc", "", "a b c");
    assert_seen("\n a  b", "", "a b");
}

static void the_recipients_address_is_seen_as_one_of_nobody(void **state)
{
    (void)state;
    assert_seen("<ana@full.example>: no", "ana@full.example", "<x@x.x>: no");
    assert_seen("<ANA@Full.Example>: no", "ana@full.example", "<x@x.x>: no");
    assert_seen("to <ana@full.example> no", " <ana@full.example> ", "to <x@x.x> no");
    assert_seen("ana@full.example", "ana@full.example", "x@x.x");
    assert_seen("no ana@full.example.", "ana@full.example", "no x@x.x.");
    assert_seen("rfc822;ana@full.example=no", "ana@full.example", "rfc822;x@x.x=no");
    assert_seen("a@b ana@full.example ana@full.example c@d", "ana@full.example",
                "a@b x@x.x x@x.x c@d");
    assert_seen("ana@full.example\r\n\tana@full.example", "ana@full.example", "x@x.x x@x.x");
    assert_seen("\"a@b\"@c.example", "\"a@b\"@c.example", "x@x.x");
    assert_seen("收件人ana@full.example不存在", "ana@full.example", "收件人x@x.x不存在");
}

static void other_addresses_stay(void **state)
{
    (void)state;
    const char *const texts[] = {"ana@full.example.org",
                                 "bo+ana@full.example",
                                 "bo.ana@full.example",
                                 "ana@full.example-1",
                                 "full.example",
                                 "ana",
                                 "ana@full",
                                 "@full.example",
                                 "postmaster@x.example",
                                 "ana@full.exampl",
                                 "na@full.example",
                                 "@",
                                 "moved to bob@x.example"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_seen(texts[i], "ana@full.example", texts[i]);
    }
}

static void what_is_no_address_stands_nowhere(void **state)
{
    (void)state;
    assert_seen("full.example", "full.example", "full.example");
    assert_seen("a@b", "a@b", "a@b"); /* shorter than what would stand for it */
    assert_seen("a@", "", "a@");
    assert_seen("<>", "<>", "<>");
    assert_seen("@@@@@", "@@@@@", "x@x.x");
    assert_seen("", "ana@full.example", "");
}

static void of_a_long_text_only_the_beginning_is_seen(void **state)
{
    (void)state;
    static char text[2 * TEXT_SEEN_MAX];
    char memory[TEXT_SEEN_MAX];
    const struct span address = SPAN("ana@full.example");
    memset(text, ' ', sizeof(text));
    memcpy(text + TEXT_SEEN_MAX - address.size, address.data, address.size);
    memcpy(text + TEXT_SEEN_MAX, ".org", 4);
    struct span seen = text_seen((struct span){text, sizeof(text)}, address, memory);
    assert_int_equal(seen.size, TEXT_SEEN_MAX - address.size + 5);
    assert_memory_equal(seen.data + seen.size - 5, "x@x.x", 5);
    text[0] = '\n';
    seen = text_seen((struct span){text, sizeof(text)}, address, memory);
    assert_int_equal(seen.size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_breaks_and_tabs_are_one_space),
        cmocka_unit_test(the_recipients_address_is_seen_as_one_of_nobody),
        cmocka_unit_test(other_addresses_stay),
        cmocka_unit_test(what_is_no_address_stands_nowhere),
        cmocka_unit_test(of_a_long_text_only_the_beginning_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

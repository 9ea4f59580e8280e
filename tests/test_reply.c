/* tests/test_reply.c - a reply in one string is taken apart.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "classify/reply.h"

static void assert_reply(const char *text, unsigned code, const char *enhanced, const char *rest)
{
    char memory[512];
    const struct reply reply = reply_parse(span_of(text), memory);
    char status[ENHANCED_TEXT_SIZE] = "";
    if (reply.enhanced.class_ != 0) {
        (void)enhanced_format(reply.enhanced, status);
    }
    assert_int_equal(reply.code, code);
    assert_string_equal(status, enhanced);
    assert_int_equal(reply.text.size, strlen(rest));
    assert_true(span_equal(reply.text, span_of(rest)));
}

static void codes_are_parted_from_the_text(void **state)
{
    (void)state;
    assert_reply("550 5.1.1 User unknown", 550, "5.1.1", "User unknown");
    assert_reply("550 User unknown", 550, "", "User unknown");
    assert_reply("5.1.1 User unknown", 0, "5.1.1", "User unknown");
    assert_reply("User unknown", 0, "", "User unknown");
    assert_reply("smtp; 550 5.1.1 User unknown", 550, "5.1.1", "User unknown");
    assert_reply("SMTP;452 4.2.2 full", 452, "4.2.2", "full");
    assert_reply("550 #5.1.0 Address rejected", 550, "5.1.0", "Address rejected");
    assert_reply("550 5.1.1: unknown", 550, "5.1.1", "unknown");
    assert_reply("550", 550, "", "");
    assert_reply("550 5.7.26", 550, "5.7.26", "");
    assert_reply("421-4.7.0 Try again", 421, "4.7.0", "Try again");
    assert_reply("", 0, "", "");
    assert_reply(" \r\n", 0, "", "");
}

static void what_only_looks_like_a_code_stays_in_the_text(void **state)
{
    (void)state;
    assert_reply("5501 apples", 0, "", "5501 apples");
    assert_reply("192.0.2.1 is blocked", 0, "", "192.0.2.1 is blocked");
    assert_reply("550 5.1.1.7 is blocked", 550, "", "5.1.1.7 is blocked");
    assert_reply("100 percent", 0, "", "100 percent");
    assert_reply("600 miles", 0, "", "600 miles");
    assert_reply("550: no", 0, "", "550: no");
    assert_reply("550 3.1.1 no", 550, "", "3.1.1 no");
    assert_reply("550 5.1.1000 no", 550, "", "5.1.1000 no");
    assert_reply("550 sent 550 mails", 550, "", "sent 550 mails");
    assert_reply("550 5.1.1 see 550 5.7.1 there", 550, "5.1.1", "see 550 5.7.1 there");
}

static void lines_are_joined_and_their_prefixes_go(void **state)
{
    (void)state;
    assert_reply("550-5.1.1 The account does\r\n550-5.1.1 not exist.\r\n550 5.1.1 Sorry\r\n", 550,
                 "5.1.1", "The account does not exist. Sorry");
    assert_reply("550-5.1.1 The account does 550-5.1.1 not exist. 550 5.1.1 Sorry", 550, "5.1.1",
                 "The account does not exist. Sorry");
    assert_reply("550-The account\n550 is gone", 550, "", "The account is gone");
    assert_reply("550-The account 550 is gone", 550, "", "The account is gone");
    assert_reply("450 4.2.1 a\n450 4.2.1 b", 450, "4.2.1", "a b");
    assert_reply("5.1.1 a\n  b", 0, "5.1.1", "a b");
    assert_reply("550-5.1.1\r\n550 5.1.1 no such user", 550, "5.1.1", "no such user");
    assert_reply("550 550 5.1.1 a", 550, "", "a");
    assert_reply("450 a\n550 b", 450, "", "a 550 b");
}

static void an_enhanced_code_alone_is_read_exactly(void **state)
{
    (void)state;
    struct enhanced enhanced;
    assert_true(enhanced_parse(SPAN("4.0.0"), &enhanced));
    assert_int_equal(enhanced.class_, 4);
    assert_true(enhanced_parse(SPAN("5.999.999"), &enhanced));
    assert_int_equal(enhanced.detail, 999);
    const char *const bad[] = {"",       "5",      "5.1",     "5.1.",  "5..1",     "3.1.1",
                               "5.1.1 ", " 5.1.1", "5.1.1.1", "5.1.x", "5.1000.1", "55.1.1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(enhanced_parse(span_of(bad[i]), &enhanced));
    }
    assert_int_equal(enhanced.detail, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_parted_from_the_text),
        cmocka_unit_test(what_only_looks_like_a_code_stays_in_the_text),
        cmocka_unit_test(lines_are_joined_and_their_prefixes_go),
        cmocka_unit_test(an_enhanced_code_alone_is_read_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

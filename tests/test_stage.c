/* tests/test_stage.c - the stage of a reply is read off what MTAs write, and the rules that ship know what it tells.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/stage.h"

#include "tests/classifying.h"

struct told {
    const char *text;
    enum stage stage;
};

static void assert_told(const struct told *table, size_t count, enum stage (*read)(struct span))
{
    for (size_t i = 0; i < count; i++) {
        const enum stage stage = read(span_of(table[i].text));
        if (stage != table[i].stage) {
            fail_msg("%s is %s, expected %s", table[i].text, stage_name(stage),
                     stage_name(table[i].stage));
        }
    }
}

static void a_command_names_its_stage_in_whatever_words(void **state)
{
    static const struct told TABLE[] = {
        {"MAIL FROM:<b@shop.example> SIZE=99", STAGE_MAIL_FROM},
        {"mail from command", STAGE_MAIL_FROM},
        {"pipelined RCPT TO:<a@x.example>", STAGE_RCPT_TO},
        {"RCPT TO:<a@x.example>\r\n", STAGE_RCPT_TO},
        {"sending RCPT TO", STAGE_RCPT_TO},
        {"DATA command)", STAGE_DATA},
        {"end of DATA command)", STAGE_END_OF_DATA},
        {"sending end of data -- message may be sent more than once", STAGE_END_OF_DATA},
        {"BDAT 99 LAST", STAGE_END_OF_DATA},
        {".", STAGE_END_OF_DATA},
        {"EOD", STAGE_END_OF_DATA},
        {"end_of_data", STAGE_END_OF_DATA},
        {"mail_from", STAGE_MAIL_FROM},
        {"rcpt_to", STAGE_RCPT_TO},
        {"LHLO mx.shop.example", STAGE_EHLO},
        {"performing the HELO handshake", STAGE_EHLO},
        {"STARTTLS", STAGE_STARTTLS},
        {"AUTH PLAIN", STAGE_AUTH},
        {"initial connection", STAGE_CONNECT},
        {"receiving the initial server greeting", STAGE_CONNECT},
    };
    (void)state;
    assert_told(TABLE, sizeof(TABLE) / sizeof(TABLE[0]), stage_of_command);
}

static void what_is_no_single_command_names_none(void **state)
{
    static const struct told TABLE[] = {
        {NULL, STAGE_NONE},
        {"", STAGE_NONE},
        {" \r\n", STAGE_NONE},
        {"MAIL FROM:<b@x>\r\nRCPT TO:<a@x>\r\nDATA\r\n", STAGE_NONE},
        {"RSET probe", STAGE_NONE},
        {"final RSET command", STAGE_NONE},
        {"XFORWARD name/address command", STAGE_NONE},
        {"DATABASE", STAGE_NONE},
        {"mailbox", STAGE_NONE},
        {"QUIT", STAGE_NONE},
    };
    (void)state;
    assert_told(TABLE, sizeof(TABLE) / sizeof(TABLE[0]), stage_of_command);
}

static void a_text_tells_the_stage_of_its_own_session(void **state)
{
    static const struct told TABLE[] = {
        {"no (in reply to MAIL FROM command)", STAGE_MAIL_FROM},
        {"undeliverable: host in[192.0.2.2] said: 550 no (in reply to RCPT TO command) (in reply "
         "to end of DATA command)",
         STAGE_END_OF_DATA},
        {"host mx[192.0.2.1] refused to talk to me: 554 no", STAGE_CONNECT},
        {"lost connection with mx[192.0.2.1] while sending MAIL FROM", STAGE_MAIL_FROM},
        {"conversation with mx[192.0.2.1] timed out while performing the EHLO handshake",
         STAGE_EHLO},
        {"SMTP error from remote mailer after end of data: host mx [192.0.2.1]: 550 no",
         STAGE_END_OF_DATA},
        {"Remote host closed connection in response to pipelined MAIL FROM:<b@x>", STAGE_MAIL_FROM},
        {"SMTP timeout after initial connection", STAGE_CONNECT},
        {"no", STAGE_NONE},
        {"no (RCPT TO)", STAGE_NONE},
        {"error after RCPT TO", STAGE_NONE},
        {"lost connection with mx[192.0.2.1]", STAGE_NONE},
        {"(in reply to RSET probe)", STAGE_NONE},
        {"", STAGE_NONE},
    };
    (void)state;
    assert_told(TABLE, sizeof(TABLE) / sizeof(TABLE[0]), stage_in_text);
}

/* --- what the rules make of it ------------------------------------------------------------------
 */

static enum category meaning_at(enum stage stage, const char *text)
{
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply =
        (struct reply){.code = 550, .enhanced = {5, 1, 1}, .text = span_of(text), .stage = stage};
    return classify(classifier, &event).category;
}

static const char *const DEAD_MAILBOXES[] = {
    "User unknown",
    "No such user here",
    "<ana@shop.example>: user does not exist",
    "The email account that you tried to reach does not exist",
    "Requested action not taken: mailbox unavailable",
    "Recipient not found",
    "Mailbox disabled",
    "Account suspended",
    "Invalid recipient",
    "Unknown address",
    "Address does not exist",
    "Domain not found",
    "That user doesn't exist",
    "This domain doesn't exist",
    "rejected",
};

enum { DEAD_MAILBOX_COUNT = sizeof(DEAD_MAILBOXES) / sizeof(DEAD_MAILBOXES[0]) };

static void words_of_dead_mailboxes_are_about_the_sender_at_mail_from(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEAD_MAILBOX_COUNT; i++) {
        const enum category category = meaning_at(STAGE_MAIL_FROM, DEAD_MAILBOXES[i]);
        if (category != CATEGORY_SENDER_REJECTED) {
            fail_msg("%s is %s", DEAD_MAILBOXES[i], category_name(category));
        }
    }
}

static void words_of_dead_mailboxes_are_about_us_before_mail_from(void **state)
{
    static const enum stage STAGES[] = {STAGE_CONNECT, STAGE_EHLO};
    (void)state;
    for (size_t i = 0; i < 2 * DEAD_MAILBOX_COUNT; i++) {
        const char *words = DEAD_MAILBOXES[i / 2];
        const enum category category = meaning_at(STAGES[i % 2], words);
        if (category_class(category) != CLASS_BLOCK) {
            fail_msg("%s at %s is %s", words, stage_name(STAGES[i % 2]), category_name(category));
        }
    }
}

static void they_are_about_the_recipient_once_one_was_named_or_if_nobody_knows(void **state)
{
    static const enum stage STAGES[] = {STAGE_NONE, STAGE_RCPT_TO, STAGE_DATA, STAGE_END_OF_DATA};
    (void)state;
    for (size_t i = 0; i < sizeof(STAGES) / sizeof(STAGES[0]); i++) {
        assert_int_equal(meaning_at(STAGES[i], "User unknown"), CATEGORY_INVALID_RECIPIENT);
        assert_int_equal(meaning_at(STAGES[i], "Mailbox disabled"), CATEGORY_INACTIVE_MAILBOX);
    }
}

/* Providers' rules come before all others, but not before this. */
static void a_providers_own_words_are_about_the_sender_too(void **state)
{
    (void)state;
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.recipient = SPAN("zoe@outlook.com");
    event.reply = (struct reply){.code = 550,
                                 .enhanced = {5, 5, 0},
                                 .text = SPAN("Requested action not taken: mailbox unavailable")};
    assert_int_equal(classify(classifier, &event).by, FOUND_BY_PROVIDER);
    event.reply.stage = STAGE_MAIL_FROM;
    assert_int_equal(classify(classifier, &event).category, CATEGORY_SENDER_REJECTED);
}

static void nobodys_mailbox_is_full_before_one_was_named(void **state)
{
    (void)state;
    assert_int_equal(meaning_at(STAGE_RCPT_TO, "Mailbox full"), CATEGORY_MAILBOX_FULL);
    assert_int_equal(meaning_at(STAGE_MAIL_FROM, "Mailbox full"), CATEGORY_SERVER_BUSY);
    assert_int_equal(meaning_at(STAGE_CONNECT, "user is over quota"), CATEGORY_SERVER_BUSY);
}

static void causes_that_are_named_go_before_what_the_stage_tells(void **state)
{
    (void)state;
    assert_int_equal(meaning_at(STAGE_MAIL_FROM, "SPF check failed"), CATEGORY_AUTH_FAILED);
    assert_int_equal(meaning_at(STAGE_MAIL_FROM, "192.0.2.1 is listed at Spamhaus"),
                     CATEGORY_REPUTATION_BLOCK);
    assert_int_equal(meaning_at(STAGE_CONNECT, "Too many connections"), CATEGORY_RATE_LIMITED);
}

static void a_bare_refusal_of_what_was_sent_is_about_its_content(void **state)
{
    (void)state;
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply =
        (struct reply){.code = 554, .enhanced = {5, 7, 1}, .text = SPAN("Message rejected")};
    assert_int_equal(classify(classifier, &event).category, CATEGORY_POLICY_BLOCK);
    event.reply.stage = STAGE_END_OF_DATA;
    assert_int_equal(classify(classifier, &event).category, CATEGORY_SPAM_CONTENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_names_its_stage_in_whatever_words),
        cmocka_unit_test(what_is_no_single_command_names_none),
        cmocka_unit_test(a_text_tells_the_stage_of_its_own_session),
        cmocka_unit_test(words_of_dead_mailboxes_are_about_the_sender_at_mail_from),
        cmocka_unit_test(words_of_dead_mailboxes_are_about_us_before_mail_from),
        cmocka_unit_test(they_are_about_the_recipient_once_one_was_named_or_if_nobody_knows),
        cmocka_unit_test(a_providers_own_words_are_about_the_sender_too),
        cmocka_unit_test(nobodys_mailbox_is_full_before_one_was_named),
        cmocka_unit_test(causes_that_are_named_go_before_what_the_stage_tells),
        cmocka_unit_test(a_bare_refusal_of_what_was_sent_is_about_its_content),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

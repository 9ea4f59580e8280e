/* tests/test_classify.c - events mean what design 4 says, in its order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/classify.h"
#include "classify/event_json.h"

#include "tests/classifying.h"

static void assert_meaning(const struct event *event,
                           const char *category,
                           const char *class_,
                           const char *by,
                           const char *rule)
{
    const struct meaning meaning = classify(classifier, event);
    assert_string_equal(category_name(meaning.category), category);
    assert_string_equal(class_name(meaning.class_), class_);
    assert_string_equal(found_by_name(meaning.by), by);
    assert_string_equal(meaning.rule, rule);
}

/* A reply as a server gave it; the kind follows its code. */
static void assert_reply(const char *reply,
                         const char *category,
                         const char *class_,
                         const char *rule)
{
    char memory[256];
    struct reply_line line;
    reply_line_from_text(span_of(reply), memory, &line);
    const struct meaning meaning = classify(classifier, &line.event);
    assert_string_equal(category_name(meaning.category), category);
    assert_string_equal(class_name(meaning.class_), class_);
    assert_string_equal(meaning.rule, rule);
}

static struct event make(enum kind kind, enum origin origin, uint16_t code, const char *text)
{
    struct event event = event_init();
    event.kind = kind;
    event.origin = origin;
    event.reply.code = code;
    if (text != NULL) {
        event.reply.text = span_of(text);
    }
    return event;
}

static void plain_codes_without_words_mean_what_the_rfc_says(void **state)
{
    (void)state;
    assert_reply("421", "server_busy", "technical", "421");
    assert_reply("450", "soft_other", "soft", "450");
    assert_reply("451", "server_busy", "technical", "451");
    assert_reply("452", "mailbox_full", "full", "452");
    assert_reply("550", "invalid_recipient", "hard", "550");
    assert_reply("551", "invalid_recipient", "hard", "551");
    assert_reply("552", "mailbox_full", "full", "552");
    assert_reply("553", "bad_address", "hard", "553");
    assert_reply("554", "policy_block", "block", "554");
    assert_reply("556", "bad_domain", "hard", "556");
    assert_reply("599", "unknown_permanent", "unknown", "");
    assert_reply("499", "unknown_transient", "unknown", "");
}

static void a_5xx_with_unknown_words_is_never_more_than_unknown(void **state)
{
    (void)state;
    const char *const replies[] = {"500 qwxz", "550 qwxz", "551 qwxz", "552 qwxz",
                                   "553 qwxz", "554 qwxz", "556 qwxz"};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        assert_reply(replies[i], "unknown_permanent", "unknown", "");
    }
    assert_reply("452 qwxz", "mailbox_full", "full", "452");
    assert_reply("421 qwxz", "server_busy", "technical", "421");
    assert_reply("430 qwxz", "unknown_transient", "unknown", "");
    assert_reply("qwxz", "unknown_transient", "unknown", "");
}

static void enhanced_codes_decide_before_reply_codes(void **state)
{
    (void)state;
    assert_reply("550 5.1.1 qwxz", "invalid_recipient", "hard", "5.1.1");
    assert_reply("452 4.2.2 qwxz", "mailbox_full", "full", "452 4.2.2");
    assert_reply("452 4.3.1 qwxz", "server_busy", "technical", "452 4.3.1");
    assert_reply("421 4.7.0 qwxz", "rate_limited", "technical", "421 4.7.0");
    assert_reply("451 4.4.1 qwxz", "connection_failed", "technical", "4.4.1");
    assert_reply("552 5.2.2 qwxz", "mailbox_full", "full", "5.2.2");
    assert_reply("550 5.7.1 qwxz", "policy_block", "block", "5.7.1");
    assert_reply("550 5.7.25 qwxz", "auth_failed", "block", "5.7.25");
    assert_reply("421 4.7.25 qwxz", "auth_failed", "block", "4.7.25");
    assert_reply("556 5.1.10 qwxz", "bad_domain", "hard", "5.1.10");
    assert_reply("550 5.7.27 qwxz", "sender_rejected", "block", "5.7.27");
    assert_reply("550 5.1.6 qwxz", "moved", "hard", "5.1.6");
    assert_reply("5.2.1 qwxz", "inactive_mailbox", "hard", "5.2.1");
    assert_reply("550 5.1.99 qwxz", "soft_other", "soft", "5.1");
    assert_reply("550 5.9.9 qwxz", "unknown_permanent", "unknown", "");
    assert_reply("450 4.9.9 qwxz", "soft_other", "soft", "450");
    assert_reply("5.9.9 qwxz", "unknown_permanent", "unknown", "");
}

static void words_decide_before_codes(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum category category;
    } REPLIES[] = {
        {"552 5.1.1 Mailbox is over quota", CATEGORY_MAILBOX_FULL},
        {"550 5.7.1 No such user", CATEGORY_INVALID_RECIPIENT},
        {"550 no such user", CATEGORY_INVALID_RECIPIENT},
        {"550 5.1.1 Messages from your address are blocked because of its poor reputation",
         CATEGORY_REPUTATION_BLOCK},
        {"no such user", CATEGORY_INVALID_RECIPIENT},
    };
    for (size_t i = 0; i < sizeof(REPLIES) / sizeof(REPLIES[0]); i++) {
        char memory[256];
        struct reply_line line;
        reply_line_from_text(span_of(REPLIES[i].reply), memory, &line);
        const struct meaning meaning = classify(classifier, &line.event);
        assert_int_equal(meaning.category, REPLIES[i].category);
        assert_int_equal(meaning.by, FOUND_BY_TEXT);
    }
}

static void a_hard_category_under_a_deferral_is_soft(void **state)
{
    (void)state;
    assert_reply("450 4.1.1 qwxz", "invalid_recipient", "soft", "4.1.1");
    assert_reply("450 4.1.6 qwxz", "moved", "soft", "4.1.6");
    struct event event = make(KIND_DEFERRED, ORIGIN_REMOTE, 0, NULL);
    event.category = CATEGORY_INVALID_RECIPIENT;
    assert_meaning(&event, "invalid_recipient", "soft", "none", "event");
}

static void codes_that_stand_in_the_text_only_count(void **state)
{
    (void)state;
    struct event event = make(KIND_BOUNCED, ORIGIN_REMOTE, 550, "#5.7.1 qwxz");
    assert_meaning(&event, "policy_block", "block", "enhanced", "5.7.1");
    event.reply.text = SPAN("5.7.1 qwxz");
    event.reply.enhanced = (struct enhanced){5, 0, 0};
    assert_meaning(&event, "policy_block", "block", "enhanced", "5.7.1");
    event = make(KIND_BOUNCED, ORIGIN_REMOTE, 0, "550-5.1.1 nobody of that name");
    assert_meaning(&event, "invalid_recipient", "hard", "enhanced", "5.1.1");
    /* what the event itself says stands */
    event = make(KIND_BOUNCED, ORIGIN_REMOTE, 550, "5.1.1 was not meant");
    event.reply.enhanced = (struct enhanced){5, 7, 1};
    assert_meaning(&event, "policy_block", "block", "enhanced", "5.7.1");
}

static void where_the_codes_contradict_the_reply_code_says_how_lasting_it_is(void **state)
{
    (void)state;
    assert_reply("450 5.1.1 qwxz", "invalid_recipient", "soft", "4.1.1");
    assert_reply("550 4.2.2 qwxz", "mailbox_full", "full", "5.2.2");
    assert_reply("550 4.7.1 qwxz", "policy_block", "block", "5.7.1");
    assert_reply("550 2.1.5 qwxz", "unknown_permanent", "unknown", "");
    assert_reply("550 2.0.0", "invalid_recipient", "hard", "550");
}

static void our_own_doing_is_internal_whatever_it_says(void **state)
{
    (void)state;
    struct event event = make(KIND_DEFERRED, ORIGIN_LOCAL, 550, "no such user");
    assert_meaning(&event, "internal", "internal", "none", "local");
    event.kind = KIND_BOUNCED;
    assert_meaning(&event, "internal", "internal", "none", "local");
    event.kind = KIND_LATE_BOUNCE;
    assert_meaning(&event, "internal", "internal", "none", "local");
    event.kind = KIND_EXPIRED;
    assert_meaning(&event, "expired", "soft", "none", "local");
}

static void a_remote_expiry_keeps_what_its_reply_says(void **state)
{
    (void)state;
    struct event event = make(KIND_EXPIRED, ORIGIN_REMOTE, 451, "qwxz");
    event.reply.enhanced = (struct enhanced){4, 4, 1};
    assert_meaning(&event, "connection_failed", "technical", "enhanced", "4.4.1");
    event = make(KIND_EXPIRED, ORIGIN_REMOTE, 452, NULL);
    assert_meaning(&event, "mailbox_full", "full", "code", "452");
}

static void a_final_failure_without_a_reply_is_an_expiry(void **state)
{
    (void)state;
    const enum kind kinds[] = {KIND_BOUNCED, KIND_EXPIRED, KIND_LATE_BOUNCE};
    for (size_t i = 0; i < 3; i++) {
        const struct event event = make(kinds[i], ORIGIN_REMOTE, 0, NULL);
        assert_meaning(&event, "expired", "soft", "none", "");
    }
    const struct event deferred = make(KIND_DEFERRED, ORIGIN_REMOTE, 0, NULL);
    assert_meaning(&deferred, "unknown_transient", "unknown", "none", "");
}

static void complaints_and_unsubscribes_are_their_own_categories(void **state)
{
    (void)state;
    struct event event = make(KIND_COMPLAINT, ORIGIN_REMOTE, 550, "spam");
    event.category = CATEGORY_SPAM_CONTENT;
    assert_meaning(&event, "complaint", "feedback", "none", "kind");
    event.kind = KIND_UNSUBSCRIBE;
    assert_meaning(&event, "unsubscribe", "feedback", "none", "kind");
}

static void an_event_keeps_a_category_of_its_own(void **state)
{
    (void)state;
    struct event event = make(KIND_BOUNCED, ORIGIN_REMOTE, 550, "no such user");
    event.category = CATEGORY_MAILBOX_FULL;
    assert_meaning(&event, "mailbox_full", "full", "none", "event");
    event.kind = KIND_RELEASE;
    event.category = CATEGORY_UNSUBSCRIBE;
    assert_meaning(&event, "unsubscribe", "feedback", "none", "event");
    event.kind = KIND_SUPPRESS;
    event.category = CATEGORY_MANUAL;
    assert_meaning(&event, "manual", "none", "none", "event");
}

static void what_is_no_failure_means_nothing(void **state)
{
    (void)state;
    const enum kind kinds[] = {KIND_RECEIVED, KIND_DELIVERED, KIND_SUPPRESS, KIND_RELEASE,
                               KIND_DROPPED,  KIND_ADMIN,     KIND_IGNORED};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct event event = make(kinds[i], ORIGIN_LOCAL, 550, "no such user");
        assert_meaning(&event, "none", "none", "none", "");
    }
    struct event delivered = make(KIND_DELIVERED, ORIGIN_REMOTE, 250, "ok");
    delivered.category = CATEGORY_MAILBOX_FULL;
    assert_meaning(&delivered, "none", "none", "none", "");
}

static void the_version_is_16_hex_digits_of_the_rules(void **state)
{
    (void)state;
    const char *version = ruleset_version(rules);
    assert_int_equal(strspn(version, "0123456789abcdef"), 16);
    assert_int_equal(strlen(version), 16);
}

/* --- lines to be classified ---------------------------------------------------------------------
 */

static struct json_reader *reader;

static const char *parse(const char *text, struct reply_line *line)
{
    static char memory[1024];
    if (reader == NULL) {
        assert_int_equal(json_reader_create(8, &reader), OK);
    }
    return reply_line_parse(reader, span_of(text), memory, line);
}

static void a_line_becomes_an_event(void **state)
{
    (void)state;
    struct reply_line line;
    assert_null(parse("{\"id\":\"x:1\",\"reply_code\":452,\"enhanced\":\"4.2.2\",\"text\":\"full\","
                      "\"recipient_domain\":\"example.com\",\"kind\":null,\"more\":[]}",
                      &line));
    assert_true(span_equal(line.id, SPAN("x:1")));
    assert_int_equal(line.event.kind, KIND_DEFERRED);
    assert_int_equal(line.event.reply.code, 452);
    assert_int_equal(line.event.reply.enhanced.detail, 2);
    assert_true(span_equal(line.event.reply.text, SPAN("full")));
    assert_true(span_equal(line.event.recipient, SPAN("example.com")));
}

static void the_kind_of_a_line_follows_its_codes_unless_said(void **state)
{
    (void)state;
    struct reply_line line;
    assert_null(parse("{\"id\":7,\"reply_code\":550}", &line));
    assert_int_equal(line.event.kind, KIND_BOUNCED);
    assert_true(span_equal(line.id, SPAN("7")));
    assert_null(parse("{\"reply_code\":null,\"enhanced\":\"4.4.1\"}", &line));
    assert_int_equal(line.event.kind, KIND_DEFERRED);
    assert_null(line.id.data);
    assert_null(parse("{\"text\":\"gone\",\"enhanced\":null}", &line));
    assert_int_equal(line.event.kind, KIND_BOUNCED);
    assert_null(parse("{\"reply_code\":451,\"kind\":\"expired\"}", &line));
    assert_int_equal(line.event.kind, KIND_EXPIRED);
}

static void codes_in_the_text_of_a_line_fill_what_it_lacks(void **state)
{
    (void)state;
    struct reply_line line;
    assert_null(parse("{\"reply_code\":554,\"text\":\"554 5.7.0 Header error\"}", &line));
    assert_int_equal(line.event.reply.enhanced.subject, 7);
    assert_true(span_equal(line.event.reply.text, SPAN("Header error")));
    assert_null(parse("{\"reply_code\":550,\"text\":\"421 pages\"}", &line));
    assert_true(span_equal(line.event.reply.text, SPAN("421 pages")));
    assert_null(parse("{\"text\":\"450 4.2.1 later\"}", &line));
    assert_int_equal(line.event.kind, KIND_DEFERRED);
}

static void a_line_may_name_the_stage_and_its_text_does_where_it_does_not(void **state)
{
    (void)state;
    struct reply_line line;
    assert_null(parse("{\"reply_code\":550,\"text\":\"no\",\"stage\":\"mail_from\"}", &line));
    assert_int_equal(line.event.reply.stage, STAGE_MAIL_FROM);
    assert_null(parse("{\"text\":\"550 no (in reply to DATA command)\",\"stage\":null}", &line));
    assert_int_equal(line.event.reply.stage, STAGE_DATA);
    assert_null(
        parse("{\"text\":\"550 no (in reply to DATA command)\",\"stage\":\"ehlo\"}", &line));
    assert_int_equal(line.event.reply.stage, STAGE_EHLO);
    assert_null(parse("{\"text\":\"550 no\"}", &line));
    assert_int_equal(line.event.reply.stage, STAGE_NONE);
    assert_string_equal(parse("{\"stage\":\"RCPT TO\"}", &line), "an unknown stage");
}

static void a_wrong_line_is_refused(void **state)
{
    (void)state;
    struct reply_line line;
    assert_string_equal(parse("{\"reply_code\":\"x\"}", &line),
                        "reply_code is no number from 200 to 599");
    assert_string_equal(parse("{\"enhanced\":\"5.1\"}", &line), "enhanced is no code like 5.1.1");
    assert_string_equal(parse("{\"kind\":\"gone\"}", &line), "an unknown kind");
    assert_string_equal(parse("[]", &line), "not a JSON object");
    assert_non_null(parse("{", &line));
    json_reader_destroy(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_codes_without_words_mean_what_the_rfc_says),
        cmocka_unit_test(a_5xx_with_unknown_words_is_never_more_than_unknown),
        cmocka_unit_test(enhanced_codes_decide_before_reply_codes),
        cmocka_unit_test(words_decide_before_codes),
        cmocka_unit_test(a_hard_category_under_a_deferral_is_soft),
        cmocka_unit_test(codes_that_stand_in_the_text_only_count),
        cmocka_unit_test(where_the_codes_contradict_the_reply_code_says_how_lasting_it_is),
        cmocka_unit_test(our_own_doing_is_internal_whatever_it_says),
        cmocka_unit_test(a_remote_expiry_keeps_what_its_reply_says),
        cmocka_unit_test(a_final_failure_without_a_reply_is_an_expiry),
        cmocka_unit_test(complaints_and_unsubscribes_are_their_own_categories),
        cmocka_unit_test(an_event_keeps_a_category_of_its_own),
        cmocka_unit_test(what_is_no_failure_means_nothing),
        cmocka_unit_test(the_version_is_16_hex_digits_of_the_rules),
        cmocka_unit_test(a_line_becomes_an_event),
        cmocka_unit_test(the_kind_of_a_line_follows_its_codes_unless_said),
        cmocka_unit_test(codes_in_the_text_of_a_line_fill_what_it_lacks),
        cmocka_unit_test(a_line_may_name_the_stage_and_its_text_does_where_it_does_not),
        cmocka_unit_test(a_wrong_line_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

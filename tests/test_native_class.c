/* tests/test_native_class.c - an upstream's own class is a hint for replies that nobody knows, and never more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/classify.h"
#include "classify/event_json.h"
#include "classify/explain.h"
#include "classify/native_class.h"

#include "tests/classifying.h"

/* Every name that the peers have, and what it hints at. */
static const struct {
    const char *name;
    enum category category;
} NAMES[] = {
    /* KumoMTA */
    {"InvalidRecipient", CATEGORY_SOFT_OTHER},
    {"DNSFailure", CATEGORY_DNS_FAILURE},
    {"SpamBlock", CATEGORY_REPUTATION_BLOCK},
    {"SpamContent", CATEGORY_SPAM_CONTENT},
    {"ProhibitedAttachment", CATEGORY_PROHIBITED_CONTENT},
    {"RelayDenied", CATEGORY_RELAY_DENIED},
    {"AutoReply", CATEGORY_NONE},
    {"TransientFailure", CATEGORY_NONE},
    {"Subscribe", CATEGORY_NONE},
    {"Unsubscribe", CATEGORY_NONE},
    {"ChallengeResponse", CATEGORY_NONE},
    {"BadConfiguration", CATEGORY_PROTOCOL_ERROR},
    {"BadConnection", CATEGORY_CONNECTION_FAILED},
    {"BadDomain", CATEGORY_NONE},
    {"ContentRelated", CATEGORY_PROHIBITED_CONTENT},
    {"InactiveMailbox", CATEGORY_SOFT_OTHER},
    {"InvalidSender", CATEGORY_SENDER_REJECTED},
    {"MessageExpired", CATEGORY_EXPIRED},
    {"NoAnswerFromHost", CATEGORY_CONNECTION_FAILED},
    {"PolicyRelated", CATEGORY_POLICY_BLOCK},
    {"ProtocolErrors", CATEGORY_PROTOCOL_ERROR},
    {"QuotaIssues", CATEGORY_SOFT_OTHER},
    {"RelayingIssues", CATEGORY_RELAY_DENIED},
    {"RoutingErrors", CATEGORY_ROUTING_ERROR},
    {"SpamRelated", CATEGORY_SPAM_CONTENT},
    {"VirusRelated", CATEGORY_VIRUS},
    {"AuthenticationFailed", CATEGORY_AUTH_FAILED},
    {"TooManyRecipients", CATEGORY_TOO_MANY_RECIPIENTS},
    {"Uncategorized", CATEGORY_NONE},
    /* PowerMTA */
    {"bad-configuration", CATEGORY_PROTOCOL_ERROR},
    {"bad-connection", CATEGORY_CONNECTION_FAILED},
    {"bad-domain", CATEGORY_NONE},
    {"bad-mailbox", CATEGORY_SOFT_OTHER},
    {"content-related", CATEGORY_PROHIBITED_CONTENT},
    {"inactive-mailbox", CATEGORY_SOFT_OTHER},
    {"invalid-sender", CATEGORY_SENDER_REJECTED},
    {"message-expired", CATEGORY_EXPIRED},
    {"no-answer-from-host", CATEGORY_CONNECTION_FAILED},
    {"other", CATEGORY_NONE},
    {"policy-related", CATEGORY_POLICY_BLOCK},
    {"protocol-errors", CATEGORY_PROTOCOL_ERROR},
    {"quota-issues", CATEGORY_SOFT_OTHER},
    {"relaying-issues", CATEGORY_RELAY_DENIED},
    {"routing-errors", CATEGORY_ROUTING_ERROR},
    {"spam-related", CATEGORY_SPAM_CONTENT},
    {"virus-related", CATEGORY_VIRUS},
    {"success", CATEGORY_NONE},
    /* SparkPost, Momentum */
    {"1", CATEGORY_NONE},
    {"10", CATEGORY_SOFT_OTHER},
    {"20", CATEGORY_NONE},
    {"21", CATEGORY_DNS_FAILURE},
    {"22", CATEGORY_MAILBOX_FULL},
    {"23", CATEGORY_MESSAGE_TOO_LARGE},
    {"24", CATEGORY_EXPIRED},
    {"25", CATEGORY_NONE},
    {"30", CATEGORY_SOFT_OTHER},
    {"40", CATEGORY_NONE},
    {"50", CATEGORY_POLICY_BLOCK},
    {"51", CATEGORY_REPUTATION_BLOCK},
    {"52", CATEGORY_SPAM_CONTENT},
    {"53", CATEGORY_PROHIBITED_CONTENT},
    {"54", CATEGORY_RELAY_DENIED},
    {"60", CATEGORY_NONE},
    {"70", CATEGORY_NONE},
    {"80", CATEGORY_NONE},
    {"90", CATEGORY_NONE},
    {"100", CATEGORY_NONE},
    /* Amazon SES */
    {"Permanent/General", CATEGORY_NONE},
    {"Permanent/NoEmail", CATEGORY_SOFT_OTHER},
    {"Transient/General", CATEGORY_NONE},
    {"Transient/MailboxFull", CATEGORY_MAILBOX_FULL},
    {"Transient/MessageTooLarge", CATEGORY_MESSAGE_TOO_LARGE},
    {"Transient/ContentRejected", CATEGORY_SPAM_CONTENT},
    {"Transient/AttachmentRejected", CATEGORY_PROHIBITED_CONTENT},
    {"Undetermined/Undetermined", CATEGORY_NONE},
    /* SendGrid */
    {"Invalid Address", CATEGORY_SOFT_OTHER},
    {"Technical", CATEGORY_NONE},
    {"Content", CATEGORY_SPAM_CONTENT},
    {"Reputation", CATEGORY_REPUTATION_BLOCK},
    {"Frequency/Volume", CATEGORY_RATE_LIMITED},
    {"Frequency or Volume Too High", CATEGORY_RATE_LIMITED},
    {"Mailbox Unavailable", CATEGORY_SOFT_OTHER},
    {"Unclassified", CATEGORY_NONE},
    /* Mailgun */
    {"greylisted", CATEGORY_GREYLISTED},
    {"bounce", CATEGORY_NONE},
    {"generic", CATEGORY_NONE},
    {"", CATEGORY_NONE},
};

enum { NAME_COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };

static struct event make(enum kind kind, uint16_t code, const char *text, const char *native_class)
{
    struct event event = event_init();
    event.kind = kind;
    event.reply.code = code;
    event.reply.text = span_of(text);
    event.native_class = span_of(native_class);
    return event;
}

static void every_name_of_the_peers_hints_at_what_it_means_at_most(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        const enum category hint = native_class_find(span_of(NAMES[i].name));
        if (hint != NAMES[i].category) {
            print_error("%s: %s\n", NAMES[i].name, category_name(hint));
        }
        assert_int_equal(hint, NAMES[i].category);
    }
    assert_int_equal(native_class_find(SPAN("BAD-mailbox")), CATEGORY_SOFT_OTHER);
}

static void no_hint_makes_anything_hard_whatever_the_failure(void **state)
{
    static const enum kind KINDS[] = {KIND_DEFERRED, KIND_BOUNCED, KIND_EXPIRED, KIND_LATE_BOUNCE};
    static const uint16_t CODES[] = {0, 430, 499, 550, 599};
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        for (size_t k = 0; k < 4; k++) {
            for (size_t c = 0; c < 5; c++) {
                const struct event event = make(KINDS[k], CODES[c], "qwxz", NAMES[i].name);
                const struct meaning meaning = classify(classifier, &event);
                assert_int_not_equal(category_class(meaning.category), CLASS_HARD);
            }
        }
    }
}

static void final_failure_that_nobody_knows_is_taken_for_what_is_hinted_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        const struct event event = make(KIND_BOUNCED, 550, "qwxz", NAMES[i].name);
        const struct meaning meaning = classify(classifier, &event);
        const bool hints = NAMES[i].category != CATEGORY_NONE;
        assert_int_equal(meaning.category, hints ? NAMES[i].category : CATEGORY_UNKNOWN_PERMANENT);
        assert_int_equal(meaning.by, FOUND_BY_NONE);
        assert_string_equal(meaning.rule, hints ? "hint" : "");
    }
}

static void deferral_never_begins_to_count_because_of_a_hint(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        const struct event event = make(KIND_DEFERRED, 430, "qwxz", NAMES[i].name);
        const enum category category = classify(classifier, &event).category;
        const enum class class_ = category_class(category);
        assert_true(category == CATEGORY_UNKNOWN_TRANSIENT || class_ == CLASS_BLOCK ||
                    class_ == CLASS_TECHNICAL);
    }
    const struct event blocked = make(KIND_DEFERRED, 430, "qwxz", "SpamBlock");
    assert_int_equal(classify(classifier, &blocked).category, CATEGORY_REPUTATION_BLOCK);
}

static void what_a_rule_or_a_code_knows_is_never_changed(void **state)
{
    static const char *const REPLIES[] = {
        "550 5.1.1 qwxz",
        "550 no such user",
        "452 4.2.2 qwxz",
        "450 qwxz",
        "421 qwxz",
        "550 5.7.1 blacklist",
        "552 5.2.2 too full",
        "550",
        "5.1.2",
        "554",
    };
    (void)state;
    for (size_t r = 0; r < sizeof(REPLIES) / sizeof(REPLIES[0]); r++) {
        char memory[64];
        struct reply_line line;
        reply_line_from_text(span_of(REPLIES[r]), memory, &line);
        const struct meaning alone = classify(classifier, &line.event);
        assert_int_not_equal(alone.class_, CLASS_UNKNOWN);
        for (size_t i = 0; i < NAME_COUNT; i++) {
            line.event.native_class = span_of(NAMES[i].name);
            const struct meaning meaning = classify(classifier, &line.event);
            assert_int_equal(meaning.category, alone.category);
            assert_int_equal(meaning.by, alone.by);
            assert_string_equal(meaning.rule, alone.rule);
        }
    }
}

static void what_is_no_unknown_failure_is_not_asked_for_hints(void **state)
{
    (void)state;
    const struct event delivered = make(KIND_DELIVERED, 250, "qwxz", "bad-mailbox");
    assert_int_equal(classify(classifier, &delivered).category, CATEGORY_NONE);
    const struct event complaint = make(KIND_COMPLAINT, 0, "", "10");
    assert_int_equal(classify(classifier, &complaint).category, CATEGORY_COMPLAINT);
    struct event ours = make(KIND_BOUNCED, 550, "qwxz", "bad-mailbox");
    ours.origin = ORIGIN_LOCAL;
    assert_int_equal(classify(classifier, &ours).category, CATEGORY_INTERNAL);
    const struct event silent = make(KIND_BOUNCED, 0, "", "Permanent/NoEmail");
    assert_int_equal(classify(classifier, &silent).category, CATEGORY_EXPIRED);
}

static enum hint_use use_of(enum kind kind, uint16_t code, const char *text, const char *name)
{
    static struct explanation explanation;
    const struct event event = make(kind, code, text, name);
    classify_explain(classifier, &event, &explanation);
    assert_int_equal(explanation.hint, native_class_find(span_of(name)));
    return explanation.hint_use;
}

static void explanation_says_what_became_of_the_hint(void **state)
{
    (void)state;
    assert_int_equal(use_of(KIND_BOUNCED, 550, "qwxz", "bad-mailbox"), HINT_TAKEN);
    assert_int_equal(use_of(KIND_DEFERRED, 430, "qwxz", "bad-mailbox"), HINT_REFUSED);
    assert_int_equal(use_of(KIND_BOUNCED, 550, "qwxz", "other"), HINT_REFUSED);
    assert_int_equal(use_of(KIND_BOUNCED, 550, "no such user", "spam-related"), HINT_NOT_ASKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_of_the_peers_hints_at_what_it_means_at_most),
        cmocka_unit_test(no_hint_makes_anything_hard_whatever_the_failure),
        cmocka_unit_test(final_failure_that_nobody_knows_is_taken_for_what_is_hinted_at),
        cmocka_unit_test(deferral_never_begins_to_count_because_of_a_hint),
        cmocka_unit_test(what_a_rule_or_a_code_knows_is_never_changed),
        cmocka_unit_test(what_is_no_unknown_failure_is_not_asked_for_hints),
        cmocka_unit_test(explanation_says_what_became_of_the_hint),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

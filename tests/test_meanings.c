/* tests/test_meanings.c - what the codes mean, as told to users, and that none is missing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/classifying.h"

static struct event failure(enum kind kind,
                            uint16_t code,
                            struct enhanced enhanced,
                            const char *text)
{
    struct event event = event_init();
    event.kind = kind;
    event.reply = (struct reply){.code = code, .enhanced = enhanced, .text = span_of(text)};
    return event;
}

struct expectation {
    enum kind kind;
    uint16_t code;
    struct enhanced enhanced;
    const char *text;
    enum category category;
    enum found_by by;
};

static void check_all(const struct expectation *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct expectation *e = &table[i];
        const struct event event = failure(e->kind, e->code, e->enhanced, e->text);
        const struct meaning meaning = classify(classifier, &event);
        if (meaning.category != e->category || meaning.by != e->by) {
            print_error("%u %u.%u.%u is %s by %s\n", e->code, e->enhanced.class_,
                        e->enhanced.subject, e->enhanced.detail, category_name(meaning.category),
                        found_by_name(meaning.by));
        }
        assert_int_equal(meaning.category, e->category);
        assert_int_equal(meaning.by, e->by);
    }
}

#define CHECK_ALL(table) check_all(table, sizeof(table) / sizeof((table)[0]))
#define NO_ENHANCED                                                                                \
    {                                                                                              \
        0, 0, 0                                                                                    \
    }

static void plain_codes_mean_what_they_say_where_there_is_no_text(void **state)
{
    (void)state;
    static const struct expectation TABLE[] = {
        {KIND_DEFERRED, 421, NO_ENHANCED, "", CATEGORY_SERVER_BUSY, FOUND_BY_CODE},
        {KIND_DEFERRED, 450, NO_ENHANCED, "", CATEGORY_SOFT_OTHER, FOUND_BY_CODE},
        {KIND_DEFERRED, 451, NO_ENHANCED, "", CATEGORY_SERVER_BUSY, FOUND_BY_CODE},
        {KIND_DEFERRED, 452, NO_ENHANCED, "", CATEGORY_MAILBOX_FULL, FOUND_BY_CODE},
        {KIND_BOUNCED, 550, NO_ENHANCED, "", CATEGORY_INVALID_RECIPIENT, FOUND_BY_CODE},
        {KIND_BOUNCED, 551, NO_ENHANCED, NULL, CATEGORY_INVALID_RECIPIENT, FOUND_BY_CODE},
        {KIND_BOUNCED, 552, NO_ENHANCED, "", CATEGORY_MAILBOX_FULL, FOUND_BY_CODE},
        {KIND_BOUNCED, 553, NO_ENHANCED, "  ", CATEGORY_BAD_ADDRESS, FOUND_BY_CODE},
        {KIND_BOUNCED, 554, NO_ENHANCED, "", CATEGORY_POLICY_BLOCK, FOUND_BY_CODE},
    };
    CHECK_ALL(TABLE);
}

static void a_5xx_whose_text_nobody_can_read_is_never_a_dead_mailbox(void **state)
{
    (void)state;
    static const struct expectation TABLE[] = {
        {KIND_BOUNCED, 550, NO_ENHANCED, "qwertz", CATEGORY_UNKNOWN_PERMANENT, FOUND_BY_NONE},
        {KIND_BOUNCED, 553, NO_ENHANCED, "qwertz", CATEGORY_UNKNOWN_PERMANENT, FOUND_BY_NONE},
        {KIND_LATE_BOUNCE, 551, NO_ENHANCED, "qwertz", CATEGORY_UNKNOWN_PERMANENT, FOUND_BY_NONE},
        {KIND_BOUNCED, 550, {5, 9, 9}, "qwertz", CATEGORY_UNKNOWN_PERMANENT, FOUND_BY_NONE},
        {KIND_BOUNCED, 550, {2, 1, 5}, "qwertz", CATEGORY_UNKNOWN_PERMANENT, FOUND_BY_NONE},
        {KIND_BOUNCED, 550, {5, 0, 0}, "qwertz", CATEGORY_UNKNOWN_PERMANENT, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 1, 99}, "qwertz", CATEGORY_SOFT_OTHER, FOUND_BY_ENHANCED},
    };
    CHECK_ALL(TABLE);
}

static void an_enhanced_code_is_read_before_the_plain_one(void **state)
{
    (void)state;
    static const struct expectation TABLE[] = {
        {KIND_DEFERRED, 452, {4, 2, 2}, "full", CATEGORY_MAILBOX_FULL, FOUND_BY_ENHANCED},
        {KIND_DEFERRED, 452, {4, 3, 1}, "", CATEGORY_SERVER_BUSY, FOUND_BY_ENHANCED},
        {KIND_DEFERRED, 421, {4, 7, 0}, "", CATEGORY_RATE_LIMITED, FOUND_BY_ENHANCED},
        {KIND_DEFERRED, 451, {4, 4, 1}, "", CATEGORY_CONNECTION_FAILED, FOUND_BY_ENHANCED},
        {KIND_DEFERRED, 0, {4, 4, 1}, "", CATEGORY_CONNECTION_FAILED, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 1, 1}, "x", CATEGORY_INVALID_RECIPIENT, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 1, 10}, "x", CATEGORY_BAD_DOMAIN, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 552, {5, 2, 2}, "x", CATEGORY_MAILBOX_FULL, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 2, 1}, "x", CATEGORY_INACTIVE_MAILBOX, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 7, 1}, "x", CATEGORY_POLICY_BLOCK, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 7, 25}, "x", CATEGORY_AUTH_FAILED, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 7, 27}, "x", CATEGORY_SENDER_REJECTED, FOUND_BY_ENHANCED},
        {KIND_BOUNCED, 550, {5, 7, 777}, "x", CATEGORY_POLICY_BLOCK, FOUND_BY_ENHANCED}, /* 5.7 */
        {KIND_BOUNCED, 554, {4, 4, 7}, "x", CATEGORY_EXPIRED, FOUND_BY_ENHANCED},
    };
    CHECK_ALL(TABLE);
}

static void without_any_code_nothing_is_known(void **state)
{
    (void)state;
    static const struct expectation TABLE[] = {
        {KIND_DEFERRED, 0, NO_ENHANCED, "", CATEGORY_UNKNOWN_TRANSIENT, FOUND_BY_NONE},
        {KIND_BOUNCED, 0, NO_ENHANCED, "qwertz", CATEGORY_UNKNOWN_TRANSIENT, FOUND_BY_NONE},
        {KIND_EXPIRED, 0, NO_ENHANCED, "", CATEGORY_EXPIRED, FOUND_BY_NONE},
        {KIND_DELIVERED, 250, {2, 0, 0}, "ok", CATEGORY_NONE, FOUND_BY_NONE},
        {KIND_COMPLAINT, 0, NO_ENHANCED, "", CATEGORY_COMPLAINT, FOUND_BY_NONE},
        {KIND_UNSUBSCRIBE, 0, NO_ENHANCED, "", CATEGORY_UNSUBSCRIBE, FOUND_BY_NONE},
    };
    CHECK_ALL(TABLE);
}

static void user_unknown_under_a_deferral_is_soft(void **state)
{
    (void)state;
    struct event event = failure(KIND_DEFERRED, 450, (struct enhanced){5, 1, 1}, "User unknown");
    assert_int_equal(classify(classifier, &event).category, CATEGORY_INVALID_RECIPIENT);
    assert_int_equal(classify(classifier, &event).class_, CLASS_SOFT);
    event.kind = KIND_BOUNCED;
    assert_int_equal(classify(classifier, &event).class_, CLASS_HARD);
}

static void our_own_doing_is_ours_whatever_it_says(void **state)
{
    (void)state;
    struct event event = failure(KIND_DEFERRED, 550, (struct enhanced){5, 1, 1}, "User unknown");
    event.origin = ORIGIN_LOCAL;
    assert_int_equal(classify(classifier, &event).category, CATEGORY_INTERNAL);
    event.kind = KIND_EXPIRED;
    assert_int_equal(classify(classifier, &event).category, CATEGORY_EXPIRED);
}

static void an_event_keeps_the_category_that_it_brings(void **state)
{
    (void)state;
    struct event event = failure(KIND_BOUNCED, 550, (struct enhanced){5, 1, 1}, "User unknown");
    event.category = CATEGORY_SPAM_CONTENT;
    const struct meaning meaning = classify(classifier, &event);
    assert_int_equal(meaning.category, CATEGORY_SPAM_CONTENT);
    assert_string_equal(meaning.rule, "event");
}

static void every_registered_enhanced_code_has_a_row_of_its_own(void **state)
{
    (void)state;
    /* IANA, "SMTP Enhanced Status Codes": the highest detail of each subject */
    static const uint16_t DETAIL_MAX[] = {0, 10, 4, 6, 7, 6, 10, 30};
    for (uint8_t class_ = 4; class_ <= 5; class_++) {
        for (uint16_t subject = 0; subject <= 7; subject++) {
            for (uint16_t detail = 0; detail <= DETAIL_MAX[subject]; detail++) {
                char id[24];
                snprintf(id, sizeof(id), "%u.%u.%u", class_, subject, detail);
                const struct event event =
                    failure(KIND_BOUNCED, 0, (struct enhanced){class_, subject, detail}, "");
                assert_string_equal(classify(classifier, &event).rule, id);
            }
        }
    }
}

static void every_failure_code_of_rfc_5321_has_a_row(void **state)
{
    (void)state;
    static const uint16_t CODES[] = {421, 450, 451, 452, 455, 500, 501, 502,
                                     503, 504, 550, 551, 552, 553, 554, 555};
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        const struct event event =
            failure(KIND_BOUNCED, CODES[i], (struct enhanced)NO_ENHANCED, "");
        assert_int_equal(classify(classifier, &event).by, FOUND_BY_CODE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_codes_mean_what_they_say_where_there_is_no_text),
        cmocka_unit_test(a_5xx_whose_text_nobody_can_read_is_never_a_dead_mailbox),
        cmocka_unit_test(an_enhanced_code_is_read_before_the_plain_one),
        cmocka_unit_test(without_any_code_nothing_is_known),
        cmocka_unit_test(user_unknown_under_a_deferral_is_soft),
        cmocka_unit_test(our_own_doing_is_ours_whatever_it_says),
        cmocka_unit_test(an_event_keeps_the_category_that_it_brings),
        cmocka_unit_test(every_registered_enhanced_code_has_a_row_of_its_own),
        cmocka_unit_test(every_failure_code_of_rfc_5321_has_a_row),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

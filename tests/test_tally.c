/* tests/test_tally.c - each rule's counter counts what it decided, and the texts that nobody knew are
 * kept, those alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/tally.h"

#include "classify/reply.h"
#include "classify/rules.h"
#include "tests/allocations.h"
#include "tests/check.h"

static const char RULES[] =
    "rules:\n"
    "- {id: gone, pattern: 'no such user', category: invalid_recipient, examples: [550 no such "
    "user]}\n"
    "- {id: full, pattern: 'full', category: mailbox_full, examples: [552 full]}\n"
    "- {id: shrug, pattern: 'some reason', category: unknown_permanent, examples: [554 some "
    "reason]}\n"
    "codes:\n"
    "- {reply: 421, category: server_busy, example: 421 x}\n"
    "- {enhanced: 5.2.2, category: mailbox_full, example: 552 5.2.2 x}\n";

static const char PROVIDER[] =
    "provider: {name: acme, mx: acme.example}\n"
    "rules:\n"
    "- {id: acme-x, pattern: acmex, category: moved, examples: [550 acmex]}\n";

static struct {
    struct ruleset *rules;
    struct classifier *classifier;
} t;

static int set_up(void **state)
{
    (void)state;
    struct rule_file files[2] = {{.is_shipped = true}, {.is_shipped = true}};
    assert_int_equal(yaml_parse("t.yaml", SPAN(RULES), &files[0].yaml), OK);
    assert_int_equal(yaml_parse("acme.yaml", SPAN(PROVIDER), &files[1].yaml), OK);
    assert_int_equal(rules_read(files, 2, SPAN_NONE, &t.rules), OK);
    assert_int_equal(classifier_create(t.rules, &t.classifier), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    classifier_destroy(&t.classifier);
    ruleset_destroy(&t.rules);
    return 0;
}

static void take(const char *text, const char *mx)
{
    char memory[256];
    struct event event = event_init();
    event.reply = reply_parse(span_of(text), memory);
    event.kind = event.reply.code < 500 ? KIND_DEFERRED : KIND_BOUNCED;
    event.recipient = SPAN("zoe@example.com");
    event.mx = span_of(mx);
    const struct meaning meaning = classify(t.classifier, &event);
    classifier_count(t.classifier, &event, &meaning, 1000);
}

/* Of the rule or row of this name. */
static uint64_t hits_of(const struct tally *tally, const char *id)
{
    for (size_t i = 0; i < tally->counters; i++) {
        struct counted_rule rule;
        if (ruleset_counter_find(t.rules, i, &rule) && strcmp(rule.id, id) == 0) {
            return tally->hits[i];
        }
    }
    fail_msg("no counter of %s", id);
    return 0;
}

static void a_rule_and_a_row_are_counted_when_they_decide(void **state)
{
    (void)state;
    const struct tally *tally = classifier_tally(t.classifier);
    take("550 no such user, mailbox full", NULL); /* the second is beaten */
    take("550 no such user", NULL);
    take("552 5.2.2 no", NULL);
    take("421 wait", NULL);
    take("550 acmex", "mx1.acme.example");
    assert_int_equal(hits_of(tally, "gone"), 2);
    assert_int_equal(hits_of(tally, "full"), 0);
    assert_int_equal(hits_of(tally, "5.2.2"), 1);
    assert_int_equal(hits_of(tally, "421"), 1);
    assert_int_equal(hits_of(tally, "acme-x"), 1);
}

static void each_rule_and_row_has_one_counter_that_names_it(void **state)
{
    (void)state;
    size_t rules = 0;
    size_t rows = 0;
    for (size_t i = 0; i < ruleset_counters(t.rules); i++) {
        struct counted_rule rule;
        if (ruleset_counter_find(t.rules, i, &rule)) {
            rules += !rule.is_row;
            rows += rule.is_row;
            assert_true(strlen(rule.place.file) > 0 && rule.place.line > 0);
        }
    }
    assert_int_equal(rules, 4);
    assert_int_equal(rows, 2);
}

static void texts_that_no_rule_and_no_enhanced_code_knew_are_kept(void **state)
{
    (void)state;
    const struct unknown *unknown = classifier_tally(t.classifier)->by_provider;
    take("550 no such user", NULL);
    take("552 5.2.2 words", NULL);
    take("554 some reason", NULL); /* a rule knows that nobody knows */
    take("421", NULL);             /* no words */
    take("550", NULL);
    assert_int_equal(unknown_count(unknown), 0);
    take("550 qwertz", NULL);
    take("450 qwertz", NULL);
    take("421 qwertz", NULL);
    take("qwertz", NULL);
    assert_int_equal(unknown_count(unknown), 4);
}

static void a_provider_of_the_rule_files_gives_its_name(void **state)
{
    (void)state;
    struct unknown_entry *entries = NULL;
    size_t count = 0;
    take("550 qwertz", "mx1.acme.example");
    const struct unknown *unknown = classifier_tally(t.classifier)->by_provider;
    assert_int_equal(unknown_merge(&unknown, 1, &entries, &count), OK);
    assert_int_equal(count, 1);
    assert_true(span_equal(unknown_provider(&entries[0]), SPAN("acme")));
    free(entries);
}

static void a_copy_stands_still_until_the_next(void **state)
{
    (void)state;
    const struct tally *copy = classifier_tally_copy(t.classifier);
    take("550 no such user", NULL);
    take("550 qwertz", NULL);
    classifier_copy_tally(t.classifier);
    take("550 no such user", NULL);
    take("550 other", NULL);
    assert_int_equal(hits_of(copy, "gone"), 1);
    assert_int_equal(unknown_count(copy->by_text), 1);
    classifier_copy_tally(t.classifier);
    assert_int_equal(hits_of(copy, "gone"), 2);
    assert_int_equal(unknown_count(copy->by_text), 2);
}

static void counting_an_event_takes_no_memory(void **state)
{
    (void)state;
#if !MALLOC_IS_OURS
    skip();
#else
    const size_t before = allocations;
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "550 %c%c%c", 'a' + i % 26, 'a' + i / 26 % 26,
                       'a' + i / 676);
        take(text, NULL);
        take("550 no such user", NULL);
    }
    classifier_copy_tally(t.classifier);
    assert_int_equal(allocations, before);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rule_and_a_row_are_counted_when_they_decide, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_rule_and_row_has_one_counter_that_names_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(texts_that_no_rule_and_no_enhanced_code_knew_are_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_provider_of_the_rule_files_gives_its_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_copy_stands_still_until_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counting_an_event_takes_no_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

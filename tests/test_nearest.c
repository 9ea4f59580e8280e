/* tests/test_nearest.c - of an unknown text a rule is named whose examples are like it, or none.
 * How often that is right is told by test_story_proposals.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/nearest.h"

#include "classify/rules.h"
#include "tests/check.h"

static const char RULES[] =
    "rules:\n"
    "- {id: full, pattern: 'mailbox .* full|over quota', category: mailbox_full,\n"
    "   examples: ['452 4.2.2 <a@b.example>: the mailbox of zoe@x.example is full', 552 user is "
    "over quota]}\n"
    "- {id: gone, pattern: 'no such|unknown', category: invalid_recipient,\n"
    "   examples: [550 no such user here, 550 5.1.1 recipient unknown]}\n"
    "- {id: listed, pattern: 'blocklist', category: reputation_block,\n"
    "   examples: ['554 192.0.2.1 is on our blocklist, see https://x.example/']}\n"
    "- {id: shrug, pattern: 'delivery failed', category: unknown_permanent,\n"
    "   examples: [554 delivery failed for some reason]}\n";

static struct {
    struct ruleset *rules;
    struct nearest *nearest;
} t;

static int set_up(void **state)
{
    (void)state;
    struct rule_file file = {.is_shipped = true};
    assert_int_equal(yaml_parse("t.yaml", SPAN(RULES), &file.yaml), OK);
    assert_int_equal(rules_read(&file, 1, SPAN_NONE, &t.rules), OK);
    assert_int_equal(nearest_create(t.rules->text_rules, &t.nearest), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nearest_destroy(&t.nearest);
    ruleset_destroy(&t.rules);
    return 0;
}

static const char *nearest_to(const char *text)
{
    const struct proposal proposal = nearest_find(t.nearest, span_of(text));
    return proposal.rule == NULL ? "" : proposal.rule->id;
}

static void a_rule_is_proposed_whose_example_is_alike(void **state)
{
    (void)state;
    assert_string_equal(nearest_to("sorry, the mailbox of {address} is full"), "full");
    assert_string_equal(nearest_to("NO SUCH USER is here"), "gone");
    assert_string_equal(nearest_to("{ip} is on our blocklist, see our page https://x.example/"),
                        "listed");
}

static void nothing_is_proposed_of_a_text_with_other_words(void **state)
{
    (void)state;
    assert_string_equal(nearest_to("qwertz"), "");
    assert_string_equal(nearest_to(""), "");
    assert_string_equal(nearest_to("{address} {n} {host} 123 {"), "");
}

static void a_rule_that_knows_no_meaning_is_not_proposed(void **state)
{
    (void)state;
    assert_string_not_equal(nearest_to("delivery failed for some reason"), "shrug");
}

static void support_is_between_none_and_all(void **state)
{
    (void)state;
    const struct proposal all = nearest_find(t.nearest, SPAN("no such user here"));
    assert_true(all.support >= NEAREST_SUPPORT_MIN && all.support <= 1);
    assert_true(nearest_find(t.nearest, SPAN("qwertz")).support == 0);
}

static void rules_without_words_propose_nothing(void **state)
{
    (void)state;
    struct rule_file file = {.is_shipped = true};
    struct ruleset *rules = NULL;
    struct nearest *nearest = NULL;
    assert_int_equal(yaml_parse("t.yaml", SPAN("codes: []\n"), &file.yaml), OK);
    assert_int_equal(rules_read(&file, 1, SPAN_NONE, &rules), OK);
    assert_int_equal(nearest_create(rules->text_rules, &nearest), OK);
    assert_null(nearest_find(nearest, SPAN("no such user")).rule);
    nearest_destroy(&nearest);
    ruleset_destroy(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_proposed_whose_example_is_alike),
        cmocka_unit_test(nothing_is_proposed_of_a_text_with_other_words),
        cmocka_unit_test(a_rule_that_knows_no_meaning_is_not_proposed),
        cmocka_unit_test(support_is_between_none_and_all),
        cmocka_unit_test(rules_without_words_propose_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

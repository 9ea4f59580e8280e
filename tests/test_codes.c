/* tests/test_codes.c - the table of codes holds what the registries hold, and finds it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "classify/codes.h"
#include "classify/reply.h"
#include "classify/rules.h"

static struct codes *codes;
static struct yaml *shipped;

static int setup(void **state)
{
    (void)state;
    size_t i = 0;
    while (strcmp(rules_embedded_at(i).name, "rules/codes.yaml") != 0) {
        i++;
    }
    if (yaml_parse("rules/codes.yaml", rules_embedded_at(i).text, &shipped) != OK) {
        return -1;
    }
    const struct rule_file file = {shipped, true};
    const enum err err = codes_load(&file, 1, &codes);
    return err == OK && yaml_report(shipped) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    codes_destroy(&codes);
    yaml_close(&shipped);
    return 0;
}

static const char *find(unsigned code, const char *enhanced)
{
    struct code_match match = {.rule = ""};
    struct enhanced status = {0};
    (void)enhanced_parse(span_of(enhanced), &status);
    if (!codes_find_enhanced(codes, (uint16_t)code, status, &match)) {
        (void)codes_find_reply(codes, (uint16_t)code, &match);
    }
    return match.rule;
}

static void every_reply_code_of_failure_has_a_row(void **state)
{
    (void)state;
    /* RFC 5321 4.2.3, RFC 4954, RFC 7504 */
    const unsigned all[] = {421, 432, 450, 451, 452, 454, 455, 500, 501, 502, 503, 504,
                            521, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555, 556};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char expected[8];
        (void)snprintf(expected, sizeof(expected), "%u", all[i]);
        assert_string_equal(find(all[i], ""), expected);
    }
}

static void every_registered_enhanced_code_has_a_row_in_both_classes(void **state)
{
    (void)state;
    /* IANA, "SMTP Enhanced Status Codes": the last detail of each subject */
    const unsigned last[] = {0, 10, 4, 6, 7, 6, 10, 30};
    for (unsigned subject = 0; subject < 8; subject++) {
        for (unsigned detail = 0; detail <= last[subject]; detail++) {
            for (unsigned class_ = 4; class_ <= 5; class_++) {
                char status[16];
                (void)snprintf(status, sizeof(status), "%u.%u.%u", class_, subject, detail);
                assert_string_equal(find(0, status), status);
            }
        }
    }
}

static void the_more_exact_row_wins(void **state)
{
    (void)state;
    assert_string_equal(find(452, "4.3.1"), "452 4.3.1");
    assert_string_equal(find(451, "4.3.1"), "4.3.1");
    assert_string_equal(find(0, "4.3.1"), "4.3.1");
    assert_string_equal(find(550, "5.1.77"), "5.1");
    assert_string_equal(find(550, "5.9.1"), "550");
    assert_string_equal(find(550, ""), "550");
    assert_string_equal(find(599, ""), "");
    assert_string_equal(find(0, ""), "");
    assert_string_equal(find(0, "2.1.5"), "");
}

/* A row x.y is no code x.y.1023, and no key of one kind is found by another. */
static void nothing_is_found_that_has_no_row(void **state)
{
    (void)state;
    struct code_match match;
    size_t found = 0;
    for (unsigned code = 0; code < 1000; code++) {
        found += codes_find_reply(codes, (uint16_t)code, &match);
    }
    assert_int_equal(found, 25);
    for (unsigned subject = 8; subject < 1000; subject++) {
        for (unsigned class_ = 2; class_ <= 5; class_++) {
            const struct enhanced enhanced = {(uint8_t)class_, (uint16_t)subject, 1};
            assert_false(codes_find_enhanced(codes, 550, enhanced, &match));
        }
    }
}

static void a_full_table_is_built_and_every_row_found(void **state)
{
    (void)state;
    const size_t count = CODES_MAX;
    char *text = malloc(count * 100);
    assert_non_null(text);
    size_t size = (size_t)sprintf(text, "codes:\n");
    for (size_t i = 0; i < count; i++) {
        size += (size_t)sprintf(text + size,
                                "- {enhanced: 5.%zu.%zu, category: moved, example: 5.%zu.%zu}\n",
                                i / 900, i % 900, i / 900, i % 900);
    }
    struct yaml *yaml;
    struct codes *full = NULL;
    assert_int_equal(yaml_parse("t.yaml", (struct span){text, size}, &yaml), OK);
    assert_int_equal(codes_load(&(struct rule_file){yaml, false}, 1, &full),
                     OK); /* checks each example */
    codes_destroy(&full);
    yaml_close(&yaml);
    free(text);
}

static void assert_refused(const char *rows, const char *fault)
{
    char text[1024];
    struct yaml *yaml;
    struct codes *none = NULL;
    (void)snprintf(text, sizeof(text), "codes:\n%s", rows);
    assert_int_equal(yaml_parse("t.yaml", span_of(text), &yaml), OK);
    assert_int_equal(codes_load(&(struct rule_file){yaml, false}, 1, &none), ERR_BAD_CONFIG);
    assert_null(none);
    assert_string_equal(yaml_fault_at(yaml, 0), fault);
    yaml_close(&yaml);
}

static void a_faulty_row_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_refused("- {category: moved, example: 550}\n",
                   "t.yaml:2: codes[1]: a row needs `reply: 550`, `enhanced: 5.1.1`, or both");
    assert_refused("- {reply: 550, example: 550}\n",
                   "t.yaml:2: codes[1]: needs a category: what such a reply means");
    assert_refused("- {reply: 550, category: moved}\n",
                   "t.yaml:2: codes[1]: a row needs an example: a reply that it decides");
    assert_refused("- {reply: 250, category: moved, example: 250}\n",
                   "t.yaml:2: codes[1].reply: \"250\" is no whole number from 400 to 599");
    assert_refused(
        "- {enhanced: 5.1.x, category: moved, example: a}\n",
        "t.yaml:2: codes[1].enhanced: \"5.1.x\" is no enhanced code; write 5.1.1, or 5.1 "
        "for the rest of it");
    assert_refused(
        "- {enhanced: 2.1.5, category: moved, example: a}\n",
        "t.yaml:2: codes[1].enhanced: \"2.1.5\" is no enhanced code; write 5.1.1, or 5.1 "
        "for the rest of it");
    assert_refused("- {reply: 550, enhanced: 5.1, category: moved, example: a}\n",
                   "t.yaml:2: codes[1]: a row of both codes needs the whole enhanced code");
    assert_refused("- {reply: 550, category: moved, exampel: 550}\n",
                   "t.yaml:2: codes[1].exampel: there is no such key here; did you mean example");
    assert_refused("- {reply: 550, category: moved, example: 550}\n"
                   "- {reply: 551, category: moved, example: 551}\n"
                   "- {reply: 550, category: expired, example: 550}\n",
                   "t.yaml:4: codes[3]: 550 has a row already (t.yaml:2); keep one");
    assert_refused("- {enhanced: 5.1, category: moved, example: 5.1.1}\n"
                   "- {enhanced: 5.1.1, category: moved, example: 5.1.2}\n",
                   "t.yaml:2: codes[1].example: the example of 5.1 is decided by 5.1.1");
    assert_refused("  a: 1\n",
                   "t.yaml:1: codes: a list is wanted here, one `- item` a line, or [a, b]");
}

static void an_unknown_category_is_refused_with_the_nearest_one(void **state)
{
    (void)state;
    struct yaml *yaml;
    struct codes *none = NULL;
    const char *const text = "codes:\n- {reply: 550, category: mailbox_ful, example: 550}\n";
    assert_int_equal(yaml_parse("t.yaml", span_of(text), &yaml), OK);
    assert_int_equal(codes_load(&(struct rule_file){yaml, false}, 1, &none), ERR_BAD_CONFIG);
    const char *fault = yaml_fault_at(yaml, 0);
    assert_non_null(strstr(fault, "t.yaml:2: codes[1].category: \"mailbox_ful\" is none of "));
    assert_non_null(strstr(fault, "did you mean mailbox_full"));
    yaml_close(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reply_code_of_failure_has_a_row),
        cmocka_unit_test(every_registered_enhanced_code_has_a_row_in_both_classes),
        cmocka_unit_test(the_more_exact_row_wins),
        cmocka_unit_test(nothing_is_found_that_has_no_row),
        cmocka_unit_test(a_full_table_is_built_and_every_row_found),
        cmocka_unit_test(a_faulty_row_is_refused_with_its_line),
        cmocka_unit_test(an_unknown_category_is_refused_with_the_nearest_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

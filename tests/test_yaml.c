/* tests/test_yaml.c - configuration files are read, and what is wrong in them is said with its
 * line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/yaml.h"

static struct yaml *parse(const char *text)
{
    struct yaml *yaml = NULL;
    assert_int_equal(yaml_parse("c.yaml", span_of(text), &yaml), OK);
    return yaml;
}

static void assert_refused(const char *text)
{
    struct yaml *yaml = NULL;
    assert_int_equal(yaml_parse("c.yaml", span_of(text), &yaml), ERR_BAD_CONFIG);
    assert_null(yaml);
}

static void assert_fault(const struct yaml *yaml, size_t i, const char *expected)
{
    assert_true(i < yaml_fault_count(yaml));
    assert_string_equal(yaml_fault_at(yaml, i), expected);
}

static void values_are_found_by_their_keys(void **state)
{
    (void)state;
    struct yaml *yaml = parse("application_id: app\n"
                              "workers: {intake: 3, on: yes}\n"
                              "topics:\n  - a\n  - \"b c\"\n"
                              "wait: 5m\nlimit: 8GiB\n");
    const struct yaml_node *root = yaml_root(yaml);
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;
    assert_true(yaml_to_text(yaml, yaml_find(root, "application_id"), &text));
    assert_string_equal(text, "app");
    const struct yaml_node *workers = yaml_to_map(yaml, yaml_find(root, "workers"));
    assert_true(yaml_to_int(yaml, yaml_find(workers, "intake"), 0, 64, &number));
    assert_int_equal(number, 3);
    assert_true(yaml_to_bool(yaml, yaml_find(workers, "on"), &flag));
    assert_true(flag);
    const struct yaml_node *topics = yaml_to_list(yaml, yaml_find(root, "topics"));
    assert_string_equal(topics->first->text.data, "a");
    assert_string_equal(topics->first->next->text.data, "b c");
    assert_null(topics->first->next->next);
    assert_true(yaml_to_duration_ms(yaml, yaml_find(root, "wait"), 0, DAY_MS, &number));
    assert_int_equal(number, 300000);
    assert_true(yaml_to_size_bytes(yaml, yaml_find(root, "limit"), 0, INT64_MAX, &number));
    assert_int_equal(number, INT64_C(8) << 30);
    assert_int_equal(yaml_report(yaml), OK);
    yaml_close(&yaml);
    assert_null(yaml);
}

static void what_is_absent_or_null_leaves_the_default(void **state)
{
    (void)state;
    struct yaml *yaml = parse("a:\nb: ~\nc: null\nd: \"\"\n");
    const struct yaml_node *root = yaml_root(yaml);
    int64_t number = 7;
    assert_false(yaml_to_int(yaml, yaml_find(root, "a"), 0, 9, &number));
    assert_false(yaml_to_int(yaml, yaml_find(root, "b"), 0, 9, &number));
    assert_false(yaml_to_int(yaml, yaml_find(root, "c"), 0, 9, &number));
    assert_false(yaml_to_int(yaml, yaml_find(yaml_find(root, "x"), "y"), 0, 9, &number));
    assert_int_equal(number, 7);
    assert_int_equal(yaml_fault_count(yaml), 0);
    assert_non_null(yaml_find(root, "d"));
    yaml_close(&yaml);
}

static void an_empty_file_is_an_empty_map(void **state)
{
    (void)state;
    const char *const texts[] = {"", "# nothing\n", "---\n", "~\n"};
    for (size_t i = 0; i < 4; i++) {
        struct yaml *yaml = parse(texts[i]);
        assert_null(yaml_root(yaml)->first);
        assert_int_equal(yaml_fault_count(yaml), 0);
        yaml_close(&yaml);
    }
}

static void all_faults_are_said_each_with_its_line(void **state)
{
    (void)state;
    struct yaml *yaml = parse("workers:\n  intake: many\n  shard: 99\nfast: maybe\nwait: 5\n"
                              "limit: -1\npreset: carefull\nlist: 3\nmap: [1]\n");
    const struct yaml_node *root = yaml_root(yaml);
    const struct yaml_node *workers = yaml_find(root, "workers");
    const char *const presets[] = {"default", "careful", "handshake"};
    const char *text;
    int64_t number;
    size_t index;
    bool flag;
    (void)yaml_to_int(yaml, yaml_find(workers, "intake"), 0, 64, &number);
    (void)yaml_to_int(yaml, yaml_find(workers, "shard"), 0, 64, &number);
    (void)yaml_to_bool(yaml, yaml_find(root, "fast"), &flag);
    (void)yaml_to_duration_ms(yaml, yaml_find(root, "wait"), 0, 9, &number);
    (void)yaml_to_size_bytes(yaml, yaml_find(root, "limit"), 0, 9, &number);
    (void)yaml_to_choice(yaml, yaml_find(root, "preset"), presets, 3, &index);
    (void)yaml_to_list(yaml, yaml_find(root, "list"));
    (void)yaml_to_text(yaml, yaml_find(root, "map"), &text);
    (void)yaml_to_map(yaml, yaml_find(root, "map"));
    assert_fault(yaml, 0, "c.yaml:2: workers.intake: \"many\" is no whole number from 0 to 64");
    assert_fault(yaml, 1, "c.yaml:3: workers.shard: \"99\" is no whole number from 0 to 64");
    assert_fault(yaml, 2, "c.yaml:4: fast: \"maybe\" is neither true nor false");
    assert_fault(yaml, 3, "c.yaml:5: wait: \"5\" is no duration; write 250ms, 30s, 5m, 2h or 7d");
    assert_fault(yaml, 4, "c.yaml:6: limit: \"-1\" is no size; write 4096, 64KiB, 512MiB or 8GiB");
    assert_fault(yaml, 5,
                 "c.yaml:7: preset: \"carefull\" is none of default, careful, handshake; "
                 "did you mean careful");
    assert_fault(yaml, 6, "c.yaml:8: list: a list is wanted here, one `- item` a line, or [a, b]");
    assert_fault(yaml, 7, "c.yaml:9: map: one value is wanted here, not a list");
    assert_int_equal(yaml_fault_count(yaml), 9);
    assert_int_equal(yaml_report(yaml), ERR_BAD_CONFIG);
    yaml_close(&yaml);
}

static void an_unknown_key_names_the_nearest_known_one(void **state)
{
    (void)state;
    struct yaml *yaml = parse("workers:\n  intaek: 1\n  zebra: 2\n");
    const char *const keys[] = {"intake", "shard"};
    yaml_known_keys(yaml, yaml_find(yaml_root(yaml), "workers"), keys, 2);
    assert_fault(yaml, 0,
                 "c.yaml:2: workers.intaek: there is no such key here; did you mean intake");
    assert_fault(yaml, 1, "c.yaml:3: workers.zebra: there is no such key here");
    assert_int_equal(yaml_fault_count(yaml), 2);
    yaml_close(&yaml);
}

static void a_key_that_stands_twice_is_a_fault_and_the_first_counts(void **state)
{
    (void)state;
    struct yaml *yaml = parse("rules:\n  - a: 1\n    b: 2\n    a: 3\n");
    assert_fault(yaml, 0,
                 "c.yaml:4: rules[1].a: stands here a second time (first in line 2); keep one");
    const struct yaml_node *rule = yaml_find(yaml_root(yaml), "rules")->first;
    assert_string_equal(yaml_find(rule, "a")->text.data, "1");
    yaml_close(&yaml);
}

static void what_is_no_yaml_or_too_clever_is_refused(void **state)
{
    (void)state;
    assert_refused("a: [1, 2\n");
    assert_refused("a: 1\n\tb: 2\n");
    assert_refused("a: &x 1\nb: *x\n");
    assert_refused("a: !!str 1\n");
    assert_refused("? [a]\n: 1\n");
    assert_refused("a: \"\\0\"\n");
    assert_refused("a: 1\n---\nb: 2\n");
    assert_refused("a: \xff\n");
    assert_refused("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
}

static void a_root_that_is_no_map_is_a_fault(void **state)
{
    (void)state;
    struct yaml *yaml = parse("- a\n");
    assert_fault(yaml, 0, "c.yaml:1: a file like this holds keys and values, `key: value`");
    assert_null(yaml_root(yaml)->first);
    yaml_close(&yaml);
}

static void limits_hold(void **state)
{
    (void)state;
    const size_t size = 2 * YAML_NODES_MAX + 10;
    char *text = malloc(size + 1);
    memset(text, ',', size);
    for (size_t i = 1; i < size; i += 2) {
        text[i] = '1';
    }
    text[0] = '[';
    text[size] = '\0';
    assert_refused(text);
    free(text);
}

static void a_missing_file_is_an_error(void **state)
{
    (void)state;
    struct yaml *yaml = NULL;
    assert_int_equal(yaml_open("/nowhere/c.yaml", &yaml), ERR_IO);
    assert_null(yaml);
}

/* --- assignments --------------------------------------------------------------------------------
 */

static const struct free_maps FREE_MAPS = {(const char *const[]){"kafka", "policy.tenants"}, 2};

static const char *text_at(const struct yaml *yaml, const char *map, const char *key)
{
    const struct yaml_node *node = yaml_find(yaml_find(yaml_root(yaml), map), key);
    assert_non_null(node);
    return node->text.data;
}

static void an_assignment_replaces_what_the_file_says(void **state)
{
    (void)state;
    struct yaml *yaml = parse("workers: {intake: 1, shard: 2}\nkafka: {acks: all}\n");
    yaml_set(yaml, "--set", "workers.intake=5", &FREE_MAPS);
    yaml_set(yaml, "--set", "state.directory=/var/x", &FREE_MAPS);
    yaml_set(yaml, "--set", "kafka.sasl.password=a: #b", &FREE_MAPS);
    yaml_set(yaml, "--set", "kafka.acks=1", &FREE_MAPS);
    yaml_set(yaml, "--set", "input.\"mail.events\".format=native", &FREE_MAPS);
    yaml_set(yaml, "--set", "policy={preset: careful}", &FREE_MAPS);
    yaml_set(yaml, "--set", "policy.tenants.acme.eu=handshake", &FREE_MAPS);
    assert_int_equal(yaml_fault_count(yaml), 0);
    assert_string_equal(text_at(yaml, "workers", "intake"), "5");
    assert_string_equal(text_at(yaml, "workers", "shard"), "2");
    assert_string_equal(text_at(yaml, "state", "directory"), "/var/x");
    assert_string_equal(text_at(yaml, "kafka", "sasl.password"), "a: #b");
    assert_string_equal(text_at(yaml, "kafka", "acks"), "1");
    assert_string_equal(text_at(yaml, "policy", "preset"), "careful");
    const struct yaml_node *root = yaml_root(yaml);
    assert_string_equal(
        yaml_find(yaml_find(yaml_find(root, "input"), "mail.events"), "format")->text.data,
        "native");
    assert_string_equal(
        yaml_find(yaml_find(yaml_find(root, "policy"), "tenants"), "acme.eu")->text.data,
        "handshake");
    yaml_close(&yaml);
}

static void an_assignment_that_is_none_is_a_fault_without_its_value(void **state)
{
    (void)state;
    struct yaml *yaml = parse("");
    const char *const bad[] = {"a",    "=1",    "a..b=1",   "a.=1",
                               ".a=1", "\"a=1", "\"a\"b=1", "kafka.=1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        yaml_set(yaml, "--set", bad[i], &FREE_MAPS);
        assert_int_equal(yaml_fault_count(yaml), i + 1);
    }
    assert_fault(yaml, 0,
                 "--set a: an assignment is key.key=value; a key with dots stands in "
                 "double quotes");
    yaml_close(&yaml);
    yaml = parse("");
    yaml_set(yaml, "--set", "secret=[x", &FREE_MAPS);
    yaml_set(yaml, "--set", "workers.intake=some", &FREE_MAPS);
    int64_t number;
    (void)yaml_to_int(yaml, yaml_find(yaml_find(yaml_root(yaml), "workers"), "intake"), 0, 1,
                      &number);
    assert_fault(yaml, 0,
                 "--set secret: not YAML: did not find expected ',' or ']' while parsing a "
                 "flow sequence");
    assert_fault(yaml, 1,
                 "--set workers.intake: workers.intake: \"some\" is no whole number from 0 "
                 "to 1");
    yaml_close(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_their_keys),
        cmocka_unit_test(what_is_absent_or_null_leaves_the_default),
        cmocka_unit_test(an_empty_file_is_an_empty_map),
        cmocka_unit_test(all_faults_are_said_each_with_its_line),
        cmocka_unit_test(an_unknown_key_names_the_nearest_known_one),
        cmocka_unit_test(a_key_that_stands_twice_is_a_fault_and_the_first_counts),
        cmocka_unit_test(what_is_no_yaml_or_too_clever_is_refused),
        cmocka_unit_test(a_root_that_is_no_map_is_a_fault),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_missing_file_is_an_error),
        cmocka_unit_test(an_assignment_replaces_what_the_file_says),
        cmocka_unit_test(an_assignment_that_is_none_is_a_fault_without_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

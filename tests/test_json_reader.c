/* tests/test_json_reader.c - JSON is read whole or refused with a place and words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

enum { DEPTH_MAX = 32 };

static struct json_reader *reader;

static int setup(void **state)
{
    (void)state;
    return json_reader_create(DEPTH_MAX, &reader) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_reader_destroy(&reader);
    return 0;
}

static const struct json_node *read_span(struct span text, struct json_fault *fault)
{
    struct span loaded;
    /* Exactly as long as the text: a read behind it is seen by the address sanitizer. */
    char *copy = malloc(text.size + 1);
    assert_non_null(copy);
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    assert_int_equal(json_load(reader, (struct span){copy, text.size}, &loaded), OK);
    free(copy);
    return json_read(reader, loaded, fault);
}

static const struct json_node *read_good(const char *text)
{
    struct json_fault fault = {"", 0};
    const struct json_node *node = read_span(span_of(text), &fault);
    assert_string_equal(fault.words, "");
    assert_non_null(node);
    return node;
}

static void assert_bad_span(struct span text, const char *words, size_t position)
{
    struct json_fault fault = {"", 0};
    assert_null(read_span(text, &fault));
    assert_string_equal(fault.words, words);
    assert_int_equal(fault.position, position);
}

static void assert_bad(const char *text, const char *words, size_t position)
{
    assert_bad_span(span_of(text), words, position);
}

/* Which of our words it gets depends on the version of simdjson. */
static void assert_no_json(const char *text)
{
    struct json_fault fault = {"", 0};
    assert_null(read_span(span_of(text), &fault));
    assert_non_null(strstr(fault.words, "not JSON: "));
    assert_true(fault.position <= strlen(text));
}

static const struct json_node *member(const struct json_node *object, const char *key)
{
    const struct json_node *found = NULL;
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if (span_equal(n->key, span_of(key))) {
            found = n;
        }
    }
    assert_non_null(found);
    return found;
}

static void assert_text(const struct json_node *node, struct span expected)
{
    assert_true(span_equal(node->text, expected));
}

static void values_of_all_kinds_are_read(void **state)
{
    (void)state;
    const struct json_node *root = read_good(
        " {\"s\":\"x\",\"e\":\"\",\"n\":null,\"t\":true,\"f\":false,\"i\":-12,\"d\":1.5e2,"
        "\"o\":{\"p\":{}},\"a\":[1,[2],\"z\"] , \"\":0}\n");
    assert_int_equal(root->kind, JSON_OBJECT);
    assert_text(member(root, "s"), SPAN("x"));
    assert_int_equal(member(root, "e")->text.size, 0);
    assert_non_null(member(root, "e")->text.data);
    assert_int_equal(member(root, "n")->kind, JSON_NULL);
    assert_int_equal(member(root, "t")->kind, JSON_BOOL);
    assert_int_equal(member(root, "t")->integer, 1);
    assert_int_equal(member(root, "f")->kind, JSON_BOOL);
    assert_int_equal(member(root, "f")->integer, 0);
    assert_int_equal(member(root, "i")->kind, JSON_INTEGER);
    assert_int_equal(member(root, "i")->integer, -12);
    assert_int_equal(member(root, "d")->kind, JSON_REAL);
    assert_true(member(root, "d")->real == 150.0);
    assert_int_equal(member(member(root, "o"), "p")->kind, JSON_OBJECT);
    const struct json_node *array = member(root, "a");
    assert_int_equal(array->count, 5);
    assert_int_equal(json_next(json_first(array))->kind, JSON_ARRAY);
    assert_text(json_next(json_next(json_first(array))), SPAN("z"));
    assert_non_null(member(root, ""));
}

static void escapes_are_undone_in_keys_and_strings(void **state)
{
    (void)state;
    const struct json_node *root = read_good(
        "{\"\\u0074ype\":\"a\\\"b\\\\\\n\\u00e4\\ud83d\\ude00\\u0000c\",\"u\":\"\u00e4\"}");
    assert_text(member(root, "type"), SPAN("a\"b\\\n\u00e4\U0001f600\0c"));
    assert_text(member(root, "u"), SPAN("\u00e4"));
}

static void a_key_that_stands_twice_is_read_twice(void **state)
{
    (void)state;
    const struct json_node *root = read_good("{\"a\":1,\"a\":2}");
    assert_int_equal(root->count, 3);
    assert_int_equal(member(root, "a")->integer, 2);
}

static void numbers_keep_64_bits_or_become_reals(void **state)
{
    (void)state;
    const struct json_node *root =
        read_good("[-9223372036854775808,9223372036854775807,9223372036854775808,1e300,0,-0]");
    const struct json_node *nodes = json_first(root);
    assert_true(nodes[0].integer == INT64_MIN);
    assert_true(nodes[1].integer == INT64_MAX);
    assert_int_equal(nodes[2].kind, JSON_REAL);
    assert_true(nodes[2].real == 9223372036854775808.0);
    assert_true(nodes[3].real == 1e300);
    assert_int_equal(nodes[4].kind, JSON_INTEGER);
    assert_no_json("[1e400]");
    assert_no_json("{\"a\":123456789012345678901234567890123456789012345678901234567890}");
}

static void what_is_no_json_is_refused_with_a_place(void **state)
{
    (void)state;
    assert_bad("", "not JSON: nothing there", 0);
    assert_bad(" \n ", "not JSON: nothing there", 0);
    assert_bad("{\"a\":\"b", "not JSON: an unclosed string", 5);
    assert_no_json("{\"a\":1");
    assert_no_json("{\"a\":[1,2}");
    assert_no_json("{\"a\":1}{\"b\":2}");
    assert_bad("{\"a\":1,\"b\":[true,xyz]}",
               "not JSON: a comma, colon, quote, bracket or word is wrong", 17);
    assert_no_json("{\"a\":1}x");
    assert_no_json("{\"a\":12abc}");
    assert_no_json("{\"a\":[nul]}");
    assert_no_json("{\"a\":01}");
    assert_no_json("{\"a\":1.}");
    assert_no_json("{\"a\":-}");
    assert_no_json("{\"a\":+1}");
    assert_no_json("{\"a\":NaN}");
    assert_no_json("{\"a\":}");
    assert_no_json("{\"a\":1,}");
    assert_no_json("{\"a\" 1}");
    assert_no_json("{\"a\":1 \"b\":2}");
    assert_no_json("{a:1}");
    assert_no_json("[1 2]");
    assert_bad("{\"a\":\"\\x\"}", "not JSON: a wrong escape in a string", 5);
    assert_bad("{\"a\":\"b\nc\"}", "not JSON: a control character in a string", 7);
    assert_bad("{\"a\":\"\xff\"}", "not JSON: bytes that are no UTF-8", 6);
    assert_bad_span((struct span){"{\"a\":\"\0\"}", 9}, "not JSON: a control character in a string",
                    6);
    assert_text(read_good("\"text\""), SPAN("text"));
}

/* Every beginning of a good text is bad, and nothing is read behind it. */
static void every_truncation_is_refused(void **state)
{
    (void)state;
    const char *text = "{\"a\":{\"b\":[1,true,null,\"x\\n\u00e4\"]},\"c\":-1.5e-3}";
    for (size_t size = 0; size < strlen(text); size++) {
        struct json_fault fault = {"", 0};
        assert_null(read_span((struct span){text, size}, &fault));
        assert_true(fault.position <= size);
    }
    (void)read_good(text);
}

static void deep_nesting_is_refused_without_recursion_to_match(void **state)
{
    (void)state;
    const size_t size = 1000000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    struct json_fault fault;
    assert_null(read_span((struct span){text, size}, &fault));
    for (size_t i = size / 2; i < size; i++) {
        text[i] = ']';
    }
    assert_bad_span((struct span){text, size}, "nested too deeply", DEPTH_MAX);
    free(text);
    char fits[2 * DEPTH_MAX + 1] = "";
    memset(fits, '[', DEPTH_MAX);
    memset(fits + DEPTH_MAX, ']', DEPTH_MAX);
    assert_int_equal(read_good(fits)->count, DEPTH_MAX);
}

static void too_many_values_are_refused(void **state)
{
    (void)state;
    const size_t size = 2 * JSON_NODES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        text[i] = i % 2 == 0 ? ',' : '1';
    }
    text[0] = '[';
    text[size - 1] = ']';
    struct json_fault fault;
    assert_null(read_span((struct span){text, size}, &fault));
    assert_string_equal(fault.words, "too many values in one record");
    free(text);
}

static void parts_of_what_was_loaded_are_read_one_by_one(void **state)
{
    (void)state;
    const struct span text = SPAN("{\"a\":1}\n{\"a\":\"\\u0041\"}\n{\"a\":3");
    struct span loaded;
    struct json_fault fault;
    assert_int_equal(json_load(reader, text, &loaded), OK);
    const struct json_node *root = json_read(reader, (struct span){loaded.data, 7}, &fault);
    assert_int_equal(json_first(root)->integer, 1);
    root = json_read(reader, (struct span){loaded.data + 8, 14}, &fault);
    assert_text(json_first(root), SPAN("A"));
    assert_null(json_read(reader, (struct span){loaded.data + 23, 6}, &fault));
    root = json_read(reader, (struct span){loaded.data, 7}, &fault);
    assert_non_null(root);
}

static void a_longer_text_than_any_before_is_read(void **state)
{
    (void)state;
    for (size_t size = 64; size < 4000000; size *= 4) {
        char *text = malloc(size);
        assert_non_null(text);
        memset(text, 'x', size);
        const struct span start = SPAN("{\"a\\n\":\"");
        const struct span end = SPAN("\\n\"}");
        memcpy(text, start.data, start.size);
        memcpy(text + size - end.size, end.data, end.size);
        struct json_fault fault;
        const struct json_node *root = read_span((struct span){text, size}, &fault);
        assert_non_null(root);
        assert_int_equal(json_first(root)->text.size, size - 8 - 4 + 1);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_kinds_are_read),
        cmocka_unit_test(escapes_are_undone_in_keys_and_strings),
        cmocka_unit_test(a_key_that_stands_twice_is_read_twice),
        cmocka_unit_test(numbers_keep_64_bits_or_become_reals),
        cmocka_unit_test(what_is_no_json_is_refused_with_a_place),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(deep_nesting_is_refused_without_recursion_to_match),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(parts_of_what_was_loaded_are_read_one_by_one),
        cmocka_unit_test(a_longer_text_than_any_before_is_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

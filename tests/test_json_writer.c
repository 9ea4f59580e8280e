/* tests/test_json_writer.c - what is written is always JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static char memory[4096];

static void assert_written(struct span text, const char *expected)
{
    struct writer out = writer_init(memory, sizeof(memory));
    struct json_writer json = json_writer_init(&out);
    json_string(&json, text);
    assert_false(out.overflowed);
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(memory, expected, out.size);
}

static void commas_stand_between_members_and_elements_only(void **state)
{
    (void)state;
    struct writer out = writer_init(memory, sizeof(memory));
    struct json_writer json = json_writer_init(&out);
    json_begin_object(&json);
    json_member_string(&json, "a", SPAN("x"));
    json_key(&json, "b");
    json_begin_array(&json);
    json_int(&json, INT64_MIN);
    json_int(&json, INT64_MAX);
    json_begin_object(&json);
    json_end_object(&json);
    json_begin_array(&json);
    json_end_array(&json);
    json_end_array(&json);
    json_member_int(&json, "c", 0);
    json_key(&json, "d");
    json_null(&json);
    json_key(&json, "e");
    json_bool(&json, true);
    json_key(&json, "f");
    json_bool(&json, false);
    json_end_object(&json);
    memory[out.size] = '\0';
    assert_string_equal(memory,
                        "{\"a\":\"x\",\"b\":[-9223372036854775808,9223372036854775807,{},[]],"
                        "\"c\":0,\"d\":null,\"e\":true,\"f\":false}");
}

static void control_characters_quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    assert_written(SPAN("a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f"),
                   "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    assert_written((struct span){"\0", 1}, "\"\\u0000\"");
    assert_written(SPAN_NONE, "\"\"");
}

static void valid_utf8_is_kept(void **state)
{
    (void)state;
    assert_written(SPAN("\u00e4\u0800\uffff\U00010000\U0010ffff"),
                   "\"\u00e4\u0800\uffff\U00010000\U0010ffff\"");
}

static void every_byte_that_is_no_utf8_becomes_the_replacement_character(void **state)
{
    (void)state;
    assert_written(SPAN("a\xff"
                        "b"),
                   "\"a\ufffd"
                   "b\"");
    assert_written(SPAN("\xc3"), "\"\ufffd\"");                     /* cut off */
    assert_written(SPAN("\xc0\xaf"), "\"\ufffd\ufffd\"");           /* overlong */
    assert_written(SPAN("\xe0\x9f\xbf"), "\"\ufffd\ufffd\ufffd\""); /* overlong */
    assert_written(SPAN("\xed\xa0\x80"), "\"\ufffd\ufffd\ufffd\""); /* surrogate */
    assert_written(SPAN("\xf4\x90\x80\x80"), "\"\ufffd\ufffd\ufffd\ufffd\"");
    assert_written(SPAN("\xf0\x8f\xbf\xbf"), "\"\ufffd\ufffd\ufffd\ufffd\"");
    assert_written(SPAN("\xe2\x82\""), "\"\ufffd\ufffd\\\"\"");
}

static void what_does_not_fit_overflows_at_every_capacity(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 13; capacity++) {
        struct writer out = writer_init(memory, capacity);
        struct json_writer json = json_writer_init(&out);
        json_begin_object(&json);
        json_member_string(&json, "k", SPAN("v\n"));
        json_end_object(&json);
        assert_int_equal(out.overflowed, capacity < 11);
        assert_true(out.size <= capacity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_members_and_elements_only),
        cmocka_unit_test(control_characters_quotes_and_backslashes_are_escaped),
        cmocka_unit_test(valid_utf8_is_kept),
        cmocka_unit_test(every_byte_that_is_no_utf8_becomes_the_replacement_character),
        cmocka_unit_test(what_does_not_fit_overflows_at_every_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/test_decode.c - records fall apart into events, and what is bad in one spoils no other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/decoded.h"

#define A "{\"kind\":\"delivered\",\"recipient\":\"a@x\",\"ts_ms\":1}"
#define B "{\"kind\":\"delivered\",\"recipient\":\"b@x\",\"ts_ms\":2}"
#define C "{\"kind\":\"delivered\",\"recipient\":\"c@x\",\"ts_ms\":3}"

static void assert_delivered(size_t i, unsigned part, const char *recipient, int ts_ms)
{
    char expected[256];
    (void)snprintf(
        expected, sizeof(expected),
        "{\"record\":%u,\"kind\":\"delivered\",\"origin\":\"remote\",\"recipient\":\"%s\","
        "\"ts_ms\":%d}",
        part, recipient, ts_ms);
    assert_line(i, expected);
}

static void formats_are_found_by_name(void **state)
{
    (void)state;
    assert_string_equal(format_name(format_find(SPAN("kumomta"))), "kumomta");
    assert_string_equal(format_name(format_find(SPAN("native"))), "native");
    assert_null(format_find(SPAN("kumo")));
    size_t i = 0;
    while (format_at(i) != NULL) {
        assert_ptr_equal(format_find(span_of(format_name(format_at(i)))), format_at(i));
        i++;
    }
    assert_true(i >= 2);
}

static void one_object_is_one_event(void **state)
{
    (void)state;
    decode_text("native", A);
    assert_int_equal(decoded.count, 1);
    assert_delivered(0, 1, "a@x", 1);
    decode_text("native", "\xef\xbb\xbf \r\n" A "\r\n\n");
    assert_int_equal(decoded.count, 1);
    assert_delivered(0, 1, "a@x", 1);
}

static void one_object_may_stand_on_several_lines(void **state)
{
    (void)state;
    decode_text("native", "{\n  \"kind\": \"delivered\",\n  \"recipient\": [\n    \"a@x\"\n  ],\n"
                          "\"more\": [\n{\n\"x\": 1\n},\n{}],\n  \"ts_ms\": 1\n}\n");
    assert_int_equal(decoded.count, 1);
    assert_delivered(0, 1, "a@x", 1);
}

static void a_broken_object_on_several_lines_is_one_fault(void **state)
{
    (void)state;
    decode_text("native", "{\n  \"kind\": \"delivered\",\n  \"recipient\": \"a@x\"\n");
    assert_int_equal(decoded.count, 1);
    assert_int_equal(decoded.fault_count, 1);
}

static void each_line_is_an_event_and_empty_lines_count_only_as_lines(void **state)
{
    (void)state;
    decode_text("native", "\n" A "\r\n\n  \n" B "\n" C);
    assert_int_equal(decoded.count, 3);
    assert_delivered(0, 2, "a@x", 1);
    assert_delivered(1, 5, "b@x", 2);
    assert_delivered(2, 6, "c@x", 3);
}

static void a_bad_line_faults_alone(void **state)
{
    (void)state;
    decode_text("native", A "\n{\"kind\":\"deliv\n" B "\n");
    assert_int_equal(decoded.count, 3);
    assert_delivered(0, 1, "a@x", 1);
    assert_line(1, "fault 2: not JSON: an unclosed string");
    assert_int_equal(decoded.fault_position, strlen(A) + 1 + 8);
    assert_true(span_equal(decoded.fault_part, SPAN("{\"kind\":\"deliv")));
    assert_delivered(2, 3, "b@x", 2);

    decode_text("native", "{\"kind\":\n" B "\n" C "\n");
    assert_int_equal(decoded.count, 3);
    assert_int_equal(decoded.fault_count, 1);
    assert_delivered(1, 2, "b@x", 2);
    assert_delivered(2, 3, "c@x", 3);

    decode_text("native", "Bounce: a@x\n" B "\n\xff\n[1]\n7\n" C);
    assert_int_equal(decoded.count, 6);
    assert_line(0, "fault 1: not JSON: it does not begin with { or [");
    assert_delivered(1, 2, "b@x", 2);
    assert_line(2, "fault 3: not JSON: it does not begin with { or [");
    assert_line(3, "fault 4: not a JSON object");
    assert_line(4, "fault 5: not a JSON object");
    assert_delivered(5, 6, "c@x", 3);
}

static void a_line_with_two_objects_is_a_fault(void **state)
{
    (void)state;
    decode_text("native", A B);
    assert_int_equal(decoded.count, 1);
    assert_int_equal(decoded.fault_count, 1);
}

static void each_element_of_an_array_is_an_event(void **state)
{
    (void)state;
    decode_text("native", " [ " A ",\n" B
                          "\n,{\"kind\":\"ignored\",\"x\":[\"]\\\\\",\"\\\\\\\"]\"]}," C " ]\n");
    assert_int_equal(decoded.count, 4);
    assert_delivered(0, 1, "a@x", 1);
    assert_delivered(1, 2, "b@x", 2);
    assert_line(2, "{\"record\":3,\"kind\":\"ignored\",\"origin\":\"remote\"}");
    assert_delivered(3, 4, "c@x", 3);
    decode_text("native", "[]");
    assert_int_equal(decoded.count, 0);
    decode_text("native", "[ \n ]");
    assert_int_equal(decoded.count, 0);
}

static void an_element_that_is_no_event_faults_alone(void **state)
{
    (void)state;
    decode_text("native", "[" A ",5,null,\"x\",[{}],{\"kind\":\"delivered\",\"ts_ms\":1}," B "]");
    assert_int_equal(decoded.count, 7);
    assert_line(1, "fault 2: not a JSON object");
    assert_line(2, "fault 3: not a JSON object");
    assert_line(3, "fault 4: not a JSON object");
    assert_line(4, "fault 5: not a JSON object");
    assert_line(5, "fault 6: no recipient");
    assert_delivered(6, 7, "b@x", 2);
}

static void a_syntax_error_in_an_array_faults_the_rest(void **state)
{
    (void)state;
    const char *const broken[] = {
        "[" A "," B,
        "[" A "," B "," C,
        "[" A "," B ",{\"kind\":\"del",
        "[" A "," B ",{\"kind\":12abc}," C "]",
        "[" A "," B "," C,
        "[" A "," B ",]",
        "[" A "," B " " C "]",
        "[" A "," B "" C "]",
        "[" A "," B ",," C "]",
        "[" A "," B "]" C,
        "[" A "," B "]]",
        "[" A "," B "}",
        "[" A "," B ",\"\xff\"," C "]",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        decode_text("native", broken[i]);
        assert_int_equal(decoded.fault_count, 1);
        assert_delivered(0, 1, "a@x", 1);
        assert_true(decoded.fault_position <= strlen(broken[i]));
        assert_int_equal(decoded.lines[decoded.count - 1].data[0], 'f');
    }
    decode_text("native", "[" A "," B ",{\"kind\":\"del");
    assert_line(2, "fault 3: not JSON: an unclosed string");
    assert_true(span_equal(decoded.fault_part, SPAN("{\"kind\":\"del")));
    decode_text("native", "[");
    assert_int_equal(decoded.fault_count, 1);
    decode_text("native", "[,]");
    assert_int_equal(decoded.fault_count, 1);
    decode_text("native", "[]x");
    assert_int_equal(decoded.fault_count, 1);
}

static void nothing_at_all_is_neither_event_nor_fault(void **state)
{
    (void)state;
    decode_text("native", "");
    assert_int_equal(decoded.count, 0);
    decode_span("native", SPAN_NONE);
    assert_int_equal(decoded.count, 0);
    decode_text("native", " \r\n\n\t");
    assert_int_equal(decoded.count, 0);
}

static void deep_nesting_is_a_fault(void **state)
{
    (void)state;
    const size_t size = 1000000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    decode_span("native", (struct span){text, size});
    assert_int_equal(decoded.count, 1);
    assert_int_equal(decoded.fault_count, 1);
    memset(text, '{', size);
    decode_span("native", (struct span){text, size});
    assert_int_equal(decoded.fault_count, 1);
    for (size_t i = 0; i + 5 <= size; i += 5) {
        memcpy(text + i, "{\"a\":", 5); /* NOLINT(bugprone-not-null-terminated-result): a span */
    }
    decode_span("native", (struct span){text, size});
    assert_int_equal(decoded.fault_count, 1);
    free(text);
}

static void a_record_of_more_than_8_mib_is_a_fault(void **state)
{
    (void)state;
    const size_t size = DECODE_RECORD_SIZE_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text, A, strlen(A)); /* NOLINT(bugprone-not-null-terminated-result): a span */
    decode_span("native", (struct span){text, size});
    assert_line(0, "fault 1: a record of more than 8 MiB");
    decode_span("native", (struct span){text, size - 1});
    assert_delivered(0, 1, "a@x", 1);
    free(text);
}

static void every_truncation_and_every_changed_byte_is_survived(void **state)
{
    (void)state;
    char text[] =
        "[" A ",\n" B ",{\"kind\":\"bounced\",\"text\":\"a\\u00e4\\n\",\"recipient\":[\"x@y\"],"
        "\"ts_ms\":1.5e3,\"code\":550}]";
    for (size_t size = 0; size < sizeof(text); size++) {
        decode_span("native", (struct span){text, size});
    }
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        const char kept = text[i];
        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            decode_span("native", (struct span){text, sizeof(text) - 1});
        }
        text[i] = kept;
    }
    decode_span("native", (struct span){text, sizeof(text) - 1});
    assert_int_equal(decoded.fault_count, 0);
    assert_int_equal(decoded.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_found_by_name),
        cmocka_unit_test(one_object_is_one_event),
        cmocka_unit_test(one_object_may_stand_on_several_lines),
        cmocka_unit_test(a_broken_object_on_several_lines_is_one_fault),
        cmocka_unit_test(each_line_is_an_event_and_empty_lines_count_only_as_lines),
        cmocka_unit_test(a_bad_line_faults_alone),
        cmocka_unit_test(a_line_with_two_objects_is_a_fault),
        cmocka_unit_test(each_element_of_an_array_is_an_event),
        cmocka_unit_test(an_element_that_is_no_event_faults_alone),
        cmocka_unit_test(a_syntax_error_in_an_array_faults_the_rest),
        cmocka_unit_test(nothing_at_all_is_neither_event_nor_fault),
        cmocka_unit_test(deep_nesting_is_a_fault),
        cmocka_unit_test(a_record_of_more_than_8_mib_is_a_fault),
        cmocka_unit_test(every_truncation_and_every_changed_byte_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

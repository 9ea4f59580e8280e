/* tests/test_format_native.c - our own format is read field by field.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/decoded.h"

static void assert_decoded(const char *payload, const char *expected)
{
    decode_text("native", payload);
    assert_int_equal(decoded.count, 1);
    assert_line(0, expected);
}

static void every_field_is_read(void **state)
{
    (void)state;
    const char *const whole =
        "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"local\",\"recipient\":\"Ana@x\","
        "\"ts_ms\":1795255200118,\"code\":550,\"enhanced\":\"5.1.1\",\"text\":\"User unknown\","
        "\"stage\":\"rcpt_to\",\"message_id\":\"m\",\"event_id\":\"e\",\"tenant\":\"t\","
        "\"campaign\":\"c\","
        "\"sender\":\"s\",\"mx\":\"mx.\",\"provider\":\"p\",\"attempt\":3,"
        "\"native_class\":\"n\",\"category\":\"mailbox_full\"}";
    assert_decoded(whole, whole);
}

static void origin_is_remote_unless_said(void **state)
{
    (void)state;
    assert_decoded(
        "{\"kind\":\"suppress\",\"recipient\":\"a@x\",\"ts_ms\":1,\"later\":{\"x\":[1]}}",
        "{\"record\":1,\"kind\":\"suppress\",\"origin\":\"remote\",\"recipient\":\"a@x\","
        "\"ts_ms\":1}");
}

static void a_list_of_recipients_gives_an_event_each(void **state)
{
    (void)state;
    decode_text("native",
                "{\"kind\":\"bounced\",\"recipient\":[\"a@x\",3,\"\",\"b@x\"],\"ts_ms\":1}");
    assert_int_equal(decoded.count, 2);
    assert_line(1, "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"b@x\","
                   "\"ts_ms\":1}");
}

static void more_than_1000_recipients_are_a_fault(void **state)
{
    (void)state;
    static char text[64 * 1024];
    for (int count = DECODE_RECIPIENTS_MAX; count <= DECODE_RECIPIENTS_MAX + 1; count++) {
        size_t size = (size_t)sprintf(text, "{\"kind\":\"bounced\",\"ts_ms\":1,\"recipient\":[");
        for (int i = 0; i < count; i++) {
            size += (size_t)sprintf(text + size, "%s\"r%d@x\"", i == 0 ? "" : ",", i);
        }
        (void)sprintf(text + size, "]}");
        decode_text("native", text);
        if (count == DECODE_RECIPIENTS_MAX) {
            assert_int_equal(decoded.count, DECODE_RECIPIENTS_MAX);
        } else {
            assert_int_equal(decoded.count, 1);
            assert_line(0, "fault 1: more than 1000 recipients in one event");
        }
    }
}

static void an_unknown_kind_is_ignored_and_needs_nothing(void **state)
{
    (void)state;
    assert_decoded("{\"kind\":\"opened\"}",
                   "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\"}");
    assert_decoded("{\"kind\":\"ignored\",\"recipient\":[],\"ts_ms\":null}",
                   "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\"}");
    assert_decoded("{\"kind\":\"\",\"recipient\":\"a@x\",\"ts_ms\":7}",
                   "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\",\"recipient\":\"a@x\","
                   "\"ts_ms\":7}");
}

static void what_an_event_cannot_be_without_is_a_fault(void **state)
{
    (void)state;
    assert_decoded("{}", "fault 1: no kind");
    assert_decoded("{\"kind\":null}", "fault 1: no kind");
    assert_decoded("{\"kind\":5}", "fault 1: kind is no text");
    assert_decoded("{\"kind\":\"bounced\",\"ts_ms\":1}", "fault 1: no recipient");
    assert_decoded("{\"kind\":\"bounced\",\"ts_ms\":1,\"recipient\":null}",
                   "fault 1: no recipient");
    assert_decoded("{\"kind\":\"bounced\",\"ts_ms\":1,\"recipient\":\"\"}",
                   "fault 1: no recipient");
    assert_decoded("{\"kind\":\"bounced\",\"ts_ms\":1,\"recipient\":[7,null]}",
                   "fault 1: no recipient");
    assert_decoded("{\"kind\":\"bounced\",\"ts_ms\":1,\"recipient\":{\"a\":1}}",
                   "fault 1: recipient is neither a text nor a list");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\"}", "fault 1: no ts_ms");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":\"1\"}",
                   "fault 1: ts_ms is no number");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":[1]}",
                   "fault 1: ts_ms is no number");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":9e18}",
                   "fault 1: ts_ms is no time before the year 10000");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":9223372036854775807}",
                   "fault 1: ts_ms is no time before the year 10000");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1,\"origin\":\"here\"}",
                   "fault 1: origin is neither local nor remote");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1,\"category\":\"full\"}",
                   "fault 1: an unknown category");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1,\"category\":1}",
                   "fault 1: an unknown category");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1,\"stage\":\"rcpt\"}",
                   "fault 1: an unknown stage");
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1,\"stage\":4}",
                   "fault 1: an unknown stage");
}

static void times_up_to_zero_are_left_to_the_intake(void **state)
{
    (void)state;
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":-5}",
                   "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\","
                   "\"ts_ms\":-5}");
    assert_decoded(
        "{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":0}",
        "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\"}");
}

static void other_fields_of_a_wrong_type_are_as_good_as_absent(void **state)
{
    (void)state;
    assert_decoded("{\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1.4,\"code\":[],"
                   "\"enhanced\":5.1,\"text\":{},\"tenant\":7,\"campaign\":\"\",\"attempt\":-1,"
                   "\"category\":null,\"origin\":null,\"mx\":true}",
                   "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\","
                   "\"ts_ms\":1}");
}

static void of_a_key_that_stands_twice_the_last_counts(void **state)
{
    (void)state;
    assert_decoded("{\"kind\":\"deferred\",\"kind\":\"bounced\",\"recipient\":\"a@x\",\"ts_ms\":1}",
                   "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\","
                   "\"ts_ms\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(origin_is_remote_unless_said),
        cmocka_unit_test(a_list_of_recipients_gives_an_event_each),
        cmocka_unit_test(more_than_1000_recipients_are_a_fault),
        cmocka_unit_test(an_unknown_kind_is_ignored_and_needs_nothing),
        cmocka_unit_test(what_an_event_cannot_be_without_is_a_fault),
        cmocka_unit_test(times_up_to_zero_are_left_to_the_intake),
        cmocka_unit_test(other_fields_of_a_wrong_type_are_as_good_as_absent),
        cmocka_unit_test(of_a_key_that_stands_twice_the_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

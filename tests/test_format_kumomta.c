/* tests/test_format_kumomta.c - log records of KumoMTA mean what they mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/decoded.h"

/* --- records that are not among the samples -----------------------------------------------------
 */

static void assert_decoded(const char *payload, const char *expected)
{
    decode_text("kumomta", payload);
    assert_int_equal(decoded.count, 1);
    assert_line(0, expected);
}

/* What a reply gives under a type, with a peer or without. */
static void assert_origin(const char *type,
                          const char *peer,
                          int code,
                          const char *text,
                          const char *kind,
                          const char *origin)
{
    char payload[1024];
    char expected[256];
    (void)snprintf(payload, sizeof(payload),
                   "{\"type\":\"%s\",\"recipient\":\"a@x\",\"timestamp\":1,\"peer_address\":%s,"
                   "\"response\":{\"code\":%d,\"content\":\"%s\"}}",
                   type, peer, code, text);
    (void)snprintf(expected, sizeof(expected), "{\"record\":1,\"kind\":\"%s\",\"origin\":\"%s\",",
                   kind, origin);
    decode_text("kumomta", payload);
    assert_int_equal(decoded.count, 1);
    assert_true(span_starts(decoded.lines[0], span_of(expected)));
}

static const char *const PEER = "{\"name\":\"mx.\",\"addr\":\"192.0.2.1\"}";
static const char *const NOBODY = "null";

static void what_the_peer_says_is_remote(void **state)
{
    (void)state;
    assert_origin("Bounce", PEER, 550, "no such user", "bounced", "remote");
    assert_origin("TransientFailure", PEER, 451, "later", "deferred", "remote");
    assert_origin("Delivery", PEER, 250, "ok", "delivered", "remote");
    assert_origin("OOB", NOBODY, 550, "", "late_bounce", "remote");
}

static void what_the_mta_does_by_itself_is_local(void **state)
{
    (void)state;
    assert_origin("TransientFailure", NOBODY, 451,
                  "KumoMTA internal: scheduled queue is suspended: maintenance", "deferred",
                  "local");
    assert_origin("TransientFailure", PEER, 451,
                  "KumoMTA internal: failed to send message to mx1: Timed Out waiting", "deferred",
                  "local");
    assert_origin("TransientFailure", NOBODY, 451,
                  "KumoMTA internal: MX consisted solely of hosts on the skip_hosts list",
                  "deferred", "local");
    assert_origin("Bounce", NOBODY, 550, "MX consisted solely of hosts on the skip_hosts list",
                  "bounced", "local");
    assert_origin("Bounce", NOBODY, 550, "mx/192.0.2.1 is on the list of prohibited_hosts []",
                  "bounced", "local");
    assert_origin("Bounce", NOBODY, 500, "said by a Lua script", "bounced", "local");
    assert_origin("Delivery", NOBODY, 250, "ok", "delivered", "local");
    assert_origin("AdminBounce", NOBODY, 551, "Administrator bounced", "admin", "local");
    assert_origin("Expiration", NOBODY, 551, "Next delivery time", "expired", "local");
    assert_origin("Expiration", PEER, 551, "Next delivery time", "expired", "local");
}

static void who_cannot_be_found_or_reached_is_remote(void **state)
{
    (void)state;
    assert_origin("TransientFailure", NOBODY, 400,
                  "KumoMTA internal: failed to connect to any candidate hosts: connect to "
                  "192.0.2.1:25 and read initial banner: Connection refused (os error 111)",
                  "deferred", "remote");
    assert_origin("TransientFailure", NOBODY, 400,
                  "KumoMTA internal: failed to connect to any candidate hosts: All failures are "
                  "related to OpportunisticInsecure STARTTLS. Consider setting enable_tls=Disabled "
                  "for this site. mx.example./192.0.2.1:25: EHLO after OpportunisticInsecure",
                  "deferred", "remote");
    assert_origin("TransientFailure", NOBODY, 451, "MX didn't resolve to any hosts", "deferred",
                  "remote");
    assert_origin("TransientFailure", NOBODY, 451,
                  "failed to resolve queue a:b@x: MX lookup for x failed: NXDOMAIN", "deferred",
                  "remote");
    /* a null MX is the destination's own word, by DNS */
    assert_origin("Bounce", NOBODY, 556, "Recipient address has a null MX", "bounced", "remote");
}

static void a_bounce_of_somebody_who_was_never_found_is_an_expiry(void **state)
{
    (void)state;
    assert_origin("Bounce", NOBODY, 550, "MX didn't resolve to any hosts", "expired", "remote");
    assert_origin(
        "Bounce", NOBODY, 400,
        "KumoMTA internal: failed to connect to any candidate hosts: Connection timed out",
        "expired", "remote");
}

static void a_connection_that_our_own_side_prevents_is_local(void **state)
{
    (void)state;
    assert_origin("TransientFailure", NOBODY, 400,
                  "KumoMTA internal: failed to connect to any candidate hosts: All failures are "
                  "related to proxy connection issues. Is the proxy infrastructure online",
                  "deferred", "local");
    assert_origin("TransientFailure", NOBODY, 400,
                  "KumoMTA internal: failed to connect to any candidate hosts: All failures are "
                  "related to having an unplumbed source address. Are the network interfaces",
                  "deferred", "local");
    assert_origin(
        "TransientFailure", NOBODY, 400,
        "KumoMTA internal: failed to connect to any candidate hosts: connect to mx: failed "
        "to connect to 10.0.0.9:1 HA { server: 10.0.0.9:1 }: Network is unreachable",
        "deferred", "local");
    assert_origin("TransientFailure", NOBODY, 400,
                  "KumoMTA internal: failed to connect to any candidate hosts: bind 9.9.9.9 for "
                  "default failed: Cannot assign requested address (os error 99)",
                  "deferred", "local");
}

static void a_queue_names_campaign_and_tenant_where_meta_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *queue;
        const char *meta;
        const char *expected;
    } cases[] = {
        {"c:t@x", "{}", "\"tenant\":\"t\",\"campaign\":\"c\","},
        {"t@x", "{}", "\"tenant\":\"t\","},
        {"c:@x", "{}", "\"campaign\":\"c\","},
        {":t@x", "{}", "\"tenant\":\"t\","},
        {"c:t@x!mx.example", "{}", "\"tenant\":\"t\",\"campaign\":\"c\","},
        {"x", "{}", ""},
        {"x!mx:25", "{}", ""},
        {"@x", "{}", ""},
        {"", "{}", ""},
        {"c:t@x", "{\"tenant\":\"T\"}", "\"tenant\":\"T\",\"campaign\":\"c\","},
        {"c:t@x", "{\"campaign\":\"C\",\"tenant\":7}", "\"tenant\":\"t\",\"campaign\":\"C\","},
        {"c:t@x", "null", "\"tenant\":\"t\",\"campaign\":\"c\","},
        {"c:t@x", "[1]", "\"tenant\":\"t\",\"campaign\":\"c\","},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char payload[512];
        char expected[512];
        (void)snprintf(
            payload, sizeof(payload),
            "{\"type\":\"Delivery\",\"recipient\":\"a@x\",\"timestamp\":1,\"queue\":\"%s\","
            "\"meta\":%s,\"peer_address\":{},\"num_attempts\":2}",
            cases[i].queue, cases[i].meta);
        (void)snprintf(expected, sizeof(expected),
                       "{\"record\":1,\"kind\":\"delivered\",\"origin\":\"remote\",\"recipient\":"
                       "\"a@x\",\"ts_ms\":1000,%s\"attempt\":2}",
                       cases[i].expected);
        assert_decoded(payload, expected);
    }
}

static void the_time_is_event_time_else_timestamp(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        const char *expected;
    } cases[] = {
        {"\"event_time\":\"2026-11-21T10:00:00.118504511Z\",\"timestamp\":5", "1795255200119"},
        {"\"event_time\":\"2026-11-21T12:00:00.1+02:00\"", "1795255200100"},
        {"\"event_time\":null,\"timestamp\":1795255200", "1795255200000"},
        {"\"event_time\":\"soon\",\"timestamp\":1795255200", "1795255200000"},
        {"\"timestamp\":1795255200.1184", "1795255200118"},
        {"\"timestamp\":99999999999", "99999999999000"},
        {"\"timestamp\":100000000000", "100000000000"},
        {"\"timestamp\":1795255200118", "1795255200118"},
        {"\"timestamp\":\"1795255200\"", "1795255200000"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char payload[512];
        char expected[512];
        (void)snprintf(payload, sizeof(payload), "{\"type\":\"OOB\",\"recipient\":\"a@x\",%s}",
                       cases[i].fields);
        (void)snprintf(expected, sizeof(expected),
                       "{\"record\":1,\"kind\":\"late_bounce\",\"origin\":\"remote\",\"recipient\":"
                       "\"a@x\",\"ts_ms\":%s}",
                       cases[i].expected);
        assert_decoded(payload, expected);
    }
    const char *const none = "fault 1: no time: neither event_time nor timestamp";
    assert_decoded("{\"type\":\"OOB\",\"recipient\":\"a@x\"}", none);
    assert_decoded("{\"type\":\"OOB\",\"recipient\":\"a@x\",\"timestamp\":{}}", none);
    assert_decoded("{\"type\":\"OOB\",\"recipient\":\"a@x\",\"timestamp\":\"1e9\"}", none);
    assert_decoded("{\"type\":\"OOB\",\"recipient\":\"a@x\",\"timestamp\":1e300}", none);
    assert_decoded("{\"type\":\"OOB\",\"recipient\":\"a@x\",\"event_time\":true}", none);
}

static void types_that_say_nothing_of_a_recipient_are_ignored(void **state)
{
    (void)state;
    const char *const types[] = {"Rejection", "Delayed", "AdminRebind", "DeferredInjectionRebind",
                                 "XferIn",    "XferOut", "Tomorrow",    "delivery"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char payload[128];
        (void)snprintf(payload, sizeof(payload), "{\"type\":\"%s\",\"recipient\":null}", types[i]);
        assert_decoded(payload, "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\"}");
    }
    assert_decoded("{\"type\":5}", "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\"}");
}

static void a_record_about_a_hook_is_ignored_whatever_its_type(void **state)
{
    (void)state;
    const char *const types[] = {"Bounce", "Delivery", "Expiration", "Feedback", "Tomorrow"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char payload[256];
        (void)snprintf(payload, sizeof(payload),
                       "{\"type\":\"%s\",\"id\":\"i\",\"recipient\":\"a@x\",\"timestamp\":1,"
                       "\"reception_protocol\":\"LogRecord\",\"peer_address\":{\"name\":\"mx\"}}",
                       types[i]);
        assert_decoded(payload,
                       "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"local\",\"ts_ms\":1000,"
                       "\"message_id\":\"i\"}");
    }
}

static void what_is_no_log_record_is_a_fault(void **state)
{
    (void)state;
    assert_decoded("{}", "fault 1: no type: not a log record of KumoMTA");
    assert_decoded("{\"kind\":\"bounced\"}", "fault 1: no type: not a log record of KumoMTA");
    assert_decoded("Bounce a@x 550", "fault 1: not JSON: it does not begin with { or [");
    assert_decoded("{\"type\":\"Bounce\",\"timestamp\":1}", "fault 1: no recipient");
    assert_decoded("{\"type\":\"Bounce\",\"timestamp\":1,\"recipient\":[]}",
                   "fault 1: no recipient");
    assert_decoded("{\"type\":\"Bounce\",\"timestamp\":1,\"recipient\":17}",
                   "fault 1: no recipient");
}

static void fields_of_a_wrong_type_are_as_good_as_absent(void **state)
{
    (void)state;
    assert_decoded(
        "{\"type\":\"Bounce\",\"recipient\":\"a@x\",\"timestamp\":1,\"id\":7,\"sender\":[],"
        "\"queue\":{},\"response\":\"550 no\",\"peer_address\":{\"name\":5},"
        "\"num_attempts\":\"x\",\"bounce_classification\":{},\"provider_name\":1,"
        "\"reception_protocol\":[]}",
        "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\","
        "\"ts_ms\":1000}");
    assert_decoded("{\"type\":\"Bounce\",\"recipient\":\"a@x\",\"timestamp\":1,\"peer_address\":{},"
                   "\"response\":{\"code\":\"550\",\"enhanced_code\":{\"class\":5,\"subject\":1},"
                   "\"content\":5}}",
                   "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\","
                   "\"ts_ms\":1000,\"code\":550}");
    assert_decoded("{\"type\":\"Bounce\",\"recipient\":\"a@x\",\"timestamp\":1,\"peer_address\":{},"
                   "\"response\":{\"code\":70000,\"enhanced_code\":{\"class\":5,\"subject\":1,"
                   "\"detail\":-1}}}",
                   "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x\","
                   "\"ts_ms\":1000}");
}

/* --- feedback reports ---------------------------------------------------------------------------
 */

static void assert_feedback(const char *report, const char *expected)
{
    char payload[1024];
    (void)snprintf(
        payload, sizeof(payload),
        "{\"type\":\"Feedback\",\"id\":\"i\",\"sender\":\"fbl@isp\",\"recipient\":\"fbl@us\","
        "\"timestamp\":1,\"response\":{\"code\":250,\"content\":\"ok\"},"
        "\"feedback_report\":%s}",
        report);
    assert_decoded(payload, expected);
}

static void feedback_is_of_the_recipient_inside_the_report(void **state)
{
    (void)state;
    assert_feedback(
        "{\"feedback_type\":\"fraud\",\"original_rcpto_to\":[\"<a@x>\"]}",
        "{\"record\":1,\"kind\":\"complaint\",\"origin\":\"remote\",\"recipient\":\"a@x\","
        "\"ts_ms\":1000,\"native_class\":\"fraud\"}");
    assert_feedback("{\"feedback_type\":\"Opt-Out\",\"original_rcpto_to\":[\"a@x\"],"
                    "\"original_mail_from\":\"<s@us>\"}",
                    "{\"record\":1,\"kind\":\"unsubscribe\",\"origin\":\"remote\",\"recipient\":"
                    "\"a@x\",\"ts_ms\":1000,\"sender\":\"s@us\",\"native_class\":\"Opt-Out\"}");
    assert_feedback(
        "{\"feedback_type\":\"abuse\",\"original_rcpto_to\":[],"
        "\"supplemental_trace\":{\"recipient\":\"a@x\"}}",
        "{\"record\":1,\"kind\":\"complaint\",\"origin\":\"remote\",\"recipient\":\"a@x\","
        "\"ts_ms\":1000,\"native_class\":\"abuse\"}");
    assert_feedback(
        "{\"feedback_type\":\"abuse\",\"original_rcpto_to\":[\"<redacted@x>\",\"<>\",5],"
        "\"supplemental_trace\":{\"recipient\":\"a@x\"}}",
        "{\"record\":1,\"kind\":\"complaint\",\"origin\":\"remote\",\"recipient\":\"a@x\","
        "\"ts_ms\":1000,\"native_class\":\"abuse\"}");
}

static void a_report_of_several_recipients_is_several_complaints(void **state)
{
    (void)state;
    decode_text("kumomta",
                "{\"type\":\"Feedback\",\"timestamp\":1,\"feedback_report\":{"
                "\"feedback_type\":\"abuse\",\"original_rcpto_to\":[\"<a@x>\",\"<b@x>\"]}}");
    assert_int_equal(decoded.count, 2);
}

static void feedback_without_a_recipient_is_a_fault_and_other_feedback_ignored(void **state)
{
    (void)state;
    const char *const none = "fault 1: no recipient: the feedback report names none";
    assert_feedback("{\"feedback_type\":\"abuse\"}", none);
    assert_feedback("{\"feedback_type\":\"abuse\",\"supplemental_trace\":\"x\"}", none);
    const char *const ignored =
        "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\",\"ts_ms\":1000}";
    assert_feedback("null", ignored);
    assert_feedback("[]", ignored);
    assert_feedback(
        "{\"feedback_type\":\"not-spam\",\"original_rcpto_to\":[\"<a@x>\"]}",
        "{\"record\":1,\"kind\":\"ignored\",\"origin\":\"remote\",\"recipient\":\"a@x\","
        "\"ts_ms\":1000,\"native_class\":\"not-spam\"}");
}

static void complaint_is_of_the_tenant_of_the_mail_not_of_the_report(void **state)
{
    (void)state;
    assert_decoded(
        "{\"type\":\"Feedback\",\"timestamp\":1700000000,\"queue\":\"in:reports@me.example\","
        "\"meta\":{\"tenant\":\"reports\"},\"feedback_report\":{\"feedback_type\":\"abuse\","
        "\"original_rcpto_to\":\"<a@x.example>\",\"supplemental_trace\":{\"recipient\":\"a@x."
        "example\","
        "\"tenant\":\"acme\",\"campaign\":\"c\"}}}",
        "{\"record\":1,\"kind\":\"complaint\",\"origin\":\"remote\",\"recipient\":\"a@x.example\","
        "\"ts_ms\":1700000000000,\"tenant\":\"acme\",\"campaign\":\"c\",\"native_class\":"
        "\"abuse\"}");
}

static void queue_of_a_late_bounce_is_that_of_the_bounce_mail(void **state)
{
    (void)state;
    assert_decoded("{\"type\":\"OOB\",\"timestamp\":1700000000,\"recipient\":\"a@x.example\","
                   "\"queue\":\"b:t@me.example\"}",
                   "{\"record\":1,\"kind\":\"late_bounce\",\"origin\":\"remote\",\"recipient\":\"a@"
                   "x.example\","
                   "\"ts_ms\":1700000000000}");
}

static void server_that_is_there_and_cannot_resolve_somebody_has_refused(void **state)
{
    (void)state;
    assert_decoded(
        "{\"type\":\"Bounce\",\"timestamp\":1700000000,\"recipient\":\"a@x.example\","
        "\"peer_address\":{\"name\":\"mx.x.example\"},"
        "\"response\":{\"code\":550,\"content\":\"failed to resolve your sender domain\"}}",
        "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x.example\","
        "\"ts_ms\":1700000000000,\"code\":550,\"text\":\"failed to resolve your sender domain\","
        "\"mx\":\"mx.x.example\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_peer_says_is_remote),
        cmocka_unit_test(what_the_mta_does_by_itself_is_local),
        cmocka_unit_test(who_cannot_be_found_or_reached_is_remote),
        cmocka_unit_test(a_bounce_of_somebody_who_was_never_found_is_an_expiry),
        cmocka_unit_test(a_connection_that_our_own_side_prevents_is_local),
        cmocka_unit_test(a_queue_names_campaign_and_tenant_where_meta_does_not),
        cmocka_unit_test(the_time_is_event_time_else_timestamp),
        cmocka_unit_test(types_that_say_nothing_of_a_recipient_are_ignored),
        cmocka_unit_test(a_record_about_a_hook_is_ignored_whatever_its_type),
        cmocka_unit_test(what_is_no_log_record_is_a_fault),
        cmocka_unit_test(fields_of_a_wrong_type_are_as_good_as_absent),
        cmocka_unit_test(feedback_is_of_the_recipient_inside_the_report),
        cmocka_unit_test(a_report_of_several_recipients_is_several_complaints),
        cmocka_unit_test(feedback_without_a_recipient_is_a_fault_and_other_feedback_ignored),
        cmocka_unit_test(complaint_is_of_the_tenant_of_the_mail_not_of_the_report),
        cmocka_unit_test(queue_of_a_late_bounce_is_that_of_the_bounce_mail),
        cmocka_unit_test(server_that_is_there_and_cannot_resolve_somebody_has_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

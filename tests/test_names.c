/* tests/test_names.c - what the user named is found in the records of each format, and goes before the format's own guess;
 * what a script of Halon's writes is found where it is mapped to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/decoded.h"

static const struct decode_names X_CUSTOMER = {.tenant_from = "X-Customer"};
static const struct decode_names CUSTOMER = {.tenant_from = "customer", .campaign_from = "wave"};

/* The field of the only event; NULL: it has none. */
static void assert_field(const char *key, const char *value)
{
    char expected[256];
    char line[8192];
    assert_int_equal(decoded.count, 1);
    assert_int_equal(decoded.fault_count, 0);
    (void)snprintf(line, sizeof(line), "%.*s", SPAN_ARGS(decoded.lines[0]));
    (void)snprintf(expected, sizeof(expected), "\"%s\":\"%s\"", key, value == NULL ? "" : value);
    const char *at = strstr(line, value == NULL ? key : expected);
    if ((at != NULL) != (value != NULL)) {
        print_error("%s: expected %s in %s\n", key, value == NULL ? "nothing" : value, line);
        fail();
    }
}

/* As X-Customer, which stands in `record`. */
static void assert_customer(const char *format, const char *record, const char *tenant)
{
    decoded_names = &X_CUSTOMER;
    decode_text(format, record);
    assert_field("tenant", tenant);
    decode_text(format, record); /* of a shape that is known by now */
    assert_field("tenant", tenant);
}

#define KUMOMTA(type, more)                                                                        \
    "{\"type\":\"" type "\",\"recipient\":\"a@x.example\",\"timestamp\":1795255212,"               \
    "\"queue\":\"old:shop@x.example\",\"peer_address\":{\"name\":\"mx\"}," more "}"
#define FEEDBACK(report)                                                                           \
    KUMOMTA("Feedback",                                                                            \
            "\"headers\":{\"X-Customer\":\"of-the-report\"},\"feedback_report\":{"                 \
            "\"feedback_type\":\"abuse\",\"original_rcpto_to\":[\"a@x.example\"]," report "}")

static void kumomta_headers_and_meta_go_before_the_queue(void **state)
{
    (void)state;
    assert_customer("kumomta", KUMOMTA("Bounce", "\"headers\":{\"x-customer\":\"acme\"}"), "acme");
    assert_customer("kumomta", KUMOMTA("Bounce", "\"headers\":{\"X-Customer\":[\"acme\",\"b\"]}"),
                    "acme");
    assert_customer("kumomta", KUMOMTA("Bounce", "\"meta\":{\"X-Customer\":17}"), "17");
    assert_customer("kumomta", KUMOMTA("Bounce", "\"headers\":{\"X-Customer\":\"\"}"), "shop");
    assert_customer("kumomta", KUMOMTA("Bounce", "\"headers\":{}"), "shop");
}

static void kumomta_complaint_has_the_tenant_of_the_mail_not_of_the_report(void **state)
{
    (void)state;
    assert_customer("kumomta",
                    FEEDBACK("\"original_message\":\"Subject: x\\nX-Customer: acme\\n\\nbody\\n\""),
                    "acme");
    assert_customer("kumomta", FEEDBACK("\"supplemental_trace\":{\"X-Customer\":\"acme\"}"),
                    "acme");
    assert_customer("kumomta",
                    FEEDBACK("\"original_message\":\"Subject: x\\n\\nX-Customer: forged\\n\""),
                    NULL);
}

static void powermta_column_is_named_with_or_without_header(void **state)
{
    (void)state;
    static const char *const HEADINGS[] = {"header_X-Customer", "x-customer", "Header_x-Customer"};
    for (size_t i = 0; i < 3; i++) {
        char rows[512];
        (void)snprintf(rows, sizeof(rows),
                       "type,timeLogged,rcpt,dsnDiag,%s,header_X-Tenant\n"
                       "b,1795255212,a@x.example,smtp;550 5.1.1 no,\"ac\"\"me\",other\n",
                       HEADINGS[i]);
        decoded_names = &X_CUSTOMER;
        decode_text("powermta", rows);
        assert_field("tenant", "ac\\\"me");
    }
    assert_customer("powermta",
                    "type,timeLogged,rcpt,header_X-Customer,header_X-Tenant\n"
                    "b,1795255212,a@x.example,,other\n",
                    "other");
    assert_customer("powermta",
                    "{\"type\":\"b\",\"timeLogged\":1795255212,\"rcpt\":\"a@x.example\","
                    "\"header_X-Customer\":\"acme\",\"header_X-Tenant\":\"other\"}",
                    "acme");
}

static void powermta_column_may_be_one_that_is_read_anyway(void **state)
{
    static const struct decode_names NAMES = {.tenant_from = "jobId", .campaign_from = "vmta"};
    (void)state;
    decoded_names = &NAMES;
    decode_text("powermta",
                "type,timeLogged,rcpt,jobId,vmta\nb,1795255212,a@x.example,acme,gold\n");
    assert_field("tenant", "acme");
    assert_field("campaign", "gold");
}

/* Configured headings are read once, but for each topic's own names. */
static void topics_with_the_same_columns_have_names_of_their_own(void **state)
{
    static const struct decode_names NAMES[] = {{.tenant_from = "jobId"}, {.tenant_from = "vmta"}};
    static const char *const TENANTS[] = {"acme", "gold", "acme"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct decode_source source = {.format = format_find(SPAN("powermta")),
                                             .now_ms = DECODED_NOW_MS,
                                             .headings = SPAN("type,timeLogged,rcpt,jobId,vmta"),
                                             .names = &NAMES[i % 2]};
        decode_from(&source, SPAN("b,1795255212,a@x.example,acme,gold\n"));
        assert_field("tenant", TENANTS[i]);
    }
}

#define DSN(fields)                                                                                \
    "From: mailer-daemon@x.example\nTo: b@shop.example\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n"   \
    "MIME-Version: 1.0\nX-Customer: of-the-report\n"                                               \
    "Content-Type: multipart/report; report-type=delivery-status; boundary=B\n\n"                  \
    "--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n"                     \
    "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n"                      \
    "--B\nContent-Type: text/rfc822-headers\n\nSubject: x\n" fields "\n--B--\n"
#define ARF(fields)                                                                                \
    "From: fbl@isp.example\nTo: fbl@shop.example\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n"         \
    "MIME-Version: 1.0\nX-Customer: of-the-report\n"                                               \
    "Content-Type: multipart/report; report-type=feedback-report; boundary=B\n\n"                  \
    "--B\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"                         \
    "Original-Rcpt-To: a@x.example\n\n"                                                            \
    "--B\nContent-Type: message/rfc822\n\nSubject: x\n" fields                                     \
    "\nX-Customer: in-the-body\n\n--B--\n"

static void header_of_the_returned_mail_names_whose_late_bounce_and_complaint_it_is(void **state)
{
    (void)state;
    assert_customer("dsn", DSN("X-Tenant: other\nx-customer: acme\n"), "acme");
    assert_customer("dsn", DSN("X-Tenant: other\n"), "other");
    assert_customer("dsn", DSN(""), NULL);
    assert_customer("arf", ARF("X-Tenant: other\nX-Customer: acme\n"), "acme");
    assert_customer("arf", ARF("X-Tenant: other\n"), "other");
    assert_customer("arf", ARF(""), NULL);
    assert_customer("auto", ARF("X-Customer: acme\n"), "acme");
}

static void services_hold_it_among_the_senders_own_values(void **state)
{
    static const struct {
        const char *format;
        const char *record;
    } RECORDS[] = {
        {"sparkpost",
         "[{\"msys\":{\"message_event\":{\"type\":\"bounce\",\"rcpt_to\":\"a@x.example\","
         "\"timestamp\":\"1795255212\",\"subaccount_id\":\"7\",\"campaign_id\":\"old\","
         "\"rcpt_meta\":{\"customer\":\"acme\",\"wave\":\"w1\"}}}}]"},
        {"sendgrid", "[{\"event\":\"bounce\",\"email\":\"a@x.example\",\"timestamp\":1795255212,"
                     "\"category\":[\"old\"],\"customer\":\"acme\",\"wave\":\"w1\"}]"},
        {"sendgrid", "{\"event\":\"bounce\",\"email\":\"a@x.example\",\"timestamp\":1795255212,"
                     "\"unique_args\":{\"customer\":\"acme\"},\"custom_args\":{\"wave\":\"w1\"}}"},
        {"mailgun", "{\"event-data\":{\"event\":\"failed\",\"recipient\":\"a@x.example\","
                    "\"timestamp\":1795255212.5,\"tags\":[\"old\"],"
                    "\"user-variables\":{\"customer\":\"acme\",\"wave\":\"w1\"}}}"},
        {"ses",
         "{\"eventType\":\"Bounce\",\"mail\":{\"tags\":{\"customer\":[\"acme\"],"
         "\"campaign\":[\"old\"]},\"headers\":[{\"name\":\"Subject\",\"value\":\"x\"},"
         "{\"name\":\"Wave\",\"value\":\"w1\"}]},\"bounce\":{\"timestamp\":"
         "\"2026-11-21T10:00:00Z\",\"bouncedRecipients\":[{\"emailAddress\":\"a@x.example\"}]}}"},
        {"halon", "{\"action\":\"BOUNCE\",\"time\":1795255212345,\"message\":{\"recipient\":"
                  "\"a@x.example\",\"jobid\":\"old\",\"metadata\":{\"customer\":\"acme\",\"wave\":"
                  "\"w1\"}}}"},
        {"halon", "{\"status\":\"failed\",\"ts_attempt\":1795255212,\"recipient_localpart\":\"a\","
                  "\"recipient_domain\":\"x.example\",\"jobid\":\"old\",\"customer\":\"acme\","
                  "\"wave\":\"w1\"}"},
        {"native",
         "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\",\"tenant\":\"t\","
         "\"campaign\":\"c\",\"Customer\":\"acme\",\"wave\":\"w1\"}"},
        {"auto", "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\",\"wave\":\"w1\","
                 "\"customer\":\"acme\"}"},
    };
    (void)state;
    decoded_names = &CUSTOMER;
    for (size_t i = 0; i < sizeof(RECORDS) / sizeof(RECORDS[0]); i++) {
        decode_text(RECORDS[i].format, RECORDS[i].record);
        assert_field("tenant", "acme");
        assert_field("campaign", "w1");
    }
}

static void dots_lead_into_objects(void **state)
{
    static const struct decode_names NAMES = {.tenant_from = "about.Account.id",
                                              .campaign_from = "about.wave"};
    (void)state;
    decoded_names = &NAMES;
    decode_text("native", "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\","
                          "\"about\":{\"account\":{\"id\":7}},\"about.wave\":\"w1\"}");
    assert_field("tenant", "7");
    assert_field("campaign", "w1");
}

static void one_record_says_nothing_of_the_next(void **state)
{
    (void)state;
    decoded_names = &CUSTOMER;
    decode_text("native",
                "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\",\"customer\":"
                "\"acme\"}\n{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"b@x.example\"}");
    assert_int_equal(decoded.count, 2);
    assert_true(span_find(decoded.lines[0], SPAN("acme")) < decoded.lines[0].size);
    assert_int_equal(span_find(decoded.lines[1], SPAN("acme")), decoded.lines[1].size);
    decode_text("auto",
                "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\",\"customer\":"
                "\"acme\"}\n{\"Type\":\"SubscriptionConfirmation\",\"TopicArn\":\"arn\"}");
    assert_int_equal(decoded.count, 2);
    assert_int_equal(span_find(decoded.lines[1], SPAN("acme")), decoded.lines[1].size);
    decoded_names = NULL;
    decode_text("native",
                "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\",\"customer\":"
                "\"acme\"}");
    assert_field("tenant", NULL);
}

static void topics_with_records_of_one_shape_have_names_of_their_own(void **state)
{
    static const struct decode_names SHOP = {.tenant_from = "shop"};
    static const struct decode_names *const NAMES[] = {&CUSTOMER, &SHOP, &CUSTOMER};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        decoded_names = NAMES[i];
        decode_text("native", "{\"kind\":\"bounced\",\"ts_ms\":5,\"recipient\":\"a@x.example\","
                              "\"shop\":\"s7\",\"customer\":\"acme\"}");
        assert_field("tenant", i == 1 ? "s7" : "acme");
    }
}

static void what_arrives_in_an_envelope_is_named_alike(void **state)
{
    (void)state;
    assert_customer(
        "kumomta",
        "{\"@timestamp\":\"2026-11-21T10:00:00Z\",\"X-Customer\":\"shipper\",\"message\":"
        "\"{\\\"type\\\":\\\"Bounce\\\",\\\"recipient\\\":\\\"a@x.example\\\","
        "\\\"timestamp\\\":1795255212,\\\"meta\\\":{\\\"X-Customer\\\":\\\"acme\\\"}}\"}",
        "acme");
}

/* --- fields of scripts that Halon's users write -------------------------------------------------
 */

static const struct decode_names SCRIPT = {.fields = {[DECODE_KIND] = "outcome",
                                                      [DECODE_TS_MS] = "at",
                                                      [DECODE_RECIPIENT] = "rcpt.address",
                                                      [DECODE_CODE] = "smtp.reply",
                                                      [DECODE_ENHANCED] = "smtp.dsn",
                                                      [DECODE_TEXT] = "smtp.lines",
                                                      [DECODE_STAGE] = "smtp.at",
                                                      [DECODE_ERROR] = "failure",
                                                      [DECODE_MESSAGE_ID] = "mid",
                                                      [DECODE_EVENT_ID] = "eid",
                                                      [DECODE_TENANT] = "customer",
                                                      [DECODE_CAMPAIGN] = "wave",
                                                      [DECODE_SENDER] = "return-path",
                                                      [DECODE_MX] = "host",
                                                      [DECODE_PROVIDER] = "isp",
                                                      [DECODE_ATTEMPT] = "try",
                                                      [DECODE_NATIVE_CLASS] = "class"}};

static void every_field_of_an_event_is_found_where_it_is_mapped_to(void **state)
{
    (void)state;
    decoded_names = &SCRIPT;
    decode_text(
        "halon",
        "{\"outcome\":\"bounced\",\"at\":1795255212.5,\"rcpt\":{\"address\":\"a@x.example\"},"
        "\"smtp\":{\"reply\":\"550\",\"dsn\":[5,1,1],\"lines\":[\"no\",\"such user\"],"
        "\"at\":\"rcpt_to\"},\"mid\":\"m1\",\"eid\":\"e1\",\"customer\":7,\"wave\":\"w1\",\"return-"
        "path\":\"b@s."
        "example\","
        "\"host\":\"mx1\",\"isp\":\"big\",\"try\":2,\"class\":\"dead\"}");
    assert_line(
        0, "{\"record\":1,\"kind\":\"bounced\",\"origin\":\"remote\",\"recipient\":\"a@x.example\","
           "\"ts_ms\":1795255212500,\"code\":550,\"enhanced\":\"5.1.1\",\"text\":\"no such user\","
           "\"stage\":\"rcpt_to\",\"message_id\":\"m1\",\"event_id\":\"e1\",\"tenant\":\"7\","
           "\"campaign\":\"w1\","
           "\"sender\":\"b@s.example\",\"mx\":\"mx1\",\"provider\":\"big\",\"attempt\":2,"
           "\"native_class\":\"dead\"}");
}

static void mapped_field_is_looked_for_nowhere_else_and_the_others_as_ever(void **state)
{
    static const struct decode_names RECIPIENT = {.fields = {[DECODE_RECIPIENT] = "to"}};
    (void)state;
    decoded_names = &RECIPIENT;
    decode_text("halon", "{\"action\":\"SUCCESS\",\"time\":1795255212345,\"to\":\"a@x.example\","
                         "\"message\":{\"recipient\":\"b@x.example\",\"jobid\":\"w1\"}}");
    assert_field("recipient", "a@x.example");
    assert_field("campaign", "w1");
    decode_text("halon", "{\"action\":\"SUCCESS\",\"time\":1795255212345,"
                         "\"message\":{\"recipient\":\"b@x.example\"}}");
    assert_int_equal(decoded.fault_count, 1);
}

static void assert_outcome(const char *more, const char *kind, const char *origin)
{
    char record[512];
    (void)snprintf(record, sizeof(record),
                   "{\"at\":1795255212,\"rcpt\":{\"address\":\"a@x.example\"},%s}", more);
    decoded_names = &SCRIPT;
    decode_text("halon", record);
    assert_field("kind", kind);
    assert_field("origin", origin);
}

static void mapped_kind_may_use_halons_words_or_ours_but_no_operators(void **state)
{
    (void)state;
    assert_outcome("\"outcome\":\"SUCCESS\"", "delivered", "remote");
    assert_outcome("\"outcome\":\"complaint\"", "complaint", "remote");
    assert_outcome("\"outcome\":\"suppress\"", "ignored", "remote");
    assert_outcome("\"outcome\":\"release\"", "ignored", "remote");
    assert_outcome("\"outcome\":\"of tomorrow\"", "ignored", "remote");
    assert_outcome("\"outcome\":\"QUEUE\",\"failure\":\"stopped by the policy\"", "deferred",
                   "local");
    assert_outcome("\"outcome\":\"BOUNCE\",\"failure\":\"no route to host\"", "expired", "remote");
}

static void complaint_of_halon_names_its_tenant(void **state)
{
    static const struct decode_names NAMES = {.fields = {[DECODE_TENANT] = "customer"}};
    (void)state;
    decoded_names = &NAMES;
    decode_text("halon", "{\"feedback-type\":\"abuse\",\"original-rcpt-to\":\"a@x.example\","
                         "\"time\":1795255212345,\"customer\":\"acme\"}");
    assert_field("kind", "complaint");
    assert_field("tenant", "acme");
}

static void only_what_scripts_write_can_be_mapped(void **state)
{
    (void)state;
    assert_null(decode_field_check(format_find(SPAN("halon")), SPAN("a.b")));
    assert_non_null(decode_field_check(format_find(SPAN("halon")), SPAN("")));
    assert_non_null(decode_field_check(format_find(SPAN("halon")), SPAN(".a")));
    assert_non_null(decode_field_check(format_find(SPAN("halon")), SPAN("a..b")));
    assert_non_null(decode_field_check(format_find(SPAN("halon")), SPAN("a\n")));
    for (size_t i = 0; format_at(i) != NULL; i++) {
        const bool is_halon = strcmp(format_name(format_at(i)), "halon") == 0;
        assert_true((decode_field_check(format_at(i), SPAN("a")) == NULL) == is_halon);
    }
}

/* --- what may be said ---------------------------------------------------------------------------
 */

static void assert_bad_name(const char *format, const char *name, const char *why)
{
    const char *wrong = decode_name_check(format_find(span_of(format)), span_of(name));
    assert_true((wrong == NULL) == (why == NULL));
    if (why != NULL) {
        assert_non_null(strstr(wrong, why));
    }
}

static void names_that_nothing_can_have_are_refused(void **state)
{
    (void)state;
    assert_bad_name("kumomta", "X-Customer", NULL);
    assert_bad_name("kumomta", "customer number", NULL);
    assert_bad_name("ses", "ses:configuration-set", NULL);
    assert_bad_name("auto", "X-Customer", NULL);
    assert_bad_name("kumomta", "", "blanks");
    assert_bad_name("kumomta", " X-Customer", "blanks");
    assert_bad_name("kumomta", "X-Customer:", "colon");
    assert_bad_name("kumomta", "X\tC", "control");
    assert_bad_name("dsn", "X Customer", "header");
    assert_bad_name("arf", "x:y", "header");
    assert_bad_name("postfix", "X-Customer", "sender");
    assert_bad_name("exim", "X-Customer", "sender");
    assert_bad_name("momentum", "X-Customer", "sender");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kumomta_headers_and_meta_go_before_the_queue),
        cmocka_unit_test(kumomta_complaint_has_the_tenant_of_the_mail_not_of_the_report),
        cmocka_unit_test(powermta_column_is_named_with_or_without_header),
        cmocka_unit_test(powermta_column_may_be_one_that_is_read_anyway),
        cmocka_unit_test(topics_with_the_same_columns_have_names_of_their_own),
        cmocka_unit_test(header_of_the_returned_mail_names_whose_late_bounce_and_complaint_it_is),
        cmocka_unit_test(services_hold_it_among_the_senders_own_values),
        cmocka_unit_test(dots_lead_into_objects),
        cmocka_unit_test(one_record_says_nothing_of_the_next),
        cmocka_unit_test(topics_with_records_of_one_shape_have_names_of_their_own),
        cmocka_unit_test(what_arrives_in_an_envelope_is_named_alike),
        cmocka_unit_test(every_field_of_an_event_is_found_where_it_is_mapped_to),
        cmocka_unit_test(mapped_field_is_looked_for_nowhere_else_and_the_others_as_ever),
        cmocka_unit_test(mapped_kind_may_use_halons_words_or_ours_but_no_operators),
        cmocka_unit_test(complaint_of_halon_names_its_tenant),
        cmocka_unit_test(only_what_scripts_write_can_be_mapped),
        cmocka_unit_test(names_that_nothing_can_have_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

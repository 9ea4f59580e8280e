/* tests/test_formats.c - what the formats mean beyond their samples: traps that each has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/decoded.h"

/* Of a record that is one event: how its line begins behind `record`. */
static void assert_begins(const char *format, const char *record, const char *beginning)
{
    char expected[1024];
    (void)snprintf(expected, sizeof(expected), "{\"record\":1,%s", beginning);
    decode_text(format, record);
    assert_int_equal(decoded.count, 1);
    if (!span_starts(decoded.lines[0], span_of(expected))) {
        print_error("%s\nexpected %s\nis       %.*s\n", record, expected,
                    SPAN_ARGS(decoded.lines[0]));
        fail();
    }
}

static void assert_fault(const char *format, const char *record, const char *reason)
{
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "fault 1: %s", reason);
    decode_text(format, record);
    assert_int_equal(decoded.count, 1);
    assert_true(span_starts(decoded.lines[0], span_of(expected)));
}

#define REMOTE(kind, to) "\"kind\":\"" kind "\",\"origin\":\"remote\",\"recipient\":\"" to "\""
#define LOCAL(kind, to)  "\"kind\":\"" kind "\",\"origin\":\"local\",\"recipient\":\"" to "\""

/* --- services -----------------------------------------------------------------------------------
 */

#define SES_BOUNCE(type, recipients)                                                               \
    "{\"eventType\":\"Bounce\",\"mail\":{\"messageId\":\"m\"},\"bounce\":{\"bounceType\":\"" type  \
    "\",\"bounceSubType\":\"General\",\"timestamp\":\"2026-11-21T10:00:00Z\","                     \
    "\"bouncedRecipients\":[" recipients "]}}"
#define SES_COMPLAINT(type)                                                                        \
    "{\"notificationType\":\"Complaint\",\"complaint\":{\"complaintFeedbackType\":" type           \
    ",\"timestamp\":\"2026-11-21T10:00:00Z\",\"complainedRecipients\":[{\"emailAddress\":"         \
    "\"a@x.example\"}]}}"

static void ses_gives_up_with_a_transient_bounce(void **state)
{
    (void)state;
    assert_begins("ses",
                  SES_BOUNCE("Transient", "{\"emailAddress\":\"a@x.example\",\"diagnosticCode\":"
                                          "\"smtp; 450 4.2.1 busy\"}"),
                  REMOTE("expired", "a@x.example"));
    assert_begins("ses", SES_BOUNCE("Transient", "{\"emailAddress\":\"a@x.example\"}"),
                  LOCAL("expired", "a@x.example"));
    assert_begins("ses", SES_BOUNCE("Undetermined", "{\"emailAddress\":\"a@x.example\"}"),
                  REMOTE("bounced", "a@x.example"));
    assert_fault("ses", SES_BOUNCE("Permanent", ""), "no recipient");
}

static void ses_complaint_that_is_none_is_ignored(void **state)
{
    (void)state;
    assert_begins("ses", SES_COMPLAINT("\"abuse\""), REMOTE("complaint", "a@x.example"));
    assert_begins("ses", SES_COMPLAINT("null"), REMOTE("complaint", "a@x.example"));
    assert_begins("ses", SES_COMPLAINT("\"not-spam\""), "\"kind\":\"ignored\"");
}

static void sns_says_other_things_too(void **state)
{
    (void)state;
    assert_begins("ses",
                  "{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"Successfully "
                  "validated SNS topic for Amazon SES event publishing.\"}",
                  "\"kind\":\"ignored\"");
    assert_begins("ses", "{\"eventType\":\"Open\",\"mail\":{}}", "\"kind\":\"ignored\"");
    assert_fault("ses", "{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"{\"}",
                 "in the envelope is no JSON");
}

#define SENDGRID(event, fields)                                                                    \
    "{\"event\":\"" event "\",\"email\":\"a@x.example\",\"timestamp\":1795255212,"                 \
    "\"sg_message_id\":\"g\"" fields "}"

static void sendgrid_block_after_days_is_an_expiry_and_its_throttle_ours(void **state)
{
    (void)state;
    assert_begins("sendgrid",
                  SENDGRID("bounce", ",\"type\":\"blocked\",\"status\":\"4.2.1\",\"reason\":"
                                     "\"452 4.2.1 over quota\""),
                  REMOTE("expired", "a@x.example"));
    assert_begins("sendgrid",
                  SENDGRID("bounce", ",\"type\":\"blocked\",\"reason\":\"550 5.7.1 spam\""),
                  REMOTE("bounced", "a@x.example"));
    assert_begins("sendgrid",
                  SENDGRID("bounce", ",\"type\":\"bounce\",\"reason\":\"unable to get mx info: "
                                     "failed to get IPs from PTR record\""),
                  REMOTE("expired", "a@x.example"));
    assert_begins("sendgrid",
                  SENDGRID("deferred", ",\"response\":\"IPs were throttled by recipient server\""),
                  LOCAL("deferred", "a@x.example"));
    assert_begins("sendgrid", SENDGRID("click", ""), "\"kind\":\"ignored\"");
    assert_begins("sendgrid", SENDGRID("group_unsubscribe", ""),
                  REMOTE("unsubscribe", "a@x.example"));
}

#define MAILGUN(fields)                                                                            \
    "{\"event\":\"failed\",\"recipient\":\"a@x.example\",\"timestamp\":1795255212.5," fields "}"

static void mailgun_reason_goes_before_severity(void **state)
{
    (void)state;
    assert_begins("mailgun",
                  MAILGUN("\"severity\":\"temporary\",\"reason\":\"old\",\"delivery-status\":"
                          "{\"code\":498,\"message\":\"No MX for x.example\"}"),
                  REMOTE("expired", "a@x.example"));
    assert_begins("mailgun",
                  MAILGUN("\"severity\":\"permanent\",\"reason\":\"suppress-bounce\","
                          "\"delivery-status\":{\"code\":605}"),
                  LOCAL("dropped", "a@x.example"));
    assert_begins(
        "mailgun",
        MAILGUN("\"severity\":\"permanent\",\"reason\":\"bounce\",\"delivery-status\":"
                "{\"code\":550,\"message\":\"5.1.1 no such user\"}"),
        REMOTE("bounced",
               "a@x.example") ",\"ts_ms\":1795255212500,\"code\":550,\"enhanced\":\"5.1.1\","
                              "\"text\":\"no such user\"");
}

#define SPARKPOST(type, fields)                                                                    \
    "{\"msys\":{\"message_event\":{\"type\":\"" type "\",\"rcpt_to\":\"a@x.example\","             \
    "\"timestamp\":\"1795255212\"" fields "}}}"

static void sparkpost_class_says_what_a_bounce_is(void **state)
{
    (void)state;
    assert_begins("sparkpost", SPARKPOST("bounce", ",\"bounce_class\":\"25\""),
                  LOCAL("admin", "a@x.example"));
    assert_begins("sparkpost", SPARKPOST("out_of_band", ",\"bounce_class\":\"60\""),
                  "\"kind\":\"ignored\"");
    assert_begins("sparkpost", SPARKPOST("out_of_band", ",\"bounce_class\":\"90\""),
                  REMOTE("unsubscribe", "a@x.example"));
    assert_begins("sparkpost",
                  SPARKPOST("bounce", ",\"bounce_class\":\"20\",\"raw_reason\":\"451 4.4.1 "
                                      "[internal] Connection refused\""),
                  REMOTE("expired", "a@x.example"));
    assert_begins("sparkpost",
                  SPARKPOST("delay", ",\"raw_reason\":\"454 4.4.4 [internal] throttled\""),
                  LOCAL("deferred", "a@x.example"));
    assert_begins("sparkpost",
                  SPARKPOST("out_of_band", ",\"bounce_class\":\"10\",\"raw_reason\":\"550 "
                                           "[internal] [oob] The recipient is invalid.\""),
                  REMOTE("late_bounce", "a@x.example"));
}

#define HALON(action, attempt)                                                                     \
    "{\"time\":1795255212000,\"message\":{\"recipient\":\"a@x.example\"},\"action\":\"" action     \
    "\"" attempt "}"

static void assert_subaccount(const char *subaccount, const char *behind_text)
{
    char record[256];
    char expected[256];
    (void)snprintf(record, sizeof(record),
                   "{\"type\":\"bounce\",\"event_id\":\"e\",\"rcpt_to\":\"a@x.example\","
                   "\"timestamp\":\"5\",\"subaccount_id\":%s,\"raw_reason\":\"550 no\"}",
                   subaccount);
    (void)snprintf(expected, sizeof(expected),
                   REMOTE("bounced", "a@x.example") ",\"ts_ms\":5000,\"code\":550,\"text\":\"no\","
                                                    "\"event_id\":\"e\"%s}",
                   behind_text);
    assert_begins("sparkpost", record, expected);
}

static void sparkpost_main_account_is_no_tenant(void **state)
{
    (void)state;
    assert_subaccount("\"0\"", "");
    assert_subaccount("0", "");
    assert_subaccount("null", "");
    assert_subaccount("\"10\"", ",\"tenant\":\"10\"");
    assert_subaccount("101", ",\"tenant\":\"101\"");
}

static void halon_bounce_of_what_was_temporary_is_an_expiry(void **state)
{
    (void)state;
    assert_begins("halon",
                  HALON("BOUNCE", ",\"attempt\":{\"result\":{\"code\":451,\"reason\":[\"busy\"]}}"),
                  REMOTE("expired", "a@x.example"));
    assert_begins("halon",
                  HALON("BOUNCE", ",\"attempt\":{\"error\":{\"temporary\":false,\"message\":"
                                  "\"Host not found\"}}"),
                  REMOTE("expired", "a@x.example"));
    assert_begins("halon",
                  HALON("QUEUE", ",\"attempt\":{\"error\":{\"temporary\":true,\"message\":"
                                 "\"concurrency limit\"}}"),
                  LOCAL("deferred", "a@x.example"));
}

/* --- logs ---------------------------------------------------------------------------------------
 */

#define POSTFIX(status) "4XkT2m1YqDz1001: to=<a@x.example>, relay=none, dsn=4.0.0, status=" status

static void postfix_line_is_read_whatever_stands_before_it(void **state)
{
    static const char *const HEADS[] = {
        "Nov 21 10:00:00 mx postfix/smtp[1]: ",
        "<22>Nov 21 10:00:00 mx postfix/smtp[1]: ",
        "<22>1 2026-11-21T10:00:00Z mx postfix/smtp 1 - - ",
        "<22>1 2026-11-21T10:00:00.000Z mx postfix/smtp 1 - [meta x=\"a]b\" y=\"1\"] ",
        "2026-11-21T12:00:00+02:00 mx postfix/lmtp[1]: ",
        "2026-11-21 10:00:00 mx postfix/smtp[1]: ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++) {
        char line[512];
        (void)snprintf(line, sizeof(line), "%s%s", HEADS[i], POSTFIX("sent (250 ok)"));
        assert_begins("postfix", line,
                      REMOTE("delivered", "a@x.example") ",\"ts_ms\":1795255200000,\"code\":250");
    }
}

/* The samples' day is 2026-11-22. */
static void time_without_year_is_the_latest_that_is_not_to_come(void **state)
{
    (void)state;
    assert_begins("postfix", "Nov 23 09:00:00 mx postfix/smtp[1]: " POSTFIX("sent (250 ok)"),
                  REMOTE("delivered", "a@x.example") ",\"ts_ms\":1795424400000");
    assert_begins("postfix", "Dec  1 00:00:00 mx postfix/smtp[1]: " POSTFIX("sent (250 ok)"),
                  REMOTE("delivered", "a@x.example") ",\"ts_ms\":1764547200000");
    assert_begins("postfix", "Feb 29 00:00:00 mx postfix/smtp[1]: " POSTFIX("sent (250 ok)"),
                  REMOTE("delivered", "a@x.example") ",\"ts_ms\":1709164800000");
    assert_fault("postfix", "Nov 31 00:00:00 mx postfix/smtp[1]: " POSTFIX("sent (250 ok)"),
                 "no time");
}

static void postfix_text_says_who_spoke(void **state)
{
    (void)state;
    const char *head = "Nov 21 10:00:00 mx postfix/smtp[1]: ";
    static const char *const CASES[][2] = {
        {POSTFIX("deferred (delivery temporarily suspended: connect to mx[1.2.3.4]:25: Connection "
                 "timed out)"),
         LOCAL("deferred", "a@x.example")},
        {POSTFIX("deferred (connect to mx[192.0.2.1]:25: Connection refused)"),
         REMOTE("deferred", "a@x.example")},
        {POSTFIX("deferred (lost connection with mx[192.0.2.1] while sending RCPT TO)"),
         REMOTE("deferred", "a@x.example")},
        {POSTFIX("deferred (host mx[192.0.2.1] refused to talk to me: 421 4.7.0 too many)"),
         REMOTE("deferred", "a@x.example") ",\"ts_ms\":1795255200000,\"code\":421"},
        {POSTFIX("bounced (mail for x.example loops back to myself)"),
         LOCAL("bounced", "a@x.example")},
        {POSTFIX("undeliverable (host mx[192.0.2.1] said: 550 no)"), "\"kind\":\"ignored\""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char line[512];
        (void)snprintf(line, sizeof(line), "%s%s", head, CASES[i][0]);
        assert_begins("postfix", line, CASES[i][1]);
    }
}

#define EXIM(rest) "2026-11-21 10:00:00.250 +0000 [77] 1vMabf-000000001Ad-0004 " rest

static void exim_text_says_who_spoke(void **state)
{
    (void)state;
    assert_begins("exim", EXIM("** a@x.example: Unrouteable address"),
                  REMOTE("expired", "a@x.example") ",\"ts_ms\":1795255200250");
    assert_begins(
        "exim",
        EXIM("** a@x.example R=r T=t H=mx [192.0.2.1]: SMTP error from remote mail server "
             "after RCPT TO:<a@x.example>: 450 4.2.1 busy: retry timeout exceeded"),
        REMOTE("expired", "a@x.example") ",\"ts_ms\":1795255200250,\"code\":450");
    assert_begins("exim",
                  EXIM("** a@x.example R=r T=t: message is too big (transport limit = 1000)"),
                  LOCAL("bounced", "a@x.example"));
    assert_begins(
        "exim",
        EXIM("** a@x.example R=r T=t H=mx [192.0.2.1]: SMTP error from remote mail server "
             "after RCPT TO:<a@x.example>: 550-5.1.1 no such\\n550 5.1.1 user here"),
        REMOTE("bounced",
               "a@x.example") ",\"ts_ms\":1795255200250,\"code\":550,\"enhanced\":\"5.1.1\","
                              "\"text\":\"no such user here\"");
    assert_begins("exim",
                  "2026-11-21 10:00:00 1vMabf-0001Ad-04 ** a@x.example R=r T=t: SMTP error from "
                  "remote mailer after RCPT TO:<a@x.example>: host mx [192.0.2.1]: 550 no",
                  REMOTE("bounced", "a@x.example") ",\"ts_ms\":1795255200000,\"code\":550,"
                                                   "\"text\":\"no\"");
    assert_begins("exim", "2026-11-21 10:00:00 Start queue run: pid=1", "\"kind\":\"ignored\"");
}

#define PMTA "type,timeLogged,rcpt,dsnStatus,dsnDiag,bounceCat\n"

/* The first line is the headings'. */
static void assert_row(const char *rows, const char *beginning)
{
    char record[1024];
    char expected[512];
    (void)snprintf(record, sizeof(record), "%s%s", PMTA, rows);
    (void)snprintf(expected, sizeof(expected), "{\"record\":2,%s", beginning);
    decode_text("powermta", record);
    assert_int_equal(decoded.count, 1);
    assert_true(span_starts(decoded.lines[0], span_of(expected)));
}

static void powermta_diagnosis_of_another_type_is_no_servers(void **state)
{
    (void)state;
    assert_row("b,1795255212,a@x.example,5.0.0 (undefined status),x-pmta;bounce-queue,other\r\n",
               LOCAL("bounced", "a@x.example"));
    assert_row("b,1795255212,a@x.example,5.4.4 (unable to route),,routing-errors",
               REMOTE("expired", "a@x.example"));
    assert_row("b,1795255212,a@x.example,4.4.7 (delivery time expired),,message-expired",
               LOCAL("expired", "a@x.example"));
    assert_row("b,1795255212,a@x.example,5.1.1 (x),\"smtp;550 5.1.1 \"\"a\"\", no\",bad-mailbox",
               REMOTE("bounced",
                      "a@x.example") ",\"ts_ms\":1795255212000,\"code\":550,\"enhanced\":\"5.1.1\","
                                     "\"text\":\"\\\"a\\\", no\"");
    assert_fault("powermta", "b,1795255212,a@x.example,5.1.1", "a row without headings");
    assert_begins("powermta",
                  "{\"type\":\"b\",\"timeLogged\":1795255212,\"rcpt\":\"a@x.example\","
                  "\"dsnDiag\":\"smtp;550 no\"}",
                  REMOTE("bounced", "a@x.example") ",\"ts_ms\":1795255212000,\"code\":550");
}

static void assert_first_row(const char *headings, const char *row, const char *line)
{
    const struct decode_source source = {.format = format_find(SPAN("powermta")),
                                         .headings = span_of(headings)};
    decode_from(&source, span_of(row));
    assert_int_equal(decoded.count, 1);
    assert_true(span_starts(decoded.lines[0], span_of(line)));
}

/* What was read of them once serves for the next row, if they are the same. */
static void powermta_rows_are_read_by_the_headings_that_are_configured(void **state)
{
    char many[6000] = "type,timeLogged,rcpt";
    (void)state;
    memset(many + 20, ',', 300);
    for (int i = 0; i < 2; i++) {
        assert_first_row("type,timeLogged,rcpt,orig", "d,1795255212,a@x.example,b@x.example",
                         "{\"record\":1," REMOTE("delivered", "a@x.example"));
        assert_first_row("type,timeLogged,orig,rcpt", "d,1795255212,a@x.example,b@x.example",
                         "{\"record\":1," REMOTE("delivered", "b@x.example"));
        decode_from(&(struct decode_source){.format = format_find(SPAN("powermta")),
                                            .headings = span_of(many)},
                    SPAN("d,1795255212,a@x.example"));
        assert_true(span_starts(decoded.lines[0], SPAN("fault 1: more than 256 columns")));
        assert_first_row(NULL, "d,1795255212,a@x.example", "fault 1: a row without headings");
    }
    memset(many + 20, ' ', sizeof(many) - 21); /* longer than what is kept */
    assert_first_row(many, "d,1795255212,a@x.example",
                     "{\"record\":1," REMOTE("delivered", "a@x.example"));
}

/* Its queue and type do not make it KumoMTA's. */
static void powermta_record_as_json_is_found_by_auto(void **state)
{
    (void)state;
    assert_begins("auto",
                  "{\"type\":\"d\",\"timeLogged\":1795255212,\"rcpt\":\"a@x.example\","
                  "\"dsnDiag\":\"smtp;250 ok\",\"queue\":\"x.example/vmta7\"}",
                  REMOTE("delivered", "a@x.example"));
}

#define SAID "2026-11-21T10:00:00Z h postfix/smtp[1]: " POSTFIX("bounced (%s)")

static void words_of_who_was_not_reached_are_found_in_any_case_and_place(void **state)
{
    (void)state;
    static const char *const REACHED[] = {"connection los t", "timed ou", "n", "",
                                          "mxinfo",           "nomx"};
    static const char *const UNREACHED[] = {
        "Connection Timed Out",
        "x CONNECTION REFUSED",
        "tTimeOut",
        "nno mx",
        "cconnection lost",
        "c\xc3lookup failx",
        "failed to failed to resolve",
        "DNS ",
    };
    char line[512];
    for (size_t i = 0; i < sizeof(REACHED) / sizeof(REACHED[0]); i++) {
        (void)snprintf(line, sizeof(line), SAID, REACHED[i]);
        assert_begins("postfix", line, LOCAL("bounced", "a@x.example"));
    }
    for (size_t i = 0; i < sizeof(UNREACHED) / sizeof(UNREACHED[0]); i++) {
        (void)snprintf(line, sizeof(line), SAID, UNREACHED[i]);
        assert_begins("postfix", line, REMOTE("expired", "a@x.example"));
    }
}

/* --- mails --------------------------------------------------------------------------------------
 */

#define MAIL(type)                                                                                 \
    "From: m@x.example\nTo: <b+1.ana=x.example@shop.example>\n"                                    \
    "Date: Sat, 21 Nov 2026 10:00:00 +0000\nContent-Type: " type "\n\n"
#define REPORT MAIL("multipart/report; boundary=b") "--b\nContent-Type: text/plain\n\nhello\n--b\n"

static void report_is_found_in_a_mail_inside_a_mail(void **state)
{
    (void)state;
    assert_begins(
        "dsn",
        MAIL("multipart/mixed; boundary=a") "--a\nContent-Type: message/rfc822\n\n" REPORT
                                            "Content-Type: "
                                            "message/delivery-status\n\nReporting-MTA: dns; x\n\n"
                                            "Final-Recipient: rfc822; a@x.example\nAction: failed "
                                            "(really)\nStatus: 5.1.1\n"
                                            "Diagnostic-Code: smtp; 550\n 5.1.1 no\n such "
                                            "user\n\n--b--\n--a--\n",
        REMOTE("late_bounce",
               "a@x.example") ",\"ts_ms\":1795255200000,\"code\":550,\"enhanced\":\"5.1.1\","
                              "\"text\":\"no such user\"");
}

static void address_beyond_ascii_is_unescaped_and_a_give_up_is_an_expiry(void **state)
{
    (void)state;
    assert_begins("dsn",
                  REPORT "Content-Type: message/global-delivery-status\n\n"
                         "Reporting-MTA: dns; x\n\nFinal-Recipient: utf-8; j\\x{FC}rg@x.example\n"
                         "Action: failed\nStatus: 4.4.7\n\n--b--\n",
                  REMOTE("expired", "j\xc3\xbcrg@x.example"));
}

static void mail_that_reports_nothing_is_ignored_and_what_is_no_mail_a_fault(void **state)
{
    (void)state;
    assert_begins("dsn", MAIL("text/plain") "I am on holiday", "\"kind\":\"ignored\"");
    assert_fault("dsn", "no mail at all", "not a mail");
}

/* As deep as this GMime ends the process; also in the head of the mail that is returned, and over lines. */
static void mail_whose_addresses_lie_too_deep_is_a_fault(void **state)
{
    enum { GROUPS = 60000 };
    static char mail[3 * GROUPS];
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t size = (size_t)snprintf(mail, sizeof(mail), "%s",
                                       i == 0 ? "From: a@b.example\nTo: x"
                                              : "Subject: x\n\nmessage:\n\n cc : y");
        for (int k = 0; k < GROUPS; k++) {
            memcpy(mail + size, k % 50 == 49 ? "\n a:" : "a:", k % 50 == 49 ? 4 : 2);
            size += k % 50 == 49 ? 4 : 2;
        }
        mail[size] = '\0';
        assert_fault("dsn", mail, "a field of addresses");
        assert_fault("arf", mail, "a field of addresses");
    }
}

static void hidden_recipient_is_found_where_the_sender_put_it(void **state)
{
    (void)state;
    assert_begins("arf",
                  REPORT
                  "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
                  "Original-Rcpt-To: <redacted@x.example>\n\n--b\n"
                  "Content-Type: message/rfc822\n\nX-KumoRef: "
                  "eyJfQF8iOiJcXF8vIiwicmVjaXBpZW50IjoiYUB4LmV4YW1wbGUiLCJ0ZW5hbnQiOiJ0In0=\n"
                  "\nbody\n--b--\n",
                  REMOTE("complaint", "a@x.example"));
    assert_begins("arf",
                  REPORT "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
                         "Original-Mail-From: <bounces-77-ana.b=x.example@shop.example>\n\n--b--\n",
                  REMOTE("complaint", "ana.b@x.example"));
    assert_fault("arf",
                 REPORT "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n\n--b--\n",
                 "no recipient");
}

/* --- all ----------------------------------------------------------------------------------------
 */

/* --- stages -------------------------------------------------------------------------------------
 */

/* NULL: it names none. */
static void assert_stage(const char *format, const char *record, const char *stage)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "\"stage\":%s%s%s", stage == NULL ? "" : "\"",
                   stage == NULL ? "" : stage, stage == NULL ? "" : "\"");
    decode_text(format, record);
    assert_int_equal(decoded.fault_count, 0);
    assert_true(decoded.count > 0);
    const struct span line = decoded.lines[decoded.count - 1];
    if ((span_find(line, span_of(wanted)) < line.size) != (stage != NULL)) {
        print_error("%s\nexpected %s\nis       %.*s\n", record, wanted, SPAN_ARGS(line));
        fail();
    }
}

#define KUMOMTA(command)                                                                           \
    "{\"type\":\"Bounce\",\"recipient\":\"a@x.example\",\"timestamp\":1795255212,"                 \
    "\"response\":{\"code\":550,\"content\":\"no\",\"command\":" command "}}"

static void kumomta_names_the_command_as_it_was_sent(void **state)
{
    (void)state;
    assert_stage("kumomta", KUMOMTA("\"RCPT TO:<a@x.example>\\r\\n\""), "rcpt_to");
    assert_stage("kumomta", KUMOMTA("\"MAIL FROM:<b@x.example> BODY=8BITMIME\""), "mail_from");
    assert_stage("kumomta", KUMOMTA("\"DATA\\r\\n\""), "data");
    assert_stage("kumomta", KUMOMTA("\".\\r\\n\""), "end_of_data");
    assert_stage("kumomta", KUMOMTA("\"EHLO mx.shop.example\""), "ehlo");
    assert_stage("kumomta", KUMOMTA("\"MAIL FROM:<b@x>\\r\\nRCPT TO:<a@x>\\r\\nDATA\\r\\n\""),
                 NULL);
    assert_stage("kumomta", KUMOMTA("\"\""), NULL);
    assert_stage("kumomta", KUMOMTA("null"), NULL);
}

#define POSTFIX_AT(text) "Nov 21 10:00:00 mx postfix/smtp[1]: " POSTFIX("bounced (" text ")")

static void postfix_names_the_command_behind_the_reply(void **state)
{
    (void)state;
    assert_stage("postfix",
                 POSTFIX_AT("host mx[192.0.2.1] said: 550 no (in reply to MAIL FROM command)"),
                 "mail_from");
    assert_stage("postfix",
                 POSTFIX_AT("host mx[192.0.2.1] said: 550 no (in reply to end of DATA command)"),
                 "end_of_data");
    assert_stage("postfix", POSTFIX_AT("host mx[192.0.2.1] refused to talk to me: 554 no"),
                 "connect");
    assert_stage("postfix",
                 POSTFIX_AT("lost connection with mx[192.0.2.1] while performing the EHLO "
                            "handshake"),
                 "ehlo");
    assert_stage("postfix",
                 POSTFIX_AT("host mx[192.0.2.1] said: 550 host in[192.0.2.2] said: 550 no (in "
                            "reply to MAIL FROM command) (in reply to RCPT TO command)"),
                 "rcpt_to");
    assert_stage("postfix", POSTFIX_AT("connect to mx[192.0.2.1]:25: Connection refused"), NULL);
}

#define EXIM_AT(words, text)                                                                       \
    EXIM(                                                                                          \
        "** a@x.example R=r T=t H=mx [192.0.2.1]: SMTP error from remote mail server after " words \
        ": " text)

static void exim_names_the_command_before_the_reply(void **state)
{
    (void)state;
    assert_stage("exim", EXIM_AT("pipelined MAIL FROM:<b@x.example> SIZE=99", "550 no"),
                 "mail_from");
    assert_stage("exim", EXIM_AT("initial connection", "554 no"), "connect");
    assert_stage("exim", EXIM_AT("EHLO mx.shop.example", "550 no"), "ehlo");
    assert_stage("exim", EXIM_AT("end of data", "550 no"), "end_of_data");
    assert_stage("exim", EXIM_AT("DATA", "550 after RCPT TO: no"), "data");
    assert_stage("exim", EXIM("** a@x.example R=r T=t: message is too big"), NULL);
}

static void momentum_numbers_the_stages(void **state)
{
    static const char *const STAGES[][2] = {
        {"2", "mail_from"}, {"4", "rcpt_to"},  {"6", "data"},      {"9", "end_of_data"},
        {"10", "ehlo"},     {"12", "connect"}, {"15", "starttls"}, {"17", "starttls"},
        {"5", NULL},        {"0", NULL},       {"21", NULL},       {"22", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(STAGES) / sizeof(STAGES[0]); i++) {
        char line[256];
        (void)snprintf(line, sizeof(line),
                       "1795255212@m@b@c@B@a@x.example@n@shop.example@g@i@%s@10@9@192.0.2.1@550 no",
                       STAGES[i][0]);
        assert_stage("momentum", line, STAGES[i][1]);
    }
}

static void halon_names_the_state(void **state)
{
    (void)state;
    assert_stage("halon",
                 HALON("BOUNCE", ",\"attempt\":{\"result\":{\"state\":\"MAIL\",\"code\":550}}"),
                 "mail_from");
    assert_stage("halon",
                 HALON("BOUNCE", ",\"attempt\":{\"result\":{\"state\":\"EOD\",\"code\":550}}"),
                 "end_of_data");
    assert_stage("halon",
                 HALON("BOUNCE", ",\"attempt\":{\"result\":{\"state\":\"SOON\",\"code\":550}}"),
                 NULL);
    assert_stage("halon",
                 "{\"status\":\"failed\",\"ts_attempt\":1795255212.0,\"result_code\":550,"
                 "\"result_state\":\"BANNER\",\"recipient_localpart\":\"a\","
                 "\"recipient_domain\":\"x.example\"}",
                 "connect");
}

#define DSN(fields)                                                                                \
    REPORT "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n"                    \
           "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n" fields          \
           "\n\n--b--\n"

static void reply_in_any_format_may_tell_its_stage(void **state)
{
    (void)state;
    assert_stage("dsn",
                 DSN("Diagnostic-Code: X-Postfix; lost connection with mx[192.0.2.1]\n while "
                     "sending\n RCPT TO"),
                 "rcpt_to");
    assert_stage("dsn",
                 DSN("X-Exim-Diagnostic: X-str; SMTP error from remote mail server after MAIL "
                     "FROM:<b@x>: 550 no\nDiagnostic-Code: smtp; 550 no"),
                 "mail_from");
    assert_stage("dsn", DSN("Diagnostic-Code: smtp; 550 no"), NULL);
    assert_stage("powermta",
                 PMTA "b,1795255212,a@x.example,5.1.1 (x),smtp;550 no (in reply to RCPT TO "
                      "command),bad-mailbox",
                 "rcpt_to");
    assert_stage("sendgrid",
                 SENDGRID("bounce", ",\"reason\":\"550 no (in reply to end of DATA command)\""),
                 "end_of_data");
    assert_stage("native",
                 "{\"kind\":\"bounced\",\"recipient\":\"a@x.example\",\"ts_ms\":1795255212000,"
                 "\"text\":\"no (in reply to DATA command)\"}",
                 "data");
}

static void payload_in_gzip_is_named_as_such(void **state)
{
    (void)state;
    assert_fault("kumomta", "\x1f\x8b\x08", "a record in gzip");
    assert_fault("auto", "\x1f\x8b\x08", "a record in gzip");
}

static void shipper_of_logs_may_carry_json(void **state)
{
    (void)state;
    assert_begins(
        "auto",
        "{\"@timestamp\":\"2026-11-21T10:00:00Z\",\"message\":\"{\\\"kind\\\":\\\"bounced\\\","
        "\\\"recipient\\\":\\\"a@x.example\\\",\\\"ts_ms\\\":5}\"}",
        REMOTE("bounced", "a@x.example") ",\"ts_ms\":5");
    assert_begins(
        "postfix",
        "{\"MESSAGE\":\"" POSTFIX("sent (250 ok)") "\",\"__REALTIME_TIMESTAMP\":"
                                                   "\"1795255200000123\",\"_COMM\":\"smtp\"}",
        REMOTE("delivered", "a@x.example") ",\"ts_ms\":1795255200000");
}

static void what_auto_does_not_know_is_a_fault(void **state)
{
    (void)state;
    assert_fault("auto", "{\"hello\":1}", "no event of a format that is known");
    assert_fault("auto", "hello", "not JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ses_gives_up_with_a_transient_bounce),
        cmocka_unit_test(ses_complaint_that_is_none_is_ignored),
        cmocka_unit_test(sns_says_other_things_too),
        cmocka_unit_test(sendgrid_block_after_days_is_an_expiry_and_its_throttle_ours),
        cmocka_unit_test(mailgun_reason_goes_before_severity),
        cmocka_unit_test(sparkpost_class_says_what_a_bounce_is),
        cmocka_unit_test(sparkpost_main_account_is_no_tenant),
        cmocka_unit_test(halon_bounce_of_what_was_temporary_is_an_expiry),
        cmocka_unit_test(postfix_line_is_read_whatever_stands_before_it),
        cmocka_unit_test(time_without_year_is_the_latest_that_is_not_to_come),
        cmocka_unit_test(postfix_text_says_who_spoke),
        cmocka_unit_test(exim_text_says_who_spoke),
        cmocka_unit_test(powermta_diagnosis_of_another_type_is_no_servers),
        cmocka_unit_test(powermta_rows_are_read_by_the_headings_that_are_configured),
        cmocka_unit_test(powermta_record_as_json_is_found_by_auto),
        cmocka_unit_test(words_of_who_was_not_reached_are_found_in_any_case_and_place),
        cmocka_unit_test(report_is_found_in_a_mail_inside_a_mail),
        cmocka_unit_test(address_beyond_ascii_is_unescaped_and_a_give_up_is_an_expiry),
        cmocka_unit_test(mail_that_reports_nothing_is_ignored_and_what_is_no_mail_a_fault),
        cmocka_unit_test(mail_whose_addresses_lie_too_deep_is_a_fault),
        cmocka_unit_test(hidden_recipient_is_found_where_the_sender_put_it),
        cmocka_unit_test(kumomta_names_the_command_as_it_was_sent),
        cmocka_unit_test(postfix_names_the_command_behind_the_reply),
        cmocka_unit_test(exim_names_the_command_before_the_reply),
        cmocka_unit_test(momentum_numbers_the_stages),
        cmocka_unit_test(halon_names_the_state),
        cmocka_unit_test(reply_in_any_format_may_tell_its_stage),
        cmocka_unit_test(payload_in_gzip_is_named_as_such),
        cmocka_unit_test(shipper_of_logs_may_carry_json),
        cmocka_unit_test(what_auto_does_not_know_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

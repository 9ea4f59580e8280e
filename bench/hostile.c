/* bench/hostile.c - see hostile.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/hostile.h"

#include <stdio.h>

#include "base/log.h"

#define SNS(message) "{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"" message
#define SES          "{\"eventType\":\"Bounce\",\"mail\":{\"timestamp\":\"2026-11-21T10:00:00Z\""
#define SES_BOUNCED                                                                                \
    SES "},\"bounce\":{\"bounceType\":\"Permanent\",\"timestamp\":\"2026-11-21T10:00:00Z\","       \
        "\"bouncedRecipients\":[{}"
#define SYSLOG "Nov 21 10:00:02 mx postfix/smtp[1]: 4XkT2m1YqDz1001: "
#define EXIM   "2026-11-21 10:00:12 1vMabf-000000001Ad-0004 ** a@b.example "
#define ROWS   "type,timeLogged,rcpt,dsnDiag\n"
#define MAIL   "From: <>\nMIME-Version: 1.0\n"
#define MIXED  MAIL "Content-Type: multipart/mixed; boundary=b\n\n"
#define REPORT(type, subtype)                                                                      \
    MAIL "Date: Sat, 21 Nov 2026 10:05:00 +0000\nContent-Type: multipart/report; report-type="     \
         "" type ";\n boundary=b\n\n--b\nContent-Type: message/" subtype "\n\n"
#define DSN REPORT("delivery-status", "delivery-status") "Reporting-MTA: dns; a\n\n"
#define ARF REPORT("feedback-report", "feedback-report") "Feedback-Type: abuse\n"

/* clang-format off */
static const struct hostile TABLE[] = {
    /* framing and JSON, the same for all that comes as objects */
    {"lines of {}", "kumomta", "{}\n", "{}\n", "", NULL},
    {"lines that are no JSON", "kumomta", "{}\n", "{\n", "", NULL},
    {"lines, each of another shape", "kumomta", "{}\n", "{\"k#\":1}\n", "", NULL},
    {"lines of digits, after one of JSON", "auto", "{}\n", "1\n", "", NULL},
    {"empty lines", "auto", "{}", "\n", "", NULL},
    {"blanks", "kumomta", "{", " ", "}", NULL},
    {"an array of {}", "kumomta", "[{}", ",{}", "]", NULL},
    {"an array of 1", "kumomta", "[1", ",1", "]", NULL},
    {"an array of [ ]", "auto", "[[]", ",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "]", NULL},
    {"an array of objects of many shapes", "auto", "[{}", ",{\"k#\":\"\"}", "]", NULL},
    {"an array that is not closed", "kumomta", "[{}", ",{}", ",{", NULL},
    {"brackets, opened", "kumomta", "{\"type\":", "[", "", NULL},
    {"brackets, opened and closed", "kumomta", "{\"type\":", "[", "}", "]"},
    {"a key again and again", "kumomta", "{\"type\":1", ",\"recipient\":\"a\"", "}", NULL},
    {"keys that nobody wants", "kumomta", "{\"type\":\"Bounce\"", ",\"queue#\":1", "}", NULL},
    {"keys that nobody wants, auto", "auto", "{\"type\":\"Bounce\"", ",\"queue#\":1", "}", NULL},
    {"a string of backslashes", "kumomta", "{\"type\":\"", "\\\\", "\"}", NULL},
    {"backslashes in an array", "kumomta", "[\"", "\\\\", "\"]", NULL},
    {"quotes behind backslashes in an array", "kumomta", "[\"", "\\\"", "\"]", NULL},
    {"an odd backslash, and no end", "kumomta", "[\"", "\\\\\\\"", "", NULL},
    {"a string that is not closed", "kumomta", "{\"type\":\"", "x", "", NULL},
    {"a string of \\u", "kumomta", "{\"type\":\"", "\\u00e9", "\"}", NULL},
    {"digits", "kumomta", "{\"type\":1", "1", "}", NULL},
    {"a real", "kumomta", "[1.", "1", "]", NULL},
    {"UTF-8", "kumomta", "{\"type\":\"", "\xc3\xa9", "\"}", NULL},
    {"recipients", "kumomta", "{\"type\":\"Delivery\",\"timestamp\":1,\"recipient\":[\"a\"", ",\"a\"", "]}", NULL},
    {"recipients of a complaint", "kumomta", "{\"type\":\"Feedback\",\"timestamp\":1,\"feedback_report\":{\"feedback_type\":\"abuse\",\"original_rcpto_to\":[\"a@b\"", ",\"\"", "]}}", NULL},
    {"a reply of blanks and codes", "sendgrid", "{\"event\":\"bounce\",\"email\":\"a@b\",\"timestamp\":1,\"reason\":\"550 ", "550 5.1.1 550 ", "\"}", NULL},
    {"recipients", "native", "{\"kind\":\"delivered\",\"ts_ms\":1,\"recipient\":[\"a\"", ",\"a\"", "]}", NULL},
    {"keys of the length of ours", "native", "{\"kind\":\"delivered\",\"ts_ms\":1,\"recipient\":\"a\"", ",\"xxxxxxxxx\":1", "}", NULL},
    /* envelopes */
    {"an array in SNS", "ses", SNS("[{}"), ",{}", "]\"}", NULL},
    {"envelopes in an array in SNS", "ses", SNS("[{}"), ",{\\\"TopicArn\\\":1,\\\"Message\\\":\\\"{}\\\"}", "]\"}", NULL},
    {"keys that nobody wants in SNS", "ses", SNS("{\\\"eventType\\\":1"), ",\\\"delivery#\\\":{}", "}\"}", NULL},
    {"lines of envelopes", "ses", SNS("{}\"}\n"), SNS("{}\"}\n"), "", NULL},
    {"lines of shippers", "auto", "{\"message\":\"x\"}\n", "{\"message\":\"x\"}\n", "", NULL},
    {"a line of = in an envelope", "auto", "{\"message\":\"", "=", "\"}", NULL},
    /* services */
    {"recipients", "ses", SES_BOUNCED, ",{\"emailAddress\":\"a\"}", "]}}", NULL},
    {"recipients of many fields", "ses", SES_BOUNCED, ",{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1}", "]}}", NULL},
    {"headers", "ses", SES ",\"headers\":[{}", ",{\"name\":\"X-Tenan\"}", "]}}", NULL},
    {"keys that nobody wants", "ses", "{\"eventType\":\"Bounce\"", ",\"delivery#\":{}", "}", NULL},
    {"keys that nobody wants", "sparkpost", "{\"msys\":{\"message_event\":{\"type\":\"bounce\"", ",\"rcpt_to#\":\"\"", "}}}", NULL},
    {"keys that nobody wants", "sendgrid", "[{\"event\":\"bounce\",\"email\":\"a\"", ",\"k#\":1", "}]", NULL},
    {"events", "sendgrid", "[{}", ",{\"event\":\"bounce\",\"email\":\"a\",\"timestamp\":1}", "]", NULL},
    {"keys that nobody wants", "mailgun", "{\"event-data\":{\"event\":\"failed\"", ",\"user-variable#\":{}", "}}", NULL},
    {"keys that nobody wants", "halon", "{\"action\":\"BOUNCE\",\"message\":{}", ",\"attempt\":{}", "}", NULL},
    {"lines of a reply", "halon", "{\"action\":\"BOUNCE\",\"time\":1,\"message\":{\"recipient\":\"a\"},\"attempt\":{\"result\":{\"reason\":[\"a\"", ",\"a\"", "]}}}", NULL},
    {"keys that nobody wants", "powermta", "{\"type\":\"b\"", ",\"dsnDia#\":1", "}", NULL},
    /* tables */
    {"columns", "powermta", ROWS "b", ",", "", NULL},
    {"headings", "powermta", ROWS "type", ",dsnDiag", "\n", NULL},
    {"lines of headings", "powermta", ROWS, "type,dsnDiag\n", "", NULL},
    {"rows of quotes", "powermta", ROWS, "b,1,a@b,\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\n", "", NULL},
    {"a field of quotes", "powermta", ROWS "b,1,a@b,\"", "\"\"", "\"\n", NULL},
    {"a quote that is not closed", "powermta", ROWS "b,1,a@b,\"", ",", "", NULL},
    {"rows of one byte", "powermta", ROWS, "b\n", "", NULL},
    {"rows without headings", "powermta", "b\n", "b\n", "", NULL},
    /* logs */
    {"a line of =", "postfix", SYSLOG, "=", "", NULL},
    {"a line of <", "postfix", SYSLOG, "<", "", NULL},
    {"a line of to=<", "postfix", SYSLOG "to=<a@b>, status=bounced (", "to=<", ")", NULL},
    {"a line of status=", "postfix", SYSLOG "to=<a@b>,", " status=", "", NULL},
    {"a line of dsn=, and no status", "postfix", SYSLOG, " dsn", "", NULL},
    {"words that nearly are ours", "postfix", SYSLOG "to=<a@b>, status=bounced (", "connection los ", ")", NULL},
    {"] said, and no colon", "postfix", SYSLOG "to=<a@b>, status=bounced (host ", "] said:", ")", NULL},
    {"a queue id", "postfix", "Nov 21 10:00:02 mx postfix/smtp[1]: ", "A", "", NULL},
    {"lines of one byte", "postfix", SYSLOG "\n", "a\n", "", NULL},
    {"lines", "postfix", SYSLOG "\n", SYSLOG "to=<a@b>, status=sent ()\n", "", NULL},
    {"structured data", "postfix", "<1>1 2026-11-21T10:00:02Z h p - - [", "[\"", "", NULL},
    {"a date's digits", "postfix", "2026-11-21T10:00:02.", "1", "", NULL},
    {"a line of \" C=\"", "exim", "2026-11-21 10:00:12 1vMabf-000000001Ad-0004 => a@b.example ", " C=\"", "", NULL},
    {"colons", "exim", EXIM, ":", "", NULL},
    {"words that nearly are ours", "exim", EXIM "R=a: ", "connection los ", "", NULL},
    {"\\n", "exim", EXIM "R=a: ", "\\n", "", NULL},
    {"lines", "exim", EXIM "\n", EXIM "\n", "", NULL},
    {"flags without ids", "auto", "2026 exim => a", " => a", "", NULL},
    {"@", "momentum", "1795255212", "@", "", NULL},
    {"[internal", "momentum", "1795255212@1@2@3@B@a@b@c@d@e@f@0@10@1@1@", "[internal", "", NULL},
    {"lines", "momentum", "1795255212@\n", "1795255212@1@2@3@B@a@b@c@d@e@f@0@10@1@1@x\n", "", NULL},
    {"text of no format", "auto", "a", "b", "", NULL},
    {"lines of no format", "auto", "a\n", "b\n", "", NULL},
    /* mails */
    {"a mail without a type", "auto", "a:", "\nb:", "\n\n", NULL},
    {"fields To", "dsn", MAIL, "To:a\n", "\n", NULL},
    {"fields From", "dsn", MAIL, "From:a\n", "\n", NULL},
    {"fields Date", "dsn", MAIL, "Date: 1 Jan 2026 1:1\n", "\n", NULL},
    {"fields of many names", "dsn", MAIL, "X#:a\n", "\n", NULL},
    {"fields Content-Type", "dsn", MAIL, "Content-Type:a\n", "\n", NULL},
    {"a field over many lines", "dsn", MAIL "To: a", "\n a", "\n\n", NULL},
    {"addresses in To", "dsn", MAIL "To: a", ",a@b", "\n\n", NULL},
    {"groups in To", "dsn", MAIL "To: a", "a:", "\n\n", NULL},
    {"comments in To", "dsn", MAIL "To: a", "(", "\n\n", NULL},
    {"quotes in To", "dsn", MAIL "To: a", "\"", "\n\n", NULL},
    {"dots in To", "dsn", MAIL "To: a", ".", "\n\n", NULL},
    {"encoded words in Subject", "dsn", MAIL "Subject: a", " =?utf-8?b?YQ==?=", "\n\n", NULL},
    {"beginnings of encoded words", "dsn", MAIL "Subject: a", " =?", "\n\n", NULL},
    {"ids", "dsn", MAIL "References: a", "<a@b>", "\n\n", NULL},
    {"parameters of Content-Type", "dsn", MAIL "Content-Type: multipart/report", ";a#=b", "\n\n", NULL},
    {"pieces of a parameter", "dsn", MAIL "Content-Type: multipart/report", ";a*#=b", "\n\n", NULL},
    {"parts", "dsn", MIXED, "--b\n\na\n", "--b--\n", NULL},
    {"parts with a head", "dsn", MIXED, "--b\nContent-Type: text/plain\n\na\n", "--b--\n", NULL},
    {"dashes", "dsn", MIXED "--b\n\n", "--\n", "--b--\n", NULL},
    {"a boundary of dashes", "dsn", MAIL "Content-Type: multipart/mixed; boundary=------------------------------------------------------------a\n\n", "-", "", NULL},
    {"delimiters that are none", "dsn", MIXED "--b\n\n", "x--b\n--bx\n", "--b--\n", NULL},
    {"multiparts in each other", "dsn", MIXED, "--b\nContent-Type: multipart/mixed; boundary=b\n\n", "", NULL},
    {"multiparts of own boundaries", "dsn", MIXED "--b\n", "Content-Type: multipart/mixed; boundary=b#\n\n--b#\n", "", NULL},
    {"mails in each other", "dsn", MAIL, "Content-Type: message/rfc822\n\n", "", NULL},
    {"mails in base64", "dsn", MAIL "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n", "Q29udGVudC1UeXBlOiBtZXNzYWdlL3JmYzgyMgoK\n", "", NULL},
    {"a report in base64", "dsn", REPORT("delivery-status", "delivery-status\nContent-Transfer-Encoding: base64"), "RmluYWwtUmVjaXBpZW50OiByZmM4MjI7YUBiCgoK\n", "--b--\n", NULL},
    {"blocks of the report", "dsn", DSN, "Final-Recipient: rfc822;a@b\n\n", "--b--\n", NULL},
    {"blocks of nothing", "dsn", DSN, "a\n\n", "--b--\n", NULL},
    {"fields of the report", "dsn", DSN, "Final-Recipien:\n", "--b--\n", NULL},
    {"a recipient of backslashes", "dsn", DSN "Final-Recipient: utf-8;a@", "\\x{41}", "\n--b--\n", NULL},
    {"blanks in the report", "dsn", DSN "Final-Recipient", " ", "\n--b--\n", NULL},
    {"empty lines in the report", "dsn", DSN, "\n", "--b--\n", NULL},
    {"fields of the returned mail", "dsn", DSN "Final-Recipient: rfc822;a@b\n\n--b\nContent-Type: message/rfc822\n\n", "To:a\n", "\n--b--\n", NULL},
    {"recipients", "arf", ARF, "Original-Rcpt-To: a@b\n", "--b--\n", NULL},
    {"no recipients", "arf", ARF, "Original-Rcpt-To:\n", "--b--\n", NULL},
    {"a trace", "arf", ARF "\n--b\nContent-Type: message/rfc822\n\nX-KumoRef: ", "eyJfQF8iOiJcXF8vIn0K", "\n\n--b--\n", NULL},
    {"a return path", "arf", ARF "Original-Mail-From: b+", "1.", "@b.example\n--b--\n", NULL},
};
/* clang-format on */

enum { HOSTILE_COUNT = sizeof(TABLE) / sizeof(TABLE[0]) };

const struct hostile *hostile_at(size_t i)
{
    return i < HOSTILE_COUNT ? &TABLE[i] : NULL;
}

static void put_numbered(struct writer *out, const char *piece, unsigned number)
{
    char digits[16];
    const int size = snprintf(digits, sizeof(digits), "%u", number);
    for (; *piece != '\0'; piece++) {
        if (*piece == '#') {
            put_bytes(out, (struct span){digits, (size_t)size});
        } else {
            put_u8(out, (uint8_t)*piece);
        }
    }
}

struct span hostile_write(const struct hostile *hostile, size_t size, char *memory)
{
    static const size_t NUMBERS_SIZE_MAX = 24; /* in one piece */
    const struct span end = span_of(hostile->end);
    const struct span mirror = span_of(hostile->mirror);
    const size_t piece_max = strlen(hostile->piece) + NUMBERS_SIZE_MAX + mirror.size;
    struct writer out = writer_init(memory, size);
    unsigned count = 0;
    put_bytes(&out, span_of(hostile->begin));
    while (out.size + piece_max + count * mirror.size + end.size <= size) {
        put_numbered(&out, hostile->piece, count++);
    }
    for (unsigned i = 0; i < count; i++) {
        put_bytes(&out, mirror);
    }
    put_bytes(&out, end);
    CHECK(!out.overflowed);
    return writer_span(&out);
}

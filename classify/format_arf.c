/* classify/format_arf.c - complaints: feedback reports as mails, in the Abuse Reporting Format.
 *
 *     Content-Type: multipart/report; report-type=feedback-report
 *       text/plain                     for people
 *       message/feedback-report        type, return path, and, where the reporter does not hide them, the recipients
 *       message/rfc822                 the mail that they complain about
 *
 * Many reporters hide the recipient. It is then looked for where senders put it themselves: in the trace that KumoMTA adds
 * (X-KumoRef), and in a return path that names it (b+7740.lea=isp.example@shop.example). It is never guessed from the To of
 * the mail.
 *
 * Source: RFC 5965, RFC 6430, RFC 6650; KumoMTA, crates/kumo-log-types/src/rfc5965.rs (the trace).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format_mail.h"

/* One that the reporter has not hidden. */
static bool is_address(struct span text)
{
    return text.size > 0 && memchr(text.data, '@', text.size) != NULL &&
           !text_contains(text, "redacted") && !text_contains(text, "hidden@") &&
           text.data[0] != '[';
}

/* --- the return path ----------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_mark(char c)
{
    return c == '+' || c == '.' || c == '-' || c == '_';
}

/* What the sender put before the recipient: up to a plus, else a word; then numbers, each with a mark behind it. */
static struct span without_prefix(struct span local)
{
    const char *plus = memchr(local.data, '+', local.size);
    size_t used = plus == NULL ? 0 : (size_t)(plus - local.data) + 1;
    if (plus == NULL) {
        static const char *const WORDS[] = {"bounces", "bounce", "return", "b", "r", "rp"};
        for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]) && used == 0; i++) {
            const size_t size = strlen(WORDS[i]);
            if (span_starts_nocase(local, span_of(WORDS[i])) && size < local.size &&
                is_mark(local.data[size])) {
                used = size + 1;
            }
        }
    }
    for (size_t at = used; at < local.size && is_digit(local.data[at]);) {
        while (at < local.size && is_digit(local.data[at])) {
            at++;
        }
        if (at < local.size && is_mark(local.data[at])) {
            used = ++at;
        }
    }
    return (struct span){local.data + used, local.size - used};
}

/* b+7740.lea=isp.example@shop.example: lea@isp.example. */
static struct span recipient_of_return_path(struct decoding *decoding, struct span path)
{
    const char *at = path.size == 0 ? NULL : memrchr(path.data, '@', path.size);
    if (at == NULL) {
        return SPAN_NONE;
    }
    const struct span local = {path.data, (size_t)(at - path.data)};
    const char *equals = local.size == 0 ? NULL : memrchr(local.data, '=', local.size);
    if (equals == NULL) {
        return SPAN_NONE;
    }
    const struct span domain = {equals + 1, (size_t)(at - equals) - 1};
    const struct span user =
        without_prefix((struct span){local.data, (size_t)(equals - local.data)});
    const bool is_domain = domain.size > 0 && memchr(domain.data, '.', domain.size) != NULL;
    return is_domain ? decoding_join(decoding, user, '@', domain) : SPAN_NONE;
}

/* --- the trace ----------------------------------------------------------------------------------
 */

/* Base64 of {"_@_":"\\_/","recipient":"...","tenant":...}, maybe over several lines. */
static void take_trace(struct decoding *decoding, struct span value, struct event *event)
{
    char *memory = decoding_memory(decoding, value.size);
    if (value.size == 0 || memory == NULL) {
        return;
    }
    const struct json_node *trace = decoding_read_json(decoding, fields_base64(value, memory));
    if (trace == NULL || field_find(trace, "_@_") == NULL) {
        return;
    }
    event->recipient = field_first_text(field_find(trace, "recipient"));
    event->tenant = field_text(field_find(trace, "tenant"));
    event->campaign = field_text(field_find(trace, "campaign"));
}

/* --- the report ---------------------------------------------------------------------------------
 */

/* An event for each recipient that the report names; how many there were. */
static size_t decode_named(struct decoding *decoding, struct event event, struct span report)
{
    size_t count = 0;
    for (struct span value = fields_find(report, "Original-Rcpt-To"); value.data != NULL;
         value = fields_find_next(report, "Original-Rcpt-To", value)) {
        event.recipient = text_in_brackets(value);
        if (is_address(event.recipient) && ++count <= DECODE_RECIPIENTS_MAX) {
            decoding_event_checked(decoding, &event);
        }
    }
    return count;
}

static void decode_hidden(struct decoding *decoding,
                          struct event event,
                          struct span report,
                          struct span returned)
{
    event.recipient = text_in_brackets(fields_find(report, "Removal-Recipient"));
    if (!is_address(event.recipient)) {
        event.recipient = SPAN_NONE;
        take_trace(decoding, fields_find(returned, "X-KumoRef"), &event);
    }
    if (!is_address(event.recipient)) {
        event.recipient = recipient_of_return_path(decoding, event.sender);
    }
    decoding_event_checked(decoding, &event);
}

static void decode_report(struct decoding *decoding, const struct mail *mail)
{
    struct event event = event_init();
    const struct span report = mail->report_fields;
    const struct span returned = mail->returned_fields;
    event.native_class = fields_find(report, "Feedback-Type");
    event.kind = feedback_kind(event.native_class);
    event.ts_ms = mail_date_ms(mail);
    if (event.ts_ms == 0) {
        (void)fields_date_ms(fields_find(report, "Arrival-Date"), &event.ts_ms);
    }
    event.sender = text_in_brackets(fields_find(report, "Original-Mail-From"));
    event.message_id = text_in_brackets(fields_find(returned, "Message-ID"));
    event.tenant = fields_find(returned, "X-Tenant");
    event.campaign = fields_find(returned, "X-Campaign");
    if (decode_named(decoding, event, report) == 0) {
        decode_hidden(decoding, event, report, returned);
    }
}

static void decode_mail(struct decoding *decoding, struct span record)
{
    decoding_mail(decoding, record, REPORT_FEEDBACK, decode_report);
}

static bool is_like_text(struct span text)
{
    return mail_has_head(text) && text_contains(text, "message/feedback-report");
}

const struct format FORMAT_ARF = {
    .name = "arf",
    .pick = pick_nothing,
    .knows = know_nothing,
    .object = refuse_object,
    .mail = decode_mail,
    .is_like_text = is_like_text,
};

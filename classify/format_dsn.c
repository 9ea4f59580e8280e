/* classify/format_dsn.c - bounce mails: delivery status notifications.
 *
 *     Content-Type: multipart/report; report-type=delivery-status        the mail, as it arrived at the return path
 *       text/plain                                                        for people: nobody reads it here
 *       message/delivery-status                                           a block for the mail, then one for each recipient
 *       text/rfc822-headers or message/rfc822                             the mail that was returned
 *
 * A mail without such a report (an automatic answer, a bounce in words alone) is ignored. Tenant and campaign stand in the
 * returned mail's X-Tenant and X-Campaign, or where the user says (struct decode_names).
 *
 * Source: RFC 3462, RFC 3464, RFC 6533.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format_mail.h"
#include "classify/reply.h"
#include "classify/stage.h"

static const struct word_kind ACTIONS[] = {
    {"failed", KIND_LATE_BOUNCE}, {"delayed", KIND_DEFERRED},   {"delivered", KIND_DELIVERED},
    {"relayed", KIND_DELIVERED},  {"expanded", KIND_DELIVERED},
};

static bool is_address(struct span type, struct span value)
{
    return (type.size == 0 || span_equal_nocase(type, SPAN("rfc822")) ||
            span_equal_nocase(type, SPAN("utf-8"))) &&
           value.size > 0 && memchr(value.data, '@', value.size) != NULL;
}

static int hex_value(char c)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(DIGITS, c >= 'a' && c <= 'f' ? c - 0x20 : c);
    return at == NULL ? -1 : (int)(at - DIGITS);
}

static void put_utf8(struct writer *out, uint32_t c)
{
    if (c < 0x80) {
        put_u8(out, (uint8_t)c);
    } else if (c < 0x800) {
        put_u8(out, (uint8_t)(0xc0 | c >> 6));
        put_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        put_u8(out, (uint8_t)(0xe0 | c >> 12));
        put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        put_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        put_u8(out, (uint8_t)(0xf0 | c >> 18));
        put_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        put_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* `\x{FC}`: how much of the text it is, 0 if it is no such thing. */
static size_t escaped_character(struct span text, uint32_t *out)
{
    size_t i = 3;
    *out = 0;
    if (!span_starts(text, SPAN("\\x{"))) {
        return 0;
    }
    while (i < text.size && i < 9 && hex_value(text.data[i]) >= 0) {
        *out = *out * 16 + (uint32_t)hex_value(text.data[i++]);
    }
    return i > 3 && i < text.size && text.data[i] == '}' && *out <= 0x10ffff ? i + 1 : 0;
}

/* An address that had to pass servers of ASCII (RFC 6533 3). */
static struct span without_escapes(struct decoding *decoding, struct span text)
{
    char *memory = text.size == 0 || memchr(text.data, '\\', text.size) == NULL
                       ? NULL
                       : decoding_memory(decoding, text.size);
    if (memory == NULL) {
        return text;
    }
    struct writer out = writer_init(memory, text.size);
    while (text.size > 0) {
        uint32_t character;
        size_t used = escaped_character(text, &character);
        if (used > 0) {
            put_utf8(&out, character);
        } else {
            used = 1;
            put_u8(&out, (uint8_t)text.data[0]);
        }
        text = (struct span){text.data + used, text.size - used};
    }
    return writer_span(&out);
}

/* As the sender wrote it, if the report knows that. */
static bool take_recipient(struct decoding *decoding, struct span block, struct span *out)
{
    struct span type;
    const struct span original = text_typed(fields_find(block, "Original-Recipient"), &type);
    const bool has_original = is_address(type, original);
    const struct span final = text_typed(fields_find(block, "Final-Recipient"), &type);
    const bool has_final = is_address(type, final);
    const bool takes_original = has_original && (decoding_prefers_original(decoding) || !has_final);
    *out = without_escapes(decoding, takes_original ? original : final);
    return takes_original || has_final;
}

static void decode_recipient(struct decoding *decoding, struct event event, struct span block)
{
    struct span type;
    int64_t attempt_ms;
    const struct span status = fields_find(block, "Status");
    const struct span diagnostic = text_typed(fields_find(block, "Diagnostic-Code"), &type);
    const bool has_address = take_recipient(decoding, block, &event.recipient);
    struct span action = fields_find(block, "Action");
    action.size = action.size == 0 ? 0 : text_host(action).size; /* a comment may follow */
    event.kind = has_address ? word_kind(ACTIONS, sizeof(ACTIONS) / sizeof(ACTIONS[0]), action)
                             : KIND_IGNORED;
    decoding_reply(decoding, diagnostic, status, &event.reply);
    if (event.reply.stage == STAGE_NONE) { /* Exim tells it beside the reply, if it is built so */
        event.reply.stage =
            stage_in_text(text_typed(fields_find(block, "X-Exim-Diagnostic"), &type));
    }
    event.mx = text_host(text_typed(fields_find(block, "Remote-MTA"), &type));
    if (fields_date_ms(fields_find(block, "Last-Attempt-Date"), &attempt_ms)) {
        event.ts_ms = attempt_ms;
    }
    if (event.kind == KIND_LATE_BOUNCE && event.reply.enhanced.subject == 4 &&
        event.reply.enhanced.detail == 7) {
        event.kind = KIND_EXPIRED;
    }
    decoding_event_checked(decoding, &event);
}

/* Of a field over several lines, which these never are, the first. */
static struct event event_of_mail(const struct mail *mail)
{
    struct event event = event_init();
    const struct span returned = mail_returned_fields(mail);
    event.ts_ms = mail_date_ms(mail);
    event.message_id = text_in_brackets(fields_find(returned, "Message-ID"));
    event.tenant = fields_find(returned, "X-Tenant");
    event.campaign = fields_find(returned, "X-Campaign");
    event.sender = text_in_brackets(mail_field(mail, "To"));
    return event;
}

static void decode_report(struct decoding *decoding, const struct mail *mail)
{
    const struct event event = event_of_mail(mail);
    decoding_take_headers(decoding, mail_returned_fields(mail));
    struct span text = mail_report_fields(mail);
    struct span block;
    uint32_t count = 0;
    while (fields_next_block(&text, &block)) {
        const bool is_recipient = fields_find(block, "Final-Recipient").size > 0 ||
                                  fields_find(block, "Original-Recipient").size > 0;
        if (!is_recipient) {
            continue; /* the block of the mail itself */
        }
        if (++count > DECODE_RECIPIENTS_MAX) {
            decoding_fault(decoding, "more than 1000 recipients in one report");
            return;
        }
        decoding_release(decoding);
        decode_recipient(decoding, event, block);
    }
    if (count == 0) {
        decoding_fault(decoding, "a delivery report without a recipient");
    }
}

static void decode_mail(struct decoding *decoding, struct span record)
{
    decoding_mail(decoding, record, REPORT_DELIVERY, decode_report);
}

/* Every other mail too: it is ignored. */
static bool is_like_text(struct span text)
{
    return mail_has_head(text) &&
           (text_contains(text, "\ncontent-type:") || text_contains(text, "\nmime-version:"));
}

const struct format FORMAT_DSN = {
    .name = "dsn",
    .pick = pick_nothing,
    .knows = know_nothing,
    .object = refuse_object,
    .mail = decode_mail,
    .is_like_text = is_like_text,
};

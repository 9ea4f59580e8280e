/* classify/format_postfix.c - Postfix: its log, as lines or as a shipper of logs wraps them.
 *
 *     Nov 21 10:00:12 mx-out1 postfix/smtp[4113]: 4XkT2m1YqDz1004: to=<gil@example.com>, relay=mx1.example.com[192.0.2.25]:25,
 *     delay=1.4, delays=..., dsn=5.1.1, status=bounced (host mx1.example.com[192.0.2.25] said: 550 5.1.1 User unknown (in reply
 *     to RCPT TO command))
 *
 * One line with `to=` and `status=` is one event; all others are the story around it. Who gives up after days names no
 * recipient (`status=expired`): read the bounce mails for that (format dsn).
 *
 * Source: postfix/src/global/log_adhoc.c (the line), src/smtp/smtp_proto.c, smtp_trouble.c (the texts).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"
#include "classify/log_line.h"
#include "classify/reply.h"
#include "classify/stage.h"

static const struct word_kind KINDS[] = {
    {"sent", KIND_DELIVERED},
    {"deferred", KIND_DEFERRED},
    {"SOFTBOUNCE", KIND_DEFERRED}, /* soft_bounce = yes: it will be tried again */
    {"bounced", KIND_BOUNCED},
};

/* What stands behind ` name=`, up to a comma; SPAN_NONE if it is not there. */
static struct span value_of(struct span text, struct span name)
{
    const size_t at = span_find(text, name);
    if (at == text.size) {
        return SPAN_NONE;
    }
    const struct span value = span_skip(text, at + name.size);
    const char *comma = value.size == 0 ? NULL : memchr(value.data, ',', value.size);
    return (struct span){value.data, comma == NULL ? value.size : (size_t)(comma - value.data)};
}

/* An address in angle brackets, which may hold commas. */
static struct span address_of(struct span text, struct span name)
{
    const size_t at = span_find(text, name);
    if (at == text.size) {
        return SPAN_NONE;
    }
    const struct span value = span_skip(text, at + name.size);
    const size_t end = span_find(value, SPAN(">,"));
    const size_t last = span_find(value, SPAN(">"));
    const size_t size = end < value.size ? end : last;
    return size == 0 || size == value.size ? SPAN_NONE : (struct span){value.data, size};
}

/* --- what is in the brackets at the end ---------------------------------------------------------
 */

/* `(text)`; a text may hold brackets itself, and the line may have been cut. */
static struct span text_of(struct span behind_status)
{
    const size_t open = span_find(behind_status, SPAN(" ("));
    if (open == behind_status.size) {
        return SPAN_NONE;
    }
    struct span text = span_trim(span_skip(behind_status, open + 2));
    if (text.size > 0 && text.data[text.size - 1] == ')') {
        text.size--;
    }
    return text;
}

/* `host NAME[IP] said: ` and `host NAME[IP] refused to talk to me: ` in front, ` (in reply to RCPT TO command)` behind: what is
 * between is the server's. */
static bool take_server_words(struct span *text)
{
    static const struct span SAYS[] = {{"] said: ", 8}, {"] refused to talk to me: ", 25}};
    if (!span_starts(*text, SPAN("host "))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(SAYS) / sizeof(SAYS[0]); i++) {
        const size_t at = span_find(*text, SAYS[i]);
        if (at < text->size) {
            *text = span_skip(*text, at + SAYS[i].size);
            text->size = span_find(*text, SPAN(" (in reply to "));
            return true;
        }
    }
    return false;
}

/* The delivery agents of the machine speak for its mailboxes. */
static bool is_agent(struct span relay)
{
    return relay.size > 0 && !span_equal(relay, SPAN("none")) &&
           memchr(relay.data, '[', relay.size) == NULL;
}

static void judge(struct event *event, struct span text, bool is_servers, struct span relay)
{
    if (is_servers || event->kind == KIND_DELIVERED || is_agent(relay)) {
        return;
    }
    if (text_is_unreached(text) && !span_starts(text, SPAN("delivery temporarily suspended"))) {
        event->kind = event->kind == KIND_BOUNCED ? KIND_EXPIRED : event->kind;
        return;
    }
    event->origin = ORIGIN_LOCAL;
}

static void decode_attempt(struct decoding *decoding, struct event event, struct span text)
{
    const size_t at = span_find(text, SPAN(" status="));
    const struct span behind = span_skip(text, at + 8);
    const struct span head = {text.data, at};
    const struct span relay = value_of(head, SPAN(" relay="));
    struct span words = text_of(behind);
    event.native_class = (struct span){behind.data, span_find(behind, SPAN(" "))};
    event.kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), event.native_class);
    const struct span original = address_of(head, SPAN(" orig_to=<"));
    event.recipient = decoding_prefers_original(decoding) && original.size > 0 &&
                              memchr(original.data, '@', original.size) != NULL
                          ? original
                          : address_of(head, SPAN("to=<"));
    if (!span_equal(relay, SPAN("none"))) {
        event.mx = text_host(relay);
    }
    const enum stage stage = stage_in_text(words);
    const bool is_servers = take_server_words(&words);
    decoding_reply(decoding, words, value_of(head, SPAN(" dsn=")), &event.reply);
    event.reply.stage = stage;
    judge(&event, words, is_servers, relay);
    decoding_event_checked(decoding, &event);
}

/* `4XkT2m1YqDz1001: rest` */
static struct span take_queue_id(struct span *text)
{
    const size_t size = span_find(*text, SPAN(": "));
    for (size_t i = 0; i < size; i++) {
        const char c = text->data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) {
            return SPAN_NONE;
        }
    }
    if (size == text->size) {
        return SPAN_NONE;
    }
    const struct span id = {text->data, size};
    *text = span_skip(*text, size + 2);
    return id;
}

static void decode_line(struct decoding *decoding, struct span line)
{
    struct log_line log = log_line_parse(line, decoding_about_ms(decoding));
    struct event event = event_init();
    event.ts_ms = log.ts_ms != 0 ? log.ts_ms : decoding_envelope_ms(decoding);
    event.message_id = take_queue_id(&log.text);
    if (event.message_id.size > 0 && span_starts(log.text, SPAN("to=<")) &&
        span_find(log.text, SPAN(" status=")) < log.text.size) {
        decode_attempt(decoding, event, log.text);
    } else {
        decoding_event(decoding, &event);
    }
}

static bool is_like_text(struct span text)
{
    return text_holds(text, "postfix/") ||
           (text_holds(text, ": to=<") && text_holds(text, " status="));
}

const struct format FORMAT_POSTFIX = {
    .name = "postfix",
    .pick = pick_nothing,
    .knows = know_nothing,
    .object = refuse_object,
    .line = decode_line,
    .is_like_text = is_like_text,
};

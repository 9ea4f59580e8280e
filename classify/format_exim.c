/* classify/format_exim.c - Exim: the main log.
 *
 *     2026-11-21 10:00:12 1vMabf-000000001Ad-0004 ** gil@example.com F=<b@shop.example.net> R=dnslookup T=remote_smtp
 *     H=mx1.example.com [192.0.2.25]: SMTP error from remote mail server after RCPT TO:<gil@example.com>: 550 5.1.1 User unknown
 *
 * The flag says what happened: `=>` `->` `>>` delivered, `==` deferred, `**` failed; with others it is no attempt. Behind the
 * address stand fields (`X=...`) in an order that versions change, then, after a colon, the text.
 *
 * Source: Exim specification, chapter "Log files"; src/src/log.c, transports/smtp.c (the texts).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"
#include "classify/log_line.h"
#include "classify/stage.h"

static const struct word_kind KINDS[] = {
    {"=>", KIND_DELIVERED}, {"->", KIND_DELIVERED}, {">>", KIND_DELIVERED},
    {"==", KIND_DEFERRED},  {"**", KIND_BOUNCED},
};

static struct span take_word(struct span *text)
{
    const size_t size = span_find(*text, SPAN(" "));
    const struct span word = {text->data, size};
    *text = span_trim(span_skip(*text, size));
    return word;
}

/* `1vMabf-000000001Ad-0004`, before 4.97 `1vMabf-0001Ad-04`. */
static bool is_message_id(struct span word)
{
    size_t dashes = 0;
    for (size_t i = 0; i < word.size; i++) {
        const char c = word.data[i];
        dashes += c == '-';
        if (c != '-' &&
            !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) {
            return false;
        }
    }
    return dashes == 2 && word.size >= 16 && word.data[6] == '-';
}

/* The rest of ` F=` up to a blank; SPAN_NONE if it is not there. */
static struct span field_of(struct span text, struct span name)
{
    const size_t at = span_find(text, name);
    if (at == text.size) {
        return SPAN_NONE;
    }
    const struct span value = span_skip(text, at + name.size);
    return (struct span){value.data, span_find(value, SPAN(" "))};
}

/* --- the text -----------------------------------------------------------------------------------
 */

/* Answers of several lines are written with \n between them. */
static struct span with_line_breaks(struct decoding *decoding, struct span text)
{
    char *memory =
        span_find(text, SPAN("\\n")) == text.size ? NULL : decoding_memory(decoding, text.size);
    if (memory == NULL) {
        return text;
    }
    struct writer out = writer_init(memory, text.size);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\\' && i + 1 < text.size && text.data[i + 1] == 'n') {
            put_u8(&out, '\n');
            i++;
        } else {
            put_u8(&out, (uint8_t)text.data[i]);
        }
    }
    return writer_span(&out);
}

/* `SMTP error from remote mail server after RCPT TO:<a@b>: `, older ones with `host mx [192.0.2.1]: ` behind it: what follows
 * is the server's. */
static bool take_server_words(struct span *text)
{
    const bool says = span_starts(*text, SPAN("SMTP error from remote mail")) ||
                      span_starts(*text, SPAN("LMTP error after "));
    const size_t after = span_find(*text, SPAN(" after "));
    if (!says || after == text->size) {
        return false;
    }
    struct span rest = span_skip(*text, after);
    const size_t colon = span_find(rest, SPAN(": "));
    if (colon == rest.size) {
        return false;
    }
    rest = span_skip(rest, colon + 2);
    const size_t second = span_find(rest, SPAN(": "));
    if (span_starts(rest, SPAN("host ")) && second < rest.size) {
        rest = span_skip(rest, second + 2);
    }
    *text = rest;
    return true;
}

static bool has_given_up(struct span text)
{
    return span_find(text, SPAN("retry timeout exceeded")) < text.size;
}

static void judge(struct event *event, struct span text, bool is_servers)
{
    const bool is_final = event->kind == KIND_BOUNCED;
    const bool is_unreached = !is_servers && !has_given_up(text) && text_is_unreached(text);
    if (is_final && (has_given_up(text) || is_unreached || event->reply.code / 100 == 4)) {
        event->kind = KIND_EXPIRED;
    }
    if (!is_servers && !is_unreached) {
        event->origin = ORIGIN_LOCAL;
    }
}

/* --- the line -----------------------------------------------------------------------------------
 */

/* `new@x <as.sent@x>`: the address as it was sent stands behind the one that it became. */
static struct span take_recipient(const struct decoding *decoding, struct span *rest)
{
    struct span recipient = take_word(rest);
    if (recipient.size > 0 && recipient.data[recipient.size - 1] == ':') {
        recipient.size--;
    }
    if (rest->size > 0 && rest->data[0] == '<') {
        const size_t end = span_find(*rest, SPAN(">"));
        const struct span original = {rest->data, end < rest->size ? end + 1 : end};
        if (decoding_prefers_original(decoding) &&
            memchr(original.data, '@', original.size) != NULL) {
            recipient = text_in_brackets(original);
        }
        *rest = span_skip(*rest, original.size);
    }
    return recipient;
}

/* The text behind the fields, for what failed. */
static struct span failure_text(struct span line, struct span rest)
{
    /* `addr: text` has no fields */
    const char *colon = rest.data - 2;
    if (colon > line.data && colon[0] == ':') {
        return rest;
    }
    if (rest.size > 0 && rest.data[0] == ':') {
        return span_trim(span_skip(rest, 1));
    }
    const size_t at = span_find(rest, SPAN(": "));
    return at == rest.size ? SPAN_NONE : span_skip(rest, at + 2);
}

/* C="250 2.0.0 Ok" */
static struct span confirmation(struct span rest)
{
    const size_t at = span_find(rest, SPAN(" C=\""));
    if (at == rest.size) {
        return SPAN_NONE;
    }
    const struct span text = span_skip(rest, at + 4);
    const size_t end = span_find(text, SPAN("\" "));
    if (end < text.size) {
        return (struct span){text.data, end};
    }
    return (struct span){text.data, text.size - (text.size > 0 && text.data[text.size - 1] == '"')};
}

static void decode_attempt(struct decoding *decoding, struct event event, struct span rest)
{
    const struct span line = rest;
    event.recipient = take_recipient(decoding, &rest);
    struct span sender = field_of(rest, SPAN("F="));
    if (sender.size == 0) {
        sender = field_of(rest, SPAN("P=<"));
    }
    event.sender = text_in_brackets(sender);
    event.mx = text_host(field_of(rest, SPAN("H=")));
    if (event.kind == KIND_DELIVERED) {
        decoding_reply(decoding, with_line_breaks(decoding, confirmation(rest)), SPAN_NONE,
                       &event.reply);
    } else {
        struct span text = failure_text(line, rest);
        const enum stage stage = stage_in_text(text);
        const bool is_servers = take_server_words(&text);
        decoding_reply(decoding, with_line_breaks(decoding, text), SPAN_NONE, &event.reply);
        event.reply.stage = stage;
        judge(&event, text, is_servers);
    }
    decoding_event_checked(decoding, &event);
}

/* An arrival: the story around the attempts. */
static void decode_other(struct decoding *decoding,
                         struct event event,
                         struct span flag,
                         struct span rest)
{
    if (span_equal(flag, SPAN("<="))) {
        const struct span sender = take_word(&rest);
        const struct span id = field_of(rest, SPAN(" id="));
        event.sender = text_in_brackets(sender);
        event.message_id = id.size > 0 ? id : event.message_id;
    }
    decoding_event(decoding, &event);
}

static void decode_line(struct decoding *decoding, struct span line)
{
    struct log_line log = log_line_parse(line, decoding_about_ms(decoding));
    struct event event = event_init();
    struct span rest = log.text;
    int64_t own_ms;
    if (log_time_take(&rest, &own_ms)) { /* its own time, behind that of syslog */
        log.ts_ms = own_ms;
    }
    if (rest.size > 0 && rest.data[0] == '[') { /* +pid */
        (void)take_word(&rest);
    }
    event.ts_ms = log.ts_ms != 0 ? log.ts_ms : decoding_envelope_ms(decoding);
    const struct span id = take_word(&rest);
    if (!is_message_id(id)) {
        decoding_event(decoding, &event);
        return;
    }
    event.message_id = id;
    const struct span flag = take_word(&rest);
    event.kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), flag);
    if (event.kind == KIND_IGNORED) {
        decode_other(decoding, event, flag, rest);
    } else {
        decode_attempt(decoding, event, rest);
    }
}

/* `1vMabf-000000001Ad-0004 ** ` in any of the first lines, or the words of a queue runner. */
static bool is_like_text(struct span text)
{
    static const char *const FLAGS[] = {" <= ", " => ", " -> ", " >> ",
                                        " == ", " ** ", " *> ", " Completed"};
    for (size_t i = 0; i < sizeof(FLAGS) / sizeof(FLAGS[0]); i++) {
        const size_t at = span_find(text, span_of(FLAGS[i]));
        const char *before = at == text.size ? NULL : memrchr(text.data, ' ', at);
        if (before != NULL &&
            is_message_id((struct span){before + 1, (size_t)(text.data + at - before) - 1})) {
            return true;
        }
    }
    return false;
}

const struct format FORMAT_EXIM = {
    .name = "exim",
    .pick = pick_nothing,
    .knows = know_nothing,
    .object = refuse_object,
    .line = decode_line,
    .is_like_text = is_like_text,
};

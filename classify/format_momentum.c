/* classify/format_momentum.c - Momentum: the bounce log.
 *
 *     1795255212@91/6D-07914-E67BC001@00/00-..@00/00-..@B@gil@example.com@news@bounce.shop.example.net@gold@ip-7@4@10@1223@
 *     192.0.2.25@550 5.1.1 <gil@example.com>: User unknown
 *
 * Fields between @, so an address fills two; the last, the reply, may hold more of them. A short line is a heartbeat.
 *
 * Source: momentum-documentation, "log_formats.bouncelog", "log_formats.connection.stages", "bounce_logger.classification.codes".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"

enum field {
    TIME,
    MESSAGE_ID,
    BATCH_ID,
    CONNECTION_ID,
    TYPE,
    TO_LOCAL,
    TO_DOMAIN,
    FROM_LOCAL,
    FROM_DOMAIN,
    BINDING_GROUP,
    BINDING,
    STAGE,
    CLASS,
    SIZE,
    PEER,
    REPLY,
    FIELD_COUNT
};

/* --- what Momentum means, here and in SparkPost's events ----------------------------------------
 */

/* Auto-reply, subscribe, challenge and response: no failure of a delivery. */
static bool is_no_bounce(struct span class_)
{
    return span_equal(class_, SPAN("60")) || span_equal(class_, SPAN("80")) ||
           span_equal(class_, SPAN("100"));
}

static enum kind refine_kind(enum kind kind, struct span class_, bool is_unreached)
{
    if (kind != KIND_BOUNCED && kind != KIND_LATE_BOUNCE) {
        return kind;
    }
    if (is_no_bounce(class_)) {
        return KIND_IGNORED;
    }
    if (span_equal(class_, SPAN("90"))) {
        return KIND_UNSUBSCRIBE;
    }
    if (kind == KIND_LATE_BOUNCE) {
        return kind;
    }
    if (span_equal(class_, SPAN("25"))) {
        return KIND_ADMIN;
    }
    return span_equal(class_, SPAN("24")) || is_unreached ? KIND_EXPIRED : kind;
}

/* [internal] marks what no server said. */
void momentum_judge(struct event *event)
{
    const bool is_internal = text_contains(event->reply.text, "[internal]");
    const bool is_unreached = is_internal && text_is_unreached(event->reply.text);
    event->kind = refine_kind(event->kind, event->native_class, is_unreached);
    const bool is_attempt = event->kind == KIND_DELIVERED || event->kind == KIND_DEFERRED ||
                            event->kind == KIND_BOUNCED || event->kind == KIND_EXPIRED;
    if (event->kind == KIND_DROPPED || event->kind == KIND_ADMIN || event->kind == KIND_RECEIVED ||
        (is_attempt && is_internal && !is_unreached)) {
        event->origin = ORIGIN_LOCAL;
    }
}

/* --- the log ------------------------------------------------------------------------------------
 */

/* How many fields there are; the last takes the rest. */
static size_t split(struct span line, struct span fields[FIELD_COUNT])
{
    size_t count = 0;
    for (;;) {
        const char *at =
            line.size == 0 || count == FIELD_COUNT - 1 ? NULL : memchr(line.data, '@', line.size);
        const size_t size = at == NULL ? line.size : (size_t)(at - line.data);
        fields[count++] = (struct span){line.data, size};
        if (at == NULL) {
            return count;
        }
        line = (struct span){line.data + size + 1, line.size - size - 1};
    }
}

static enum kind kind_of(const struct span *fields)
{
    if (span_equal(fields[STAGE], SPAN("21"))) {
        return KIND_LATE_BOUNCE;
    }
    return span_equal(fields[TYPE], SPAN("B"))   ? KIND_BOUNCED
           : span_equal(fields[TYPE], SPAN("T")) ? KIND_DEFERRED
                                                 : KIND_IGNORED;
}

/* What Momentum was doing. Between two commands (3, after MAIL FROM) the server spoke unasked. */
static enum stage stage_of(struct span number)
{
    static const struct {
        struct span number;
        enum stage stage;
    } STAGES[] = {
        {KEY("2"), STAGE_MAIL_FROM},   {KEY("4"), STAGE_RCPT_TO},   {KEY("6"), STAGE_DATA},
        {KEY("9"), STAGE_END_OF_DATA}, {KEY("10"), STAGE_EHLO},     {KEY("12"), STAGE_CONNECT},
        {KEY("15"), STAGE_STARTTLS},   {KEY("17"), STAGE_STARTTLS},
    };
    for (size_t i = 0; i < sizeof(STAGES) / sizeof(STAGES[0]); i++) {
        if (span_equal(number, STAGES[i].number)) {
            return STAGES[i].stage;
        }
    }
    return STAGE_NONE;
}

static struct span none_if_empty(struct span text)
{
    return text.size == 0 ? SPAN_NONE : text;
}

static void decode_line(struct decoding *decoding, struct span line)
{
    struct span fields[FIELD_COUNT];
    struct event event = event_init();
    uint64_t seconds;
    if (split(line, fields) < FIELD_COUNT) {
        decoding_event(decoding, &event);
        return;
    }
    event.kind = kind_of(fields);
    if (span_to_u64(fields[TIME], &seconds) && seconds <= (uint64_t)TIME_MS_MAX / 1000) {
        event.ts_ms = (int64_t)seconds * 1000;
    }
    event.recipient = decoding_join(decoding, fields[TO_LOCAL], '@', fields[TO_DOMAIN]);
    event.sender = decoding_join(decoding, fields[FROM_LOCAL], '@', fields[FROM_DOMAIN]);
    event.message_id = none_if_empty(fields[MESSAGE_ID]);
    event.mx = none_if_empty(fields[PEER]);
    event.native_class = none_if_empty(fields[CLASS]);
    decoding_reply(decoding, fields[REPLY], SPAN_NONE, &event.reply);
    const enum stage stage = stage_of(fields[STAGE]);
    event.reply.stage = stage != STAGE_NONE ? stage : event.reply.stage;
    momentum_judge(&event);
    decoding_event_checked(decoding, &event);
}

/* Ten digits and an @. */
static bool is_like_text(struct span text)
{
    uint64_t seconds;
    const char *at = text.size == 0 ? NULL : memchr(text.data, '@', text.size);
    return at != NULL && at - text.data == 10 &&
           span_to_u64((struct span){text.data, (size_t)(at - text.data)}, &seconds);
}

const struct format FORMAT_MOMENTUM = {
    .name = "momentum",
    .pick = pick_nothing,
    .knows = know_nothing,
    .object = refuse_object,
    .line = decode_line,
    .is_like_text = is_like_text,
};

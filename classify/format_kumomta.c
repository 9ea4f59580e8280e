/* classify/format_kumomta.c - KumoMTA's JSON log records, as its log hooks publish them.
 *
 * Sources: KumoMTA docs/reference/log_record.md, crates/kumo-log-types, and what the daemon itself
 *          words: crates/kumod/src/{smtp_dispatcher,ready_queue,queue/queue}.rs.
 *
 * Traps, each with its place below:
 * - `recipient` is a text or, since 2025.12, a list.
 * - A record with reception_protocol LogRecord is about a hook's own message: never mail.
 * - Whose word a reply is (take_origin): `KumoMTA internal:` is ours, but for hosts that could not
 * be connected; without a peer it is ours, but for a destination that DNS does not give.
 * - A Bounce that the MTA worded itself because the destination was not found is no refusal: nobody
 *   was there to refuse. It is `expired` (a null MX is the destination's own word and stays a
 * bounce).
 * - `command` is what the server answered; of all that no server said, and of refusals at the connection (which
 *   stand inside words of the daemon's own), it is null.
 * - `id` names the message in the spool; of OOB and Feedback it names the report.
 * - Of Feedback, sender, recipient and reply are about the report; the mail's are inside it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format_mail.h"
#include "classify/stage.h"

enum field {
    FIELD_TYPE,
    FIELD_ID,
    FIELD_SENDER,
    FIELD_RECIPIENT,
    FIELD_QUEUE,
    FIELD_RESPONSE,
    FIELD_PEER_ADDRESS,
    FIELD_TIMESTAMP,
    FIELD_EVENT_TIME,
    FIELD_NUM_ATTEMPTS,
    FIELD_CLASSIFICATION,
    FIELD_FEEDBACK_REPORT,
    FIELD_META,
    FIELD_RECEPTION_PROTOCOL,
    FIELD_PROVIDER_NAME,
    FIELD_COUNT
};

/* What is wanted of a record: its fields, then what is inside them. */
enum pick {
    PICK_NULL_PEER = FIELD_COUNT, /* the peer_address, if that is null */
    PICK_PEER_NAME,
    PICK_CODE, /* of the response */
    PICK_ENHANCED,
    PICK_CONTENT,
    PICK_COMMAND,
    PICK_ENHANCED_CLASS,
    PICK_ENHANCED_SUBJECT,
    PICK_ENHANCED_DETAIL,
    PICK_TENANT, /* of the meta */
    PICK_CAMPAIGN,
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const struct span KEYS[FIELD_COUNT] = {
    [FIELD_TYPE] = KEY("type"),
    [FIELD_ID] = KEY("id"),
    [FIELD_SENDER] = KEY("sender"),
    [FIELD_RECIPIENT] = KEY("recipient"),
    [FIELD_QUEUE] = KEY("queue"),
    [FIELD_RESPONSE] = KEY("response"),
    [FIELD_PEER_ADDRESS] = KEY("peer_address"),
    [FIELD_TIMESTAMP] = KEY("timestamp"),
    [FIELD_EVENT_TIME] = KEY("event_time"),
    [FIELD_NUM_ATTEMPTS] = KEY("num_attempts"),
    [FIELD_CLASSIFICATION] = KEY("bounce_classification"),
    [FIELD_FEEDBACK_REPORT] = KEY("feedback_report"),
    [FIELD_META] = KEY("meta"),
    [FIELD_RECEPTION_PROTOCOL] = KEY("reception_protocol"),
    [FIELD_PROVIDER_NAME] = KEY("provider_name"),
};

/* Types that are not here are ignored: Rejection, Delayed, AdminRebind, XferOut and tomorrow's. */
static const struct {
    struct span type;
    enum kind kind;
} KINDS[] = {
    {KEY("Delivery"), KIND_DELIVERED}, {KEY("TransientFailure"), KIND_DEFERRED},
    {KEY("Reception"), KIND_RECEIVED}, {KEY("Bounce"), KIND_BOUNCED},
    {KEY("Expiration"), KIND_EXPIRED}, {KEY("OOB"), KIND_LATE_BOUNCE},
    {KEY("AdminBounce"), KIND_ADMIN},
};

static enum kind kind_of_type(struct span type)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (span_equal(type, KINDS[i].type)) {
            return KINDS[i].kind;
        }
    }
    return KIND_IGNORED;
}

/* --- whose word it is ---------------------------------------------------------------------------
 */

static bool contains(struct span text, const char *words)
{
    return text.size > 0 && memmem(text.data, text.size, words, strlen(words)) != NULL;
}

static bool contains_any(struct span text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (contains(text, words[i])) {
            return true;
        }
    }
    return false;
}

/* No host could be connected: the other side's doing, unless our proxy or our source address is to
 * blame. Newer versions say so in front, older ones only show the error. */
static bool blames_us(struct span text)
{
    static const char *const OURS[] = {
        "related to proxy connection issues",
        "unplumbed source address",
        " HA {", /* the PROXY protocol's server, as 2023 to 2025 printed it */
        "Cannot assign requested address",
    };
    return contains_any(text, OURS, sizeof(OURS) / sizeof(OURS[0]));
}

/* Without a peer, because DNS gave no host to connect to. */
static bool is_unresolved(struct span text)
{
    static const char *const WORDS[] = {"MX didn't resolve to any hosts", "failed to resolve "};
    return contains_any(text, WORDS, sizeof(WORDS) / sizeof(WORDS[0]));
}

static bool is_unconnected(struct span text)
{
    return contains(text, "failed to connect to any candidate hosts") && !blames_us(text);
}

/* Nobody was found or reached, so nobody refused. A server that is there may say such words of
 * somebody else. */
static bool is_unreached(struct span text, bool has_peer)
{
    return span_starts(text, SPAN("KumoMTA internal:")) ? is_unconnected(text)
                                                        : !has_peer && is_unresolved(text);
}

static enum origin origin_of(const struct event *event, bool has_peer)
{
    const struct span text = event->reply.text;
    if (event->kind == KIND_LATE_BOUNCE) {
        return ORIGIN_REMOTE;
    }
    if (event->kind == KIND_EXPIRED || event->kind == KIND_ADMIN) {
        return ORIGIN_LOCAL;
    }
    if (span_starts(text, SPAN("KumoMTA internal:"))) {
        return is_unconnected(text) ? ORIGIN_REMOTE : ORIGIN_LOCAL;
    }
    if (has_peer || is_unresolved(text) || contains(text, "null MX")) {
        return ORIGIN_REMOTE;
    }
    return ORIGIN_LOCAL;
}

/* --- which nodes --------------------------------------------------------------------------------
 */

/* KumoMTA always writes the key; where an operator's template leaves it out, it says nothing. */
static const struct json_node *find_null_peer(const struct json_node *object)
{
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if (span_equal(n->key, KEYS[FIELD_PEER_ADDRESS])) {
            return n->kind == JSON_NULL ? n : NULL;
        }
    }
    return NULL;
}

static void pick(const struct json_node *object, const struct json_node **picks)
{
    static const struct span OF_RESPONSE[] = {KEY("code"), KEY("enhanced_code"), KEY("content"),
                                              KEY("command")};
    static const struct span OF_ENHANCED[] = {KEY("class"), KEY("subject"), KEY("detail")};
    static const struct span OF_META[] = {KEY("tenant"), KEY("campaign")};
    field_pick(object, KEYS, FIELD_COUNT, picks);
    picks[PICK_NULL_PEER] = find_null_peer(object);
    picks[PICK_PEER_NAME] = field_find(picks[FIELD_PEER_ADDRESS], "name");
    field_pick(picks[FIELD_RESPONSE], OF_RESPONSE, 4, picks + PICK_CODE);
    field_pick(picks[PICK_ENHANCED], OF_ENHANCED, 3, picks + PICK_ENHANCED_CLASS);
    field_pick(picks[FIELD_META], OF_META, 2, picks + PICK_TENANT);
}

/* --- fields -------------------------------------------------------------------------------------
 */

static void take_reply(const struct json_node *const *picks, struct reply *out)
{
    int64_t code;
    int64_t class_;
    int64_t subject;
    int64_t detail;
    if (field_int(picks[PICK_CODE], 1, 999, &code)) {
        out->code = (uint16_t)code;
    }
    if (field_int(picks[PICK_ENHANCED_CLASS], 2, 5, &class_) && class_ != 3 &&
        field_int(picks[PICK_ENHANCED_SUBJECT], 0, 999, &subject) &&
        field_int(picks[PICK_ENHANCED_DETAIL], 0, 999, &detail)) {
        out->enhanced = (struct enhanced){(uint8_t)class_, (uint16_t)subject, (uint16_t)detail};
    }
    out->text = field_text(picks[PICK_CONTENT]);
    const enum stage stage = stage_of_command(field_text(picks[PICK_COMMAND]));
    out->stage = stage != STAGE_NONE ? stage : stage_in_text(out->text);
}

/* [campaign:][tenant]@domain[!routing_domain]; without @ there is only a domain. */
static void take_queue(struct span queue, struct event *event)
{
    const char *at = queue.size == 0 ? NULL : memchr(queue.data, '@', queue.size);
    if (at == NULL) {
        return;
    }
    struct span tenant = {queue.data, (size_t)(at - queue.data)};
    const char *colon = tenant.size == 0 ? NULL : memchr(tenant.data, ':', tenant.size);
    if (colon != NULL) {
        const struct span campaign = {queue.data, (size_t)(colon - queue.data)};
        tenant = (struct span){colon + 1, (size_t)(at - colon) - 1};
        if (event->campaign.size == 0 && campaign.size > 0) {
            event->campaign = campaign;
        }
    }
    if (event->tenant.size == 0 && tenant.size > 0) {
        event->tenant = tenant;
    }
}

static bool take_time(const struct json_node *const *picks, struct event *event)
{
    return field_time_ms(picks[FIELD_EVENT_TIME], &event->ts_ms) ||
           field_time_ms(picks[FIELD_TIMESTAMP], &event->ts_ms);
}

/* All that means the same in every type. */
static void take_common(const struct json_node *const *picks, struct event *event)
{
    int64_t attempt;
    event->sender = field_text(picks[FIELD_SENDER]);
    event->mx = field_text(picks[PICK_PEER_NAME]);
    event->provider = field_text(picks[FIELD_PROVIDER_NAME]);
    event->native_class = field_text(picks[FIELD_CLASSIFICATION]);
    if (field_int(picks[FIELD_NUM_ATTEMPTS], 0, INT32_MAX, &attempt)) {
        event->attempt = (int32_t)attempt;
    }
}

/* --- the records --------------------------------------------------------------------------------
 */

static void decode_log_of_log(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = event_init();
    event.origin = ORIGIN_LOCAL;
    event.message_id = field_text(picks[FIELD_ID]);
    (void)take_time(picks, &event);
    decoding_event(decoding, &event);
}

static bool is_address(struct span text)
{
    return text.size > 0 && memchr(text.data, '@', text.size) != NULL &&
           !span_starts_nocase(text, SPAN("redacted")) && text.data[0] != '[';
}

static size_t complaint_of(struct decoding *decoding,
                           struct event *event,
                           const struct json_node *node)
{
    event->recipient = text_in_brackets(field_text(node));
    if (!is_address(event->recipient)) {
        return 0;
    }
    decoding_event(decoding, event);
    return 1;
}

/* The recipients that the report names, one or a list: how many there were. */
static size_t complaints_of(struct decoding *decoding,
                            struct event *event,
                            const struct json_node *named)
{
    if (named == NULL || named->kind != JSON_ARRAY) {
        return complaint_of(decoding, event, named);
    }
    size_t count = 0;
    for (const struct json_node *n = json_first(named); n != json_end(named); n = json_next(n)) {
        if (count == DECODE_RECIPIENTS_MAX) {
            decoding_fault(decoding,
                           "more recipients than an event may have; those before are taken");
            break;
        }
        count += complaint_of(decoding, event, n);
    }
    return count;
}

/* Providers redact the address; KumoMTA's own trace header, if the mail had one, still names it. */
static void decode_complaint(struct decoding *decoding,
                             struct event *event,
                             const struct json_node *report)
{
    const struct json_node *trace = field_find(report, "supplemental_trace");
    if (complaints_of(decoding, event, field_find(report, "original_rcpto_to")) > 0 ||
        complaints_of(decoding, event, field_find(trace, "recipient")) > 0) {
        return;
    }
    if (event->kind == KIND_IGNORED) {
        decoding_event(decoding, event);
    } else {
        decoding_fault(decoding, "no recipient: the feedback report names none");
    }
}

/* The mail stands in the report as far as the reporter returned it; what follows its head is anybody's. */
static void take_complaints_head(struct decoding *decoding, const struct json_node *report)
{
    struct span mail = field_text(field_find(report, "original_message"));
    struct span head;
    if (fields_next_block(&mail, &head)) {
        decoding_take_headers(decoding, head);
    }
}

static void decode_feedback(struct decoding *decoding, const struct json_node *const *picks)
{
    const struct json_node *report = picks[FIELD_FEEDBACK_REPORT];
    struct event event = event_init();
    take_common(picks, &event);
    /* queue and meta are those of the report's own mail; the complaint's stand in its trace */
    const struct json_node *trace = field_find(report, "supplemental_trace");
    event.tenant = field_text(field_find(trace, "tenant"));
    event.campaign = field_text(field_find(trace, "campaign"));
    event.native_class = field_text(field_find(report, "feedback_type"));
    event.kind = feedback_kind(event.native_class);
    take_complaints_head(decoding, report);
    event.sender = text_in_brackets(field_text(field_find(report, "original_mail_from")));
    if (!take_time(picks, &event) && event.kind != KIND_IGNORED) {
        decoding_fault(decoding, "no time: neither event_time nor timestamp");
        return;
    }
    decode_complaint(decoding, &event, report);
}

static void decode_mail(struct decoding *decoding, const struct json_node *const *picks)
{
    const enum kind kind = kind_of_type(field_text(picks[FIELD_TYPE]));
    struct event event = event_init();
    event.kind = kind;
    const bool has_peer = picks[PICK_NULL_PEER] == NULL;
    take_common(picks, &event);
    event.tenant = field_text(picks[PICK_TENANT]);
    event.campaign = field_text(picks[PICK_CAMPAIGN]);
    take_reply(picks, &event.reply);
    if (kind != KIND_LATE_BOUNCE) {
        /* of a late bounce, both are those of the bounce mail */
        event.message_id = field_text(picks[FIELD_ID]);
        take_queue(field_text(picks[FIELD_QUEUE]), &event);
    }
    event.origin = origin_of(&event, has_peer);
    if (kind == KIND_BOUNCED && is_unreached(event.reply.text, has_peer)) {
        event.kind = KIND_EXPIRED;
    }
    if (!take_time(picks, &event) && kind != KIND_IGNORED) {
        decoding_fault(decoding, "no time: neither event_time nor timestamp");
        return;
    }
    decoding_event_each(decoding, &event, picks[FIELD_RECIPIENT]);
}

static void decode_object(struct decoding *decoding, const struct json_node *const *picks)
{
    if (picks[FIELD_TYPE] == NULL) {
        decoding_fault(decoding, "no type: not a log record of KumoMTA");
    } else if (span_equal(field_text(picks[FIELD_RECEPTION_PROTOCOL]), SPAN("LogRecord"))) {
        decode_log_of_log(decoding, picks);
    } else if (span_equal(field_text(picks[FIELD_TYPE]), SPAN("Feedback"))) {
        decode_feedback(decoding, picks);
    } else {
        decode_mail(decoding, picks);
    }
}

static bool knows(const struct json_node *const *picks)
{
    return picks[FIELD_TYPE] != NULL;
}

/* Of a feedback report, headers and meta are those of the report's own mail: decode_feedback() knows the complaint's. */
static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    static const char *const PLACES[] = {"headers", "meta"};
    static const char *const OF_REPORT[] = {"supplemental_trace"};
    const struct json_node *report = field_find(object, "feedback_report");
    return report == NULL ? field_named(object, PLACES, 2, name)
                          : field_named(report, OF_REPORT, 1, name);
}

/* An accounting record of PowerMTA has a type and a queue too. */
static bool is_like_object(const struct json_node *object)
{
    return field_has(object, "type") && !field_has(object, "timeLogged") &&
           (field_has(object, "queue") || field_has(object, "site") ||
            field_has(object, "peer_address") || field_has(object, "nodeid") ||
            field_has(object, "reception_protocol") || field_has(object, "feedback_report"));
}

const struct format FORMAT_KUMOMTA = {
    .name = "kumomta",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .is_like_object = is_like_object,
};

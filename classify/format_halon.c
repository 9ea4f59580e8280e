/* classify/format_halon.c - Halon: what its post-delivery scripts commonly write.
 *
 *     {"type":"delivery","time":1795255212345,"message":{"id":{...},"recipient":"gil@example.com","jobid":"spring26"},
 *      "action":"BOUNCE","attempt":{"result":{"code":550,"enhanced":[5,1,1],"reason":["User unknown"]},"connection":{...}}}
 *     {"status":"failed","ts_attempt":1795255212.0,"result_code":550,"result_enhanced":"5.1.1","result_reason":"User unknown",
 *      "recipient_localpart":"gil","recipient_domain":"example.com"}
 *
 * Halon has no format of its own: operators write the variables of the hook as they like. These are the two shapes that
 * are published: the variables as they are, and the flat one of the Postmastery plugin; feedback reports beside them. Of
 * other scripts the user maps the fields.
 *
 * Source: docs.halon.io, "Post-delivery script"; halon-extras/emailconsul, halon-extras/postmastery.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"
#include "classify/reply.h"
#include "classify/stage.h"

enum pick {
    TYPE,
    TIME,
    TRANSACTION,
    QUEUE,
    SENDER,
    RECIPIENT,
    JOBID,
    TENANT,
    ACTION,
    GROUPING,
    RETRY,
    RESULT_CODE,
    RESULT_ENHANCED,
    RESULT_REASON,
    RESULT_STATE,
    ERROR_TEMPORARY,
    ERROR_MESSAGE,
    REMOTEMX,
    REMOTEIP,
    DIAGNOSTIC,
    FEEDBACK_TYPE,
    ORIGINAL_RCPT_TO,
    FLAT_EVENTID,
    FLAT_MESSAGEID,
    FLAT_JOBID,
    FLAT_TENANT,
    FLAT_TIME,
    FLAT_STATUS,
    FLAT_CODE,
    FLAT_ENHANCED,
    FLAT_REASON,
    FLAT_STATE,
    FLAT_ERROR_TEMPORARY,
    FLAT_ERROR_MESSAGE,
    FLAT_REMOTEMX,
    FLAT_REMOTEIP,
    FLAT_SENDER,
    FLAT_LOCALPART,
    FLAT_DOMAIN,
    PATH_COUNT,
    KIND = PATH_COUNT, /* as mapped */
    NATIVE_CLASS,      /* likewise */
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const char *const PATHS[PATH_COUNT] = {
    [TYPE] = "type",
    [TIME] = "time",
    [TRANSACTION] = "message.id.transaction",
    [QUEUE] = "message.id.queue",
    [SENDER] = "message.sender",
    [RECIPIENT] = "message.recipient",
    [JOBID] = "message.jobid",
    [TENANT] = "message.metadata.tenant",
    [ACTION] = "action",
    [GROUPING] = "grouping",
    [RETRY] = "retry",
    [RESULT_CODE] = "attempt.result.code",
    [RESULT_ENHANCED] = "attempt.result.enhanced",
    [RESULT_REASON] = "attempt.result.reason",
    [RESULT_STATE] = "attempt.result.state",
    [ERROR_TEMPORARY] = "attempt.error.temporary",
    [ERROR_MESSAGE] = "attempt.error.message",
    [REMOTEMX] = "attempt.connection.remotemx",
    [REMOTEIP] = "attempt.connection.remoteip",
    [DIAGNOSTIC] = "dsn.diagnosticcode",
    [FEEDBACK_TYPE] = "feedback-type",
    [ORIGINAL_RCPT_TO] = "original-rcpt-to",
    [FLAT_EVENTID] = "eventid",
    [FLAT_MESSAGEID] = "messageid",
    [FLAT_JOBID] = "jobid",
    [FLAT_TENANT] = "tenant",
    [FLAT_TIME] = "ts_attempt",
    [FLAT_STATUS] = "status",
    [FLAT_CODE] = "result_code",
    [FLAT_ENHANCED] = "result_enhanced",
    [FLAT_REASON] = "result_reason",
    [FLAT_STATE] = "result_state",
    [FLAT_ERROR_TEMPORARY] = "error_temporary",
    [FLAT_ERROR_MESSAGE] = "error_message",
    [FLAT_REMOTEMX] = "connection_remotemx",
    [FLAT_REMOTEIP] = "connection_remoteip",
    [FLAT_SENDER] = "sender",
    [FLAT_LOCALPART] = "recipient_localpart",
    [FLAT_DOMAIN] = "recipient_domain",
};

/* What the scripts call the ends of an attempt. */
static const struct word_kind KINDS[] = {
    {"SUCCESS", KIND_DELIVERED}, {"QUEUE", KIND_DEFERRED},      {"BOUNCE", KIND_BOUNCED},
    {"DELETE", KIND_BOUNCED},    {"delivered", KIND_DELIVERED}, {"delayed", KIND_DEFERRED},
    {"failed", KIND_BOUNCED},    {"removed", KIND_BOUNCED},
};

static void pick(const struct json_node *object, const struct json_node **picks)
{
    field_pick_paths(object, PATHS, PATH_COUNT, picks);
    picks[KIND] = NULL;
    picks[NATIVE_CLASS] = NULL;
}

/* A field that is mapped takes its first place, and the others are empty. */
static const struct {
    enum decode_field field;
    enum pick pick;
} PLACES[] = {
    {DECODE_KIND, KIND},
    {DECODE_KIND, ACTION},
    {DECODE_KIND, FLAT_STATUS},
    {DECODE_TS_MS, TIME},
    {DECODE_TS_MS, FLAT_TIME},
    {DECODE_RECIPIENT, RECIPIENT},
    {DECODE_RECIPIENT, FLAT_LOCALPART},
    {DECODE_RECIPIENT, FLAT_DOMAIN},
    {DECODE_CODE, RESULT_CODE},
    {DECODE_CODE, FLAT_CODE},
    {DECODE_ENHANCED, RESULT_ENHANCED},
    {DECODE_ENHANCED, FLAT_ENHANCED},
    {DECODE_TEXT, RESULT_REASON},
    {DECODE_TEXT, FLAT_REASON},
    {DECODE_TEXT, DIAGNOSTIC},
    {DECODE_STAGE, RESULT_STATE},
    {DECODE_STAGE, FLAT_STATE},
    {DECODE_ERROR, ERROR_MESSAGE},
    {DECODE_ERROR, FLAT_ERROR_MESSAGE},
    {DECODE_MESSAGE_ID, TRANSACTION},
    {DECODE_MESSAGE_ID, QUEUE},
    {DECODE_MESSAGE_ID, FLAT_MESSAGEID},
    {DECODE_EVENT_ID, FLAT_EVENTID},
    {DECODE_TENANT, TENANT},
    {DECODE_TENANT, FLAT_TENANT},
    {DECODE_CAMPAIGN, JOBID},
    {DECODE_CAMPAIGN, FLAT_JOBID},
    {DECODE_SENDER, SENDER},
    {DECODE_SENDER, FLAT_SENDER},
    {DECODE_MX, REMOTEMX},
    {DECODE_MX, FLAT_REMOTEMX},
    {DECODE_MX, REMOTEIP},
    {DECODE_MX, FLAT_REMOTEIP},
    {DECODE_PROVIDER, GROUPING},
    {DECODE_ATTEMPT, RETRY},
    {DECODE_NATIVE_CLASS, NATIVE_CLASS},
};

static void map(const struct json_node *object,
                const char *const *paths,
                const struct json_node **picks)
{
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        const char *path = paths[PLACES[i].field];
        const bool is_first = i == 0 || PLACES[i - 1].field != PLACES[i].field;
        if (path != NULL) {
            picks[PLACES[i].pick] = is_first ? field_named(object, NULL, 0, span_of(path)) : NULL;
        }
    }
}

static bool knows(const struct json_node *const *picks)
{
    return picks[KIND] != NULL || picks[ACTION] != NULL || picks[FLAT_STATUS] != NULL ||
           picks[FEEDBACK_TYPE] != NULL || picks[TYPE] != NULL;
}

static const struct json_node *either(const struct json_node *a, const struct json_node *b)
{
    return a != NULL ? a : b;
}

/* [5,1,1] or "5.1.1" */
static void take_enhanced(const struct json_node *node, struct enhanced *out)
{
    int64_t parts[3];
    size_t count = 0;
    if (node == NULL || node->kind != JSON_ARRAY) {
        (void)enhanced_parse(field_text(node), out);
        return;
    }
    for (const struct json_node *n = json_first(node); n != json_end(node); n = json_next(n)) {
        if (count == 3 || !field_int(n, 0, 999, &parts[count])) {
            return;
        }
        count++;
    }
    if (count == 3 && (parts[0] == 2 || parts[0] == 4 || parts[0] == 5)) {
        *out = (struct enhanced){(uint8_t)parts[0], (uint16_t)parts[1], (uint16_t)parts[2]};
    }
}

/* One text, or a list of the reply's lines. */
static struct span join_lines(struct decoding *decoding, const struct json_node *node)
{
    if (node == NULL || node->kind != JSON_ARRAY) {
        return field_text(node);
    }
    struct span all = SPAN_NONE;
    for (const struct json_node *n = json_first(node); n != json_end(node); n = json_next(n)) {
        const struct span line = field_text(n);
        const struct span joined = decoding_join(decoding, all, ' ', line);
        all = joined.size > 0 ? joined : all.size > 0 ? all : line;
    }
    return all;
}

static struct span error_of(const struct json_node *const *picks)
{
    return field_text(either(picks[ERROR_MESSAGE], picks[FLAT_ERROR_MESSAGE]));
}

/* A result is the server's answer; without one there may be an error of the connection, or of ours. */
static void take_reply(struct decoding *decoding,
                       const struct json_node *const *picks,
                       struct reply *reply)
{
    int64_t code;
    const struct span lines =
        join_lines(decoding, either(picks[RESULT_REASON], picks[FLAT_REASON]));
    const bool has_result = lines.size > 0 || either(picks[RESULT_CODE], picks[FLAT_CODE]) != NULL;
    struct span text = has_result ? lines : error_of(picks);
    if (text.size == 0) {
        text = field_text(picks[DIAGNOSTIC]);
    }
    decoding_reply(decoding, text, SPAN_NONE, reply);
    if (reply->enhanced.class_ == 0) {
        take_enhanced(either(picks[RESULT_ENHANCED], picks[FLAT_ENHANCED]), &reply->enhanced);
    }
    if (reply->code == 0 &&
        field_int(either(picks[RESULT_CODE], picks[FLAT_CODE]), 200, 599, &code)) {
        reply->code = (uint16_t)code;
    }
    const enum stage stage =
        stage_of_command(field_text(either(picks[RESULT_STATE], picks[FLAT_STATE])));
    reply->stage = stage != STAGE_NONE ? stage : reply->stage;
}

/* Deleted, or bounced, with neither an answer nor an error: somebody did it by hand. A server's 4xx, and an attempt that
 * found or reached nobody, are the end of trying. */
static void judge(const struct json_node *const *picks, struct event *event)
{
    const struct span error = error_of(picks);
    const struct reply *reply = &event->reply;
    const bool is_answered = reply->code != 0;
    const bool is_error = !is_answered && error.size > 0;
    if (event->kind == KIND_BOUNCED && !is_answered && !is_error && reply->text.size == 0) {
        event->kind = KIND_ADMIN;
        event->origin = ORIGIN_LOCAL;
        return;
    }
    if (is_error && !text_is_unreached(error)) {
        event->origin = ORIGIN_LOCAL;
    }
    if (event->kind == KIND_BOUNCED && (is_error || reply->code / 100 == 4)) {
        event->kind = KIND_EXPIRED;
    }
}

static void take_customer(struct decoding *decoding,
                          const struct json_node *const *picks,
                          struct event *event)
{
    event->tenant = decoding_text(decoding, either(picks[TENANT], picks[FLAT_TENANT]));
    event->campaign = decoding_text(decoding, either(picks[JOBID], picks[FLAT_JOBID]));
}

static void take_names(struct decoding *decoding,
                       const struct json_node *const *picks,
                       struct event *event)
{
    int64_t number;
    char digits[24];
    struct writer queue = writer_init(digits, sizeof(digits));
    struct json_writer json = json_writer_init(&queue);
    struct span queue_id = field_text(picks[QUEUE]);
    if (queue_id.size == 0 && field_int(picks[QUEUE], 0, INT64_MAX, &number)) {
        json_int(&json, number);
        queue_id = writer_span(&queue);
    }
    const struct span transaction = field_text(either(picks[TRANSACTION], picks[FLAT_MESSAGEID]));
    const struct span both = decoding_join(decoding, transaction, ':', queue_id);
    event->message_id = both.size > 0 ? both : transaction;
    event->event_id = field_text(picks[FLAT_EVENTID]);
    take_customer(decoding, picks, event);
    event->native_class = decoding_text(decoding, picks[NATIVE_CLASS]);
    event->sender = field_text(either(picks[SENDER], picks[FLAT_SENDER]));
    event->mx = field_text(either(picks[REMOTEMX], picks[FLAT_REMOTEMX]));
    if (event->mx.size == 0) {
        event->mx = field_text(either(picks[REMOTEIP], picks[FLAT_REMOTEIP]));
    }
    event->provider = field_text(picks[GROUPING]);
    if (field_int(picks[RETRY], 0, INT32_MAX, &number)) {
        event->attempt = (int32_t)number;
    }
}

/* By the words of the scripts; where the user mapped it, by ours too. An operator's words have formats of their own. */
static enum kind kind_of(const struct json_node *const *picks)
{
    const struct span end =
        field_text(either(picks[KIND], either(picks[ACTION], picks[FLAT_STATUS])));
    enum kind kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), end);
    if (kind == KIND_IGNORED && picks[KIND] != NULL && kind_find(end, &kind) &&
        (kind == KIND_SUPPRESS || kind == KIND_RELEASE)) {
        return KIND_IGNORED;
    }
    return kind;
}

static void decode_attempt(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = event_init();
    event.kind = kind_of(picks);
    if (event.kind == KIND_IGNORED) {
        decoding_event(decoding, &event);
        return;
    }
    event.recipient = field_text(picks[RECIPIENT]);
    if (event.recipient.size == 0) {
        event.recipient = decoding_join(decoding, field_text(picks[FLAT_LOCALPART]), '@',
                                        field_text(picks[FLAT_DOMAIN]));
    }
    take_reply(decoding, picks, &event.reply);
    take_names(decoding, picks, &event);
    judge(picks, &event);
    (void)field_time_ms(either(picks[TIME], picks[FLAT_TIME]), &event.ts_ms);
    decoding_event_checked(decoding, &event);
}

static void decode_report(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = event_init();
    event.native_class = field_text(picks[FEEDBACK_TYPE]);
    event.kind = feedback_kind(event.native_class);
    take_customer(decoding, picks, &event);
    if (!field_time_ms(either(picks[TIME], picks[FLAT_TIME]), &event.ts_ms) &&
        event.kind != KIND_IGNORED) {
        decoding_fault(decoding, "no time");
        return;
    }
    decoding_event_each(decoding, &event, picks[ORIGINAL_RCPT_TO]);
}

static void decode_object(struct decoding *decoding, const struct json_node *const *picks)
{
    if (picks[FEEDBACK_TYPE] != NULL) {
        decode_report(decoding, picks);
    } else if (knows(picks)) {
        decode_attempt(decoding, picks);
    } else {
        decoding_fault(decoding,
                       "neither action nor status nor type: not a record of Halon that we "
                       "know; the topic's `fields` may map yours");
    }
}

static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    static const char *const OF_MESSAGE[] = {"message.metadata"};
    return field_named(object, OF_MESSAGE, 1, name);
}

static bool is_like_object(const struct json_node *object)
{
    return (field_has(object, "action") && field_has(object, "message")) ||
           (field_has(object, "status") &&
            (field_has(object, "ts_attempt") || field_has(object, "recipient_localpart"))) ||
           field_has(object, "feedback-type");
}

const struct format FORMAT_HALON = {
    .name = "halon",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .map = map,
    .is_like_object = is_like_object,
};

/* classify/format_native.c - our own normalised event as JSON: the fields of struct event by name.
 *
 *     {"kind":"bounced","recipient":"ana@example.com","ts_ms":1795255200118,"code":550,
 *      "enhanced":"5.1.1","text":"User unknown","tenant":"acme","campaign":"spring26"}
 *
 * Producers that fit no other format write this, and the stories are written in it. What a producer
 * must say (kind, recipient, time) or says in words of ours (origin, category, stage) is checked; another
 * field of a wrong type is as good as absent, and unknown fields are nobody's business.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "classify/format.h"
#include "classify/reply.h"
#include "classify/stage.h"

enum field {
    FIELD_KIND,
    FIELD_ORIGIN,
    FIELD_CATEGORY,
    FIELD_RECIPIENT,
    FIELD_TS_MS,
    FIELD_CODE,
    FIELD_ENHANCED,
    FIELD_TEXT,
    FIELD_STAGE,
    FIELD_MESSAGE_ID,
    FIELD_EVENT_ID,
    FIELD_TENANT,
    FIELD_CAMPAIGN,
    FIELD_SENDER,
    FIELD_MX,
    FIELD_PROVIDER,
    FIELD_ATTEMPT,
    FIELD_NATIVE_CLASS,
    FIELD_COUNT
};

_Static_assert((int)FIELD_COUNT <= PICKS_MAX, "as many as a format may pick");

static const struct span KEYS[FIELD_COUNT] = {
    [FIELD_KIND] = KEY("kind"),
    [FIELD_ORIGIN] = KEY("origin"),
    [FIELD_CATEGORY] = KEY("category"),
    [FIELD_RECIPIENT] = KEY("recipient"),
    [FIELD_TS_MS] = KEY("ts_ms"),
    [FIELD_CODE] = KEY("code"),
    [FIELD_ENHANCED] = KEY("enhanced"),
    [FIELD_TEXT] = KEY("text"),
    [FIELD_STAGE] = KEY("stage"),
    [FIELD_MESSAGE_ID] = KEY("message_id"),
    [FIELD_EVENT_ID] = KEY("event_id"),
    [FIELD_TENANT] = KEY("tenant"),
    [FIELD_CAMPAIGN] = KEY("campaign"),
    [FIELD_SENDER] = KEY("sender"),
    [FIELD_MX] = KEY("mx"),
    [FIELD_PROVIDER] = KEY("provider"),
    [FIELD_ATTEMPT] = KEY("attempt"),
    [FIELD_NATIVE_CLASS] = KEY("native_class"),
};

/* A kind that we do not know is one of tomorrow's: ignored. */
static const char *take_kind(const struct json_node *node, enum kind *out)
{
    if (node == NULL) {
        return "no kind";
    }
    if (node->kind != JSON_STRING) {
        return "kind is no text";
    }
    (void)kind_find(node->text, out);
    return NULL;
}

static const char *take_origin(const struct json_node *node, enum origin *out)
{
    if (node == NULL) {
        return NULL;
    }
    return node->kind == JSON_STRING && origin_find(node->text, out)
               ? NULL
               : "origin is neither local nor remote";
}

static const char *take_category(const struct json_node *node, enum category *out)
{
    if (node == NULL) {
        return NULL;
    }
    return node->kind == JSON_STRING && category_find(node->text, out) ? NULL
                                                                       : "an unknown category";
}

/* A number of ms, not of seconds and not as text: it is our own format. */
static const char *take_time(const struct json_node *node, enum kind kind, int64_t *out)
{
    if (node == NULL) {
        return kind == KIND_IGNORED ? NULL : "no ts_ms";
    }
    if (node->kind != JSON_INTEGER && node->kind != JSON_REAL) {
        return "ts_ms is no number";
    }
    const double ms = node->kind == JSON_REAL ? round(node->real) : (double)node->integer;
    if (!(fabs(ms) <= (double)TIME_MS_MAX)) {
        return "ts_ms is no time before the year 10000";
    }
    *out = (int64_t)ms; /* exact: TIME_MS_MAX is below 2^53 */
    return NULL;
}

static const char *check_recipient(const struct json_node *node)
{
    const bool good = node == NULL || node->kind == JSON_STRING || node->kind == JSON_ARRAY;
    return good ? NULL : "recipient is neither a text nor a list";
}

/* Where no field names it, its text may. */
static const char *take_stage(const struct json_node *node, struct reply *reply)
{
    if (node == NULL) {
        reply->stage = stage_in_text(reply->text);
        return NULL;
    }
    return node->kind == JSON_STRING && stage_find(node->text, &reply->stage) ? NULL
                                                                              : "an unknown stage";
}

static const char *take_reply(const struct json_node *const *fields, struct reply *reply)
{
    int64_t code;
    if (field_int(fields[FIELD_CODE], 1, 999, &code)) {
        reply->code = (uint16_t)code;
    }
    (void)enhanced_parse(field_text(fields[FIELD_ENHANCED]), &reply->enhanced);
    reply->text = field_text(fields[FIELD_TEXT]);
    return take_stage(fields[FIELD_STAGE], reply);
}

static void take_names(const struct json_node *const *fields, struct event *event)
{
    int64_t attempt;
    event->message_id = field_text(fields[FIELD_MESSAGE_ID]);
    event->event_id = field_text(fields[FIELD_EVENT_ID]);
    event->tenant = field_text(fields[FIELD_TENANT]);
    event->campaign = field_text(fields[FIELD_CAMPAIGN]);
    event->sender = field_text(fields[FIELD_SENDER]);
    event->mx = field_text(fields[FIELD_MX]);
    event->provider = field_text(fields[FIELD_PROVIDER]);
    event->native_class = field_text(fields[FIELD_NATIVE_CLASS]);
    if (field_int(fields[FIELD_ATTEMPT], 0, INT32_MAX, &attempt)) {
        event->attempt = (int32_t)attempt;
    }
}

static void pick(const struct json_node *object, const struct json_node **fields)
{
    field_pick(object, KEYS, FIELD_COUNT, fields);
}

static void decode_object(struct decoding *decoding, const struct json_node *const *fields)
{
    struct event event = event_init();
    const char *wrong = take_kind(fields[FIELD_KIND], &event.kind);
    wrong = wrong != NULL ? wrong : take_origin(fields[FIELD_ORIGIN], &event.origin);
    wrong = wrong != NULL ? wrong : take_category(fields[FIELD_CATEGORY], &event.category);
    wrong = wrong != NULL ? wrong : take_time(fields[FIELD_TS_MS], event.kind, &event.ts_ms);
    wrong = wrong != NULL ? wrong : check_recipient(fields[FIELD_RECIPIENT]);
    wrong = wrong != NULL ? wrong : take_reply(fields, &event.reply);
    if (wrong != NULL) {
        decoding_fault(decoding, wrong);
        return;
    }
    take_names(fields, &event);
    decoding_event_each(decoding, &event, fields[FIELD_RECIPIENT]);
}

static bool knows(const struct json_node *const *fields)
{
    return fields[FIELD_KIND] != NULL;
}

static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    return field_named(object, NULL, 0, name);
}

static bool is_like_object(const struct json_node *object)
{
    return field_has(object, "kind") &&
           (field_has(object, "ts_ms") || field_has(object, "recipient"));
}

const struct format FORMAT_NATIVE = {
    .name = "native",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .is_like_object = is_like_object,
};

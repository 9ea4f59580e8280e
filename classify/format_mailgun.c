/* classify/format_mailgun.c - Mailgun: events of the API, bare or as the webhook wraps them.
 *
 *     {"signature":{...},"event-data":{"event":"failed","severity":"permanent","reason":"bounce",
 *      "recipient":"gil@example.com","timestamp":1795255212.66,"delivery-status":{"code":550,"message":"5.1.1 ..."}}}
 *
 * Codes 498, 499 and from 600 on are Mailgun's own, no server's.
 *
 * Source: documentation.mailgun.com, "Events"; the fields of mailgun/mailgun-go, events/objects.go.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"

enum pick {
    EVENT,
    ID,
    TIMESTAMP,
    RECIPIENT,
    SEVERITY,
    REASON,
    IS_DELAYED_BOUNCE,
    TAGS,
    TENANT,
    CAMPAIGN,
    SENDER,
    MESSAGE_ID,
    MESSAGE_TO,
    PROVIDER,
    CODE,
    ENHANCED,
    MESSAGE,
    DESCRIPTION,
    MX_HOST,
    ATTEMPT,
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const char *const PATHS[PICK_COUNT] = {
    [EVENT] = "event",
    [ID] = "id",
    [TIMESTAMP] = "timestamp",
    [RECIPIENT] = "recipient",
    [SEVERITY] = "severity",
    [REASON] = "reason",
    [IS_DELAYED_BOUNCE] = "flags.is-delayed-bounce",
    [TAGS] = "tags",
    [TENANT] = "user-variables.tenant",
    [CAMPAIGN] = "user-variables.campaign",
    [SENDER] = "envelope.sender",
    [MESSAGE_ID] = "message.headers.message-id",
    [MESSAGE_TO] = "message.headers.to",
    [PROVIDER] = "recipient-provider",
    [CODE] = "delivery-status.code",
    [ENHANCED] = "delivery-status.enhanced-code",
    [MESSAGE] = "delivery-status.message",
    [DESCRIPTION] = "delivery-status.description",
    [MX_HOST] = "delivery-status.mx-host",
    [ATTEMPT] = "delivery-status.attempt-no",
};

static const struct word_kind KINDS[] = {
    {"accepted", KIND_RECEIVED}, {"delivered", KIND_DELIVERED},  {"failed", KIND_BOUNCED},
    {"rejected", KIND_ADMIN},    {"complained", KIND_COMPLAINT}, {"unsubscribed", KIND_UNSUBSCRIBE},
};

/* As the webhook wraps it, or bare. */
static const struct json_node *event_of(const struct json_node *object)
{
    const struct json_node *data = field_find(object, "event-data");
    return data != NULL ? data : object;
}

static void pick(const struct json_node *object, const struct json_node **picks)
{
    field_pick_paths(event_of(object), PATHS, PICK_COUNT, picks);
}

static bool knows(const struct json_node *const *picks)
{
    return picks[EVENT] != NULL;
}

static bool is_own_code(int64_t code)
{
    return code == 498 || code == 499 || code >= 600;
}

/* *own_code: 0 if the code is a server's. */
static void take_reply(struct decoding *decoding,
                       const struct json_node *const *picks,
                       struct reply *reply,
                       int64_t *own_code)
{
    const struct span message = field_text(picks[MESSAGE]);
    int64_t code = 0;
    decoding_reply(decoding, message.size > 0 ? message : field_text(picks[DESCRIPTION]),
                   field_text(picks[ENHANCED]), reply);
    (void)field_int(picks[CODE], 1, 999, &code);
    *own_code = is_own_code(code) ? code : 0;
    if (*own_code == 0 && reply->code == 0) {
        reply->code = (uint16_t)code;
    }
}

/* `reason` goes first: of what it gave up and of its own lists Mailgun also says whether that was temporary. */
static enum kind kind_of_failure(const struct json_node *const *picks,
                                 const struct reply *reply,
                                 int64_t own_code)
{
    const struct span reason = field_text(picks[REASON]);
    const bool is_final = !span_equal(field_text(picks[SEVERITY]), SPAN("temporary"));
    if (span_starts(reason, SPAN("suppress-")) || (own_code >= 605 && own_code <= 607)) {
        return KIND_DROPPED;
    }
    if (span_equal(reason, SPAN("old"))) {
        return KIND_EXPIRED;
    }
    if (field_is_true(picks[IS_DELAYED_BOUNCE])) {
        return KIND_LATE_BOUNCE;
    }
    if (!is_final) {
        return KIND_DEFERRED;
    }
    return own_code != 0 || reply->code / 100 == 4 ? KIND_EXPIRED : KIND_BOUNCED;
}

static enum origin origin_of(enum kind kind, const struct reply *reply, int64_t own_code)
{
    const bool is_ours =
        kind == KIND_DROPPED || kind == KIND_ADMIN || kind == KIND_RECEIVED ||
        (own_code != 0 && kind != KIND_LATE_BOUNCE && !text_is_unreached(reply->text));
    return is_ours ? ORIGIN_LOCAL : ORIGIN_REMOTE;
}

static void take_names(const struct json_node *const *picks, struct event *event)
{
    int64_t attempt;
    event->recipient = field_text(picks[RECIPIENT]);
    if (event->recipient.size == 0) {
        event->recipient = text_in_brackets(field_text(picks[MESSAGE_TO]));
    }
    event->message_id = text_in_brackets(field_text(picks[MESSAGE_ID]));
    event->event_id = field_text(picks[ID]);
    event->tenant = field_text(picks[TENANT]);
    event->campaign = field_first_text(picks[TAGS]);
    if (event->campaign.size == 0) {
        event->campaign = field_text(picks[CAMPAIGN]);
    }
    event->sender = field_text(picks[SENDER]);
    event->mx = field_text(picks[MX_HOST]);
    event->provider = field_text(picks[PROVIDER]);
    if (field_int(picks[ATTEMPT], 0, INT32_MAX, &attempt)) {
        event->attempt = (int32_t)attempt;
    }
}

static void decode_object(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = event_init();
    int64_t own_code;
    if (picks[EVENT] == NULL) {
        decoding_fault(decoding, "no event: not an event of Mailgun");
        return;
    }
    event.kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), field_text(picks[EVENT]));
    if (event.kind == KIND_IGNORED) {
        decoding_event(decoding, &event);
        return;
    }
    take_reply(decoding, picks, &event.reply, &own_code);
    if (event.kind == KIND_BOUNCED) {
        event.kind = kind_of_failure(picks, &event.reply, own_code);
        event.native_class = field_text(picks[REASON]);
    }
    event.origin = origin_of(event.kind, &event.reply, own_code);
    take_names(picks, &event);
    (void)field_time_ms(picks[TIMESTAMP], &event.ts_ms);
    decoding_event_checked(decoding, &event);
}

static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    static const char *const PLACES[] = {"user-variables", "message.headers"};
    return field_named(event_of(object), PLACES, 2, name);
}

static bool is_like_object(const struct json_node *object)
{
    return field_has(object, "event-data") ||
           (field_has(object, "event") && !field_has(object, "email") &&
            (field_has(object, "log-level") || field_has(object, "message") ||
             field_has(object, "delivery-status") || field_has(object, "user-variables")));
}

const struct format FORMAT_MAILGUN = {
    .name = "mailgun",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .is_like_object = is_like_object,
};

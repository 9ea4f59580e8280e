/* classify/format_sendgrid.c - Twilio SendGrid: the event webhook.
 *
 *     [{"email":"gil@example.com","timestamp":1795255212,"event":"bounce","type":"bounce","status":"5.1.1",
 *       "reason":"550 5.1.1 User unknown","smtp-id":"<m-7734@shop.example.net>","category":["spring26"]}]
 *
 * Flat objects. The customer's own arguments stand among them; of these we take `tenant` and `campaign`.
 *
 * Source: docs.sendgrid.com, "Event Webhook Reference".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"

enum pick {
    EMAIL,
    TIMESTAMP,
    EVENT,
    SMTP_ID,
    SG_MESSAGE_ID,
    SG_EVENT_ID,
    CATEGORY,
    REASON,
    RESPONSE,
    STATUS,
    ATTEMPT,
    TYPE,
    BOUNCE_CLASSIFICATION,
    FROM,
    MX_SERVER,
    TENANT,
    CAMPAIGN,
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const struct span KEYS[PICK_COUNT] = {
    [EMAIL] = KEY("email"),
    [TIMESTAMP] = KEY("timestamp"),
    [EVENT] = KEY("event"),
    [SMTP_ID] = KEY("smtp-id"),
    [SG_MESSAGE_ID] = KEY("sg_message_id"),
    [SG_EVENT_ID] = KEY("sg_event_id"),
    [CATEGORY] = KEY("category"),
    [REASON] = KEY("reason"),
    [RESPONSE] = KEY("response"),
    [STATUS] = KEY("status"),
    [ATTEMPT] = KEY("attempt"),
    [TYPE] = KEY("type"),
    [BOUNCE_CLASSIFICATION] = KEY("bounce_classification"),
    [FROM] = KEY("from"),
    [MX_SERVER] = KEY("mx_server"),
    [TENANT] = KEY("tenant"),
    [CAMPAIGN] = KEY("campaign"),
};

static const struct word_kind KINDS[] = {
    {"processed", KIND_RECEIVED},      {"delivered", KIND_DELIVERED},
    {"deferred", KIND_DEFERRED},       {"bounce", KIND_BOUNCED},
    {"dropped", KIND_DROPPED},         {"spamreport", KIND_COMPLAINT},
    {"unsubscribe", KIND_UNSUBSCRIBE}, {"group_unsubscribe", KIND_UNSUBSCRIBE},
};

static void pick(const struct json_node *object, const struct json_node **picks)
{
    field_pick(object, KEYS, PICK_COUNT, picks);
}

static bool knows(const struct json_node *const *picks)
{
    return picks[EVENT] != NULL;
}

static void take_reply(struct decoding *decoding,
                       const struct json_node *const *picks,
                       struct event *event)
{
    const struct span reason = field_text(picks[REASON]);
    const struct span response = field_text(picks[RESPONSE]);
    const bool is_answer = event->kind == KIND_DELIVERED || event->kind == KIND_DEFERRED;
    const struct span first = is_answer ? response : reason;
    const struct span second = is_answer ? reason : response;
    decoding_reply(decoding, first.size > 0 ? first : second, field_text(picks[STATUS]),
                   &event->reply);
}

static bool is_answered(const struct reply *reply)
{
    return reply->code != 0 || (reply->text.size > 0 && !text_is_unreached(reply->text));
}

/* A bounce says `blocked` for what is refused and for what was deferred for 72 hours; only an asynchronous one does not
 * know our message any more. */
static void refine_bounce(const struct json_node *const *picks, struct event *event)
{
    const struct reply *reply = &event->reply;
    const bool is_temporary =
        reply->code != 0 ? reply->code / 100 == 4 : reply->enhanced.class_ == 4;
    if (field_text(picks[SG_MESSAGE_ID]).size == 0) {
        event->kind = KIND_LATE_BOUNCE;
    } else if (is_temporary || !is_answered(reply)) {
        event->kind = KIND_EXPIRED;
    }
}

static void take_names(const struct json_node *const *picks, struct event *event)
{
    int64_t attempt;
    event->message_id = text_in_brackets(field_text(picks[SMTP_ID]));
    if (event->message_id.size == 0) {
        event->message_id = field_text(picks[SG_MESSAGE_ID]);
    }
    event->event_id = field_text(picks[SG_EVENT_ID]);
    event->tenant = field_text(picks[TENANT]);
    event->campaign = field_first_text(picks[CATEGORY]);
    if (event->campaign.size == 0) {
        event->campaign = field_text(picks[CAMPAIGN]);
    }
    event->sender = text_in_brackets(field_text(picks[FROM]));
    event->mx = field_text(picks[MX_SERVER]);
    event->native_class = field_text(picks[BOUNCE_CLASSIFICATION]);
    if (field_int(picks[ATTEMPT], 0, INT32_MAX, &attempt)) {
        event->attempt = (int32_t)attempt;
    }
}

/* Our own list, or the throttle of SendGrid before the server's door. */
static bool is_ours(const struct event *event)
{
    return event->kind == KIND_DROPPED || event->kind == KIND_RECEIVED ||
           text_contains(event->reply.text, "IPs were throttled");
}

static void decode_object(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = event_init();
    if (picks[EVENT] == NULL) {
        decoding_fault(decoding, "no event: not an object of SendGrid's webhook");
        return;
    }
    event.kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), field_text(picks[EVENT]));
    if (event.kind != KIND_IGNORED) {
        event.recipient = field_text(picks[EMAIL]);
        (void)field_time_ms(picks[TIMESTAMP], &event.ts_ms);
        take_reply(decoding, picks, &event);
        take_names(picks, &event);
    }
    if (event.kind == KIND_BOUNCED) {
        refine_bounce(picks, &event);
    }
    if (is_ours(&event)) {
        event.origin = ORIGIN_LOCAL;
    }
    decoding_event_checked(decoding, &event);
}

static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    static const char *const PLACES[] = {"unique_args", "custom_args"};
    return field_named(object, PLACES, 2, name);
}

static bool is_like_object(const struct json_node *object)
{
    return field_has(object, "event") &&
           (field_has(object, "sg_event_id") || field_has(object, "email"));
}

const struct format FORMAT_SENDGRID = {
    .name = "sendgrid",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .is_like_object = is_like_object,
};

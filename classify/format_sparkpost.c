/* classify/format_sparkpost.c - SparkPost (MessageBird, Bird): webhooks and events of the API.
 *
 *     [{"msys":{"message_event":{"type":"bounce","rcpt_to":"gil@example.com","timestamp":"1795255212","error_code":"550",
 *      "raw_reason":"550 5.1.1 User unknown","bounce_class":"10"}}}]
 *
 * The object inside the one inside `msys` is the event; an empty `msys` is a ping. Numbers come as strings.
 * Subaccount 0 is the main account.
 *
 * Source: developers.sparkpost.com, "Events", "Bounce classification codes".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"

enum pick {
    MSYS,
    TYPE,
    EVENT_ID,
    TIMESTAMP,
    RCPT_TO,
    RAW_RCPT_TO,
    MESSAGE_ID,
    CAMPAIGN_ID,
    SUBACCOUNT_ID,
    BOUNCE_CLASS,
    FBTYPE,
    ERROR_CODE,
    RAW_REASON,
    REASON,
    MSG_FROM,
    IP_ADDRESS,
    MAILBOX_PROVIDER,
    ROUTING_DOMAIN,
    NUM_RETRIES,
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const struct span KEYS[PICK_COUNT] = {
    [MSYS] = KEY("msys"),
    [TYPE] = KEY("type"),
    [EVENT_ID] = KEY("event_id"),
    [TIMESTAMP] = KEY("timestamp"),
    [RCPT_TO] = KEY("rcpt_to"),
    [RAW_RCPT_TO] = KEY("raw_rcpt_to"),
    [MESSAGE_ID] = KEY("message_id"),
    [CAMPAIGN_ID] = KEY("campaign_id"),
    [SUBACCOUNT_ID] = KEY("subaccount_id"),
    [BOUNCE_CLASS] = KEY("bounce_class"),
    [FBTYPE] = KEY("fbtype"),
    [ERROR_CODE] = KEY("error_code"),
    [RAW_REASON] = KEY("raw_reason"),
    [REASON] = KEY("reason"),
    [MSG_FROM] = KEY("msg_from"),
    [IP_ADDRESS] = KEY("ip_address"),
    [MAILBOX_PROVIDER] = KEY("mailbox_provider"),
    [ROUTING_DOMAIN] = KEY("routing_domain"),
    [NUM_RETRIES] = KEY("num_retries"),
};

static const struct word_kind KINDS[] = {
    {"injection", KIND_RECEIVED},
    {"delivery", KIND_DELIVERED},
    {"delay", KIND_DEFERRED},
    {"bounce", KIND_BOUNCED},
    {"out_of_band", KIND_LATE_BOUNCE},
    {"spam_complaint", KIND_COMPLAINT},
    {"policy_rejection", KIND_DROPPED},
    {"generation_rejection", KIND_DROPPED},
    {"generation_failure", KIND_DROPPED},
    {"list_unsubscribe", KIND_UNSUBSCRIBE},
    {"link_unsubscribe", KIND_UNSUBSCRIBE},
};

/* The event itself, or what is inside `msys`: an object under the name of its class. */
static const struct json_node *event_of(const struct json_node *object)
{
    const struct json_node *msys = field_find(object, "msys");
    if (msys == NULL || msys->kind != JSON_OBJECT) {
        return object;
    }
    return msys->count > 1 ? json_first(msys) : NULL;
}

static void pick(const struct json_node *object, const struct json_node **picks)
{
    field_pick(event_of(object), KEYS, PICK_COUNT, picks);
    picks[MSYS] = field_find(object, "msys");
}

static bool knows(const struct json_node *const *picks)
{
    return picks[MSYS] != NULL || picks[TYPE] != NULL;
}

static struct span first_of(const struct json_node *a, const struct json_node *b)
{
    const struct span text = field_text(a);
    return text.size > 0 ? text : field_text(b);
}

static void take_reply(struct decoding *decoding,
                       const struct json_node *const *picks,
                       struct reply *reply)
{
    int64_t code;
    decoding_reply(decoding, first_of(picks[RAW_REASON], picks[REASON]), SPAN_NONE, reply);
    if (reply->code == 0 && field_int(picks[ERROR_CODE], 200, 599, &code)) {
        reply->code = (uint16_t)code;
    }
}

/* The main account is no customer of anybody's: its mail has the tenant that the user says. */
static struct span tenant_of(struct decoding *decoding, const struct json_node *subaccount)
{
    const struct span id = decoding_text(decoding, subaccount);
    return span_equal(id, SPAN("0")) ? SPAN_NONE : id;
}

static void take_names(struct decoding *decoding,
                       const struct json_node *const *picks,
                       struct event *event)
{
    int64_t attempt;
    event->recipient = first_of(picks[RCPT_TO], picks[RAW_RCPT_TO]);
    event->message_id = field_text(picks[MESSAGE_ID]);
    event->event_id = field_text(picks[EVENT_ID]);
    event->tenant = tenant_of(decoding, picks[SUBACCOUNT_ID]);
    event->campaign = field_text(picks[CAMPAIGN_ID]);
    event->sender = field_text(picks[MSG_FROM]);
    event->mx = field_text(picks[IP_ADDRESS]);
    event->provider = first_of(picks[MAILBOX_PROVIDER], picks[ROUTING_DOMAIN]);
    event->native_class = first_of(picks[BOUNCE_CLASS], picks[FBTYPE]);
    if (field_int(picks[NUM_RETRIES], 0, INT32_MAX, &attempt)) {
        event->attempt = (int32_t)attempt;
    }
}

static void decode_object(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = event_init();
    if (picks[MSYS] == NULL && picks[TYPE] == NULL) {
        decoding_fault(decoding, "neither msys nor type: not an event of SparkPost");
        return;
    }
    event.kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), field_text(picks[TYPE]));
    if (event.kind == KIND_IGNORED) {
        decoding_event(decoding, &event);
        return;
    }
    take_reply(decoding, picks, &event.reply);
    take_names(decoding, picks, &event);
    (void)field_time_ms(picks[TIMESTAMP], &event.ts_ms);
    if (event.kind == KIND_COMPLAINT && event.native_class.size > 0) {
        event.kind = feedback_kind(event.native_class);
    }
    momentum_judge(&event);
    decoding_event_checked(decoding, &event);
}

static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    static const char *const PLACES[] = {"rcpt_meta"};
    return field_named(event_of(object), PLACES, 1, name);
}

static bool is_like_object(const struct json_node *object)
{
    return field_has(object, "msys") ||
           (field_has(object, "type") && field_has(object, "event_id") &&
            field_has(object, "rcpt_to"));
}

const struct format FORMAT_SPARKPOST = {
    .name = "sparkpost",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .is_like_object = is_like_object,
};

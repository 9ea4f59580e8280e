/* classify/format_ses.c - Amazon SES: event publishing and notifications, bare or in Amazon SNS.
 *
 *     {"eventType":"Bounce","mail":{...},"bounce":{"bounceType":"Permanent",
 *      "bouncedRecipients":[{"emailAddress":"gil@example.com","diagnosticCode":"smtp; 550 5.1.1 User unknown"}],...}}
 *
 * What happened stands in an object of its own, of which an event has one: its recipients and its time are the event's, not
 * those of the mail.
 *
 * Source: Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS", "Amazon SNS
 *         notification contents for Amazon SES".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"

enum pick {
    EVENT_TYPE,
    NOTIFICATION_TYPE,
    MAIL_TIMESTAMP,
    MAIL_SOURCE,
    MAIL_MESSAGE_ID,
    MAIL_DESTINATION,
    MAIL_HEADERS,
    TAG_TENANT,
    TAG_CAMPAIGN,
    BOUNCE_TIMESTAMP,
    BOUNCE_TYPE,
    BOUNCE_SUBTYPE,
    BOUNCE_RECIPIENTS,
    BOUNCE_FEEDBACK_ID,
    BOUNCE_REPORTING_MTA,
    COMPLAINT_TIMESTAMP,
    COMPLAINT_RECIPIENTS,
    COMPLAINT_FEEDBACK_ID,
    COMPLAINT_TYPE,
    COMPLAINT_SUBTYPE,
    DELIVERY_TIMESTAMP,
    DELIVERY_RECIPIENTS,
    DELIVERY_RESPONSE,
    DELIVERY_MTA,
    DELAY_TIMESTAMP,
    DELAY_TYPE,
    DELAY_RECIPIENTS,
    SUBSCRIPTION_TIMESTAMP,
    UNSUBSCRIBE_ALL,
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const char *const PATHS[PICK_COUNT] = {
    [EVENT_TYPE] = "eventType",
    [NOTIFICATION_TYPE] = "notificationType",
    [MAIL_TIMESTAMP] = "mail.timestamp",
    [MAIL_SOURCE] = "mail.source",
    [MAIL_MESSAGE_ID] = "mail.messageId",
    [MAIL_DESTINATION] = "mail.destination",
    [MAIL_HEADERS] = "mail.headers",
    [TAG_TENANT] = "mail.tags.tenant",
    [TAG_CAMPAIGN] = "mail.tags.campaign",
    [BOUNCE_TIMESTAMP] = "bounce.timestamp",
    [BOUNCE_TYPE] = "bounce.bounceType",
    [BOUNCE_SUBTYPE] = "bounce.bounceSubType",
    [BOUNCE_RECIPIENTS] = "bounce.bouncedRecipients",
    [BOUNCE_FEEDBACK_ID] = "bounce.feedbackId",
    [BOUNCE_REPORTING_MTA] = "bounce.reportingMTA",
    [COMPLAINT_TIMESTAMP] = "complaint.timestamp",
    [COMPLAINT_RECIPIENTS] = "complaint.complainedRecipients",
    [COMPLAINT_FEEDBACK_ID] = "complaint.feedbackId",
    [COMPLAINT_TYPE] = "complaint.complaintFeedbackType",
    [COMPLAINT_SUBTYPE] = "complaint.complaintSubType",
    [DELIVERY_TIMESTAMP] = "delivery.timestamp",
    [DELIVERY_RECIPIENTS] = "delivery.recipients",
    [DELIVERY_RESPONSE] = "delivery.smtpResponse",
    [DELIVERY_MTA] = "delivery.remoteMtaIp",
    [DELAY_TIMESTAMP] = "deliveryDelay.timestamp",
    [DELAY_TYPE] = "deliveryDelay.delayType",
    [DELAY_RECIPIENTS] = "deliveryDelay.delayedRecipients",
    [SUBSCRIPTION_TIMESTAMP] = "subscription.timestamp",
    [UNSUBSCRIBE_ALL] = "subscription.newTopicPreferences.unsubscribeAll",
};

static void pick(const struct json_node *object, const struct json_node **picks)
{
    field_pick_paths(object, PATHS, PICK_COUNT, picks);
}

static bool knows(const struct json_node *const *picks)
{
    return picks[EVENT_TYPE] != NULL || picks[NOTIFICATION_TYPE] != NULL;
}

/* --- what all events have -----------------------------------------------------------------------
 */

/* Of the mail itself; SES passes them on if it is told to. */
static struct span find_header(const struct json_node *headers, const char *name)
{
    if (headers == NULL || headers->kind != JSON_ARRAY) {
        return SPAN_NONE;
    }
    for (const struct json_node *n = json_first(headers); n != json_end(headers);
         n = json_next(n)) {
        if (span_equal_nocase(field_text(field_find(n, "name")), span_of(name))) {
            return field_text(field_find(n, "value"));
        }
    }
    return SPAN_NONE;
}

static struct span tag_or_header(const struct json_node *const *picks,
                                 enum pick tag,
                                 const char *header)
{
    const struct span value = field_first_text(picks[tag]);
    return value.size > 0 ? value : find_header(picks[MAIL_HEADERS], header);
}

static struct event common_event(const struct decoding *decoding,
                                 const struct json_node *const *picks)
{
    struct event event = event_init();
    event.message_id = field_text(picks[MAIL_MESSAGE_ID]);
    event.event_id = decoding_envelope_id(decoding);
    event.tenant = tag_or_header(picks, TAG_TENANT, "X-Tenant");
    event.campaign = tag_or_header(picks, TAG_CAMPAIGN, "X-Campaign");
    event.sender = field_text(picks[MAIL_SOURCE]);
    return event;
}

static void take_event_id(const struct json_node *feedback_id, struct event *event)
{
    if (event->event_id.size == 0) {
        event->event_id = field_text(feedback_id);
    }
}

/* One event for each of a list of {"emailAddress":...} with what the server said of it. */
static void decode_recipients(struct decoding *decoding,
                              struct event event,
                              const struct json_node *recipients)
{
    if (recipients == NULL || recipients->kind != JSON_ARRAY || recipients->count == 1) {
        decoding_event_checked(decoding, &event);
        return;
    }
    uint32_t count = 0;
    for (const struct json_node *n = json_first(recipients); n != json_end(recipients);
         n = json_next(n)) {
        if (++count > DECODE_RECIPIENTS_MAX) {
            decoding_fault(decoding, "more than 1000 recipients in one event");
            return;
        }
        const struct span diagnostic = field_text(field_find(n, "diagnosticCode"));
        event.recipient = field_text(field_find(n, "emailAddress"));
        decoding_reply(decoding, diagnostic, field_text(field_find(n, "status")), &event.reply);
        decoding_event_checked(decoding, &event);
    }
}

/* --- the events ---------------------------------------------------------------------------------
 */

static bool is_account_list(struct span subtype)
{
    return span_equal(subtype, SPAN("Suppressed")) ||
           span_equal(subtype, SPAN("OnAccountSuppressionList"));
}

static bool has_diagnostic(const struct json_node *recipients)
{
    if (recipients == NULL || recipients->kind != JSON_ARRAY) {
        return false;
    }
    for (const struct json_node *n = json_first(recipients); n != json_end(recipients);
         n = json_next(n)) {
        if (field_text(field_find(n, "diagnosticCode")).size > 0) {
            return true;
        }
    }
    return false;
}

/* A transient bounce is one that SES has given up to retry. */
static void decode_bounce(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = common_event(decoding, picks);
    const struct span type = field_text(picks[BOUNCE_TYPE]);
    const struct span subtype = field_text(picks[BOUNCE_SUBTYPE]);
    struct span mta_type;
    event.kind = KIND_BOUNCED;
    if (is_account_list(subtype)) {
        event.kind = KIND_DROPPED;
        event.origin = ORIGIN_LOCAL;
    } else if (span_equal(type, SPAN("Transient"))) {
        event.kind = KIND_EXPIRED;
        event.origin = has_diagnostic(picks[BOUNCE_RECIPIENTS]) ? ORIGIN_REMOTE : ORIGIN_LOCAL;
    }
    event.native_class = decoding_join(decoding, type, '/', subtype);
    event.mx = text_typed(field_text(picks[BOUNCE_REPORTING_MTA]), &mta_type);
    take_event_id(picks[BOUNCE_FEEDBACK_ID], &event);
    (void)field_time_ms(picks[BOUNCE_TIMESTAMP], &event.ts_ms);
    decode_recipients(decoding, event, picks[BOUNCE_RECIPIENTS]);
}

/* Without a type the mailbox provider did not say more than that it is one. */
static void decode_complaint(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = common_event(decoding, picks);
    event.native_class = field_text(picks[COMPLAINT_TYPE]);
    event.kind = event.native_class.size == 0 ? KIND_COMPLAINT : feedback_kind(event.native_class);
    if (is_account_list(field_text(picks[COMPLAINT_SUBTYPE]))) {
        event.kind = KIND_DROPPED;
        event.origin = ORIGIN_LOCAL;
    }
    take_event_id(picks[COMPLAINT_FEEDBACK_ID], &event);
    (void)field_time_ms(picks[COMPLAINT_TIMESTAMP], &event.ts_ms);
    decode_recipients(decoding, event, picks[COMPLAINT_RECIPIENTS]);
}

static void decode_delivery(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = common_event(decoding, picks);
    event.kind = KIND_DELIVERED;
    event.mx = field_text(picks[DELIVERY_MTA]);
    (void)field_time_ms(picks[DELIVERY_TIMESTAMP], &event.ts_ms);
    decoding_reply(decoding, field_text(picks[DELIVERY_RESPONSE]), SPAN_NONE, &event.reply);
    if (event.ts_ms == 0) {
        decoding_fault(decoding, "no time");
        return;
    }
    decoding_event_each(decoding, &event, picks[DELIVERY_RECIPIENTS]);
}

static void decode_delay(struct decoding *decoding, const struct json_node *const *picks)
{
    struct event event = common_event(decoding, picks);
    event.kind = KIND_DEFERRED;
    event.native_class = field_text(picks[DELAY_TYPE]);
    (void)field_time_ms(picks[DELAY_TIMESTAMP], &event.ts_ms);
    decode_recipients(decoding, event, picks[DELAY_RECIPIENTS]);
}

/* What never left SES: `mail` is all that there is. */
static void decode_mail(struct decoding *decoding,
                        const struct json_node *const *picks,
                        enum kind kind,
                        enum origin origin,
                        const struct json_node *timestamp)
{
    struct event event = common_event(decoding, picks);
    event.kind = kind;
    event.origin = origin;
    if (!field_time_ms(timestamp, &event.ts_ms)) {
        (void)field_time_ms(picks[MAIL_TIMESTAMP], &event.ts_ms);
    }
    if (event.ts_ms == 0) {
        decoding_fault(decoding, "no time");
        return;
    }
    decoding_event_each(decoding, &event, picks[MAIL_DESTINATION]);
}

static void decode_object(struct decoding *decoding, const struct json_node *const *picks)
{
    const struct json_node *type_node =
        picks[EVENT_TYPE] != NULL ? picks[EVENT_TYPE] : picks[NOTIFICATION_TYPE];
    const struct span type = field_text(type_node);
    if (type_node == NULL) {
        decoding_fault(decoding, "neither eventType nor notificationType: not an event of SES");
    } else if (span_equal(type, SPAN("Bounce"))) {
        decode_bounce(decoding, picks);
    } else if (span_equal(type, SPAN("Complaint"))) {
        decode_complaint(decoding, picks);
    } else if (span_equal(type, SPAN("Delivery"))) {
        decode_delivery(decoding, picks);
    } else if (span_equal(type, SPAN("DeliveryDelay"))) {
        decode_delay(decoding, picks);
    } else if (span_equal(type, SPAN("Send"))) {
        decode_mail(decoding, picks, KIND_RECEIVED, ORIGIN_LOCAL, NULL);
    } else if (span_equal(type, SPAN("Reject")) || span_equal(type, SPAN("Rendering Failure"))) {
        decode_mail(decoding, picks, KIND_ADMIN, ORIGIN_LOCAL, NULL);
    } else if (span_equal(type, SPAN("Subscription")) && field_is_true(picks[UNSUBSCRIBE_ALL])) {
        decode_mail(decoding, picks, KIND_UNSUBSCRIBE, ORIGIN_REMOTE,
                    picks[SUBSCRIPTION_TIMESTAMP]);
    } else {
        const struct event event = event_init();
        decoding_event(decoding, &event);
    }
}

/* A tag, a header (of which the list tells), a field. */
static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    static const char *const PLACES[] = {"mail.tags"};
    const struct json_node *found = field_named(object, PLACES, 1, name);
    if (found == NULL) {
        field_pick_paths(object, &PATHS[MAIL_HEADERS], 1, &found);
    }
    return found;
}

static bool is_like_object(const struct json_node *object)
{
    return (field_has(object, "eventType") || field_has(object, "notificationType")) &&
           (field_has(object, "mail") || field_has(object, "message"));
}

const struct format FORMAT_SES = {
    .name = "ses",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .is_like_object = is_like_object,
};

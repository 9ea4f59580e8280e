/* consumer/intake.c - see intake.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/intake.h"

#include <stdlib.h>

#include "base/log.h"
#include "classify/sender_names.h"
#include "classify/tally.h"

struct intake {
    struct intake_config config;
    struct decoder *decoder;
    struct intake_counts counts;
    /* while a record is decoded */
    const struct intake_source *source;
    const struct intake_sink *sink;
};

/* Whose an event is, in canonical form; the bytes lie here. */
struct identity {
    char address_memory[ADDRESS_SIZE_MAX];
    char tenant_memory[TENANT_SIZE_MAX];
    struct span address;
    struct span tenant;
};

enum err intake_create(const struct intake_config *config, struct intake **out)
{
    struct intake *intake = calloc(1, sizeof(*intake));
    if (intake == NULL) {
        return ERR_NO_MEMORY;
    }
    const enum err err = decoder_create(&intake->decoder);
    if (err != OK) {
        free(intake);
        return err;
    }
    intake->config = *config;
    *out = intake;
    return OK;
}

void intake_destroy(struct intake **intake)
{
    struct intake *i = *intake;
    *intake = NULL;
    if (i != NULL) {
        decoder_destroy(&i->decoder);
        free(i);
    }
}

const struct intake_counts *intake_counts(const struct intake *intake)
{
    return &intake->counts;
}

void intake_use(struct intake *intake, struct classifier *classifier)
{
    intake->config.classifier = classifier;
}

static void refuse(struct intake *intake, const struct decode_part *part, const char *reason)
{
    const struct dead_letter letter = {
        .reason = reason,
        .part = part->bytes,
        .part_index = part->index,
    };
    intake->counts.refused++;
    intake->sink->dead(intake->sink->context, &letter);
}

/* NULL, or why the event's time cannot be taken. */
static const char *check_time(struct intake *intake, int64_t *ts_ms)
{
    const struct intake_source *source = intake->source;
    if (*ts_ms <= 0) {
        return "its time is not after 1970-01-01";
    }
    if (source->time_bound_ms != 0 && *ts_ms > source->time_bound_ms) {
        *ts_ms = source->clamp_ms;
        intake->counts.clamped++;
    }
    return *ts_ms > TIME_MS_MAX ? "its time is after the year 9999" : NULL;
}

static const char *identify(const struct intake *intake,
                            const struct event *event,
                            struct identity *out)
{
    out->tenant = SPAN_NONE;
    if (event->tenant.size > 0) {
        const char *fault = tenant_canonical(event->tenant, out->tenant_memory, &out->tenant);
        if (fault != NULL) {
            return fault;
        }
    }
    return address_canonical(event->recipient, intake->config.address, out->address_memory,
                             &out->address);
}

static struct evidence evidence_of(const struct intake *intake,
                                   const struct event *event,
                                   const struct meaning *meaning,
                                   uint32_t part)
{
    const struct intake_source *source = intake->source;
    return (struct evidence){
        .reply = event->reply,
        .rule = span_of(meaning->rule),
        .mx = event->mx,
        .provider = event->provider,
        .message_id = event->message_id,
        .campaign = event->campaign,
        .sender = event->sender,
        .topic = source->topic,
        .partition = source->partition,
        .offset = source->offset,
        .index = part - 1,
    };
}

static void route(struct intake *intake,
                  const struct event *event,
                  const struct meaning *meaning,
                  int64_t ts_ms,
                  const struct decode_part *part)
{
    struct identity who;
    const char *fault = identify(intake, event, &who);
    if (fault != NULL) {
        refuse(intake, part, fault);
        return;
    }
    const struct secret *secret = intake->config.secret;
    const bool scope_tenant =
        policy_scope_is_tenant(intake->config.policies, event->kind, who.tenant);
    const struct observation observation = {
        .key = key_of(secret, scope_tenant ? who.tenant : SPAN_NONE, who.address),
        .kind = event->kind,
        .origin = event->origin,
        .category = meaning->category,
        .scope_tenant = scope_tenant,
        .names_message = event->message_id.size > 0,
        .ts_ms = ts_ms,
        .send = send_of(secret, who.tenant, event->campaign, event->message_id, ts_ms),
        .recipient = who.address,
        .tenant = who.tenant,
        .evidence = evidence_of(intake, event, meaning, part->index),
    };
    intake->counts.routed++;
    intake->sink->observed(intake->sink->context,
                           key_shard(observation.key, intake->config.shard_count), &observation);
}

static bool is_operators_word(enum kind kind)
{
    return kind == KIND_SUPPRESS || kind == KIND_RELEASE;
}

static bool means_nothing(enum kind kind)
{
    return kind == KIND_RECEIVED || kind == KIND_DROPPED || kind == KIND_ADMIN ||
           kind == KIND_IGNORED;
}

static bool is_wish(enum kind kind)
{
    return kind == KIND_COMPLAINT || kind == KIND_UNSUBSCRIBE;
}

static struct span first_of(struct span a, struct span b, struct span c)
{
    return a.size > 0 ? a : b.size > 0 ? b : c;
}

struct event intake_named(const struct intake_source *source, const struct event *decoded)
{
    struct event event = *decoded;
    const bool has_names = event.tenant.size > 0 && event.campaign.size > 0;
    struct sender_names names = {.tenant = SPAN_NONE};
    if (!has_names && source->sender_template.size > 0) {
        names = sender_names_of(source->sender_template, event.sender);
    }
    event.tenant = first_of(event.tenant, names.tenant, source->tenant);
    event.campaign = first_of(event.campaign, names.campaign, source->campaign);
    return event;
}

/* NULL, or why it may not come from here. */
static const char *check_right(const struct intake *intake, const struct event *event)
{
    if (is_operators_word(event->kind) && !intake->source->commands) {
        return "operator's words are not taken from this topic: set commands: true for it in the "
               "configuration if they may speak here";
    }
    return intake->config.wish_needs_tenant && is_wish(event->kind) && event->tenant.size == 0
               ? "no tenant: it is not known whose mail is not wanted (policy.wish_without_tenant)"
               : NULL;
}

static void take_event(void *context, const struct decode_part *part, const struct event *decoded)
{
    struct intake *intake = context;
    const struct event named = intake_named(intake->source, decoded);
    const struct event *event = &named;
    int64_t ts_ms = event->ts_ms;
    intake->counts.events++;
    const char *fault = check_time(intake, &ts_ms);
    if (fault == NULL && intake->sink->seen != NULL) {
        intake->sink->seen(intake->sink->context, ts_ms);
    }
    if (means_nothing(event->kind)) {
        intake->counts.ignored++;
        return;
    }
    if (fault == NULL) {
        fault = check_right(intake, event);
    }
    if (fault != NULL) {
        refuse(intake, part, fault);
        return;
    }
    const struct meaning meaning = classify(intake->config.classifier, event);
    classifier_count(intake->config.classifier, event, &meaning, ts_ms);
    if (!observation_matters(event->kind, event->origin, meaning.category)) {
        intake->counts.harmless++;
        return;
    }
    route(intake, event, &meaning, ts_ms, part);
}

static void take_fault(void *context, const struct decode_fault *fault)
{
    struct intake *intake = context;
    const struct dead_letter letter = {
        .reason = fault->reason,
        .part = fault->part,
        .position = fault->position,
        .part_index = fault->part_index,
    };
    intake->counts.malformed++;
    intake->sink->dead(intake->sink->context, &letter);
}

void intake_record(struct intake *intake,
                   const struct intake_source *source,
                   struct span payload,
                   const struct intake_sink *sink)
{
    const struct decode_sink decoded = {
        .context = intake, .event = take_event, .fault = take_fault};
    intake->source = source;
    intake->sink = sink;
    intake->counts.records++;
    const struct decode_source from = {.format = source->format,
                                       .now_ms = source->now_ms,
                                       .continues = source->continues,
                                       .prefer_final = intake->config.prefer_final,
                                       .headings = source->headings,
                                       .names = source->names};
    decode(intake->decoder, &from, payload, &decoded);
}

/* consumer/intake.h - the intake on one page: a raw record becomes observations, each routed to the
 * shard of its recipient. Stateless, no Kafka, no clock: the intake worker and `replay` run the
 * same code.
 *
 *     decode -> time -> (operator's words?) -> classify -> does it matter? -> who -> observation
 *
 * Thread:  one intake per worker, with a classifier of its own; policies and secret are shared and
 *          immutable.
 * Errors:  none: what cannot be taken is told to the sink as a dead letter with its reason, and
 *          the rest goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"
#include "classify/decode.h"
#include "state/decide.h"

/* What happened to the events of an intake: each is counted in exactly one of the lower six. */
struct intake_counts {
    uint64_t records;
    uint64_t events;
    uint64_t clamped; /* time was in the future and was replaced; counted below too */

    uint64_t routed;
    uint64_t
        ignored; /* kinds that mean nothing to a recipient: received, dropped, admin, ignored */
    uint64_t harmless; /* deferrals left to the MTA, our own doing: step 2 of the decision */
    uint64_t
        refused; /* dead letters: address, tenant, time, operator's words where none may speak */
    uint64_t malformed; /* dead letters: could not be read; these never became events */
};

struct intake_config {
    struct classifier *classifier; /* NULL: intake_use() comes before the first record */
    const struct policy_set *policies;
    const struct secret *secret;
    uint32_t shard_count;
    struct address_options address;
    bool prefer_final;      /* struct decode_source */
    bool wish_needs_tenant; /* a complaint or unsubscribe without one is a dead letter */
};

/* Where a record came from. */
struct intake_source {
    const struct format *format;
    bool commands;         /* operators may speak here */
    int64_t time_bound_ms; /* a later event time is replaced by clamp_ms; 0: no bound */
    int64_t clamp_ms;
    int64_t now_ms;       /* about when the record was written (struct decode_source) */
    bool continues;       /* likewise */
    struct span tenant;   /* of events that name none; SPAN_NONE: they have none */
    struct span campaign; /* likewise */
    struct span
        sender_template;  /* of tenant and campaign, where they still lack; SPAN_NONE: none */
    struct span headings; /* struct decode_source */
    const struct decode_names *names; /* likewise */
    struct span topic;                /* for the evidence; SPAN_NONE: a file */
    int32_t partition;
    int64_t offset;
};

struct dead_letter {
    const char *reason;
    struct span part;    /* of the record */
    uint64_t position;   /* in it */
    uint32_t part_index; /* which line or element, from 1; 0: the record as a whole */
};

struct intake_sink {
    void *context;
    /* without the traceparent, which only the caller knows */
    void (*observed)(void *context, uint32_t shard, const struct observation *observation);
    void (*dead)(void *context, const struct dead_letter *letter);
    /* every event's time, also of those that change nothing; may be NULL */
    void (*seen)(void *context, int64_t ts_ms);
};

struct intake;

MUST_USE enum err intake_create(const struct intake_config *config, struct intake **out);
void intake_destroy(struct intake **intake);

/* From now on with other rules; between records. */
void intake_use(struct intake *intake, struct classifier *classifier);

/* Spans of what the sink gets are borrowed until it returns. */
void intake_record(struct intake *intake,
                   const struct intake_source *source,
                   struct span payload,
                   const struct intake_sink *sink);

/* The event with tenant and campaign: as decode() told them, else of its return path, else of its topic. */
struct event intake_named(const struct intake_source *source, const struct event *decoded);

const struct intake_counts *intake_counts(const struct intake *intake);

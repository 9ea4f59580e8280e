/* state/observation.h - an event as its shard sees it: classified, routed, and stripped to what
 * counts.
 *
 * Made by the intake, packed into blocks (block.h), read by the shard. A delivery carries only
 * hashes: nine of ten events are deliveries, and what they may change needs no text. Everything
 * else carries the words that a decision must show.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/address.h"
#include "classify/event.h"

enum {
    EVIDENCE_TEXT_SIZE_MAX = 512,
    EVIDENCE_WORD_SIZE_MAX = 255, /* every other text of the evidence */
};

/* What a decision shows of the event that led to it. Any text may be SPAN_NONE. Borrowed like the
 * observation. */
struct evidence {
    struct reply reply;
    struct span rule; /* of the classifier */
    struct span mx;
    struct span provider;
    struct span message_id;
    struct span campaign;
    struct span sender;
    struct span traceparent; /* of the Kafka record that brought the event: passed on */
    struct span topic;       /* where the event stood, and at which place of that record (from 0) */
    int32_t partition;
    int64_t offset;
    uint32_t index;
};

struct observation {
    struct key key;
    enum kind kind;
    enum origin origin;
    enum category category; /* NONE for deliveries */
    bool scope_tenant;      /* whose record: the tenant's, or the recipient's */
    bool names_message;     /* it has a message id, whatever the send is known by */
    int64_t ts_ms;
    struct send send;
    /* absent in a delivery: */
    struct span recipient; /* canonical */
    struct span tenant;    /* canonical; SPAN_NONE: there is none */
    struct evidence evidence;
};

static inline bool observation_has_words(const struct observation *observation)
{
    return observation->kind != KIND_DELIVERED;
}

/* consumer/process.h - what the workers of one process share: immutable, made once at the start, but for the
 * rules in force and their version.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "classify/published.h"
#include "consumer/intake.h"
#include "consumer/kafka/io.h"
#include "state/publication.h"
#include "state/store.h"

/* An input topic, in the order of io_config.inputs of the intake. */
struct input_topic {
    const char *name;
    const struct format *format;
    bool commands;
    struct span tenant; /* of events that name none; SPAN_NONE: nobody's */
    struct span campaign;
    struct span sender_template; /* these three as in struct intake_source */
    struct span headings;
    const struct decode_names *names;
};

struct process {
    struct published_rules *rules; /* one reader for each intake worker */
    const struct policy_set *policies;
    const struct secret *secret;
    uint32_t shard_count;
    struct address_options address;
    bool prefer_final;
    bool wish_needs_tenant;
    struct publisher publisher; /* but for its policy_version: */
    /* of rules and policies in force. Acquire, pairs with the reload; texts live as long as the
     * process. */
    const _Atomic(const char *) *policy_version;
    struct memory_budget *budget;
    const struct input_topic *inputs;
    size_t input_count;
    bool start_at_latest; /* input.start, where nothing is committed yet */
};

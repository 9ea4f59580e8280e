/* consumer/process.h - what the workers of one process share: immutable, made once at the start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "consumer/intake.h"
#include "consumer/kafka/io.h"
#include "state/publication.h"
#include "state/store.h"

/* An input topic, in the order of io_config.inputs of the intake. */
struct input_topic {
    const char *name;
    const struct format *format;
    bool commands;
};

struct process {
    const struct ruleset *rules;
    const struct policy_set *policies;
    const struct secret *secret;
    uint32_t shard_count;
    struct address_options address;
    struct publisher publisher;
    struct memory_budget *budget;
    const struct input_topic *inputs;
    size_t input_count;
    bool start_at_latest; /* input.start, where nothing is committed yet */
};

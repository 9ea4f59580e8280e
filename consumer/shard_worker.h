/* consumer/shard_worker.h - the shard's role: packed observations in; decisions, changelog and
 * progress out.
 *
 * One partition of the events topic is one shard; this worker alone remembers, decides, undoes and
 * restores it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/process.h"
#include "consumer/worker.h"

/* io_config.outputs of a shard worker, by this order. Its one input is the events topic. */
enum shard_output {
    SHARD_CHANGELOG,
    SHARD_SUPPRESSIONS,
    SHARD_DECISIONS,
    SHARD_DEAD_LETTERS,
    SHARD_OUTPUTS
};

struct shard_role;

MUST_USE enum err shard_role_create(const struct process *process,
                                    const char *events_topic,
                                    struct shard_role **out);
void shard_role_destroy(struct shard_role **role);
const struct role_ops *shard_role_ops(void);

/* Relaxed; of what was committed. */
struct shard_totals {
    _Atomic uint64_t blocks;
    _Atomic uint64_t observations;
    _Atomic uint64_t suppressions;
    _Atomic uint64_t releases;
    _Atomic uint64_t dead_letters;
    _Atomic uint64_t records; /* keys remembered now, all shards of this worker */
};
const struct shard_totals *shard_role_totals(const struct shard_role *role);

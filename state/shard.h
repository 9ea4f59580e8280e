/* state/shard.h - one partition's recipients within transactions: apply, undo, changes, progress,
 * sweep, restore.
 *
 * The memory of a shard follows the transaction of its worker. The first change of a record keeps
 * its old image; that one list is the undo log and the list of changelog records to send (one per
 * dirty record, absolute values).
 *
 *     shard_apply()* shard_sweep()* .. shard_each_change() shard_progress_pack() -> Kafka
 *         committed: shard_commit()
 *         aborted:   shard_undo()
 *         in doubt:  shard_destroy(), restore
 *
 * Thread:  confined to its worker.
 * Memory:  besides the store, the undo list: grows to the largest transaction and stays.
 * Time:    event time, always an argument.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "state/decide.h"
#include "state/store.h"

enum {
    CHANGELOG_KEY_SIZE = 16,
    CHANGELOG_VALUE_SIZE_MAX = 1 + RECORD_PACKED_SIZE_MAX,
    PROGRESS_SIZE_MAX = 64,
    PROGRESS_FORMAT_VERSION = 1,
};

/* The key of the progress record in the changelog; every other key there is CHANGELOG_KEY_SIZE
 * bytes. */
#define PROGRESS_KEY SPAN("progress")

/* What a transaction says of the shard as a whole: format in shard.c. */
struct progress {
    int64_t next_offset;   /* of the events partition: everything before it is in the state */
    uint64_t sequence;     /* of transactions that touched the shard, from 1; 0: none ever did */
    uint32_t record_count; /* changelog records in this transaction, without this one */
    int64_t newest_event_ms;
    uint64_t secret_check;
    uint32_t shard_count; /* of the application, for life: it says who belongs here */
};

/* What all shards of an application have in common. */
struct shard_world {
    const struct policy_set *policies;
    struct memory_budget *budget;
    uint64_t secret_check;
    uint32_t shard_count;
    bool forgets; /* the sweep runs: a record may have been dropped, and its last seq with it */
};

struct shard;

/* What the world points to is borrowed for life. */
MUST_USE enum err shard_create(const struct shard_world *world, struct shard **out);
void shard_destroy(struct shard **shard);

const struct store *shard_store(const struct shard *shard);
int64_t shard_newest_event_ms(const struct shard *shard);
/* Of the last committed transaction. */
const struct progress *shard_progress(const struct shard *shard);

/* --- within a transaction ------------------------------------------------------------------- */

/* Call for some dozen observations ahead of shard_apply(). */
void shard_prefetch(const struct shard *shard, struct key key);

/* ERR_FULL: the memory limit; the transaction must be undone. */
MUST_USE enum err shard_apply(struct shard *shard,
                              const struct observation *observation,
                              const struct decision_sink *sink);

/* Time alone, a bounded step: looks at the next slots_max places and releases what ended
 * SWEEP_LAPSE_AFTER_MS before the newest event, drops what is spent since SWEEP_DROP_AFTER_MS.
 * Rests when nothing has changed for a whole round. ERR_FULL as above. */
MUST_USE enum err shard_sweep(struct shard *shard,
                              size_t slots_max,
                              const struct decision_sink *sink);

/* `replay` at its end: releases all that ended at or before now_ms. */
MUST_USE enum err shard_end(struct shard *shard, int64_t now_ms, const struct decision_sink *sink);

bool shard_is_dirty(const struct shard *shard);
size_t shard_dirty_count(const struct shard *shard);

/* The changelog record of each dirty key: its key, its value (data NULL: a tombstone). Borrowed for
 * the call. */
void shard_each_change(const struct shard *shard,
                       void *context,
                       void (*change)(void *context, struct span key, struct span value));

/* The progress record that belongs to this transaction. */
struct span shard_progress_pack(const struct shard *shard,
                                int64_t next_offset,
                                unsigned char out[PROGRESS_SIZE_MAX]);

void shard_commit(struct shard *shard, int64_t next_offset);
void shard_undo(struct shard *shard);

/* --- restore -------------------------------------------------------------------------------- */

/* One changelog record, in the order of the log. ERR_BAD_FORMAT, ERR_BAD_VERSION: not to be read by
 * this program; ERR_REFUSED: made with another secret or number of shards, or records are missing before a progress
 * record (told in the log); ERR_FULL. */
MUST_USE enum err shard_restore(struct shard *shard, struct span key, struct span value);

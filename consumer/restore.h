/* consumer/restore.h - a shard's memory from its changelog, in bounded steps.
 *
 *     stable committed offset -> THEN the high watermark -> read the changelog up to it
 *         -> progress == committed? -> go
 *
 * The order matters: with the committed offset stable, every transaction that wrote to this
 * changelog is decided, and lies below the high watermark (never the last stable offset: a marker
 * may still be on its way).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/kafka/io.h"
#include "state/shard.h"

struct restore {
    struct io_partition changelog; /* of the outputs */
    struct io_partition events;    /* of the inputs */
    int64_t committed;             /* -1: none; from where events are read if the state agrees */
    int64_t end;                   /* the changelog's, at the start */
    int64_t position;
    uint64_t records;
    bool is_reading;
    int rereads; /* of the committed offset, since the state did not agree */
    long long told_ms;
};

struct restore restore_begin(struct io_partition events, uint16_t changelog_topic);

/* One step of at most about 100 ms. OK: the state is whole, *next is where events go on.
 * ERR_TIMEOUT: call again. ERR_REFUSED: state and offsets cannot agree; said in the log, with what
 * to do. ERR_FULL: the memory limit. */
MUST_USE enum err restore_step(struct restore *restore,
                               struct io *io,
                               struct shard *shard,
                               int64_t *next);
void restore_abandon(struct restore *restore, struct io *io);

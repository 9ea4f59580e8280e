/* state/block.h - packed observations: many events of one shard in one Kafka message.
 *
 * The shard pays the client's price per message once per block, not once per event. A delivery
 * takes 29 bytes.
 *
 * Format, little-endian (version 1; a reader knows its own and the one before, and refuses a newer
 * one):
 *
 *   "SUPB", u8 version, u8 0, u64 check value of the secret, u32 count, then `count` times:
 *     u8  kind
 *     u8  flags: 1 local, 2 scope tenant, 4 send has a tenant, 8 names its message, 16 has words,
 *         0x60 known by
 *     u48 time, u64 address hash, u64 scope hash, u40 send
 *     if it has words: u8 category, u16 reply code, u8 enhanced class, varint subject, varint
 *         detail, strings: recipient, tenant, text, rule, mx, provider, message id, campaign,
 *         sender, traceparent, topic; varint partition, varint offset, varint index
 *
 * Thread:  none of its own; writer and reader live in the caller's memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "state/observation.h"

enum {
    BLOCK_FORMAT_VERSION = 1,
    BLOCK_SIZE_MAX = 256 * 1024,
    /* so that what a block may do to a shard is bounded: undo entries, decisions */
    BLOCK_OBSERVATIONS_MAX = 8192,
};

struct block_writer {
    struct writer out;
    uint32_t count;
};

/* `memory` of BLOCK_SIZE_MAX bytes, borrowed until the block was sent. */
void block_begin(struct block_writer *block, void *memory, uint64_t secret_check);
/* False: it does not fit, nothing was added; an empty block takes any observation. Texts longer
 * than the limits of observation.h are cut. */
bool block_add(struct block_writer *block, const struct observation *observation);
/* The finished block. */
struct span block_end(struct block_writer *block);

struct block_reader {
    struct reader in;
    uint32_t left;
};

/* ERR_BAD_FORMAT: no block of ours. ERR_BAD_VERSION: a newer program's. ERR_REFUSED: made with
 * another secret. */
MUST_USE enum err block_open(struct block_reader *block, struct span bytes, uint64_t secret_check);
/* False at the end; then block_is_sound() says whether all of it could be read. Spans are borrowed
 * from the bytes. */
bool block_next(struct block_reader *block, struct observation *out);
bool block_is_sound(const struct block_reader *block);

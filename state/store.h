/* state/store.h - what one shard remembers: packed records by key.
 *
 * Shape:   256 fixed segments by the key's address hash, each an open-addressing table of 64-byte
 *          slots of its own: growth is by segment, at most a few thousand slots at once. A packed
 *          record of up to STORE_INLINE_SIZE bytes lives in the slot, one cache line with its
 *          key; a longer one (something is suppressed, many sends) in an arena of 64-byte units.
 * Owns:    every slot and record of the shard. Memory is taken in store_create(), when a segment
 *          grows and when the arena does; never per record.
 * Limit:   the bytes of a budget that all shards of the process share; at the limit ERR_FULL, and
 *          nothing was changed.
 * Thread:  confined to the worker that owns the shard; only the budget is shared.
 * Errors:  ERR_NO_MEMORY and ERR_FULL from store_create(); ERR_FULL from store_put(). Nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "state/record.h"

enum {
    STORE_SEGMENTS = 256,
    STORE_INLINE_SIZE = 44,
};

/* Bytes of all shards of a process. `used` is relaxed: a bound, not an order. */
struct memory_budget {
    _Atomic size_t used;
    size_t limit; /* 0: none */
};

struct store;

MUST_USE enum err store_create(struct memory_budget *budget, struct store **out);
void store_destroy(struct store **store);

/* Fetches the lines that a find of this key will touch. Call for a whole batch before the first
 * find. */
void store_prefetch(const struct store *store, struct key key);

/* The packed record; false if there is none. Borrowed until the next put or remove. */
bool store_find(const struct store *store, struct key key, struct span *packed);

/* Adds or replaces. 1 <= packed.size <= RECORD_PACKED_SIZE_MAX. */
MUST_USE enum err store_put(struct store *store, struct key key, struct span packed);

/* Removes it, if it is there. Slots behind it may move: a scan (below) must not be in the same
 * segment's middle. */
void store_remove(struct store *store, struct key key);

uint64_t store_count(const struct store *store);

/* Marks of a key in the running transaction: false the first time that it is asked for since the
 * last store_unmark. The key must be there. */
bool store_mark(struct store *store, struct key key);
void store_unmark(struct store *store, struct key key);

/* A scan in bounded steps: hands out the records of the next slots, at least one slot and at most
 * slots_max, and moves *cursor on; 0 begins, and 0 comes back behind the last. `visit` must not put
 * or remove. A record that is there from the scan's start to its end and is not moved by growth or
 * removal in between is handed out once; a moved one may come twice or be left to the next scan. */
void store_scan(struct store *store,
                uint64_t *cursor,
                size_t slots_max,
                void *context,
                void (*visit)(void *context, struct key key, struct span packed));

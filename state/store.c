/* state/store.c - see store.h.
 *
 * A slot is a cache line: the key, what it holds, and up to 44 bytes of packed record. Linear
 * probing at a load of at most 4/5, removal by shifting back, so a find touches one line mostly and
 * there are no tombstones. The segment comes from the low bits of the address hash, the home slot
 * from the scope hash: all keys of one address are in one segment, spread in it.
 *
 * The arena hands out runs of 64-byte units from 64 KiB chunks and keeps a free list for each
 * length. Units never go back to the system: the next suppressed recipient takes them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/store.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"

enum {
    UNIT_SIZE = 64,
    UNITS_MAX = (RECORD_PACKED_SIZE_MAX + UNIT_SIZE - 1) / UNIT_SIZE,
    CHUNK_UNITS = 1024,
    CHUNK_SIZE = CHUNK_UNITS * UNIT_SIZE,
    SEGMENT_SLOTS_FIRST = 16,
    HUGE_SIZE = 2 * 1024 * 1024,
};

#define HANDLE_NONE UINT32_MAX

struct slot {
    struct key key;
    uint16_t size; /* of the packed record; 0: the slot is free */
    uint8_t marked;
    uint8_t unused;
    union {
        unsigned char bytes[STORE_INLINE_SIZE];
        uint32_t handle; /* of its first unit, if size > STORE_INLINE_SIZE */
    } packed;
};
_Static_assert(sizeof(struct slot) == 64, "a slot is a cache line");

struct segment {
    struct slot *slots;
    size_t capacity; /* a power of two */
    size_t count;
};

struct arena {
    unsigned char **chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    uint32_t next_unit; /* of the newest chunk */
    uint32_t free_lists[UNITS_MAX + 1];
};

struct store {
    struct memory_budget *budget;
    size_t bytes;
    uint64_t count;
    struct arena arena;
    struct segment segments[STORE_SEGMENTS];
};

/* --- memory --------------------------------------------------------------------------------- */

static bool take_budget(struct store *store, size_t size)
{
    struct memory_budget *budget = store->budget;
    const size_t before = atomic_fetch_add_explicit(&budget->used, size, memory_order_relaxed);
    if (budget->limit != 0 && before + size > budget->limit) {
        atomic_fetch_sub_explicit(&budget->used, size, memory_order_relaxed);
        return false;
    }
    store->bytes += size;
    return true;
}

static void give_budget(struct store *store, size_t size)
{
    atomic_fetch_sub_explicit(&store->budget->used, size, memory_order_relaxed);
    store->bytes -= size;
}

/* Zeroed, aligned to a cache line; large ones on huge pages, worth 1.6x at 50 M records. */
static void *take_memory(struct store *store, size_t size)
{
    if (!take_budget(store, size)) {
        return NULL;
    }
    void *memory = NULL;
    if (posix_memalign(&memory, size >= HUGE_SIZE ? HUGE_SIZE : UNIT_SIZE, size) != 0) {
        give_budget(store, size);
        return NULL;
    }
    if (size >= HUGE_SIZE) {
        (void)madvise(memory, size, MADV_HUGEPAGE);
    }
    memset(memory, 0, size);
    return memory;
}

/* --- arena ---------------------------------------------------------------------------------- */

static size_t units_of(size_t size)
{
    return (size + UNIT_SIZE - 1) / UNIT_SIZE;
}

static unsigned char *arena_at(const struct arena *arena, uint32_t handle)
{
    return arena->chunks[handle / CHUNK_UNITS] + (size_t)(handle % CHUNK_UNITS) * UNIT_SIZE;
}

static void arena_give(struct arena *arena, uint32_t handle, size_t units)
{
    memcpy(arena_at(arena, handle), &arena->free_lists[units], sizeof(uint32_t));
    arena->free_lists[units] = handle;
}

static bool arena_grow(struct store *store)
{
    struct arena *arena = &store->arena;
    if (arena->chunk_count == arena->chunk_capacity) {
        const size_t capacity = arena->chunk_capacity == 0 ? 64 : arena->chunk_capacity * 2;
        unsigned char **chunks = realloc(arena->chunks, capacity * sizeof(*chunks));
        if (chunks == NULL) {
            return false;
        }
        arena->chunks = chunks;
        arena->chunk_capacity = capacity;
    }
    unsigned char *chunk = take_memory(store, CHUNK_SIZE);
    if (chunk == NULL) {
        return false;
    }
    const uint32_t left = CHUNK_UNITS - arena->next_unit;
    if (arena->chunk_count > 0 && left > 0) {
        /* the old chunk's tail is shorter than what was asked for: it serves shorter ones */
        const uint32_t handle =
            (uint32_t)((arena->chunk_count - 1) * CHUNK_UNITS) + arena->next_unit;
        arena_give(arena, handle, left);
    }
    arena->chunks[arena->chunk_count++] = chunk;
    arena->next_unit = 0;
    return true;
}

/* HANDLE_NONE: the limit is reached. */
static uint32_t arena_take(struct store *store, size_t units)
{
    struct arena *arena = &store->arena;
    CHECK(units >= 1 && units <= UNITS_MAX);
    uint32_t handle = arena->free_lists[units];
    if (handle != HANDLE_NONE) {
        memcpy(&arena->free_lists[units], arena_at(arena, handle), sizeof(uint32_t));
        return handle;
    }
    if ((arena->chunk_count == 0 || arena->next_unit + units > CHUNK_UNITS) && !arena_grow(store)) {
        return HANDLE_NONE;
    }
    handle = (uint32_t)((arena->chunk_count - 1) * CHUNK_UNITS) + arena->next_unit;
    arena->next_unit += (uint32_t)units;
    return handle;
}

/* --- slots ---------------------------------------------------------------------------------- */

/* The shard is chosen by the high bits of the address hash, the segment by its low ones. */
static size_t segment_index(struct key key)
{
    return key.address_hash % STORE_SEGMENTS;
}

static bool key_equal(struct key a, struct key b)
{
    return a.address_hash == b.address_hash && a.scope_hash == b.scope_hash;
}

static size_t home_of(const struct segment *segment, struct key key)
{
    return key.scope_hash & (segment->capacity - 1);
}

/* The key's slot, or the free one where it would go. */
static struct slot *probe(const struct segment *segment, struct key key)
{
    size_t i = home_of(segment, key);
    while (segment->slots[i].size != 0 && !key_equal(segment->slots[i].key, key)) {
        i = (i + 1) & (segment->capacity - 1);
    }
    return &segment->slots[i];
}

static struct slot *find_slot(const struct store *store, struct key key)
{
    struct slot *slot = probe(&store->segments[segment_index(key)], key);
    return slot->size == 0 ? NULL : slot;
}

static struct span slot_packed(const struct store *store, const struct slot *slot)
{
    const void *bytes = slot->size <= STORE_INLINE_SIZE
                            ? (const void *)slot->packed.bytes
                            : (const void *)arena_at(&store->arena, slot->packed.handle);
    return (struct span){bytes, slot->size};
}

static bool segment_grow(struct store *store, struct segment *segment)
{
    struct segment grown = {.capacity = segment->capacity * 2, .count = segment->count};
    grown.slots = take_memory(store, grown.capacity * sizeof(struct slot));
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < segment->capacity; i++) {
        if (segment->slots[i].size != 0) {
            *probe(&grown, segment->slots[i].key) = segment->slots[i];
        }
    }
    free(segment->slots);
    give_budget(store, segment->capacity * sizeof(struct slot));
    *segment = grown;
    return true;
}

/* --- the interface -------------------------------------------------------------------------- */

enum err store_create(struct memory_budget *budget, struct store **out)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return ERR_NO_MEMORY;
    }
    store->budget = budget;
    for (size_t i = 0; i <= UNITS_MAX; i++) {
        store->arena.free_lists[i] = HANDLE_NONE;
    }
    for (size_t i = 0; i < STORE_SEGMENTS; i++) {
        struct segment *segment = &store->segments[i];
        segment->capacity = SEGMENT_SLOTS_FIRST;
        segment->slots = take_memory(store, SEGMENT_SLOTS_FIRST * sizeof(struct slot));
        if (segment->slots == NULL) {
            store_destroy(&store);
            return ERR_FULL;
        }
    }
    *out = store;
    return OK;
}

void store_destroy(struct store **store)
{
    struct store *s = *store;
    *store = NULL;
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < STORE_SEGMENTS; i++) {
        free(s->segments[i].slots);
    }
    for (size_t i = 0; i < s->arena.chunk_count; i++) {
        free(s->arena.chunks[i]);
    }
    free(s->arena.chunks);
    give_budget(s, s->bytes);
    free(s);
}

void store_prefetch(const struct store *store, struct key key)
{
    const struct segment *segment = &store->segments[segment_index(key)];
    __builtin_prefetch(&segment->slots[home_of(segment, key)]);
}

bool store_find(const struct store *store, struct key key, struct span *packed)
{
    const struct slot *slot = find_slot(store, key);
    if (slot == NULL) {
        return false;
    }
    *packed = slot_packed(store, slot);
    return true;
}

/* Makes room in the slot for a record of this size and gives back what it had. */
static enum err fit(struct store *store, struct slot *slot, size_t size)
{
    const size_t had = slot->size > STORE_INLINE_SIZE ? units_of(slot->size) : 0;
    const size_t needs = size > STORE_INLINE_SIZE ? units_of(size) : 0;
    if (had == needs) {
        return OK;
    }
    uint32_t handle = HANDLE_NONE;
    if (needs > 0) {
        handle = arena_take(store, needs);
        if (handle == HANDLE_NONE) {
            return ERR_FULL;
        }
    }
    if (had > 0) {
        arena_give(&store->arena, slot->packed.handle, had);
    }
    if (needs > 0) {
        slot->packed.handle = handle;
    }
    return OK;
}

enum err store_put(struct store *store, struct key key, struct span packed)
{
    CHECK(packed.size >= 1 && packed.size <= RECORD_PACKED_SIZE_MAX);
    struct segment *segment = &store->segments[segment_index(key)];
    struct slot *slot = probe(segment, key);
    const bool is_new = slot->size == 0;
    if (is_new && (segment->count + 1) * 5 > segment->capacity * 4) {
        if (!segment_grow(store, segment)) {
            return ERR_FULL;
        }
        slot = probe(segment, key);
    }
    const enum err err = fit(store, slot, packed.size);
    if (err != OK) {
        return err;
    }
    if (is_new) {
        slot->key = key;
        slot->marked = 0;
        segment->count++;
        store->count++;
    }
    slot->size = (uint16_t)packed.size;
    void *bytes = packed.size <= STORE_INLINE_SIZE
                      ? (void *)slot->packed.bytes
                      : (void *)arena_at(&store->arena, slot->packed.handle);
    memcpy(bytes, packed.data, packed.size);
    return OK;
}

/* Knuth, The Art of Computer Programming 6.4, algorithm R: what stands behind the hole and may
 * stand in it moves up. */
static void shift_back(struct segment *segment, size_t hole)
{
    const size_t mask = segment->capacity - 1;
    for (size_t i = (hole + 1) & mask; segment->slots[i].size != 0; i = (i + 1) & mask) {
        const size_t home = home_of(segment, segment->slots[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            segment->slots[hole] = segment->slots[i];
            hole = i;
        }
    }
    memset(&segment->slots[hole], 0, sizeof(struct slot));
}

void store_remove(struct store *store, struct key key)
{
    struct slot *slot = find_slot(store, key);
    if (slot == NULL) {
        return;
    }
    struct segment *segment = &store->segments[segment_index(key)];
    if (slot->size > STORE_INLINE_SIZE) {
        arena_give(&store->arena, slot->packed.handle, units_of(slot->size));
    }
    shift_back(segment, (size_t)(slot - segment->slots));
    segment->count--;
    store->count--;
}

uint64_t store_count(const struct store *store)
{
    return store->count;
}

bool store_mark(struct store *store, struct key key)
{
    struct slot *slot = find_slot(store, key);
    CHECK(slot != NULL);
    const bool was_marked = slot->marked != 0;
    slot->marked = 1;
    return was_marked;
}

void store_unmark(struct store *store, struct key key)
{
    struct slot *slot = find_slot(store, key);
    if (slot != NULL) {
        slot->marked = 0;
    }
}

/* The cursor: segment in the high half, slot in the low. */
void store_scan(struct store *store,
                uint64_t *cursor,
                size_t slots_max,
                void *context,
                void (*visit)(void *context, struct key key, struct span packed))
{
    size_t segment_index = (size_t)(*cursor >> 32);
    size_t slot_index = (size_t)(*cursor & UINT32_MAX);
    for (size_t n = 0; n < slots_max && segment_index < STORE_SEGMENTS; n++) {
        const struct segment *segment = &store->segments[segment_index];
        if (slot_index < segment->capacity) {
            const struct slot *slot = &segment->slots[slot_index];
            if (slot->size != 0) {
                visit(context, slot->key, slot_packed(store, slot));
            }
            slot_index++;
        } else {
            segment_index++;
            slot_index = 0;
        }
    }
    *cursor = segment_index == STORE_SEGMENTS ? 0 : (uint64_t)segment_index << 32 | slot_index;
}

/* state/shard.c - see shard.h.
 *
 * A record that becomes empty within a transaction stays in the store, packed into two bytes, until
 * the commit: so undo finds it, and a scan in between is not disturbed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/shard.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

/* The old image of a key, as it was before the transaction: `size` bytes at `place` of the images;
 * 0: it was not there. */
struct undo_entry {
    struct key key;
    size_t place;
    size_t size;
};

struct undo_log {
    struct undo_entry *entries;
    size_t count;
    size_t capacity;
    unsigned char *images;
    size_t images_size;
    size_t images_capacity;
};

struct sweep {
    uint64_t cursor;
    int64_t newest_at_start_ms; /* of this round */
    bool stirred;               /* a commit since then: what is due may stand behind the cursor */
    bool rests;
};

struct shard {
    struct shard_world world;
    struct store *store;
    struct undo_log undo;
    struct sweep sweep;
    struct progress progress;  /* committed */
    int64_t newest_event_ms;   /* of this transaction */
    uint32_t restored_records; /* since the last progress record */
    bool chain_is_known;       /* a progress record was restored: the next must follow it */
};

static const unsigned char EMPTY_PACKED[2] = {0, 0};

static bool is_empty_packed(struct span packed)
{
    return packed.size == sizeof(EMPTY_PACKED) &&
           memcmp(packed.data, EMPTY_PACKED, sizeof(EMPTY_PACKED)) == 0;
}

enum err shard_create(const struct shard_world *world, struct shard **out)
{
    struct shard *shard = calloc(1, sizeof(*shard));
    if (shard == NULL) {
        return ERR_NO_MEMORY;
    }
    const enum err err = store_create(world->budget, &shard->store);
    if (err != OK) {
        free(shard);
        return err;
    }
    shard->world = *world;
    *out = shard;
    return OK;
}

void shard_destroy(struct shard **shard)
{
    struct shard *s = *shard;
    *shard = NULL;
    if (s == NULL) {
        return;
    }
    store_destroy(&s->store);
    free(s->undo.entries);
    free(s->undo.images);
    free(s);
}

const struct store *shard_store(const struct shard *shard)
{
    return shard->store;
}

int64_t shard_newest_event_ms(const struct shard *shard)
{
    return shard->newest_event_ms;
}

const struct progress *shard_progress(const struct shard *shard)
{
    return &shard->progress;
}

/* --- undo log ------------------------------------------------------------------------------- */

/* Doubles *array until it holds `needed` items. */
static bool reserve(void **array, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity) {
        return true;
    }
    size_t grown = *capacity == 0 ? 1024 : *capacity;
    while (grown < needed) {
        grown *= 2;
    }
    void *memory = realloc(*array, grown * item_size);
    if (memory == NULL) {
        return false;
    }
    *array = memory;
    *capacity = grown;
    return true;
}

/* Room for one more entry, taken before anything changes. */
static bool undo_reserve(struct undo_log *undo)
{
    return reserve((void **)&undo->entries, &undo->capacity, undo->count + 1,
                   sizeof(undo->entries[0])) &&
           reserve((void **)&undo->images, &undo->images_capacity,
                   undo->images_size + RECORD_PACKED_SIZE_MAX, 1);
}

static void undo_keep(struct undo_log *undo, struct key key, struct span old)
{
    undo->entries[undo->count++] =
        (struct undo_entry){.key = key, .place = undo->images_size, .size = old.size};
    if (old.size > 0) {
        memcpy(undo->images + undo->images_size, old.data, old.size);
        undo->images_size += old.size;
    }
}

static struct span undo_image(const struct undo_log *undo, const struct undo_entry *entry)
{
    return (struct span){(const char *)undo->images + entry->place, entry->size};
}

/* Replaces a record whose packed form was `old` (size 0: none), keeping the old image. */
static enum err replace(struct shard *shard,
                        struct key key,
                        struct span old,
                        const struct record *record)
{
    unsigned char packed[RECORD_PACKED_SIZE_MAX];
    const size_t size = record_pack(record, packed);
    const struct span now = {(const char *)packed, size};
    if (span_equal(now, old) || (old.size == 0 && is_empty_packed(now))) {
        return OK;
    }
    unsigned char old_copy[RECORD_PACKED_SIZE_MAX];
    if (old.size > 0) {
        memcpy(old_copy, old.data, old.size); /* the store may move it */
    }
    if (!undo_reserve(&shard->undo)) {
        return ERR_FULL;
    }
    const enum err err = store_put(shard->store, key, now);
    if (err != OK) {
        return err;
    }
    if (!store_mark(shard->store, key)) {
        undo_keep(&shard->undo, key, (struct span){(const char *)old_copy, old.size});
    }
    return OK;
}

/* --- within a transaction ------------------------------------------------------------------- */

void shard_prefetch(const struct shard *shard, struct key key)
{
    store_prefetch(shard->store, key);
}

/* A seq at least as large as any of a record that the sweep has dropped (may_drop), and smaller than
 * that of a decision in time. So seq grows for ever, and no follower drops what it should take. */
static int64_t seq_before(const struct shard *shard)
{
    const int64_t base = shard->newest_event_ms - MEMORY_MS;
    return shard->world.forgets && base > 0 ? base : 0;
}

enum err shard_apply(struct shard *shard,
                     const struct observation *observation,
                     const struct decision_sink *sink)
{
    if (observation->ts_ms > shard->newest_event_ms) {
        shard->newest_event_ms = observation->ts_ms;
    }
    const struct policy *policy =
        policy_of(shard->world.policies, observation->scope_tenant, observation->tenant);
    if (!policy_matters(policy, observation)) {
        return OK;
    }
    struct record record;
    struct span old = SPAN_NONE;
    if (store_find(shard->store, observation->key, &old) && !is_empty_packed(old)) {
        CHECK(record_unpack(old, observation->key, &record));
    } else if (observation_needs_record(observation)) {
        return OK;
    } else {
        record_init(&record, observation->key);
    }
    const bool has_seq = record.seq != 0;
    const int64_t seq_least = seq_before(shard);
    record.seq = has_seq ? record.seq : seq_least;
    decide(&record, policy, observation, sink);
    if (!has_seq && record.seq == seq_least) {
        record.seq = 0; /* nothing was decided */
    }
    return replace(shard, observation->key, old, &record);
}

/* What one step of a sweep works on: keys are collected first, since a scan must not change what it
 * scans. */
enum { SWEEP_KEYS_MAX = 256 };

struct sweeping {
    int64_t lapse_ms;
    int64_t spent_ms;
    int64_t seq_max; /* of a record that is dropped: seq_before() must be as large */
    struct key keys[SWEEP_KEYS_MAX];
    size_t count;
};

static bool has_ended(const struct record *record, int64_t now_ms)
{
    return record->mailbox.active && record->mailbox.end_ms != 0 &&
           record->mailbox.end_ms <= now_ms;
}

/* Nothing that counts is lost with it, and no seq that could come again. */
static bool may_drop(const struct sweeping *sweeping, const struct record *record)
{
    return record_is_spent(record, sweeping->spent_ms) && record->seq <= sweeping->seq_max;
}

static void collect_due(void *context, struct key key, struct span packed)
{
    struct sweeping *sweeping = context;
    struct record record;
    CHECK(record_unpack(packed, key, &record));
    if (has_ended(&record, sweeping->lapse_ms) ||
        (!is_empty_packed(packed) && may_drop(sweeping, &record))) {
        sweeping->keys[sweeping->count++] = key;
    }
}

static enum err do_due(struct shard *shard,
                       const struct sweeping *sweeping,
                       const struct decision_sink *sink)
{
    for (size_t i = 0; i < sweeping->count; i++) {
        const struct key key = sweeping->keys[i];
        struct span old;
        struct record record;
        CHECK(store_find(shard->store, key, &old) && record_unpack(old, key, &record));
        decide_lapse(&record, sweeping->lapse_ms, sink);
        if (may_drop(sweeping, &record)) {
            record_init(&record, key);
        }
        const enum err err = replace(shard, key, old, &record);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

/* One scan step of at most SWEEP_KEYS_MAX places. */
static enum err sweep_step(struct shard *shard,
                           uint64_t *cursor,
                           size_t slots_max,
                           int64_t lapse_ms,
                           int64_t spent_ms,
                           const struct decision_sink *sink)
{
    struct sweeping sweeping = {
        .lapse_ms = lapse_ms, .spent_ms = spent_ms, .seq_max = shard->newest_event_ms - MEMORY_MS};
    const size_t places = slots_max < SWEEP_KEYS_MAX ? slots_max : SWEEP_KEYS_MAX;
    store_scan(shard->store, cursor, places, &sweeping, collect_due);
    return do_due(shard, &sweeping, sink);
}

enum err shard_sweep(struct shard *shard, size_t slots_max, const struct decision_sink *sink)
{
    struct sweep *sweep = &shard->sweep;
    if (sweep->cursor == 0) {
        sweep->rests = !sweep->stirred && sweep->newest_at_start_ms == shard->newest_event_ms;
        sweep->stirred = false;
        sweep->newest_at_start_ms = shard->newest_event_ms;
    }
    for (size_t done = 0; done < slots_max && !sweep->rests; done += SWEEP_KEYS_MAX) {
        const enum err err = sweep_step(shard, &sweep->cursor, SWEEP_KEYS_MAX,
                                        shard->newest_event_ms - SWEEP_LAPSE_AFTER_MS,
                                        shard->newest_event_ms - SWEEP_DROP_AFTER_MS, sink);
        if (err != OK || sweep->cursor == 0) {
            return err;
        }
    }
    return OK;
}

enum err shard_end(struct shard *shard, int64_t now_ms, const struct decision_sink *sink)
{
    uint64_t cursor = 0;
    do {
        const enum err err =
            sweep_step(shard, &cursor, SWEEP_KEYS_MAX, now_ms, INT64_MIN / 2, sink);
        if (err != OK) {
            return err;
        }
    } while (cursor != 0);
    return OK;
}

bool shard_is_dirty(const struct shard *shard)
{
    return shard->undo.count > 0;
}

size_t shard_dirty_count(const struct shard *shard)
{
    return shard->undo.count;
}

static struct span key_pack(struct key key, unsigned char out[CHANGELOG_KEY_SIZE])
{
    struct writer w = writer_init(out, CHANGELOG_KEY_SIZE);
    put_u64(&w, key.address_hash);
    put_u64(&w, key.scope_hash);
    return writer_span(&w);
}

void shard_each_change(const struct shard *shard,
                       void *context,
                       void (*change)(void *context, struct span key, struct span value))
{
    unsigned char key[CHANGELOG_KEY_SIZE];
    unsigned char value[CHANGELOG_VALUE_SIZE_MAX];
    for (size_t i = 0; i < shard->undo.count; i++) {
        const struct undo_entry *entry = &shard->undo.entries[i];
        struct span packed;
        CHECK(store_find(shard->store, entry->key, &packed));
        if (is_empty_packed(packed)) {
            change(context, key_pack(entry->key, key), SPAN_NONE);
            continue;
        }
        struct writer w = writer_init(value, sizeof(value));
        put_u8(&w, RECORD_FORMAT_VERSION);
        put_bytes(&w, packed);
        change(context, key_pack(entry->key, key), writer_span(&w));
    }
}

/* u8 version, u64 next offset, u64 sequence, u32 record count, u64 newest event, u64 check value of
 * the secret */
struct span shard_progress_pack(const struct shard *shard,
                                int64_t next_offset,
                                unsigned char out[PROGRESS_SIZE_MAX])
{
    struct writer w = writer_init(out, PROGRESS_SIZE_MAX);
    put_u8(&w, PROGRESS_FORMAT_VERSION);
    put_u64(&w, (uint64_t)next_offset);
    put_u64(&w, shard->progress.sequence + 1);
    put_u32(&w, (uint32_t)shard->undo.count);
    put_u64(&w, (uint64_t)shard->newest_event_ms);
    put_u64(&w, shard->world.secret_check);
    put_u32(&w, shard->world.shard_count);
    return writer_span(&w);
}

static void undo_clear(struct undo_log *undo)
{
    undo->count = 0;
    undo->images_size = 0;
}

void shard_commit(struct shard *shard, int64_t next_offset)
{
    for (size_t i = 0; i < shard->undo.count; i++) {
        const struct key key = shard->undo.entries[i].key;
        struct span packed;
        CHECK(store_find(shard->store, key, &packed));
        if (is_empty_packed(packed)) {
            store_remove(shard->store, key);
        } else {
            store_unmark(shard->store, key);
        }
    }
    shard->sweep.stirred |= shard->undo.count > 0;
    shard->progress.next_offset = next_offset;
    shard->progress.sequence++;
    shard->progress.record_count = (uint32_t)shard->undo.count;
    shard->progress.newest_event_ms = shard->newest_event_ms;
    undo_clear(&shard->undo);
}

/* In two passes: once everything that changed has gone, what was there before fits again, whatever
 * the limit is now; the store gives no memory back in between. */
void shard_undo(struct shard *shard)
{
    const struct undo_log *undo = &shard->undo;
    for (size_t i = 0; i < undo->count; i++) {
        store_remove(shard->store, undo->entries[i].key);
    }
    for (size_t i = 0; i < undo->count; i++) {
        const struct undo_entry *entry = &undo->entries[i];
        if (entry->size > 0) {
            CHECK(store_put(shard->store, entry->key, undo_image(undo, entry)) == OK);
        }
    }
    shard->newest_event_ms = shard->progress.newest_event_ms;
    shard->sweep = (struct sweep){0};
    undo_clear(&shard->undo);
}

/* --- restore -------------------------------------------------------------------------------- */

static bool progress_unpack(struct span value, struct progress *out)
{
    struct reader r = reader_init(value);
    (void)get_u8(&r);
    out->next_offset = (int64_t)get_u64(&r);
    out->sequence = get_u64(&r);
    out->record_count = get_u32(&r);
    out->newest_event_ms = (int64_t)get_u64(&r);
    out->secret_check = get_u64(&r);
    out->shard_count = get_u32(&r);
    return !r.failed && r.size == 0;
}

static enum err version_check(struct span value, uint8_t version)
{
    if (value.size == 0 || (uint8_t)value.data[0] == 0) {
        return ERR_BAD_FORMAT;
    }
    return (uint8_t)value.data[0] > version ? ERR_BAD_VERSION : OK;
}

/* Each transaction says how many records it wrote: of two in a row none may be missing. Compaction
 * thins what is older, and with it the progress records, so a gap in their numbers proves nothing.
 */
static bool follows(const struct shard *shard, const struct progress *next)
{
    const struct progress *last = &shard->progress;
    if (!shard->chain_is_known) {
        return true;
    }
    if (next->sequence <= last->sequence || next->next_offset < last->next_offset) {
        log_error("changelog: a progress record is older than the one before it sequence=%" PRIu64
                  " before=%" PRIu64,
                  next->sequence, last->sequence);
        return false;
    }
    if (next->sequence == last->sequence + 1 && next->record_count != shard->restored_records) {
        log_error("changelog: records are missing sequence=%" PRIu64 " wrote=%" PRIu32
                  " found=%" PRIu32,
                  next->sequence, next->record_count, shard->restored_records);
        return false;
    }
    return true;
}

static enum err restore_progress(struct shard *shard, struct span value)
{
    struct progress progress;
    const enum err err = version_check(value, PROGRESS_FORMAT_VERSION);
    if (err != OK) {
        return err;
    }
    if (!progress_unpack(value, &progress)) {
        return ERR_BAD_FORMAT;
    }
    if (progress.secret_check != shard->world.secret_check) {
        log_error("changelog: written with another secret: give this process the secret file that "
                  "made it (state.secret_file)");
        return ERR_REFUSED;
    }
    if (progress.shard_count != shard->world.shard_count) {
        log_error(
            "changelog: written with another number of shards, so recipients would move: were "
            "partitions added to the events topic? It is for life: make new topics under another "
            "application_id written=%" PRIu32 " now=%" PRIu32,
            progress.shard_count, shard->world.shard_count);
        return ERR_REFUSED;
    }
    if (!follows(shard, &progress)) {
        return ERR_REFUSED;
    }
    shard->progress = progress;
    shard->newest_event_ms = progress.newest_event_ms;
    shard->chain_is_known = true;
    shard->restored_records = 0;
    return OK;
}

static enum err restore_record(struct shard *shard, struct key key, struct span value)
{
    shard->restored_records++;
    if (value.data == NULL) {
        store_remove(shard->store, key);
        return OK;
    }
    const enum err err = version_check(value, RECORD_FORMAT_VERSION);
    if (err != OK) {
        return err;
    }
    struct record record;
    const struct span packed = {value.data + 1, value.size - 1};
    if (packed.size > RECORD_PACKED_SIZE_MAX || !record_unpack(packed, key, &record)) {
        return ERR_BAD_FORMAT;
    }
    return store_put(shard->store, key, packed);
}

enum err shard_restore(struct shard *shard, struct span key, struct span value)
{
    CHECK(shard->undo.count == 0);
    if (span_equal(key, PROGRESS_KEY)) {
        /* a progress record is never deleted: a tombstone is nobody's of ours */
        return value.data == NULL ? ERR_BAD_FORMAT : restore_progress(shard, value);
    }
    if (key.size != CHANGELOG_KEY_SIZE) {
        return ERR_BAD_FORMAT;
    }
    struct reader r = reader_init(key);
    const uint64_t address_hash = get_u64(&r);
    const uint64_t scope_hash = get_u64(&r);
    return restore_record(shard, (struct key){address_hash, scope_hash}, value);
}

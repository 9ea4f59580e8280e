/* tests/test_shard.c - records, blocks and shards: packing, undo, changelog, restore, sweep.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/shard.h"

#include "state/block.h"
#include "tests/check.h"

#define START_MS INT64_C(1728000000000)

enum { SECRET_CHECK = 4711, SHARD_COUNT = 8 };

/* --- a stream of observations that meets every part of a record ------------------------------ */

static const enum category CATEGORIES[] = {
    CATEGORY_INVALID_RECIPIENT, CATEGORY_INACTIVE_MAILBOX,  CATEGORY_MAILBOX_FULL,
    CATEGORY_SOFT_OTHER,        CATEGORY_REPUTATION_BLOCK,  CATEGORY_UNKNOWN_PERMANENT,
    CATEGORY_EXPIRED,           CATEGORY_RECIPIENT_REFUSED, CATEGORY_UNSUBSCRIBE,
};

static const enum kind KINDS[] = {
    KIND_DELIVERED, KIND_DEFERRED,  KIND_DEFERRED,    KIND_BOUNCED,  KIND_BOUNCED, KIND_EXPIRED,
    KIND_DELIVERED, KIND_COMPLAINT, KIND_LATE_BOUNCE, KIND_SUPPRESS, KIND_RELEASE, KIND_UNSUBSCRIBE,
};

#define PICK(chance, table) (table)[chance_below(chance, sizeof(table) / sizeof((table)[0]))]

static struct observation random_observation(struct chance *chance, int64_t now_ms)
{
    struct observation o = {0};
    do {
        o.kind = PICK(chance, KINDS);
        o.origin = chance_below(chance, 4) == 0 ? ORIGIN_LOCAL : ORIGIN_REMOTE;
        o.category = o.kind == KIND_DELIVERED ? CATEGORY_NONE : PICK(chance, CATEGORIES);
    } while (!observation_matters(o.kind, o.origin, o.category));
    const uint64_t who = chance_below(chance, 60);
    o.key = (struct key){who * UINT64_C(0x123456789abcdef1), who};
    o.ts_ms = now_ms - (int64_t)chance_below(chance, 2) *
                           (int64_t)chance_below(chance, 40 * (uint64_t)DAY_MS);
    o.send = (struct send){.hash = chance_below(chance, 12) + 1,
                           .known_by = (enum send_known_by)chance_below(chance, 3),
                           .has_tenant = chance_below(chance, 2) == 0};
    o.names_message = chance_below(chance, 2) == 0;
    if (observation_has_words(&o)) {
        o.recipient = SPAN("somebody.with.a.name@example.com");
        o.scope_tenant = who % 2 == 1;
        o.tenant = o.scope_tenant ? SPAN("acme") : SPAN_NONE;
        o.evidence.reply.text = SPAN("no such user");
    }
    return o;
}

static void forget_decision(void *context,
                            const struct record *record,
                            const struct decision *decision,
                            const struct observation *observation)
{
    uint64_t *count = context;
    (void)observation;
    assert_true(record_key_text(record).size > 0);
    assert_true(decision->seq > 0);
    (*count)++;
}

struct fixture {
    struct policy_set *policies;
    struct memory_budget budget;
    struct shard_world world;
    struct shard *shard;
    uint64_t decisions;
    struct decision_sink sink;
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){0};
    assert_int_equal(
        policy_set_create(policy_preset(SPAN("default")), false, NULL, 0, &f->policies), OK);
    f->world = (struct shard_world){.policies = f->policies,
                                    .budget = &f->budget,
                                    .secret_check = SECRET_CHECK,
                                    .shard_count = SHARD_COUNT};
    assert_int_equal(shard_create(&f->world, &f->shard), OK);
    f->sink = (struct decision_sink){.context = &f->decisions, .decided = forget_decision};
}

static void tear_down(struct fixture *f)
{
    shard_destroy(&f->shard);
    policy_set_destroy(&f->policies);
}

/* --- the whole content of a shard, order-free ------------------------------------------------ */

struct content {
    uint64_t digest;
    uint64_t count;
};

static void digest_visit(void *context, struct key key, struct span packed)
{
    struct content *content = context;
    uint64_t hash = key.address_hash * 31 + key.scope_hash;
    for (size_t i = 0; i < packed.size; i++) {
        hash = (hash ^ (unsigned char)packed.data[i]) * UINT64_C(0x100000001b3);
    }
    content->digest += hash;
    content->count++;
}

static struct content content_of(const struct shard *shard)
{
    struct content content = {0};
    uint64_t cursor = 0;
    do {
        store_scan((struct store *)(uintptr_t)shard_store(shard), &cursor, 1000, &content,
                   digest_visit);
    } while (cursor != 0);
    content.digest += (uint64_t)shard_newest_event_ms(shard);
    return content;
}

static void apply_some(struct fixture *f, struct chance *chance, int64_t *now_ms, int count)
{
    for (int i = 0; i < count; i++) {
        *now_ms += (int64_t)chance_below(chance, (uint64_t)DAY_MS / 4);
        const struct observation o = random_observation(chance, *now_ms);
        assert_int_equal(shard_apply(f->shard, &o, &f->sink), OK);
        if (i % 7 == 0) {
            assert_int_equal(shard_sweep(f->shard, 5000, &f->sink), OK);
        }
    }
}

/* --- a changelog in memory -------------------------------------------------------------------- */

enum { LOG_MAX = 200000 };

struct log_entry {
    unsigned char key[CHANGELOG_KEY_SIZE];
    size_t key_size;
    bool is_tombstone;
    size_t size;
    unsigned char *value;
};

struct changelog {
    struct log_entry *entries;
    size_t count;
};

static void append(void *context, struct span key, struct span value)
{
    struct changelog *log = context;
    assert_true(log->count < LOG_MAX);
    struct log_entry *entry = &log->entries[log->count++];
    memcpy(entry->key, key.data, key.size);
    entry->key_size = key.size;
    entry->is_tombstone = value.data == NULL;
    entry->size = value.size;
    entry->value = malloc(value.size + 1);
    if (!entry->is_tombstone) {
        memcpy(entry->value, value.data, value.size);
    }
}

static void commit_to(struct fixture *f, struct changelog *log, int64_t next_offset)
{
    unsigned char progress[PROGRESS_SIZE_MAX];
    shard_each_change(f->shard, log, append);
    append(log, PROGRESS_KEY, shard_progress_pack(f->shard, next_offset, progress));
    shard_commit(f->shard, next_offset);
}

static struct changelog log_create(void)
{
    return (struct changelog){.entries = calloc(LOG_MAX, sizeof(struct log_entry))};
}

static void log_destroy(struct changelog *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->entries[i].value);
    }
    free(log->entries);
}

static enum err restore_from(struct shard *shard, const struct changelog *log)
{
    enum err err = OK;
    for (size_t i = 0; err == OK && i < log->count; i++) {
        const struct log_entry *e = &log->entries[i];
        const struct span key = {(const char *)e->key, e->key_size};
        const struct span value = {(const char *)e->value, e->size};
        err = shard_restore(shard, key, e->is_tombstone ? SPAN_NONE : value);
    }
    return err;
}

/* --- facts -------------------------------------------------------------------------------------
 */

static void undo_brings_back_every_byte(void **state)
{
    (void)state;
    struct chance chance = chance_init("undo");
    struct fixture f;
    int64_t now_ms = START_MS;
    set_up(&f);
    for (int round = 0; round < 300; round++) {
        const struct content before = content_of(f.shard);
        const int64_t before_ms = now_ms;
        apply_some(&f, &chance, &now_ms, 40);
        shard_undo(f.shard);
        const struct content after = content_of(f.shard);
        assert_int_equal(after.digest, before.digest);
        assert_int_equal(after.count, before.count);
        assert_false(shard_is_dirty(f.shard));
        now_ms = before_ms;
        apply_some(&f, &chance, &now_ms, 40);
        shard_commit(f.shard, round);
    }
    assert_true(f.decisions > 1000);
    tear_down(&f);
}

static void the_changelog_alone_makes_the_same_shard(void **state)
{
    (void)state;
    struct chance chance = chance_init("restore");
    struct fixture f;
    struct fixture g;
    struct changelog log = log_create();
    int64_t now_ms = START_MS;
    set_up(&f);
    set_up(&g);
    for (int round = 0; round < 400; round++) {
        apply_some(&f, &chance, &now_ms, 30);
        if (round % 5 == 4) {
            shard_undo(f.shard);
        } else {
            commit_to(&f, &log, round + 1);
        }
    }
    assert_int_equal(restore_from(g.shard, &log), OK);
    assert_int_equal(content_of(g.shard).digest, content_of(f.shard).digest);
    assert_int_equal(content_of(g.shard).count, content_of(f.shard).count);
    assert_int_equal(shard_progress(g.shard)->next_offset, shard_progress(f.shard)->next_offset);
    assert_int_equal(shard_progress(g.shard)->sequence, shard_progress(f.shard)->sequence);
    log_destroy(&log);
    tear_down(&f);
    tear_down(&g);
}

static void a_missing_changelog_record_is_seen(void **state)
{
    (void)state;
    struct chance chance = chance_init("missing");
    struct fixture f;
    struct changelog log = log_create();
    int64_t now_ms = START_MS;
    set_up(&f);
    for (int round = 0; round < 3; round++) {
        apply_some(&f, &chance, &now_ms, 30);
        commit_to(&f, &log, round + 1);
    }
    /* the last before the last progress record */
    free(log.entries[log.count - 2].value);
    log.entries[log.count - 2] = log.entries[log.count - 1];
    log.count--;
    struct fixture g;
    set_up(&g);
    assert_int_equal(restore_from(g.shard, &log), ERR_REFUSED);
    log_destroy(&log);
    tear_down(&f);
    tear_down(&g);
}

/* Writes a changelog as `f`, then restores it into the shard of a world that `change` made another. */
static void assert_refused_by(void (*change)(struct shard_world *world))
{
    struct fixture f;
    struct fixture g;
    struct changelog log = log_create();
    set_up(&f);
    commit_to(&f, &log, 1);
    set_up(&g);
    shard_destroy(&g.shard);
    change(&g.world);
    assert_int_equal(shard_create(&g.world, &g.shard), OK);
    assert_int_equal(restore_from(g.shard, &log), ERR_REFUSED);
    log_destroy(&log);
    tear_down(&f);
    tear_down(&g);
}

static void change_secret(struct shard_world *world)
{
    world->secret_check++;
}

static void a_changelog_of_another_secret_is_refused(void **state)
{
    (void)state;
    assert_refused_by(change_secret);
}

static void change_shard_count(struct shard_world *world)
{
    world->shard_count++;
}

static void a_changelog_of_another_number_of_shards_is_refused(void **state)
{
    (void)state;
    assert_refused_by(change_shard_count);
}

static void what_nobody_of_ours_wrote_is_not_restored(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(shard_restore(f.shard, SPAN("a key"), SPAN("a value")), ERR_BAD_FORMAT);
    assert_int_equal(shard_restore(f.shard, SPAN("0123456789abcdef"), SPAN("")), ERR_BAD_FORMAT);
    assert_int_equal(shard_restore(f.shard, SPAN("0123456789abcdef"), SPAN("\x01 no record")),
                     ERR_BAD_FORMAT);
    assert_int_equal(shard_restore(f.shard, SPAN("0123456789abcdef"), SPAN("\x02..")),
                     ERR_BAD_VERSION);
    assert_int_equal(shard_restore(f.shard, PROGRESS_KEY, SPAN("\x01.")), ERR_BAD_FORMAT);
    assert_int_equal(shard_restore(f.shard, PROGRESS_KEY, SPAN("\x63.")), ERR_BAD_VERSION);
    assert_int_equal(shard_restore(f.shard, PROGRESS_KEY, SPAN_NONE), ERR_BAD_FORMAT);
    tear_down(&f);
}

static void an_event_that_changes_nothing_is_no_change(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct observation o = {.kind = KIND_DEFERRED,
                            .category = CATEGORY_SOFT_OTHER,
                            .key = {1, 1},
                            .ts_ms = START_MS,
                            .send = {.hash = 5},
                            .recipient = SPAN("a@example.com")};
    assert_int_equal(shard_apply(f.shard, &o, &f.sink), OK);
    assert_int_equal(shard_dirty_count(f.shard), 1);
    shard_commit(f.shard, 1);
    o.ts_ms -= 1000; /* an older word of the same send */
    assert_int_equal(shard_apply(f.shard, &o, &f.sink), OK);
    assert_false(shard_is_dirty(f.shard));
    o.kind = KIND_DELIVERED; /* to somebody unknown */
    o.key = (struct key){2, 2};
    assert_int_equal(shard_apply(f.shard, &o, &f.sink), OK);
    assert_false(shard_is_dirty(f.shard));
    assert_int_equal(store_count(shard_store(f.shard)), 1);
    tear_down(&f);
}

static void the_sweep_releases_an_hour_late_and_drops_after_a_week(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct observation o = {.kind = KIND_BOUNCED,
                            .category = CATEGORY_INACTIVE_MAILBOX,
                            .key = {1, 1},
                            .ts_ms = START_MS,
                            .send = {.hash = 5},
                            .recipient = SPAN("a@example.com")};
    assert_int_equal(shard_apply(f.shard, &o, &f.sink), OK);
    assert_int_equal(f.decisions, 1);
    const int64_t end_ms = START_MS + 180 * DAY_MS;
    struct observation other = {.kind = KIND_DELIVERED, .key = {9, 9}};
    const int64_t times_ms[] = {end_ms + SWEEP_LAPSE_AFTER_MS - 1, end_ms + SWEEP_LAPSE_AFTER_MS,
                                end_ms + MEMORY_MS + SWEEP_DROP_AFTER_MS - 1,
                                end_ms + MEMORY_MS + SWEEP_DROP_AFTER_MS};
    const uint64_t decisions[] = {1, 2, 2, 2};
    const uint64_t counts[] = {1, 1, 1, 0};
    for (size_t i = 0; i < 4; i++) {
        other.ts_ms = times_ms[i];
        assert_int_equal(shard_apply(f.shard, &other, &f.sink), OK);
        for (int step = 0; step < 100; step++) {
            assert_int_equal(shard_sweep(f.shard, 1000, &f.sink), OK);
        }
        shard_commit(f.shard, (int64_t)i);
        assert_int_equal(f.decisions, decisions[i]);
        assert_int_equal(store_count(shard_store(f.shard)), counts[i]);
    }
    tear_down(&f);
}

/* What is dropped makes others move back behind the scan. */
static void the_sweep_rests_only_when_nothing_due_is_left(void **state)
{
    (void)state;
    enum { KEYS = 6000, LATE = KEYS + 1 };
    struct fixture f;
    set_up(&f);
    struct chance chance = chance_init("sweep");
    struct observation o = {
        .kind = KIND_BOUNCED, .category = CATEGORY_MAILBOX_FULL, .send = {.hash = 5}};
    for (uint64_t i = 0; i < KEYS; i++) {
        o.key = (struct key){chance_next(&chance), chance_next(&chance)};
        o.ts_ms = START_MS;
        assert_int_equal(shard_apply(f.shard, &o, &f.sink), OK);
    }
    shard_commit(f.shard, 0);
    assert_int_equal(store_count(shard_store(f.shard)), KEYS);
    const struct observation other = {
        .kind = KIND_DELIVERED, .key = {9, 9}, .ts_ms = START_MS + 100 * DAY_MS};
    assert_int_equal(shard_apply(f.shard, &other, &f.sink), OK);
    for (int cycle = 0; cycle < 100; cycle++) {
        assert_int_equal(shard_sweep(f.shard, 1000, &f.sink), OK);
        shard_commit(f.shard, cycle);
    }
    assert_int_equal(store_count(shard_store(f.shard)), 0);

    o.key = (struct key){LATE, LATE}; /* long due when it comes */
    assert_int_equal(shard_apply(f.shard, &o, &f.sink), OK);
    assert_true(shard_is_dirty(f.shard));
    for (int cycle = 0; cycle < 100; cycle++) {
        shard_commit(f.shard, cycle);
        assert_int_equal(shard_sweep(f.shard, 1000, &f.sink), OK);
    }
    assert_int_equal(store_count(shard_store(f.shard)), 0);
    tear_down(&f);
}

static void a_full_store_can_be_undone(void **state)
{
    (void)state;
    struct chance chance = chance_init("full");
    struct fixture f;
    set_up(&f);
    f.budget.limit = f.budget.used + 300000;
    int64_t now_ms = START_MS;
    enum err err = OK;
    for (uint64_t n = 0; err == OK && n < 100000; n++) {
        struct observation o = random_observation(&chance, now_ms += 1000);
        o.key = (struct key){n * UINT64_C(0x9e3779b97f4a7c15), n / 3};
        err = shard_apply(f.shard, &o, &f.sink);
        if (err == OK && n % 50 == 0) {
            shard_commit(f.shard, (int64_t)n);
        }
    }
    assert_int_equal(err, ERR_FULL);
    const uint64_t sequence = shard_progress(f.shard)->sequence;
    shard_undo(f.shard);
    assert_int_equal(shard_progress(f.shard)->sequence, sequence);
    assert_false(shard_is_dirty(f.shard));
    tear_down(&f);
}

/* --- the packed record --------------------------------------------------------------------------
 */

static void a_counting_record_fits_into_its_cache_line(void **state)
{
    (void)state;
    struct record record;
    unsigned char packed[RECORD_PACKED_SIZE_MAX];
    record_init(&record, (struct key){1, 2});
    for (size_t i = 0; i < 3; i++) {
        record.failures[i] = (struct failure){
            .send = i + 1, .ts_ms = START_MS + (int64_t)i, .category = CATEGORY_SOFT_OTHER};
    }
    record.failure_count = 3;
    record.touched_ms = START_MS + 5;
    assert_true(record_pack(&record, packed) <= STORE_INLINE_SIZE);
}

static void no_truncated_record_is_taken(void **state)
{
    (void)state;
    struct chance chance = chance_init("packed");
    struct fixture f;
    int64_t now_ms = START_MS;
    set_up(&f);
    apply_some(&f, &chance, &now_ms, 3000);
    struct changelog log = log_create();
    shard_each_change(f.shard, &log, append);
    struct record record;
    for (size_t i = 0; i < log.count; i++) {
        const struct log_entry *e = &log.entries[i];
        if (e->is_tombstone) {
            continue;
        }
        const struct span packed = {(const char *)e->value + 1, e->size - 1};
        assert_true(record_unpack(packed, (struct key){0, 0}, &record));
        unsigned char again[RECORD_PACKED_SIZE_MAX];
        assert_int_equal(record_pack(&record, again), packed.size);
        assert_memory_equal(again, packed.data, packed.size);
        for (size_t size = 0; size < packed.size; size++) {
            const struct span cut = {packed.data, size};
            assert_false(record_unpack(cut, (struct key){0, 0}, &record));
        }
    }
    log_destroy(&log);
    tear_down(&f);
}

/* --- blocks -------------------------------------------------------------------------------------
 */

static void a_block_gives_back_what_was_packed(void **state)
{
    (void)state;
    struct chance chance = chance_init("block");
    char *memory = malloc(BLOCK_SIZE_MAX);
    struct block_writer writer;
    struct block_reader reader;
    struct observation packed[500];
    struct observation o;
    block_begin(&writer, memory, SECRET_CHECK);
    for (int i = 0; i < 500; i++) {
        packed[i] = random_observation(&chance, START_MS + i);
        assert_true(block_add(&writer, &packed[i]));
    }
    const struct span block = block_end(&writer);
    assert_int_equal(block_open(&reader, block, SECRET_CHECK), OK);
    for (int i = 0; i < 500; i++) {
        assert_true(block_next(&reader, &o));
        assert_int_equal(o.kind, packed[i].kind);
        assert_int_equal(o.origin, packed[i].origin);
        assert_int_equal(o.ts_ms, packed[i].ts_ms);
        assert_int_equal(o.key.address_hash, packed[i].key.address_hash);
        assert_int_equal(o.key.scope_hash, packed[i].key.scope_hash);
        assert_int_equal(o.send.hash, packed[i].send.hash);
        assert_int_equal(o.send.known_by, packed[i].send.known_by);
        assert_int_equal(o.send.has_tenant, packed[i].send.has_tenant);
        assert_int_equal(o.names_message, packed[i].names_message);
        if (observation_has_words(&o)) {
            assert_int_equal(o.category, packed[i].category);
            assert_true(span_equal(o.recipient, packed[i].recipient));
            assert_true(span_equal(o.tenant, packed[i].tenant));
            assert_true(span_equal(o.evidence.reply.text, packed[i].evidence.reply.text));
        }
    }
    assert_false(block_next(&reader, &o));
    assert_true(block_is_sound(&reader));
    assert_int_equal(block_open(&reader, block, SECRET_CHECK + 1), ERR_REFUSED);
    free(memory);
}

static void a_full_block_takes_no_half_observation(void **state)
{
    (void)state;
    struct chance chance = chance_init("full block");
    char *memory = malloc(BLOCK_SIZE_MAX);
    struct block_writer writer;
    struct block_reader reader;
    struct observation o;
    uint32_t count = 0;
    block_begin(&writer, memory, SECRET_CHECK);
    for (;;) {
        o = random_observation(&chance, START_MS);
        if (!block_add(&writer, &o)) {
            break;
        }
        count++;
    }
    assert_int_equal(block_open(&reader, block_end(&writer), SECRET_CHECK), OK);
    while (block_next(&reader, &o)) {
        count--;
    }
    assert_int_equal(count, 0);
    assert_true(block_is_sound(&reader));
    free(memory);
}

static void a_damaged_block_never_reads_past_its_end(void **state)
{
    (void)state;
    struct chance chance = chance_init("damage");
    char *memory = malloc(BLOCK_SIZE_MAX);
    struct block_writer writer;
    block_begin(&writer, memory, SECRET_CHECK);
    for (int i = 0; i < 20; i++) {
        const struct observation o = random_observation(&chance, START_MS + i);
        assert_true(block_add(&writer, &o));
    }
    const struct span block = block_end(&writer);
    for (int i = 0; i < 20000; i++) {
        /* its own allocation, so that the sanitizer sees the end */
        const size_t size = chance_below(&chance, block.size + 1);
        char *copy = malloc(size + 1);
        memcpy(copy, block.data, size);
        if (size > 0) {
            copy[chance_below(&chance, size)] ^= (char)(1 << chance_below(&chance, 8));
        }
        struct block_reader reader;
        struct observation o;
        if (block_open(&reader, (struct span){copy, size}, SECRET_CHECK) == OK) {
            while (block_next(&reader, &o)) {
                assert_true(observation_matters(o.kind, o.origin, o.category));
            }
        }
        free(copy);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undo_brings_back_every_byte),
        cmocka_unit_test(the_changelog_alone_makes_the_same_shard),
        cmocka_unit_test(a_missing_changelog_record_is_seen),
        cmocka_unit_test(a_changelog_of_another_secret_is_refused),
        cmocka_unit_test(a_changelog_of_another_number_of_shards_is_refused),
        cmocka_unit_test(what_nobody_of_ours_wrote_is_not_restored),
        cmocka_unit_test(an_event_that_changes_nothing_is_no_change),
        cmocka_unit_test(the_sweep_releases_an_hour_late_and_drops_after_a_week),
        cmocka_unit_test(the_sweep_rests_only_when_nothing_due_is_left),
        cmocka_unit_test(a_full_store_can_be_undone),
        cmocka_unit_test(a_counting_record_fits_into_its_cache_line),
        cmocka_unit_test(no_truncated_record_is_taken),
        cmocka_unit_test(a_block_gives_back_what_was_packed),
        cmocka_unit_test(a_full_block_takes_no_half_observation),
        cmocka_unit_test(a_damaged_block_never_reads_past_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* consumer/shard_worker.c - the shard on one page.
 *
 *     block -> observations -> shard_apply() -> decisions -> outbox
 *     end of the transaction: one changelog record per dirty key, one progress record per shard
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/shard_worker.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "consumer/dead_letter.h"
#include "consumer/restore.h"
#include "consumer/test_points.h"
#include "state/block.h"
#include "state/shard.h"

enum {
    PREFETCH =
        32, /* observations ahead: their cache lines arrive while the ones before are applied */
    POLL_MAX = 32,      /* blocks, of up to BLOCK_SIZE_MAX bytes */
    CHANGE_SIZE = 128,  /* of a changelog record, about */
    SWEEP_SLOTS = 4096, /* a cycle */
    PURGE_INTERVAL_MS = 60000,
    LIMIT_LOG_INTERVAL_MS = 60000,
};

/* What hangs on a held partition. */
struct own {
    struct shard *shard;
    struct restore restore;
    int64_t purged; /* events below it are deleted */
    int64_t purge_due_mono_ms;
};

struct counts {
    uint64_t blocks;
    uint64_t observations;
    uint64_t suppressions;
    uint64_t releases;
    uint64_t dead_letters;
};

struct shard_role {
    const struct process *process;
    const char *events_topic;
    struct counts counts; /* of this transaction */
    struct shard_totals totals;
    long long limit_logged_ms;
    const struct own *reading; /* who has the io's one log reader, or NULL */
    /* while a message is applied */
    struct worker *worker;
};

enum err shard_role_create(const struct process *process,
                           const char *events_topic,
                           struct shard_role **out)
{
    struct shard_role *role = calloc(1, sizeof(*role));
    if (role == NULL) {
        return ERR_NO_MEMORY;
    }
    role->process = process;
    role->events_topic = events_topic;
    *out = role;
    return OK;
}

void shard_role_destroy(struct shard_role **role)
{
    free(*role);
    *role = NULL;
}

const struct shard_totals *shard_role_totals(const struct shard_role *role)
{
    return &role->totals;
}

/* --- publish -------------------------------------------------------------------------------- */

static size_t io_headers(const struct publication_header *from, size_t count, struct io_header *to)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = (struct io_header){from[i].name, from[i].value};
    }
    return count;
}

/* By whose rules the record is judged. */
static struct publisher publisher_of(const struct shard_role *role, const struct record *record)
{
    struct publisher publisher = role->process->publisher;
    struct span tenant;
    struct span recipient;
    key_text_split(record_key_text(record), &tenant, &recipient);
    publisher.policy_version =
        atomic_load_explicit(role->process->policy_version, memory_order_acquire);
    publisher.policy_name = policy_of(role->process->policies, tenant.size > 0, tenant)->name;
    return publisher;
}

static void publish(struct shard_role *role,
                    uint16_t topic,
                    const struct record *record,
                    const struct decision *decision,
                    const struct observation *observation)
{
    const struct publisher publisher = publisher_of(role, record);
    struct outbox *outbox = worker_outbox(role->worker);
    struct publication_header published[PUBLICATION_HEADERS_MAX];
    struct io_header headers[PUBLICATION_HEADERS_MAX];

    struct writer value = outbox_reserve(outbox, PUBLICATION_SIZE_MAX);
    bool is_tombstone = false;
    if (topic == SHARD_SUPPRESSIONS) {
        is_tombstone = !publication_write_state(&value, &publisher, record, decision, observation);
    } else {
        publication_write_decision(&value, &publisher, record, decision, observation);
    }
    const struct span value_kept = outbox_keep(outbox, &value);

    struct writer header_bytes = outbox_reserve(outbox, PUBLICATION_SIZE_MAX);
    const size_t count = publication_headers(&header_bytes, &publisher, record, decision,
                                             observation, is_tombstone, published);
    outbox_keep(outbox, &header_bytes);
    const struct io_record out = {
        .topic = topic,
        .partition = IO_KEY_ANY,
        .is_tombstone = is_tombstone,
        .key = outbox_copy(outbox, record_key_text(record)),
        .value = value_kept,
    };
    outbox_add(outbox, &out, headers, io_headers(published, count, headers));
}

static void on_decided(void *context,
                       const struct record *record,
                       const struct decision *decision,
                       const struct observation *observation)
{
    struct shard_role *role = context;
    publish(role, SHARD_SUPPRESSIONS, record, decision, observation);
    publish(role, SHARD_DECISIONS, record, decision, observation);
    if (decision->action == ACTION_SUPPRESS) {
        role->counts.suppressions++;
    } else {
        role->counts.releases++;
    }
}

static struct decision_sink sink_of(struct shard_role *role)
{
    return (struct decision_sink){.context = role, .decided = on_decided};
}

/* --- apply ---------------------------------------------------------------------------------- */

static enum err apply_some(struct shard_role *role,
                           struct shard *shard,
                           const struct observation *observations,
                           size_t count)
{
    const struct decision_sink sink = sink_of(role);
    for (size_t i = 0; i < count; i++) {
        const enum err err = shard_apply(shard, &observations[i], &sink);
        if (err != OK) {
            return err;
        }
    }
    role->counts.observations += count;
    return OK;
}

static enum err apply_block(struct shard_role *role,
                            struct shard *shard,
                            struct block_reader *block)
{
    struct observation observations[PREFETCH];
    size_t count;
    do {
        count = 0;
        while (count < PREFETCH && block_next(block, &observations[count])) {
            shard_prefetch(shard, observations[count].key);
            count++;
        }
        const enum err err = apply_some(role, shard, observations, count);
        if (err != OK) {
            return err;
        }
    } while (count == PREFETCH);
    return OK;
}

static void bury(struct shard_role *role, const struct io_message *message, const char *reason)
{
    const struct dead_letter letter = {.reason = reason, .part = message->value, .part_index = 1};
    dead_letter_add(worker_outbox(role->worker), SHARD_DEAD_LETTERS, &letter,
                    span_of(role->events_topic), message->partition, message->offset, "");
    role->counts.dead_letters++;
}

static enum err apply(void *context,
                      struct worker *worker,
                      struct held *held,
                      const struct io_message *message)
{
    struct shard_role *role = context;
    struct own *own = held->own;
    struct block_reader block;
    role->worker = worker;
    role->counts.blocks++;
    const enum err opened = block_open(&block, message->value, role->process->secret->check);
    if (opened == ERR_BAD_FORMAT) {
        bury(role, message, "no block of suppressd's: something else writes to this topic");
        return OK;
    }
    if (opened != OK) {
        log_error("events: %s topic=%s partition=%" PRId32 " offset=%" PRId64,
                  opened == ERR_BAD_VERSION
                      ? "written by a newer suppressd: run that version here"
                      : "written with another secret: give all processes the same "
                        "state.secret_file",
                  role->events_topic, message->partition, message->offset);
        return ERR_REFUSED;
    }
    const enum err err = apply_block(role, own->shard, &block);
    if (err == OK && !block_is_sound(&block)) {
        bury(role, message, "a block of suppressd's that is damaged; what could be read was taken");
    }
    return err;
}

/* --- the transaction ------------------------------------------------------------------------ */

/* What is committed will never be read again: events are kept for ever (retention.ms=-1) but by us.
 */
static void purge_when_due(struct worker *worker, struct held *held)
{
    struct own *own = held->own;
    const int64_t now_ms = mono_ms();
    if (now_ms < own->purge_due_mono_ms || own->purged == held->committed) {
        return;
    }
    own->purge_due_mono_ms = now_ms + PURGE_INTERVAL_MS;
    own->purged = held->committed;
    worker_io(worker)->ops->purge(worker_io(worker), held->partition, held->committed);
}

static void drop(void *context, struct held *held)
{
    struct shard_role *role = context;
    struct own *own = held->own;
    if (own != NULL) {
        role->reading = role->reading == own ? NULL : role->reading;
        shard_destroy(&own->shard);
        free(own);
        held->own = NULL;
    }
}

/* Other shards may have left the process. */
static bool has_room_again(const struct shard_role *role)
{
    const struct memory_budget *budget = role->process->budget;
    return atomic_load_explicit(&budget->used, memory_order_relaxed) < budget->limit / 4 * 3;
}

static enum err tend(void *context, struct worker *worker, struct held *held)
{
    struct shard_role *role = context;
    struct own *own = held->own;
    role->worker = worker;
    if (held->state == HELD_FULL) {
        log_line_limited(LOG_ERROR, &role->limit_logged_ms, LIMIT_LOG_INTERVAL_MS,
                         "memory limit reached: events wait in Kafka; raise state.memory_limit and "
                         "restart used=%zu limit=%zu",
                         atomic_load_explicit(&role->process->budget->used, memory_order_relaxed),
                         role->process->budget->limit);
        if (has_room_again(role)) {
            drop(role, held);
            held->state =
                HELD_WAITING; /* restored anew: what was undone at the limit is read again */
        }
        return OK;
    }
    purge_when_due(worker, held);
    const struct decision_sink sink = sink_of(role);
    const enum err err = shard_sweep(own->shard, SWEEP_SLOTS, &sink);
    if (shard_is_dirty(own->shard)) {
        worker_touch(worker, held);
    }
    return err;
}

struct changing {
    struct outbox *outbox;
    int32_t partition;
};

static void add_change(void *context, struct span key, struct span value)
{
    const struct changing *changing = context;
    const bool is_tombstone = value.data == NULL;
    const struct io_record record = {
        .topic = SHARD_CHANGELOG,
        .partition = changing->partition,
        .is_tombstone = is_tombstone,
        .key = outbox_copy(changing->outbox, key),
        .value = is_tombstone ? SPAN_NONE : outbox_copy(changing->outbox, value),
    };
    outbox_add(changing->outbox, &record, NULL, 0);
}

/* The progress record is the last of its shard: who reads it has read all that it stands for. */
static void finish(void *context, struct worker *worker)
{
    (void)context;
    struct outbox *outbox = worker_outbox(worker);
    for (size_t i = 0; i < worker_held_count(worker); i++) {
        const struct held *held = worker_held(worker, i);
        const struct own *own = held->own;
        if (!held->touched) {
            continue;
        }
        unsigned char progress[PROGRESS_SIZE_MAX];
        struct changing changing = {outbox, held->partition.partition};
        shard_each_change(own->shard, &changing, add_change);
        const struct io_record record = {
            .topic = SHARD_CHANGELOG,
            .partition = held->partition.partition,
            .key = PROGRESS_KEY,
            .value = outbox_copy(outbox, shard_progress_pack(own->shard, held->next, progress)),
        };
        outbox_add(outbox, &record, NULL, 0);
    }
}

static size_t pending(void *context)
{
    const struct shard_role *role = context;
    size_t dirty = 0;
    for (size_t i = 0; role->worker != NULL && i < worker_held_count(role->worker); i++) {
        const struct own *own = worker_held(role->worker, i)->own;
        dirty += own == NULL ? 0 : shard_dirty_count(own->shard);
    }
    return dirty * CHANGE_SIZE;
}

static bool wants_more(void *context)
{
    (void)context;
    return false;
}

static void add(_Atomic uint64_t *total, uint64_t n)
{
    atomic_fetch_add_explicit(total, n, memory_order_relaxed);
}

static void settle_counts(struct shard_role *role)
{
    add(&role->totals.blocks, role->counts.blocks);
    add(&role->totals.observations, role->counts.observations);
    add(&role->totals.suppressions, role->counts.suppressions);
    add(&role->totals.releases, role->counts.releases);
    add(&role->totals.dead_letters, role->counts.dead_letters);
    role->counts = (struct counts){0};
}

static void count_records(struct shard_role *role, struct worker *worker)
{
    uint64_t records = 0;
    for (size_t i = 0; i < worker_held_count(worker); i++) {
        const struct own *own = worker_held(worker, i)->own;
        records += own == NULL ? 0 : store_count(shard_store(own->shard));
    }
    atomic_store_explicit(&role->totals.records, records, memory_order_relaxed);
}

static void committed(void *context, struct worker *worker)
{
    struct shard_role *role = context;
    for (size_t i = 0; i < worker_held_count(worker); i++) {
        const struct held *held = worker_held(worker, i);
        const struct own *own = held->own;
        if (held->touched) {
            shard_commit(own->shard, held->next);
        }
    }
    count_records(role, worker);
    settle_counts(role);
}

static void undo(void *context, struct worker *worker)
{
    struct shard_role *role = context;
    for (size_t i = 0; i < worker_held_count(worker); i++) {
        struct own *own = worker_held(worker, i)->own;
        if (own != NULL && !TEST_HAS_PLANTED(SKIP_UNDO)) {
            shard_undo(own->shard);
        }
    }
    role->counts = (struct counts){0};
}

/* --- ours, and no longer ours --------------------------------------------------------------- */

static enum err begin_restore(struct shard_role *role, struct held *held)
{
    struct own *own = calloc(1, sizeof(*own));
    if (own == NULL) {
        return ERR_NO_MEMORY;
    }
    const struct shard_world world = {
        .policies = role->process->policies,
        .budget = role->process->budget,
        .secret_check = role->process->secret->check,
        .shard_count = role->process->shard_count,
        .forgets = true,
    };
    const enum err err = shard_create(&world, &own->shard);
    if (err != OK) {
        free(own);
        return err;
    }
    own->restore = restore_begin(held->partition, SHARD_CHANGELOG);
    own->purge_due_mono_ms = mono_ms() + PURGE_INTERVAL_MS;
    held->own = own;
    return OK;
}

/* One shard reads the changelog at a time. */
static enum err prepare(void *context, struct worker *worker, struct held *held)
{
    struct shard_role *role = context;
    enum err err = OK;
    if (held->own == NULL) {
        err = begin_restore(role, held);
    }
    struct own *own = held->own;
    if (err == OK && role->reading != NULL && role->reading != own) {
        return ERR_TIMEOUT;
    }
    if (err == OK) {
        err = restore_step(&own->restore, worker_io(worker), own->shard, &held->next);
        role->reading = own->restore.is_reading ? own : NULL;
        held->state = own->restore.is_reading ? HELD_RESTORING : HELD_WAITING;
    }
    if (err == ERR_FULL) {
        if (own != NULL) {
            restore_abandon(&own->restore, worker_io(worker));
            role->reading = NULL;
        }
        held->state = HELD_FULL;
        return OK;
    }
    if (err != OK) {
        return err;
    }
    held->committed = held->next;
    own->purged = held->next;
    count_records(role, worker);
    return worker_start_held(worker, held);
}

const struct role_ops *shard_role_ops(void)
{
    static const struct role_ops OPS = {
        .poll_max = POLL_MAX,
        .prepare = prepare,
        .apply = apply,
        .tend = tend,
        .pending = pending,
        .finish = finish,
        .wants_more = wants_more,
        .committed = committed,
        .undo = undo,
        .drop = drop,
    };
    return &OPS;
}

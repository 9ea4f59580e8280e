/* consumer/worker.c - see worker.h.
 *
 * The rules that this file keeps (design 7):
 *   - a transaction carries the offsets of every partition that it touched, moved or not;
 *   - a revoked partition is out of the transaction before the callback returns;
 *   - memory is undone only when nothing of the transaction can have happened (IO_ABORTED); a
 * commit in doubt is never undone: everything is dropped and restored;
 *   - a message is applied only if it is the next of its partition (the gate): seeks may misbehave,
 * this does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/worker.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum {
    POLL_MS = 20,
    POLL_MESSAGES_MAX = 2048,
    ABORTS_IN_A_ROW_MAX = 8,
    ABORT_PAUSE_MS = 50,
    REOPEN_PAUSE_FIRST_MS = 100,
    REOPEN_PAUSE_MAX_MS = 10000,
    FENCED_WINDOW_MS = 120000,
    FENCED_MAX = 5, /* in the window: two processes share an id */
};

struct worker {
    struct worker_config config;
    const struct role_ops *ops;
    void *role;
    struct worker_status status;

    struct io *io;
    struct outbox *outbox;
    struct held held[WORKER_PARTITIONS_MAX];
    size_t held_count;

    struct io_message batch[WORKER_BATCH_MAX]; /* applied, not yet committed */
    size_t batch_count;
    int64_t cycle_start_ms; /* 0: nothing was applied or touched since the last commit */
    bool has_backlog;

    bool is_spent;  /* the io is of no use any more: close it, open anew */
    bool is_fenced; /* because another took its place, perhaps */
    enum err refusal;
    int64_t fenced_at_ms[FENCED_MAX];
    size_t fenced_count;
};

int64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *const ACTIVITY_NAMES[] = {
    "opening",    "waiting for a stable offset", "restoring", "polling",
    "committing", "paused at the memory limit",  "stopped"};

const char *worker_activity_name(enum worker_activity activity)
{
    return ACTIVITY_NAMES[activity];
}

struct worker *worker_create(const struct worker_config *config,
                             const struct role_ops *ops,
                             void *role)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    CHECK(worker != NULL);
    worker->config = *config;
    worker->ops = ops;
    worker->role = role;
    worker->outbox = outbox_create();
    atomic_store_explicit(&worker->status.beat_mono_ms, mono_ms(), memory_order_relaxed);
    return worker;
}

void worker_destroy(struct worker **worker)
{
    struct worker *w = *worker;
    *worker = NULL;
    if (w != NULL) {
        CHECK(w->io == NULL);
        outbox_destroy(&w->outbox);
        free(w);
    }
}

struct worker_status *worker_status(struct worker *worker)
{
    return &worker->status;
}

struct io *worker_io(struct worker *worker)
{
    return worker->io;
}

struct outbox *worker_outbox(struct worker *worker)
{
    return worker->outbox;
}

size_t worker_held_count(const struct worker *worker)
{
    return worker->held_count;
}

struct held *worker_held(struct worker *worker, size_t i)
{
    CHECK(i < worker->held_count);
    return &worker->held[i];
}

static void beat(struct worker *worker)
{
    atomic_store_explicit(&worker->status.beat_mono_ms, mono_ms(), memory_order_relaxed);
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void worker_set_activity(struct worker *worker, enum worker_activity activity)
{
    atomic_store_explicit(&worker->status.activity, (int)activity, memory_order_relaxed);
}

static void pause_ms(const struct worker *worker, int64_t ms)
{
    if (worker->config.pause != NULL) {
        worker->config.pause(ms);
        return;
    }
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* --- what is ours --------------------------------------------------------------------------- */

static struct held *find_held(struct worker *worker, struct io_partition partition)
{
    for (size_t i = 0; i < worker->held_count; i++) {
        if (worker->held[i].partition.topic == partition.topic &&
            worker->held[i].partition.partition == partition.partition) {
            return &worker->held[i];
        }
    }
    return NULL;
}

static void drop_held(struct worker *worker, struct held *held)
{
    worker->ops->drop(worker->role, held);
    worker->held_count--;
    *held = worker->held[worker->held_count];
}

enum err worker_start_held(struct worker *worker, struct held *held)
{
    const enum err err = worker->io->ops->start(worker->io, held->partition, held->next);
    if (err == OK) {
        held->state = HELD_RUNNING;
    }
    return err;
}

static void on_assigned(void *context, const struct io_partition *partitions, size_t n)
{
    struct worker *worker = context;
    for (size_t i = 0; i < n; i++) {
        CHECK(worker->held_count < WORKER_PARTITIONS_MAX);
        CHECK(find_held(worker, partitions[i]) == NULL);
        worker->held[worker->held_count++] = (struct held){.partition = partitions[i]};
    }
}

/* --- apply ---------------------------------------------------------------------------------- */

static void refuse(struct worker *worker, enum err err)
{
    worker->refusal = err;
    worker->is_spent = true;
}

void worker_touch(struct worker *worker, struct held *held)
{
    held->touched = true;
    if (worker->cycle_start_ms == 0) {
        worker->cycle_start_ms = mono_ms();
    }
}

/* Undoes everything since the last commit; the batch stays. */
static void undo(struct worker *worker)
{
    worker->ops->undo(worker->role, worker);
    outbox_clear(worker->outbox);
    for (size_t i = 0; i < worker->held_count; i++) {
        worker->held[i].next = worker->held[i].committed;
        worker->held[i].touched = false;
    }
    worker->cycle_start_ms = 0;
}

static void release_batch(struct worker *worker)
{
    worker->io->ops->release(worker->io, worker->batch, worker->batch_count);
    worker->batch_count = 0;
}

/* The memory limit was met within a transaction: back to the last commit, and rest there. Nothing
 * is lost: the backlog stays in Kafka. */
static void rest_at_limit(struct worker *worker)
{
    undo(worker);
    release_batch(worker);
    for (size_t i = 0; i < worker->held_count; i++) {
        struct held *held = &worker->held[i];
        if (held->state == HELD_RUNNING) {
            held->state = HELD_FULL;
            if (worker->io->ops->pause(worker->io, held->partition) != OK) {
                worker->is_spent = true;
            }
        }
    }
}

/* Applies one message of the batch. False: the batch is gone (the limit, or a refusal). */
static bool apply(struct worker *worker, const struct io_message *message)
{
    struct held *held =
        find_held(worker, (struct io_partition){message->topic, message->partition});
    if (held == NULL || held->state != HELD_RUNNING || message->offset < held->next) {
        return true; /* no longer ours, or seen before: the gate */
    }
    worker_touch(worker, held);
    const enum err err = worker->ops->apply(worker->role, worker, held, message);
    if (err == OK) {
        held->next = message->offset + 1;
        return true;
    }
    if (err == ERR_FULL) {
        rest_at_limit(worker);
    } else {
        refuse(worker, err);
    }
    return false;
}

/* After an undo: the retained messages of the partitions that are still ours, once more. */
static void apply_again(struct worker *worker)
{
    for (size_t i = 0; i < worker->batch_count; i++) {
        if (!apply(worker, &worker->batch[i])) {
            return;
        }
    }
}

/* --- commit --------------------------------------------------------------------------------- */

static bool is_touched(const struct worker *worker)
{
    return worker->cycle_start_ms != 0;
}

static size_t collect_offsets(const struct worker *worker, struct io_offset *offsets)
{
    size_t n = 0;
    for (size_t i = 0; i < worker->held_count; i++) {
        const struct held *held = &worker->held[i];
        if (held->touched) {
            offsets[n++] = (struct io_offset){held->partition, held->next};
        }
    }
    return n;
}

static void settle(struct worker *worker)
{
    worker->ops->committed(worker->role, worker);
    outbox_clear(worker->outbox);
    for (size_t i = 0; i < worker->held_count; i++) {
        worker->held[i].committed = worker->held[i].next;
        worker->held[i].touched = false;
    }
    count(&worker->status.messages, worker->batch_count);
    count(&worker->status.transactions, 1);
    release_batch(worker);
    worker->cycle_start_ms = 0;
}

/* One attempt. After IO_ABORTED memory is as at the last commit, and the batch is still there. */
static enum io_result commit_once(struct worker *worker)
{
    static _Thread_local struct io_offset offsets[WORKER_PARTITIONS_MAX];
    worker_set_activity(worker, WORKER_COMMITTING);
    worker->ops->finish(worker->role, worker);
    const size_t offset_count = collect_offsets(worker, offsets);
    beat(worker);
    const enum io_result result =
        worker->io->ops->commit(worker->io, outbox_records(worker->outbox),
                                outbox_count(worker->outbox), offsets, offset_count);
    beat(worker);
    worker_set_activity(worker, WORKER_POLLING);
    switch (result) {
    case IO_OK:
        settle(worker);
        break;
    case IO_ABORTED:
        count(&worker->status.aborts, 1);
        undo(worker);
        break;
    case IO_FATAL:
        worker->is_fenced = true;
        worker->is_spent = true;
        break;
    case IO_DOUBT:
        worker->is_spent = true;
        break;
    }
    return result;
}

/* Until it is committed, or the io is spent. */
static void commit(struct worker *worker)
{
    for (int i = 0; is_touched(worker) && !worker->is_spent; i++) {
        if (i == ABORTS_IN_A_ROW_MAX) {
            log_warn("transaction aborted again and again: starting anew worker=%s",
                     worker->config.io.worker);
            worker->is_spent = true;
            return;
        }
        if (commit_once(worker) == IO_ABORTED) {
            pause_ms(worker, (int64_t)ABORT_PAUSE_MS * i);
            apply_again(worker);
        }
    }
}

static void release_what_is_not_ours(struct worker *worker)
{
    size_t kept = 0;
    for (size_t i = 0; i < worker->batch_count; i++) {
        struct io_message *message = &worker->batch[i];
        if (find_held(worker, (struct io_partition){message->topic, message->partition}) != NULL) {
            worker->batch[kept++] = *message;
        } else {
            worker->io->ops->release(worker->io, message, 1);
        }
    }
    worker->batch_count = kept;
}

static void on_revoked(void *context, const struct io_partition *partitions, size_t n, bool lost)
{
    struct worker *worker = context;
    if (is_touched(worker) && !worker->is_spent) {
        if (lost) {
            undo(worker);
        } else {
            (void)commit_once(worker); /* aborted: undone; spent: dropped below */
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct held *held = find_held(worker, partitions[i]);
        if (held != NULL) {
            drop_held(worker, held);
        }
    }
    release_what_is_not_ours(worker);
    if (!worker->is_spent) {
        apply_again(worker);
    }
}

/* --- the cycle ------------------------------------------------------------------------------ */

static bool is_due(const struct worker *worker)
{
    if (!is_touched(worker)) {
        return false;
    }
    if (worker->batch_count > WORKER_BATCH_MAX - POLL_MESSAGES_MAX ||
        outbox_bytes(worker->outbox) >= WORKER_OUTBOX_MAX) {
        return true;
    }
    const int64_t age_ms = mono_ms() - worker->cycle_start_ms;
    if (age_ms < worker->config.commit_interval_ms) {
        return false;
    }
    const bool may_go_on = worker->has_backlog || worker->ops->wants_more(worker->role);
    return !may_go_on || age_ms >= WORKER_CYCLE_MAX_MS;
}

static void poll_and_apply(struct worker *worker)
{
    struct io_message *messages = &worker->batch[worker->batch_count];
    const int64_t before_ms = mono_ms();
    const int n = worker->io->ops->poll(worker->io, messages, POLL_MESSAGES_MAX, POLL_MS);
    if (n < 0) {
        worker->is_fenced = true;
        worker->is_spent = true;
        return;
    }
    /* a callback within poll() may have settled or dropped the batch that was before: then the new
     * messages stand behind a gap */
    if (messages != &worker->batch[worker->batch_count]) {
        memmove(&worker->batch[worker->batch_count], messages, (size_t)n * sizeof(*messages));
    }
    worker->has_backlog = n == POLL_MESSAGES_MAX || (n > 0 && mono_ms() - before_ms < POLL_MS / 4);
    const size_t first = worker->batch_count;
    worker->batch_count += (size_t)n;
    if (worker->is_spent) {
        return; /* by a callback within poll() */
    }
    for (size_t i = first; i < worker->batch_count; i++) {
        if (!apply(worker, &worker->batch[i])) {
            return;
        }
    }
    if (!is_touched(worker)) {
        release_batch(worker); /* nothing of it was for us */
    }
}

/* Partitions that are not read yet: one bounded step for the first of them. */
static void prepare(struct worker *worker)
{
    for (size_t i = 0; i < worker->held_count && !worker->is_spent; i++) {
        struct held *held = &worker->held[i];
        if (held->state != HELD_WAITING && held->state != HELD_RESTORING) {
            continue;
        }
        const enum err err = worker->ops->prepare(worker->role, worker, held);
        beat(worker);
        if (err == ERR_REFUSED) {
            refuse(worker, err);
        } else if (err != OK && err != ERR_TIMEOUT) {
            log_warn("partition cannot be prepared, starting anew worker=%s error=%s",
                     worker->config.io.worker, err_name(err));
            worker->is_spent = true;
        }
        if (err != OK) {
            return;
        }
    }
}

static void tend(struct worker *worker)
{
    for (size_t i = 0; i < worker->held_count && !worker->is_spent; i++) {
        struct held *held = &worker->held[i];
        if (held->state != HELD_RUNNING && held->state != HELD_FULL) {
            continue;
        }
        const enum err err = worker->ops->tend(worker->role, worker, held);
        if (err == ERR_FULL) {
            rest_at_limit(worker);
        } else if (err != OK) {
            refuse(worker, err);
        }
    }
}

static void cycle(struct worker *worker)
{
    beat(worker);
    prepare(worker);
    if (worker->is_spent) {
        return;
    }
    poll_and_apply(worker);
    if (!worker->is_spent && is_due(worker)) {
        tend(worker);
        if (!worker->is_spent) {
            commit(worker);
        }
    } else if (!worker->is_spent && !is_touched(worker)) {
        tend(worker);
    }
}

static void drop_all(struct worker *worker)
{
    while (worker->held_count > 0) {
        drop_held(worker, &worker->held[worker->held_count - 1]);
    }
    outbox_clear(worker->outbox);
    worker->cycle_start_ms = 0;
}

static void close_io(struct worker *worker)
{
    if (worker->is_spent) {
        /* what is in doubt is not undone: it is forgotten, and restored */
        drop_all(worker);
    }
    release_batch(worker);
    CHECK(worker->batch_count == 0);
    worker->io->ops->close(worker->io);
    worker->io = NULL;
    drop_all(worker);
}

/* Many in a short time: two processes are using one id, and each fences the other. */
static bool is_flapping(struct worker *worker)
{
    const int64_t now_ms = mono_ms();
    if (!worker->is_fenced) {
        return false;
    }
    int64_t *oldest_ms = &worker->fenced_at_ms[worker->fenced_count % FENCED_MAX];
    worker->fenced_count++;
    const bool flaps = worker->fenced_count > FENCED_MAX && now_ms - *oldest_ms < FENCED_WINDOW_MS;
    *oldest_ms = now_ms;
    return flaps;
}

static void run_io(struct worker *worker, const atomic_bool *stop)
{
    worker->is_spent = false;
    worker->is_fenced = false;
    worker_set_activity(worker, WORKER_POLLING);
    while (!*stop && !worker->is_spent) {
        cycle(worker);
    }
    if (!worker->is_spent) {
        commit(worker);
    }
    close_io(worker);
}

enum err worker_run(struct worker *worker, const atomic_bool *stop)
{
    const struct io_handler handler = {
        .context = worker, .assigned = on_assigned, .revoked = on_revoked};
    int64_t reopen_pause_ms = REOPEN_PAUSE_FIRST_MS;
    while (!*stop && worker->refusal == OK) {
        worker_set_activity(worker, WORKER_OPENING);
        beat(worker);
        const enum err err = worker->config.open(&worker->config.io, handler, stop, &worker->io);
        if (err == ERR_TIMEOUT) {
            break; /* told to stop */
        }
        if (err != OK) {
            worker->refusal = err;
            break;
        }
        const int64_t opened_ms = mono_ms();
        run_io(worker, stop);
        if (*stop || worker->refusal != OK) {
            break;
        }
        count(&worker->status.reopens, 1);
        if (is_flapping(worker)) {
            log_error("fenced again and again: does another process use the same instance_id? Give "
                      "each its own worker=%s transactional.id=%s",
                      worker->config.io.worker, worker->config.io.transactional_id);
            worker->refusal = ERR_REFUSED;
            break;
        }
        reopen_pause_ms =
            mono_ms() - opened_ms > FENCED_WINDOW_MS ? REOPEN_PAUSE_FIRST_MS : reopen_pause_ms;
        log_info("starting anew worker=%s pause_ms=%lld", worker->config.io.worker,
                 (long long)reopen_pause_ms);
        pause_ms(worker, reopen_pause_ms);
        reopen_pause_ms =
            reopen_pause_ms * 3 < REOPEN_PAUSE_MAX_MS ? reopen_pause_ms * 3 : REOPEN_PAUSE_MAX_MS;
    }
    worker_set_activity(worker, WORKER_STOPPED);
    return worker->refusal;
}

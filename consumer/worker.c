/* consumer/worker.c - see worker.h.
 *
 * The rules that this file keeps (design 7):
 *   - a transaction carries the offsets of every partition that it touched, moved or not;
 *   - a revoked partition is out of the transaction before the callback returns;
 *   - memory is undone only when nothing of the transaction can have happened (IO_ABORTED); a
 * commit in doubt is never undone: everything is dropped and restored;
 *   - a message is applied only if it is the next of its partition (the gate): seeks may misbehave,
 *     this does not;
 *   - a transaction is bounded: what a poll brought beyond the bound waits in the batch, and what is
 *     aborted again is halved, down to one message;
 *   - what a topic refuses for good is halved at once, and the one message that is left is buried.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/worker.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "consumer/test_points.h"

enum {
    POLL_MS = 20,
    ABORTS_IN_A_ROW_MAX = 8,
    ABORT_PAUSE_MS = 50,
    PAUSE_SLICE_MS = 50,
    PREPARE_PAUSE_MS = 200, /* before a partition that was not ready is asked for again */
    PREPARE_REST_FACTOR = 5,
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
    const atomic_bool *stop;

    struct io *io;
    struct outbox *outbox;
    struct held held[WORKER_PARTITIONS_MAX];
    size_t held_count;

    /* what was polled and is not yet committed: the first `applied` are in this transaction */
    struct io_message batch[WORKER_BATCH_MAX];
    size_t batch_count;
    size_t applied;
    size_t applied_max;  /* messages a transaction takes; less after aborts in a row */
    int64_t bury_offset; /* of the message whose results are refused for good; -1: none */
    struct io_partition bury_partition;
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

/* Read for each record, to bound its time: some ms late costs a quarter. */
int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
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

static void set_activity(struct worker *worker, enum worker_activity activity)
{
    atomic_store_explicit(&worker->status.activity, (int)activity, memory_order_relaxed);
}

static void pause_ms(const struct worker *worker, int64_t ms)
{
    if (worker->config.pause != NULL) {
        worker->config.pause(ms);
        return;
    }
    const struct timespec slice = {0, PAUSE_SLICE_MS * 1000000L};
    for (; ms > 0 && !*worker->stop; ms -= PAUSE_SLICE_MS) {
        nanosleep(&slice, NULL);
    }
}

static void refuse(struct worker *worker, enum err err)
{
    worker->refusal = err;
    worker->is_spent = true;
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
        CHECK(find_held(worker, partitions[i]) == NULL);
        if (worker->held_count == WORKER_PARTITIONS_MAX) {
            log_error("more than %d partitions for one worker: run more workers worker=%s",
                      WORKER_PARTITIONS_MAX, worker->config.io.worker);
            refuse(worker, ERR_REFUSED);
            return;
        }
        worker->held[worker->held_count++] = (struct held){.partition = partitions[i]};
    }
}

/* --- apply ---------------------------------------------------------------------------------- */

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
    worker->applied = 0;
    worker->cycle_start_ms = 0;
}

/* The first n messages are done with. */
static void release_first(struct worker *worker, size_t n)
{
    worker->io->ops->release(worker->io, worker->batch, n);
    worker->batch_count -= n;
    memmove(worker->batch, worker->batch + n, worker->batch_count * sizeof(worker->batch[0]));
    worker->applied = 0;
}

/* The memory limit was met within a transaction: back to the last commit, and rest there. Nothing
 * is lost: the backlog stays in Kafka. */
static void rest_at_limit(struct worker *worker)
{
    undo(worker);
    release_first(worker, worker->batch_count);
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

static bool is_to_bury(const struct worker *worker, const struct io_message *message)
{
    return message->offset == worker->bury_offset &&
           message->topic == worker->bury_partition.topic &&
           message->partition == worker->bury_partition.partition;
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
    enum err err = OK;
    if (is_to_bury(worker, message)) {
        worker->ops->bury(worker->role, worker, held, message, worker->io->why);
    } else {
        err = worker->ops->apply(worker->role, worker, held, message);
    }
    if (err == OK) {
        TEST_POINT(MID_PROCESS, worker->config.io.worker);
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

static bool is_touched(const struct worker *worker)
{
    return worker->cycle_start_ms != 0;
}

/* Has the transaction as much as one may have? */
static bool is_full(const struct worker *worker)
{
    return is_touched(worker) &&
           (worker->applied >= worker->applied_max ||
            outbox_bytes(worker->outbox) + worker->ops->pending(worker->role) >=
                WORKER_TRANSACTION_BYTES_MAX);
}

static bool has_more(const struct worker *worker)
{
    return worker->applied < worker->batch_count;
}

/* What waits in the batch, as far as the transaction takes it. */
static void apply_what_waits(struct worker *worker)
{
    while (has_more(worker) && !is_full(worker)) {
        if (!apply(worker, &worker->batch[worker->applied])) {
            return;
        }
        worker->applied++;
    }
    if (!is_touched(worker)) {
        release_first(worker, worker->applied); /* nothing of it was for us */
    }
}

/* --- poll ----------------------------------------------------------------------------------- */

/* For what a poll may bring. */
static bool has_room(const struct worker *worker)
{
    return worker->batch_count + worker->ops->poll_max <= WORKER_BATCH_MAX;
}

static bool is_restoring(const struct worker *worker)
{
    for (size_t i = 0; i < worker->held_count; i++) {
        if (worker->held[i].state == HELD_RESTORING) {
            return true;
        }
    }
    return false;
}

static void poll_and_apply(struct worker *worker)
{
    struct io_message *messages = &worker->batch[worker->batch_count];
    const size_t poll_max = worker->ops->poll_max;
    const int64_t before_ms = mono_ms();
    CHECK(has_room(worker));
    const int n =
        worker->io->ops->poll(worker->io, messages, poll_max, is_restoring(worker) ? 0 : POLL_MS);
    if (n < 0) {
        worker->is_spent = true;
        return;
    }
    if (n > 0) {
        TEST_POINT(AFTER_POLL, worker->config.io.worker);
    }
    /* a callback within poll() may have settled or dropped the batch that was before: then the new
     * messages stand behind a gap */
    if (messages != &worker->batch[worker->batch_count]) {
        memmove(&worker->batch[worker->batch_count], messages, (size_t)n * sizeof(*messages));
    }
    worker->has_backlog = (size_t)n == poll_max || (n > 0 && mono_ms() - before_ms < POLL_MS / 4);
    worker->batch_count += (size_t)n;
    if (!worker->is_spent) { /* by a callback within poll() */
        apply_what_waits(worker);
    }
}

/* --- commit --------------------------------------------------------------------------------- */

static size_t collect_offsets(const struct worker *worker, struct io_offset *offsets)
{
    size_t n = 0;
    for (size_t i = 0; i < worker->held_count; i++) {
        const struct held *held = &worker->held[i];
        const bool is_forgotten = TEST_HAS_PLANTED(SKIP_OFFSET) && held->next == held->committed;
        if (held->touched && !is_forgotten) {
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
    count(&worker->status.messages, worker->applied);
    count(&worker->status.transactions, 1);
    release_first(worker, worker->applied);
    worker->cycle_start_ms = 0;
    worker->bury_offset = -1;
    if (worker->applied_max < WORKER_BATCH_MAX) {
        worker->applied_max *= 2;
    }
}

/* One attempt. After IO_ABORTED memory is as at the last commit, and the batch is still there. */
static enum io_result commit_once(struct worker *worker)
{
    static _Thread_local struct io_offset offsets[WORKER_PARTITIONS_MAX];
    set_activity(worker, WORKER_COMMITTING);
    worker->ops->finish(worker->role, worker);
    const size_t offset_count = collect_offsets(worker, offsets);
    beat(worker);
    const enum io_result result =
        worker->io->ops->commit(worker->io, outbox_records(worker->outbox),
                                outbox_count(worker->outbox), offsets, offset_count);
    beat(worker);
    set_activity(worker, WORKER_POLLING);
    switch (result) {
    case IO_OK:
        TEST_POINT(AFTER_COMMIT, worker->config.io.worker);
        settle(worker);
        break;
    case IO_ABORTED:
        count(&worker->status.aborts, 1);
        undo(worker);
        break;
    case IO_FATAL:
    case IO_DOUBT:
        worker->is_spent = true;
        break;
    }
    return result;
}

/* Half of what was tried, or of what might have been: it may be too much for the time that a
 * transaction has, or only one of them is refused. */
static void halve(struct worker *worker, size_t tried)
{
    const size_t most = tried < worker->applied_max ? tried : worker->applied_max;
    worker->applied_max = most > 1 ? most / 2 : 1;
}

/* What a topic refuses is of one message, the last of those tried (the gate took the others). False:
 * there is no less, and the worker ends. */
static bool bury(struct worker *worker, size_t tried)
{
    const struct io_message *message = tried == 0 ? NULL : &worker->batch[tried - 1];
    if (message == NULL || is_to_bury(worker, message) || worker->ops->bury == NULL) {
        log_error("a topic refuses what must be written; see what it must be with `suppressd "
                  "topics`, mend it and start again worker=%s reason=%s",
                  worker->config.io.worker, worker->io->why);
        refuse(worker, ERR_REFUSED);
        return false;
    }
    worker->bury_offset = message->offset;
    worker->bury_partition = (struct io_partition){message->topic, message->partition};
    return true;
}

static void end_in_vain(struct worker *worker)
{
    if (worker->io->cause == IO_CAUSE_FORBIDDEN) {
        log_error("not allowed: grant it and start again (README, \"What it needs to be allowed\") "
                  "worker=%s reason=%s",
                  worker->config.io.worker, worker->io->why);
        refuse(worker, ERR_REFUSED);
        return;
    }
    log_warn("transaction aborted again and again: starting anew worker=%s",
             worker->config.io.worker);
    worker->is_spent = true;
}

/* Until it is committed, or the io is spent. After an abort the group is heard, for the cause may
 * be that a partition is not ours any more. Told to stop, one try is enough: what is not committed
 * will be read again. */
static void commit(struct worker *worker)
{
    int aborts = 0;
    while (is_touched(worker) && !worker->is_spent) {
        const size_t tried = worker->applied;
        if (commit_once(worker) != IO_ABORTED || *worker->stop) {
            return;
        }
        if (worker->io->cause != IO_CAUSE_REFUSED) {
            aborts++;
            if (aborts > 1) {
                halve(worker, tried);
            }
        } else if (worker->applied_max > 1) {
            halve(worker, tried);
        } else if (!bury(worker, tried)) {
            return;
        }
        if (aborts == ABORTS_IN_A_ROW_MAX) {
            end_in_vain(worker);
            return;
        }
        pause_ms(worker, aborts > 1 ? (int64_t)ABORT_PAUSE_MS * (aborts - 1) : 0);
        if (has_room(worker)) {
            poll_and_apply(worker);
        } else {
            apply_what_waits(worker);
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
    worker->applied = 0; /* settled or undone, or nothing of it was touched */
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
    TEST_POINT(IN_REVOKE, worker->config.io.worker);
    for (size_t i = 0; i < n; i++) {
        struct held *held = find_held(worker, partitions[i]);
        if (held != NULL) {
            drop_held(worker, held);
        }
    }
    release_what_is_not_ours(worker);
    if (!worker->is_spent) {
        apply_what_waits(worker);
    }
}

/* --- the cycle ------------------------------------------------------------------------------ */

static bool is_due(const struct worker *worker)
{
    if (!is_touched(worker)) {
        return false;
    }
    if (is_full(worker) || has_more(worker) || !has_room(worker)) {
        return true;
    }
    const int64_t age_ms = mono_ms() - worker->cycle_start_ms;
    if (age_ms < worker->config.commit_interval_ms) {
        return false;
    }
    const bool may_go_on = worker->has_backlog || worker->ops->wants_more(worker->role);
    return !may_go_on || age_ms >= WORKER_CYCLE_MAX_MS;
}

/* Partitions that are not read yet: one bounded step for each that may be asked. One that is not
 * ready (it has no leader, its offset is not stable) keeps no other waiting. */
static void prepare(struct worker *worker)
{
    for (size_t i = 0; i < worker->held_count && !worker->is_spent; i++) {
        struct held *held = &worker->held[i];
        if ((held->state != HELD_WAITING && held->state != HELD_RESTORING) ||
            mono_ms() < held->not_before_mono_ms) {
            continue;
        }
        const int64_t before_ms = mono_ms();
        const enum err err = worker->ops->prepare(worker->role, worker, held);
        beat(worker);
        if (err == ERR_TIMEOUT && held->state == HELD_WAITING) {
            /* what took long (no leader) is asked for more seldom: others are read meanwhile */
            held->not_before_mono_ms =
                mono_ms() + PREPARE_PAUSE_MS + (mono_ms() - before_ms) * PREPARE_REST_FACTOR;
        } else if (err == ERR_REFUSED) {
            refuse(worker, err);
        } else if (err != OK && err != ERR_TIMEOUT) {
            log_warn("partition cannot be prepared, starting anew worker=%s error=%s",
                     worker->config.io.worker, err_name(err));
            worker->is_spent = true;
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

/* What the worker is about to do, if it waits for nothing else: the least happy of its partitions. */
static void show_activity(struct worker *worker)
{
    enum worker_activity activity = WORKER_POLLING;
    for (size_t i = 0; i < worker->held_count; i++) {
        const enum held_state state = worker->held[i].state;
        if (state == HELD_RESTORING) {
            activity = WORKER_RESTORING;
            break;
        }
        activity = state == HELD_WAITING ? WORKER_WAITING : activity;
        activity = state == HELD_FULL ? WORKER_PAUSED : activity;
    }
    set_activity(worker, activity);
}

static void cycle(struct worker *worker)
{
    beat(worker);
    show_activity(worker);
    prepare(worker);
    if (worker->is_spent) {
        return;
    }
    if (has_more(worker)) {
        apply_what_waits(worker);
    } else {
        poll_and_apply(worker);
    }
    const bool is_touched_and_due = !worker->is_spent && is_due(worker);
    if (is_touched_and_due || (!worker->is_spent && !is_touched(worker))) {
        tend(worker);
    }
    if (is_touched_and_due) {
        commit(worker);
    }
    if (worker->ops->between != NULL && !is_touched(worker)) {
        worker->ops->between(worker->role);
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
        /* What is in doubt is not undone but forgotten, and restored; the role forgets what it holds
         * of the transaction, or it would send it again. */
        worker->is_fenced = worker->io->is_fenced;
        undo(worker);
        drop_all(worker);
    }
    release_first(worker, worker->batch_count);
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

/* Two that fence each other must not do so in step: then each would find itself fenced at the same
 * time, again and again. */
static void rest_before_reopening(const struct worker *worker, int64_t ms)
{
    if (worker->is_fenced) {
        ms = ms / 2 + (int64_t)arc4random_uniform((uint32_t)ms);
    }
    log_info("starting anew worker=%s pause_ms=%lld", worker->config.io.worker, (long long)ms);
    pause_ms(worker, ms);
}

static void run_io(struct worker *worker, const atomic_bool *stop)
{
    worker->is_spent = false;
    worker->is_fenced = false;
    beat(worker);
    set_activity(worker, WORKER_POLLING);
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
    worker->stop = stop;
    worker->applied_max = WORKER_BATCH_MAX;
    worker->bury_offset = -1;
    while (!*stop && worker->refusal == OK) {
        set_activity(worker, WORKER_OPENING);
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
        if (is_flapping(worker) && worker->config.ends_when_fenced) {
            log_error("fenced again and again: does another process use the same instance_id? Give "
                      "each its own worker=%s transactional.id=%s",
                      worker->config.io.worker, worker->config.io.transactional_id);
            worker->refusal = ERR_REFUSED;
            break;
        }
        reopen_pause_ms =
            mono_ms() - opened_ms > FENCED_WINDOW_MS ? REOPEN_PAUSE_FIRST_MS : reopen_pause_ms;
        rest_before_reopening(worker, reopen_pause_ms);
        reopen_pause_ms =
            reopen_pause_ms * 3 < REOPEN_PAUSE_MAX_MS ? reopen_pause_ms * 3 : REOPEN_PAUSE_MAX_MS;
    }
    set_activity(worker, WORKER_STOPPED);
    return worker->refusal;
}

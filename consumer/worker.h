/* consumer/worker.h - the cycle that both roles share: poll, apply, commit; and what follows when
 * that fails.
 *
 *     open -> poll -> apply each message -> (100 ms later) finish -> commit -> committed -> poll ..
 *                                                              |
 *                    aborted: undo, poll, apply the batch again, commit
 *                    in doubt, fatal: close, drop everything, open anew
 *
 * A worker is one thread with one io (a consumer and a transactional producer) and one transaction
 * at a time. The batch is retained until its transaction is committed. What the messages mean is
 * the role's: intake_worker.c, shard_worker.c.
 *
 * Thread:  worker_run() is the thread's life. stop and the public atomics are the only things
 *          that others touch.
 * Time:    monotonic, for intervals only; event time never comes from here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "consumer/kafka/io.h"
#include "consumer/outbox.h"

enum {
    WORKER_PARTITIONS_MAX = 4096,
    /* messages in a transaction: with a backlog 0.4 s of them, so that the commit, in which nothing is read, is a small
     * part of a cycle (suppressd-bench pipeline: with and without transactions) */
    WORKER_BATCH_MAX = 262144,
    /* bytes in a transaction, about; what one message adds may come on top */
    WORKER_TRANSACTION_BYTES_MAX = 8 * 1024 * 1024,
    WORKER_CYCLE_MAX_MS = 1000,
};

enum held_state {
    HELD_WAITING,   /* for a stable committed offset */
    HELD_RESTORING, /* the role reads what it needs */
    HELD_RUNNING,
    HELD_FULL, /* the memory limit: the backlog stays in Kafka */
};

/* A partition that is ours. */
struct held {
    struct io_partition partition;
    enum held_state state;
    int64_t committed;          /* everything before it is committed */
    int64_t next;               /* everything before it is applied */
    bool touched;               /* in this transaction */
    int64_t not_before_mono_ms; /* the next step of preparing it */
    void *own;                  /* the role's */
};

struct worker;

/* What a role does. Called on the worker's thread only. */
struct role_ops {
    size_t poll_max; /* messages a poll may bring: what waits in memory is bounded by it */
    /* A bounded step (some 100 ms) towards reading the partition; sets `committed`, `next` and
     * calls worker_start_held() when done. ERR_TIMEOUT: not yet; in state HELD_WAITING it is asked
     * again a little later. ERR_REFUSED: going on would lose something; the process stops. */
    enum err (*prepare)(void *role, struct worker *worker, struct held *held);
    /* ERR_FULL: the transaction is undone and the partitions rest. ERR_REFUSED as above. */
    enum err (*apply)(void *role,
                      struct worker *worker,
                      struct held *held,
                      const struct io_message *message);
    /* In place of apply() for a message whose results a topic refuses for good: adds the message to
     * the dead letters, and nothing else. NULL: no message's results can be refused as long as the
     * topics are what they must be, so the process stops. */
    void (*bury)(void *role,
                 struct worker *worker,
                 struct held *held,
                 const struct io_message *message,
                 const char *why);
    /* Bounded work of its own between messages, once a cycle; worker_touch() if it changed
     * something. */
    enum err (*tend)(void *role, struct worker *worker, struct held *held);
    /* The bytes that finish() will add, about. */
    size_t (*pending)(void *role);
    /* The transaction's last records, before commit. */
    void (*finish)(void *role, struct worker *worker);
    /* Should a cycle that could end go on to collect more, up to WORKER_CYCLE_MAX_MS? */
    bool (*wants_more)(void *role);
    void (*committed)(void *role, struct worker *worker);
    void (*undo)(void *role, struct worker *worker);
    /* Between two transactions, about once a cycle, also with no partition. NULL: nothing to do. */
    void (*between)(void *role);
    /* The partition is no longer ours: forget it. Its changes were committed or undone. */
    void (*drop)(void *role, struct held *held);
};

struct worker_config {
    struct io_config io;
    int commit_interval_ms;
    /* Fenced again and again it ends the process. One worker of a process alone may: two processes
     * with the same ids fence each other's in turns, and if each worker judged for itself both
     * processes could end at the same moment. */
    bool ends_when_fenced;
    /* opens the io: io_kafka_open, or a simulator's */
    enum err (*open)(const struct io_config *config,
                     struct io_handler handler,
                     const atomic_bool *stop,
                     struct io **out);
    /* between tries; NULL: sleeps */
    void (*pause)(int64_t ms);
};

/* What others may read of a worker at any time; relaxed: each is a fact of its own. */
struct worker_status {
    _Atomic int64_t beat_mono_ms;  /* the watchdog's: it was alive then */
    _Atomic int activity;          /* enum worker_activity */
    _Atomic uint64_t messages;     /* committed */
    _Atomic uint64_t transactions; /* committed */
    _Atomic uint64_t aborts;
    _Atomic uint64_t reopens;
};

enum worker_activity {
    WORKER_OPENING,
    WORKER_WAITING, /* for a stable offset */
    WORKER_RESTORING,
    WORKER_POLLING,
    WORKER_COMMITTING,
    WORKER_PAUSED, /* the memory limit */
    WORKER_STOPPED,
};

const char *worker_activity_name(enum worker_activity activity);

/* Everything is borrowed until the worker ends. */
struct worker *worker_create(const struct worker_config *config,
                             const struct role_ops *ops,
                             void *role);
void worker_destroy(struct worker **worker);

/* Runs until *stop; OK then. ERR_REFUSED: explained in the log, the process must end. */
MUST_USE enum err worker_run(struct worker *worker, const atomic_bool *stop);
struct worker_status *worker_status(struct worker *worker);

/* --- for roles ------------------------------------------------------------------------------ */

struct io *worker_io(struct worker *worker);
struct outbox *worker_outbox(struct worker *worker);
size_t worker_held_count(const struct worker *worker);
struct held *worker_held(struct worker *worker, size_t i);
/* Reads from held->next on. */
MUST_USE enum err worker_start_held(struct worker *worker, struct held *held);
/* The transaction has something of this partition in it. */
void worker_touch(struct worker *worker, struct held *held);

int64_t mono_ms(void);
int64_t wall_ms(void);

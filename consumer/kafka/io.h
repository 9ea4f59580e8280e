/* consumer/kafka/io.h - one worker's view of Kafka: read logs, write logs, one transaction at a
 * time.
 *
 * Everything that a worker does with Kafka goes through this table of calls, so that a simulator
 * with seeded faults can take its place. No type of the client library stands here. The protocol
 * is section 7 of DESIGN.md; what each call promises is said here.
 *
 * Thread:  an io belongs to one worker thread; `assigned` and `revoked` are called from within
 *          poll() (and close()) on that thread.
 * Memory:  messages are borrowed until release(); records given to commit() for the call.
 * Time:    every call is bounded by the timeout that it is given, or says so; what may hang in
 *          spite of it (a known fault of the client: send_offsets) is what the process's watchdog
 *          is for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    IO_TOPICS_MAX = 64,
    IO_HEADERS_MAX = 16,
    IO_KEY_ANY = -1, /* partition of a record: murmur2 of its key, as Java clients do */
};

/* A topic is named by its index in io_config.inputs (what the group reads) or io_config.outputs
 * (what is written, and what a log reader reads). */
struct io_partition {
    uint16_t topic;
    int32_t partition;
};

struct io_header {
    const char *name;
    struct span value;
};

struct io_message {
    uint16_t topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* of the record; -1: it has none */
    bool is_tombstone;    /* value is null */
    struct span key;      /* data NULL: no key */
    struct span value;
    void *handle; /* the io's own */
};

struct io_record {
    uint16_t topic;
    int32_t partition; /* or IO_KEY_ANY */
    bool is_tombstone;
    struct span key; /* data NULL: no key */
    struct span value;
    const struct io_header *headers;
    size_t header_count;
};

struct io_offset {
    struct io_partition partition; /* of an input */
    int64_t next;                  /* last processed + 1 */
};

enum io_result {
    IO_OK,      /* committed */
    IO_ABORTED, /* nothing of it happened: undo memory, run the retained batch again, commit again;
                   io.cause says whether that helps */
    IO_DOUBT, /* it may or may not have happened: close this io, drop everything, open anew, restore
               */
    IO_FATAL, /* nothing of it happened, and this io is spent (fenced, epoch, ...): close, open
                 anew, restore */
};

/* Both are called with the partitions that changed; both must return within seconds, the group
 * waits. assigned: the partitions are ours now and paused; start() each once it may be read.
 * revoked:  commit what concerns them (unless lost: then undo), forget them. */
struct io_handler {
    void *context;
    void (*assigned)(void *context, const struct io_partition *partitions, size_t count);
    void (*revoked)(void *context, const struct io_partition *partitions, size_t count, bool lost);
};

struct io;

struct io_ops {
    /* Waits at most timeout_ms for the first message. The number of messages, at most max; -1: this
     * io is spent (its consumer was fenced or failed for good, or what was to be read next is
     * deleted; logged): close it and open anew. */
    int (*poll)(struct io *io, struct io_message *messages, size_t max, int timeout_ms);
    void (*release)(struct io *io, struct io_message *messages, size_t count);
    /* The last header of this name, SPAN_NONE if there is none; borrowed like the message. */
    struct span (*header)(struct io *io, const struct io_message *message, const char *name);

    /* Begin to read an assigned, paused partition at this offset. Messages below it never come. */
    enum err (*start)(struct io *io, struct io_partition partition, int64_t offset);
    /* No further messages of it come from poll() until start(). */
    enum err (*pause)(struct io *io, struct io_partition partition);

    /* The group's committed offset, -1: there is none. Only a stable one: ERR_TIMEOUT while a
     * transaction that would change it is pending (ask again). Here and in the ranges ERR_IO:
     * refused, asking again will not help; logged. */
    enum err (*committed)(struct io *io,
                          struct io_partition partition,
                          int64_t *next,
                          int timeout_ms);
    /* First offset that still exists, and the high watermark (never the last stable offset) of an
     * output's or an input's partition. */
    enum err (*input_range)(
        struct io *io, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms);
    enum err (*output_range)(
        struct io *io, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms);

    /* A log reader over one output partition, committed data only; one at a time: opening ends the
     * former. read gives 0 messages at times; *position is the offset before which everything was
     * handed out or is not committed data (control records, aborted data: it passes them).
     * ERR_NOT_FOUND: nothing is there any more (deleted), or not yet (`from` is behind the end). */
    enum err (*log_open)(struct io *io, struct io_partition partition, int64_t from);
    enum err (*log_read)(struct io *io,
                         struct io_message *messages,
                         size_t max,
                         int timeout_ms,
                         size_t *count,
                         int64_t *position);
    void (*log_close)(struct io *io);

    /* THE one entry point of writing: begin, produce all, flush, send the offsets with fresh group
     * metadata, commit. In this order, whatever happens. offset_count >= 1. Offsets of partitions
     * that are not ours now are our bug. */
    enum io_result (*commit)(struct io *io,
                             const struct io_record *records,
                             size_t record_count,
                             const struct io_offset *offsets,
                             size_t offset_count);

    /* Asks the broker to delete what lies below `before` in an input partition (DeleteRecords). Not
     * waited for. */
    void (*purge)(struct io *io, struct io_partition partition, int64_t before);

    /* Calls revoked() for what is still assigned (the handler commits), frees everything. Every
     * message must be released when revoked() returns. Bounded by 7 s beyond what revoked() takes;
     * what hangs longer is left behind and said. */
    void (*close)(struct io *io);
};

/* Why a commit did not happen: what the next one may hope for. */
enum io_cause {
    IO_CAUSE_PASSING,   /* it may pass */
    IO_CAUSE_REFUSED,   /* a topic will never take one of the records: its size, its policy */
    IO_CAUSE_FORBIDDEN, /* we may not write there; until somebody grants it */
};

enum { IO_WHY_SIZE = 192 };

struct io {
    const struct io_ops *ops;
    bool is_fenced; /* it is spent because another took its ids: two processes share one, perhaps */
    /* of the last IO_ABORTED */
    enum io_cause cause;
    char why[IO_WHY_SIZE]; /* for people; names the topic where one refused */
};

struct io_property {
    const char *name;
    const char *value;
};

struct io_config {
    const char *worker; /* "intake-0", "shard-1": for log lines */
    const char *group_id;
    const char *group_instance_id;
    const char *transactional_id;
    const char *const *inputs;
    size_t input_count;
    const char *const *outputs;
    size_t output_count;
    const struct io_property
        *properties; /* the user's, verbatim, over our defaults; those we own are refused earlier */
    size_t property_count;
    int transaction_timeout_ms; /* 0: the default, 10 s */
    int session_timeout_ms;     /* 0: the default, 30 s */
};

/* A real broker, by librdkafka. Blocks until the previous transaction under this transactional id
 * is settled (retries while the broker cannot be reached, until *stop is set: then ERR_TIMEOUT).
 * Subscribes; assignments come in poll(). */
MUST_USE enum err io_kafka_open(const struct io_config *config,
                                struct io_handler handler,
                                const atomic_bool *stop,
                                struct io **out);

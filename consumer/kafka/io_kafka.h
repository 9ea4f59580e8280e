/* consumer/kafka/io_kafka.h - the inside of the io of a real broker, shared by its five files.
 *
 *     io_kafka.c    open and close
 *     consumer.c    the consumer: assignment, the gate, poll
 *     txn.c         the producer: the one sequence of a transaction
 *     log_reader.c  reading an output partition
 *     offsets.c     committed offsets, ranges, purge
 *
 * Four handles of the client, because isolation, group and transaction are properties of a handle:
 * consumer (group, read_committed), producer (transactional), reader (read_committed, assigned by
 * hand), ends (read_uncommitted: only it is told high watermarks; a running fetch would delay its
 * queries, so it fetches nothing).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "consumer/kafka/io.h"

enum {
    TRANSACTION_TIMEOUT_DEFAULT_MS = 10000,
    SESSION_TIMEOUT_DEFAULT_MS = 30000,
    MAX_POLL_INTERVAL_MS = 120000,
    WARM_TIMEOUT_MS = 2000,
    COMPLAINT_INTERVAL_MS = 10000,
};

/* Places whose log lines could repeat for ever: one line per place and COMPLAINT_INTERVAL_MS. */
enum complaint {
    COMPLAINT_START,
    COMPLAINT_TRANSACTION,
    COMPLAINT_COMMIT,
    COMPLAINT_CONSUMER,
    COMPLAINT_CLIENT,
    COMPLAINT_LOG,
    COMPLAINT_OFFSETS,
    COMPLAINT_PURGE,
    COMPLAINT_COUNT
};

enum slot_state {
    SLOT_FOREIGN,  /* not ours */
    SLOT_PAUSED,   /* ours, nothing of it is handed out */
    SLOT_STARTING, /* to be started at the next poll() */
    SLOT_STARTED,
};

/* One input partition. */
struct slot {
    enum slot_state state;
    int64_t next;              /* messages below it are not handed out */
    int64_t starting_since_ms; /* SLOT_STARTING */
};

struct io_kafka {
    struct io io; /* first: the caller's view */
    struct io_handler handler;
    char *worker;
    char *group_id;
    char *servers;
    int transaction_timeout_ms;
    long long complained_ms[COMPLAINT_COUNT];

    /* consumer */
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;                 /* of the consumer: its messages and events */
    rd_kafka_topic_t *inputs[IO_TOPICS_MAX]; /* held, so that a pointer names a topic for good */
    size_t input_count;
    struct slot *slots[IO_TOPICS_MAX]; /* by partition */
    int32_t slot_count[IO_TOPICS_MAX];
    size_t starting_count;
    unsigned rebalances;
    size_t unreleased;
    bool is_spent;
    bool is_closing;
    bool was_assigned; /* once, whatever it got */

    /* producer */
    rd_kafka_conf_t *producer_conf; /* each new producer is made of a copy */
    rd_kafka_t *producer;
    char *output_names[IO_TOPICS_MAX];
    rd_kafka_topic_t *outputs[IO_TOPICS_MAX]; /* the producer's */
    size_t output_count;
    bool producer_is_stale;          /* make it anew before the next transaction */
    bool lost_connection;            /* a connection of the producer broke since begin */
    rd_kafka_resp_err_t undelivered; /* first failed delivery since begin */
    const char *undelivered_topic;

    /* log reader */
    rd_kafka_t *reader;
    bool log_is_open;
    bool log_has_begun; /* a message or the end has come since it was opened */
    struct io_partition log;
    int64_t log_position;

    /* ends, and purge */
    rd_kafka_t *ends;
    rd_kafka_queue_t *purge_results;
};

static inline struct io_kafka *io_kafka_of(struct io *io)
{
    return (struct io_kafka *)(void *)io; /* io is its first member */
}

/* Is it assigned to this worker now? */
bool io_kafka_owns(const struct io_kafka *k, struct io_partition partition);

/* Asks for the metadata of a topic once, so that the first use does not wait for it: without this
 * the first flush and the first restore take up to 1 s (librdkafka #5032; seen). Failure is no
 * error: the client asks again by itself. */
void io_kafka_warm(rd_kafka_t *rk, rd_kafka_topic_t *topic);

/* Fills *out from a message of the client; takes the message until io_kafka_release(). */
void io_kafka_fill(struct io_kafka *k,
                   uint16_t topic,
                   rd_kafka_message_t *message,
                   struct io_message *out);
void io_kafka_release(struct io *io, struct io_message *messages, size_t count);

/* --- consumer.c */

void consumer_on_rebalance(rd_kafka_t *rk,
                           rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t *list,
                           void *opaque);
int consumer_poll(struct io *io, struct io_message *messages, size_t max, int timeout_ms);
enum err consumer_start(struct io *io, struct io_partition partition, int64_t offset);
enum err consumer_pause(struct io *io, struct io_partition partition);

/* Takes back what is assigned (revoked() is called, and takes as long as it takes), then closes
 * until the deadline. */
void consumer_close(struct io_kafka *k, int64_t deadline_mono_ms);

/* --- txn.c */

/* Makes a producer and settles what the former one under this transactional id left open. Retries
 * while the broker cannot be reached, until *stop or the deadline: ERR_TIMEOUT. ERR_REFUSED: the
 * broker says no (authorization, limits), logged. ERR_IO: this one is spent, try another. */
MUST_USE enum err txn_open(struct io_kafka *k, const atomic_bool *stop, int64_t deadline_mono_ms);

enum io_result txn_commit(struct io *io,
                          const struct io_record *records,
                          size_t record_count,
                          const struct io_offset *offsets,
                          size_t offset_count);

/* Lets go of the producer's topics: before its handle is closed. */
void txn_release_topics(struct io_kafka *k);

/* --- log_reader.c */

enum err log_reader_open(struct io *io, struct io_partition partition, int64_t from);
enum err log_reader_read(struct io *io,
                         struct io_message *messages,
                         size_t max,
                         int timeout_ms,
                         size_t *count,
                         int64_t *position);
void log_reader_close(struct io *io);

/* --- offsets.c */

enum err offsets_committed(struct io *io,
                           struct io_partition partition,
                           int64_t *next,
                           int timeout_ms);
enum err offsets_input_range(
    struct io *io, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms);
enum err offsets_output_range(
    struct io *io, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms);
void offsets_purge(struct io *io, struct io_partition partition, int64_t before);

/* Reads the results of purges that have come meanwhile; never waits. */
void offsets_drain_purges(struct io_kafka *k);

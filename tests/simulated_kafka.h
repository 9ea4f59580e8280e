/* tests/simulated_kafka.h - a broker in memory, and an io for workers on it, with seeded faults.
 *
 * The smallest that can tell: logs, committed offsets, transactions that happen wholly or not at all, and an io whose every
 * call may fail in the ways that io.h names. `the_broker` is the one that sim_open() opens an io on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "consumer/intake_worker.h"
#include "consumer/kafka/io.h"
#include "consumer/shard_worker.h"

#include "tests/check.h"

#define START_MS INT64_C(1728000000000)

enum {
    PARTITIONS = 3,
    LOG_MAX = 100000,
    INTAKE_SHARDS = 2,
};

/* --- the broker ---------------------------------------------------------------------------------
 */

struct entry {
    char *key;
    size_t key_size;
    char *value; /* NULL: a tombstone */
    size_t value_size;
};

struct sim_log {
    struct entry *entries;
    size_t count;
};

struct broker {
    struct chance chance;
    unsigned faults_in_100; /* how often a call misbehaves */
    size_t records_max;     /* a larger transaction is always aborted; 0: none is */
    size_t size_max;        /* a transaction with a larger record is refused for good; 0: none is */
    bool takes_letters;     /* dead letters of any size */
    bool is_forbidding;     /* every transaction */
    struct sim_log events[PARTITIONS];
    struct sim_log changelog[PARTITIONS];
    struct sim_log suppressions;
    struct sim_log decisions;
    bool is_of_intake; /* its outputs are the intake's */
    struct sim_log blocks[INTAKE_SHARDS];
    struct sim_log dead_letters;
    int64_t committed[PARTITIONS];
    atomic_bool stop;
    unsigned polls;
    unsigned aborted;
    unsigned doubts;
    unsigned fatals;
    unsigned revocations;
};

/* One life of a worker's io. */
struct sim_io {
    struct io io;
    struct io_handler handler;
    struct broker *broker;
    bool is_held[PARTITIONS];
    bool is_started[PARTITIONS];
    int64_t position[PARTITIONS];
    struct io_partition log;
    int64_t log_position;
};

static struct broker *the_broker;

static struct sim_log log_new(void)
{
    return (struct sim_log){.entries = calloc(LOG_MAX, sizeof(struct entry))};
}

static void log_free(struct sim_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->entries[i].key);
        free(log->entries[i].value);
    }
    free(log->entries);
}

static char *copy(struct span bytes)
{
    char *memory = malloc(bytes.size + 1);
    if (bytes.size > 0) {
        memcpy(memory, bytes.data, bytes.size);
    }
    return memory;
}

static void log_append(struct sim_log *log, struct span key, struct span value, bool is_tombstone)
{
    assert_true(log->count < LOG_MAX);
    log->entries[log->count++] = (struct entry){
        .key = copy(key),
        .key_size = key.size,
        .value = is_tombstone ? NULL : copy(value),
        .value_size = value.size,
    };
}

static bool misbehaves(struct broker *broker)
{
    return chance_below(&broker->chance, 100) < broker->faults_in_100;
}

static void message_of(const struct sim_log *log,
                       struct io_partition partition,
                       int64_t offset,
                       struct io_message *out)
{
    const struct entry *entry = &log->entries[offset];
    *out = (struct io_message){
        .topic = partition.topic,
        .partition = partition.partition,
        .offset = offset,
        .timestamp_ms = START_MS,
        .is_tombstone = entry->value == NULL,
        .key = {entry->key, entry->key_size},
        .value = {entry->value, entry->value_size},
    };
}

/* --- the io ----------------------------------------------------------------------------------- */

static void change_assignment(struct sim_io *io)
{
    struct broker *broker = io->broker;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct io_partition partition = {0, p};
        if (!io->is_held[p]) {
            io->is_held[p] = true;
            io->handler.assigned(io->handler.context, &partition, 1);
        } else if (misbehaves(broker) && chance_below(&broker->chance, 8) == 0) {
            broker->revocations++;
            io->handler.revoked(io->handler.context, &partition, 1,
                                chance_below(&broker->chance, 2) == 0);
            io->is_held[p] = false;
            io->is_started[p] = false;
        }
    }
}

static void look_for_end(struct broker *broker)
{
    bool at_end = true;
    for (int p = 0; p < PARTITIONS; p++) {
        at_end = at_end && broker->committed[p] == (int64_t)broker->events[p].count;
    }
    if (at_end) {
        atomic_store(&broker->stop, true);
    }
}

static int sim_poll(struct io *base, struct io_message *messages, size_t max, int timeout_ms)
{
    struct sim_io *io = (struct sim_io *)base;
    struct broker *broker = io->broker;
    int count = 0;
    (void)timeout_ms;
    broker->polls++;
    assert_true(broker->polls < 1000000);
    /* more would be two processes with one id, and the worker would rightly refuse to go on */
    if (misbehaves(broker) && chance_below(&broker->chance, 20) == 0 && broker->fatals < 4) {
        broker->fatals++;
        return -1;
    }
    change_assignment(io);
    look_for_end(broker);
    if (chance_below(&broker->chance, 2) == 0) {
        return 0; /* no backlog: the cycle ends */
    }
    for (int32_t p = 0; p < PARTITIONS; p++) {
        uint64_t some = chance_below(&broker->chance, 4);
        while (some-- > 0 && (size_t)count < max && io->is_started[p] &&
               io->position[p] < (int64_t)broker->events[p].count) {
            message_of(&broker->events[p], (struct io_partition){0, p}, io->position[p]++,
                       &messages[count++]);
        }
    }
    return count;
}

static void sim_release(struct io *base, struct io_message *messages, size_t count)
{
    (void)base;
    (void)messages;
    (void)count;
}

static struct span sim_header(struct io *base, const struct io_message *message, const char *name)
{
    (void)base;
    (void)message;
    (void)name;
    return SPAN_NONE;
}

static enum err sim_start(struct io *base, struct io_partition partition, int64_t offset)
{
    struct sim_io *io = (struct sim_io *)base;
    assert_true(io->is_held[partition.partition]);
    io->is_started[partition.partition] = true;
    io->position[partition.partition] = offset;
    return OK;
}

static enum err sim_pause(struct io *base, struct io_partition partition)
{
    ((struct sim_io *)base)->is_started[partition.partition] = false;
    return OK;
}

static enum err sim_committed(struct io *base,
                              struct io_partition partition,
                              int64_t *next,
                              int timeout_ms)
{
    struct sim_io *io = (struct sim_io *)base;
    (void)timeout_ms;
    if (misbehaves(io->broker)) {
        return ERR_TIMEOUT;
    }
    *next = io->broker->committed[partition.partition] == 0
                ? -1
                : io->broker->committed[partition.partition];
    return OK;
}

static enum err sim_input_range(
    struct io *base, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms)
{
    struct sim_io *io = (struct sim_io *)base;
    (void)timeout_ms;
    *begin = 0;
    *end = (int64_t)io->broker->events[partition.partition].count;
    return OK;
}

static enum err sim_output_range(
    struct io *base, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms)
{
    struct sim_io *io = (struct sim_io *)base;
    (void)timeout_ms;
    assert_int_equal(partition.topic, SHARD_CHANGELOG);
    *begin = 0;
    *end = (int64_t)io->broker->changelog[partition.partition].count;
    return OK;
}

static enum err sim_log_open(struct io *base, struct io_partition partition, int64_t from)
{
    struct sim_io *io = (struct sim_io *)base;
    io->log = partition;
    io->log_position = from;
    return OK;
}

static enum err sim_log_read(struct io *base,
                             struct io_message *messages,
                             size_t max,
                             int timeout_ms,
                             size_t *count,
                             int64_t *position)
{
    struct sim_io *io = (struct sim_io *)base;
    const struct sim_log *log = &io->broker->changelog[io->log.partition];
    (void)timeout_ms;
    *count = 0;
    while (*count < max && io->log_position < (int64_t)log->count &&
           chance_below(&io->broker->chance, 50) != 0) {
        message_of(log, io->log, io->log_position++, &messages[(*count)++]);
    }
    *position = io->log_position;
    return OK;
}

static void sim_log_close(struct io *base)
{
    (void)base;
}

static struct sim_log *output_of(struct broker *broker, const struct io_record *record)
{
    if (broker->is_of_intake) {
        if (record->topic == INTAKE_DEAD_LETTERS) {
            return &broker->dead_letters;
        }
        assert_int_equal(record->topic, INTAKE_EVENTS);
        return &broker->blocks[record->partition];
    }
    switch (record->topic) {
    case SHARD_CHANGELOG:
        return &broker->changelog[record->partition];
    case SHARD_SUPPRESSIONS:
        return &broker->suppressions;
    case SHARD_DECISIONS:
        return &broker->decisions;
    default:
        fail_msg("nothing of this test is a dead letter");
        return NULL;
    }
}

static enum io_result abort_because(struct sim_io *io, enum io_cause cause)
{
    io->broker->aborted++;
    io->io.cause = cause;
    snprintf(io->io.why, sizeof(io->io.why), "cause %d", (int)cause);
    return IO_ABORTED;
}

static bool is_refused(const struct broker *broker, const struct io_record *records, size_t count)
{
    for (size_t i = 0; i < count && broker->size_max != 0; i++) {
        const bool is_letter = broker->is_of_intake && records[i].topic == INTAKE_DEAD_LETTERS;
        if (records[i].value.size > broker->size_max && !(is_letter && broker->takes_letters)) {
            return true;
        }
    }
    return false;
}

static void happen(struct broker *broker,
                   const struct io_record *records,
                   size_t record_count,
                   const struct io_offset *offsets,
                   size_t offset_count)
{
    for (size_t i = 0; i < record_count; i++) {
        log_append(output_of(broker, &records[i]), records[i].key, records[i].value,
                   records[i].is_tombstone);
    }
    for (size_t i = 0; i < offset_count; i++) {
        int64_t *committed = &broker->committed[offsets[i].partition.partition];
        assert_true(offsets[i].next >= *committed);
        *committed = offsets[i].next;
    }
}

static enum io_result sim_commit(struct io *base,
                                 const struct io_record *records,
                                 size_t record_count,
                                 const struct io_offset *offsets,
                                 size_t offset_count)
{
    struct sim_io *io = (struct sim_io *)base;
    struct broker *broker = io->broker;
    assert_true(offset_count > 0);
    for (size_t i = 0; i < offset_count; i++) {
        assert_true(io->is_held[offsets[i].partition.partition]);
    }
    if (broker->records_max != 0 && record_count > broker->records_max) {
        return abort_because(io, IO_CAUSE_PASSING);
    }
    if (is_refused(broker, records, record_count)) {
        return abort_because(io, IO_CAUSE_REFUSED);
    }
    if (broker->is_forbidding) {
        return abort_because(io, IO_CAUSE_FORBIDDEN);
    }
    if (!misbehaves(broker)) {
        happen(broker, records, record_count, offsets, offset_count);
        return IO_OK;
    }
    switch (chance_below(&broker->chance, 3)) {
    case 0:
        broker->doubts++;
        happen(broker, records, record_count, offsets, offset_count);
        return IO_DOUBT;
    case 1:
        broker->doubts++;
        return IO_DOUBT;
    default:
        return abort_because(io, IO_CAUSE_PASSING);
    }
}

static void sim_purge(struct io *base, struct io_partition partition, int64_t before)
{
    const struct sim_io *io = (struct sim_io *)base;
    assert_true(before <= io->broker->committed[partition.partition]);
}

static void sim_close(struct io *base)
{
    struct sim_io *io = (struct sim_io *)base;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct io_partition partition = {0, p};
        if (io->is_held[p]) {
            io->handler.revoked(io->handler.context, &partition, 1, false);
        }
    }
    free(io);
}

static const struct io_ops SIM_OPS = {
    .poll = sim_poll,
    .release = sim_release,
    .header = sim_header,
    .start = sim_start,
    .pause = sim_pause,
    .committed = sim_committed,
    .input_range = sim_input_range,
    .output_range = sim_output_range,
    .log_open = sim_log_open,
    .log_read = sim_log_read,
    .log_close = sim_log_close,
    .commit = sim_commit,
    .purge = sim_purge,
    .close = sim_close,
};

static enum err sim_open(const struct io_config *config,
                         struct io_handler handler,
                         const atomic_bool *stop,
                         struct io **out)
{
    struct sim_io *io = calloc(1, sizeof(*io));
    (void)config;
    (void)stop;
    io->io.ops = &SIM_OPS;
    io->handler = handler;
    io->broker = the_broker;
    *out = &io->io;
    return OK;
}

static void no_pause(int64_t ms)
{
    (void)ms;
}

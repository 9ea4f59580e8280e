/* tests/io_member.h - one member of a group for the tests of the io: starts what it is assigned at
 * the committed offset (else at 0) and keeps what it was told.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "consumer/kafka/io.h"

enum { MEMBER_PARTITIONS = 8, MEMBER_BATCH = 1000, MEMBER_PROPERTIES = 8 };

struct member {
    struct io *io;
    bool owns[MEMBER_PARTITIONS];
    bool is_started[MEMBER_PARTITIONS];
    int64_t next[MEMBER_PARTITIONS]; /* processed so far + 1; -1: nothing */
    bool holds_back;                 /* do not start what is assigned */
    bool commits_when_revoked;       /* what `next` says, with one record to output 0 */
    enum io_result revoke_result;
    unsigned assigned_count;
    unsigned revoked_count;
    unsigned lost_count;
};

static const atomic_bool MEMBER_NEVER_STOP = false;

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline size_t member_offsets(const struct member *m, struct io_offset *offsets)
{
    size_t count = 0;
    for (int32_t p = 0; p < MEMBER_PARTITIONS; p++) {
        if (m->owns[p] && m->next[p] >= 0) {
            offsets[count++] = (struct io_offset){{0, p}, m->next[p]};
        }
    }
    return count;
}

static inline void member_assigned(void *context,
                                   const struct io_partition *partitions,
                                   size_t count)
{
    struct member *m = context;
    for (size_t i = 0; i < count; i++) {
        const int32_t p = partitions[i].partition;
        CHECK(p < MEMBER_PARTITIONS && !m->owns[p]);
        m->owns[p] = true;
        m->is_started[p] = false;
        m->next[p] = -1;
        m->assigned_count++;
    }
}

static inline void member_revoked(void *context,
                                  const struct io_partition *partitions,
                                  size_t count,
                                  bool lost)
{
    struct member *m = context;
    if (m->commits_when_revoked && !lost) {
        struct io_offset offsets[MEMBER_PARTITIONS];
        const size_t offset_count = member_offsets(m, offsets);
        const struct io_record record = {.topic = 0, .partition = 0, .value = SPAN("revoked")};
        if (offset_count > 0) {
            m->revoke_result = m->io->ops->commit(m->io, &record, 1, offsets, offset_count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(m->owns[partitions[i].partition]);
        m->owns[partitions[i].partition] = false;
        m->is_started[partitions[i].partition] = false;
        m->revoked_count++;
        m->lost_count += lost ? 1 : 0;
    }
}

struct member_options {
    const char *servers;
    const char *group;
    const char *instance;
    const char *transactional_id; /* NULL: the instance's */
    const char *input;
    const char *output;
    const char *second_output; /* or NULL */
    int transaction_timeout_ms;
    int session_timeout_ms;
    struct io_property property; /* one more, name NULL: none */
};

static inline enum err member_open(struct member *m, const struct member_options *options)
{
    const struct io_property properties[] = {{"bootstrap.servers", options->servers},
                                             options->property};
    const char *inputs[] = {options->input};
    const char *outputs[] = {options->output, options->second_output};
    const struct io_config config = {
        .worker = options->instance,
        .group_id = options->group,
        .group_instance_id = options->instance,
        .transactional_id =
            options->transactional_id == NULL ? options->instance : options->transactional_id,
        .inputs = inputs,
        .input_count = 1,
        .outputs = outputs,
        .output_count = options->second_output == NULL ? 1 : 2,
        .properties = properties,
        .property_count = options->property.name == NULL ? 1 : 2,
        .transaction_timeout_ms = options->transaction_timeout_ms,
        .session_timeout_ms = options->session_timeout_ms == 0 ? 6000 : options->session_timeout_ms,
    };
    const struct io_handler handler = {m, member_assigned, member_revoked};
    return io_kafka_open(&config, handler, &MEMBER_NEVER_STOP, &m->io);
}

static inline void member_start(struct member *m)
{
    for (int32_t p = 0; p < MEMBER_PARTITIONS && !m->holds_back; p++) {
        int64_t next = -1;
        const struct io_partition partition = {0, p};
        if (m->owns[p] && !m->is_started[p] &&
            m->io->ops->committed(m->io, partition, &next, 1000) == OK) {
            CHECK(m->io->ops->start(m->io, partition, next < 0 ? 0 : next) == OK);
            m->is_started[p] = true;
        }
    }
}

/* Polls once; what is assigned is started. */
static inline int member_poll(struct member *m, struct io_message *messages, int timeout_ms)
{
    member_start(m);
    const int count = m->io->ops->poll(m->io, messages, MEMBER_BATCH, timeout_ms);
    for (int i = 0; i < count; i++) {
        CHECK(m->is_started[messages[i].partition]);
        CHECK(messages[i].offset >= m->next[messages[i].partition]);
        m->next[messages[i].partition] = messages[i].offset + 1;
    }
    return count;
}

static inline size_t member_owned(const struct member *m)
{
    size_t count = 0;
    for (int p = 0; p < MEMBER_PARTITIONS; p++) {
        count += m->owns[p] ? 1 : 0;
    }
    return count;
}

/* Until it owns so many; false if that takes longer than 20 s. Messages are given back. */
static inline bool member_wait_owned(struct member *m, size_t count)
{
    static struct io_message messages[MEMBER_BATCH];
    const int64_t deadline = now_ms() + 20000;
    while (member_owned(m) != count && now_ms() < deadline) {
        const int got = member_poll(m, messages, 20);
        if (got < 0) {
            return false;
        }
        m->io->ops->release(m->io, messages, (size_t)got);
    }
    return member_owned(m) == count;
}

static inline void member_close(struct member *m)
{
    m->io->ops->close(m->io);
    m->io = NULL;
}

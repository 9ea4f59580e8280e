/* consumer/kafka/feed.h - a plain producer and a plain follower of one topic: for the demo, the
 * benches and the tests.
 *
 * A follower does what every downstream reader should do: reads committed data only, all partitions
 * of the topic from the beginning, and is ready when it has reached the end that it saw.
 *
 * Thread:  each object is confined to one thread.
 * Time:    every call is bounded by its timeout; closing by 3 s.
 * Errors:  ERR_BAD_CONFIG (a property), ERR_NOT_FOUND (no such topic), ERR_TIMEOUT (no answer),
 *          ERR_IO (a record was refused); logged.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/kafka/io.h"

struct feeder;

/* Properties as in io_config. */
MUST_USE enum err feeder_open(const struct io_property *properties,
                              size_t property_count,
                              struct feeder **out);

/* Queues a copy of the record. key.data NULL: no key; value.data NULL: a tombstone. Waits at most
 * 10 s for room. ERR_NOT_FOUND, ERR_TIMEOUT, ERR_IO: it was not queued. */
MUST_USE enum err feeder_send(struct feeder *feeder,
                              const char *topic,
                              struct span key,
                              struct span value);

/* Waits until all is acknowledged. ERR_IO: a record since the last flush was refused. */
MUST_USE enum err feeder_flush(struct feeder *feeder, int timeout_ms);

void feeder_close(struct feeder **feeder);

struct follower;

struct followed {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1: it has none */
    bool is_tombstone;
    struct span key; /* data NULL: no key */
    struct span value;
    const struct io_header *headers;
    size_t header_count; /* at most IO_HEADERS_MAX; further ones are not shown */
};

MUST_USE enum err follower_open(const struct io_property *properties,
                                size_t property_count,
                                const char *topic,
                                int timeout_ms,
                                struct follower **out);

/* The next record, or false if there was none for timeout_ms. *out is borrowed until the next call.
 */
bool follower_next(struct follower *follower, int timeout_ms, struct followed *out);

/* Has every partition been read to its end at least once? */
bool follower_is_ready(const struct follower *follower);

void follower_close(struct follower **follower);

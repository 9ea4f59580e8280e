/* consumer/kafka/client.h - what every handle of the Kafka client has in common: its properties,
 * its log, its end.
 *
 * Only files of consumer/kafka/ include this.
 *
 * Thread:  any. The client's own log lines come from the client's threads.
 * Errors:  ERR_BAD_CONFIG for a property that the client does not know or take; it was logged.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "consumer/kafka/io.h"

/* Says once per process what is known of the installed version of the client. ERR_REFUSED: it must
 * not be used. */
MUST_USE enum err client_check_version(void);

/* Properties in three layers; a later one wins. An entry whose value is NULL is passed over. */
struct client_layers {
    const struct io_property *ours; /* defaults; those that this version of the client does not know
                                       are passed over */
    size_t our_count;
    const struct io_property *users; /* verbatim */
    size_t user_count;
    const struct io_property *fixed; /* what the protocol rests on */
    size_t fixed_count;
};

#define CLIENT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The caller owns *out until a handle is made of it. `opaque` is what callbacks are given. */
MUST_USE enum err client_conf(const struct client_layers *layers,
                              void *opaque,
                              rd_kafka_conf_t **out);

/* Takes conf, also on error. ERR_BAD_CONFIG: properties contradict each other (logged). */
MUST_USE enum err client_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out);

/* A consumer that closes while it joins its group for the first time asserts, when it is destroyed, that it had an
 * assignment (librdkafka #4312, to 2.2.0): false, leave it behind. */
bool client_may_destroy(bool was_assigned);

/* Ends all handles side by side (NULL entries are passed over, all become NULL). A handle that has
 * not ended by the deadline is left to its threads and said: rd_kafka_destroy() may hang
 * (librdkafka #4724, #4187), a process that ends must not. */
void client_close(rd_kafka_t **handles, size_t count, int64_t deadline_mono_ms);

/* The value of a property, "" if there is none: for messages ("bootstrap.servers"). */
const char *client_property(const struct io_property *properties, size_t count, const char *name);

int64_t client_mono_ms(void);

/* What is left until the deadline, 0 at least. */
int client_left_ms(int64_t deadline_mono_ms);

void client_sleep_ms(int ms);

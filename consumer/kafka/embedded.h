/* consumer/kafka/embedded.h - a Kafka inside the process: the client library's mock cluster.
 *
 * For `suppressd demo` and for tests of what the client does with errors. It is no Kafka: nothing
 * survives it, it stores no transactional offsets, writes no control records and hides no aborted
 * data. Nothing about exactly once can be shown on it.
 *
 * Thread:  create and destroy on one thread; clients connect from any, over 127.0.0.1.
 * Errors:  ERR_IO if it cannot be started; logged.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct embedded;

struct embedded_topic {
    const char *name;
    int32_t partitions;
};

MUST_USE enum err embedded_create(const struct embedded_topic *topics,
                                  size_t topic_count,
                                  struct embedded **out);

/* For the property bootstrap.servers; lives as long as the cluster. */
const char *embedded_servers(const struct embedded *embedded);

/* The next `count` requests of this kind (ApiKey of the Kafka protocol: 0 Produce, 22
 * InitProducerId, 25 AddOffsetsToTxn, 26 EndTxn, 28 TxnOffsetCommit) are answered with this error
 * code of the protocol. For tests. */
void embedded_fail(struct embedded *embedded, int16_t api_key, int error_code, size_t count);

void embedded_destroy(struct embedded **embedded);

/* bench/cluster.h - what the bench asks of Kafka itself: topics made and deleted, how far a group
 * has come.
 *
 * Thread:  each object is confined to one.
 * Time:    each call is bounded by 20 s.
 * Errors:  ERR_IO, ERR_TIMEOUT: the brokers say no, or nothing; said.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { CLUSTER_PARTITIONS_MAX = 256 };

struct cluster;

MUST_USE enum err cluster_open(const char *brokers, struct cluster **out);
void cluster_close(struct cluster **cluster);

/* With one replica, and retention that outlasts the bench whatever the records' times are. */
MUST_USE enum err cluster_create_topic(struct cluster *cluster, const char *name, int partitions);

/* What is not there is no error. */
void cluster_delete_topic(struct cluster *cluster, const char *name);

/* How far one group has come in one topic. */
struct progress;

MUST_USE enum err progress_open(const char *brokers,
                                const char *group,
                                const char *topic,
                                int partitions,
                                struct progress **out);
void progress_close(struct progress **progress);

/* Of each partition what is committed, 0 if nothing is yet. */
MUST_USE enum err progress_committed(struct progress *progress, int64_t *offsets);

/* Of each partition the high watermark. */
MUST_USE enum err progress_ends(struct progress *progress, int64_t *offsets);

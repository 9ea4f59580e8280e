/* bench/subject.h - one installation of suppressd under measurement: a configuration of its own,
 * topics of its own, one process.
 *
 * Owns:    its topics in Kafka, from subject_create() to subject_destroy().
 * Thread:  the main thread.
 * Errors:  as process.h and cluster.h; the process's own words are in its log, whose path is said.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "bench/bench.h"
#include "bench/cluster.h"
#include "bench/process.h"

enum { SUBJECT_PATH_SIZE = 512, SUBJECT_NAME_SIZE = 128 };

/* What all subjects of a run share. Borrowed until the last has gone. */
struct site {
    const char *brokers;
    const char *program; /* suppressd */
    const char *bench;   /* suppressd-bench: this program */
    const char *directory;
    struct cluster *cluster;
    int shards;
    int input_partitions;
    const struct bench_list *settings; /* KEY=VALUE for suppressd */
};

struct subject {
    const struct site *site;
    char name[SUBJECT_NAME_SIZE]; /* application_id */
    char input[SUBJECT_NAME_SIZE];
    char decisions[SUBJECT_NAME_SIZE]; /* topic */
    char config[SUBJECT_PATH_SIZE];
    char log[SUBJECT_PATH_SIZE];
    pid_t pid; /* 0: it does not run */
    bool is_plain;
    int64_t start_ns;
    int64_t work_ns;   /* of a drain: from the first commit that was seen to the last */
    int64_t work_done; /* events within that time */
    struct process_usage usage;
};

/* Writes the configuration, makes the topics and the secret. */
MUST_USE enum err subject_create(const struct site *site,
                                 const char *name,
                                 const char *input,
                                 struct subject *out);

/* `suppressd run`, or this program's plain variant of it. */
MUST_USE enum err subject_start(struct subject *subject, bool is_plain);

/* Waits until every event of the input is decided. */
MUST_USE enum err subject_drain(struct subject *subject, int timeout_ms);

/* SIGTERM; fills `usage`. */
MUST_USE enum err subject_stop(struct subject *subject);

/* Kills it if it still runs, deletes its topics. */
void subject_destroy(struct subject *subject);

/* consumer/kafka/topics.h - the topics that suppressd rests on: what they must be, create, verify.
 *
 * A topic with the wrong settings loses state silently: a changelog that is also deleted by time
 * forgets recipients, an events topic that is compacted drops blocks. So `run` verifies before it
 * starts and refuses what would lose or corrupt something (fatal); the rest is advice. Text for
 * people is printed by the caller.
 *
 * Thread:  confined to one.
 * Time:    every call asks the brokers and is bounded by the timeout of topics_open(); close by
 *          3 s.
 * Errors:  ERR_TIMEOUT: the brokers cannot be reached, logged with their names. ERR_BAD_CONFIG: a
 *          property. ERR_REFUSED: not allowed to ask. ERR_NO_MEMORY.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/kafka/io.h"

enum {
    TOPICS_MAX = IO_TOPICS_MAX,
    TOPICS_VIOLATIONS_MAX = 128, /* further ones are not shown */
    TOPIC_NAME_SIZE = 250,       /* Kafka's limit of 249 and NUL */
    TOPIC_SERVERS_SIZE = 512,
};

enum topic_role {
    TOPIC_INPUT, /* the user's: nothing is asked of it but to exist, and it is never created */
    TOPIC_EVENTS,
    TOPIC_CHANGELOG, /* as many partitions as TOPIC_EVENTS of the same list */
    TOPIC_SUPPRESSIONS,
    TOPIC_DECISIONS,
    TOPIC_DEAD_LETTERS,
    TOPIC_ROLE_COUNT
};

/* What a topic should be. */
struct topic_plan {
    const char *name;
    enum topic_role role;
    int32_t partitions;     /* 0: verify takes what is there; create takes the broker's default */
    int replication_factor; /* 0: the same */
};

/* One setting that a role asks for. */
enum topic_bound {
    TOPIC_EXACTLY,
    TOPIC_AT_LEAST,
    TOPIC_AT_MOST,
    TOPIC_AT_CREATION, /* a choice of ours that the operator may change */
};

struct topic_setting {
    enum topic_role role;
    const char *name;
    const char *value;
    enum topic_bound bound;
    bool is_fatal;
};

struct topic_violation {
    char topic[TOPIC_NAME_SIZE];
    char setting[64]; /* a Kafka setting, or "exists", "partitions", "replication.factor" */
    char is[96];
    char must_be[96];
    bool is_fatal;
    char command[1024]; /* that mends it; "": no single command does */
};

struct topics_report {
    struct topic_violation items[TOPICS_VIOLATIONS_MAX];
    size_t count;
    size_t fatal_count;
};

enum topic_outcome { TOPIC_CREATED, TOPIC_WAS_THERE, TOPIC_NOT_CREATED, TOPIC_OUTCOME_COUNT };

struct topic_creation {
    enum topic_outcome outcome;
    char reason[256]; /* TOPIC_NOT_CREATED: the broker's words */
};

struct topics;

/* The i-th setting of the table, NULL behind the last: for `suppressd topics`. */
const struct topic_setting *topic_setting_at(size_t i);

/* Connects: an answer of the brokers was seen. Properties as in io_config. */
MUST_USE enum err topics_open(const struct io_property *properties,
                              size_t property_count,
                              int timeout_ms,
                              struct topics **out);

/* As the brokers call it; "" if they do not. Lives as long as topics. */
const char *topics_cluster_id(const struct topics *topics);

/* ERR_NOT_FOUND: there is no such topic. */
MUST_USE enum err topics_partition_count(struct topics *topics,
                                         const char *name,
                                         int32_t *partitions);

/* Creates what is not there, with the settings of its role; never changes one that is. Passes over
 * TOPIC_INPUT. outcomes[i] is of plans[i] (an input: TOPIC_WAS_THERE). Returns when the brokers
 * know of what was created. OK also if some were not created. */
MUST_USE enum err topics_create(struct topics *topics,
                                const struct topic_plan *plans,
                                size_t plan_count,
                                struct topic_creation *outcomes);

/* Fills *report; OK also with violations in it. */
MUST_USE enum err topics_verify(struct topics *topics,
                                const struct topic_plan *plans,
                                size_t plan_count,
                                struct topics_report *report);

void topics_close(struct topics **topics);

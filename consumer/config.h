/* consumer/config.h - what the user decided: every key of the configuration, read and checked.
 *
 * The keys stand in one table, config_table.c: name, type, default, bounds, one sentence. The help
 * text, the example file and the checks come from it. Sources, the later over the earlier: the
 * defaults, the file (YAML), the environment (SUPPRESSD_COMMIT__INTERVAL=1s), --set
 * commit.interval=1s.
 *
 * Owns:    a struct config owns all that it points to; nothing changes after config_create().
 * Thread:  any, for reading.
 * Errors:  ERR_BAD_CONFIG once every fault has been logged, each with file and line and what to do;
 *          ERR_IO (the file; logged), ERR_NO_MEMORY.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/yaml.h"
#include "classify/decode.h"
#include "consumer/kafka/io.h"

enum {
    CONFIG_WORKERS_MAX = 64, /* of each role */
    CONFIG_SHARDS_MAX = 4096,
    CONFIG_TENANTS_MAX = 10000,
    CONFIG_PROPERTIES_MAX = 256,
    CONFIG_RULE_FILES_MAX = 64,
    /* A broker ends a transaction that has run out within this time after its timeout. */
    CONFIG_BROKER_SWEEP_MS = 10000,
};

enum config_start { CONFIG_START_EARLIEST, CONFIG_START_LATEST };
enum config_wish { CONFIG_WISH_GLOBAL, CONFIG_WISH_DEAD_LETTER };
enum config_scope { CONFIG_SCOPE_GLOBAL, CONFIG_SCOPE_TENANT };
enum config_preset { CONFIG_PRESET_DEFAULT, CONFIG_PRESET_CAREFUL, CONFIG_PRESET_HANDSHAKE };

struct config_input {
    const char *topic;
    const struct format *format;
    bool commands;        /* an operator's words are taken from this topic */
    const char *tenant;   /* of events that name none; NULL: they have none */
    const char *campaign; /* likewise */
    const char *sender;   /* a template that is good (classify/sender_names.h), NULL: none */
    const char *columns;  /* of tables without headings, comma between them; NULL: they have some */
    const struct decode_names *names; /* good for the format; NULL: none */
};

struct config_tenant {
    struct span name; /* canonical, see address.h */
    enum config_preset preset;
};

struct config {
    const char *application_id;
    const char *instance_id;

    int64_t workers_intake;
    int64_t workers_shard;

    const struct io_property *kafka; /* the user's properties, none that we own */
    size_t kafka_count;

    enum config_start input_start;
    const struct config_input *inputs; /* in the order of the file */
    size_t input_count;

    const char *topic_events;
    const char *topic_changelog;
    const char *topic_suppressions;
    const char *topic_decisions;
    const char *topic_dead_letters;
    int64_t topic_partitions;  /* of events and changelog: the number of shards, for life */
    int64_t topic_replication; /* -1: as the broker has it */

    const char *state_directory;
    const char *state_secret_file;
    int64_t state_memory_limit_bytes;

    int64_t commit_interval_ms;
    int64_t session_timeout_ms;
    int64_t transaction_timeout_ms;
    int64_t watchdog_timeout_ms;

    bool identity_keep_local_case;
    bool identity_prefer_original;

    const char *const *rule_files; /* the user's own, see classify/rules/README.md */
    size_t rule_file_count;

    enum config_preset policy_preset;
    enum config_scope policy_mailbox_scope;
    enum config_wish policy_wish_without_tenant;
    const struct config_tenant *policy_tenants;
    size_t policy_tenant_count;

    enum log_level log_level;

    struct config_memory *memory; /* config.c's own */
};

struct config_sources {
    const char *file;               /* NULL: none */
    const char *const *environment; /* as environ: NAME=value, NULL behind the last; NULL: none */
    const char *const *assignments; /* of --set: path=value */
    size_t assignment_count;
    bool without_kafka; /* replay, demo: works without brokers and input topics */
};

MUST_USE enum err config_create(struct config_sources sources, struct config **out);
void config_destroy(struct config **config);

/* The same from a tree that is read already; sources.file is not looked at. Faults are left in it,
 * not logged. Only on OK the tree belongs to the config. For tests, and for whoever wants to show
 * the faults in his own way. */
MUST_USE enum err config_read(struct yaml *yaml,
                              struct config_sources sources,
                              struct config **out);

/* Every key with its default, its bounds and what it is for: the text of `suppressd run --help`. */
void config_print_keys(FILE *out);

/* A file that says what holds anyway: each key with its default, commented. */
void config_print_example(FILE *out);

/* What a preset is called in the configuration. */
const char *config_preset_name(enum config_preset preset);

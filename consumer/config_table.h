/* consumer/config_table.h - the one table of keys; for config*.c only.
 *
 * A key is dotted (commit.interval); its components are the levels of the file.
 *
 * Thread:  any.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/config.h"

enum {
    CONFIG_TOPIC_SIZE_MAX = 249,
    CONFIG_PATH_SIZE_MAX = 128, /* of a key of ours, dotted, with its NUL */
    CONFIG_KEY_COUNT = 26,
    CONFIG_FREE_MAP_COUNT = 2,
    CONFIG_INPUT_FIELD_COUNT = 9,
};

enum config_type {
    TYPE_TEXT,
    TYPE_NAME,  /* what may stand in names of topics, groups, files */
    TYPE_TOPIC, /* the same, as Kafka has it */
    TYPE_NUMBER,
    TYPE_BOOL,
    TYPE_DURATION,
    TYPE_SIZE,
    TYPE_CHOICE,
    TYPE_FILES, /* a list of paths, or one; read by config.c, not bound */
};

struct config_key {
    const char *name;
    const char *alias; /* the same key as Kafka's people spell it; NULL: none */
    enum config_type type;
    size_t offset;
    const char *fallback; /* NULL: made from other keys, as `derived` says */
    const char *derived;
    int64_t min;
    int64_t max;
    const char *const *choices;
    const char *sentence;
};

extern const struct config_key CONFIG_KEYS[]; /* CONFIG_KEY_COUNT of them */

/* The names of enum config_preset, NULL behind the last. */
extern const char *const CONFIG_PRESETS[];

/* Maps whose keys are the user's and may hold dots; `input` is one too, but takes `start`. */
extern const char *const CONFIG_FREE_MAPS[CONFIG_FREE_MAP_COUNT];

/* What may stand below input.TOPIC. */
extern const char *const CONFIG_INPUT_FIELDS[CONFIG_INPUT_FIELD_COUNT];

/* The next component of a dotted path; false at its end. Moves *path behind it and its dot. */
bool config_path_next(const char **path, char out[CONFIG_PATH_SIZE_MAX]);

/* `name` may be NULL. */
bool config_path_is_below(const char *name, const char *path);

const char *config_path_last(const char *name);

/* Is this a scalar of the table, a map of keys of the table, a map of the user's? */
bool config_is_key(const char *path);
bool config_is_group(const char *path);
bool config_is_free_map(const char *path);

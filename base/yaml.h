/* base/yaml.h - a YAML file as a tree that knows its lines; the user's configuration and rules.
 *
 * A reader of such a file walks the tree, takes what it knows with yaml_to_...(), and says what is
 * wrong with yaml_fault(). Faults are collected, so that the user sees all of them at once;
 * yaml_report() ends the reading. Every fault reads `FILE:LINE: what is wrong and what to do`.
 *
 *     struct yaml *file;
 *     enum err err = yaml_open(path, &file);
 *     ...
 *     yaml_known_keys(file, yaml_root(file), (const char *const[]){"workers", "kafka"}, 2);
 *     const struct yaml_node *workers = yaml_to_map(file, yaml_find(yaml_root(file), "workers"));
 *     (void)yaml_to_int(file, yaml_find(workers, "intake"), 0, 64, &config->intake_workers);
 *     err = yaml_report(file);
 *
 * Refused: a key twice in one map, anchors and aliases, tags, keys that are no scalars, a second
 *          document, NUL in a scalar.
 * Limits:  YAML_SIZE_MAX bytes, YAML_NODES_MAX nodes, YAML_DEPTH_MAX levels, YAML_MEMBERS_MAX
 *          members a map, YAML_FAULTS_MAX faults (those behind are counted).
 * Owns:    nodes and their texts live as long as their struct yaml.
 * Thread:  confined to one.
 * Errors:  ERR_IO (logged), ERR_NO_MEMORY, ERR_BAD_CONFIG (logged).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    YAML_SIZE_MAX = 4 * 1024 * 1024,
    YAML_NODES_MAX = 100 * 1000,
    YAML_DEPTH_MAX = 16,
    YAML_MEMBERS_MAX = 16 * 1024,
    YAML_FAULTS_MAX = 100,
};

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

/* Members of a map and items of a list in the order of the file:
 * for (node = map->first; node != NULL; node = node->next). */
struct yaml_node {
    enum yaml_kind kind;
    bool plain;         /* a scalar without quotes */
    uint32_t line;      /* from 1; of the key if there is one. 0: not from the file, see source */
    const char *source; /* the file's name, or `--set PATH` */
    struct span key;    /* of a member of a map, else SPAN_NONE. NUL behind it */
    struct span text;   /* of a scalar. NUL behind it */
    const struct yaml_node *parent;
    struct yaml_node *first;
    struct yaml_node *next;
};

struct yaml;

/* A file. What is no YAML is logged with its line: ERR_BAD_CONFIG. An empty file is an empty map.
 */
MUST_USE enum err yaml_open(const char *path, struct yaml **out);

/* The same from memory; `name` stands for the file in faults and is copied. */
MUST_USE enum err yaml_parse(const char *name, struct span text, struct yaml **out);

void yaml_close(struct yaml **yaml);

/* The root is a map; anything else was a fault, and the map is empty. */
const struct yaml_node *yaml_root(const struct yaml *yaml);

/* `path=value` as given on a command line (given_by: "--set") or elsewhere: the value (YAML itself, so `[a, b]` and `{a: b}` work)
 * takes the place of what the file says. Maps on the way are made. A name with dots stands in
 * double quotes: input."mail.events".format=native. Below a map of `free_maps` (paths from the
 * root) all that is left is one name, and the value is text as it stands:
 * kafka.bootstrap.servers=localhost. Faults name the path, never the value, which may be a
 * password. Before anything is read from the tree. */
struct free_maps {
    const char *const *paths;
    size_t count;
};
void yaml_set(struct yaml *yaml,
              const char *given_by,
              const char *assignment,
              const struct free_maps *free_maps);

/* --- taking ------------------------------------------------------------------------------------
 *
 * `node` may be NULL everywhere: what is not there is neither taken nor a fault. A wrong value is a
 * fault, gives false (NULL) and leaves *out alone, so a default stands in *out before the call.
 */

/* The member, NULL if there is none or it says nothing (`key:`, `~`, `null`). `map` may be NULL. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

/* The node itself if it is a map (list), else a fault and NULL. */
const struct yaml_node *yaml_to_map(struct yaml *yaml, const struct yaml_node *node);
const struct yaml_node *yaml_to_list(struct yaml *yaml, const struct yaml_node *node);

/* NUL-terminated. */
bool yaml_to_text(struct yaml *yaml, const struct yaml_node *node, const char **out);

/* A whole decimal number, min <= number <= max. */
bool yaml_to_int(
    struct yaml *yaml, const struct yaml_node *node, int64_t min, int64_t max, int64_t *out);

/* true, false, yes, no, on, off */
bool yaml_to_bool(struct yaml *yaml, const struct yaml_node *node, bool *out);

/* 250ms, 30s, 5m, 2h, 7d; the unit is always there, but for 0. Bounds in ms. */
bool yaml_to_duration_ms(
    struct yaml *yaml, const struct yaml_node *node, int64_t min, int64_t max, int64_t *out);

/* 4096, 64KiB, 512MiB, 8GiB (also without iB: K, M, G are the same powers of 1024). */
bool yaml_to_size_bytes(
    struct yaml *yaml, const struct yaml_node *node, int64_t min, int64_t max, int64_t *out);

/* One of `names`; *out is its index. */
bool yaml_to_choice(struct yaml *yaml,
                    const struct yaml_node *node,
                    const char *const *names,
                    size_t name_count,
                    size_t *out);

/* A fault for each member that is none of `keys`, with the likeliest of them. */
void yaml_known_keys(struct yaml *yaml,
                     const struct yaml_node *map,
                     const char *const *keys,
                     size_t key_count);

/* --- faults ------------------------------------------------------------------------------------
 */

/* `FILE:LINE: PATH: ` of the node comes before the text; PATH is the dotted way from the root. */
void yaml_fault(struct yaml *yaml, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name in `names` that a person may have meant, NULL if none is near. */
const char *yaml_did_you_mean(struct span word, const char *const *names, size_t name_count);

size_t yaml_fault_count(const struct yaml *yaml);
/* i < yaml_fault_count() and i < YAML_FAULTS_MAX */
const char *yaml_fault_at(const struct yaml *yaml, size_t i);

/* Logs every fault, one line each. OK if there is none. */
MUST_USE enum err yaml_report(const struct yaml *yaml);

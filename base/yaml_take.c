/* base/yaml_take.c - values out of a YAML tree; see yaml.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/yaml.h"

enum { WORD_SIZE_MAX = 64 };

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit DURATION_UNITS[] = {
    {"ms", 1}, {"s", 1000}, {"m", DAY_MS / 1440}, {"h", DAY_MS / 24}, {"d", DAY_MS},
};

static const struct unit SIZE_UNITS[] = {
    {"", 1},
    {"K", INT64_C(1) << 10},
    {"KiB", INT64_C(1) << 10},
    {"M", INT64_C(1) << 20},
    {"MiB", INT64_C(1) << 20},
    {"G", INT64_C(1) << 30},
    {"GiB", INT64_C(1) << 30},
    {"T", INT64_C(1) << 40},
    {"TiB", INT64_C(1) << 40},
};

const struct yaml_node *yaml_to_map(struct yaml *yaml, const struct yaml_node *node)
{
    if (node == NULL || node->kind == YAML_MAP) {
        return node;
    }
    yaml_fault(yaml, node, "keys and values are wanted here, one `key: value` a line, indented");
    return NULL;
}

const struct yaml_node *yaml_to_list(struct yaml *yaml, const struct yaml_node *node)
{
    if (node == NULL || node->kind == YAML_LIST) {
        return node;
    }
    yaml_fault(yaml, node, "a list is wanted here, one `- item` a line, or [a, b]");
    return NULL;
}

/* False if there is nothing, or a fault was said. */
static bool is_scalar(struct yaml *yaml, const struct yaml_node *node)
{
    if (node == NULL) {
        return false;
    }
    if (node->kind != YAML_SCALAR) {
        yaml_fault(yaml, node, "one value is wanted here, not a %s",
                   node->kind == YAML_MAP ? "map" : "list");
        return false;
    }
    return true;
}

bool yaml_to_text(struct yaml *yaml, const struct yaml_node *node, const char **out)
{
    if (!is_scalar(yaml, node)) {
        return false;
    }
    *out = node->text.data;
    return true;
}

/* The number that text begins with, and what follows it. No sign in front, no overflow. */
static bool split_number(struct span text, int64_t *number, struct span *rest)
{
    size_t size = 0;
    while (size < text.size && text.data[size] >= '0' && text.data[size] <= '9') {
        size++;
    }
    uint64_t value;
    if (!span_to_u64((struct span){text.data, size}, &value) || value > INT64_MAX) {
        return false;
    }
    *number = (int64_t)value;
    *rest = span_trim((struct span){text.data + size, text.size - size});
    return true;
}

static bool parse_int(struct span text, int64_t *out)
{
    const bool negative = text.size > 0 && text.data[0] == '-';
    const struct span digits = {text.data + negative, text.size - negative};
    struct span rest;
    int64_t value;
    if (!split_number(digits, &value, &rest) || rest.size != 0) {
        return false;
    }
    *out = negative ? -value : value;
    return true;
}

bool yaml_to_int(
    struct yaml *yaml, const struct yaml_node *node, int64_t min, int64_t max, int64_t *out)
{
    int64_t value;
    if (!is_scalar(yaml, node)) {
        return false;
    }
    if (!parse_int(node->text, &value) || value < min || value > max) {
        yaml_fault(yaml, node, "\"%.*s\" is no whole number from %" PRId64 " to %" PRId64,
                   SPAN_ARGS(span_cut(node->text, WORD_SIZE_MAX)), min, max);
        return false;
    }
    *out = value;
    return true;
}

bool yaml_to_bool(struct yaml *yaml, const struct yaml_node *node, bool *out)
{
    static const char *const WORDS[] = {"false", "true", "no", "yes", "off", "on"};
    if (!is_scalar(yaml, node)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (span_equal_nocase(node->text, span_of(WORDS[i]))) {
            *out = i % 2 == 1;
            return true;
        }
    }
    yaml_fault(yaml, node, "\"%.*s\" is neither true nor false",
               SPAN_ARGS(span_cut(node->text, WORD_SIZE_MAX)));
    return false;
}

static bool parse_with_unit(struct span text, const struct unit *units, size_t count, int64_t *out)
{
    int64_t number;
    struct span rest;
    if (!split_number(text, &number, &rest)) {
        return false;
    }
    if (number == 0 && rest.size == 0) {
        *out = 0;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (span_equal(rest, span_of(units[i].name)) && number <= INT64_MAX / units[i].factor) {
            *out = number * units[i].factor;
            return true;
        }
    }
    return false;
}

bool yaml_to_duration_ms(
    struct yaml *yaml, const struct yaml_node *node, int64_t min, int64_t max, int64_t *out)
{
    const size_t count = sizeof(DURATION_UNITS) / sizeof(DURATION_UNITS[0]);
    int64_t value;
    if (!is_scalar(yaml, node)) {
        return false;
    }
    const struct span shown = span_cut(node->text, WORD_SIZE_MAX);
    if (!parse_with_unit(node->text, DURATION_UNITS, count, &value)) {
        yaml_fault(yaml, node, "\"%.*s\" is no duration; write 250ms, 30s, 5m, 2h or 7d",
                   SPAN_ARGS(shown));
        return false;
    }
    if (value < min || value > max) {
        yaml_fault(yaml, node, "%.*s is not from %" PRId64 "ms to %" PRId64 "ms", SPAN_ARGS(shown),
                   min, max);
        return false;
    }
    *out = value;
    return true;
}

bool yaml_to_size_bytes(
    struct yaml *yaml, const struct yaml_node *node, int64_t min, int64_t max, int64_t *out)
{
    const size_t count = sizeof(SIZE_UNITS) / sizeof(SIZE_UNITS[0]);
    int64_t value;
    if (!is_scalar(yaml, node)) {
        return false;
    }
    const struct span shown = span_cut(node->text, WORD_SIZE_MAX);
    if (!parse_with_unit(node->text, SIZE_UNITS, count, &value)) {
        yaml_fault(yaml, node, "\"%.*s\" is no size; write 4096, 64KiB, 512MiB or 8GiB",
                   SPAN_ARGS(shown));
        return false;
    }
    if (value < min || value > max) {
        yaml_fault(yaml, node, "%.*s is not from %" PRId64 " to %" PRId64 " bytes",
                   SPAN_ARGS(shown), min, max);
        return false;
    }
    *out = value;
    return true;
}

bool yaml_to_choice(struct yaml *yaml,
                    const struct yaml_node *node,
                    const char *const *names,
                    size_t name_count,
                    size_t *out)
{
    if (!is_scalar(yaml, node)) {
        return false;
    }
    char memory[512];
    struct writer list = writer_init(memory, sizeof(memory));
    for (size_t i = 0; i < name_count; i++) {
        if (span_equal(node->text, span_of(names[i]))) {
            *out = i;
            return true;
        }
        put_bytes(&list, i == 0 ? SPAN("") : SPAN(", "));
        put_bytes(&list, span_of(names[i]));
    }
    const char *near = yaml_did_you_mean(node->text, names, name_count);
    yaml_fault(yaml, node, "\"%.*s\" is none of %.*s%s%s%s",
               SPAN_ARGS(span_cut(node->text, WORD_SIZE_MAX)), SPAN_ARGS(writer_span(&list)),
               list.overflowed ? ", ..." : "", near == NULL ? "" : "; did you mean ",
               near == NULL ? "" : near);
    return false;
}

/* --- keys ---------------------------------------------------------------------------------------
 */

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein (neighbours may be swapped), one row at a time; words up to WORD_SIZE_MAX. */
static size_t edit_distance(struct span a, struct span b)
{
    size_t rows[3][WORD_SIZE_MAX + 1];
    for (size_t j = 0; j <= b.size; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            const bool same = a.data[i - 1] == b.data[j - 1];
            row[j] = min_of(min_of(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1]) {
                row[j] = min_of(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[a.size % 3][b.size];
}

const char *yaml_did_you_mean(struct span word, const char *const *names, size_t name_count)
{
    const char *best = NULL;
    size_t best_distance = 0;
    for (size_t i = 0; i < name_count; i++) {
        const struct span name = span_of(names[i]);
        if (word.size > WORD_SIZE_MAX || name.size > WORD_SIZE_MAX) {
            continue;
        }
        const size_t distance = edit_distance(word, name);
        const bool near = distance <= 1 + name.size / 5 && distance < name.size;
        if (near && (best == NULL || distance < best_distance)) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}

static bool is_known(struct span key, const char *const *keys, size_t key_count)
{
    for (size_t i = 0; i < key_count; i++) {
        if (span_equal(key, span_of(keys[i]))) {
            return true;
        }
    }
    return false;
}

void yaml_known_keys(struct yaml *yaml,
                     const struct yaml_node *map,
                     const char *const *keys,
                     size_t key_count)
{
    if (map == NULL || map->kind != YAML_MAP) {
        return;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        if (is_known(node->key, keys, key_count)) {
            continue;
        }
        const char *near = yaml_did_you_mean(node->key, keys, key_count);
        yaml_fault(yaml, node, "there is no such key here%s%s",
                   near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
    }
}

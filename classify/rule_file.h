/* classify/rule_file.h - one file of rules on its way into a ruleset; its format is told in
 * rules/README.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/yaml.h"
#include "classify/event.h"

enum { RULE_FILES_MAX = 256 };

struct rule_file {
    struct yaml *yaml;
    bool is_shipped; /* ours; else the user's, which may take examples and rows of ours */
};

/* Where a rule stands. Borrowed from the file's tree. */
struct rule_place {
    const char *file;
    uint32_t line;
};

static inline struct rule_place rule_place_of(const struct yaml_node *node)
{
    return (struct rule_place){node->source, node->line};
}

/* One value, or each of a list: for (v = rule_value_first(n); v != NULL; v = rule_value_next(n, v)).
 */
static inline const struct yaml_node *rule_value_first(const struct yaml_node *node)
{
    return node != NULL && node->kind == YAML_LIST ? node->first : node;
}

static inline const struct yaml_node *rule_value_next(const struct yaml_node *node,
                                                      const struct yaml_node *value)
{
    return node == value ? NULL : value->next;
}

/* The member `category` of a rule or a row: what a reply may mean. False: a fault was said. */
bool rule_category(struct yaml *yaml, const struct yaml_node *item, enum category *out);

/* classify/text_rules_build.h - a set of text rules from the inside: for text_rules*.c, and for the bench
 * that sets the same rules before another engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/text_database.h"
#include "classify/text_rules.h"

/* Whose mail server or recipients they are, by the end of a name. */
struct text_provider {
    const char *name;
    const struct yaml_node *mx; /* lists or single values; NULL: none */
    const struct yaml_node *domains;
};

/* The patterns that are looked for in one pass; rules[i] is found by the one of number i. */
struct text_part {
    struct hs_database *database; /* NULL: there are none */
    struct text_rule **rules;
    const char **texts;
    unsigned count;
};

enum { PART_OWN, PART_SHIPPED, PART_COUNT };

struct text_rules {
    struct text_rule *rules; /* in order of precedence */
    size_t count;
    struct text_provider *providers;
    size_t provider_count;
    struct text_part parts[PART_COUNT];
};

/* What becomes of a rule whose pattern was found. TEXT_WON: everything holds. */
enum text_verdict text_rules_judge(const struct text_rules *rules,
                                   const struct text_rule *rule,
                                   const struct event *event,
                                   const struct reply *reply);

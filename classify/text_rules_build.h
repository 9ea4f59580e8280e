/* classify/text_rules_build.h - a set of text rules from the inside: for text_rules*.c, and for the bench
 * that sets the same rules before another engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <hs.h>

#include "classify/text_rules.h"

/* Whose mail server or recipients they are, by the end of a name. */
struct text_provider {
    const char *name;
    const struct yaml_node *mx; /* lists or single values; NULL: none */
    const struct yaml_node *domains;
};

struct text_rules {
    struct text_rule *rules; /* in order of precedence */
    size_t count;
    struct text_provider *providers;
    size_t provider_count;
    hs_database_t *database; /* NULL: there are no rules */
};

/* Makes the database of rules[0 .. count). A pattern that cannot be compiled is told to `fault` with
 * the engine's words: ERR_BAD_CONFIG, after the others have been compiled all the same. */
MUST_USE enum err text_rules_compile(struct text_rules *rules,
                                     void (*fault)(void *context, size_t rule, const char *words),
                                     void *context);

/* What becomes of a rule whose pattern was found. TEXT_WON: everything holds. */
enum text_verdict text_rules_judge(const struct text_rules *rules,
                                   const struct text_rule *rule,
                                   const struct event *event,
                                   const struct reply *reply);

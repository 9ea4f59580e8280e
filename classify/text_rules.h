/* classify/text_rules.h - what a reply means by its words: provider rules, then general ones
 * (design 4, steps 2 and 3).
 *
 * Thread:  any; a set of rules is immutable.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"

struct text_rules;

struct text_match {
    enum category category;
    enum found_by by; /* provider or text */
    const char *rule; /* lives as long as the rules */
};

/* The rule that wins for this reply. False: none knows its words. `rules` is NULL where no file of
 * text rules was loaded. */
bool text_rules_find(const struct text_rules *rules,
                     const struct event *event,
                     struct text_match *out);

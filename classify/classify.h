/* classify/classify.h - what a reply means (design 4): the order of decision, on one page.
 *
 * Thread:  a ruleset is immutable and shared; a classifier is confined to one. classify() takes no
 *          lock and allocates nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/err.h"
#include "classify/event.h"

/* By what the meaning was found. */
enum found_by {
    FOUND_BY_NONE,
    FOUND_BY_CODE,
    FOUND_BY_ENHANCED,
    FOUND_BY_TEXT,
    FOUND_BY_PROVIDER,
    FOUND_BY_COUNT
};

struct meaning {
    enum category category;
    enum class class_; /* category_class(), but soft for a hard category under a deferral */
    enum found_by by;
    const char
        *rule; /* id of the rule that won; lives as long as the ruleset; never NULL ("" if none) */
    uint32_t counter; /* of that rule (tally.h); 0: no rule of the ruleset */
};

struct ruleset;

const char *found_by_name(enum found_by by);

/* The user's files (rules/README.md), then the rules that ship with the program (embedded at build
 * time). On faults: each logged with file, line, what is wrong and what to do; ERR_BAD_CONFIG, or
 * ERR_IO for a file that cannot be read. */
MUST_USE enum err ruleset_create(const char *const *paths, size_t path_count, struct ruleset **out);
void ruleset_destroy(struct ruleset **ruleset);

/* 16 hex digits: changes when any rule does. For policy.version of what is published. */
const char *ruleset_version(const struct ruleset *ruleset);

struct ruleset_size {
    size_t files;
    size_t text_rules;
    size_t codes;
};
struct ruleset_size ruleset_size(const struct ruleset *ruleset);

/* What one thread classifies with: a set of rules, and the memory to read texts. */
struct classifier;

/* The ruleset must live as long as it is used. */
MUST_USE enum err classifier_create(const struct ruleset *ruleset, struct classifier **out);
void classifier_destroy(struct classifier **classifier);

/* Deliveries and other events that are no failures get CATEGORY_NONE, FOUND_BY_NONE. An event that
 * carries a category of its own keeps it (by none, rule "event"). A failure that nobody knows may be taken for what the upstream's class
 * hints at (by none, rule "hint"; native_class.h). */
struct meaning classify(struct classifier *classifier, const struct event *event);

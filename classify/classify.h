/* classify/classify.h - what a reply means (design 4): the order of decision, on one page.
 *
 * Thread:  a ruleset is immutable and shared; classify() takes no lock and allocates nothing.
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
};

struct ruleset;

const char *found_by_name(enum found_by by);

/* The rules that ship with the program (embedded at build time). On a fault: logged with file,
 * line, what and why; ERR_BAD_CONFIG. */
MUST_USE enum err ruleset_create(struct ruleset **out);
void ruleset_destroy(struct ruleset **ruleset);

/* 16 hex digits: changes when any rule does. For policy.version of what is published. */
const char *ruleset_version(const struct ruleset *ruleset);

/* Deliveries and other events that are no failures get CATEGORY_NONE, FOUND_BY_NONE. An event that
 * carries a category of its own keeps it (by none, rule "event"). */
struct meaning classify(const struct ruleset *ruleset, const struct event *event);

/* classify/rules.h - the rules of one version, as they were read. For the room's own files;
 * everybody else has struct ruleset from classify.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/codes.h"
#include "classify/text_rules.h"

enum { RULESET_VERSION_SIZE = 16 };

struct ruleset {
    struct rule_file *files; /* what names, places and lists of rules are borrowed from */
    size_t file_count;
    struct codes *codes;
    struct text_rules *text_rules;
    char version[RULESET_VERSION_SIZE + 1];
};

/* The same as ruleset_create() from trees that are read already, the user's first; `stored` as for
 * text_rules_load(). Faults are left in the trees, not logged: ERR_BAD_CONFIG. Only on OK the trees
 * belong to the ruleset. */
MUST_USE enum err rules_read(const struct rule_file *files,
                             size_t count,
                             struct span stored,
                             struct ruleset **out);

/* The files that were in rules/ when the program was built, in the order of their names. */
struct embedded_file {
    const char *name; /* rules/codes.yaml */
    struct span text;
};
size_t rules_embedded_count(void);
struct embedded_file rules_embedded_at(size_t i);

/* Their patterns, as text_rules_store() made them when the program was built. */
struct span rules_embedded_database(void);

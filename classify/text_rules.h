/* classify/text_rules.h - what a reply means by its words: provider rules, then general ones
 * (design 4, steps 2 and 3; rules/README.md).
 *
 * The patterns that ship are one Vectorscan database, the user's another: a text is read once for
 * each, whatever the number of rules; texts that were read lately are not read again. Of the rules
 * whose pattern is found and whose conditions hold, the first wins.
 *
 * Limits:  TEXT_RULES_MAX rules; of a text what text_seen() makes of it.
 * Thread:  a set of rules is immutable and shared. A scanner is confined to one thread.
 * Memory:  1.3 MB a scanner, as far as it is used. text_rules_find() allocates nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"
#include "classify/rule_file.h"

enum {
    TEXT_RULES_MAX = 4096,
    TEXT_PROVIDERS_MAX = 64,
    TEXT_CONDITIONS_MAX = 16,
    TEXT_ID_SIZE_MAX = 63,
};

#define TEXT_MASK_NONE UINT32_MAX

struct text_rules;
struct text_scanner;

/* Conditions: each list holds if it is empty or any of it does. */
struct text_when {
    uint16_t replies[TEXT_CONDITIONS_MAX]; /* 552; 4 and 5: 4xx and 5xx; 0: none */
    /* of class << 20 | subject << 10 | detail the bits of `mask` are `value`; TEXT_MASK_NONE: there
     * is no enhanced code */
    struct {
        uint32_t mask;
        uint32_t value;
    } enhanced[TEXT_CONDITIONS_MAX];
    uint32_t kinds;  /* 1 << kind */
    uint32_t stages; /* 1 << stage */
    uint8_t reply_count;
    uint8_t enhanced_count;
};

struct text_rule {
    const char *id;
    const char *pattern;
    struct rule_place place;
    enum category category;
    struct text_when when;
    int provider; /* -1: none */
    bool is_shipped;
    bool is_refused;              /* by the engine; only while rules are checked */
    const struct yaml_node *node; /* its item of the file */
};

/* Why a rule whose pattern was found did not win. */
enum text_verdict {
    TEXT_WON,
    TEXT_BEATEN, /* all holds, but a rule before it won */
    TEXT_OTHER_PROVIDER,
    TEXT_OTHER_REPLY,
    TEXT_OTHER_ENHANCED,
    TEXT_OTHER_KIND,
    TEXT_OTHER_STAGE,
    TEXT_NO_STAGE,
};

struct text_candidate {
    const struct text_rule *rule;
    enum text_verdict verdict;
};

/* The rules of all files, the user's first, checked with their own examples. `stored`: what
 * text_rules_store() made of those that ship; if it is of others, or cannot be used here, they are
 * compiled. ERR_BAD_CONFIG: faults were added to the files', and *out is left alone. The trees must
 * live as long as the rules. */
MUST_USE enum err text_rules_load(const struct rule_file *files,
                                  size_t count,
                                  struct span stored,
                                  struct text_rules **out);
void text_rules_destroy(struct text_rules **rules);

size_t text_rules_count(const struct text_rules *rules);
/* In order of precedence. */
const struct text_rule *text_rules_at(const struct text_rules *rules, size_t i);
size_t text_rules_index(const struct text_rules *rules, const struct text_rule *rule);

/* The name of the first provider of the rule files that the event's MX or recipient belongs to;
 * NULL: none. */
const char *text_rules_provider(const struct text_rules *rules, const struct event *event);

/* The patterns that ship, compiled, as bytes for free(). */
MUST_USE enum err text_rules_store(const struct text_rules *rules, char **out, size_t *size);

/* What one thread needs to read texts. The rules must live as long as it does. */
MUST_USE enum err text_scanner_create(const struct text_rules *rules, struct text_scanner **out);
void text_scanner_destroy(struct text_scanner **scanner);
/* How many texts it has read; those that it remembered are none of them. */
uint64_t text_scanner_scans(const struct text_scanner *scanner);

/* The rule that wins for this event's text, NULL: none knows its words. `reply`: the event's, with
 * all codes that are known of it. */
const struct text_rule *text_rules_find(struct text_scanner *scanner,
                                        const struct event *event,
                                        const struct reply *reply);

/* Why it did not win: `its kind is none of when.kind`. "" of TEXT_WON. */
const char *text_verdict_words(enum text_verdict verdict);

/* Every rule whose pattern is found, in order of precedence; how many, at most `max`. */
size_t text_rules_explain(struct text_scanner *scanner,
                          const struct event *event,
                          const struct reply *reply,
                          struct text_candidate *out,
                          size_t max);

/* classify/tally.h - what one thread has seen with one set of rules: how often each rule won, and the
 * replies that none knew.
 *
 * A new set of rules begins with an empty tally. Events of a transaction that is aborted and run
 * again are counted again.
 *
 * Owns:    one counter a rule and row of codes, and two tables of unknown.h; all taken by
 *          tally_init().
 * Thread:  confined to one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"
#include "classify/rule_file.h"
#include "classify/unknown.h"

/* Counter 0: no rule was asked, or none knew. The others are rules and rows of codes, in the order
 * in which the rules are tried; some numbers are nobody's. */
size_t ruleset_counters(const struct ruleset *ruleset);

struct counted_rule {
    const char *id; /* of a row: its codes, "452 4.2.2"; lives as long as the ruleset */
    enum category category;
    struct rule_place place;
    bool is_row; /* of codes */
};

/* False: nobody's. */
bool ruleset_counter_find(const struct ruleset *ruleset, size_t counter, struct counted_rule *out);

struct tally {
    size_t counters;
    uint64_t *hits;          /* by counter */
    struct unknown *by_text; /* of all providers together */
    struct unknown *by_provider;
};

MUST_USE enum err tally_init(size_t counters, struct tally *out);
void tally_fini(struct tally *tally);
/* Makes `to` the same as `from`; both have as many counters. */
void tally_copy(struct tally *to, const struct tally *from);

/* Counts an event and what was made of it. Its text is kept if no rule knew it: where its codes,
 * too, say nothing, or nothing but the reply code does. */
void classifier_count(struct classifier *classifier,
                      const struct event *event,
                      const struct meaning *meaning,
                      int64_t ts_ms);

/* What this classifier has counted; its own thread. */
const struct tally *classifier_tally(const struct classifier *classifier);

/* A copy for another thread to read, as it was at the last classifier_copy_tally(); who reads and who
 * copies agree on when (published.h). */
void classifier_copy_tally(struct classifier *classifier);
const struct tally *classifier_tally_copy(const struct classifier *classifier);

/* consumer/rule_report.h - what an operator needs to write the next rule: the replies that no rule
 * knew, with a rule that is near, and how often each rule won.
 *
 * Owns:    its own sums; the ruleset must live as long.
 * Thread:  the one that made it. No clock.
 * Errors:  ERR_NO_MEMORY; rule_report_write(): ERR_IO, said in the log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "classify/tally.h"

/* What is reported about, beside the counts. */
struct rule_report_about {
    int64_t since_ms;   /* when counting began; 0: with the first event of a file */
    int64_t written_ms; /* 0: not told */
    size_t
        worker_count; /* of those that count; more than there are tallies if some did not answer */
};

struct rule_report;

MUST_USE enum err rule_report_create(const struct ruleset *rules,
                                     const struct tally *const *tallies,
                                     size_t tally_count,
                                     struct rule_report_about about,
                                     struct rule_report **out);
void rule_report_destroy(struct rule_report **report);

/* Tables for people. */
void rule_report_print_unknown(const struct rule_report *report, FILE *out);
void rule_report_print_hits(const struct rule_report *report, FILE *out);

/* One JSON object a line; of rules also those that never won. */
void rule_report_print_unknown_json(const struct rule_report *report, FILE *out);
void rule_report_print_hits_json(const struct rule_report *report, FILE *out);

/* rule-report.txt and rule-report.json in the directory, which is made if need be. Whoever reads
 * one of them sees the old or the new one whole. */
MUST_USE enum err rule_report_write(const struct rule_report *report, const char *directory);

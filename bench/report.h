/* bench/report.h - the figures of a run of `pipeline`, for people and for programs.
 *
 * Every goal is a ratio of two things that were measured in turn in the same run, because figures
 * of a shared machine move by more than what is asked of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "bench/latency.h"

enum { ROUNDS_MAX = 99 };

enum part { PART_BARE, PART_RUN, PART_PLAIN, PART_COUNT };

/* One drain of the whole topic. */
struct sample {
    double rate;   /* events a second */
    double cpu_ns; /* of the process, an event */
    double rss_bytes;
};

struct results {
    int64_t events;
    int64_t bytes; /* of all records together, 0: not known */
    int64_t partitions;
    int64_t recipients;
    bool is_full;
    int rounds;
    bool has[PART_COUNT];
    struct sample samples[PART_COUNT][ROUNDS_MAX]; /* by round */
    struct latency latencies[2];                   /* low, half of the load */
    size_t latency_count;
};

/* The median of a part's rate; 0 if it was not measured. */
double results_rate(const struct results *results, enum part part);

void report_text(const struct results *results, FILE *out);
void report_json(const struct results *results, FILE *out);

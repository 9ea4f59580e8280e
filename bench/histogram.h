/* bench/histogram.h - a log-linear histogram of durations.
 *
 * Buckets are 16 to an octave, so a quantile is at most 6 % above the truth; below 32 us each
 * microsecond has its own.
 *
 * Thread: confined to one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 16, /* in an octave */
    HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 32,
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    int64_t max_us;
};

void histogram_add(struct histogram *histogram, int64_t us);

/* The upper bound of the bucket in which the quantile (0 to 1) lies, at most the maximum; 0 if it is
 * empty. */
int64_t histogram_quantile_us(const struct histogram *histogram, double quantile);

/* Everything up to here is in the bucket i or below it. */
int64_t histogram_upper_us(size_t i);

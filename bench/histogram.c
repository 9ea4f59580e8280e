/* bench/histogram.c - see histogram.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/histogram.h"

/* Octave 0 holds 0 to 31 one by one; octave o begins at 16 * 2^o, in 16 steps of 2^o. */
static size_t bucket_of(int64_t us)
{
    size_t octave = 0;
    while (us >= INT64_C(2) * HISTOGRAM_STEPS) {
        us /= 2;
        octave++;
    }
    const size_t i = octave * HISTOGRAM_STEPS + (size_t)us;
    return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

int64_t histogram_upper_us(size_t i)
{
    if (i < (size_t)HISTOGRAM_STEPS * 2) {
        return (int64_t)i;
    }
    const size_t octave = i / HISTOGRAM_STEPS - 1;
    const int64_t step = (int64_t)(i % HISTOGRAM_STEPS) + HISTOGRAM_STEPS;
    return ((step + 1) << octave) - 1;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    us = us < 0 ? 0 : us;
    histogram->counts[bucket_of(us)]++;
    histogram->total++;
    histogram->max_us = us > histogram->max_us ? us : histogram->max_us;
}

int64_t histogram_quantile_us(const struct histogram *histogram, double quantile)
{
    uint64_t left = (uint64_t)(quantile * (double)histogram->total);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] > left) {
            const int64_t upper_us = histogram_upper_us(i);
            return upper_us < histogram->max_us ? upper_us : histogram->max_us;
        }
        left -= histogram->counts[i];
    }
    return histogram->max_us;
}

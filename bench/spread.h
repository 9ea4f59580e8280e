/* bench/spread.h - middle and ends of a few numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

struct spread {
    double median;
    double least;
    double most;
};

/* Sorts the values. All zeros if there are none. */
struct spread spread_of(double *values, size_t count);

/* bench/spread.c - see spread.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/spread.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread spread_of(double *values, size_t count)
{
    if (count == 0) {
        return (struct spread){0};
    }
    qsort(values, count, sizeof(values[0]), compare);
    const double median =
        count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    return (struct spread){median, values[0], values[count - 1]};
}

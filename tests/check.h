/* tests/check.h - what every test includes: cmocka with its own includes in order, a seeded random
 * number generator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* xorshift64*: the same numbers for the same seed everywhere. */
struct chance {
    uint64_t state;
};

/* The seed is printed, so that a failure can be had again: TEST_SEED=N. */
static inline struct chance chance_init(const char *name)
{
    const char *given = getenv("TEST_SEED");
    const uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("%s: TEST_SEED=%llu\n", name, (unsigned long long)seed);
    return (struct chance){seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return chance->state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t chance_below(struct chance *chance, uint64_t bound)
{
    return chance_next(chance) % bound;
}

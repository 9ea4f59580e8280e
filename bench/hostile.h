/* bench/hostile.h - for each format the records that cost its decoder the most for a byte.
 *
 * A row of hostile.c is a record of any size: a beginning, a piece as often as there is room, an end. They aim at what a
 * decoder could do again and again: looking back, looking ahead, looking through all that came before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

struct hostile {
    const char *name;
    const char *format;
    const char *begin;
    const char *piece; /* `#` in it is its number */
    const char *end;
    const char *mirror; /* behind all pieces, as often as they; NULL: nothing */
};

/* The i-th; NULL behind the last. */
const struct hostile *hostile_at(size_t i);

/* A record of at most `size` bytes, which `memory` holds, and nearly as many. */
struct span hostile_write(const struct hostile *hostile, size_t size, char *memory);

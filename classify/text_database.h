/* classify/text_database.h - patterns in the form in which the engine looks for them.
 *
 * To make it costs the engine milliseconds a pattern; a stored one is there in one or two of them
 * all. Both are made for any processor of its architecture: on those that can more (AVX2, AVX-512)
 * one made for them was no faster.
 *
 * Sources: hs_compile.h, hs_common.h of Vectorscan.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct hs_database; /* the engine's */

/* A match of texts[i] is reported with the number i. */
struct text_patterns {
    const char *const *texts;
    unsigned count;
};

/* A pattern that cannot be compiled is told to `fault` with the engine's words: ERR_BAD_CONFIG. The
 * others are compiled all the same, and *out is theirs: NULL if there are none. ERR_NO_MEMORY: *out is
 * left alone. */
MUST_USE enum err text_database_compile(const struct text_patterns *patterns,
                                        void (*fault)(void *context, size_t i, const char *words),
                                        void *context,
                                        struct hs_database **out);

void text_database_destroy(struct hs_database **database);

/* The bytes of a database of these patterns, for free(). */
MUST_USE enum err text_database_store(const struct hs_database *database,
                                      const struct text_patterns *patterns,
                                      char **out,
                                      size_t *size);

/* ERR_BAD_FORMAT: it is of other patterns, or damaged. ERR_BAD_VERSION: of another version of the
 * engine, or for another architecture. */
MUST_USE enum err text_database_load(struct span stored,
                                     const struct text_patterns *patterns,
                                     struct hs_database **out);

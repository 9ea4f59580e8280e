/* bench/more_rules.h - a larger set of text rules than there is: what a scan costs when users bring
 * theirs.
 *
 * Each further rule is made of one of the given rules, all taking their turns: its pattern with other words of the
 * field in place (three of four words, drawn from the words of all patterns, of about the same
 * length), so that it is as complex as the one it was made of; with the same conditions. Made rules
 * stand behind the given ones. A pattern with fewer than four words to change makes none; a made one that
 * is found in more than one in a hundred replies is left out: no rule that somebody would write.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "bench/failures.h"
#include "classify/text_rules_build.h"

struct more_rules {
    struct text_rules *rules; /* compiled */
    char *memory;             /* patterns of those that were made */
    size_t given;
    size_t given_bytes; /* of their patterns, in sum */
    size_t made_bytes;
    double compile_ms; /* the engine's work for all of them */
};

/* `rules` and more, `wanted` in all (at least their count; TEXT_RULES_MAX at most). They must live
 * as long as what is made of them. ERR_BAD_CONFIG: so many could not be made (printed). */
MUST_USE enum err more_rules_create(const struct text_rules *rules,
                                    size_t wanted,
                                    const struct failures *failures,
                                    uint64_t seed,
                                    struct more_rules *out);
void more_rules_free(struct more_rules *more);

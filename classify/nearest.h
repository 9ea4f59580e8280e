/* classify/nearest.h - what a text that no rule knew may mean: by the rules whose examples are most
 * like it.
 *
 * For people who write rules, on reading a report; never for a decision.
 *
 * Method:  the examples of all rules of words and the text, masked (mask.h), as sets of all sequences
 *          of four bytes (so that inflections and scripts without spaces need no care), weighed by how
 *          few examples have them (inverse document frequency, Sparck Jones 1972), compared by cosine.
 *          The ten nearest examples vote for their category, each by its similarity.
 * Chosen:  by tests/test_story_proposals.c, which forgets three rules in ten: this was right more often than
 *          the nearest example alone, than words instead of bytes, and than naive Bayes.
 * Owns:    the sequences of the examples, some megabyte.
 * Thread:  confined to one. The ruleset must live as long.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/text_rules.h"

struct nearest;

struct proposal {
    const struct text_rule
        *rule;      /* the nearest of the category that won the vote; NULL: none is near */
    double support; /* the votes for it, 0 to 1: ten equal texts are 1 */
};

/* A vote below the first is no proposal, unless one example alone is as like as the second (few rules
 * have ten examples to say for them). From here on four or five in ten were right, by which rules are
 * forgotten, and three in ten of the replies that they had known got a proposal; higher bounds propose less and are
 * hardly more right. */
#define NEAREST_SUPPORT_MIN 0.07
#define NEAREST_ALIKE_MIN   0.6

MUST_USE enum err nearest_create(const struct text_rules *rules, struct nearest **out);
void nearest_destroy(struct nearest **nearest);

/* `text`: masked. */
struct proposal nearest_find(struct nearest *nearest, struct span text);

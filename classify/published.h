/* classify/published.h - the rules in force, for all threads that classify: one atomic pointer.
 *
 * A set of rules never changes. A new one takes the place of the old one at once; each reader goes on
 * with the one that it holds until its batch ends, and a set that nobody holds any longer is freed.
 * What a reader needs to use a set (its classifier) is made before the set is published, so a reader
 * never waits, never locks, and never takes memory.
 *
 * Owns:    the sets in force and those still held.
 * Limit:   the number of readers is fixed.
 * Thread:  published_create(), _swap(), _reclaim(), _destroy(): one, the owner's. A reader is
 *          confined to its own. published_destroy(): when no reader holds anything any more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"
#include "classify/tally.h"

struct published_rules;

/* Takes the ruleset over, also on an error. */
MUST_USE enum err published_create(struct ruleset *ruleset,
                                   size_t reader_count,
                                   struct published_rules **out);
void published_destroy(struct published_rules **published);

/* Takes the ruleset over. ERR_NO_MEMORY: the set that was in force stays. */
MUST_USE enum err published_swap(struct published_rules *published, struct ruleset *ruleset);

/* Frees the sets that nobody holds any longer; how many are still held beside the one in force. */
size_t published_reclaim(struct published_rules *published);

/* The one in force; valid until the next published_swap(). The owner's thread. */
const struct ruleset *published_ruleset(const struct published_rules *published);

/* --- what the readers have counted (tally.h) ---------------------------------------------------
 *
 * The owner asks; each reader copies its tally of the newest rules when it next comes by between two
 * batches, and goes on; the owner reads the copies. Nobody waits for anybody.
 */

/* From now on copies that were made before are no longer to be had. */
void published_ask(struct published_rules *published);

/* A reader that holds nothing; one load where nobody asked. */
void published_answer(struct published_rules *published, size_t reader);

/* Of those that joined. */
size_t published_readers(const struct published_rules *published);

/* The reader's answer, about the rules in force; good until the next published_ask() or _swap().
 * NULL: it has not answered yet. The owner's thread. */
const struct tally *published_tally(const struct published_rules *published, size_t reader);

/* --- readers ------------------------------------------------------------------------------- */

/* A number for a reader of its own, for life: 0, 1, ... Any thread. */
size_t published_join(struct published_rules *published);

/* The newest rules: good until this reader lets go or holds again. */
struct classifier *published_hold(struct published_rules *published, size_t reader);
void published_let_go(struct published_rules *published, size_t reader);

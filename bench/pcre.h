/* bench/pcre.h - what text rules are measured against: the same patterns in PCRE2's JIT.
 *
 * As one would do it well: compiled without captures, for bytes, without regard to the case of A to
 * Z; match data, stack and context are made once; the fast call that checks nothing.
 *
 * Thread: confined to one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/text_rules_build.h"

struct pcre;

/* ERR_REFUSED: built without PCRE2. ERR_BAD_CONFIG: a pattern that it does not compile (printed).
 * The rules must live as long. */
MUST_USE enum err pcre_create(const struct text_rules *rules, struct pcre **out);
void pcre_destroy(struct pcre **pcre);

/* `10.42 2022-12-11`; "" if built without. */
void pcre_version(char out[32]);

/* `reply`: its text is what patterns see (text_seen.h).
 *
 * The first rule whose conditions hold and whose pattern is found, by one after the other. */
const struct text_rule *pcre_one_by_one(struct pcre *pcre,
                                        const struct event *event,
                                        const struct reply *reply);

/* All patterns in one alternation, or in as few as the library's limits allow: the rule of the
 * leftmost match, the first of those that begin there, which need not be the first rule; conditions
 * are not asked. Of several alternations the first rule is taken. */
const struct text_rule *pcre_alternation(struct pcre *pcre, struct span text);

size_t pcre_alternation_count(const struct pcre *pcre);

/* Matches that it gave up (limits, stack). */
size_t pcre_given_up(const struct pcre *pcre);

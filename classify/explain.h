/* classify/explain.h - why classify() said what it said: for people, not for the hot path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/codes.h"
#include "classify/text_rules.h"

enum { EXPLAIN_CANDIDATES_MAX = 64 };

/* What became of the hint of the upstream's class. */
enum hint_use {
    HINT_NOT_ASKED, /* rules, codes or silence had an answer */
    HINT_REFUSED,   /* it says nothing, or is about a deferral that would begin to count */
    HINT_TAKEN,
};

struct explanation {
    struct meaning meaning; /* what classify() says */
    bool is_by_event; /* its kind or origin settled it: no rule was asked, the rest is empty */
    /* rules whose pattern was found, in order of precedence */
    struct text_candidate candidates[EXPLAIN_CANDIDATES_MAX];
    size_t candidate_count;
    bool has_code; /* what the table of codes says, also where a text rule won */
    struct code_match code;
    enum category hint; /* of the event's native class; CATEGORY_NONE: it hints at nothing */
    enum hint_use hint_use;
};

void classify_explain(struct classifier *classifier,
                      const struct event *event,
                      struct explanation *out);

/* The reply as rules are asked: with the codes that its text names where it names none itself. */
struct reply classify_reply(const struct reply *reply);

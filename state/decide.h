/* state/decide.h - what an event does to a record (design 5), as a pure function.
 *
 * No clock, no memory, no other input than its arguments: the decisions of a key follow from that
 * key's own events alone, in the order in which they are given.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "state/record.h"

enum {
    /* one suppression that lapses and one that begins */
    DECISIONS_PER_EVENT_MAX = 2,
};

/* Suppressions that ended up to this long before the newest event are left to their key's next
 * event; the sweep releases the older ones. */
#define SWEEP_LAPSE_AFTER_MS (INT64_C(60) * 60 * 1000)
/* A record that is spent is dropped by the sweep so long after. */
#define SWEEP_DROP_AFTER_MS (7 * DAY_MS)

enum decision_action { ACTION_SUPPRESS, ACTION_RELEASE };

struct decision {
    enum decision_action action;
    bool of_wish;           /* else of the mailbox */
    const char *rule;       /* a release's: why (lapse, delivery, operator) */
    enum category category; /* a release carries the one that it ends */
    int64_t expires_ms;     /* 0: for good, or a release */
    int64_t seq;
    int64_t ts_ms;
    /* a suppression's: what it rests on, oldest first */
    struct failure failures[FAILURES_MAX];
    size_t failure_count;
    int64_t last_delivered_ms; /* 0: none is remembered */
};

/* Told each decision at once, with the record as it is after it; key_text names the key. Decision
 * and record are borrowed for the call. `observation` is NULL where time alone decided. */
struct decision_sink {
    void *context;
    void (*decided)(void *context,
                    const struct record *record,
                    const struct decision *decision,
                    const struct observation *observation);
};

/* Step 2 as far as it needs no rules: false, nothing happens whatever the policy. For the intake,
 * which does not even send it. */
bool observation_matters(enum kind kind, enum origin origin, enum category category);

/* Step 2, the rest: false for a bounce that no rule takes. */
bool policy_matters(const struct policy *policy, const struct observation *observation);

/* A delivery changes nothing where there is no record. */
bool observation_needs_record(const struct observation *observation);

/* Steps 3 to 11. The observation matters. A record that is new is empty. */
void decide(struct record *record,
            const struct policy *policy,
            const struct observation *observation,
            const struct decision_sink *sink);

/* Time alone, step 3's release: what ended at or before now_ms. True if something was released. */
bool decide_lapse(struct record *record, int64_t now_ms, const struct decision_sink *sink);

/* Step 3 would empty it at now_ms. */
bool record_is_spent(const struct record *record, int64_t now_ms);

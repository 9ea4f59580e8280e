/* state/policy.h - the rules that suppress, as rows of a table (design 5).
 *
 * "Where does a 452 4.2.2 become a suppression?" The rules of classify/ call it mailbox_full; the
 * rows in policy.c say which rule takes mailbox_full, how many sends it needs, and how long it
 * lasts; decide.c asks the second.
 *
 * Thread:  immutable once made; shared by all workers.
 * Time:    milliseconds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "state/observation.h"

/* The window of every rule and the length of the memory. */
#define MEMORY_MS (30 * DAY_MS)

enum {
    RULE_NAME_SIZE_MAX = 31,
    POLICY_ROWS_MAX = 8,
    POLICY_TENANTS_MAX = 4096,
};

/* A set of categories: bit 1 << category. */
typedef uint64_t category_set;
_Static_assert(CATEGORY_COUNT <= 64, "a category_set has 64 bits");

struct policy_row {
    const char *rule;
    category_set finals;    /* the final failures that it takes */
    category_set deferrals; /* the deferrals that it takes */
    uint8_t sends;          /* holds at so many, ... */
    int64_t span_ms;        /* ... the newest at least so far from the oldest */
    bool mild;              /* a delivery ends it, repetition doubles it */
    bool all_mail;          /* else: all but transactional */
    int64_t lasts_ms;       /* 0: for good. Mild: the first time */
    int64_t lasts_max_ms;   /* mild: doubling ends here */
    enum category shorter;  /* this category lasts shorter_ms instead; CATEGORY_NONE: no such */
    int64_t shorter_ms;
};

struct policy {
    const char *name;
    struct policy_row rows[POLICY_ROWS_MAX];
    size_t row_count;
    category_set finals_any; /* of all rows */
};

/* default, careful, handshake; NULL: no such. */
const struct policy *policy_preset(struct span name);

/* How long a suppression of this row and category lasts, 0: for good. `repeats` counts from 1, mild
 * rows only. */
int64_t policy_row_lasts_ms(const struct policy_row *row, enum category category, uint8_t repeats);
bool policy_row_takes(const struct policy_row *row, bool final, enum category category);

/* Which rules judge whom. `tenants` with rules of their own, sorted by policy_set_create(). */
struct policy_set;

struct policy_tenant {
    struct span name; /* canonical (address.h) */
    const struct policy *policy;
};

/* Copies the names; the policies are borrowed for life. A tenant named twice: ERR_BAD_CONFIG,
 * logged. */
MUST_USE enum err policy_set_create(const struct policy *common,
                                    bool mailbox_scope_tenant,
                                    const struct policy_tenant *tenants,
                                    size_t tenant_count,
                                    struct policy_set **out);
void policy_set_destroy(struct policy_set **set);

/* Changes with any row of any rules in force, who has which, and the scope. `seed`: of what else. */
uint64_t policy_set_hash(const struct policy_set *set, uint64_t seed);

/* Step 1 of the decision: whose record is it? `tenant` canonical or SPAN_NONE. */
bool policy_scope_is_tenant(const struct policy_set *set, enum kind kind, struct span tenant);
/* The rules that judge this record. */
const struct policy *policy_of(const struct policy_set *set, bool scope_tenant, struct span tenant);

/* state/policy.c - the rows. See policy.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/policy.h"

#include <stdlib.h>

#include <xxhash.h>

#include "base/log.h"

#define SET(category) (UINT64_C(1) << CATEGORY_##category)

#define CLASS_HARD_SET                                                                             \
    (SET(INVALID_RECIPIENT) | SET(BAD_ADDRESS) | SET(BAD_DOMAIN) | SET(INACTIVE_MAILBOX) |         \
     SET(MOVED))
#define CLASS_FULL_SET SET(MAILBOX_FULL)
#define CLASS_SOFT_SET (SET(RECIPIENT_REFUSED) | SET(RELAY_DENIED) | SET(EXPIRED) | SET(SOFT_OTHER))

#define SOFT_FINALS    (CLASS_FULL_SET | CLASS_SOFT_SET | SET(UNKNOWN_PERMANENT))
#define SOFT_DEFERRALS (SOFT_FINALS | CLASS_HARD_SET)

#define ROW_HARD                                                                                   \
    {                                                                                              \
        .rule = "hard", .finals = CLASS_HARD_SET, .sends = 1, .all_mail = true,                    \
        .shorter = CATEGORY_INACTIVE_MAILBOX, .shorter_ms = 180 * DAY_MS,                          \
    }

/* Both mild rules last alike: 30 days, doubled on each repetition, at most 180. */
#define MILD .mild = true, .lasts_ms = 30 * DAY_MS, .lasts_max_ms = 180 * DAY_MS

static const struct policy PRESETS[] = {
    {
        .name = "default",
        .row_count = 3,
        .finals_any = CLASS_HARD_SET | SOFT_FINALS,
        .rows = {ROW_HARD,
                 {
                     .rule = "full",
                     .finals = CLASS_FULL_SET,
                     .deferrals = CLASS_FULL_SET,
                     .sends = 2,
                     .span_ms = 7 * DAY_MS,
                     MILD,
                 },
                 {
                     .rule = "soft",
                     .finals = SOFT_FINALS,
                     .deferrals = SOFT_DEFERRALS,
                     .sends = 3,
                     MILD,
                 }},
    },
    {
        .name = "careful",
        .row_count = 3,
        .finals_any = CLASS_HARD_SET | SOFT_FINALS,
        .rows = {ROW_HARD,
                 {
                     .rule = "full",
                     .finals = CLASS_FULL_SET,
                     .sends = 2,
                     .span_ms = 7 * DAY_MS,
                     MILD,
                 },
                 {
                     .rule = "soft",
                     .finals = SOFT_FINALS,
                     .sends = 3,
                     .span_ms = 3 * DAY_MS,
                     MILD,
                 }},
    },
    {
        .name = "handshake",
        .row_count = 2,
        .finals_any = CLASS_HARD_SET | SOFT_FINALS,
        .rows = {ROW_HARD,
                 {
                     .rule = "soft",
                     .finals = SOFT_FINALS,
                     .sends = 3,
                     .span_ms = 14 * DAY_MS,
                     MILD,
                 }},
    },
};

enum { PRESET_COUNT = sizeof(PRESETS) / sizeof(PRESETS[0]) };

const struct policy *policy_preset(struct span name)
{
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        if (span_equal(span_of(PRESETS[i].name), name)) {
            return &PRESETS[i];
        }
    }
    return NULL;
}

int64_t policy_row_lasts_ms(const struct policy_row *row, enum category category, uint8_t repeats)
{
    if (row->mild) {
        CHECK(repeats >= 1);
        int64_t lasts_ms = row->lasts_ms;
        for (uint8_t i = 1; i < repeats && lasts_ms < row->lasts_max_ms; i++) {
            lasts_ms *= 2;
        }
        return lasts_ms < row->lasts_max_ms ? lasts_ms : row->lasts_max_ms;
    }
    if (row->shorter != CATEGORY_NONE && row->shorter == category) {
        return row->shorter_ms;
    }
    return row->lasts_ms;
}

bool policy_row_takes(const struct policy_row *row, bool final, enum category category)
{
    const category_set set = final ? row->finals : row->deferrals;
    return (set >> category & 1) != 0;
}

/* --- which rules judge whom ------------------------------------------------------------------- */

struct policy_set {
    const struct policy *common;
    bool mailbox_scope_tenant;
    size_t tenant_count;
    struct own_rules {
        char name[TENANT_SIZE_MAX];
        size_t name_size;
        const struct policy *policy;
    } tenants[];
};

static int compare_names(struct span a, struct span b)
{
    const size_t size = a.size < b.size ? a.size : b.size;
    const int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static struct span own_rules_name(const struct own_rules *rules)
{
    return (struct span){rules->name, rules->name_size};
}

static int compare_own_rules(const void *a, const void *b)
{
    return compare_names(own_rules_name(a), own_rules_name(b));
}

static const struct policy *own_policy(const struct policy_set *set, struct span tenant)
{
    size_t low = 0;
    size_t high = set->tenant_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_names(own_rules_name(&set->tenants[middle]), tenant);
        if (order == 0) {
            return set->tenants[middle].policy;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

enum err policy_set_create(const struct policy *common,
                           bool mailbox_scope_tenant,
                           const struct policy_tenant *tenants,
                           size_t tenant_count,
                           struct policy_set **out)
{
    struct policy_set *set = calloc(1, sizeof(*set) + tenant_count * sizeof(set->tenants[0]));
    if (set == NULL) {
        return ERR_NO_MEMORY;
    }
    set->common = common;
    set->mailbox_scope_tenant = mailbox_scope_tenant;
    set->tenant_count = tenant_count;
    for (size_t i = 0; i < tenant_count; i++) {
        const struct span name = tenants[i].name;
        CHECK(name.size <= TENANT_SIZE_MAX);
        memcpy(set->tenants[i].name, name.data, name.size);
        set->tenants[i].name_size = name.size;
        set->tenants[i].policy = tenants[i].policy;
    }
    qsort(set->tenants, tenant_count, sizeof(set->tenants[0]), compare_own_rules);
    for (size_t i = 1; i < tenant_count; i++) {
        if (compare_own_rules(&set->tenants[i - 1], &set->tenants[i]) == 0) {
            log_error("policy.tenants names a tenant twice: keep one tenant=%.*s",
                      SPAN_ARGS(own_rules_name(&set->tenants[i])));
            free(set);
            return ERR_BAD_CONFIG;
        }
    }
    *out = set;
    return OK;
}

void policy_set_destroy(struct policy_set **set)
{
    free(*set);
    *set = NULL;
}

static uint64_t hash_text(struct span text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.data, text.size, seed);
}

static uint64_t hash_row(const struct policy_row *row, uint64_t seed)
{
    const uint64_t numbers[] = {
        row->finals,
        row->deferrals,
        row->sends,
        (uint64_t)row->span_ms,
        row->mild,
        row->all_mail,
        (uint64_t)row->lasts_ms,
        (uint64_t)row->lasts_max_ms,
        (uint64_t)row->shorter,
        (uint64_t)row->shorter_ms,
    };
    return XXH3_64bits_withSeed(numbers, sizeof(numbers), hash_text(span_of(row->rule), seed));
}

static uint64_t hash_policy(const struct policy *policy, uint64_t seed)
{
    for (size_t i = 0; i < policy->row_count; i++) {
        seed = hash_row(&policy->rows[i], seed);
    }
    return seed;
}

uint64_t policy_set_hash(const struct policy_set *set, uint64_t seed)
{
    seed = hash_policy(set->common, seed + set->mailbox_scope_tenant);
    for (size_t i = 0; i < set->tenant_count; i++) {
        seed = hash_text(own_rules_name(&set->tenants[i]), seed);
        seed = hash_policy(set->tenants[i].policy, seed);
    }
    return seed;
}

bool policy_scope_is_tenant(const struct policy_set *set, enum kind kind, struct span tenant)
{
    if (tenant.size == 0) {
        return false;
    }
    if (kind == KIND_DELIVERED || kind_is_failure(kind)) {
        return set->mailbox_scope_tenant || own_policy(set, tenant) != NULL;
    }
    return true;
}

const struct policy *policy_of(const struct policy_set *set, bool scope_tenant, struct span tenant)
{
    const struct policy *own = scope_tenant ? own_policy(set, tenant) : NULL;
    return own != NULL ? own : set->common;
}

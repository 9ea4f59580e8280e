/* classify/published.c - see published.h.
 *
 * A reader says which set it holds in a place of its own (a hazard pointer, Michael 2004). It
 * announces first and then looks whether the set is still the one in force: either the owner, who
 * swaps first and then looks at the announcements, sees this one and keeps the set, or the reader
 * sees the newer set and announces that. All four accesses are sequentially consistent for that; it
 * is done once a batch. An idle reader holds nothing, so it keeps no old set alive.
 *
 * A question is a number; a reader that has answered it says so with the same number (release), and
 * does not touch its copy until it sees another one. Only the owner asks, so what it has seen
 * answered (acquire) lies still.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/published.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

struct set {
    struct set *next; /* of those that are no longer in force */
    struct ruleset *ruleset;
    size_t count;
    struct classifier *classifiers[]; /* one a reader */
};

/* A cache line each: readers write these. */
struct holder {
    _Alignas(64) _Atomic(struct set *) held;
    atomic_size_t answered; /* the newest question that it answered */
};

struct published_rules {
    _Atomic(struct set *) current;
    struct set *replaced;
    atomic_size_t joined;
    atomic_size_t asked; /* the newest question */
    size_t reader_count;
    struct holder *readers;
};

static void set_destroy(struct set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        classifier_destroy(&set->classifiers[i]);
    }
    ruleset_destroy(&set->ruleset);
    free(set);
}

/* Takes the ruleset over, also on an error. */
static enum err set_create(struct ruleset *ruleset, size_t count, struct set **out)
{
    struct set *set = calloc(1, sizeof(*set) + count * sizeof(struct classifier *));
    if (set == NULL) {
        ruleset_destroy(&ruleset);
        return ERR_NO_MEMORY;
    }
    set->ruleset = ruleset;
    for (; set->count < count; set->count++) {
        const enum err err = classifier_create(ruleset, &set->classifiers[set->count]);
        if (err != OK) {
            set_destroy(set);
            return err;
        }
    }
    *out = set;
    return OK;
}

enum err published_create(struct ruleset *ruleset,
                          size_t reader_count,
                          struct published_rules **out)
{
    struct set *set;
    const enum err err = set_create(ruleset, reader_count, &set);
    if (err != OK) {
        return err;
    }
    struct published_rules *published = calloc(1, sizeof(*published));
    struct holder *readers =
        aligned_alloc(_Alignof(struct holder), (reader_count + 1) * sizeof(struct holder));
    if (published == NULL || readers == NULL) {
        free(published);
        free(readers);
        set_destroy(set);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < reader_count; i++) {
        atomic_init(&readers[i].held, NULL);
        atomic_init(&readers[i].answered, 0);
    }
    published->readers = readers;
    published->reader_count = reader_count;
    atomic_init(&published->current, set);
    atomic_init(&published->joined, 0);
    atomic_init(&published->asked, 0);
    *out = published;
    return OK;
}

void published_destroy(struct published_rules **published)
{
    struct published_rules *p = *published;
    *published = NULL;
    if (p != NULL) {
        CHECK(published_reclaim(p) == 0);
        set_destroy(atomic_load_explicit(&p->current, memory_order_relaxed));
        free(p->readers);
        free(p);
    }
}

static bool is_held(struct published_rules *published, const struct set *set)
{
    for (size_t i = 0; i < published->reader_count; i++) {
        if (atomic_load_explicit(&published->readers[i].held, memory_order_seq_cst) == set) {
            return true;
        }
    }
    return false;
}

size_t published_reclaim(struct published_rules *published)
{
    size_t count = 0;
    struct set **link = &published->replaced;
    while (*link != NULL) {
        struct set *set = *link;
        if (is_held(published, set)) {
            link = &set->next;
            count++;
        } else {
            *link = set->next;
            set_destroy(set);
        }
    }
    return count;
}

enum err published_swap(struct published_rules *published, struct ruleset *ruleset)
{
    struct set *set;
    const enum err err = set_create(ruleset, published->reader_count, &set);
    if (err != OK) {
        return err;
    }
    struct set *old = atomic_exchange_explicit(&published->current, set, memory_order_seq_cst);
    published_ask(published); /* answers about the old set are none about this one */
    old->next = published->replaced;
    published->replaced = old;
    (void)published_reclaim(published);
    return OK;
}

const struct ruleset *published_ruleset(const struct published_rules *published)
{
    return atomic_load_explicit(&published->current, memory_order_relaxed)->ruleset;
}

size_t published_join(struct published_rules *published)
{
    const size_t reader = atomic_fetch_add_explicit(&published->joined, 1, memory_order_relaxed);
    CHECK(reader < published->reader_count);
    return reader;
}

struct classifier *published_hold(struct published_rules *published, size_t reader)
{
    _Atomic(struct set *) *held = &published->readers[reader].held;
    struct set *set = atomic_load_explicit(&published->current, memory_order_seq_cst);
    for (;;) {
        atomic_store_explicit(held, set, memory_order_seq_cst);
        struct set *now = atomic_load_explicit(&published->current, memory_order_seq_cst);
        if (now == set) {
            return set->classifiers[reader];
        }
        set = now;
    }
}

/* The release pairs with the owner's look at it in is_held(): what was read of the set, was. */
void published_let_go(struct published_rules *published, size_t reader)
{
    atomic_store_explicit(&published->readers[reader].held, NULL, memory_order_release);
}

/* Release: a reader that sees the question sees the set that it is about. */
void published_ask(struct published_rules *published)
{
    atomic_fetch_add_explicit(&published->asked, 1, memory_order_release);
}

void published_answer(struct published_rules *published, size_t reader)
{
    struct holder *own = &published->readers[reader];
    const size_t asked = atomic_load_explicit(&published->asked, memory_order_acquire);
    if (asked == atomic_load_explicit(&own->answered, memory_order_relaxed)) {
        return;
    }
    classifier_copy_tally(published_hold(published, reader));
    published_let_go(published, reader);
    atomic_store_explicit(&own->answered, asked, memory_order_release);
}

size_t published_readers(const struct published_rules *published)
{
    return atomic_load_explicit(&published->joined, memory_order_relaxed);
}

const struct tally *published_tally(const struct published_rules *published, size_t reader)
{
    const struct set *set = atomic_load_explicit(&published->current, memory_order_relaxed);
    const size_t asked = atomic_load_explicit(&published->asked, memory_order_relaxed);
    const size_t answered =
        atomic_load_explicit(&published->readers[reader].answered, memory_order_acquire);
    return answered == asked ? classifier_tally_copy(set->classifiers[reader]) : NULL;
}

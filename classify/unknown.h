/* classify/unknown.h - the replies that no rule knew: the most frequent ones, with counts, in bounded
 * memory.
 *
 * Texts are masked (mask.h) before they are counted or kept, so nobody's address stands here. One
 * entry is one provider, reply code, enhanced code and masked text, or the same of all providers: what
 * a thousand small hosts say once each is seen only there.
 *
 * Algorithm: Space-Saving (Metwally, Agrawal, El Abbadi 2005). With UNKNOWN_MAX entries taken a new
 *            text takes the place of the rarest one and inherits its count. So a count is never too
 *            low and at most `error` too high; error <= total / UNKNOWN_MAX; and every text that came
 *            more often than that is here.
 * Owns:      UNKNOWN_MAX entries, all taken by unknown_create(): 370 KB, untouched while they are empty.
 * Memory:    unknown_add() takes none.
 * Cost:      about 1 us for a text of 60 bytes, most of it the mask: a sixth of what reading the text by
 *            193 rules of words takes. The table itself: log2(UNKNOWN_MAX) steps at most.
 * Thread:    confined to one. No clock: times are the events'.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/err.h"
#include "classify/event.h"

enum {
    UNKNOWN_MAX = 1024,
    UNKNOWN_PROVIDER_SIZE = 48, /* the end of a longer name is kept */
    UNKNOWN_TEXT_SIZE = 240,    /* the beginning of a longer text is kept */
};

struct unknown_entry {
    uint64_t key;      /* of provider, codes and text */
    uint64_t text_key; /* of codes and text */
    uint64_t count;
    uint64_t error;   /* how much of the count may be others' */
    int64_t first_ms; /* event times since it took its place: the earliest and the latest */
    int64_t last_ms;
    uint16_t code; /* 0: none */
    struct enhanced enhanced;
    enum category category; /* what its codes made of it: unknown_permanent, server_busy, ... */
    uint8_t provider_size;
    uint8_t text_size;
    char provider[UNKNOWN_PROVIDER_SIZE];
    char text[UNKNOWN_TEXT_SIZE];
};

static inline struct span unknown_provider(const struct unknown_entry *entry)
{
    return (struct span){entry->provider, entry->provider_size};
}

static inline struct span unknown_text(const struct unknown_entry *entry)
{
    return (struct span){entry->text, entry->text_size};
}

struct unknown;

MUST_USE enum err unknown_create(struct unknown **out);
void unknown_destroy(struct unknown **unknown);

/* What is counted of an event: its reply, masked, once. `provider`: as a rule file or the event calls it;
 * SPAN_NONE: found by MX, then by the recipient's domain. `category`: what was made of it. */
struct unknown_entry unknown_entry_of(const struct event *event,
                                      struct span provider,
                                      enum category category,
                                      int64_t ts_ms);

/* The same of all providers: the provider is empty. */
void unknown_forget_provider(struct unknown_entry *entry);

void unknown_add(struct unknown *unknown, const struct unknown_entry *entry);

/* Makes `to` the same as `from`. */
void unknown_copy(struct unknown *to, const struct unknown *from);

/* All that were added, also those whose entry is another's now. */
uint64_t unknown_total(const struct unknown *unknown);
size_t unknown_count(const struct unknown *unknown);

/* The entries of several tables, the most frequent first, the same one of several tables as one
 * whose bounds hold for all (Agarwal et al. 2012, "Mergeable summaries"). *out is the caller's to
 * free(). ERR_NO_MEMORY. */
MUST_USE enum err unknown_merge(const struct unknown *const *tables,
                                size_t table_count,
                                struct unknown_entry **out,
                                size_t *count);

/* What is reported of a name that nobody gave: the part of a host or domain that its owner registered,
 * by the look of it (example.co.uk of mx1.mail.example.co.uk). */
struct span unknown_registered_part(struct span name);

/* classify/unknown.c - see unknown.h.
 *
 *     heads[hash]  ->  entry  ->  entry         a chain of the entries with the same hash
 *     heap[0]          the rarest entry; heap[i] is no more frequent than heap[2i+1] and heap[2i+2]
 *
 * An entry that is counted once more sinks in the heap a step or two. A table that is not full puts
 * its new entry at the end of the heap, from where it rises.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/unknown.h"

#include <stdlib.h>

#include <xxhash.h>

#include "base/log.h"
#include "classify/mask.h"

enum { HEADS = 2 * UNKNOWN_MAX, NOWHERE = UINT16_MAX };

_Static_assert((int)UNKNOWN_MAX < (int)NOWHERE, "an entry's number fits two bytes");
_Static_assert(UNKNOWN_TEXT_SIZE <= UINT8_MAX && UNKNOWN_PROVIDER_SIZE <= UINT8_MAX,
               "sizes fit one byte");

struct unknown {
    uint64_t total;
    size_t count;
    uint16_t heads[HEADS];
    uint16_t next[UNKNOWN_MAX]; /* in the chain */
    uint16_t heap[UNKNOWN_MAX];
    uint16_t place[UNKNOWN_MAX]; /* in the heap */
    struct unknown_entry entries[UNKNOWN_MAX];
};

enum err unknown_create(struct unknown **out)
{
    struct unknown *unknown = calloc(1, sizeof(*unknown));
    if (unknown == NULL) {
        return ERR_NO_MEMORY;
    }
    memset(unknown->heads, 0xff, sizeof(unknown->heads));
    *out = unknown;
    return OK;
}

void unknown_destroy(struct unknown **unknown)
{
    free(*unknown);
    *unknown = NULL;
}

uint64_t unknown_total(const struct unknown *unknown)
{
    return unknown->total;
}

size_t unknown_count(const struct unknown *unknown)
{
    return unknown->count;
}

void unknown_copy(struct unknown *to, const struct unknown *from)
{
    /* entries that are not taken stay untouched memory */
    memcpy(to, from, offsetof(struct unknown, entries) + from->count * sizeof(from->entries[0]));
}

/* --- whose reply it was -------------------------------------------------------------------------
 */

static struct span last_labels(struct span name, size_t labels)
{
    size_t begin = name.size;
    while (begin > 0 && (name.data[begin - 1] != '.' || --labels > 0)) {
        begin--;
    }
    return (struct span){name.data + begin, name.size - begin};
}

/* Below a country's name these are no owner's (example.co.uk, example.or.jp). */
static bool is_registry(struct span label)
{
    static const char *const LABELS[] = {"ac",  "ad", "co", "com", "ed",  "edu", "go", "gob",
                                         "gov", "gr", "lg", "ne",  "net", "nom", "or", "org"};
    for (size_t i = 0; i < sizeof(LABELS) / sizeof(LABELS[0]); i++) {
        if (span_equal_nocase(label, span_of(LABELS[i]))) {
            return true;
        }
    }
    return false;
}

struct span unknown_registered_part(struct span name)
{
    const struct span country = last_labels(name, 1);
    const struct span two = last_labels(name, 2);
    if (country.size == 2 && two.size > country.size &&
        is_registry((struct span){two.data, two.size - country.size - 1})) {
        return last_labels(name, 3);
    }
    return two;
}

/* Without what stands around a name: spaces, angle brackets, the dot of the root. */
static struct span bare(struct span name)
{
    name = span_trim(name);
    while (name.size > 0 && (name.data[name.size - 1] == '>' || name.data[name.size - 1] == '.')) {
        name.size--;
    }
    return name;
}

static struct span domain_of(struct span recipient)
{
    const char *at = recipient.size == 0 ? NULL : memrchr(recipient.data, '@', recipient.size);
    return at == NULL ? SPAN_NONE
                      : (struct span){at + 1, recipient.size - (size_t)(at + 1 - recipient.data)};
}

static bool is_address_literal(struct span name)
{
    return name.size > 0 && ((name.data[name.size - 1] >= '0' && name.data[name.size - 1] <= '9') ||
                             name.data[name.size - 1] == ']');
}

static struct span provider_of(const struct event *event, struct span given)
{
    const struct span mx = bare(event->mx);
    if (given.size > 0) {
        return given;
    }
    if (mx.size > 0 && !is_address_literal(mx)) {
        return unknown_registered_part(mx);
    }
    return unknown_registered_part(bare(domain_of(event->recipient)));
}

/* Lower case, and nothing that a terminal or a table would stumble over. */
static size_t write_provider(struct span provider, char out[UNKNOWN_PROVIDER_SIZE])
{
    if (provider.size > UNKNOWN_PROVIDER_SIZE) {
        provider = (struct span){provider.data + provider.size - UNKNOWN_PROVIDER_SIZE,
                                 UNKNOWN_PROVIDER_SIZE};
    }
    for (size_t i = 0; i < provider.size; i++) {
        const char c = provider.data[i];
        const bool is_plain = c > ' ' && c < 0x7f;
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : is_plain ? c : '?';
    }
    return provider.size;
}

/* --- the table ----------------------------------------------------------------------------------
 */

static uint64_t hash_of_text(const struct unknown_entry *entry)
{
    const uint64_t codes = (uint64_t)entry->code << 32 | (uint64_t)entry->enhanced.class_ << 24 |
                           (uint64_t)entry->enhanced.subject << 12 | entry->enhanced.detail;
    return XXH3_64bits_withSeed(entry->text, entry->text_size, codes);
}

struct unknown_entry unknown_entry_of(const struct event *event,
                                      struct span provider,
                                      enum category category,
                                      int64_t ts_ms)
{
    struct unknown_entry entry = {
        .count = 1,
        .first_ms = ts_ms,
        .last_ms = ts_ms,
        .code = event->reply.code,
        .enhanced = event->reply.enhanced,
        .category = category,
    };
    entry.provider_size = (uint8_t)write_provider(provider_of(event, provider), entry.provider);
    entry.text_size =
        (uint8_t)mask_text(event->reply.text, event->recipient, entry.text, UNKNOWN_TEXT_SIZE);
    entry.text_key = hash_of_text(&entry);
    entry.key = XXH3_64bits_withSeed(entry.provider, entry.provider_size, entry.text_key);
    return entry;
}

void unknown_forget_provider(struct unknown_entry *entry)
{
    entry->provider_size = 0;
    entry->key = entry->text_key;
}

static bool is_before(const struct unknown *unknown, size_t i, size_t j)
{
    return unknown->entries[unknown->heap[i]].count < unknown->entries[unknown->heap[j]].count;
}

static void swap(struct unknown *unknown, size_t i, size_t j)
{
    const uint16_t moved = unknown->heap[i];
    unknown->heap[i] = unknown->heap[j];
    unknown->heap[j] = moved;
    unknown->place[unknown->heap[i]] = (uint16_t)i;
    unknown->place[unknown->heap[j]] = (uint16_t)j;
}

static void sink(struct unknown *unknown, size_t i)
{
    for (;;) {
        size_t rarest = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < unknown->count; child++) {
            rarest = is_before(unknown, child, rarest) ? child : rarest;
        }
        if (rarest == i) {
            return;
        }
        swap(unknown, i, rarest);
        i = rarest;
    }
}

static void rise(struct unknown *unknown, size_t i)
{
    while (i > 0 && is_before(unknown, i, (i - 1) / 2)) {
        swap(unknown, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static uint16_t *head_of(struct unknown *unknown, uint64_t key)
{
    return &unknown->heads[key % HEADS];
}

static uint16_t find(const struct unknown *unknown, uint64_t key)
{
    uint16_t i = unknown->heads[key % HEADS];
    while (i != NOWHERE && unknown->entries[i].key != key) {
        i = unknown->next[i];
    }
    return i;
}

static void unlink_entry(struct unknown *unknown, uint16_t i)
{
    uint16_t *link = head_of(unknown, unknown->entries[i].key);
    while (*link != i) {
        CHECK(*link != NOWHERE);
        link = &unknown->next[*link];
    }
    *link = unknown->next[i];
}

static void set_entry(struct unknown *unknown, uint16_t i, const struct unknown_entry *entry)
{
    uint16_t *head = head_of(unknown, entry->key);
    unknown->entries[i] = *entry;
    unknown->next[i] = *head;
    *head = i;
}

static void count_again(struct unknown_entry *entry, const struct unknown_entry *newer)
{
    entry->count += newer->count;
    entry->error += newer->error;
    entry->first_ms = newer->first_ms < entry->first_ms ? newer->first_ms : entry->first_ms;
    entry->last_ms = newer->last_ms > entry->last_ms ? newer->last_ms : entry->last_ms;
}

/* In the place of the rarest: it may have come as often as that one before we looked. */
static void replace_rarest(struct unknown *unknown, const struct unknown_entry *newer)
{
    const uint16_t i = unknown->heap[0];
    struct unknown_entry entry = *newer;
    entry.error = unknown->entries[i].count;
    entry.count += entry.error;
    unlink_entry(unknown, i);
    set_entry(unknown, i, &entry);
    sink(unknown, 0);
}

static void append(struct unknown *unknown, const struct unknown_entry *entry)
{
    const uint16_t i = (uint16_t)unknown->count++;
    set_entry(unknown, i, entry);
    unknown->heap[i] = i;
    unknown->place[i] = i;
    rise(unknown, i);
}

void unknown_add(struct unknown *unknown, const struct unknown_entry *entry)
{
    const uint16_t i = find(unknown, entry->key);
    unknown->total++;
    if (i != NOWHERE) {
        count_again(&unknown->entries[i], entry);
        sink(unknown, unknown->place[i]);
    } else if (unknown->count < UNKNOWN_MAX) {
        append(unknown, entry);
    } else {
        replace_rarest(unknown, entry);
    }
}

/* --- merging ------------------------------------------------------------------------------------
 */

static uint64_t rarest_count(const struct unknown *unknown)
{
    return unknown->count < UNKNOWN_MAX ? 0 : unknown->entries[unknown->heap[0]].count;
}

/* Equal ones side by side. */
static int by_key(const void *left, const void *right)
{
    const struct unknown_entry *a = left;
    const struct unknown_entry *b = right;
    return (a->key > b->key) - (a->key < b->key);
}

static int most_frequent_first(const void *left, const void *right)
{
    const struct unknown_entry *a = left;
    const struct unknown_entry *b = right;
    return a->count != b->count ? (a->count < b->count) - (a->count > b->count)
                                : by_key(left, right);
}

/* Sorted by key: each run of equal keys becomes one entry. */
static size_t join_equal(struct unknown_entry *entries, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && entries[kept - 1].key == entries[i].key) {
            count_again(&entries[kept - 1], &entries[i]);
        } else {
            entries[kept++] = entries[i];
        }
    }
    return kept;
}

enum err unknown_merge(const struct unknown *const *tables,
                       size_t table_count,
                       struct unknown_entry **out,
                       size_t *count)
{
    uint64_t hidden = 0; /* what a text may have come to in tables that do not show it */
    size_t total = 0;
    for (size_t i = 0; i < table_count; i++) {
        total += tables[i]->count;
        hidden += rarest_count(tables[i]);
    }
    struct unknown_entry *entries = calloc(total + 1, sizeof(entries[0]));
    if (entries == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t filled = 0;
    for (size_t i = 0; i < table_count; i++) {
        /* beyond what it may hide in this table; `error` may wrap here and comes back below */
        for (size_t j = 0; j < tables[i]->count; j++, filled++) {
            entries[filled] = tables[i]->entries[j];
            entries[filled].count -= rarest_count(tables[i]);
            entries[filled].error -= rarest_count(tables[i]);
        }
    }
    qsort(entries, total, sizeof(entries[0]), by_key);
    total = join_equal(entries, total);
    for (size_t i = 0; i < total; i++) {
        entries[i].count += hidden;
        entries[i].error += hidden;
    }
    qsort(entries, total, sizeof(entries[0]), most_frequent_first);
    *out = entries;
    *count = total;
    return OK;
}

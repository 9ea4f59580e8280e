/* state/record.h - what is remembered of a key (design 5): the record, and its packed form.
 *
 * A record is worked on unpacked and kept packed: in the store, in the changelog, in snapshots, as
 * old image for undo; one form, written and read here. A counting record with three failures packs
 * into 44 bytes and so into one cache line of the store together with its key.
 *
 * Time:    event time in ms; 0 means never. Fits 48 bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "state/policy.h"

enum {
    FAILURES_MAX = 8,
    RECORD_PACKED_SIZE_MAX = 576,
    RECORD_FORMAT_VERSION = 1, /* of the packed form; stands in changelog values and snapshots */
};

/* A send is remembered by 40 bits of its hash: of at most nine sends of one key, two meet in 3e-11
 * of all cases. */
#define SEND_HASH_MASK UINT64_C(0xffffffffff)

/* The word that counts of one send. */
struct failure {
    uint64_t send;
    int64_t ts_ms;
    enum category category;
    bool final;
};

struct last_delivery {
    int64_t ts_ms; /* 0: none is remembered */
    uint64_t send;
    enum send_known_by known_by;
    bool has_tenant;
    bool came_back;
};

/* Who said it: schema, mailbox.source. */
enum source { SOURCE_BOUNCE, SOURCE_LATE_BOUNCE, SOURCE_OPERATOR };

struct mailbox_suppression {
    bool active;
    bool mild;
    bool all_mail;
    enum source source;
    enum category category;
    int64_t start_ms;
    int64_t end_ms; /* 0: for good */
    char rule[RULE_NAME_SIZE_MAX + 1];
};

/* In order of strength. */
enum wish_kind { WISH_NONE, WISH_UNSUBSCRIBE, WISH_COMPLAINT };

struct wish {
    enum wish_kind kind;
    int64_t ts_ms;    /* of the newest word; 0 if there is no wish */
    int64_t floor_ms; /* up to this time they no longer count */
};

struct record {
    struct key key;                            /* whose; not packed, it stands beside */
    struct failure failures[FAILURES_MAX + 1]; /* as they came; the ninth only while deciding */
    size_t failure_count;
    struct last_delivery delivery;
    int64_t floor_ms;   /* failures and deliveries up to this time no longer count */
    int64_t touched_ms; /* newest failure or release */
    struct mailbox_suppression mailbox;
    uint8_t repeats; /* mild suppressions in a row */
    struct wish wish;
    int64_t seq; /* of the last decision */
    /* the key as published; only while something is suppressed, because its release must name it */
    size_t key_size;
    char key_text[KEY_SIZE_MAX];
};

/* Everything never, nothing. */
void record_init(struct record *record, struct key key);
bool record_is_suppressed(const struct record *record);
static inline struct span record_key_text(const struct record *record)
{
    return (struct span){record->key_text, record->key_size};
}

/* At most RECORD_PACKED_SIZE_MAX bytes. The failures must be less than MEMORY_MS apart. */
size_t record_pack(const struct record *record, unsigned char out[RECORD_PACKED_SIZE_MAX]);
/* False: the bytes are not a packed record of RECORD_FORMAT_VERSION; *out is unspecified. */
MUST_USE bool record_unpack(struct span packed, struct key key, struct record *out);

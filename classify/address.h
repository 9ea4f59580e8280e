/* classify/address.h - who a recipient is: canonical address, tenant, key (design 3).
 *
 * Thread:  any; nothing is kept.
 * Sources: RFC 5321 4.1.2 and 4.5.3.1, RFC 5891 (A-labels, by libidn2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

enum {
    ADDRESS_SIZE_MAX = 320,
    TENANT_SIZE_MAX = 64,                                  /* once escaped */
    KEY_SIZE_MAX = TENANT_SIZE_MAX + 1 + ADDRESS_SIZE_MAX, /* tenant:recipient */
    SECRET_SIZE = 192,
};

struct address_options {
    bool keep_local_case; /* default: ASCII letters of the local part are lowered */
};

/* Trims spaces and angle brackets, lowers and converts the domain, lowers the local part. Writes
 * the canonical form to `memory` (ADDRESS_SIZE_MAX bytes) and returns NULL, or returns what is
 * wrong as words for people ("no @") and leaves *out alone. */
const char *address_canonical(struct span text,
                              struct address_options options,
                              char *memory,
                              struct span *out);

/* All but [A-Za-z0-9._-] becomes %XX. Same result convention; `memory` holds TENANT_SIZE_MAX bytes.
 */
const char *tenant_canonical(struct span text, char *memory, struct span *out);

/* The domain of a canonical address. */
struct span address_domain(struct span canonical);

/* The secret of the installation: SECRET_SIZE bytes of a file, the same for all processes. */
struct secret {
    unsigned char bytes[SECRET_SIZE];
    uint64_t check; /* stands in every progress record, block and snapshot: a mismatch refuses to
                       start */
};

/* Derives `check` from `bytes`. */
void secret_init(struct secret *secret, const unsigned char bytes[SECRET_SIZE]);

/* The record's key: `address_hash` hashes the address alone (it chooses shard and segment),
 * `scope_hash` scope, tenant and address, each with its length. Keyed XXH3. */
struct key {
    uint64_t address_hash;
    uint64_t scope_hash;
};

/* `tenant` is SPAN_NONE for scope global. Both canonical. */
struct key key_of(const struct secret *secret, struct span tenant, struct span address);

/* 0 to shard_count - 1: floor(address_hash * shard_count / 2^64). For life. */
uint32_t key_shard(struct key key, uint32_t shard_count);

/* What a send is known by: 64-bit keyed hash of tenant and campaign, or tenant and message id, or
 * tenant and UTC day. Each part goes in with a mark of what it is and its length, so no two can be
 * confused. */
enum send_known_by { SEND_BY_CAMPAIGN, SEND_BY_MESSAGE, SEND_BY_DAY };

struct send {
    uint64_t hash;
    enum send_known_by known_by;
    bool has_tenant;
};

/* `tenant` canonical or SPAN_NONE; an empty campaign or message id counts as none. */
struct send send_of(const struct secret *secret,
                    struct span tenant,
                    struct span campaign,
                    struct span message_id,
                    int64_t ts_ms);

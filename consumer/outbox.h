/* consumer/outbox.h - what a worker will send with its transaction: records, and the bytes they
 * point to.
 *
 * Filled while a cycle runs, borrowed by commit(), emptied after it. Bytes lie in chunks that never
 * move, so a record may point to them from the moment it is added.
 *
 * Owns:    its chunks and lists; grows to the largest transaction and stays.
 * Thread:  confined to its worker.
 * Memory:  without memory there is no way on: CHECK.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/kafka/io.h"

enum { OUTBOX_CHUNK_SIZE = 1024 * 1024 };

struct outbox;

struct outbox *outbox_create(void);
void outbox_destroy(struct outbox **outbox);

/* At least `size` bytes (at most OUTBOX_CHUNK_SIZE) to write to; what was written becomes its own
 * with outbox_keep(). One at a time. */
struct writer outbox_reserve(struct outbox *outbox, size_t size);
struct span outbox_keep(struct outbox *outbox, const struct writer *written);
/* A copy of the bytes. */
struct span outbox_copy(struct outbox *outbox, struct span bytes);

/* `headers` are copied, what they point to must be the outbox's or static. */
void outbox_add(struct outbox *outbox,
                const struct io_record *record,
                const struct io_header *headers,
                size_t header_count);

size_t outbox_count(const struct outbox *outbox);
size_t outbox_bytes(const struct outbox *outbox);
/* The records, with their headers in place; borrowed until the next add or clear. */
const struct io_record *outbox_records(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);

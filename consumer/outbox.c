/* consumer/outbox.c - see outbox.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/outbox.h"

#include <stdlib.h>

#include "base/log.h"

struct outbox {
    char **chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    size_t chunk_index; /* the one that is being filled */
    size_t chunk_used;
    size_t bytes;

    struct io_record *records;
    size_t record_count;
    size_t record_capacity;

    struct io_header *headers; /* of all records, in their order */
    size_t header_count;
    size_t header_capacity;
};

static void *grow(void *array, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity) {
        return array;
    }
    size_t grown = *capacity == 0 ? 256 : *capacity;
    while (grown < needed) {
        grown *= 2;
    }
    void *memory = realloc(array, grown * item_size);
    CHECK(memory != NULL);
    *capacity = grown;
    return memory;
}

static void add_chunk(struct outbox *outbox)
{
    outbox->chunks = grow(outbox->chunks, &outbox->chunk_capacity, outbox->chunk_count + 1,
                          sizeof(outbox->chunks[0]));
    char *chunk = malloc(OUTBOX_CHUNK_SIZE);
    CHECK(chunk != NULL);
    outbox->chunks[outbox->chunk_count++] = chunk;
}

struct outbox *outbox_create(void)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    CHECK(outbox != NULL);
    add_chunk(outbox);
    return outbox;
}

void outbox_destroy(struct outbox **outbox)
{
    struct outbox *o = *outbox;
    *outbox = NULL;
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->chunk_count; i++) {
        free(o->chunks[i]);
    }
    free(o->chunks);
    free(o->records);
    free(o->headers);
    free(o);
}

struct writer outbox_reserve(struct outbox *outbox, size_t size)
{
    CHECK(size <= OUTBOX_CHUNK_SIZE);
    if (OUTBOX_CHUNK_SIZE - outbox->chunk_used < size) {
        outbox->chunk_index++;
        outbox->chunk_used = 0;
        if (outbox->chunk_index == outbox->chunk_count) {
            add_chunk(outbox);
        }
    }
    char *place = outbox->chunks[outbox->chunk_index] + outbox->chunk_used;
    return writer_init(place, OUTBOX_CHUNK_SIZE - outbox->chunk_used);
}

struct span outbox_keep(struct outbox *outbox, const struct writer *written)
{
    CHECK(!written->overflowed);
    CHECK(written->data == outbox->chunks[outbox->chunk_index] + outbox->chunk_used);
    outbox->chunk_used += written->size;
    outbox->bytes += written->size;
    return writer_span(written);
}

struct span outbox_copy(struct outbox *outbox, struct span bytes)
{
    struct writer w = outbox_reserve(outbox, bytes.size);
    put_bytes(&w, bytes);
    return outbox_keep(outbox, &w);
}

void outbox_add(struct outbox *outbox,
                const struct io_record *record,
                const struct io_header *headers,
                size_t header_count)
{
    CHECK(header_count <= IO_HEADERS_MAX);
    outbox->records = grow(outbox->records, &outbox->record_capacity, outbox->record_count + 1,
                           sizeof(outbox->records[0]));
    outbox->headers = grow(outbox->headers, &outbox->header_capacity,
                           outbox->header_count + header_count, sizeof(outbox->headers[0]));
    outbox->records[outbox->record_count] = *record;
    outbox->records[outbox->record_count].header_count = header_count;
    outbox->record_count++;
    for (size_t i = 0; i < header_count; i++) {
        outbox->headers[outbox->header_count++] = headers[i];
    }
}

size_t outbox_count(const struct outbox *outbox)
{
    return outbox->record_count;
}

size_t outbox_bytes(const struct outbox *outbox)
{
    return outbox->bytes;
}

const struct io_record *outbox_records(struct outbox *outbox)
{
    /* the list of headers may have moved while it grew: only now do records point into it */
    const struct io_header *headers = outbox->headers;
    for (size_t i = 0; i < outbox->record_count; i++) {
        outbox->records[i].headers = headers;
        headers += outbox->records[i].header_count;
    }
    return outbox->records;
}

void outbox_clear(struct outbox *outbox)
{
    outbox->chunk_index = 0;
    outbox->chunk_used = 0;
    outbox->bytes = 0;
    outbox->record_count = 0;
    outbox->header_count = 0;
}

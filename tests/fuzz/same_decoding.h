/* tests/fuzz/same_decoding.h - what a decoder has seen before changes nothing of what it says.
 *
 * A decoder remembers the shapes of the texts it has read (base/json_shapes.h). Whatever it was
 * given before, it must tell the same events and faults of a record as one that has seen nothing,
 * and a known text must give the same nodes as json_read(). CHECK says where they differ.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdlib.h>

#include "base/json_shapes.h"
#include "base/log.h"
#include "classify/decode.h"
#include "classify/event_json.h"

enum { TOLD_SIZE_MAX = 256 * 1024 };

/* What a decoder told of a record. */
struct told {
    char memory[TOLD_SIZE_MAX];
    struct writer out;
};

/* Two that have seen the same texts, each by its own way, and one that has always seen nothing. */
struct experience {
    struct decoder *decoder;
    struct decoder *novice;
    struct json_shapes *shapes;
    struct json_reader *reader;
    uint64_t known; /* texts that json_shapes_read() knew */
};

static inline void tell_event(void *context,
                              const struct decode_part *part,
                              const struct event *event)
{
    struct told *told = context;
    struct json_writer json = json_writer_init(&told->out);
    event_write(&json, part->index, event);
    put_string(&told->out, part->bytes);
}

static inline void tell_fault(void *context, const struct decode_fault *fault)
{
    struct told *told = context;
    put_string(&told->out, span_of(fault->reason));
    put_string(&told->out, fault->part);
    put_u64(&told->out, fault->position);
    put_u64(&told->out, fault->column);
    put_u32(&told->out, fault->part_index);
}

/* Exactly as long as the bytes: a read behind them is seen by the address sanitizer. */
static inline struct span copy_of(struct span bytes)
{
    char *copy = malloc(bytes.size == 0 ? 1 : bytes.size);
    CHECK(copy != NULL);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return (struct span){copy, bytes.size};
}

static inline void tell(struct decoder *decoder,
                        const struct format *format,
                        struct span record,
                        struct told *told)
{
    const struct decode_sink sink = {told, tell_event, tell_fault};
    told->out = writer_init(told->memory, sizeof(told->memory));
    static const struct decode_names NAMES = {
        .tenant_from = "customer",
        .campaign_from = "jobId",
        .fields = {[DECODE_PROVIDER] = "attempt.connection.remotemx", [DECODE_MX] = "a"}};
    const struct decode_source source = {
        .format = format, .now_ms = INT64_C(1795341600000), .names = &NAMES};
    decode(decoder, &source, record, &sink);
}

static inline bool same_node(const struct json_node *a, const struct json_node *b)
{
    return span_equal(a->key, b->key) && span_equal(a->text, b->text) && a->kind == b->kind &&
           (a->key.data == NULL) == (b->key.data == NULL) &&
           (a->text.data == NULL) == (b->text.data == NULL) && a->integer == b->integer &&
           memcmp(&a->real, &b->real, sizeof(a->real)) == 0 && a->count == b->count;
}

static inline void experience_text(struct experience *e, struct span text)
{
    struct json_fault fault;
    struct span loaded;
    CHECK(json_load(e->reader, text, &loaded) == OK);
    const struct json_node *expected = json_read(e->reader, loaded, &fault);
    uint64_t shape = 0;
    const struct json_node *known = json_shapes_read(e->shapes, text, &shape);
    e->known += known != NULL;
    CHECK(known == NULL || (expected != NULL && shape != 0));
    for (uint32_t i = 0; known != NULL && i < expected->count; i++) {
        CHECK(same_node(&known[i], &expected[i]));
    }
    if (known == NULL && expected != NULL) {
        json_shapes_learn(e->shapes, loaded, expected);
    }
}

static inline void experience_record(struct experience *e,
                                     const struct format *format,
                                     struct span record)
{
    static struct told expected;
    static struct told actual;
    decoder_forget(e->novice);
    tell(e->novice, format, record, &expected);
    tell(e->decoder, format, record, &actual);
    CHECK(span_equal(writer_span(&actual.out), writer_span(&expected.out)));
}

/* Both, of bytes that may be anything. */
static inline void experience_bytes(struct experience *e,
                                    const struct format *format,
                                    struct span bytes)
{
    const struct span copy = copy_of(bytes);
    experience_text(e, copy);
    experience_record(e, format, copy);
    free((void *)(uintptr_t)copy.data);
}

static inline void experience_begin(struct experience *e)
{
    CHECK(decoder_create(&e->decoder) == OK && decoder_create(&e->novice) == OK &&
          json_shapes_create(&e->shapes) == OK &&
          json_reader_create(DECODE_DEPTH_MAX, &e->reader) == OK);
    e->known = 0;
}

static inline void experience_end(struct experience *e)
{
    decoder_destroy(&e->decoder);
    decoder_destroy(&e->novice);
    json_shapes_destroy(&e->shapes);
    json_reader_destroy(&e->reader);
}

/* Used again as if it were new. */
static inline void experience_forget(struct experience *e)
{
    decoder_forget(e->decoder);
    json_shapes_forget(e->shapes);
}

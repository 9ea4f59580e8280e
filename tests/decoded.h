/* tests/decoded.h - for tests of formats: records decoded into JSON lines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "classify/decode.h"
#include "classify/event_json.h"

/* The day after that of the samples. */
static const int64_t DECODED_NOW_MS = INT64_C(1795341600000);

enum { DECODED_SIZE_MAX = 1024 * 1024, DECODED_LINES_MAX = 4096 };

/* What a decoder said of a record: one line an event, or `fault PART: REASON`. */
struct decoded {
    char memory[DECODED_SIZE_MAX];
    struct writer out;
    struct span lines[DECODED_LINES_MAX];
    size_t count;
    size_t fault_count;
    uint64_t fault_position; /* of the last */
    struct span fault_part;
    char part_memory[4096];
};

static struct decoded decoded;

/* Where the records hold what (struct decode_names); the decoder remembers by its address. */
static const struct decode_names *decoded_names;

static inline void decoded_line_end(size_t start)
{
    assert_false(decoded.out.overflowed);
    assert_true(decoded.count < DECODED_LINES_MAX);
    decoded.lines[decoded.count++] =
        (struct span){decoded.memory + start, decoded.out.size - start};
}

static inline void decoded_event(void *context,
                                 const struct decode_part *part,
                                 const struct event *event)
{
    const size_t start = decoded.out.size;
    struct json_writer json = json_writer_init(&decoded.out);
    (void)context;
    event_write(&json, part->index, event);
    decoded_line_end(start);
}

static inline void decoded_fault(void *context, const struct decode_fault *fault)
{
    const size_t start = decoded.out.size;
    char line[256];
    (void)context;
    const int size = snprintf(line, sizeof(line), "fault %u: %s", fault->part_index, fault->reason);
    put_bytes(&decoded.out, (struct span){line, (size_t)size});
    decoded_line_end(start);
    decoded.fault_count++;
    decoded.fault_position = fault->position;
    const struct span part = span_cut(fault->part, sizeof(decoded.part_memory));
    memcpy(decoded.part_memory, part.data, part.size);
    decoded.fault_part = (struct span){decoded.part_memory, part.size};
}

/* Through a copy of exactly that size: a read behind it is seen by the address sanitizer. */
static inline void decode_from(const struct decode_source *source, struct span payload)
{
    static struct decoder *decoder;
    const struct decode_sink sink = {NULL, decoded_event, decoded_fault};
    char *copy = malloc(payload.size + 1);
    assert_non_null(copy);
    if (decoder == NULL) {
        assert_int_equal(decoder_create(&decoder), OK);
    }
    if (payload.size > 0) {
        memcpy(copy, payload.data, payload.size);
    }
    decoded.out = writer_init(decoded.memory, sizeof(decoded.memory));
    decoded.count = 0;
    decoded.fault_count = 0;
    decode(decoder, source, (struct span){copy, payload.size}, &sink);
    free(copy);
}

static inline void decode_span(const char *format, struct span payload)
{
    const struct decode_source source = {
        .format = format_find(span_of(format)), .now_ms = DECODED_NOW_MS, .names = decoded_names};
    decode_from(&source, payload);
}

static inline void decode_text(const char *format, const char *payload)
{
    decode_span(format, span_of(payload));
}

static inline void assert_line(size_t i, const char *expected)
{
    char line[8192];
    assert_true(i < decoded.count);
    assert_true(decoded.lines[i].size < sizeof(line));
    memcpy(line, decoded.lines[i].data, decoded.lines[i].size);
    line[decoded.lines[i].size] = '\0';
    assert_string_equal(line, expected);
}

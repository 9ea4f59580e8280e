/* classify/decode.h - from the bytes of one record to normalised events.
 *
 * A record is what one Kafka message (or a piece of a file) holds: one event, NDJSON, a JSON array, or lines of a log; an
 * event may name several recipients and then becomes several normalised events. Framing is found from the bytes.
 *
 * To add a format: one file format_NAME.c with one `const struct format FORMAT_NAME`, one row in
 * decode.c.
 *
 * Owns:    a decoder owns its parser's memory; one decoder per thread. The steady loop allocates
 *          nothing once the parser has seen its largest record.
 * Limits:  DECODE_RECORD_SIZE_MAX bytes a record, DECODE_RECIPIENTS_MAX recipients an event,
 *          DECODE_DEPTH_MAX levels.
 * Errors:  none: bad input is told to the sink as a fault, and the rest of the record goes on
 *          where it can.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/err.h"
#include "classify/event.h"

enum {
    DECODE_RECORD_SIZE_MAX = 8 * 1024 * 1024,
    DECODE_RECIPIENTS_MAX = 1000,
    DECODE_DEPTH_MAX = 32,
};

struct decoder;
struct format;

/* What could not be read. Spans are borrowed until the sink returns. */
struct decode_fault {
    const char
        *reason; /* a sentence's middle for people: "not JSON: unclosed string", "no recipient" */
    struct span part;    /* what goes to the dead letters: the line or element, from the fault's
                            element on if the rest of an array is lost, or the whole record */
    uint64_t position;   /* of the fault, in bytes from the start of the record */
    uint64_t column;     /* the same from the start of the part, from 1 */
    uint32_t part_index; /* which line or array element, from 1 */
};

/* Of what an event was read. */
struct decode_part {
    uint32_t index;    /* which line or array element, from 1 */
    struct span bytes; /* the line or element; the whole record where it is one event */
};

struct decode_sink {
    void *context;
    void (*event)(void *context, const struct decode_part *part, const struct event *event);
    void (*fault)(void *context, const struct decode_fault *fault);
};

/* NULL if there is no such format. `name` as in the configuration: kumomta, native. */
const struct format *format_find(struct span name);
const char *format_name(const struct format *format);
/* Is a file that begins so one record, and not one a line? An array, a mail. */
bool format_wants_whole(const struct format *format, struct span beginning);
/* The i-th format, NULL behind the last: for messages that list them. */
const struct format *format_at(size_t i);

/* The fields of an event that a user may map, by the names of format `native`; `error`: what the MTA itself says where no
 * server answered. */
enum decode_field {
    DECODE_KIND,
    DECODE_TS_MS,
    DECODE_RECIPIENT,
    DECODE_CODE,
    DECODE_ENHANCED,
    DECODE_TEXT,
    DECODE_STAGE,
    DECODE_ERROR,
    DECODE_MESSAGE_ID,
    DECODE_EVENT_ID,
    DECODE_TENANT,
    DECODE_CAMPAIGN,
    DECODE_SENDER,
    DECODE_MX,
    DECODE_PROVIDER,
    DECODE_ATTEMPT,
    DECODE_NATIVE_CLASS,
    DECODE_FIELD_COUNT
};

extern const char *const DECODE_FIELD_NAMES[DECODE_FIELD_COUNT];

/* What the user says of where a topic's records hold what no format has a fixed place for. */
struct decode_names {
    const char *tenant_from;   /* a header of the mail or a field of the record; NULL: where the */
    const char *campaign_from; /* format has it. Good names: decode_name_check() */
    /* the key of each field, dots lead into objects; NULL: where the format has it. Good: decode_field_check() */
    const char *fields[DECODE_FIELD_COUNT];
};

/* NULL, or what is wrong with this name in records of this format: a sentence's middle. */
const char *decode_name_check(const struct format *format, struct span name);
const char *decode_field_check(const struct format *format, struct span path);

MUST_USE enum err decoder_create(struct decoder **out);
void decoder_destroy(struct decoder **decoder);

struct decode_source {
    /* NULL: nothing. Unchanged at its address as long as the decoder is used: it remembers by the address */
    const struct decode_names *names;
    /* column names, comma between them, of tables without a line of them; SPAN_NONE: they have one */
    struct span headings;
    const struct format *format;
    int64_t
        now_ms; /* where a log does not name the year; no later than a day before what it says. 0: unknown */
    bool continues;    /* the record goes on where the last one ended: a piece of the same file */
    bool prefer_final; /* recipients as they became on the way, not as they were sent to */
};

/* Calls the sink once per event and once per fault, in the order of the record. Every event that is
 * handed out is whole: kind, origin set; recipient present unless the kind is `ignored`. An unknown
 * type is kind `ignored`. `payload` needs no padding behind it. */
void decode(struct decoder *decoder,
            const struct decode_source *source,
            struct span payload,
            const struct decode_sink *sink);

/* What it has seen makes a decoder fast and never changes what it tells. After this it is as slow as with its first record;
 * for tests that compare the two. */
void decoder_forget(struct decoder *decoder);

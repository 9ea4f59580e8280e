/* bench/records.h - ordinary records of every format of input, as the platforms write them.
 *
 * Made by templates (records.c) with the fields and the order of the samples in tests/data/formats. Where a format has
 * deliveries, nine events of ten are some; the failures are deferrals and refusals in the words of large providers. Event
 * i is a function of the kind and of i alone; ids, recipients, times and replies differ.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

enum { RECORD_SIZE_MAX = 64 * 1024 };

/* One way in which events come. A template names fields as `$recipient`; table in records.c. */
struct record_kind {
    const char *name; /* for people: `ses in SNS` */
    const char *format;
    const char *headings; /* configured for the topic; NULL: none */
    unsigned events; /* in a record, `open` before them, `between` between them, `close` behind */
    const char *open;
    const char *between;
    const char *close;
    const char *envelope;  /* around each event, which is its `$body`, a JSON string; NULL: none */
    const char *delivered; /* NULL: the format tells of failures only */
    const char *deferred;  /* the same */
    const char *bounced;
};

/* The i-th; NULL behind the last. */
const struct record_kind *record_kind_at(size_t i);

/* Writes record i. The span is of `memory`. */
struct span record_write(const struct record_kind *kind, uint64_t i, char memory[RECORD_SIZE_MAX]);

/* classify/event_json.h - events as JSON lines, for people and tests: what `decode` prints, what
 * `classify` reads.
 *
 * Thread:  any; a reader is confined to one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/json.h"
#include "classify/event.h"

/* One object: `record` (the part that decode() told), then the fields by the names of format
 * `native`; what is absent is left out. */
void event_write(struct json_writer *json, uint32_t record, const struct event *event);

/* A reply to be classified. Spans are borrowed from the line's reader and from `memory`. */
struct reply_line {
    struct span id; /* SPAN_NONE: the line has none */
    struct event event;
    char id_digits[24]; /* of an id that is a number */
};

/* {"id","reply_code","enhanced","text","stage","recipient_domain","kind","origin","native_class"}; each may be null or
 * absent, others are ignored; a line of `decode` will do (`code`). Without a kind it is bounced or deferred by the codes (none: bounced).
 * `recipient_domain` becomes the recipient, without @. Codes at the start of the text are taken out
 * of it. Without a stage it is what the text tells. `memory` holds as many bytes as the line. NULL, or what is wrong as words for people. */
const char *reply_line_parse(struct json_reader *reader,
                             struct span line,
                             char *memory,
                             struct reply_line *out);

/* A reply as a server gave it, in one string: 550 5.1.1 User unknown. */
void reply_line_from_text(struct span line, char *memory, struct reply_line *out);

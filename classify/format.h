/* classify/format.h - what a format is, and what its decoder may call. For decode.c and format_*.c.
 *
 * A format is given one JSON object at a time, in one piece and checked, says which of its nodes it
 * wants, and tells decode.c what it found in them: any number of events, or a fault. Objects of one
 * shape (base/json_shapes.h) differ in texts and numbers only, so they are picked from once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/json.h"
#include "classify/decode.h"

struct decoding; /* one record on its way */

enum { PICKS_MAX = 32 };

struct format {
    const char *name;
    /* Fills `picks`, PICKS_MAX nodes of the object or NULL, in an order of the format's own. It may
     * look at keys and kinds, never at texts and numbers. */
    void (*pick)(const struct json_node *object, const struct json_node **picks);
    void (*object)(struct decoding *decoding, const struct json_node *const *picks);
};

extern const struct format FORMAT_KUMOMTA;
extern const struct format FORMAT_NATIVE;

/* What is wrong with the object in hand: a sentence's middle. The rest of the record goes on. */
void decoding_fault(struct decoding *decoding, const char *reason);

void decoding_event(struct decoding *decoding, const struct event *event);

/* One event per recipient: a string, or an array of them; what is no string, or empty, is none. No
 * recipient is a fault, but for kind `ignored`, which is then one event without. So are more than
 * DECODE_RECIPIENTS_MAX. `recipients` may be NULL. */
void decoding_event_each(struct decoding *decoding,
                         const struct event *event,
                         const struct json_node *recipients);

/* --- fields of JSON objects; `node` may be NULL everywhere -------------------------------------
 */

/* The members with these keys, in the order of `keys`; NULL for what is absent or null. Of a key
 * that stands twice the last counts. `object` may be NULL or no object: nothing is found. */
void field_pick(const struct json_node *object,
                const struct span *keys,
                size_t key_count,
                const struct json_node **out);

/* One member; the same rules. */
const struct json_node *field_find(const struct json_node *object, const char *key);

/* A string that is not empty, else SPAN_NONE. */
struct span field_text(const struct json_node *node);

/* An integer, also a real or a string that says one, min <= value <= max; else false. */
bool field_int(const struct json_node *node, int64_t min, int64_t max, int64_t *out);

/* A time in ms, rounded: a number (below 1e11 it is seconds), such a number as a string, or RFC
 * 3339. False for anything else, and for what time_format() could not write. */
bool field_time_ms(const struct json_node *node, int64_t *out);

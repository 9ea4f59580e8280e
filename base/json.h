/* base/json.h - JSON, written and read.
 *
 * Written: straight into a struct writer, one line, no white space, always valid JSON and UTF-8
 *          whatever the bytes of the strings. Nothing is allocated. What does not fit sets
 *          `overflowed` of the writer, and the caller throws the output away.
 * Read:    the whole text is checked (simdjson finds the tokens) and becomes an array of nodes in
 *          the order of the text, so that a decoder walks plain C memory.
 * Owns:    a reader owns its buffers: the steady loop allocates nothing once it has seen its
 *          largest text.
 * Limits:  JSON_NODES_MAX values a text; levels as given.
 * Thread:  a reader or writer is confined to one.
 * Source:  RFC 8259.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- writing ----------------------------------------------------------------------------------
 *
 * The caller keeps begin and end, keys and values in order; commas come by themselves. Keys are
 * ours (ASCII, nothing to escape); values are anybody's: control characters are escaped, each
 * byte that is no UTF-8 becomes U+FFFD.
 */
struct json_writer {
    struct writer *out;
    bool comma; /* the next key or value is not the first of its container */
};

static inline struct json_writer json_writer_init(struct writer *out)
{
    return (struct json_writer){out, false};
}

void json_begin_object(struct json_writer *json);
void json_end_object(struct json_writer *json);
void json_begin_array(struct json_writer *json);
void json_end_array(struct json_writer *json);
void json_key(struct json_writer *json, const char *key);
void json_string(struct json_writer *json, struct span text);
void json_int(struct json_writer *json, int64_t value);
void json_bool(struct json_writer *json, bool value);
void json_null(struct json_writer *json);

/* A key and its value. */
void json_member_string(struct json_writer *json, const char *key, struct span text);
void json_member_int(struct json_writer *json, const char *key, int64_t value);

/* --- reading ----------------------------------------------------------------------------------
 */

enum { JSON_NODES_MAX = 64 * 1024 };

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER, /* fits int64_t */
    JSON_REAL,    /* every other number; one that no double holds is refused */
    JSON_STRING,
    JSON_OBJECT,
    JSON_ARRAY
};

/* A value. Its children follow it at once, each with its own children behind it; a key that stands
 * twice gives two children. */
struct json_node {
    struct span key;  /* of a member of an object, unescaped; else SPAN_NONE */
    struct span text; /* of a string, unescaped; else SPAN_NONE */
    int64_t integer;  /* of an integer; of a bool 0 or 1 */
    double real;
    uint32_t count; /* nodes of this value, itself included */
    enum json_kind kind;
};

/* for (child = json_first(node); child != json_end(node); child = json_next(child)) */
static inline const struct json_node *json_first(const struct json_node *node)
{
    return node + 1;
}
static inline const struct json_node *json_end(const struct json_node *node)
{
    return node + node->count;
}
static inline const struct json_node *json_next(const struct json_node *node)
{
    return node + node->count;
}

struct json_reader;

MUST_USE enum err json_reader_create(uint32_t depth_max, struct json_reader **out);
void json_reader_destroy(struct json_reader **reader);

/* Copies the bytes to where they can be read from. *out, and all that is read from it, is borrowed
 * until the next load. ERR_NO_MEMORY. */
MUST_USE enum err json_load(struct json_reader *reader, struct span bytes, struct span *out);

struct json_fault {
    const char *words; /* a sentence's middle: "not JSON: an unclosed string" */
    size_t position;   /* in the text, in bytes */
};

/* Reads one text, a part of what was loaded, white space around it. The nodes and their spans are
 * borrowed until the next read. NULL: *fault says why. */
const struct json_node *json_read(struct json_reader *reader,
                                  struct span text,
                                  struct json_fault *fault);

/* Of the element of an array that the text begins with, whatever it is: only strings and brackets are looked at. 0: it is
 * not closed, or there is none. */
size_t json_element_size(struct span text);

#ifdef __cplusplus
}
#endif

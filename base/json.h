/* base/json.h - JSON, written and read.
 *
 * Written: straight into a struct writer, one line, no white space, always valid JSON and UTF-8
 *          whatever the bytes of the strings. Nothing is allocated. What does not fit sets
 *          `overflowed` of the writer, and the caller throws the output away.
 * Thread:  any, one at a time.
 * Source:  RFC 8259.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

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

#ifdef __cplusplus
}
#endif

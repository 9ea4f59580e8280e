/* base/bytes.h - spans of bytes, numbers in them, times as text.
 *
 * A span is borrowed: whoever hands it out says until when. It need not end with NUL and may hold
 * NUL. Wire integers are little-endian; varints are LEB128, at most 10 bytes.
 *
 * Thread:  any.
 * Errors:  none but a returned false. Nothing here allocates or reads a clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define DAY_MS INT64_C(86400000)

/* The last millisecond that the text form of a time can say: 9999-12-31T23:59:59.999Z. */
#define TIME_MS_MAX INT64_C(253402300799999)

struct span {
    const char *data;
    size_t size;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_NONE     ((struct span){NULL, 0})

/* For printf("%.*s", SPAN_ARGS(s)). */
#define SPAN_ARGS(s) (int)(s).size, (s).data

static inline struct span span_of(const char *text)
{
    return (struct span){text, text == NULL ? 0 : strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ASCII letters only; other bytes must be equal. */
/* Without its first `size` bytes. */
static inline struct span span_skip(struct span text, size_t size)
{
    return size == 0 ? text : (struct span){text.data + size, text.size - size};
}

/* Where the words begin in the text; text.size if they are not there. */
size_t span_find(struct span text, struct span words);

bool span_equal_nocase(struct span a, struct span b);
bool span_starts_nocase(struct span text, struct span prefix);
bool span_starts(struct span text, struct span prefix);

/* Without ASCII white space at both ends. */
struct span span_trim(struct span text);

/* The first `size` bytes at most, never cutting a UTF-8 sequence in two. */
struct span span_cut(struct span text, size_t size);

/* Decimal digits only, the whole span, no sign; false if empty, something else, or too big. */
bool span_to_u64(struct span text, uint64_t *out);

/* --- times ------------------------------------------------------------------------------------ */

#define TIME_TEXT_SIZE 24 /* 2026-11-21T10:00:00.118Z, without NUL */

/* RFC 3339 in UTC with milliseconds. 0 <= ms <= TIME_MS_MAX. Writes TIME_TEXT_SIZE bytes and a NUL.
 */
void time_format(int64_t ms, char out[TIME_TEXT_SIZE + 1]);

/* RFC 3339 (any fraction, rounded to the nearest millisecond; `Z` or an offset with or without
 * colon; `T` or a space). A date and time without offset is refused. */
bool time_parse(struct span text, int64_t *ms);

/* --- writing: a buffer of the caller's with a bound ------------------------------------------- */

struct writer {
    char *data;
    size_t size;
    size_t capacity;
    bool overflowed; /* something did not fit; what is there is a prefix */
};

static inline struct writer writer_init(void *memory, size_t capacity)
{
    return (struct writer){(char *)memory, 0, capacity, false}; /* also read as C++ */
}

static inline struct span writer_span(const struct writer *w)
{
    return (struct span){w->data, w->size};
}

void put_bytes(struct writer *w, struct span bytes);
void put_varint(struct writer *w, uint64_t value);
/* A varint length, then the bytes. */
void put_string(struct writer *w, struct span bytes);

/* Numbers are written and read several times an event, always of a size that the compiler knows: as
 * loops over bytes in another file they were 5 % of the shard's time, here each is one move. */

/* The low `size` bytes of value, 1 to 8. */
static inline void put_uint(struct writer *w, uint64_t value, size_t size)
{
    const uint64_t wire = htole64(value);
    if (w->overflowed || w->capacity - w->size < size) {
        w->overflowed = true;
        return;
    }
    memcpy(w->data + w->size, &wire, size);
    w->size += size;
}

static inline void put_u8(struct writer *w, uint8_t value)
{
    put_uint(w, value, sizeof(value));
}
static inline void put_u16(struct writer *w, uint16_t value)
{
    put_uint(w, value, sizeof(value));
}
static inline void put_u32(struct writer *w, uint32_t value)
{
    put_uint(w, value, sizeof(value));
}
static inline void put_u64(struct writer *w, uint64_t value)
{
    put_uint(w, value, sizeof(value));
}

/* --- reading: never past the end -------------------------------------------------------------- */

struct reader {
    const char *data;
    size_t size; /* what is left */
    bool failed; /* a read went past the end or was malformed; every later read gives zeros */
};

static inline struct reader reader_init(struct span bytes)
{
    return (struct reader){bytes.data, bytes.size, false};
}

/* `size` bytes, 1 to 8. */
static inline uint64_t get_uint(struct reader *r, size_t size)
{
    uint64_t wire = 0;
    if (r->failed || r->size < size) {
        r->failed = true;
        return 0;
    }
    memcpy(&wire, r->data, size);
    r->data += size;
    r->size -= size;
    return le64toh(wire);
}

static inline uint8_t get_u8(struct reader *r)
{
    return (uint8_t)get_uint(r, sizeof(uint8_t));
}
static inline uint16_t get_u16(struct reader *r)
{
    return (uint16_t)get_uint(r, sizeof(uint16_t));
}
static inline uint32_t get_u32(struct reader *r)
{
    return (uint32_t)get_uint(r, sizeof(uint32_t));
}
static inline uint64_t get_u64(struct reader *r)
{
    return get_uint(r, sizeof(uint64_t));
}

uint64_t get_varint(struct reader *r);
struct span get_bytes(struct reader *r, size_t size);
struct span get_string(struct reader *r);

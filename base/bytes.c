/* base/bytes.c - see bytes.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/log.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The words stand there, if their first and last byte do. */
static bool stands_at(struct span text, size_t at, struct span words)
{
    return memcmp(text.data + at, words.data, words.size) == 0;
}

#if defined(__SSE2__)

/* The first place of the words, by blocks of places at whose beginning and end their first and last byte are looked for;
 * text.size if it is in none. *at: the first place behind the blocks. */
static size_t find_in_blocks(struct span text, struct span words, size_t *at)
{
    enum { BLOCK = 16 };
    const __m128i first = _mm_set1_epi8(words.data[0]);
    const __m128i last = _mm_set1_epi8(words.data[words.size - 1]);
    size_t i = 0;
    for (; i + words.size - 1 + BLOCK <= text.size; i += BLOCK) {
        __m128i firsts;
        __m128i lasts;
        memcpy(&firsts, text.data + i, BLOCK);
        memcpy(&lasts, text.data + i + words.size - 1, BLOCK);
        unsigned mask = (unsigned)_mm_movemask_epi8(
            _mm_and_si128(_mm_cmpeq_epi8(firsts, first), _mm_cmpeq_epi8(lasts, last)));
        for (; mask != 0; mask &= mask - 1) {
            const size_t place = i + (size_t)__builtin_ctz(mask);
            if (stands_at(text, place, words)) {
                return place;
            }
        }
    }
    *at = i;
    return text.size;
}

#else

static size_t find_in_blocks(struct span text, struct span words, size_t *at)
{
    (void)words;
    *at = 0;
    return text.size;
}

#endif

/* memmem() makes a table for each call: for the few words and short lines of logs that was a third of all decoding
 * (suppressd-bench decode, postfix and exim). */
static size_t find_short(struct span text, struct span words)
{
    size_t at = 0;
    const size_t found = find_in_blocks(text, words, &at);
    if (found < text.size) {
        return found;
    }
    for (; at + words.size <= text.size; at++) {
        if (text.data[at] == words.data[0] && stands_at(text, at, words)) {
            return at;
        }
    }
    return text.size;
}

size_t span_find(struct span text, struct span words)
{
    enum { LONG = 16 }; /* from here on the table is worth it: it skips so many bytes at once */
    if (words.size > 1 && words.size < LONG) {
        return find_short(text, words);
    }
    const char *at = text.size == 0 ? NULL : memmem(text.data, text.size, words.data, words.size);
    return at == NULL ? text.size : (size_t)(at - text.data);
}

bool span_equal_nocase(struct span a, struct span b)
{
    return a.size == b.size && span_starts_nocase(a, b);
}

bool span_starts_nocase(struct span text, struct span prefix)
{
    if (text.size < prefix.size) {
        return false;
    }
    for (size_t i = 0; i < prefix.size; i++) {
        if (lower(text.data[i]) != lower(prefix.data[i])) {
            return false;
        }
    }
    return true;
}

bool span_starts(struct span text, struct span prefix)
{
    return text.size >= prefix.size &&
           (prefix.size == 0 || memcmp(text.data, prefix.data, prefix.size) == 0);
}

struct span span_trim(struct span text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

struct span span_cut(struct span text, size_t size)
{
    if (text.size <= size) {
        return text;
    }
    while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return (struct span){text.data, size};
}

bool span_to_u64(struct span text, uint64_t *out)
{
    if (text.size == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        const uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* --- times: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" --------------------- */

/* Days since 1970-01-01 of a proleptic Gregorian date; month 1 to 12. */
static int64_t days_from_civil(int year, int month, int day)
{
    const int64_t y = (int64_t)year - (month <= 2);
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t day_of_era = days - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_index = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * month_index + 2) / 5 + 1);
    *month = (int)(month_index < 10 ? month_index + 3 : month_index - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void put_digits(char *out, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void time_format(int64_t ms, char out[TIME_TEXT_SIZE + 1])
{
    CHECK(ms >= 0 && ms <= TIME_MS_MAX);
    int year;
    int month;
    int day;
    civil_from_days(ms / DAY_MS, &year, &month, &day);
    const int of_day_ms = (int)(ms % DAY_MS);
    memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE + 1);
    put_digits(out, year, 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day, 2);
    put_digits(out + 11, of_day_ms / 3600000, 2);
    put_digits(out + 14, of_day_ms / 60000 % 60, 2);
    put_digits(out + 17, of_day_ms / 1000 % 60, 2);
    put_digits(out + 20, of_day_ms % 1000, 3);
}

/* Takes exactly `width` digits, at most 9. */
static bool take_digits(struct span *text, size_t width, int *out)
{
    int value = 0;
    if (text->size < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return false;
        }
        value = value * 10 + (text->data[i] - '0');
    }
    *out = value;
    *text = (struct span){text->data + width, text->size - width};
    return true;
}

static bool take_char(struct span *text, const char *any_of)
{
    if (text->size == 0) {
        return false;
    }
    while (*any_of != '\0' && *any_of != text->data[0]) {
        any_of++;
    }
    if (*any_of == '\0') {
        return false;
    }
    *text = (struct span){text->data + 1, text->size - 1};
    return true;
}

/* .118204511 -> 118; the fourth digit rounds. */
static int64_t take_fraction_ms(struct span *text)
{
    int64_t micro_tenths = 0; /* in units of 0.1 ms */
    int digits = 0;
    while (text->size > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
        if (digits < 4) {
            micro_tenths = micro_tenths * 10 + (text->data[0] - '0');
            digits++;
        }
        *text = (struct span){text->data + 1, text->size - 1};
    }
    while (digits++ < 4) {
        micro_tenths *= 10;
    }
    return (micro_tenths + 5) / 10;
}

static bool take_offset_minutes(struct span *text, int *out)
{
    if (take_char(text, "Zz")) {
        *out = 0;
        return true;
    }
    const bool west = text->size > 0 && text->data[0] == '-';
    int hours;
    int minutes;
    if (!take_char(text, "+-") || !take_digits(text, 2, &hours)) {
        return false;
    }
    (void)take_char(text, ":");
    if (!take_digits(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *out = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap);
}

static bool take_date(struct span *text, int64_t *days)
{
    int year;
    int month;
    int day;
    if (!take_digits(text, 4, &year) || !take_char(text, "-") || !take_digits(text, 2, &month) ||
        !take_char(text, "-") || !take_digits(text, 2, &day)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *days = days_from_civil(year, month, day);
    return true;
}

bool time_parse(struct span text, int64_t *ms)
{
    int64_t days;
    int hour;
    int minute;
    int second;
    int offset_minutes;
    int64_t fraction_ms = 0;
    text = span_trim(text);
    if (!take_date(&text, &days) || !take_char(&text, "Tt ")) {
        return false;
    }
    if (!take_digits(&text, 2, &hour) || !take_char(&text, ":") ||
        !take_digits(&text, 2, &minute) || !take_char(&text, ":") ||
        !take_digits(&text, 2, &second)) {
        return false;
    }
    if (hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    if (take_char(&text, ".,")) {
        fraction_ms = take_fraction_ms(&text);
    }
    (void)take_char(&text, " ");
    if (!take_offset_minutes(&text, &offset_minutes) || text.size != 0) {
        return false;
    }
    *ms = days * DAY_MS + (INT64_C(3600) * hour + INT64_C(60) * minute + second) * 1000 +
          fraction_ms - (int64_t)offset_minutes * 60000;
    return true;
}

/* --- writing ---------------------------------------------------------------------------------- */

void put_bytes(struct writer *w, struct span bytes)
{
    if (w->overflowed || w->capacity - w->size < bytes.size) {
        w->overflowed = true; /* for good: what is there stays a prefix */
        return;
    }
    if (bytes.size > 0) {
        memcpy(w->data + w->size, bytes.data, bytes.size);
        w->size += bytes.size;
    }
}

void put_varint(struct writer *w, uint64_t value)
{
    while (value >= 0x80) {
        put_u8(w, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    put_u8(w, (uint8_t)value);
}

void put_string(struct writer *w, struct span bytes)
{
    put_varint(w, bytes.size);
    put_bytes(w, bytes);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct span get_bytes(struct reader *r, size_t size)
{
    if (r->failed || r->size < size) {
        r->failed = true;
        return SPAN_NONE;
    }
    const struct span taken = {r->data, size};
    r->data += size;
    r->size -= size;
    return taken;
}

uint64_t get_varint(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = get_u8(r);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return r->failed ? 0 : value;
        }
    }
    r->failed = true;
    return 0;
}

struct span get_string(struct reader *r)
{
    const uint64_t size = get_varint(r);
    return get_bytes(r, size > SIZE_MAX ? SIZE_MAX : (size_t)size);
}

/* classify/log_line.c - see log_line.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/log_line.h"

enum { MONTH_TIME_SIZE = 15, DATE_TIME_SIZE = 19, PRIORITY_SIZE_MAX = 5 };

static struct span skip_blanks(struct span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = span_skip(text, 1);
    }
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next word, and blanks behind it. */
static struct span take_word(struct span *text)
{
    size_t size = 0;
    while (size < text->size && text->data[size] != ' ') {
        size++;
    }
    const struct span word = {text->data, size};
    *text = skip_blanks(span_skip(*text, size));
    return word;
}

/* --- times --------------------------------------------------------------------------------------
 */

/* How much of the text is a date and time with what belongs to it; *has_zone: a zone is among it. */
static size_t time_size(struct span text, bool *has_zone)
{
    size_t size = DATE_TIME_SIZE;
    *has_zone = false;
    if (size < text.size && (text.data[size] == '.' || text.data[size] == ',')) {
        size++;
        while (size < text.size && is_digit(text.data[size])) {
            size++;
        }
    }
    if (size < text.size && (text.data[size] == 'Z' || text.data[size] == 'z')) {
        *has_zone = true;
        return size + 1;
    }
    size_t zone = size + (size < text.size && text.data[size] == ' ');
    if (zone < text.size && (text.data[zone] == '+' || text.data[zone] == '-')) {
        zone++;
        while (zone < text.size && (is_digit(text.data[zone]) || text.data[zone] == ':')) {
            zone++;
        }
        *has_zone = true;
        return zone;
    }
    return size;
}

bool log_time_take(struct span *text, int64_t *ms)
{
    char memory[64];
    bool has_zone;
    if (text->size < DATE_TIME_SIZE || !is_digit(text->data[0]) || text->data[4] != '-') {
        return false;
    }
    const size_t size = time_size(*text, &has_zone);
    struct writer whole = writer_init(memory, sizeof(memory));
    put_bytes(&whole, (struct span){text->data, size});
    if (!has_zone) {
        put_u8(&whole, 'Z');
    }
    if (whole.overflowed || !time_parse(writer_span(&whole), ms)) {
        return false;
    }
    *text = skip_blanks(span_skip(*text, size));
    return true;
}

static int month_of(struct span text)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t i = 0; i < 12; i++) {
        if (span_equal_nocase(text, (struct span){MONTHS + 3 * i, 3})) {
            return (int)i + 1;
        }
    }
    return 0;
}

static void put_digits(char *out, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* `Nov 21 10:00:02` in a year; false if it has no such day. */
static bool time_in_year(struct span text, int month, int year, int64_t *ms)
{
    enum { TIME_SIZE = 8 };
    char whole[] = "0000-00-00T00:00:00Z";
    put_digits(whole, year, 4);
    put_digits(whole + 5, month, 2);
    whole[8] = text.data[4] == ' ' ? '0' : text.data[4];
    whole[9] = text.data[5];
    memcpy(whole + 11, text.data + 7, TIME_SIZE);
    return time_parse((struct span){whole, sizeof(whole) - 1}, ms);
}

/* The latest year in which it is not more than a day after `about_ms`; 0 if there is none. */
static int64_t latest_time(struct span text, int month, int64_t about_ms)
{
    char about[TIME_TEXT_SIZE + 1];
    int64_t ms;
    if (about_ms <= 0 || about_ms > TIME_MS_MAX) {
        return 0;
    }
    time_format(about_ms, about);
    const int year =
        (about[0] - '0') * 1000 + (about[1] - '0') * 100 + (about[2] - '0') * 10 + (about[3] - '0');
    for (int back = -1; back <= 4; back++) { /* a leap day may be four years ago */
        if (time_in_year(text, month, year - back, &ms) && ms <= about_ms + DAY_MS) {
            return ms;
        }
    }
    return 0;
}

/* `Nov 21 10:00:02`, whether that was ever or not. */
static bool take_month_time(struct span *text, int64_t about_ms, int64_t *ms)
{
    if (text->size < MONTH_TIME_SIZE || text->data[3] != ' ' || text->data[6] != ' ' ||
        text->data[9] != ':') {
        return false;
    }
    const int month = month_of((struct span){text->data, 3});
    if (month == 0) {
        return false;
    }
    *ms = latest_time(*text, month, about_ms);
    *text = skip_blanks(span_skip(*text, MONTH_TIME_SIZE));
    return true;
}

/* --- the head -----------------------------------------------------------------------------------
 */

/* `<22>` */
static struct span skip_priority(struct span text)
{
    if (text.size == 0 || text.data[0] != '<') {
        return text;
    }
    size_t size = 1;
    while (size < text.size && size < PRIORITY_SIZE_MAX && is_digit(text.data[size])) {
        size++;
    }
    return size > 1 && size < text.size && text.data[size] == '>' ? span_skip(text, size + 1)
                                                                  : text;
}

/* `-`, or `[id name="value"]`, several of them. */
static struct span skip_structured_data(struct span text)
{
    if (text.size > 0 && text.data[0] == '-') {
        return skip_blanks(span_skip(text, 1));
    }
    bool quoted = false;
    size_t depth = 0;
    size_t size = 0;
    for (; size < text.size; size++) {
        const char c = text.data[size];
        if (quoted && c == '\\') {
            size++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '[') {
            depth++;
        } else if (!quoted && c == ']' && depth > 0) {
            depth--;
        } else if (depth == 0) {
            break;
        }
    }
    return size >= text.size ? span_skip(text, text.size) : skip_blanks(span_skip(text, size));
}

/* `postfix/smtp[4110]:`, `exim:`; a program's name has no @ and no `=`, and a queue id no bracket or slash. */
static bool take_tag(struct span *text, struct span *program)
{
    struct span rest = *text;
    struct span word = take_word(&rest);
    if (word.size < 2 || word.data[word.size - 1] != ':') {
        return false;
    }
    word.size--;
    const char *bracket = memchr(word.data, '[', word.size);
    if (bracket == NULL && memchr(word.data, '/', word.size) == NULL &&
        !span_starts(word, SPAN("exim"))) {
        return false;
    }
    *program =
        (struct span){word.data, bracket == NULL ? word.size : (size_t)(bracket - word.data)};
    *text = rest;
    return true;
}

/* Behind the time: host and tag, or what RFC 5424 has there. */
static void take_host_and_tag(struct log_line *line, bool is_5424)
{
    struct span rest = line->text;
    if (is_5424) {
        (void)take_word(&rest);
        line->program = take_word(&rest);
        (void)take_word(&rest);
        (void)take_word(&rest);
        line->text = skip_structured_data(rest);
        return;
    }
    if (take_tag(&line->text, &line->program)) {
        return;
    }
    (void)take_word(&rest);
    if (take_tag(&rest, &line->program)) {
        line->text = rest;
    }
}

struct log_line log_line_parse(struct span line, int64_t about_ms)
{
    struct log_line log = {.text = skip_blanks(skip_priority(span_trim(line)))};
    struct span versioned = log.text;
    const bool is_5424 = span_starts(log.text, SPAN("1 "));
    if (is_5424) {
        versioned = skip_blanks(span_skip(log.text, 2));
    }
    if (log_time_take(&versioned, &log.ts_ms)) {
        log.text = versioned;
        take_host_and_tag(&log, is_5424);
    } else if (take_month_time(&log.text, about_ms, &log.ts_ms)) {
        take_host_and_tag(&log, false);
    } else {
        log.ts_ms = 0;
        (void)take_tag(&log.text, &log.program);
    }
    return log;
}

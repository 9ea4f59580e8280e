/* classify/reply.c - see reply.h.
 *
 * A prefix is a code, an enhanced code, or both. What looks like one inside the text is only taken
 * out where a line began: behind the first prefix (`550 550 5.1.1`), behind a line break, or where
 * the first prefix comes again word for word
 * (`550-5.1.1 ... 550 5.1.1 ...`). A lone `550` in the middle may be part of the sentence, so it
 * goes only if the first line was marked as one of several (`550-`).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/reply.h"

#include <stdio.h>

#include "classify/stage.h"

struct prefix {
    uint16_t code;
    struct enhanced enhanced;
    bool continued; /* 550- */
    size_t size;    /* with the white space behind it; 0: there is none */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t blank_size(struct span text)
{
    size_t size = 0;
    while (size < text.size && is_blank(text.data[size])) {
        size++;
    }
    return size;
}

/* A run of one to three digits at the start; false if it is longer. */
static bool take_number(struct span *text, uint16_t *out)
{
    size_t size = 0;
    uint16_t value = 0;
    while (size < text->size && is_digit(text->data[size])) {
        if (size == 3) {
            return false;
        }
        value = (uint16_t)(value * 10 + (text->data[size] - '0'));
        size++;
    }
    *text = span_skip(*text, size);
    *out = value;
    return size > 0;
}

static bool take_dot(struct span *text)
{
    if (text->size == 0 || text->data[0] != '.') {
        return false;
    }
    *text = span_skip(*text, 1);
    return true;
}

static bool take_enhanced(struct span *text, struct enhanced *out)
{
    struct span rest = *text;
    uint16_t class_;
    struct enhanced enhanced;
    if (!take_number(&rest, &class_) || (class_ != 2 && class_ != 4 && class_ != 5) ||
        !take_dot(&rest) || !take_number(&rest, &enhanced.subject) || !take_dot(&rest) ||
        !take_number(&rest, &enhanced.detail)) {
        return false;
    }
    enhanced.class_ = (uint8_t)class_;
    *out = enhanced;
    *text = rest;
    return true;
}

bool enhanced_parse(struct span text, struct enhanced *out)
{
    struct enhanced enhanced;
    if (!take_enhanced(&text, &enhanced) || text.size != 0) {
        return false;
    }
    *out = enhanced;
    return true;
}

size_t enhanced_format(struct enhanced enhanced, char out[ENHANCED_TEXT_SIZE])
{
    return (size_t)snprintf(out, ENHANCED_TEXT_SIZE, "%u.%u.%u", enhanced.class_,
                            enhanced.subject % 1000, enhanced.detail % 1000);
}

/* 200 to 599, and no number behind it: `550 `, `550-`, `550` at the end. */
static bool take_code(struct span *text, struct prefix *prefix)
{
    struct span rest = *text;
    uint16_t code;
    if (text->size < 3 || !is_digit(text->data[2]) || !take_number(&rest, &code) || code < 200 ||
        code > 599) {
        return false;
    }
    prefix->continued = rest.size > 0 && rest.data[0] == '-';
    if (!prefix->continued && rest.size > 0 && !is_blank(rest.data[0])) {
        return false;
    }
    prefix->code = code;
    *text = span_skip(rest, prefix->continued ? 1 : 0);
    return true;
}

/* `5.1.1 `, `#5.1.1 `, `5.1.1: `; not `5.1.1.7`, which is something else. */
static bool take_status(struct span *text, struct prefix *prefix)
{
    struct span rest = *text;
    if (rest.size > 0 && rest.data[0] == '#') {
        rest = span_skip(rest, 1);
    }
    if (!take_enhanced(&rest, &prefix->enhanced)) {
        return false;
    }
    if (rest.size > 0 && (rest.data[0] == ':' || rest.data[0] == ',')) {
        rest = span_skip(rest, 1);
    }
    if (rest.size > 0 && !is_blank(rest.data[0])) {
        prefix->enhanced = (struct enhanced){0};
        return false;
    }
    *text = rest;
    return true;
}

static struct prefix prefix_parse(struct span text)
{
    struct prefix prefix = {0};
    struct span rest = text;
    const bool has_code = take_code(&rest, &prefix);
    struct span status = span_skip(rest, blank_size(rest));
    const bool has_status = take_status(&status, &prefix);
    if (has_status) {
        rest = status;
    }
    if (has_code || has_status) {
        prefix.size = text.size - rest.size + blank_size(rest);
    }
    return prefix;
}

static bool enhanced_equal(struct enhanced a, struct enhanced b)
{
    return a.class_ == b.class_ && a.subject == b.subject && a.detail == b.detail;
}

/* Is `again`, found further on, the start of a line? */
static bool is_repeated(const struct prefix *first, const struct prefix *again, bool line_start)
{
    if (again->size == 0 || again->code != first->code) {
        return false;
    }
    if (line_start) {
        return true;
    }
    const bool same_status = enhanced_equal(first->enhanced, again->enhanced);
    const bool has_status = again->enhanced.class_ != 0;
    return first->code != 0 && same_status && (has_status || first->continued);
}

/* Writes `text` without repeated prefixes and line breaks. */
static struct span join_lines(const struct prefix *first, struct span text, char *memory)
{
    struct writer out = writer_init(memory, text.size);
    bool line_start = true;
    while (text.size > 0) {
        const size_t blank = blank_size(text);
        line_start = line_start || (blank > 0 && memchr(text.data, '\n', blank) != NULL);
        text = span_skip(text, blank);
        const struct prefix again = prefix_parse(text);
        if (is_repeated(first, &again, line_start)) {
            text = span_skip(text, again.size);
            line_start = false;
            continue;
        }
        size_t word = 0;
        while (word < text.size && !is_blank(text.data[word])) {
            word++;
        }
        if (word > 0 && out.size > 0) {
            put_u8(&out, ' ');
        }
        put_bytes(&out, (struct span){text.data, word});
        text = span_skip(text, word);
        line_start = false;
    }
    return writer_span(&out);
}

/* Is there anything in it that join_lines() would take out? */
static bool needs_joining(const struct prefix *first, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n' || text.data[i] == '\r') {
            return true;
        }
        if (!is_digit(text.data[i]) || (i > 0 && !is_blank(text.data[i - 1]))) {
            continue;
        }
        const struct prefix again = prefix_parse(span_skip(text, i));
        if (is_repeated(first, &again, i == 0)) {
            return true;
        }
    }
    return false;
}

struct reply reply_parse(struct span text, char *memory)
{
    text = span_trim(text);
    if (span_starts_nocase(text, SPAN("smtp;"))) {
        text = span_trim(span_skip(text, 5));
    }
    const struct prefix first = prefix_parse(text);
    struct reply reply = {.code = first.code, .enhanced = first.enhanced};
    text = span_skip(text, first.size);
    if (text.size > 0) {
        reply.text = needs_joining(&first, text) ? join_lines(&first, text, memory) : text;
        reply.stage = stage_in_text(reply.text);
    }
    return reply;
}

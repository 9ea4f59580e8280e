/* classify/format_fields.c - what formats share: fields of JSON objects, words of ours and others; see format.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "classify/format.h"

/* --- fields -------------------------------------------------------------------------------------
 */

/* The place of a key, key_count if it is not wanted. A program names its members in the same order
 * each time, and so do our tables: the search begins where the last one ended. */
static size_t find_slot(const struct span *keys, size_t key_count, struct span key, size_t from)
{
    for (size_t i = from; i < key_count; i++) {
        if (span_equal(keys[i], key)) {
            return i;
        }
    }
    for (size_t i = 0; i < from; i++) {
        if (span_equal(keys[i], key)) {
            return i;
        }
    }
    return key_count;
}

/* A bit per size of a key: most members of a record are wanted by nobody and go by their size. */
static uint64_t size_bit(struct span key)
{
    return UINT64_C(1) << (key.size & 63);
}

void field_pick(const struct json_node *object,
                const struct span *keys,
                size_t key_count,
                const struct json_node **out)
{
    uint64_t sizes = 0;
    size_t next = 0;
    for (size_t i = 0; i < key_count; i++) {
        out[i] = NULL;
        sizes |= size_bit(keys[i]);
    }
    if (object == NULL || object->kind != JSON_OBJECT) {
        return;
    }
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if ((sizes & size_bit(n->key)) == 0) {
            continue;
        }
        const size_t slot = find_slot(keys, key_count, n->key, next);
        if (slot < key_count) {
            out[slot] = n->kind == JSON_NULL ? NULL : n;
            next = slot + 1;
        }
    }
}

/* field_pick() of one key. */
static const struct json_node *find_member(const struct json_node *object, struct span key)
{
    const struct json_node *found = NULL;
    if (object == NULL || object->kind != JSON_OBJECT) {
        return NULL;
    }
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if (span_equal(n->key, key)) {
            found = n->kind == JSON_NULL ? NULL : n;
        }
    }
    return found;
}

const struct json_node *field_find(const struct json_node *object, const char *key)
{
    return find_member(object, span_of(key));
}

bool field_has(const struct json_node *object, const char *key)
{
    return field_find(object, key) != NULL;
}

static const struct json_node *find_path(const struct json_node *node, const char *path)
{
    struct span rest = span_of(path);
    while (node != NULL && rest.size > 0) {
        const char *dot = memchr(rest.data, '.', rest.size);
        const struct span key = {rest.data, dot == NULL ? rest.size : (size_t)(dot - rest.data)};
        const size_t used = dot == NULL ? rest.size : key.size + 1;
        node = find_member(node, key);
        rest = (struct span){rest.data + used, rest.size - used};
    }
    return node;
}

void field_pick_paths(const struct json_node *object,
                      const char *const *paths,
                      size_t path_count,
                      const struct json_node **out)
{
    const bool is_empty = object == NULL || object->count == 1;
    for (size_t i = 0; i < path_count; i++) {
        out[i] = is_empty ? NULL : find_path(object, paths[i]);
    }
}

static const struct json_node *find_nocase(const struct json_node *object, struct span key)
{
    if (object == NULL || object->kind != JSON_OBJECT) {
        return NULL;
    }
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if (n->kind != JSON_NULL && span_equal_nocase(n->key, key)) {
            return n;
        }
    }
    return NULL;
}

static const struct json_node *find_path_nocase(const struct json_node *node, struct span path)
{
    while (node != NULL && path.size > 0) {
        const char *dot = memchr(path.data, '.', path.size);
        const size_t size = dot == NULL ? path.size : (size_t)(dot - path.data);
        node = find_nocase(node, (struct span){path.data, size});
        path = span_skip(path, dot == NULL ? size : size + 1);
    }
    return node;
}

const struct json_node *field_named(const struct json_node *object,
                                    const char *const *paths,
                                    size_t path_count,
                                    struct span name)
{
    for (size_t i = 0; i < path_count; i++) {
        const struct json_node *found = find_nocase(find_path(object, paths[i]), name);
        if (found != NULL) {
            return found;
        }
    }
    const struct json_node *found = find_nocase(object, name);
    return found != NULL ? found : find_path_nocase(object, name);
}

struct span field_text(const struct json_node *node)
{
    return node == NULL || node->kind != JSON_STRING || node->text.size == 0 ? SPAN_NONE
                                                                             : node->text;
}

struct span field_first_text(const struct json_node *node)
{
    if (node == NULL || node->kind != JSON_ARRAY) {
        return field_text(node);
    }
    for (const struct json_node *n = json_first(node); n != json_end(node); n = json_next(n)) {
        if (field_text(n).size > 0) {
            return field_text(n);
        }
    }
    return SPAN_NONE;
}

bool field_is_true(const struct json_node *node)
{
    return node != NULL && node->kind == JSON_BOOL && node->integer != 0;
}

bool field_int(const struct json_node *node, int64_t min, int64_t max, int64_t *out)
{
    int64_t value;
    uint64_t digits;
    if (node == NULL) {
        return false;
    }
    if (node->kind == JSON_INTEGER) {
        value = node->integer;
    } else if (node->kind == JSON_REAL && fabs(node->real) < 1e15 &&
               node->real == floor(node->real)) {
        value = (int64_t)node->real;
    } else if (node->kind == JSON_STRING && span_to_u64(span_trim(node->text), &digits) &&
               digits <= INT64_MAX) {
        value = (int64_t)digits;
    } else {
        return false;
    }
    if (value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* Decimal digits with at most one dot; nothing else that strtod() would take. */
static bool text_to_real(struct span text, double *out)
{
    char digits[32];
    if (text.size == 0 || text.size >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    if (strspn(digits, "0123456789.") != text.size) {
        return false;
    }
    char *end;
    *out = strtod(digits, &end);
    return *end == '\0';
}

static bool field_real(const struct json_node *node, double *out)
{
    switch (node->kind) {
    case JSON_INTEGER:
        *out = (double)node->integer;
        return true;
    case JSON_REAL:
        *out = node->real;
        return true;
    case JSON_STRING:
        return text_to_real(span_trim(node->text), out);
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_OBJECT:
    case JSON_ARRAY:
    default:
        return false;
    }
}

bool field_time_ms(const struct json_node *node, int64_t *out)
{
    static const double SECONDS_MAX = 1e11;
    static const double ROUNDING = 1e-3; /* of a double that holds today in seconds: below it */
    double value;
    int64_t ms;
    if (node == NULL) {
        return false;
    }
    if (node->kind == JSON_STRING && time_parse(node->text, &ms)) {
        *out = ms;
        return ms <= TIME_MS_MAX;
    }
    if (!field_real(node, &value)) {
        return false;
    }
    value = floor((value < SECONDS_MAX ? value * 1000 : value) + ROUNDING);
    if (!(fabs(value) <= (double)TIME_MS_MAX)) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

/* --- texts --------------------------------------------------------------------------------------
 */

enum kind word_kind(const struct word_kind *words, size_t count, struct span word)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal_nocase(word, span_of(words[i].word))) {
            return words[i].kind;
        }
    }
    return KIND_IGNORED;
}

enum kind feedback_kind(struct span type)
{
    static const struct word_kind WORDS[] = {
        {"abuse", KIND_COMPLAINT},
        {"fraud", KIND_COMPLAINT},
        {"opt-out", KIND_UNSUBSCRIBE},
        {"opt-out-list", KIND_UNSUBSCRIBE},
    };
    return word_kind(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), type);
}

struct span text_in_brackets(struct span text)
{
    text = span_trim(text);
    const char *open = text.size == 0 ? NULL : memrchr(text.data, '<', text.size);
    if (open != NULL && text.data[text.size - 1] == '>') {
        text = span_trim((struct span){open + 1, (size_t)(text.data + text.size - open) - 2});
    }
    return text.size == 0 ? SPAN_NONE : text;
}

/* Letters differ from their other case, and from nothing else that words are made of, in this bit. */
static unsigned without_case(char c)
{
    return (unsigned char)c | 0x20U;
}

bool text_contains(struct span text, const char *words)
{
    const struct span wanted = span_of(words);
    const unsigned first = without_case(words[0]);
    for (size_t i = 0; i + wanted.size <= text.size; i++) {
        if (without_case(text.data[i]) == first && span_starts_nocase(span_skip(text, i), wanted)) {
            return true;
        }
    }
    return false;
}

struct span text_typed(struct span text, struct span *type)
{
    const char *semicolon = text.size == 0 ? NULL : memchr(text.data, ';', text.size);
    *type = SPAN_NONE;
    if (semicolon == NULL) {
        return text;
    }
    const size_t size = (size_t)(semicolon - text.data);
    *type = span_trim((struct span){text.data, size});
    return span_trim(span_skip(text, size + 1));
}

bool text_holds(struct span text, const char *words)
{
    return span_find(text, span_of(words)) < text.size;
}

/* In one pass: a word is only looked at where a pair of letters stands with which one begins. Words after words, that was
 * 43 ns a byte (suppressd-bench worst, postfix). */
static bool contains_any(struct span text, const char *const *words, size_t count)
{
    enum { PAIRS = 32 };
    uint32_t seconds[PAIRS] = {0}; /* by the low bits of the first letter: those of the second */
    for (size_t k = 0; k < count; k++) {
        seconds[words[k][0] & 31] |= UINT32_C(1) << (words[k][1] & 31);
    }
    for (size_t i = 0; i + 1 < text.size; i++) {
        if ((seconds[text.data[i] & 31] >> (text.data[i + 1] & 31) & 1) == 0) {
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            if (without_case(text.data[i]) == without_case(words[k][0]) &&
                span_starts_nocase(span_skip(text, i), span_of(words[k]))) {
                return true;
            }
        }
    }
    return false;
}

bool text_is_unreached(struct span text)
{
    static const char *const WORDS[] = {
        "timed out",
        "timeout",
        "connection refused",
        "connection reset",
        "connection lost",
        "lost connection",
        "no route to host",
        "unreachable",
        "unable to connect",
        "could not connect",
        "failed to connect",
        "error dialing",
        "host not found",
        "no such host",
        "no such domain",
        "nxdomain",
        "name service error",
        "lookup fail",
        "dns ",
        "no mx",
        "null mx",
        "mx info",
        "mx record",
        "no valid hosts",
        "no a record",
        "unrouteable",
        "host lookup",
        "unable to resolve",
        "could not resolve",
        "failed to resolve",
    };
    return contains_any(text, WORDS, sizeof(WORDS) / sizeof(WORDS[0]));
}

struct span text_host(struct span text)
{
    size_t size = 0;
    text = span_trim(text);
    while (size < text.size && text.data[size] != ' ' && text.data[size] != '[' &&
           text.data[size] != '(') {
        size++;
    }
    if (size > 1 && text.data[size - 1] == '.') {
        size--;
    }
    return size == 0 ? SPAN_NONE : (struct span){text.data, size};
}

/* --- formats of logs ----------------------------------------------------------------------------
 */

void pick_nothing(const struct json_node *object, const struct json_node **picks)
{
    (void)object;
    for (size_t i = 0; i < PICKS_MAX; i++) {
        picks[i] = NULL;
    }
}

bool know_nothing(const struct json_node *const *picks)
{
    (void)picks;
    return false;
}

void refuse_object(struct decoding *decoding, const struct json_node *const *picks)
{
    (void)picks;
    decoding_fault(decoding,
                   "a JSON object without a line of a log in message, msg, MESSAGE or log");
}

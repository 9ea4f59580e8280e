/* classify/codes.c - see codes.h.
 *
 * The key of a row is its numbers side by side in 33 bits. The hash multiplies by an odd number and
 * keeps the top bits; numbers are tried until no two keys meet. With a table of at least 16 slots a
 * key some thousand tries are enough, and there are at most a few hundred keys.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/codes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum {
    ROWS_MAX = 8192,
    SLOTS_PER_KEY = 16,
    BITS_MIN = 6,
    BITS_MAX = 24,
    TRIES = 20000,
    CODE_MIN = 200,
    CODE_MAX = 599,
    PART_MAX = 999, /* of an enhanced code: RFC 3463, three digits */
    ANY_DETAIL = 1023,
};

struct slot {
    uint64_t key; /* 0: free */
    uint32_t row;
};

struct codes {
    struct code_row *rows;
    uint64_t *keys;
    uint32_t *lines;
    size_t count;
    struct slot *slots;
    unsigned shift;
    uint64_t factor;
};

static uint64_t key_of_numbers(uint16_t code, uint8_t class_, uint16_t subject, uint16_t detail)
{
    return (uint64_t)code << 23 | (uint64_t)class_ << 20 | (uint64_t)subject << 10 | detail;
}

/* --- the perfect hash ----------------------------------------------------------------------- */

static size_t place_of(uint64_t key, uint64_t factor, unsigned shift)
{
    return (size_t)(key * factor >> shift);
}

static bool try_factor(struct codes *codes, uint64_t factor, size_t slot_count)
{
    memset(codes->slots, 0, slot_count * sizeof(codes->slots[0]));
    for (size_t i = 0; i < codes->count; i++) {
        struct slot *slot = &codes->slots[place_of(codes->keys[i], factor, codes->shift)];
        if (slot->key != 0) {
            return false;
        }
        *slot = (struct slot){codes->keys[i], (uint32_t)i};
    }
    codes->factor = factor;
    return true;
}

static enum err build(struct codes *codes)
{
    unsigned bits = BITS_MIN;
    while ((size_t)1 << bits < codes->count * SLOTS_PER_KEY) {
        bits++;
    }
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    for (; bits <= BITS_MAX; bits++) {
        const size_t slot_count = (size_t)1 << bits;
        struct slot *slots = realloc(codes->slots, slot_count * sizeof(slots[0]));
        if (slots == NULL) {
            return ERR_NO_MEMORY;
        }
        codes->slots = slots;
        codes->shift = 64 - bits;
        for (int i = 0; i < TRIES; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if (try_factor(codes, random | 1, slot_count)) {
                return OK;
            }
        }
    }
    CHECK(!"no perfect hash for distinct keys");
    return ERR_NO_MEMORY;
}

static const struct code_row *find(const struct codes *codes, uint64_t key)
{
    const struct slot *slot = &codes->slots[place_of(key, codes->factor, codes->shift)];
    return slot->key == key ? &codes->rows[slot->row] : NULL;
}

const struct code_row *codes_find_enhanced(const struct codes *codes,
                                           uint16_t code,
                                           struct enhanced enhanced)
{
    if (enhanced.class_ == 0 || enhanced.subject > PART_MAX || enhanced.detail > PART_MAX) {
        return NULL;
    }
    const uint8_t class_ = enhanced.class_;
    const struct code_row *row =
        find(codes, key_of_numbers(code, class_, enhanced.subject, enhanced.detail));
    if (row == NULL) {
        row = find(codes, key_of_numbers(0, class_, enhanced.subject, enhanced.detail));
    }
    if (row == NULL) {
        row = find(codes, key_of_numbers(0, class_, enhanced.subject, ANY_DETAIL));
    }
    return row;
}

const struct code_row *codes_find_code(const struct codes *codes, uint16_t code)
{
    return code == 0 ? NULL : find(codes, key_of_numbers(code, 0, 0, 0));
}

size_t codes_count(const struct codes *codes)
{
    return codes->count;
}

/* --- the file ------------------------------------------------------------------------------- */

/* An enhanced code as the file writes it; class 0 stands for x, detail ANY_DETAIL for none. */
struct pattern {
    uint8_t class_;
    bool is_any_class;
    uint16_t subject;
    uint16_t detail;
};

static bool take_part(struct span *text, uint16_t *out)
{
    uint64_t value;
    const char *dot = memchr(text->data, '.', text->size);
    const size_t size = dot == NULL ? text->size : (size_t)(dot - text->data);
    if (!span_to_u64((struct span){text->data, size}, &value) || value > PART_MAX) {
        return false;
    }
    *out = (uint16_t)value;
    const size_t taken = dot == NULL ? size : size + 1;
    *text = (struct span){text->data + taken, text->size - taken};
    return dot == NULL || text->size > 0;
}

static bool pattern_parse(struct span text, struct pattern *out)
{
    if (text.size < 3 || text.data[1] != '.' || strchr("x45", text.data[0]) == NULL) {
        return false;
    }
    out->is_any_class = text.data[0] == 'x';
    out->class_ = (uint8_t)(out->is_any_class ? 0 : text.data[0] - '0');
    text = (struct span){text.data + 2, text.size - 2};
    if (!take_part(&text, &out->subject)) {
        return false;
    }
    if (text.size == 0) {
        out->detail = ANY_DETAIL;
        return true;
    }
    return take_part(&text, &out->detail) && text.size == 0;
}

static void write_id(char id[CODE_ID_SIZE], uint16_t code, const struct pattern *pattern)
{
    char text[64] = "codes:";
    size_t size = strlen(text);
    if (code != 0) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%u%s", code,
                                 pattern == NULL ? "" : " ");
    }
    if (pattern != NULL) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%u.%u", pattern->class_,
                                 pattern->subject);
        if (pattern->detail != ANY_DETAIL) {
            size += (size_t)snprintf(text + size, sizeof(text) - size, ".%u", pattern->detail);
        }
    }
    CHECK(size < CODE_ID_SIZE);
    memcpy(id, text, size + 1);
}

static void add_row(struct codes *codes,
                    struct yaml *file,
                    const struct yaml_node *node,
                    enum category category,
                    uint16_t code,
                    const struct pattern *pattern)
{
    const uint64_t key =
        pattern == NULL ? key_of_numbers(code, 0, 0, 0)
                        : key_of_numbers(code, pattern->class_, pattern->subject, pattern->detail);
    for (size_t i = 0; i < codes->count; i++) {
        if (codes->keys[i] == key) {
            yaml_fault(file, node, "%s stands in line %u already: keep one",
                       codes->rows[i].id + strlen("codes:"), codes->lines[i]);
            return;
        }
    }
    if (codes->count == ROWS_MAX) {
        yaml_fault(file, node, "more than %d codes", ROWS_MAX);
        return;
    }
    struct code_row *row = &codes->rows[codes->count];
    row->category = category;
    row->has_enhanced = pattern != NULL;
    write_id(row->id, code, pattern);
    codes->keys[codes->count] = key;
    codes->lines[codes->count] = node->line;
    codes->count++;
}

static bool read_category(struct yaml *file, const struct yaml_node *node, enum category *out)
{
    const struct yaml_node *member = yaml_find(node, "category");
    const char *text;
    if (member == NULL) {
        yaml_fault(file, node, "a code needs a category");
        return false;
    }
    if (!yaml_to_text(file, member, &text)) {
        return false;
    }
    if (!category_find(span_of(text), out)) {
        yaml_fault(file, member, "no such category: %s (they stand in classify/event.def)", text);
        return false;
    }
    return true;
}

static bool read_pattern(struct yaml *file, const struct yaml_node *member, struct pattern *out)
{
    const char *text;
    if (!yaml_to_text(file, member, &text)) {
        return false;
    }
    if (!pattern_parse(span_of(text), out)) {
        yaml_fault(file, member,
                   "no enhanced code: %s (write it like 5.1.1, x.7.1 for 4.7.1 and 5.7.1, or 5.7)",
                   text);
        return false;
    }
    return true;
}

static void read_row(struct codes *codes, struct yaml *file, const struct yaml_node *node)
{
    static const char *const KEYS[] = {"code", "enhanced", "category", "says", "why"};
    if (yaml_to_map(file, node) == NULL) {
        return;
    }
    yaml_known_keys(file, node, KEYS, sizeof(KEYS) / sizeof(KEYS[0]));
    const struct yaml_node *code_node = yaml_find(node, "code");
    const struct yaml_node *enhanced_node = yaml_find(node, "enhanced");
    int64_t code = 0;
    struct pattern pattern;
    enum category category;
    if (code_node == NULL && enhanced_node == NULL) {
        yaml_fault(file, node, "neither code nor enhanced: of what is it the meaning?");
        return;
    }
    if (!read_category(file, node, &category) ||
        (code_node != NULL && !yaml_to_int(file, code_node, CODE_MIN, CODE_MAX, &code)) ||
        (enhanced_node != NULL && !read_pattern(file, enhanced_node, &pattern))) {
        return;
    }
    if (enhanced_node == NULL || !pattern.is_any_class) {
        add_row(codes, file, node, category, (uint16_t)code,
                enhanced_node == NULL ? NULL : &pattern);
        return;
    }
    for (uint8_t class_ = 4; class_ <= 5; class_++) {
        pattern.class_ = class_;
        add_row(codes, file, node, category, (uint16_t)code, &pattern);
    }
}

enum err codes_create(struct yaml *file, struct codes **out)
{
    struct codes *codes = calloc(1, sizeof(*codes));
    if (codes == NULL) {
        return ERR_NO_MEMORY;
    }
    codes->rows = calloc(ROWS_MAX, sizeof(codes->rows[0]));
    codes->keys = calloc(ROWS_MAX, sizeof(codes->keys[0]));
    codes->lines = calloc(ROWS_MAX, sizeof(codes->lines[0]));
    enum err err = OK;
    if (codes->rows == NULL || codes->keys == NULL || codes->lines == NULL) {
        err = ERR_NO_MEMORY;
    } else {
        const struct yaml_node *list = yaml_to_list(file, yaml_find(yaml_root(file), "codes"));
        for (const struct yaml_node *node = list == NULL ? NULL : list->first; node != NULL;
             node = node->next) {
            read_row(codes, file, node);
        }
        err = build(codes);
    }
    if (err != OK) {
        codes_destroy(&codes);
        return err;
    }
    *out = codes;
    return OK;
}

void codes_destroy(struct codes **codes)
{
    struct codes *c = *codes;
    *codes = NULL;
    if (c == NULL) {
        return;
    }
    free(c->rows);
    free(c->keys);
    free(c->lines);
    free(c->slots);
    free(c);
}

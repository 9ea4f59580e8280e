/* classify/codes.c - see codes.h.
 *
 * The hash is "hash and displace" (Belazzougui, Botelho, Dietzfelbinger 2009) with multiply-shift:
 * the key's first hash names a bucket, the bucket's seed goes into the second, which names the
 * slot. The largest buckets choose their seeds first; with half of the slots empty a few tries are
 * enough.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/codes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "classify/reply.h"

enum {
    DETAIL_ANY = 1023, /* a row x.y: every detail that has no row */
    SEED_MAX = 1 << 20,
    PART_MAX = 999, /* RFC 3463: three digits */
};

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

struct row {
    uint64_t key;
    enum category category;
    char rule[CODE_RULE_SIZE];
    bool is_shipped;
    const struct yaml_node *item; /* of its file */
};

/* A row as it is looked up: one line of the cache, with the answer ready to be copied. */
struct slot {
    uint64_t key; /* 0: empty */
    struct code_match match;
    char rule[CODE_RULE_SIZE]; /* what match.rule points to */
};

struct codes {
    struct slot *slots;
    uint32_t *seeds;
    unsigned slot_bits;
    unsigned bucket_bits;
    size_t count;
};

/* Never 0: a row has a reply code or a class. */
static uint64_t pack(uint16_t reply_code, struct enhanced enhanced)
{
    return (uint64_t)reply_code << 23 | (uint64_t)enhanced.class_ << 20 |
           (uint64_t)enhanced.subject << 10 | enhanced.detail;
}

static uint64_t top_bits(uint64_t key, unsigned bits)
{
    return (key * MULTIPLIER) >> (64 - bits);
}

static uint64_t slot_of(const struct codes *codes, uint64_t key, uint32_t seed)
{
    /* The key sits in the low 33 bits, so a seed above them never makes two keys one. */
    return top_bits((key | (uint64_t)seed << 40) * MULTIPLIER ^ key, codes->slot_bits);
}

static bool find(const struct codes *codes, uint64_t key, struct code_match *out)
{
    const uint32_t seed = codes->seeds[top_bits(key, codes->bucket_bits)];
    const struct slot *slot = &codes->slots[slot_of(codes, key, seed)];
    if (slot->key != key) {
        return false;
    }
    *out = slot->match;
    return true;
}

bool codes_find_enhanced(const struct codes *codes,
                         uint16_t reply_code,
                         struct enhanced enhanced,
                         struct code_match *out)
{
    if (enhanced.class_ == 0 || enhanced.subject > PART_MAX || enhanced.detail > PART_MAX) {
        return false;
    }
    const struct enhanced any = {enhanced.class_, enhanced.subject, DETAIL_ANY};
    return (reply_code != 0 && find(codes, pack(reply_code, enhanced), out)) ||
           find(codes, pack(0, enhanced), out) || find(codes, pack(0, any), out);
}

bool codes_find_reply(const struct codes *codes, uint16_t reply_code, struct code_match *out)
{
    return reply_code != 0 && find(codes, pack(reply_code, (struct enhanced){0}), out);
}

/* --- building -----------------------------------------------------------------------------------
 */

struct bucket {
    uint32_t index;
    uint32_t count;
    uint32_t first; /* of its rows in the order of build.by_bucket */
};

struct build {
    struct codes *codes;
    const struct row *rows;
    size_t row_count;
    struct bucket *buckets;
    const struct row **by_bucket;
};

static int larger_first(const void *left, const void *right)
{
    const struct bucket *a = left;
    const struct bucket *b = right;
    return (a->count < b->count) - (a->count > b->count);
}

static void sort_into_buckets(struct build *build)
{
    const unsigned bits = build->codes->bucket_bits;
    const size_t bucket_count = (size_t)1 << bits;
    for (size_t i = 0; i < build->row_count; i++) {
        build->buckets[top_bits(build->rows[i].key, bits)].count++;
    }
    uint32_t first = 0;
    for (size_t i = 0; i < bucket_count; i++) {
        build->buckets[i].index = (uint32_t)i;
        build->buckets[i].first = first;
        first += build->buckets[i].count;
        build->buckets[i].count = 0;
    }
    for (size_t i = 0; i < build->row_count; i++) {
        struct bucket *bucket = &build->buckets[top_bits(build->rows[i].key, bits)];
        build->by_bucket[bucket->first + bucket->count++] = &build->rows[i];
    }
    qsort(build->buckets, bucket_count, sizeof(build->buckets[0]), larger_first);
}

static bool has_enhanced(uint64_t key)
{
    return (key >> 20 & 7) != 0;
}

static void fill(struct codes *codes, uint64_t number, const struct row *row)
{
    struct slot *slot = &codes->slots[number];
    slot->key = row->key;
    memcpy(slot->rule, row->rule, sizeof(slot->rule));
    slot->match = (struct code_match){
        .category = row->category,
        .by = has_enhanced(row->key) ? FOUND_BY_ENHANCED : FOUND_BY_CODE,
        .rule = slot->rule,
        .place = rule_place_of(row->item),
        .is_shipped = row->is_shipped,
        .slot = (uint32_t)number,
    };
}

/* Takes the bucket's slots, or none of them. */
static bool place(struct build *build, const struct bucket *bucket, uint32_t seed)
{
    struct codes *codes = build->codes;
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct row *row = build->by_bucket[bucket->first + i];
        const uint64_t slot = slot_of(codes, row->key, seed);
        if (codes->slots[slot].key == 0) {
            fill(codes, slot, row);
            continue;
        }
        for (uint32_t j = 0; j < i; j++) {
            const uint64_t key = build->by_bucket[bucket->first + j]->key;
            codes->slots[slot_of(codes, key, seed)] = (struct slot){0};
        }
        return false;
    }
    codes->seeds[bucket->index] = seed;
    return true;
}

static void place_all(struct build *build)
{
    const size_t bucket_count = (size_t)1 << build->codes->bucket_bits;
    for (size_t i = 0; i < bucket_count; i++) {
        uint32_t seed = 0;
        while (!place(build, &build->buckets[i], seed)) {
            seed++;
            CHECK(seed < SEED_MAX); /* keys differ, half of the slots are free */
        }
    }
}

static unsigned bits_for(size_t count)
{
    unsigned bits = 1;
    while (((size_t)1 << bits) < count) {
        bits++;
    }
    return bits;
}

static enum err build_table(const struct row *rows, size_t row_count, struct codes *codes)
{
    codes->count = row_count;
    codes->slot_bits = bits_for(2 * row_count);
    codes->bucket_bits = bits_for(row_count / 2);
    const size_t bucket_count = (size_t)1 << codes->bucket_bits;
    codes->slots = calloc((size_t)1 << codes->slot_bits, sizeof(codes->slots[0]));
    codes->seeds = calloc(bucket_count, sizeof(codes->seeds[0]));
    struct build build = {
        .codes = codes,
        .rows = rows,
        .row_count = row_count,
        .buckets = calloc(bucket_count, sizeof(struct bucket)),
        .by_bucket = calloc(row_count + 1, sizeof(const struct row *)),
    };
    const bool good = codes->slots != NULL && codes->seeds != NULL && build.buckets != NULL &&
                      build.by_bucket != NULL;
    if (good) {
        sort_into_buckets(&build);
        place_all(&build);
    }
    free(build.buckets);
    free(build.by_bucket);
    return good ? OK : ERR_NO_MEMORY;
}

/* --- rows of the file ---------------------------------------------------------------------------
 */

static const char *const KEYS[] = {"reply", "enhanced", "category", "example", "why"};

/* `5.1.1`, or `5.1` for every detail without a row. */
static bool parse_status(struct span text, struct enhanced *out)
{
    char whole[ENHANCED_TEXT_SIZE + 2];
    if (enhanced_parse(text, out)) {
        return out->class_ != 2;
    }
    const int size = snprintf(whole, sizeof(whole), "%.*s.0", SPAN_ARGS(text));
    if (size < 0 || (size_t)size >= sizeof(whole) ||
        !enhanced_parse((struct span){whole, (size_t)size}, out)) {
        return false;
    }
    out->detail = DETAIL_ANY;
    return out->class_ != 2;
}

static bool take_codes(struct yaml *yaml, const struct yaml_node *item, struct row *row)
{
    struct enhanced enhanced = {0};
    int64_t reply_code = 0;
    const struct yaml_node *reply = yaml_find(item, "reply");
    const struct yaml_node *status = yaml_find(item, "enhanced");
    const char *text = "";
    if (reply == NULL && status == NULL) {
        yaml_fault(yaml, item, "a row needs `reply: 550`, `enhanced: 5.1.1`, or both");
        return false;
    }
    if (reply != NULL && !yaml_to_int(yaml, reply, 400, 599, &reply_code)) {
        return false;
    }
    if (status != NULL && !yaml_to_text(yaml, status, &text)) {
        return false;
    }
    if (status != NULL && !parse_status(status->text, &enhanced)) {
        yaml_fault(yaml, status,
                   "\"%s\" is no enhanced code; write 5.1.1, or 5.1 for the rest of it", text);
        return false;
    }
    if (reply != NULL && enhanced.detail == DETAIL_ANY) {
        yaml_fault(yaml, item, "a row of both codes needs the whole enhanced code");
        return false;
    }
    row->key = pack((uint16_t)reply_code, enhanced);
    (void)snprintf(row->rule, sizeof(row->rule), "%s%s%s", reply == NULL ? "" : reply->text.data,
                   reply != NULL && status != NULL ? " " : "", text);
    return true;
}

/* A row with these codes that was read before. */
static const struct row *find_row(const struct row *rows, size_t count, uint64_t key)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].key == key) {
            return &rows[i];
        }
    }
    return NULL;
}

/* False: it is no row, or one of the user's took its place. */
static bool take_row(const struct rule_file *file,
                     const struct yaml_node *item,
                     const struct row *rows,
                     size_t count,
                     struct row *row)
{
    *row = (struct row){.is_shipped = file->is_shipped, .item = item};
    if (yaml_to_map(file->yaml, item) == NULL) {
        return false;
    }
    yaml_known_keys(file->yaml, item, KEYS, sizeof(KEYS) / sizeof(KEYS[0]));
    if (yaml_find(item, "example") == NULL) {
        yaml_fault(file->yaml, item, "a row needs an example: a reply that it decides");
    }
    const bool has_codes = take_codes(file->yaml, item, row);
    if (!rule_category(file->yaml, item, &row->category) || !has_codes) {
        return false;
    }
    const struct row *other = find_row(rows, count, row->key);
    if (other != NULL && (other->is_shipped || !row->is_shipped)) {
        yaml_fault(file->yaml, item, "%s has a row already (%s:%u); keep one", row->rule,
                   other->item->source, other->item->line);
    }
    return other == NULL;
}

static size_t take_file(const struct rule_file *file, struct row *rows, size_t count)
{
    const struct yaml_node *root = yaml_root(file->yaml);
    const struct yaml_node *list = yaml_to_list(file->yaml, yaml_find(root, "codes"));
    if (list != NULL && yaml_find(root, "provider") != NULL) {
        yaml_fault(file->yaml, list,
                   "the table of codes is one for all providers; write a rule with `when` instead");
        return count;
    }
    for (const struct yaml_node *item = list == NULL ? NULL : list->first; item != NULL;
         item = item->next) {
        if (count == CODES_MAX) {
            yaml_fault(file->yaml, item, "more than %d rows", CODES_MAX);
            break;
        }
        count += take_row(file, item, rows, count, &rows[count]);
    }
    return count;
}

/* Its own example must find the row, so that none is shadowed or mistyped. The user may shadow
 * what he likes of ours. */
static void check_example(struct yaml *yaml, const struct codes *codes, const struct row *row)
{
    const struct yaml_node *node = yaml_find(row->item, "example");
    const char *text;
    char memory[512];
    if (node == NULL || !yaml_to_text(yaml, node, &text) || node->text.size > sizeof(memory)) {
        return;
    }
    const struct reply reply = reply_parse(node->text, memory);
    struct code_match found = {.rule = "no row", .is_shipped = true};
    if (!codes_find_enhanced(codes, reply.code, reply.enhanced, &found)) {
        (void)codes_find_reply(codes, reply.code, &found);
    }
    if (strcmp(found.rule, row->rule) != 0 && (!row->is_shipped || found.is_shipped)) {
        yaml_fault(yaml, node, "the example of %s is decided by %s", row->rule, found.rule);
    }
}

static enum err load_rows(const struct rule_file *files,
                          size_t count,
                          struct row *rows,
                          struct codes *codes)
{
    size_t faults = 0;
    size_t row_count = 0;
    size_t ends[RULE_FILES_MAX];
    for (size_t i = 0; i < count; i++) {
        faults += yaml_fault_count(files[i].yaml);
        row_count = take_file(&files[i], rows, row_count);
        ends[i] = row_count;
    }
    const enum err err = build_table(rows, row_count, codes);
    if (err != OK) {
        return err;
    }
    for (size_t i = 0, row = 0; i < count; i++) {
        for (; row < ends[i]; row++) {
            check_example(files[i].yaml, codes, &rows[row]);
        }
        faults -= yaml_fault_count(files[i].yaml);
    }
    return faults == 0 ? OK : ERR_BAD_CONFIG;
}

enum err codes_load(const struct rule_file *files, size_t count, struct codes **out)
{
    struct row *rows = calloc(CODES_MAX, sizeof(*rows));
    struct codes *codes = calloc(1, sizeof(*codes));
    CHECK(count <= RULE_FILES_MAX);
    enum err err = rows == NULL || codes == NULL ? ERR_NO_MEMORY : OK;
    if (err == OK) {
        err = load_rows(files, count, rows, codes);
    }
    free(rows);
    if (err != OK) {
        codes_destroy(&codes);
        return err;
    }
    *out = codes;
    return OK;
}

size_t codes_count(const struct codes *codes)
{
    return codes->count;
}

size_t codes_slots(const struct codes *codes)
{
    return (size_t)1 << codes->slot_bits;
}

bool codes_at(const struct codes *codes, size_t slot, struct code_match *out)
{
    if (codes->slots[slot].key == 0) {
        return false;
    }
    *out = codes->slots[slot].match;
    return true;
}

void codes_destroy(struct codes **codes)
{
    if (*codes == NULL) {
        return;
    }
    free((*codes)->slots);
    free((*codes)->seeds);
    free(*codes);
    *codes = NULL;
}

/* base/json_shapes.c - see json_shapes.h.
 *
 * A text is cut into literals and values:
 *
 *     {"type":"Bounce","response":{"code":550,"content":"no such user"},"peer_address":null}
 *     literal  value  literal            val  literal    value          literal, the end
 *
 * A value is the inside of a string, or a number of at most 18 digits, with or without a dot among
 * them. All else is literal: keys, brackets, null, true, other numbers, white space. The texts seen make a tree of steps, each a
 * literal and the kind of value behind it; a child is what comes behind the value, siblings are
 * what may stand there instead. Reading a text is walking down: compare the literal, scan the
 * value, go on with the child. At the end stands the shape: the nodes of the text that was learned,
 * into which the values are put.
 *
 * Why a text that gets there is JSON, and means what json_read() says: it is the learned text with
 * other values. The inside of a string became other bytes up to the first quote, with no backslash,
 * no control character and nothing that is no UTF-8 among them; a number became other digits with
 * the same delimiter behind them and no 0 in front. Digits with a dot are a quotient of two numbers that a double holds
 * exactly, so the division rounds as rightly as any parser (Clinger, "How to Read Floating Point Numbers Accurately");
 * where they are not, the text is unknown.
 *
 * Steps are tried in the order in which they were learned, without ever going back. A text that
 * another way would have led to the end is unknown, like one with an escape in a string.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/json_shapes.h"

#include <stdlib.h>

#if defined(__SSE2__) && !defined(JSON_SHAPES_PORTABLE)
#include <emmintrin.h>
#endif

#include "base/log.h"
#include "base/utf8.h"

enum {
    STEPS_MAX = 4096,
    NODES_MAX = 8192,
    BYTES_MAX = 256 * 1024, /* of literals and keys */
    TEXT_SIZE_MAX = 16 * 1024,
    TEXT_NODES_MAX = 128,
    DIGITS_MAX = 18,  /* whatever they are, it fits int64_t */
    PATIENCE = 65536, /* texts that are not learned while something is used up */
    BLOCK = 16,       /* bytes that are compared or scanned at once */
};

enum { ROOT = 0, NONE = 0 }; /* no step leads to the root */

enum step_kind { STEP_STRING, STEP_NUMBER, STEP_REAL, STEP_END };

struct step {
    uint32_t literal; /* its place in `bytes` */
    uint16_t size;
    uint16_t child;   /* or NONE; of STEP_END: which shape */
    uint16_t sibling; /* or NONE */
    uint8_t kind;
};

struct shape {
    struct json_node *nodes;
    bool has_reals;                 /* as values */
    uint16_t slots[TEXT_NODES_MAX]; /* the node of each value, in the order of the text */
};

/* As in a node; of a string the number is 0, of a number there is no text. */
struct value {
    struct span text;
    union {
        int64_t integer;
        double real; /* of STEP_REAL */
    };
};

struct json_shapes {
    struct step steps[STEPS_MAX]; /* the root has neither literal nor value */
    struct shape shapes[JSON_SHAPES_MAX];
    struct json_node nodes[NODES_MAX];
    char bytes[BYTES_MAX + BLOCK];       /* a whole block may be read wherever a literal goes on */
    struct value values[TEXT_NODES_MAX]; /* of the text in hand */
    uint32_t step_count;
    uint32_t shape_count;
    uint32_t node_count;
    uint32_t byte_count;
    uint32_t patience;  /* 0: there is room */
    uint64_t forgotten; /* shapes, before those that are known now */
};

/* --- comparing and scanning ---------------------------------------------------------------------
 *
 * By blocks where the processor has them (every x86-64); else by what the C library and whole words
 * give. Never behind `end`.
 */

#if defined(__SSE2__) && !defined(JSON_SHAPES_PORTABLE)

static __m128i load_block(const char *bytes)
{
    __m128i block;
    memcpy(&block, bytes, sizeof(block));
    return block;
}

/* The first `size` bytes are equal; both can be read for a whole block. */
static bool block_equal(const char *a, const char *b, size_t size)
{
    const __m128i equal = _mm_cmpeq_epi8(load_block(a), load_block(b));
    const unsigned mask = size < BLOCK ? (1U << size) - 1 : 0xffff;
    return ((unsigned)_mm_movemask_epi8(equal) & mask) == mask;
}

/* A literal of ours at the start of `text`, which has at least its size. */
static bool literal_equal(const char *literal, size_t size, struct span text)
{
    for (size_t i = 0; i < size; i += BLOCK) {
        if (text.size - i < BLOCK) {
            return memcmp(literal + i, text.data + i, size - i) == 0;
        }
        if (!block_equal(literal + i, text.data + i, size - i)) {
            return false;
        }
    }
    return true;
}

/* How many bytes of a block are plain: no quote, backslash, control character, nothing beyond
 * ASCII. */
static size_t block_plain_size(const char *bytes)
{
    const __m128i block = load_block(bytes);
    const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    /* as signed bytes, what is beyond ASCII is below the space too */
    const __m128i odd = _mm_or_si128(marks, _mm_cmplt_epi8(block, _mm_set1_epi8(' ')));
    const unsigned mask = (unsigned)_mm_movemask_epi8(odd);
    return mask == 0 ? BLOCK : (size_t)__builtin_ctz(mask);
}

#else

static bool literal_equal(const char *literal, size_t size, struct span text)
{
    return memcmp(literal, text.data, size) == 0;
}

/* Whether a byte of the word is zero or has its top bit set, to be used of x ^ byte. */
static uint64_t odd_bytes(uint64_t word)
{
    static const uint64_t ONES = UINT64_C(0x0101010101010101);
    static const uint64_t TOPS = UINT64_C(0x8080808080808080);
    const uint64_t quotes = word ^ (ONES * '"');
    const uint64_t backslashes = word ^ (ONES * '\\');
    return ((quotes - ONES) | (backslashes - ONES) | (word - ONES * ' ') | word) & TOPS;
}

/* In whole words: a block may be plain for longer than is told. */
static size_t block_plain_size(const char *bytes)
{
    uint64_t words[BLOCK / sizeof(uint64_t)];
    memcpy(words, bytes, sizeof(words));
    return odd_bytes(words[0]) != 0 ? 0 : odd_bytes(words[1]) != 0 ? sizeof(uint64_t) : BLOCK;
}

#endif

static bool is_plain(char c)
{
    return (signed char)c >= ' ' && c != '"' && c != '\\';
}

/* The first byte from `at` on that is not plain; `end` if all are. */
static const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= BLOCK) {
        const size_t size = block_plain_size(at);
        at += size;
        if (size < BLOCK) {
            break;
        }
    }
    while (at < end && is_plain(*at)) {
        at++;
    }
    return at;
}

/* The quote that ends a string whose inside begins at `at`; NULL if it is not simple. */
static const char *scan_string(const char *at, const char *end, struct value *out)
{
    const char *start = at;
    for (at = skip_plain(at, end); at < end && *at != '"'; at = skip_plain(at, end)) {
        const struct span rest = {at, (size_t)(end - at)};
        const size_t size = (signed char)*at < 0 ? utf8_sequence_size(rest) : 0;
        if (size == 0) {
            return NULL;
        }
        at += size;
    }
    *out = (struct value){.text = {start, (size_t)(at - start)}};
    return at < end ? at : NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The first byte behind at most `max` digits, which are joined to *value. */
static const char *scan_digits(const char *at, const char *end, ptrdiff_t max, int64_t *value)
{
    const char *start = at;
    while (at < end && is_digit(*at) && at - start < max) {
        *value = *value * 10 + (*at - '0');
        at++;
    }
    return at;
}

/* The first byte behind the digits; NULL if there are none, too many, a 0 in front, or a dot behind. */
static const char *scan_number(const char *at, const char *end, struct value *out)
{
    const char *start = at;
    int64_t value = 0;
    at = scan_digits(at, end, DIGITS_MAX, &value);
    *out = (struct value){SPAN_NONE, {value}};
    const bool is_whole =
        at > start && (*start != '0' || at - start == 1) && (at == end || *at != '.');
    return is_whole ? at : NULL;
}

/* The same of digits with a dot among them; NULL if a double does not hold them all. */
static const char *scan_real(const char *at, const char *end, struct value *out)
{
    static const int64_t EXACT_MAX = INT64_C(1) << 53;
    static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    const char *start = at;
    int64_t digits = 0;
    const char *dot = scan_digits(at, end, DIGITS_MAX, &digits);
    if (dot == start || dot == end || *dot != '.' || (*start == '0' && dot - start > 1)) {
        return NULL;
    }
    at = scan_digits(dot + 1, end, DIGITS_MAX - (dot - start), &digits);
    if (at == dot + 1 || digits > EXACT_MAX) {
        return NULL;
    }
    *out = (struct value){.real = (double)digits / TENS[at - dot - 1]};
    return at;
}

/* What comes behind the value; NULL if none of its kind stands there. */
static const char *scan_value(uint8_t kind, const char *at, const char *end, struct value *out)
{
    switch (kind) {
    case STEP_STRING:
        return scan_string(at, end, out);
    case STEP_NUMBER:
        return scan_number(at, end, out);
    case STEP_REAL:
        return scan_real(at, end, out);
    default:
        return at == end ? at : NULL;
    }
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* Most texts have none, and need not ask at each value. */
static void fill_reals(struct json_shapes *shapes, const struct shape *shape, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct json_node *node = &shape->nodes[shape->slots[i]];
        if (node->kind == JSON_REAL) {
            node->integer = 0;
            node->real = shapes->values[i].real;
        }
    }
}

static const struct json_node *fill(struct json_shapes *shapes, uint16_t which, size_t count)
{
    const struct shape *shape = &shapes->shapes[which];
    for (size_t i = 0; i < count; i++) {
        struct json_node *node = &shape->nodes[shape->slots[i]];
        node->text = shapes->values[i].text;
        node->integer = shapes->values[i].integer;
    }
    if (shape->has_reals) {
        fill_reals(shapes, shape, count);
    }
    return shape->nodes;
}

/* What comes behind the step's literal, NULL if that does not stand at `at`. */
static const char *skip_literal(const struct json_shapes *shapes,
                                const struct step *step,
                                const char *at,
                                const char *end)
{
    const struct span rest = {at, (size_t)(end - at)};
    return rest.size >= step->size && literal_equal(shapes->bytes + step->literal, step->size, rest)
               ? at + step->size
               : NULL;
}

const struct json_node *json_shapes_read(struct json_shapes *shapes,
                                         struct span text,
                                         uint64_t *shape)
{
    CHECK(text.data != NULL);
    const char *at = text.data;
    const char *const end = text.data + text.size;
    size_t count = 0;
    uint32_t next = shapes->steps[ROOT].child;
    while (next != NONE) {
        const struct step *step = &shapes->steps[next];
        const char *behind = skip_literal(shapes, step, at, end);
        if (behind != NULL) {
            behind = scan_value(step->kind, behind, end, &shapes->values[count]);
        }
        if (behind == NULL) {
            next = step->sibling;
        } else if (step->kind == STEP_END) {
            *shape = shapes->forgotten + step->child + 1;
            return fill(shapes, step->child, count);
        } else {
            at = behind;
            next = step->child;
            count++;
        }
    }
    return NULL;
}

/* --- learning -----------------------------------------------------------------------------------
 *
 * The text has been read by json_read(), so its tokens need no checks here: the nodes, which stand
 * in its order, tell what comes next.
 */

static bool is_between(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':' || c == ']' ||
           c == '}';
}

static size_t skip_between(struct span text, size_t at)
{
    while (at < text.size && is_between(text.data[at])) {
        at++;
    }
    return at;
}

/* The place of the quote that ends the string whose inside begins at `at`. */
static size_t string_end(struct span text, size_t at)
{
    const char *const end = text.data + text.size;
    while (at < text.size) {
        at = (size_t)(skip_plain(text.data + at, end) - text.data);
        if (at < text.size && text.data[at] == '"') {
            break;
        }
        at += at < text.size && text.data[at] == '\\' ? 2 : 1;
    }
    return at;
}

static size_t digits_end(struct span text, size_t at)
{
    while (at < text.size && is_digit(text.data[at])) {
        at++;
    }
    return at;
}

static size_t token_end(struct span text, size_t at)
{
    while (at < text.size && !is_between(text.data[at])) {
        at++;
    }
    return at;
}

/* What the token of a node is that is neither text nor container. */
static enum step_kind number_kind(struct span text,
                                  size_t at,
                                  size_t end,
                                  const struct json_node *node)
{
    const size_t whole_end = digits_end(text, at);
    if (node->kind == JSON_INTEGER && whole_end == end && end - at <= DIGITS_MAX) {
        return STEP_NUMBER;
    }
    const bool is_real = node->kind == JSON_REAL && whole_end > at && whole_end < end &&
                         text.data[whole_end] == '.' && digits_end(text, whole_end + 1) == end;
    return is_real ? STEP_REAL : STEP_END;
}

/* Where the value of a node stands: at the first of its inside, up to what ends it. */
struct place {
    size_t start;
    size_t end;
    enum step_kind kind; /* STEP_END: it is a part of the literal */
};

static struct place place_of(struct span text, size_t at, const struct json_node *node)
{
    at = skip_between(text, at);
    if (node->key.data != NULL) {
        at = skip_between(text, string_end(text, at + 1) + 1);
    }
    if (node->kind == JSON_STRING) {
        return (struct place){at + 1, string_end(text, at + 1), STEP_STRING};
    }
    if (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY) {
        return (struct place){at, at + 1, STEP_END};
    }
    const size_t end = token_end(text, at);
    return (struct place){at, end, number_kind(text, at, end, node)};
}

/* `size` bytes of ours with that content; false: there is no room. */
static bool keep_bytes(struct json_shapes *shapes, struct span bytes, uint32_t *out)
{
    if (bytes.size > BYTES_MAX - shapes->byte_count) {
        return false;
    }
    memcpy(shapes->bytes + shapes->byte_count, bytes.data, bytes.size);
    *out = shapes->byte_count;
    shapes->byte_count += (uint32_t)bytes.size;
    return true;
}

/* The link to the step below `parent` with this literal and kind; the last link, which is NONE, if
 * there is none. */
static uint16_t *find_link(struct json_shapes *shapes,
                           uint16_t parent,
                           struct span literal,
                           enum step_kind kind)
{
    uint16_t *link = &shapes->steps[parent].child;
    while (*link != NONE) {
        struct step *step = &shapes->steps[*link];
        const struct span own = {shapes->bytes + step->literal, step->size};
        if (step->kind == kind && span_equal(own, literal)) {
            break;
        }
        link = &step->sibling;
    }
    return link;
}

/* A new step for a link; NONE: no room. */
static uint16_t add_step(struct json_shapes *shapes,
                         uint16_t *link,
                         struct span literal,
                         enum step_kind kind)
{
    struct step step = {.size = (uint16_t)literal.size, .kind = (uint8_t)kind};
    if (shapes->step_count == STEPS_MAX || !keep_bytes(shapes, literal, &step.literal)) {
        return NONE;
    }
    shapes->steps[shapes->step_count] = step;
    *link = (uint16_t)shapes->step_count++;
    return *link;
}

/* A copy of the nodes with keys of our own; false: no room. */
static bool keep_nodes(struct json_shapes *shapes,
                       struct shape *shape,
                       const struct json_node *root)
{
    if (root->count > NODES_MAX - shapes->node_count) {
        return false;
    }
    shape->nodes = &shapes->nodes[shapes->node_count];
    for (uint32_t i = 0; i < root->count; i++) {
        struct json_node *node = &shape->nodes[i];
        uint32_t key = 0;
        *node = root[i];
        if (node->key.data != NULL) {
            if (!keep_bytes(shapes, node->key, &key)) {
                return false;
            }
            node->key.data = shapes->bytes + key;
        }
    }
    shapes->node_count += root->count;
    return true;
}

/* The end of a text, and its shape, unless it is known; false: no room. */
static bool keep_end(struct json_shapes *shapes,
                     uint16_t *link,
                     struct span literal,
                     const struct json_node *root)
{
    if (*link != NONE) {
        return true;
    }
    /* the nodes first: no step may lead to a shape that is not there */
    if (!keep_nodes(shapes, &shapes->shapes[shapes->shape_count], root)) {
        return false;
    }
    const uint16_t step = add_step(shapes, link, literal, STEP_END);
    if (step == NONE) {
        return false;
    }
    shapes->steps[step].child = (uint16_t)shapes->shape_count++;
    return shapes->shape_count < JSON_SHAPES_MAX;
}

/* False: no room. What was kept by then leads nowhere. */
static bool keep_text(struct json_shapes *shapes, struct span text, const struct json_node *root)
{
    struct shape *shape = &shapes->shapes[shapes->shape_count];
    uint16_t *slots = shape->slots;
    uint16_t step = ROOT;
    size_t literal = 0;
    size_t at = 0;
    shape->has_reals = false;
    for (uint32_t i = 0; i < root->count; i++) {
        const struct place place = place_of(text, at, &root[i]);
        at = place.end + (place.kind == STEP_STRING ? 1 : 0);
        if (place.kind == STEP_END) {
            continue;
        }
        const struct span before = {text.data + literal, place.start - literal};
        uint16_t *link = find_link(shapes, step, before, place.kind);
        step = *link != NONE ? *link : add_step(shapes, link, before, place.kind);
        if (step == NONE) {
            return false;
        }
        *slots++ = (uint16_t)i;
        shape->has_reals = shape->has_reals || place.kind == STEP_REAL;
        literal = place.end;
    }
    const struct span rest = {text.data + literal, text.size - literal};
    return keep_end(shapes, find_link(shapes, step, rest, STEP_END), rest, root);
}

void json_shapes_forget(struct json_shapes *shapes)
{
    shapes->forgotten += JSON_SHAPES_MAX;
    shapes->steps[ROOT] = (struct step){0};
    shapes->step_count = 1;
    shapes->shape_count = 0;
    shapes->node_count = 0;
    shapes->byte_count = 0;
    shapes->patience = 0;
}

void json_shapes_learn(struct json_shapes *shapes, struct span text, const struct json_node *root)
{
    if (root->kind != JSON_OBJECT || root->count > TEXT_NODES_MAX || text.size > TEXT_SIZE_MAX) {
        return;
    }
    if (shapes->patience > 1) {
        shapes->patience--;
        return;
    }
    if (shapes->patience == 1) {
        json_shapes_forget(shapes);
    }
    if (!keep_text(shapes, text, root)) {
        shapes->patience = PATIENCE;
    }
}

enum err json_shapes_create(struct json_shapes **out)
{
    struct json_shapes *shapes = calloc(1, sizeof(*shapes));
    if (shapes == NULL) {
        return ERR_NO_MEMORY;
    }
    json_shapes_forget(shapes);
    *out = shapes;
    return OK;
}

void json_shapes_destroy(struct json_shapes **shapes)
{
    free(*shapes);
    *shapes = NULL;
}

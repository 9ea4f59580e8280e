/* classify/decode.c - framing: where in a record the events are; see decode.h.
 *
 *     {...}                  one event, over as many lines as it likes
 *     {...}\n{...}\n         NDJSON: each line stands for itself
 *     [{...},{...}]          an array: cut into elements by a scanner that only knows strings and
 *                            brackets, so that what stands before a fault is still read
 *
 * Each event is then read by itself, so neither memory nor time depend on how many there are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/decode.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_shapes.h"
#include "classify/format.h"

static const struct format *const FORMATS[] = {
    &FORMAT_KUMOMTA,
    &FORMAT_NATIVE,
};

enum { FORMAT_COUNT = sizeof(FORMATS) / sizeof(FORMATS[0]) };

/* What a format picked of a known shape. */
struct picked {
    uint64_t shape; /* 0: none */
    const struct format *format;
    const struct json_node *nodes[PICKS_MAX];
};

struct decoder {
    struct json_shapes *shapes;
    struct json_reader *reader;
    struct picked picked[JSON_SHAPES_MAX];
};

struct decoding {
    struct decoder *decoder;
    const struct format *format;
    const struct decode_sink *sink;
    struct span record; /* as loaded; the payload itself as long as nothing was */
    struct span part;   /* the line or element in hand */
    uint32_t part_index;
    uint64_t shape; /* of the part, 0: not known */
};

/* --- formats ------------------------------------------------------------------------------------
 */

const struct format *format_find(struct span name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (span_equal(span_of(FORMATS[i]->name), name)) {
            return FORMATS[i];
        }
    }
    return NULL;
}

const char *format_name(const struct format *format)
{
    return format->name;
}

const struct format *format_at(size_t i)
{
    return i < FORMAT_COUNT ? FORMATS[i] : NULL;
}

/* --- to the sink --------------------------------------------------------------------------------
 */

static void tell_fault(struct decoding *decoding, const char *reason, size_t position_in_part)
{
    const struct decode_fault fault = {
        .reason = reason,
        .part = decoding->part,
        .position = (uint64_t)(decoding->part.data - decoding->record.data) + position_in_part,
        .column = position_in_part + 1,
        .part_index = decoding->part_index,
    };
    decoding->sink->fault(decoding->sink->context, &fault);
}

void decoding_fault(struct decoding *decoding, const char *reason)
{
    tell_fault(decoding, reason, 0);
}

void decoding_event(struct decoding *decoding, const struct event *event)
{
    const struct decode_part part = {.index = decoding->part_index, .bytes = decoding->part};
    decoding->sink->event(decoding->sink->context, &part, event);
}

static size_t count_texts(const struct json_node *array)
{
    size_t count = 0;
    for (const struct json_node *n = json_first(array); n != json_end(array); n = json_next(n)) {
        count += field_text(n).size > 0;
    }
    return count;
}

static void array_events(struct decoding *decoding,
                         struct event event,
                         const struct json_node *array)
{
    for (const struct json_node *n = json_first(array); n != json_end(array); n = json_next(n)) {
        event.recipient = field_text(n);
        if (event.recipient.size > 0) {
            decoding_event(decoding, &event);
        }
    }
}

void decoding_event_each(struct decoding *decoding,
                         const struct event *event,
                         const struct json_node *recipients)
{
    const bool is_array = recipients != NULL && recipients->kind == JSON_ARRAY;
    const size_t count = is_array ? count_texts(recipients) : field_text(recipients).size > 0;
    if (count == 0 && event->kind != KIND_IGNORED) {
        decoding_fault(decoding, "no recipient");
    } else if (count > DECODE_RECIPIENTS_MAX) {
        decoding_fault(decoding, "more than 1000 recipients in one event");
    } else if (is_array && count > 0) {
        array_events(decoding, *event, recipients);
    } else {
        struct event single = *event;
        single.recipient = field_text(recipients);
        decoding_event(decoding, &single);
    }
}

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

const struct json_node *field_find(const struct json_node *object, const char *key)
{
    const struct json_node *found;
    const struct span keys[] = {span_of(key)};
    field_pick(object, keys, 1, &found);
    return found;
}

struct span field_text(const struct json_node *node)
{
    return node == NULL || node->kind != JSON_STRING || node->text.size == 0 ? SPAN_NONE
                                                                             : node->text;
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
    value = round(value < SECONDS_MAX ? value * 1000 : value);
    if (!(fabs(value) <= (double)TIME_MS_MAX)) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

/* --- framing ------------------------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span skip_blank(struct span text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

static void decode_picked(struct decoding *decoding, const struct json_node *object)
{
    struct picked *picked = &decoding->decoder->picked[decoding->shape % JSON_SHAPES_MAX];
    if (picked->shape != decoding->shape || picked->format != decoding->format) {
        decoding->format->pick(object, picked->nodes);
        picked->shape = decoding->shape;
        picked->format = decoding->format;
    }
    decoding->format->object(decoding, picked->nodes);
}

/* The events of a checked value, or the fault that it is no object. */
static void decode_root(struct decoding *decoding, const struct json_node *root)
{
    if (root->kind != JSON_OBJECT) {
        decoding_fault(decoding, "not a JSON object");
    } else if (decoding->shape != 0) {
        decode_picked(decoding, root);
    } else {
        const struct json_node *picks[PICKS_MAX];
        decoding->format->pick(root, picks);
        decoding->format->object(decoding, picks);
    }
}

/* NULL: nothing is known of such a text. */
static const struct json_node *read_known(struct decoding *decoding, struct span part)
{
    const struct json_node *root =
        json_shapes_read(decoding->decoder->shapes, part, &decoding->shape);
    if (root != NULL) {
        decoding->part = part;
    }
    return root;
}

/* NULL: *fault says why. The part is what was tried. */
static const struct json_node *read_new(struct decoding *decoding,
                                        struct span part,
                                        struct json_fault *fault)
{
    decoding->part = part;
    decoding->shape = 0;
    const struct json_node *root = json_read(decoding->decoder->reader, part, fault);
    if (root != NULL) {
        json_shapes_learn(decoding->decoder->shapes, part, root);
    }
    return root;
}

static const struct json_node *read_part(struct decoding *decoding,
                                         struct span part,
                                         struct json_fault *fault)
{
    const struct json_node *root = read_known(decoding, part);
    return root != NULL ? root : read_new(decoding, part, fault);
}

/* The first line of `text` without its end, and what is behind it. */
static struct span cut_line(struct span *text)
{
    const char *end = memchr(text->data, '\n', text->size);
    const size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    const struct span line = {text->data, size};
    const size_t used = end == NULL ? size : size + 1;
    *text = (struct span){text->data + used, text->size - used};
    return line;
}

/* Does a further line begin like an event of its own? */
static bool has_second_event(struct span text)
{
    (void)cut_line(&text);
    while (text.size > 0) {
        const struct span line = cut_line(&text);
        if (line.size > 0 && line.data[0] == '{') {
            return true;
        }
    }
    return false;
}

static void tell_not_json(struct decoding *decoding, struct json_fault fault)
{
    if (decoding->part.data[0] != '{') {
        tell_fault(decoding, "not JSON: it does not begin with { or [", 0);
    } else {
        tell_fault(decoding, fault.words, fault.position);
    }
}

static void decode_line(struct decoding *decoding, struct span line)
{
    struct json_fault fault;
    const struct json_node *root = read_part(decoding, line, &fault);
    if (root == NULL) {
        tell_not_json(decoding, fault);
    } else {
        decode_root(decoding, root);
    }
}

/* One event that fills the record; read_known() has been tried. */
static void decode_single(struct decoding *decoding, struct span record)
{
    struct json_fault fault;
    const struct json_node *root = read_new(decoding, record, &fault);
    if (root == NULL) {
        tell_not_json(decoding, fault);
    } else {
        decode_root(decoding, root);
    }
}

static void decode_lines(struct decoding *decoding)
{
    struct span text = decoding->record;
    for (decoding->part_index = 1; text.size > 0; decoding->part_index++) {
        const struct span line = span_trim(cut_line(&text));
        if (line.size > 0) {
            decode_line(decoding, line);
        }
    }
}

/* With line breaks inside it is NDJSON if the first line stands for itself, else one event over
 * several lines; if it is neither, further events say that a bad line came first. */
static bool is_ndjson(struct decoding *decoding, struct span record)
{
    struct json_fault fault;
    struct span rest = record;
    const struct span first = span_trim(cut_line(&rest));
    if (rest.size == 0) {
        return false;
    }
    return read_part(decoding, first, &fault) != NULL ||
           (read_new(decoding, record, &fault) == NULL && has_second_event(record));
}

static void decode_objects(struct decoding *decoding, struct span record)
{
    if (is_ndjson(decoding, record)) {
        decode_lines(decoding);
    } else {
        decode_single(decoding, record);
    }
}

/* --- arrays -------------------------------------------------------------------------------------
 */

/* Of a string with its quotes, 0 if it is not closed: a quote behind an odd number of backslashes
 * belongs to it. */
static size_t string_size(struct span text)
{
    size_t from = 1;
    while (from < text.size) {
        const char *quote = memchr(text.data + from, '"', text.size - from);
        if (quote == NULL) {
            return 0;
        }
        const size_t at = (size_t)(quote - text.data);
        size_t backslashes = 0;
        while (text.data[at - 1 - backslashes] == '\\') {
            backslashes++;
        }
        if (backslashes % 2 == 0) {
            return at + 1;
        }
        from = at + 1;
    }
    return 0;
}

static bool ends_element(char c)
{
    return c == ',' || c == ']' || c == '}' || is_blank(c);
}

/* Of the element at the start, whatever it is; 0 if it is not closed or there is none. */
static size_t element_size(struct span text)
{
    size_t depth = 0;
    size_t i = 0;
    while (i < text.size && (depth > 0 || !ends_element(text.data[i]))) {
        const char c = text.data[i];
        size_t size = 1;
        if (c == '"') {
            size = string_size((struct span){text.data + i, text.size - i});
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        if (size == 0) {
            return 0;
        }
        i += size;
    }
    return depth == 0 ? i : 0;
}

/* From here on nothing of the array can be read. */
static void array_broken(struct decoding *decoding, struct span rest)
{
    struct json_fault fault = {"not JSON: a comma or bracket is missing in the array", 0};
    (void)read_new(decoding, rest, &fault);
    tell_fault(decoding, fault.words, fault.position);
}

/* Takes the comma; false, and a fault if need be, where the array ends. */
static bool next_element(struct decoding *decoding, struct span *rest)
{
    *rest = skip_blank(*rest);
    if (rest->size > 0 && rest->data[0] == ',') {
        *rest = skip_blank((struct span){rest->data + 1, rest->size - 1});
        return true;
    }
    const bool closed = rest->size > 0 && rest->data[0] == ']';
    if (!closed || rest->size > 1) {
        decoding->part = *rest;
        decoding->part_index++;
        decoding_fault(decoding, closed ? "not JSON: more stands behind the array"
                                        : "not JSON: a comma or bracket is missing in the array");
    }
    return false;
}

static void decode_array(struct decoding *decoding, struct span record)
{
    struct span rest = skip_blank((struct span){record.data + 1, record.size - 1});
    if (rest.size > 0 && rest.data[0] == ']') {
        decoding->part_index = 0;
        (void)next_element(decoding, &rest);
        return;
    }
    do {
        const size_t size = element_size(rest);
        struct json_fault fault;
        const struct json_node *root =
            size == 0 ? NULL : read_part(decoding, (struct span){rest.data, size}, &fault);
        if (root == NULL) {
            array_broken(decoding, rest);
            return;
        }
        decode_root(decoding, root);
        rest = (struct span){rest.data + size, rest.size - size};
    } while (next_element(decoding, &rest) && ++decoding->part_index > 0);
}

/* --- the decoder --------------------------------------------------------------------------------
 */

static struct span trim_record(struct span text)
{
    if (span_starts(text, SPAN("\xef\xbb\xbf"))) { /* a byte order mark */
        text = (struct span){text.data + 3, text.size - 3};
    }
    return span_trim(text);
}

/* The event of a record that is one object of a known shape, read where it lies: it needs no copy.
 * Its first line, if it has several, is no JSON, because the bracket is still open: no NDJSON. */
static bool decode_known(struct decoding *decoding, struct span record)
{
    const struct json_node *root = read_known(decoding, record);
    if (root == NULL) {
        return false;
    }
    decode_root(decoding, root);
    return true;
}

static void decode_loaded(struct decoding *decoding)
{
    const struct span record = trim_record(decoding->record);
    if (record.data[0] == '[') {
        decode_array(decoding, record);
    } else {
        decode_objects(decoding, record);
    }
}

void decode(struct decoder *decoder,
            const struct format *format,
            struct span payload,
            const struct decode_sink *sink)
{
    struct decoding decoding = {
        .decoder = decoder,
        .format = format,
        .sink = sink,
        .record = payload,
        .part = payload,
        .part_index = 1,
    };
    const struct span record = trim_record(payload);
    if (payload.size > DECODE_RECORD_SIZE_MAX) {
        decoding_fault(&decoding, "a record of more than 8 MiB");
    } else if (record.size == 0 || decode_known(&decoding, record)) {
        return;
    } else if (json_load(decoder->reader, payload, &decoding.record) != OK) {
        decoding_fault(&decoding, "no memory to read a record of this size");
    } else {
        decode_loaded(&decoding);
    }
}

enum err decoder_create(struct decoder **out)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = json_reader_create(DECODE_DEPTH_MAX, &decoder->reader);
    if (err == OK) {
        err = json_shapes_create(&decoder->shapes);
    }
    if (err != OK) {
        decoder_destroy(&decoder);
        return err;
    }
    *out = decoder;
    return OK;
}

void decoder_destroy(struct decoder **decoder)
{
    if (*decoder == NULL) {
        return;
    }
    json_shapes_destroy(&(*decoder)->shapes);
    json_reader_destroy(&(*decoder)->reader);
    free(*decoder);
    *decoder = NULL;
}

/* classify/decode.c - framing: where in a record the events are; see decode.h.
 *
 *     {...}                  one event, over as many lines as it likes
 *     {...}\n{...}\n         NDJSON: each line stands for itself
 *     [{...},{...}]          an array: cut into elements by a scanner that only knows strings and
 *                            brackets, so that what stands before a fault is still read
 *
 * Each event is then read by itself, so neither memory nor time depend on how many there are.
 *
 * An object that is none of the format's own may be an envelope: Amazon SNS and the shippers of logs put a record as text
 * into a field of theirs. It is read from there; part, and what goes to the dead letters, stay the envelope.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/decode.h"

#include <stdlib.h>

#include "base/json_shapes.h"
#include "classify/format.h"
#include "classify/reply.h"

enum {
    JOINED_SIZE_MAX = 8 * 1024,   /* of all that is joined for one object */
    HEADINGS_SIZE_MAX = 4 * 1024, /* of configured ones that need not be read for each record */
};

/* What is wanted of an object. */
struct picks {
    const struct json_node *nodes[PICKS_MAX];   /* by its format */
    const struct json_node *named[NAMED_COUNT]; /* by the user; only if there are names */
};

/* What was picked of a known shape. */
struct picked {
    uint64_t shape; /* 0: none */
    const struct format *asked;
    const struct decode_names *names;
    const struct format *format; /* the same, or what `auto` found; NULL: nothing */
    struct picks picks;
};

struct decoder {
    struct json_shapes *shapes;
    struct json_reader *reader;
    struct json_reader *inner_reader; /* of what is in an envelope */
    char reply[DECODE_TEXT_MAX];
    char joined[JOINED_SIZE_MAX];
    struct columns columns;
    struct columns configured; /* what `headings` mean */
    char headings[HEADINGS_SIZE_MAX];
    size_t headings_size;
    const struct format *headings_format; /* NULL: nothing is known */
    const struct decode_names *headings_names;
    const struct format *text_format; /* that `auto` found in the record before; NULL: none */
    struct picked picked[JSON_SHAPES_MAX];
};

struct decoding {
    struct decoder *decoder;
    const struct format *asked;
    const struct format *format; /* of the object or text in hand: the same, or what `auto` found */
    int64_t now_ms;
    bool prefer_final;
    const struct decode_sink *sink;
    struct span record; /* as loaded; the payload itself as long as nothing was */
    struct span part;   /* the line or element in hand */
    uint32_t part_index;
    uint64_t shape; /* of the part, 0: not known */
    size_t joined;  /* used of the decoder's */
    bool is_inner;  /* in an envelope */
    struct span envelope_id;
    int64_t envelope_ms;
    const struct decode_names *names; /* NULL: none */
    struct span named[NAMED_COUNT]; /* what stands under them in the object, line or mail in hand */
};

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

static void tell_event(struct decoding *decoding, const struct event *event)
{
    const struct decode_part part = {.index = decoding->part_index, .bytes = decoding->part};
    decoding->sink->event(decoding->sink->context, &part, event);
}

/* What the user named goes before what the format takes for it, which is a guess. Out of the way of those who name nothing: an
 * event is copied here. */
static __attribute__((noinline)) void tell_named(struct decoding *decoding, struct event event)
{
    if (decoding->named[NAMED_TENANT].size > 0) {
        event.tenant = decoding->named[NAMED_TENANT];
    }
    if (decoding->named[NAMED_CAMPAIGN].size > 0) {
        event.campaign = decoding->named[NAMED_CAMPAIGN];
    }
    tell_event(decoding, &event);
}

void decoding_event(struct decoding *decoding, const struct event *event)
{
    if (decoding->names != NULL) {
        tell_named(decoding, *event);
    } else {
        tell_event(decoding, event);
    }
}

void decoding_event_checked(struct decoding *decoding, const struct event *event)
{
    if (event->recipient.size == 0 && event->kind != KIND_IGNORED) {
        decoding_fault(decoding, "no recipient");
    } else if (event->ts_ms == 0 && event->kind != KIND_IGNORED) {
        decoding_fault(decoding, "no time");
    } else {
        decoding_event(decoding, event);
    }
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

/* --- for formats --------------------------------------------------------------------------------
 */

struct span decoding_envelope_id(const struct decoding *decoding)
{
    return decoding->envelope_id;
}

void decoding_reply(struct decoding *decoding,
                    struct span text,
                    struct span enhanced,
                    struct reply *out)
{
    *out = reply_parse(span_cut(text, DECODE_TEXT_MAX), decoding->decoder->reply);
    if (out->enhanced.class_ == 0) {
        enhanced = span_trim(enhanced);
        const char *blank = enhanced.size == 0 ? NULL : memchr(enhanced.data, ' ', enhanced.size);
        if (blank != NULL) {
            enhanced.size = (size_t)(blank - enhanced.data);
        }
        (void)enhanced_parse(enhanced, &out->enhanced);
    }
}

bool decoding_prefers_original(const struct decoding *decoding)
{
    return !decoding->prefer_final;
}

int64_t decoding_envelope_ms(const struct decoding *decoding)
{
    return decoding->envelope_ms;
}

int64_t decoding_about_ms(const struct decoding *decoding)
{
    return decoding->envelope_ms != 0 ? decoding->envelope_ms : decoding->now_ms;
}

struct columns *decoding_columns(struct decoding *decoding)
{
    return &decoding->decoder->columns;
}

char *decoding_memory(struct decoding *decoding, size_t size)
{
    if (size > JOINED_SIZE_MAX - decoding->joined) {
        return NULL;
    }
    char *memory = decoding->decoder->joined + decoding->joined;
    decoding->joined += size;
    return memory;
}

void decoding_release(struct decoding *decoding)
{
    decoding->joined = 0;
}

const struct json_node *decoding_read_json(struct decoding *decoding, struct span text)
{
    struct json_reader *reader = decoding->decoder->inner_reader;
    struct json_fault fault;
    struct span loaded;
    return json_load(reader, text, &loaded) == OK ? json_read(reader, loaded, &fault) : NULL;
}

struct span decoding_join(struct decoding *decoding, struct span a, char between, struct span b)
{
    const size_t size = a.size + 1 + b.size;
    char *memory = a.size == 0 || b.size == 0 ? NULL : decoding_memory(decoding, size);
    if (memory == NULL) {
        return SPAN_NONE;
    }
    struct writer out = writer_init(memory, size);
    put_bytes(&out, a);
    put_u8(&out, (uint8_t)between);
    put_bytes(&out, b);
    return writer_span(&out);
}

struct span decoding_text(struct decoding *decoding, const struct json_node *node)
{
    enum { DIGITS_MAX = 20 };
    if (node == NULL || node->kind != JSON_INTEGER) {
        return field_text(node);
    }
    char *memory = decoding_memory(decoding, DIGITS_MAX);
    struct writer out = writer_init(memory, memory == NULL ? 0 : DIGITS_MAX);
    struct json_writer json = json_writer_init(&out);
    json_int(&json, node->integer);
    return out.overflowed ? SPAN_NONE : writer_span(&out);
}

/* --- what the user named ------------------------------------------------------------------------
 */

const char *decoding_name(const struct decoding *decoding, enum named named)
{
    if (decoding->names == NULL) {
        return NULL;
    }
    return named == NAMED_TENANT ? decoding->names->tenant_from : decoding->names->campaign_from;
}

void decoding_take_named(struct decoding *decoding, enum named named, struct span value)
{
    decoding->named[named] = value;
}

static void forget_named(struct decoding *decoding)
{
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        decoding->named[i] = SPAN_NONE;
    }
}

/* Of a list: the first text, or what is the value of that name (Amazon SES: [{"name":...,"value":...}]). */
static struct span named_text(struct decoding *decoding,
                              const struct json_node *node,
                              struct span name)
{
    if (node == NULL || node->kind != JSON_ARRAY) {
        return decoding_text(decoding, node);
    }
    for (const struct json_node *n = json_first(node); n != json_end(node); n = json_next(n)) {
        const bool is_pair = n->kind == JSON_OBJECT;
        if (!is_pair || span_equal_nocase(field_text(field_find(n, "name")), name)) {
            return decoding_text(decoding, is_pair ? field_find(n, "value") : n);
        }
    }
    return SPAN_NONE;
}

/* The nodes that are wanted of an object, by its format and by the user. */
static void pick(const struct decoding *decoding,
                 const struct format *format,
                 const struct json_node *object,
                 struct picks *out)
{
    format->pick(object, out->nodes);
    if (decoding->names != NULL && format->map != NULL) {
        format->map(object, decoding->names->fields, out->nodes);
    }
    for (size_t i = 0; decoding->names != NULL && i < NAMED_COUNT; i++) {
        const char *name = decoding_name(decoding, (enum named)i);
        out->named[i] = name == NULL || format->find_named == NULL
                            ? NULL
                            : format->find_named(object, span_of(name));
    }
}

static void take_named(struct decoding *decoding, const struct picks *picks)
{
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        const struct span name = span_of(decoding_name(decoding, (enum named)i));
        decoding->named[i] = named_text(decoding, picks->named[i], name);
    }
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

static void decode_object(struct decoding *decoding, const struct json_node *object);

static void decode_inner_root(struct decoding *inner, const struct json_node *root)
{
    if (root->kind != JSON_ARRAY) {
        decode_object(inner, root);
        return;
    }
    for (const struct json_node *n = json_first(root); n != json_end(root); n = json_next(n)) {
        decode_object(inner, n);
    }
}

static bool is_json(struct span text)
{
    return text.size == 0 || text.data[0] == '{' || text.data[0] == '[';
}

/* A line, or a mail. */
static void decode_text(struct decoding *decoding, struct span text)
{
    decoding->joined = 0;
    forget_named(decoding);
    if (decoding->format->mail != NULL) {
        decoding->format->mail(decoding, text);
    } else {
        decoding->format->line(decoding, text);
    }
}

/* A text with an escape would be learned for others only: those without teach it themselves. */
static void learn(struct decoding *decoding, struct span text, const struct json_node *root)
{
    if (memchr(text.data, '\\', text.size) == NULL) {
        json_shapes_learn(decoding->decoder->shapes, text, root);
    }
}

static void decode_inner(struct decoding *decoding,
                         struct span text,
                         struct span envelope_id,
                         int64_t envelope_ms)
{
    struct decoder *decoder = decoding->decoder;
    struct decoding inner = *decoding;
    struct json_fault fault;
    struct span loaded;
    inner.is_inner = true;
    inner.envelope_id = envelope_id;
    inner.envelope_ms = envelope_ms;
    inner.shape = 0;
    const struct format *text_format = is_json(text) ? NULL : format_of_text(inner.asked, text);
    if (text_format != NULL) {
        inner.format = text_format;
        decode_text(&inner, text);
        return;
    }
    const struct json_node *root =
        text.size == 0 ? NULL : json_shapes_read(decoder->shapes, text, &inner.shape);
    if (root != NULL) {
        decode_inner_root(&inner, root);
    } else if (json_load(decoder->inner_reader, text, &loaded) != OK) {
        decoding_fault(decoding, "no memory to read a record of this size");
    } else if ((root = json_read(decoder->inner_reader, loaded, &fault)) == NULL) {
        decoding_fault(decoding, "in the envelope is no JSON");
    } else {
        learn(decoding, loaded, root);
        decode_inner_root(&inner, root);
    }
}

static void ignore_object(struct decoding *decoding)
{
    const struct event event = event_init();
    decoding_event(decoding, &event);
}

/* Amazon SNS without raw delivery. What it says of subscriptions, and the service's greeting in plain words, is no event. */
static void decode_sns(struct decoding *decoding, const struct json_node *envelope)
{
    const struct span message = span_trim(field_text(field_find(envelope, "Message")));
    const struct span type = field_text(field_find(envelope, "Type"));
    if (span_equal(type, SPAN("Notification")) && message.size > 0 &&
        (message.data[0] == '{' || message.data[0] == '[')) {
        decode_inner(decoding, message, field_text(field_find(envelope, "MessageId")), 0);
    } else {
        ignore_object(decoding);
    }
}

/* Where Filebeat, Vector, rsyslog, journald and Docker put the line. */
static const struct json_node *find_shipped(const struct json_node *envelope)
{
    static const char *const KEYS[] = {"message", "msg", "MESSAGE", "log"};
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        const struct json_node *node = field_find(envelope, KEYS[i]);
        if (field_text(node).size > 0) {
            return node;
        }
    }
    return NULL;
}

static int64_t shipped_ms(const struct json_node *envelope)
{
    static const char *const KEYS[] = {"@timestamp", "timestamp", "timereported", "timegenerated",
                                       "time"};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (field_time_ms(field_find(envelope, KEYS[i]), &ms)) {
            return ms;
        }
    }
    int64_t us;
    return field_int(field_find(envelope, "__REALTIME_TIMESTAMP"), 0, INT64_MAX, &us) ? us / 1000
                                                                                      : 0;
}

/* False: it is none. */
static bool decode_envelope(struct decoding *decoding, const struct json_node *object)
{
    if (decoding->is_inner) {
        return false;
    }
    if (field_find(object, "TopicArn") != NULL) {
        decode_sns(decoding, object);
        return true;
    }
    const struct json_node *shipped = find_shipped(object);
    if (shipped != NULL) {
        decode_inner(decoding, span_trim(field_text(shipped)), SPAN_NONE, shipped_ms(object));
    }
    return shipped != NULL;
}

/* `format`: NULL if `auto` knows none that writes such objects. */
static void decode_picks(struct decoding *decoding,
                         const struct format *format,
                         const struct json_node *object,
                         const struct picks *picks)
{
    decoding->joined = 0;
    decoding->format = format;
    if ((format == NULL || !format->knows(picks->nodes)) && decode_envelope(decoding, object)) {
        return;
    }
    if (format == NULL) {
        decoding_fault(decoding,
                       "no event of a format that is known: say which format the topic has");
    } else {
        if (decoding->names != NULL) {
            take_named(decoding, picks);
        }
        format->object(decoding, picks->nodes);
    }
}

static void decode_picked(struct decoding *decoding, const struct json_node *object)
{
    struct picked *picked = &decoding->decoder->picked[decoding->shape % JSON_SHAPES_MAX];
    if (picked->shape != decoding->shape || picked->asked != decoding->asked ||
        picked->names != decoding->names) {
        picked->shape = decoding->shape;
        picked->asked = decoding->asked;
        picked->names = decoding->names;
        picked->format = format_of_object(decoding->asked, object);
        if (picked->format != NULL) {
            pick(decoding, picked->format, object, &picked->picks);
        }
    }
    decode_picks(decoding, picked->format, object, &picked->picks);
}

static void decode_object(struct decoding *decoding, const struct json_node *object)
{
    if (decoding->names != NULL) {
        forget_named(decoding);
    }
    if (object->kind != JSON_OBJECT) {
        decoding_fault(decoding, "not a JSON object");
    } else if (decoding->shape != 0) {
        decode_picked(decoding, object);
    } else {
        struct picks picks;
        const struct format *format = format_of_object(decoding->asked, object);
        if (format != NULL) {
            pick(decoding, format, object, &picks);
        }
        decode_picks(decoding, format, object, &picks);
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
        learn(decoding, part, root);
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
        decode_object(decoding, root);
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
        decode_object(decoding, root);
    }
}

/* `text_format`: of lines that are no JSON; NULL: there should be none. */
static void decode_lines(struct decoding *decoding, const struct format *text_format)
{
    struct span text = decoding->record;
    for (decoding->part_index = 1; text.size > 0; decoding->part_index++) {
        const struct span line = span_trim(cut_line(&text));
        if (line.size == 0) {
            continue;
        }
        if (text_format != NULL && !is_json(line)) {
            decoding->part = line;
            decoding->format = text_format;
            decode_text(decoding, line);
        } else {
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

static bool has_line_of_text(struct span text)
{
    while (text.size > 0) {
        if (!is_json(span_trim(cut_line(&text)))) {
            return true;
        }
    }
    return false;
}

static void decode_objects(struct decoding *decoding, struct span record)
{
    if (is_ndjson(decoding, record)) {
        /* to look through all of the record for a format's words is worth it only then */
        const bool has_text = has_line_of_text(record);
        decode_lines(decoding, has_text ? format_of_text(decoding->asked, record) : NULL);
    } else {
        decode_single(decoding, record);
    }
}

/* --- arrays -------------------------------------------------------------------------------------
 */

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
        const size_t size = json_element_size(rest);
        struct json_fault fault;
        const struct json_node *root =
            size == 0 ? NULL : read_part(decoding, (struct span){rest.data, size}, &fault);
        if (root == NULL) {
            array_broken(decoding, rest);
            return;
        }
        decode_object(decoding, root);
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
    decode_object(decoding, root);
    return true;
}

/* A log or a mail; false if it is of no such format. */
static bool decode_texts(struct decoding *decoding, struct span record)
{
    struct decoder *decoder = decoding->decoder;
    const struct format *format = format_of_text(decoding->asked, record);
    if (format == NULL) {
        format = decoder->text_format; /* of the piece of the file before */
    }
    decoder->text_format = format;
    if (format == NULL) {
        return false;
    }
    if (format->mail != NULL) {
        decoding->part = record;
        decoding->format = format;
        decode_text(decoding, record);
    } else {
        decode_lines(decoding, format);
    }
    return true;
}

static void decode_loaded(struct decoding *decoding)
{
    const struct span record = trim_record(decoding->record);
    if (!is_json(record) && decode_texts(decoding, record)) {
        return;
    }
    if (record.data[0] == '[') {
        decode_array(decoding, record);
    } else {
        decode_objects(decoding, record);
    }
}

/* Those of a topic are the same each time. */
static void take_headings(struct decoding *decoding, struct span headings)
{
    struct decoder *decoder = decoding->decoder;
    const struct span known = {decoder->headings, decoder->headings_size};
    if (decoder->headings_format == decoding->asked && decoder->headings_names == decoding->names &&
        span_equal(known, headings)) {
        decoder->columns = decoder->configured;
        return;
    }
    decoding->asked->headings(decoding, headings);
    decoder->headings_format = NULL;
    if (decoder->columns.count > 0 && headings.size <= HEADINGS_SIZE_MAX) {
        memcpy(decoder->headings, headings.data, headings.size);
        decoder->headings_size = headings.size;
        decoder->headings_format = decoding->asked;
        decoder->headings_names = decoding->names;
        decoder->configured = decoder->columns;
    }
}

void decode(struct decoder *decoder,
            const struct decode_source *source,
            struct span payload,
            const struct decode_sink *sink)
{
    struct decoding decoding = {
        .decoder = decoder,
        .asked = source->format,
        .format = source->format,
        .now_ms = source->now_ms,
        .prefer_final = source->prefer_final,
        .names = source->names,
        .sink = sink,
        .record = payload,
        .part = payload,
        .part_index = 1,
    };
    const struct span record = trim_record(payload);
    if (!source->continues) {
        decoder->columns.count = 0;
        decoder->text_format = NULL;
        if (source->headings.size > 0 && source->format->headings != NULL) {
            take_headings(&decoding, source->headings);
        }
    }
    if (payload.size > DECODE_RECORD_SIZE_MAX) {
        decoding_fault(&decoding, "a record of more than 8 MiB");
    } else if (span_starts(payload, SPAN("\x1f\x8b"))) {
        decoding_fault(
            &decoding,
            "a record in gzip: send it as it is, and let Kafka compress (compression.type)");
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
        err = json_reader_create(DECODE_DEPTH_MAX, &decoder->inner_reader);
    }
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
    json_reader_destroy(&(*decoder)->inner_reader);
    free(*decoder);
    *decoder = NULL;
}

void decoder_forget(struct decoder *decoder)
{
    json_shapes_forget(decoder->shapes);
}

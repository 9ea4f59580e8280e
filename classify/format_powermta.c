/* classify/format_powermta.c - PowerMTA: accounting records, as rows with their headings or as JSON by the same names.
 *
 *     type,timeLogged,orig,rcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,jobId,queue
 *     b,2026-11-21 10:00:12+0000,b@shop.example.net,gil@example.com,failed,5.1.1 (bad destination mailbox address),
 *     "smtp;550 5.1.1 User unknown",mx1.example.com (192.0.2.25),bad-mailbox,spring26,example.com/vmta7
 *
 * Which columns there are, and in which order, is configuration: a row means nothing without its headings.
 *
 * Source: PowerMTA User's Guide 5.0, 11.2 (records), 11.6 (categories); RFC 4180 for the rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format.h"
#include "classify/log_line.h"
#include "classify/reply.h"

enum pick {
    TYPE,
    TIME_LOGGED,
    ORIG,
    RCPT,
    ORCPT,
    DSN_ACTION,
    DSN_STATUS,
    DSN_DIAG,
    DSN_MTA,
    BOUNCE_CAT,
    FEEDBACK_TYPE,
    JOB_ID,
    ENV_ID,
    QUEUE,
    HEADER_TENANT,
    HEADER_MESSAGE_ID,
    PICK_COUNT
};

_Static_assert((int)PICK_COUNT <= PICKS_MAX, "as many as a format may pick");

static const char *const NAMES[PICK_COUNT] = {
    [TYPE] = "type",
    [TIME_LOGGED] = "timeLogged",
    [ORIG] = "orig",
    [RCPT] = "rcpt",
    [ORCPT] = "orcpt",
    [DSN_ACTION] = "dsnAction",
    [DSN_STATUS] = "dsnStatus",
    [DSN_DIAG] = "dsnDiag",
    [DSN_MTA] = "dsnMta",
    [BOUNCE_CAT] = "bounceCat",
    [FEEDBACK_TYPE] = "feedbackType",
    [JOB_ID] = "jobId",
    [ENV_ID] = "envId",
    [QUEUE] = "queue",
    [HEADER_TENANT] = "header_X-Tenant",
    [HEADER_MESSAGE_ID] = "header_Message-Id",
};

/* PICK_COUNT: nobody wants it. The guide spells envId in two ways, and headers are written as they came. */
static enum pick pick_of(struct span name)
{
    for (int i = 0; i < PICK_COUNT; i++) {
        if (span_equal_nocase(name, span_of(NAMES[i]))) {
            return (enum pick)i;
        }
    }
    return PICK_COUNT;
}

/* --- what a record says -------------------------------------------------------------------------
 */

static const struct word_kind KINDS[] = {
    {"d", KIND_DELIVERED},    {"b", KIND_BOUNCED},      {"t", KIND_DEFERRED},  {"r", KIND_RECEIVED},
    {"rb", KIND_LATE_BOUNCE}, {"rs", KIND_LATE_BOUNCE}, {"f", KIND_COMPLAINT},
};

/* What somebody else's report says was done (RFC 3464 2.3.3). */
static const struct word_kind ACTIONS[] = {
    {"failed", KIND_LATE_BOUNCE}, {"delayed", KIND_DEFERRED},   {"delivered", KIND_DELIVERED},
    {"relayed", KIND_DELIVERED},  {"expanded", KIND_DELIVERED},
};

static bool is_unreached(const struct reply *reply, struct span category)
{
    const struct enhanced *e = &reply->enhanced;
    const bool by_status =
        e->class_ != 0 && ((e->subject == 4 && e->detail >= 1 && e->detail <= 4) ||
                           (e->subject == 1 && e->detail == 2));
    return by_status || span_equal(category, SPAN("bad-connection")) ||
           span_equal(category, SPAN("no-answer-from-host")) ||
           span_equal(category, SPAN("bad-domain")) || span_equal(category, SPAN("routing-errors"));
}

static bool has_expired(const struct event *event, struct enhanced status)
{
    return span_equal(event->native_class, SPAN("message-expired")) ||
           (status.subject == 4 && status.detail == 7) || event->reply.code / 100 == 4;
}

/* A diagnosis of another type than smtp, or none, is the word of no server. */
static void judge(struct event *event, struct enhanced status, bool is_servers)
{
    const bool is_final = event->kind == KIND_BOUNCED;
    const bool unreached = !is_servers && is_unreached(&event->reply, event->native_class);
    if (is_final && (has_expired(event, status) || unreached)) {
        event->kind = KIND_EXPIRED;
    }
    const bool is_attempt = is_final || event->kind == KIND_DEFERRED || event->kind == KIND_EXPIRED;
    if (event->kind == KIND_RECEIVED || (is_attempt && !is_servers && !unreached)) {
        event->origin = ORIGIN_LOCAL;
    }
}

/* `rfc822;a@b` */
static struct span original_recipient(struct span text)
{
    struct span type;
    return text_in_brackets(text_typed(text, &type));
}

/* The rollup or domain before the name of the virtual MTA. */
static struct span provider_of(struct span queue)
{
    const char *slash = queue.size == 0 ? NULL : memrchr(queue.data, '/', queue.size);
    return slash == NULL ? queue : (struct span){queue.data, (size_t)(slash - queue.data)};
}

static struct event names_of(const struct decoding *decoding, const struct span *picks)
{
    struct event event = event_init();
    event.recipient = original_recipient(picks[ORCPT]);
    if (event.recipient.size == 0 ||
        (picks[RCPT].size > 0 && !decoding_prefers_original(decoding))) {
        event.recipient = picks[RCPT];
    }
    event.message_id =
        picks[ENV_ID].size > 0 ? picks[ENV_ID] : text_in_brackets(picks[HEADER_MESSAGE_ID]);
    event.tenant = picks[HEADER_TENANT];
    event.campaign = picks[JOB_ID];
    event.sender = picks[ORIG];
    event.mx = text_host(picks[DSN_MTA]);
    event.provider = provider_of(picks[QUEUE]);
    event.native_class = picks[BOUNCE_CAT].size > 0 ? picks[BOUNCE_CAT] : picks[FEEDBACK_TYPE];
    return event;
}

static bool take_time(struct span text, int64_t *ms)
{
    uint64_t number;
    if (span_to_u64(text, &number)) {
        number = number < UINT64_C(100000000000) ? number * 1000 : number;
        *ms = (int64_t)number;
        return number <= (uint64_t)TIME_MS_MAX;
    }
    return log_time_take(&text, ms);
}

static void decode_record(struct decoding *decoding, const struct span *picks)
{
    struct event event = names_of(decoding, picks);
    struct enhanced status = {0};
    struct span type;
    const struct span diag = text_typed(picks[DSN_DIAG], &type);
    event.kind = word_kind(KINDS, sizeof(KINDS) / sizeof(KINDS[0]), picks[TYPE]);
    if (span_equal(picks[TYPE], SPAN("rs"))) {
        event.kind = word_kind(ACTIONS, sizeof(ACTIONS) / sizeof(ACTIONS[0]), picks[DSN_ACTION]);
    } else if (event.kind == KIND_COMPLAINT && event.native_class.size > 0) {
        event.kind = feedback_kind(event.native_class);
    }
    (void)take_time(picks[TIME_LOGGED], &event.ts_ms);
    decoding_reply(decoding, diag, picks[DSN_STATUS], &event.reply);
    (void)enhanced_parse((struct span){picks[DSN_STATUS].data,
                                       picks[DSN_STATUS].size < 5 ? picks[DSN_STATUS].size : 5},
                         &status);
    judge(&event, status, span_equal_nocase(type, SPAN("smtp")));
    decoding_event_checked(decoding, &event);
}

/* --- rows ---------------------------------------------------------------------------------------
 */

/* The next field of a row; false behind the last. Quotes around it are taken off, `""` inside it is one. */
static bool next_field(struct decoding *decoding, struct span *row, bool *more, struct span *out)
{
    if (!*more) {
        return false;
    }
    const bool quoted = row->size > 0 && row->data[0] == '"';
    size_t at = quoted;
    bool has_double = false;
    while (at < row->size && (quoted || row->data[at] != ',')) {
        if (quoted && row->data[at] == '"') {
            if (at + 1 == row->size || row->data[at + 1] != '"') {
                break;
            }
            has_double = true;
            at++;
        }
        at++;
    }
    *out = (struct span){row->data + quoted, at - quoted};
    if (has_double) {
        char *memory = decoding_memory(decoding, out->size);
        struct writer whole = writer_init(memory, memory == NULL ? 0 : out->size);
        for (size_t i = 0; i < out->size; i++) {
            put_u8(&whole, (uint8_t)out->data[i]);
            i += out->data[i] == '"';
        }
        *out = whole.overflowed ? *out : writer_span(&whole);
    }
    at += quoted && at < row->size;
    *more = at < row->size && row->data[at] == ',';
    *row = (struct span){row->data + at + *more, row->size - at - *more};
    return true;
}

/* The headings of a table begin with `type`. */
static bool is_headings(struct span line)
{
    return span_starts_nocase(line, SPAN("type,")) || span_starts_nocase(line, SPAN("\"type\","));
}

/* header_X-Customer is X-Customer too. */
static bool is_named(struct span column, struct span name)
{
    static const struct span HEADER = KEY("header_");
    return span_equal_nocase(column, name) ||
           (span_starts_nocase(column, HEADER) &&
            span_equal_nocase(span_skip(column, HEADER.size), name));
}

/* Which of them the user named, of which decode_line() takes what stands there. */
static void note_named(struct decoding *decoding, struct columns *columns, struct span column)
{
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        const char *name = decoding_name(decoding, (enum named)i);
        if (name != NULL && is_named(column, span_of(name))) {
            columns->named[i] = columns->count;
        }
    }
}

static void take_headings(struct decoding *decoding, struct span line)
{
    struct columns *columns = decoding_columns(decoding);
    struct span name;
    bool more = true;
    *columns = (struct columns){.named = {COLUMNS_MAX, COLUMNS_MAX}};
    while (columns->count < COLUMNS_MAX && next_field(decoding, &line, &more, &name)) {
        note_named(decoding, columns, span_trim(name));
        columns->picks[columns->count++] = (uint8_t)pick_of(span_trim(name));
    }
    if (more) {
        columns->count = 0;
        decoding_fault(decoding, "more than 256 columns");
    }
}

static void decode_line(struct decoding *decoding, struct span line)
{
    const struct columns *columns = decoding_columns(decoding);
    struct span picks[PICK_COUNT] = {0};
    struct span field;
    bool more = true;
    if (is_headings(line)) {
        take_headings(decoding, line);
        return;
    }
    if (columns->count == 0) {
        decoding_fault(decoding, "a row without headings: the line `type,timeLogged,...` is "
                                 "neither in the record nor in the topic's columns");
        return;
    }
    for (uint16_t i = 0; i < columns->count && next_field(decoding, &line, &more, &field); i++) {
        if (columns->picks[i] < PICK_COUNT && field.size > 0) {
            picks[columns->picks[i]] = field;
        }
        for (size_t j = 0; j < NAMED_COUNT; j++) {
            if (columns->named[j] == i) {
                decoding_take_named(decoding, (enum named)j, field);
            }
        }
    }
    decode_record(decoding, picks);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static void pick(const struct json_node *object, const struct json_node **picks)
{
    pick_nothing(object, picks);
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        const enum pick slot = pick_of(n->key);
        if (slot < PICK_COUNT) {
            picks[slot] = n;
        }
    }
}

static bool knows(const struct json_node *const *picks)
{
    return picks[TYPE] != NULL;
}

static void decode_object(struct decoding *decoding, const struct json_node *const *nodes)
{
    struct span picks[PICK_COUNT];
    if (nodes[TYPE] == NULL) {
        decoding_fault(decoding, "no type: not an accounting record of PowerMTA");
        return;
    }
    for (int i = 0; i < PICK_COUNT; i++) {
        picks[i] = decoding_text(decoding, nodes[i]);
    }
    decode_record(decoding, picks);
}

static const struct json_node *find_named(const struct json_node *object, struct span name)
{
    for (const struct json_node *n = json_first(object); n != json_end(object); n = json_next(n)) {
        if (n->kind != JSON_NULL && is_named(n->key, name)) {
            return n;
        }
    }
    return NULL;
}

static bool is_like_object(const struct json_node *object)
{
    return field_has(object, "type") && field_has(object, "timeLogged");
}

static bool is_like_text(struct span text)
{
    return is_headings(text);
}

const struct format FORMAT_POWERMTA = {
    .name = "powermta",
    .pick = pick,
    .knows = knows,
    .object = decode_object,
    .find_named = find_named,
    .line = decode_line,
    .headings = take_headings,
    .is_like_object = is_like_object,
    .is_like_text = is_like_text,
};

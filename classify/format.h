/* classify/format.h - what a format is, and what its decoder may call. For decode.c and format_*.c.
 *
 * A format is given one JSON object at a time, in one piece and checked, says which of its nodes it
 * wants, and tells decode.c what it found in them: any number of events, or a fault. Objects of one
 * shape (base/json_shapes.h) differ in texts and numbers only, so they are picked from once. A format of logs is given
 * lines; an object is then at most an envelope around one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/json.h"
#include "classify/decode.h"

struct decoding; /* one record on its way */

/* What the user may name (struct decode_names). */
enum named { NAMED_TENANT, NAMED_CAMPAIGN, NAMED_COUNT };

enum {
    PICKS_MAX = 48,
    DECODE_TEXT_MAX = 16 * 1024, /* of a reply that has to be taken apart; what is longer is cut */
};

struct format {
    const char *name;
    /* Fills `picks`, PICKS_MAX nodes of the object or NULL, in an order of the format's own. It may
     * look at keys and kinds, never at texts and numbers. */
    void (*pick)(const struct json_node *object, const struct json_node **picks);
    /* Is there a mark of this format among them? An object without one may be an envelope around it. */
    bool (*knows)(const struct json_node *const *picks);
    void (*object)(struct decoding *decoding, const struct json_node *const *picks);
    /* Without blanks around it, not empty. NULL: it is no format of lines. */
    void (*line)(struct decoding *decoding, struct span line);
    /* The names of columns, for rows that have no such line before them. NULL: it is no format of tables. */
    void (*headings)(struct decoding *decoding, struct span line);
    /* A whole record. NULL: it is no format of mails. */
    void (*mail)(struct decoding *decoding, struct span record);
    /* Where the user's name (format's struct decode_names) leads: a text, an integer, or a list of which the first is
     * meant, or the one whose `name` it is. NULL if nowhere. Like `pick` it looks at keys and kinds alone. NULL: no object
     * of this format has anything that a user may name. */
    const struct json_node *(*find_named)(const struct json_node *object, struct span name);
    /* Puts the nodes at the user's paths (struct decode_names, `fields`) into the places of the picks. NULL: this format's
     * fields have fixed names. */
    void (*map)(const struct json_node *object,
                const char *const *paths,
                const struct json_node **picks);
    /* For `auto`: is it of this format and of no other? By keys and kinds alone; may be NULL. */
    bool (*is_like_object)(const struct json_node *object);
    /* The same of a record, or the text in an envelope, that is no JSON; may be NULL. */
    bool (*is_like_text)(struct span text);
};

/* Of a format of logs or mails without objects of its own. */
void pick_nothing(const struct json_node *object, const struct json_node **picks);
bool know_nothing(const struct json_node *const *picks);
void refuse_object(struct decoding *decoding, const struct json_node *const *picks);

extern const struct format FORMAT_ARF;
extern const struct format FORMAT_AUTO; /* none of its own: format_of_object(), format_of_text() */
extern const struct format FORMAT_DSN;
extern const struct format FORMAT_EXIM;
extern const struct format FORMAT_HALON;
extern const struct format FORMAT_KUMOMTA;
extern const struct format FORMAT_MAILGUN;
extern const struct format FORMAT_MOMENTUM;
extern const struct format FORMAT_NATIVE;
extern const struct format FORMAT_POSTFIX;
extern const struct format FORMAT_POWERMTA;
extern const struct format FORMAT_SENDGRID;
extern const struct format FORMAT_SES;
extern const struct format FORMAT_SPARKPOST;

/* What the user asked for; if that is `auto`, the format that the record is like. NULL: it is of none that may be. */
const struct format *format_of_object(const struct format *asked, const struct json_node *object);
/* The same of a record, or the text in an envelope, that is no JSON. */
const struct format *format_of_text(const struct format *asked, struct span text);

/* What is wrong with the object in hand: a sentence's middle. The rest of the record goes on. */
void decoding_fault(struct decoding *decoding, const char *reason);

void decoding_event(struct decoding *decoding, const struct event *event);

/* The same for events that must name a recipient, unless they are `ignored`, and a time: without it is a fault. */
void decoding_event_checked(struct decoding *decoding, const struct event *event);

/* One event per recipient: a string, or an array of them; what is no string, or empty, is none. No
 * recipient is a fault, but for kind `ignored`, which is then one event without. So are more than
 * DECODE_RECIPIENTS_MAX. `recipients` may be NULL. */
void decoding_event_each(struct decoding *decoding,
                         const struct event *event,
                         const struct json_node *recipients);

/* Of the envelope around the object (Amazon SNS): the id of the message. SPAN_NONE if there is none. */
struct span decoding_envelope_id(const struct decoding *decoding);

/* When a line was written, about: the envelope's time, else the source's. 0: unknown. */
int64_t decoding_about_ms(const struct decoding *decoding);

/* Of a recipient that is named twice: as the sender wrote it? That is what his list holds. */
bool decoding_prefers_original(const struct decoding *decoding);

/* The envelope's time, 0 if there is none: for lines without. */
int64_t decoding_envelope_ms(const struct decoding *decoding);

enum { COLUMNS_MAX = 256 };

/* Of tables with a line of headings: which pick each column is, as the format left it there. */
struct columns {
    uint16_t count;              /* 0: no headings yet */
    uint16_t named[NAMED_COUNT]; /* which column the user named; COLUMNS_MAX: none */
    uint8_t picks[COLUMNS_MAX];
};

struct columns *decoding_columns(struct decoding *decoding);

/* A reply in one string, taken apart (classify/reply.h), into *out; an enhanced code that stands elsewhere (a field of its
 * own, `5.1.1` and maybe words behind it, or SPAN_NONE) is taken where the reply has none. Borrowed until the next call. */
void decoding_reply(struct decoding *decoding,
                    struct span text,
                    struct span enhanced,
                    struct reply *out);

/* --- what the user named (struct decode_names): it goes before what the event says -------------------------------------
 */

/* By which name, NULL if by none. For formats whose records are no objects. */
const char *decoding_name(const struct decoding *decoding, enum named named);

/* What stands there, for all events of the object, line or mail; SPAN_NONE: nothing. Borrowed until it ends. */
void decoding_take_named(struct decoding *decoding, enum named named, struct span value);

/* --- memory, texts, other writings --------------------------------------------------------------
 */

/* A text that is not empty, or an integer as its digits; else SPAN_NONE. Borrowed until the object ends. */
struct span decoding_text(struct decoding *decoding, const struct json_node *node);

/* Memory until the object or line ends; NULL if there is no more. */
char *decoding_memory(struct decoding *decoding, size_t size);

/* All of it is free again: for one event after the other of a record of many. */
void decoding_release(struct decoding *decoding);

/* A JSON value that stood inside the record in some other writing; NULL if it is none. Borrowed until the next call. */
const struct json_node *decoding_read_json(struct decoding *decoding, struct span text);

/* Both with `between` between them; SPAN_NONE if one is missing or there is no room. Borrowed until the object ends. */
struct span decoding_join(struct decoding *decoding, struct span a, char between, struct span b);

/* A key of an object, in a table of them. */
#define KEY(literal)                                                                               \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* --- fields of JSON objects; `node` may be NULL everywhere -------------------------------------
 */

/* The members with these keys, in the order of `keys`; NULL for what is absent or null. Of a key
 * that stands twice the last counts. `object` may be NULL or no object: nothing is found. */
void field_pick(const struct json_node *object,
                const struct span *keys,
                size_t key_count,
                const struct json_node **out);

/* One member; the same rules. */
const struct json_node *field_find(const struct json_node *object, const char *key);

bool field_has(const struct json_node *object, const char *key);

/* The same by paths: `mail.tags.tenant` is the tenant of the tags of the mail. */
void field_pick_paths(const struct json_node *object,
                      const char *const *paths,
                      size_t path_count,
                      const struct json_node **out);

/* A string that is not empty, else SPAN_NONE. */
struct span field_text(const struct json_node *node);

/* The same of a string, or of the first of a list that is one. */
struct span field_first_text(const struct json_node *node);

/* A member of that name of one of the objects at these paths, in their order; else what the name is a path to. Letters may be
 * of either case. For struct format's find_named. */
const struct json_node *field_named(const struct json_node *object,
                                    const char *const *paths,
                                    size_t path_count,
                                    struct span name);

bool field_is_true(const struct json_node *node);

/* An integer, also a real or a string that says one, min <= value <= max; else false. */
bool field_int(const struct json_node *node, int64_t min, int64_t max, int64_t *out);

/* A time in ms, what is below is cut off: a number (below 1e11 it is seconds), such a number as a string, or RFC
 * 3339. False for anything else, and for what time_format() could not write. */
bool field_time_ms(const struct json_node *node, int64_t *out);

/* --- texts ------------------------------------------------------------------------------------
 */

struct word_kind {
    const char *word;
    enum kind kind;
};

/* Of the word, KIND_IGNORED if it is none of them: an unknown type is one of tomorrow's. */
enum kind word_kind(const struct word_kind *words, size_t count, struct span word);

/* What a feedback report of this type says of the recipient's wish (RFC 5965 7.3, RFC 6430, opt-out of the
 * drafts): the others, virus, not-spam, auth-failure, say nothing: KIND_IGNORED. */
enum kind feedback_kind(struct span type);

/* `<a@b>`, `Ana <a@b>` and `a@b` are a@b; `<id@host>` is id@host. */
struct span text_in_brackets(struct span text);

/* Without regard to the case of A to Z. */
bool text_contains(struct span text, const char *words);

/* What an MTA of Momentum's kind means by a kind, a class of bounces and a text: refines kind and origin. */
void momentum_judge(struct event *event);

/* `mx1.example.com (192.0.2.25)`, `mx1.example.com[192.0.2.25]:25`, `mx1.example.com.`: the name. */
struct span text_host(struct span text);

/* `smtp; 550 ...`, `rfc822; a@b`, `dns; mx.example`: what is behind the semicolon; *type what is before it, SPAN_NONE if there
 * is none. */
struct span text_typed(struct span text, struct span *type);

/* Exactly as they stand. */
bool text_holds(struct span text, const char *words);

/* Words in which an MTA or its service says that the other side was not found or not reached. */
bool text_is_unreached(struct span text);

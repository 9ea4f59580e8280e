/* bench/failures.c - see failures.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/failures.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/embed.h"
#include "base/json.h"
#include "base/log.h"
#include "bench/chance.h"
#include "classify/reply.h"
#include "classify/text_seen.h"

EMBED_FILE(replies_dev, BENCH_REPLIES "/replies-dev.jsonl");
EMBED_FILE(replies_own, BENCH_REPLIES "/replies-own.jsonl");
EMBED_FILE(replies_traps, BENCH_REPLIES "/replies-traps.jsonl");

enum {
    TEMPLATES_MAX = 16 * 1024,
    FILE_BYTES_MAX = 16 * 1024 * 1024,
    FAILURE_BYTES_MAX = 2 * TEXT_SEEN_MAX, /* a reply and its recipient */
    LONG_NUMBER_DIGITS = 5,                /* shorter ones may be what a reply is known by */
    ID_LETTERS = 8,
    ID_DIGITS = 3,
    LINES_FROM_BYTES = 60,
    LINES_ONE_IN = 8,
    SHARES = 1000,
    TRIES_MAX = 1000,
};

/* Of the remote failures of mail.c; the last stands for all others and for none. */
static const struct {
    unsigned code;
    unsigned share;
} CODES[] = {
    {550, 320}, {451, 270}, {421, 135}, {452, 115}, {552, 70}, {450, 35}, {554, 35}, {0, 20},
};

enum { CODE_COUNT = sizeof(CODES) / sizeof(CODES[0]) };

struct making {
    struct failures *failures;
    struct chance chance;
    struct writer memory;
    size_t of_code[CODE_COUNT][TEMPLATES_MAX]; /* templates */
    size_t of_code_count[CODE_COUNT];
    uint64_t *seen; /* hashes of what was said: open addressing, 0 is free */
    size_t seen_mask;
};

/* --- what servers put into their texts ----------------------------------------------------------
 */

static void put_format(struct writer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_format(struct writer *out, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && (size_t)size < sizeof(text));
    put_bytes(out, (struct span){text, (size_t)size});
}

/* Whose address a text names: mostly the recipient's own. */
struct naming {
    struct chance *chance;
    struct span recipient;
};

static void put_made_address(struct chance *chance, struct span domain, struct writer *out)
{
    static const char *const NAMES[] = {"zoe",     "info",   "j.martin", "sales",
                                        "anna.k",  "office", "p.rossi",  "support",
                                        "mueller", "li.wei", "contact",  "webmaster"};
    const unsigned name = chance_below(chance, sizeof(NAMES) / sizeof(NAMES[0]));
    put_format(out, "%s%u@", NAMES[name], chance_below(chance, 10000));
    put_bytes(out, domain.size == 0 ? SPAN("corp.example") : domain);
}

static void put_address(const struct naming *naming, struct span domain, struct writer *out)
{
    if (chance_below(naming->chance, 4) > 0) {
        put_bytes(out, naming->recipient);
    } else {
        put_made_address(naming->chance, domain, out);
    }
}

static void put_host(struct chance *chance, struct writer *out)
{
    static const char *const DOMAINS[] = {"corp.example", "example.net", "mail.example.org",
                                          "inbound.example.com"};
    put_format(out, "mx%u.%s", chance_below(chance, 1000), DOMAINS[chance_below(chance, 4)]);
}

static void put_ip(struct chance *chance, struct writer *out)
{
    put_format(out, "%u.%u.%u.%u", 1 + chance_below(chance, 223), chance_below(chance, 256),
               chance_below(chance, 256), 1 + chance_below(chance, 254));
}

/* Digits become other digits, hexadecimal letters others of their case; the rest stays. */
static void put_like(struct chance *chance, struct span id, struct writer *out)
{
    for (size_t i = 0; i < id.size; i++) {
        const char c = id.data[i];
        const char first = c >= '0' && c <= '9' ? '0' : c >= 'a' && c <= 'f' ? 'a' : 'A';
        const bool varies = isxdigit((unsigned char)c) != 0;
        const unsigned letters = first == '0' ? 10 : 6;
        put_u8(out, (uint8_t)(varies ? first + (char)chance_below(chance, letters) : c));
    }
}

/* --- one word of a template ---------------------------------------------------------------------
 */

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) != 0 || (c != '\0' && strchr("._+-@", c) != NULL);
}

static size_t count_of(struct span word, int (*is)(int))
{
    size_t count = 0;
    for (size_t i = 0; i < word.size; i++) {
        count += is((unsigned char)word.data[i]) != 0;
    }
    return count;
}

static size_t dots_of(struct span word)
{
    size_t count = 0;
    for (size_t i = 0; i < word.size; i++) {
        count += word.data[i] == '.';
    }
    return count;
}

/* Runs of letters and digits; only what looks like an id or a long number is drawn anew. */
static bool vary_ids(struct chance *chance, struct span word, struct writer *out)
{
    bool varied = false;
    for (size_t at = 0; at < word.size;) {
        size_t size = 0;
        while (at + size < word.size && isalnum((unsigned char)word.data[at + size])) {
            size++;
        }
        const struct span run = {word.data + at, size};
        const size_t digits = count_of(run, isdigit);
        const bool is_number = digits == size && digits >= LONG_NUMBER_DIGITS;
        if (is_number || (size >= ID_LETTERS && digits >= ID_DIGITS)) {
            put_like(chance, run, out);
            varied = true;
        } else {
            put_bytes(out, run);
        }
        at += size;
        for (; at < word.size && !isalnum((unsigned char)word.data[at]); at++) {
            put_u8(out, (uint8_t)word.data[at]);
        }
    }
    return varied;
}

/* A host keeps all of its name but the first label. */
static bool vary_host(struct chance *chance, struct span word, struct writer *out)
{
    const char *dot = memchr(word.data, '.', word.size);
    const size_t label = (size_t)(dot - word.data);
    if (count_of((struct span){word.data, label}, isdigit) > 0) {
        put_like(chance, (struct span){word.data, label}, out);
    } else {
        put_bytes(out, (struct span){word.data, label});
        put_format(out, "%u", chance_below(chance, 100));
    }
    put_bytes(out, (struct span){dot, word.size - label});
    return true;
}

/* In a link only addresses and IPs: which page it leads to is the server's own and stays. */
static bool vary_word(const struct naming *naming,
                      struct span word,
                      bool is_in_link,
                      struct writer *out)
{
    struct chance *chance = naming->chance;
    const char *at = memchr(word.data, '@', word.size);
    const size_t dots = dots_of(word);
    if (at != NULL && at > word.data && at + 1 < word.data + word.size) {
        const size_t skip = (size_t)(at - word.data) + 1;
        put_address(naming, (struct span){at + 1, word.size - skip}, out);
        return true;
    }
    if (dots == 3 && count_of(word, isdigit) + dots == word.size) {
        put_ip(chance, out);
        return true;
    }
    if (is_in_link) {
        put_bytes(out, word);
        return false;
    }
    if (dots >= 2 && isalpha((unsigned char)word.data[0]) &&
        isalpha((unsigned char)word.data[word.size - 1])) {
        return vary_host(chance, word, out);
    }
    return vary_ids(chance, word, out);
}

static bool begins_link(struct span text, size_t at)
{
    const struct span rest = {text.data + at, text.size - at};
    return rest.size > 3 && memcmp(rest.data, "://", 3) == 0;
}

/* False: there was nothing to vary. */
static bool vary_text(const struct naming *naming, struct span text, struct writer *out)
{
    bool varied = false;
    bool is_in_link = false;
    for (size_t at = 0; at < text.size;) {
        size_t size = 0;
        while (at + size < text.size && is_word_byte(text.data[at + size])) {
            size++;
        }
        size_t end = size; /* a dot behind a sentence is none of its last word's */
        while (end > 0 && strchr("._-", text.data[at + end - 1]) != NULL) {
            end--;
        }
        if (end > 0) {
            varied =
                vary_word(naming, (struct span){text.data + at, end}, is_in_link, out) || varied;
        }
        at += end;
        is_in_link = begins_link(text, at) ||
                     (is_in_link && at < text.size && !isspace((unsigned char)text.data[at]));
        if (end == 0 || at < text.size) {
            put_u8(out, (uint8_t)text.data[at++]);
        }
    }
    return varied;
}

enum frame { FRAME_ADDRESS_BEFORE, FRAME_ADDRESS, FRAME_HOST, FRAME_IP, FRAME_ID, FRAME_COUNT };

static void put_framed(const struct naming *naming,
                       struct span text,
                       struct span domain,
                       struct writer *out)
{
    struct chance *chance = naming->chance;
    const enum frame frame = (enum frame)chance_below(chance, FRAME_COUNT);
    if (frame == FRAME_ADDRESS_BEFORE) {
        put_u8(out, '<');
        put_address(naming, domain, out);
        put_bytes(out, SPAN(">: "));
    }
    put_bytes(out, text);
    if (frame == FRAME_ADDRESS) {
        put_bytes(out, SPAN(" <"));
        put_address(naming, domain, out);
        put_u8(out, '>');
    } else if (frame == FRAME_HOST) {
        put_bytes(out, SPAN(" - "));
        put_host(chance, out);
    } else if (frame == FRAME_IP) {
        put_bytes(out, SPAN(" ["));
        put_ip(chance, out);
        put_u8(out, ']');
    } else if (frame == FRAME_ID) {
        put_bytes(out, SPAN(" (in reply to "));
        put_like(chance, SPAN("4D0c1E2a3B"), out);
        put_u8(out, ')');
    }
}

/* --- one failure --------------------------------------------------------------------------------
 */

static void put_codes(struct writer *out, const struct reply *reply, char behind)
{
    char enhanced[ENHANCED_TEXT_SIZE];
    if (reply->code != 0) {
        put_format(out, "%u%c", reply->code, behind);
    }
    if (reply->enhanced.class_ != 0) {
        const size_t size = enhanced_format(reply->enhanced, enhanced);
        put_bytes(out, (struct span){enhanced, size});
        put_u8(out, ' ');
    }
}

/* As a server sends it: the codes before each line. */
static void put_reply(struct making *making, const struct reply *reply, struct writer *out)
{
    const struct span text = reply->text;
    size_t cut = text.size / 2;
    while (cut < text.size && text.data[cut] != ' ') {
        cut++;
    }
    const bool is_cut = reply->code != 0 && text.size >= LINES_FROM_BYTES && cut + 1 < text.size &&
                        chance_below(&making->chance, LINES_ONE_IN) == 0;
    if (is_cut) {
        put_codes(out, reply, '-');
        put_bytes(out, (struct span){text.data, cut});
        put_bytes(out, SPAN("\r\n"));
        put_codes(out, reply, ' ');
        put_bytes(out, (struct span){text.data + cut + 1, text.size - cut - 1});
        return;
    }
    put_codes(out, reply, ' ');
    put_bytes(out, text);
}

static struct span domain_of(struct span recipient)
{
    const char *at = memchr(recipient.data, '@', recipient.size);
    const size_t skip = (size_t)(at - recipient.data) + 1;
    return (struct span){recipient.data + skip, recipient.size - skip};
}

static struct span written_since(const struct writer *out, size_t start)
{
    return (struct span){out->data + start, out->size - start};
}

static struct failure vary(struct making *making, size_t template)
{
    const struct failure *model = &making->failures->templates[template];
    const struct span domain = domain_of(model->recipient);
    char borrowed[FAILURE_BYTES_MAX];
    char memory[FAILURE_BYTES_MAX];
    struct failure failure = {.kind = model->kind, .template = template};
    struct writer *out = &making->memory;
    size_t start = out->size;
    put_made_address(&making->chance, domain, out);
    failure.recipient = written_since(out, start);

    const struct naming naming = {&making->chance, failure.recipient};
    struct writer varied = writer_init(memory, sizeof(memory));
    struct reply reply = reply_parse(model->said, borrowed);
    if (!vary_text(&naming, reply.text, &varied)) {
        varied.size = 0;
        put_framed(&naming, reply.text, domain, &varied);
    }
    reply.text = writer_span(&varied);
    start = out->size;
    put_reply(making, &reply, out);
    failure.said = written_since(out, start);
    CHECK(!varied.overflowed && !out->overflowed);
    return failure;
}

/* FNV-1a. False: the same was said before. */
static bool is_new(struct making *making, struct span said)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < said.size; i++) {
        hash = (hash ^ (uint8_t)said.data[i]) * UINT64_C(0x100000001b3);
    }
    hash |= 1;
    size_t slot = (hash >> 20) & making->seen_mask;
    while (making->seen[slot] != 0 && making->seen[slot] != hash) {
        slot = (slot + 1) & making->seen_mask;
    }
    const bool result = making->seen[slot] == 0;
    making->seen[slot] = hash;
    return result;
}

static size_t draw_template(struct making *making)
{
    for (;;) {
        unsigned left = chance_below(&making->chance, SHARES);
        size_t i = 0;
        while (left >= CODES[i].share) {
            left -= CODES[i++].share;
        }
        if (making->of_code_count[i] > 0) {
            const unsigned count = (unsigned)making->of_code_count[i];
            return making->of_code[i][chance_below(&making->chance, count)];
        }
    }
}

static enum err draw_all(struct making *making, size_t count)
{
    struct failures *failures = making->failures;
    unsigned tries = 0;
    while (failures->count < count) {
        const size_t before = making->memory.size;
        const struct failure failure = vary(making, draw_template(making));
        if (is_new(making, failure.said)) {
            failures->items[failures->count++] = failure;
            failures->bytes += failure.said.size;
            tries = 0;
        } else if (tries++ == TRIES_MAX) {
            fprintf(stderr, "suppressd-bench: these replies give no %zu distinct ones\n", count);
            return ERR_BAD_CONFIG;
        } else {
            making->memory.size = before;
        }
    }
    return OK;
}

/* --- templates ----------------------------------------------------------------------------------
 */

static const struct json_node *member(const struct json_node *object, const char *key)
{
    const struct json_node *child = json_first(object);
    for (; child != json_end(object); child = json_next(child)) {
        if (span_equal(child->key, span_of(key))) {
            return child;
        }
    }
    return NULL;
}

static enum kind kind_of(const struct reply *reply)
{
    const unsigned digit = reply->code != 0 ? reply->code / 100U : reply->enhanced.class_;
    return digit == 4 ? KIND_DEFERRED : reply->code == 0 ? KIND_LATE_BOUNCE : KIND_BOUNCED;
}

static void sort_by_code(struct making *making, unsigned code, size_t template)
{
    size_t i = 0;
    while (i + 1 < CODE_COUNT && CODES[i].code != code) {
        i++;
    }
    making->of_code[i][making->of_code_count[i]++] = template;
}

static bool take_template(struct making *making, const struct json_node *line)
{
    const struct json_node *code = member(line, "reply_code");
    const struct json_node *enhanced = member(line, "enhanced");
    const struct json_node *text = member(line, "text");
    const struct json_node *domain = member(line, "recipient_domain");
    struct failures *failures = making->failures;
    struct writer *out = &making->memory;
    if (text == NULL || text->kind != JSON_STRING || text->text.size == 0 ||
        text->text.size > TEXT_SEEN_MAX / 2 || failures->template_count == TEMPLATES_MAX) {
        return false;
    }
    struct reply reply = {.text = text->text};
    if (code != NULL && code->kind == JSON_INTEGER) {
        reply.code = (uint16_t)code->integer;
    }
    if (enhanced != NULL && enhanced->kind == JSON_STRING) {
        (void)enhanced_parse(enhanced->text, &reply.enhanced);
    }
    struct failure template = {.kind = kind_of(&reply), .template = failures->template_count};
    size_t start = out->size;
    put_codes(out, &reply, ' ');
    put_bytes(out, reply.text);
    template.said = written_since(out, start);
    start = out->size;
    put_bytes(out, SPAN("zoe@"));
    put_bytes(out, domain != NULL && domain->text.size > 0 ? domain->text : SPAN("corp.example"));
    template.recipient = written_since(out, start);
    sort_by_code(making, reply.code, failures->template_count);
    failures->templates[failures->template_count++] = template;
    return !out->overflowed;
}

static enum err take_lines(struct making *making, const char *name, struct span bytes)
{
    struct json_reader *reader = NULL;
    struct span text = SPAN_NONE;
    enum err err = json_reader_create(8, &reader);
    if (err == OK) {
        err = json_load(reader, bytes, &text);
    }
    for (unsigned number = 1; err == OK && text.size > 0; number++) {
        const char *end = memchr(text.data, '\n', text.size);
        const size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        const struct span line = {text.data, size};
        struct json_fault fault = {.words = "no text, or too many or too long ones"};
        const struct json_node *node = json_read(reader, line, &fault);
        if (node == NULL || node->kind != JSON_OBJECT || !take_template(making, node)) {
            fprintf(stderr, "suppressd-bench: %s:%u: %s\n", name, number, fault.words);
            err = ERR_BAD_CONFIG;
        }
        const size_t taken = size + (end != NULL);
        text = (struct span){text.data + taken, text.size - taken};
    }
    json_reader_destroy(&reader);
    return err;
}

static enum err take_file(struct making *making, const char *path)
{
    FILE *file = fopen(path, "r");
    char *bytes = malloc(FILE_BYTES_MAX);
    enum err err = bytes == NULL ? ERR_NO_MEMORY : ERR_IO;
    if (file != NULL && bytes != NULL) {
        const size_t size = fread(bytes, 1, FILE_BYTES_MAX, file);
        err = ferror(file) != 0 ? ERR_IO : take_lines(making, path, (struct span){bytes, size});
    }
    if (err == ERR_IO) {
        fprintf(stderr, "suppressd-bench: cannot read %s\n", path);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(bytes);
    return err;
}

static enum err take_embedded(struct making *making)
{
    const struct {
        const char *name;
        const char *begin;
        const char *end;
    } files[] = {{"replies-dev.jsonl", replies_dev_begin, replies_dev_end},
                 {"replies-own.jsonl", replies_own_begin, replies_own_end},
                 {"replies-traps.jsonl", replies_traps_begin, replies_traps_end}};
    enum err err = OK;
    for (size_t i = 0; err == OK && i < sizeof(files) / sizeof(files[0]); i++) {
        const size_t size = (size_t)(files[i].end - files[i].begin);
        err = take_lines(making, files[i].name, (struct span){files[i].begin, size});
    }
    return err;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static enum err make(struct making *making,
                     const char *const *paths,
                     size_t path_count,
                     size_t count)
{
    struct failures *failures = making->failures;
    const size_t capacity = (count + TEMPLATES_MAX) * FAILURE_BYTES_MAX;
    failures->items = calloc(count, sizeof(failures->items[0]));
    failures->templates = calloc(TEMPLATES_MAX, sizeof(failures->templates[0]));
    failures->memory = malloc(capacity); /* touched as far as it is needed */
    if (failures->items == NULL || failures->templates == NULL || failures->memory == NULL) {
        return ERR_NO_MEMORY;
    }
    making->memory = writer_init(failures->memory, capacity);
    enum err err = path_count == 0 ? take_embedded(making) : OK;
    for (size_t i = 0; err == OK && i < path_count; i++) {
        err = take_file(making, paths[i]);
    }
    if (err == OK && failures->template_count == 0) {
        fprintf(stderr, "suppressd-bench: no replies to make failures of\n");
        err = ERR_BAD_CONFIG;
    }
    return err == OK ? draw_all(making, count) : err;
}

enum err failures_create(
    const char *const *paths, size_t path_count, size_t count, uint64_t seed, struct failures *out)
{
    size_t slots = 1;
    while (slots < 2 * count) {
        slots *= 2;
    }
    struct making *making = calloc(1, sizeof(*making));
    uint64_t *seen = calloc(slots, sizeof(*seen));
    enum err err = ERR_NO_MEMORY;
    *out = (struct failures){0};
    if (making != NULL && seen != NULL) {
        making->failures = out;
        making->chance.state = seed;
        making->seen = seen;
        making->seen_mask = slots - 1;
        err = make(making, paths, path_count, count);
    }
    free(seen);
    free(making);
    if (err != OK) {
        failures_free(out);
    }
    return err;
}

void failures_free(struct failures *failures)
{
    free(failures->items);
    free(failures->templates);
    free(failures->memory);
    *failures = (struct failures){0};
}

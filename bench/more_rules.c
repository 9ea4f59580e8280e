/* bench/more_rules.c - see more_rules.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/more_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bench/chance.h"
#include "bench/clock.h"
#include "classify/classify.h"
#include "classify/explain.h"
#include "classify/reply.h"
#include "classify/text_seen.h"

enum {
    WORD_MIN = 4,
    WORD_MAX = 16,
    WORDS_MAX = 16 * 1024,
    PATTERN_MAX = 8 * 1024,
    CHANGED_MIN = 4,
    CHANGED_OF_FOUR = 3,
    DRAWS_MAX = 64,
    REPLIES_TRIED = 2000,
    FOUND_ONE_IN = 100,
    STRIDE = 7919, /* a prime: few rules are made of all kinds too */
};

struct word_list {
    struct span words[WORDS_MAX];
    size_t count;
};

/* --- patterns as words and what is between them --------------------------------------------------
 */

/* Bytes from `at` on that are no word: an escape, a class, a group's options, one other byte. */
static size_t between_size(const char *at)
{
    size_t size = 1;
    if (at[0] == '\\' && at[1] != '\0') {
        return 2;
    }
    if (at[0] == '(' && at[1] == '?') {
        return 3;
    }
    if (at[0] == '[') {
        size += at[size] == '^';
        size += at[size] == ']';
        while (at[size] != '\0' && at[size] != ']') {
            size += at[size] == '\\' && at[size + 1] != '\0' ? 2 : 1;
        }
        size += at[size] == ']';
    }
    return size;
}

static size_t word_size(const char *at)
{
    size_t size = 0;
    while (isalpha((unsigned char)at[size])) {
        size++;
    }
    return size;
}

static bool is_changeable(size_t size)
{
    return size >= WORD_MIN && size <= WORD_MAX;
}

static bool has_word(const struct word_list *list, struct span word)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal_nocase(list->words[i], word)) {
            return true;
        }
    }
    return false;
}

static void collect_words(struct word_list *list, const char *pattern)
{
    for (const char *at = pattern; *at != '\0';) {
        const struct span word = {at, word_size(at)};
        if (is_changeable(word.size) && list->count < WORDS_MAX && !has_word(list, word)) {
            list->words[list->count++] = word;
        }
        at += word.size > 0 ? word.size : between_size(at);
    }
}

static struct span draw_word(const struct word_list *list, struct chance *chance, struct span like)
{
    CHECK(list->count > 0); /* `like` is one of them */
    for (int i = 0; i < DRAWS_MAX; i++) {
        const struct span word = list->words[chance_below(chance, (unsigned)list->count)];
        if (word.size + 1 >= like.size && word.size <= like.size + 1) {
            return word;
        }
    }
    return like;
}

/* How many words were changed. */
static size_t change_words(const struct word_list *list,
                           struct chance *chance,
                           const char *pattern,
                           struct writer *out)
{
    size_t changed = 0;
    for (const char *at = pattern; *at != '\0';) {
        struct span word = {at, word_size(at)};
        if (is_changeable(word.size) && chance_below(chance, 4) < CHANGED_OF_FOUR) {
            put_bytes(out, draw_word(list, chance, word));
            changed++;
            at += word.size;
            continue;
        }
        word.size = word.size > 0 ? word.size : between_size(at);
        put_bytes(out, word);
        at += word.size;
    }
    put_u8(out, '\0');
    return changed;
}

/* --- sets ---------------------------------------------------------------------------------------
 */

static enum err rules_like(const struct text_rules *rules, size_t capacity, struct text_rules **out)
{
    struct text_rules *copy = calloc(1, sizeof(*copy));
    if (copy == NULL) {
        return ERR_NO_MEMORY;
    }
    copy->rules = calloc(capacity + 1, sizeof(copy->rules[0]));
    copy->providers = calloc(rules->provider_count + 1, sizeof(copy->providers[0]));
    if (copy->rules == NULL || copy->providers == NULL) {
        text_rules_destroy(&copy);
        return ERR_NO_MEMORY;
    }
    memcpy(copy->rules, rules->rules, rules->count * sizeof(rules->rules[0]));
    memcpy(copy->providers, rules->providers, rules->provider_count * sizeof(rules->providers[0]));
    copy->count = rules->count;
    copy->provider_count = rules->provider_count;
    *out = copy;
    return OK;
}

static void on_refused(void *context, size_t number, const char *words)
{
    struct text_rules *rules = context;
    (void)words;
    rules->rules[number].is_refused = true;
}

/* All as one part, whose numbers are ranks: they are not in the program that is built. */
static enum err compile(struct text_rules *rules)
{
    struct text_part *part = &rules->parts[PART_OWN];
    if (part->database != NULL) {
        text_database_destroy(&part->database);
    }
    free(part->rules);
    free(part->texts);
    part->rules = calloc(rules->count + 1, sizeof(struct text_rule *));
    part->texts = calloc(rules->count + 1, sizeof(char *));
    if (part->rules == NULL || part->texts == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < rules->count; i++) {
        part->rules[i] = &rules->rules[i];
        part->texts[i] = rules->rules[i].pattern;
    }
    part->count = (unsigned)rules->count;
    const struct text_patterns patterns = {.texts = part->texts, .count = part->count};
    return text_database_compile(&patterns, on_refused, rules, &part->database);
}

/* `count` candidates behind the given rules. False: the patterns have no words to change. */
static bool add_candidates(struct text_rules *rules,
                           size_t count,
                           struct chance *chance,
                           struct writer *memory)
{
    struct word_list *list = calloc(1, sizeof(*list));
    const size_t given = rules->count;
    size_t in_vain = 0;
    CHECK(list != NULL);
    for (size_t i = 0; i < given; i++) {
        collect_words(list, rules->rules[i].pattern);
    }
    for (size_t i = 0; rules->count < given + count && in_vain < given; i++) {
        const struct text_rule *model = &rules->rules[i * STRIDE % given];
        const size_t start = memory->size;
        if (change_words(list, chance, model->pattern, memory) < CHANGED_MIN) {
            memory->size = start;
            in_vain++;
            continue;
        }
        CHECK(!memory->overflowed);
        in_vain = 0;
        struct text_rule *made = &rules->rules[rules->count++];
        *made = *model;
        made->id = "made";
        made->pattern = memory->data + start;
    }
    free(list);
    return rules->count == given + count;
}

/* How often each rule's pattern is found in some of the replies. */
static enum err count_found(const struct text_rules *rules,
                            const struct failures *failures,
                            size_t tried,
                            uint32_t *found)
{
    struct text_scanner *scanner;
    struct text_candidate *candidates = calloc(rules->count, sizeof(*candidates));
    enum err err = candidates == NULL ? ERR_NO_MEMORY : text_scanner_create(rules, &scanner);
    if (err != OK) {
        free(candidates);
        return err;
    }
    for (size_t i = 0; i < tried; i++) {
        char memory[2 * TEXT_SEEN_MAX];
        struct event event = event_init();
        event.recipient = failures->items[i].recipient;
        event.reply = reply_parse(failures->items[i].said, memory);
        const size_t count =
            text_rules_explain(scanner, &event, &event.reply, candidates, rules->count);
        for (size_t j = 0; j < count; j++) {
            found[candidates[j].rule - rules->rules]++;
        }
    }
    text_scanner_destroy(&scanner);
    free(candidates);
    return OK;
}

/* The given ones and the first of the others that are good, `wanted` in all. */
static enum err keep_good(struct text_rules *rules,
                          size_t given,
                          size_t wanted,
                          const struct failures *failures)
{
    const size_t tried = failures->count < REPLIES_TRIED ? failures->count : REPLIES_TRIED;
    uint32_t *found = calloc(rules->count, sizeof(*found));
    enum err err = found == NULL ? ERR_NO_MEMORY : count_found(rules, failures, tried, found);
    if (err == OK) {
        size_t kept = given;
        for (size_t i = given; i < rules->count && kept < wanted; i++) {
            if (!rules->rules[i].is_refused && (size_t)found[i] * FOUND_ONE_IN <= tried) {
                rules->rules[kept++] = rules->rules[i];
            }
        }
        rules->count = kept;
    }
    free(found);
    return err;
}

static enum err make(const struct text_rules *rules,
                     size_t wanted,
                     const struct failures *failures,
                     uint64_t seed,
                     struct more_rules *more)
{
    const size_t candidates = (wanted - rules->count) * 3 / 2;
    struct chance chance = {seed};
    more->memory = malloc((candidates + 1) * PATTERN_MAX); /* touched as far as it is needed */
    enum err err = more->memory == NULL
                       ? ERR_NO_MEMORY
                       : rules_like(rules, rules->count + candidates, &more->rules);
    if (err != OK || candidates == 0) {
        return err;
    }
    struct writer memory = writer_init(more->memory, (candidates + 1) * PATTERN_MAX);
    if (!add_candidates(more->rules, candidates, &chance, &memory)) {
        return ERR_BAD_CONFIG;
    }
    err = compile(more->rules);
    if (err != OK && err != ERR_BAD_CONFIG) {
        return err;
    }
    err = keep_good(more->rules, rules->count, wanted, failures);
    return err == OK && more->rules->count < wanted ? ERR_BAD_CONFIG : err;
}

static size_t pattern_bytes(const struct text_rules *rules, size_t from, size_t to)
{
    size_t bytes = 0;
    for (size_t i = from; i < to; i++) {
        bytes += strlen(rules->rules[i].pattern);
    }
    return bytes;
}

enum err more_rules_create(const struct text_rules *rules,
                           size_t wanted,
                           const struct failures *failures,
                           uint64_t seed,
                           struct more_rules *out)
{
    CHECK(wanted >= rules->count && wanted <= TEXT_RULES_MAX);
    *out = (struct more_rules){.given = rules->count};
    enum err err = make(rules, wanted, failures, seed, out);
    if (err == OK) {
        const int64_t start = now_ns();
        err = compile(out->rules);
        out->compile_ms = (double)(now_ns() - start) / 1e6;
    }
    if (err == ERR_BAD_CONFIG) {
        fprintf(stderr, "suppressd-bench: %zu rules cannot be made of %zu\n", wanted, rules->count);
    }
    if (err != OK) {
        more_rules_free(out);
        return err;
    }
    out->given_bytes = pattern_bytes(out->rules, 0, out->given);
    out->made_bytes = pattern_bytes(out->rules, out->given, out->rules->count);
    return OK;
}

void more_rules_free(struct more_rules *more)
{
    text_rules_destroy(&more->rules);
    free(more->memory);
    *more = (struct more_rules){0};
}

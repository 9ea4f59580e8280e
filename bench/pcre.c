/* bench/pcre.c - see pcre.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/pcre.h"

#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/log.h"

enum { STACK_MIN = 64 * 1024, STACK_MAX = 8 * 1024 * 1024, MARK_SIZE = 32 };

static const uint32_t OPTIONS = PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE;

struct pcre {
    const struct text_rules *rules;
    pcre2_code **codes;        /* of each rule */
    pcre2_code **alternations; /* of the rules one after the other */
    size_t alternation_count;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    size_t given_up;
};

static pcre2_code *compile(struct span pattern, int *error)
{
    PCRE2_SIZE offset;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern.data, pattern.size, OPTIONS, error, &offset, NULL);
    if (code == NULL) {
        return NULL;
    }
    *error = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    if (*error != 0) {
        pcre2_code_free(code);
        return NULL;
    }
    return code;
}

static bool compile_each(struct pcre *pcre)
{
    for (size_t i = 0; i < pcre->rules->count; i++) {
        const struct text_rule *rule = &pcre->rules->rules[i];
        PCRE2_UCHAR words[128];
        int error;
        pcre->codes[i] = compile(span_of(rule->pattern), &error);
        if (pcre->codes[i] == NULL) {
            (void)pcre2_get_error_message(error, words, sizeof(words));
            fprintf(stderr, "suppressd-bench: PCRE2 does not take %s: %s\n", rule->id,
                    (const char *)words);
            return false;
        }
    }
    return true;
}

/* (?:P1)(*MARK:1)|(?:P2)(*MARK:2)... NULL: they are too many for one. */
static pcre2_code *compile_alternation(const struct pcre *pcre, size_t from, size_t to)
{
    size_t size = 0;
    for (size_t i = from; i < to; i++) {
        size += strlen(pcre->rules->rules[i].pattern) + sizeof("|(?:)") + MARK_SIZE;
    }
    struct writer out = writer_init(malloc(size), size);
    CHECK(out.data != NULL);
    for (size_t i = from; i < to; i++) {
        char mark[MARK_SIZE];
        (void)snprintf(mark, sizeof(mark), "(*MARK:%zu)", i);
        put_bytes(&out, i == from ? SPAN("(?:") : SPAN("|(?:"));
        put_bytes(&out, span_of(pcre->rules->rules[i].pattern));
        put_bytes(&out, SPAN(")"));
        put_bytes(&out, span_of(mark));
    }
    CHECK(!out.overflowed);
    int error;
    pcre2_code *code = compile(writer_span(&out), &error);
    free(out.data);
    return code;
}

/* Each as long as the library takes it. */
static bool compile_alternations(struct pcre *pcre)
{
    size_t from = 0;
    size_t size = pcre->rules->count;
    while (from < pcre->rules->count) {
        const size_t left = pcre->rules->count - from;
        size = size > left ? left : size;
        pcre2_code *code = compile_alternation(pcre, from, from + size);
        if (code != NULL) {
            pcre->alternations[pcre->alternation_count++] = code;
            from += size;
        } else if (size == 1) {
            return false;
        } else {
            size = size * 7 / 8;
        }
    }
    return true;
}

enum err pcre_create(const struct text_rules *rules, struct pcre **out)
{
    struct pcre *pcre = calloc(1, sizeof(*pcre));
    if (pcre == NULL) {
        return ERR_NO_MEMORY;
    }
    pcre->rules = rules;
    pcre->codes = calloc(rules->count + 1, sizeof(pcre2_code *));
    pcre->alternations = calloc(rules->count + 1, sizeof(pcre2_code *));
    pcre->match = pcre2_match_data_create(1, NULL);
    pcre->context = pcre2_match_context_create(NULL);
    pcre->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
    enum err err = ERR_NO_MEMORY;
    if (pcre->codes != NULL && pcre->alternations != NULL && pcre->match != NULL &&
        pcre->context != NULL && pcre->stack != NULL) {
        pcre2_jit_stack_assign(pcre->context, NULL, pcre->stack);
        err = compile_each(pcre) && compile_alternations(pcre) ? OK : ERR_BAD_CONFIG;
    }
    if (err != OK) {
        pcre_destroy(&pcre);
        return err;
    }
    *out = pcre;
    return OK;
}

void pcre_destroy(struct pcre **pcre)
{
    struct pcre *p = *pcre;
    *pcre = NULL;
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; p->codes != NULL && i < p->rules->count; i++) {
        pcre2_code_free(p->codes[i]);
    }
    for (size_t i = 0; i < p->alternation_count; i++) {
        pcre2_code_free(p->alternations[i]);
    }
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->context);
    pcre2_jit_stack_free(p->stack);
    free(p->codes);
    free(p->alternations);
    free(p);
}

void pcre_version(char out[32])
{
    char version[64];
    (void)pcre2_config(PCRE2_CONFIG_VERSION, version);
    (void)snprintf(out, 32, "%.31s", version);
}

static bool is_found(struct pcre *pcre, const pcre2_code *code, struct span text)
{
    const int result =
        pcre2_jit_match(code, (PCRE2_SPTR)text.data, text.size, 0, 0, pcre->match, pcre->context);
    pcre->given_up += result < 0 && result != PCRE2_ERROR_NOMATCH;
    return result >= 0;
}

const struct text_rule *pcre_one_by_one(struct pcre *pcre,
                                        const struct event *event,
                                        const struct reply *reply)
{
    for (size_t i = 0; i < pcre->rules->count; i++) {
        const struct text_rule *rule = &pcre->rules->rules[i];
        if (text_rules_judge(pcre->rules, rule, event, reply) == TEXT_WON &&
            is_found(pcre, pcre->codes[i], reply->text)) {
            return rule;
        }
    }
    return NULL;
}

const struct text_rule *pcre_alternation(struct pcre *pcre, struct span text)
{
    for (size_t i = 0; i < pcre->alternation_count; i++) {
        if (is_found(pcre, pcre->alternations[i], text)) {
            const char *mark = (const char *)pcre2_get_mark(pcre->match);
            CHECK(mark != NULL);
            return &pcre->rules->rules[strtoul(mark, NULL, 10)];
        }
    }
    return NULL;
}

size_t pcre_alternation_count(const struct pcre *pcre)
{
    return pcre->alternation_count;
}

size_t pcre_given_up(const struct pcre *pcre)
{
    return pcre->given_up;
}

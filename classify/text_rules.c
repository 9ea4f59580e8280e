/* classify/text_rules.c - see text_rules.h; how rules are read and checked is text_rules_load.c.
 *
 * The number under which the engine knows a pattern is the rule's rank, so the winner is the
 * smallest number that is reported and whose conditions hold. Conditions are looked at as matches
 * come in, and only of rules that would win: most replies ask one or two rules.
 *
 * Texts and patterns are bytes to the engine. Its UTF-8 mode must never see an invalid text, and
 * what servers say is often one (Latin-1, a sequence cut in two by somebody's limit); checking each
 * text first would cost more than the mode is worth to us. A dot matches line breaks, and a rule
 * reports once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "base/log.h"
#include "classify/text_rules_build.h"

enum { FLAGS = HS_FLAG_CASELESS | HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH };

struct text_scanner {
    hs_scratch_t *scratch;       /* NULL: for no rules yet */
    char text[TEXT_SCANNED_MAX]; /* for those that are not scanned as they stand */
};

/* --- conditions ---------------------------------------------------------------------------------
 */

static unsigned first_digit(const struct reply *reply)
{
    return reply->code != 0 ? reply->code / 100U : reply->enhanced.class_;
}

static bool reply_holds(const struct text_when *when, const struct reply *reply)
{
    for (size_t i = 0; i < when->reply_count; i++) {
        const unsigned wanted = when->replies[i];
        if (wanted == reply->code || (wanted > 0 && wanted < 10 && wanted == first_digit(reply))) {
            return true;
        }
    }
    return when->reply_count == 0;
}

/* The class is the reply code's where the two contradict each other, as in the table of codes. */
static uint32_t pack_enhanced(const struct reply *reply)
{
    const struct enhanced *enhanced = &reply->enhanced;
    if (enhanced->class_ == 0 || enhanced->class_ == 2) {
        return 0;
    }
    const uint32_t class_ = reply->code >= 400 ? reply->code / 100U : enhanced->class_;
    return class_ << 20 | (uint32_t)enhanced->subject << 10 | enhanced->detail;
}

static bool enhanced_holds(const struct text_when *when, const struct reply *reply)
{
    const uint32_t packed = pack_enhanced(reply);
    for (size_t i = 0; i < when->enhanced_count; i++) {
        const uint32_t mask = when->enhanced[i].mask;
        if ((packed & mask) == when->enhanced[i].value &&
            (packed == 0) == (mask == TEXT_MASK_NONE)) {
            return true;
        }
    }
    return when->enhanced_count == 0;
}

static bool ends_with(struct span name, struct span suffix)
{
    if (name.size < suffix.size) {
        return false;
    }
    const size_t before = name.size - suffix.size;
    return (before == 0 || name.data[before - 1] == '.') &&
           span_equal_nocase((struct span){name.data + before, suffix.size}, suffix);
}

static bool ends_with_any(struct span name, const struct yaml_node *suffixes)
{
    for (const struct yaml_node *suffix = rule_value_first(suffixes); suffix != NULL;
         suffix = rule_value_next(suffixes, suffix)) {
        if (ends_with(name, suffix->text)) {
            return true;
        }
    }
    return false;
}

/* Without what people and resolvers write behind a name: `>`, the dot of the root. */
static struct span name_of(struct span text)
{
    text = span_trim(text);
    while (text.size > 0 && (text.data[text.size - 1] == '>' || text.data[text.size - 1] == '.')) {
        text.size--;
    }
    return text;
}

static struct span domain_of(struct span recipient)
{
    const char *at = recipient.size == 0 ? NULL : memrchr(recipient.data, '@', recipient.size);
    if (at == NULL) {
        return name_of(recipient);
    }
    const size_t skip = (size_t)(at - recipient.data) + 1;
    return name_of((struct span){recipient.data + skip, recipient.size - skip});
}

static bool provider_holds(const struct text_provider *provider, const struct event *event)
{
    return ends_with_any(name_of(event->mx), provider->mx) ||
           ends_with_any(domain_of(event->recipient), provider->domains);
}

enum text_verdict text_rules_judge(const struct text_rules *rules,
                                   const struct text_rule *rule,
                                   const struct event *event,
                                   const struct reply *reply)
{
    if (rule->when.kinds != 0 && (rule->when.kinds >> event->kind & 1) == 0) {
        return TEXT_OTHER_KIND;
    }
    if (!reply_holds(&rule->when, reply)) {
        return TEXT_OTHER_REPLY;
    }
    if (!enhanced_holds(&rule->when, reply)) {
        return TEXT_OTHER_ENHANCED;
    }
    if (rule->provider >= 0 && !provider_holds(&rules->providers[rule->provider], event)) {
        return TEXT_OTHER_PROVIDER;
    }
    return TEXT_WON;
}

const char *text_verdict_words(enum text_verdict verdict)
{
    static const char *const WORDS[] = {
        [TEXT_WON] = "",
        [TEXT_BEATEN] = "a rule before it won",
        [TEXT_OTHER_PROVIDER] = "it is not of the provider",
        [TEXT_OTHER_REPLY] = "its reply code is none of `when.reply`",
        [TEXT_OTHER_ENHANCED] = "its enhanced code is none of `when.enhanced`",
        [TEXT_OTHER_KIND] = "its kind is none of `when.kind`",
    };
    return WORDS[verdict];
}

/* --- scanning -----------------------------------------------------------------------------------
 */

static bool is_space(char c)
{
    return c >= '\t' && c <= '\r';
}

static bool has_space(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (is_space(text.data[i])) {
            return true;
        }
    }
    return false;
}

/* What the patterns see: no longer than the bound, line breaks and tabs as one space. */
static struct span scanned_text(struct text_scanner *scanner, struct span text)
{
    text = span_cut(text, TEXT_SCANNED_MAX);
    if (!has_space(text)) {
        return text;
    }
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char c = is_space(text.data[i]) ? ' ' : text.data[i];
        if (c != ' ' || (size > 0 && scanner->text[size - 1] != ' ')) {
            scanner->text[size++] = c;
        }
    }
    return (struct span){scanner->text, size};
}

static void scan(const struct text_rules *rules,
                 struct text_scanner *scanner,
                 struct span text,
                 match_event_handler on_match,
                 void *context)
{
    text = scanned_text(scanner, text);
    if (rules->database == NULL || text.size == 0) {
        return;
    }
    const hs_error_t result = hs_scan(rules->database, text.data, (unsigned)text.size, 0,
                                      scanner->scratch, on_match, context);
    CHECK(result == HS_SUCCESS || result == HS_SCAN_TERMINATED);
}

struct search {
    const struct text_rules *rules;
    const struct event *event;
    const struct reply *reply;
    const struct text_rule *best;
};

static int on_found(
    unsigned rank, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct search *search = context;
    const struct text_rule *rule = &search->rules->rules[rank];
    (void)from;
    (void)to;
    (void)flags;
    if ((search->best == NULL || rule < search->best) &&
        text_rules_judge(search->rules, rule, search->event, search->reply) == TEXT_WON) {
        search->best = rule;
    }
    return search->best == search->rules->rules; /* nothing comes before the first */
}

const struct text_rule *text_rules_find(const struct text_rules *rules,
                                        struct text_scanner *scanner,
                                        const struct event *event,
                                        const struct reply *reply)
{
    struct search search = {.rules = rules, .event = event, .reply = reply};
    scan(rules, scanner, reply->text, on_found, &search);
    return search.best;
}

struct listing {
    const struct text_rules *rules;
    struct text_candidate *out;
    size_t count;
    size_t max;
};

/* Keeps the list in order of precedence; what does not fit at its end is left out. */
static int on_listed(
    unsigned rank, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct listing *listing = context;
    const struct text_rule *rule = &listing->rules->rules[rank];
    (void)from;
    (void)to;
    (void)flags;
    size_t at = listing->count;
    while (at > 0 && listing->out[at - 1].rule > rule) {
        at--;
    }
    if (at == listing->max) {
        return 0;
    }
    listing->count += listing->count < listing->max;
    memmove(&listing->out[at + 1], &listing->out[at],
            (listing->count - at - 1) * sizeof(listing->out[0]));
    listing->out[at] = (struct text_candidate){.rule = rule};
    return 0;
}

size_t text_rules_explain(const struct text_rules *rules,
                          struct text_scanner *scanner,
                          const struct event *event,
                          const struct reply *reply,
                          struct text_candidate *out,
                          size_t max)
{
    struct listing listing = {.rules = rules, .out = out, .max = max};
    bool is_won = false;
    scan(rules, scanner, reply->text, on_listed, &listing);
    for (size_t i = 0; i < listing.count; i++) {
        out[i].verdict = text_rules_judge(rules, out[i].rule, event, reply);
        if (out[i].verdict == TEXT_WON && is_won) {
            out[i].verdict = TEXT_BEATEN;
        }
        is_won = is_won || out[i].verdict == TEXT_WON;
    }
    return listing.count;
}

/* --- making -------------------------------------------------------------------------------------
 */

enum err text_scanner_fit(struct text_scanner *scanner, const struct text_rules *rules)
{
    if (rules->database == NULL) {
        return OK;
    }
    const hs_error_t result = hs_alloc_scratch(rules->database, &scanner->scratch);
    CHECK(result == HS_SUCCESS || result == HS_NOMEM);
    return result == HS_SUCCESS ? OK : ERR_NO_MEMORY;
}

enum err text_scanner_create(const struct text_rules *rules, struct text_scanner **out)
{
    struct text_scanner *scanner = calloc(1, sizeof(*scanner));
    if (scanner == NULL) {
        return ERR_NO_MEMORY;
    }
    const enum err err = text_scanner_fit(scanner, rules);
    if (err != OK) {
        text_scanner_destroy(&scanner);
        return err;
    }
    *out = scanner;
    return OK;
}

void text_scanner_destroy(struct text_scanner **scanner)
{
    if (*scanner == NULL) {
        return;
    }
    CHECK(hs_free_scratch((*scanner)->scratch) == HS_SUCCESS);
    free(*scanner);
    *scanner = NULL;
}

/* What the engine is given of the rules that it has not refused. */
struct patterns {
    const char **texts;
    unsigned *flags;
    unsigned *ranks;
    unsigned count;
};

/* One try over all; the engine names the first that it cannot compile: *refused is its index. */
static enum err compile_once(const struct patterns *patterns,
                             hs_database_t **database,
                             unsigned *refused,
                             hs_compile_error_t **error)
{
    const hs_error_t result =
        hs_compile_multi(patterns->texts, patterns->flags, patterns->ranks, patterns->count,
                         HS_MODE_BLOCK, NULL, database, error);
    if (result == HS_SUCCESS) {
        return OK;
    }
    if (result != HS_COMPILER_ERROR || (*error)->expression < 0) {
        return ERR_NO_MEMORY;
    }
    *refused = (unsigned)(*error)->expression;
    return ERR_BAD_CONFIG;
}

static void leave_out(struct patterns *patterns, unsigned i)
{
    patterns->count--;
    for (; i < patterns->count; i++) {
        patterns->texts[i] = patterns->texts[i + 1];
        patterns->ranks[i] = patterns->ranks[i + 1];
    }
}

static enum err compile_all(struct text_rules *rules,
                            struct patterns *patterns,
                            void (*fault)(void *context, size_t rule, const char *words),
                            void *context)
{
    enum err err = OK;
    for (size_t i = 0; i < rules->count; i++) {
        patterns->texts[i] = rules->rules[i].pattern;
        patterns->flags[i] = FLAGS;
        patterns->ranks[i] = (unsigned)i;
    }
    patterns->count = (unsigned)rules->count;
    while (patterns->count > 0) {
        hs_compile_error_t *error = NULL;
        unsigned refused = 0;
        const enum err once = compile_once(patterns, &rules->database, &refused, &error);
        if (once != ERR_BAD_CONFIG) {
            hs_free_compile_error(error);
            return once == OK ? err : once;
        }
        fault(context, patterns->ranks[refused], error->message);
        hs_free_compile_error(error);
        leave_out(patterns, refused);
        err = ERR_BAD_CONFIG;
    }
    return err;
}

enum err text_rules_compile(struct text_rules *rules,
                            void (*fault)(void *context, size_t rule, const char *words),
                            void *context)
{
    struct patterns patterns = {
        .texts = calloc(rules->count + 1, sizeof(patterns.texts[0])),
        .flags = calloc(rules->count + 1, sizeof(patterns.flags[0])),
        .ranks = calloc(rules->count + 1, sizeof(patterns.ranks[0])),
    };
    enum err err = ERR_NO_MEMORY;
    if (patterns.texts != NULL && patterns.flags != NULL && patterns.ranks != NULL) {
        err = compile_all(rules, &patterns, fault, context);
    }
    free(patterns.texts);
    free(patterns.flags);
    free(patterns.ranks);
    return err;
}

size_t text_rules_count(const struct text_rules *rules)
{
    return rules->count;
}

void text_rules_destroy(struct text_rules **rules)
{
    if (*rules == NULL) {
        return;
    }
    CHECK(hs_free_database((*rules)->database) == HS_SUCCESS);
    free((*rules)->rules);
    free((*rules)->providers);
    free(*rules);
    *rules = NULL;
}

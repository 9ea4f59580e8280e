/* classify/text_rules_load.c - text rules out of files, each checked by its own examples; see
 * rules/README.md.
 *
 * Three passes over all files, one per step of precedence, so that the rank of a rule is its index.
 * A rule with a fault is left out and the others are checked all the same, so that the user sees
 * everything that is wrong at once: a rule that is missing can only take an example, never win one
 * for another rule, so nothing is said that would not be true of the mended files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "classify/reply.h"
#include "classify/text_rules_build.h"
#include "classify/text_seen.h"

enum {
    EXAMPLE_SIZE_MAX = TEXT_SEEN_MAX,
    CANDIDATES_MAX = 256,
    DETAIL_BITS = 10, /* a part of an enhanced code is at most 999 */
};

enum step { STEP_FIRST, STEP_PROVIDER, STEP_GENERAL, STEP_COUNT };

struct loading {
    const struct rule_file *files;
    size_t file_count;
    struct span stored;
    struct text_rules *rules;
    struct text_scanner *scanner;
    /* the file in hand */
    const struct rule_file *file;
    struct yaml *yaml;
    int provider;
};

/* --- one rule -----------------------------------------------------------------------------------
 */

/* [a-z0-9-], not too long: what stands in decisions and configurations. */
static bool is_id(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return text.size > 0 && text.size <= TEXT_ID_SIZE_MAX;
}

static bool take_id(struct loading *loading, const struct yaml_node *item, struct text_rule *rule)
{
    const struct yaml_node *node = yaml_find(item, "id");
    if (node == NULL) {
        yaml_fault(loading->yaml, item, "a rule needs an id");
        return false;
    }
    if (!yaml_to_text(loading->yaml, node, &rule->id)) {
        return false;
    }
    if (!is_id(node->text)) {
        yaml_fault(loading->yaml, node, "an id is made of a-z, 0-9 and -, at most %d of them",
                   TEXT_ID_SIZE_MAX);
        return false;
    }
    for (size_t i = 0; i < loading->rules->count; i++) {
        const struct text_rule *other = &loading->rules->rules[i];
        if (strcmp(other->id, rule->id) == 0) {
            yaml_fault(loading->yaml, node, "%s is the id of another rule (%s:%u); choose another",
                       rule->id, other->place.file, other->place.line);
            return false;
        }
    }
    return true;
}

/* The engine sees bytes: what stands for one letter in a class or before a repetition would be the
 * last byte of it. NULL, or the letter that does. */
static const char *misread_letter(const char *pattern)
{
    bool in_class = false;
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '\\' && c[1] != '\0') {
            c++;
        } else if (*c == '[' && !in_class) {
            in_class = true;
            c += c[1] == '^';
            c += c[1] == ']';
        } else if (*c == ']') {
            in_class = false;
        } else if ((unsigned char)*c >= 0x80 &&
                   (in_class || (c[1] != '\0' && strchr("?*+{", c[1]) != NULL))) {
            return c;
        }
    }
    return NULL;
}

static bool take_pattern(struct loading *loading,
                         const struct yaml_node *item,
                         struct text_rule *rule)
{
    const struct yaml_node *node = yaml_find(item, "pattern");
    if (node == NULL) {
        yaml_fault(loading->yaml, item, "a rule needs a pattern");
        return false;
    }
    if (!yaml_to_text(loading->yaml, node, &rule->pattern)) {
        return false;
    }
    if (misread_letter(rule->pattern) != NULL) {
        yaml_fault(loading->yaml, node,
                   "a letter beyond ASCII is several bytes to the engine: write (é|è) for "
                   "[éè], and (é)? for é?");
        return false;
    }
    return true;
}

static bool take_reply_condition(struct loading *loading,
                                 const struct yaml_node *node,
                                 struct text_when *when)
{
    uint64_t code = 0;
    const struct span text = node->kind == YAML_SCALAR ? node->text : SPAN_NONE;
    if (span_equal(text, SPAN("4xx"))) {
        code = 4;
    } else if (span_equal(text, SPAN("5xx"))) {
        code = 5;
    } else if (!span_equal(text, SPAN("none")) &&
               (!span_to_u64(text, &code) || code < 400 || code > 599)) {
        yaml_fault(loading->yaml, node, "a reply is 4xx, 5xx, none or a code like 552");
        return false;
    }
    when->replies[when->reply_count++] = (uint16_t)code;
    return true;
}

/* `x.2.2` and `x.2`: of whatever class; `5`, `5.2`, `5.2.2`. The parts that are missing are not
 * compared. */
static bool parse_status_condition(struct span text, uint32_t *mask, uint32_t *value)
{
    char whole[ENHANCED_TEXT_SIZE + 4];
    struct enhanced enhanced;
    const bool any_class = text.size > 1 && text.data[0] == 'x' && text.data[1] == '.';
    size_t dots = 0;
    for (size_t i = 0; i < text.size; i++) {
        dots += text.data[i] == '.';
    }
    if (text.size == 0 || text.size >= ENHANCED_TEXT_SIZE || dots > 2) {
        return false;
    }
    (void)snprintf(whole, sizeof(whole), "%c%.*s%s", any_class ? '5' : text.data[0],
                   (int)text.size - 1, text.data + 1, &".0.0"[2 * dots]);
    if (!enhanced_parse(span_of(whole), &enhanced) || enhanced.class_ == 2) {
        return false;
    }
    *mask = (any_class ? 0 : UINT32_C(15) << 2 * DETAIL_BITS) |
            (dots > 0 ? UINT32_C(1023) << DETAIL_BITS : 0) | (dots > 1 ? UINT32_C(1023) : 0);
    *value = *mask & ((uint32_t)enhanced.class_ << 2 * DETAIL_BITS |
                      (uint32_t)enhanced.subject << DETAIL_BITS | enhanced.detail);
    return true;
}

static bool take_enhanced_condition(struct loading *loading,
                                    const struct yaml_node *node,
                                    struct text_when *when)
{
    uint32_t mask = TEXT_MASK_NONE;
    uint32_t value = 0;
    const struct span text = node->kind == YAML_SCALAR ? node->text : SPAN_NONE;
    if (!span_equal(text, SPAN("none")) && !parse_status_condition(text, &mask, &value)) {
        yaml_fault(loading->yaml, node,
                   "an enhanced code is 5, 5.2, 5.2.2, x.2 or x.2.2 (of either class), or none");
        return false;
    }
    when->enhanced[when->enhanced_count].mask = mask;
    when->enhanced[when->enhanced_count++].value = value;
    return true;
}

static bool take_kind_condition(struct loading *loading,
                                const struct yaml_node *node,
                                struct text_when *when)
{
    const char *names[KIND_COUNT];
    enum kind kinds[KIND_COUNT];
    size_t count = 0;
    size_t chosen = 0;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (kind_is_failure((enum kind)i)) {
            kinds[count] = (enum kind)i;
            names[count++] = kind_name((enum kind)i);
        }
    }
    if (!yaml_to_choice(loading->yaml, node, names, count, &chosen)) {
        return false;
    }
    when->kinds |= UINT32_C(1) << kinds[chosen];
    return true;
}

static bool take_stage_condition(struct loading *loading,
                                 const struct yaml_node *node,
                                 struct text_when *when)
{
    const char *names[STAGE_COUNT - 1];
    size_t chosen = 0;
    for (unsigned i = STAGE_NONE + 1; i < STAGE_COUNT; i++) {
        names[i - 1] = stage_name((enum stage)i);
    }
    if (!yaml_to_choice(loading->yaml, node, names, STAGE_COUNT - 1, &chosen)) {
        return false;
    }
    when->stages |= UINT32_C(1) << (chosen + 1);
    return true;
}

static const struct {
    const char *key;
    bool (*take)(struct loading *loading, const struct yaml_node *node, struct text_when *when);
} CONDITIONS[] = {
    {"reply", take_reply_condition},
    {"enhanced", take_enhanced_condition},
    {"kind", take_kind_condition},
    {"stage", take_stage_condition},
};

enum { CONDITION_COUNT = sizeof(CONDITIONS) / sizeof(CONDITIONS[0]) };

static bool take_when(struct loading *loading, const struct yaml_node *item, struct text_when *when)
{
    const char *keys[CONDITION_COUNT];
    bool good = true;
    const struct yaml_node *node = yaml_find(item, "when");
    if (node != NULL && yaml_to_map(loading->yaml, node) == NULL) {
        return false;
    }
    for (size_t i = 0; i < CONDITION_COUNT; i++) {
        const struct yaml_node *list = yaml_find(node, CONDITIONS[i].key);
        size_t count = 0;
        keys[i] = CONDITIONS[i].key;
        if (list != NULL && rule_value_first(list) == NULL) {
            yaml_fault(loading->yaml, list, "an empty list holds nowhere; leave it out");
            good = false;
        }
        for (const struct yaml_node *v = rule_value_first(list); v != NULL;
             v = rule_value_next(list, v)) {
            if (count++ == TEXT_CONDITIONS_MAX) {
                yaml_fault(loading->yaml, v, "more than %d in one list; make two rules of it",
                           TEXT_CONDITIONS_MAX);
                return false;
            }
            good = CONDITIONS[i].take(loading, v, when) && good;
        }
    }
    yaml_known_keys(loading->yaml, node, keys, CONDITION_COUNT);
    return good;
}

/* The list `key`, each item a text. False: a fault was said. */
static bool check_replies(struct loading *loading, const struct yaml_node *item, const char *key)
{
    const struct yaml_node *list = yaml_find(item, key);
    bool good = true;
    if (list != NULL && yaml_to_list(loading->yaml, list) == NULL) {
        return false;
    }
    for (const struct yaml_node *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        const char *text;
        good = yaml_to_text(loading->yaml, v, &text) && good;
        if (v->text.size > EXAMPLE_SIZE_MAX) {
            yaml_fault(loading->yaml, v, "longer than a text that is scanned, %d bytes; shorten it",
                       EXAMPLE_SIZE_MAX);
            good = false;
        }
    }
    return good;
}

static bool take_examples(struct loading *loading, const struct yaml_node *item)
{
    const bool good = check_replies(loading, item, "examples");
    const bool counter_good = check_replies(loading, item, "counter");
    const struct yaml_node *list = yaml_find(item, "examples");
    if (list == NULL || (list->kind == YAML_LIST && list->first == NULL)) {
        yaml_fault(loading->yaml, item, "a rule needs examples: replies that it wins");
        return false;
    }
    return good && counter_good;
}

static void take_rule(struct loading *loading, const struct yaml_node *item)
{
    static const char *const KEYS[] = {"id",       "pattern", "when", "category",
                                       "examples", "counter", "why"};
    struct text_rules *rules = loading->rules;
    struct text_rule *rule = &rules->rules[rules->count];
    if (rules->count == TEXT_RULES_MAX) {
        yaml_fault(loading->yaml, item, "more than %d rules", TEXT_RULES_MAX);
        return;
    }
    if (yaml_to_map(loading->yaml, item) == NULL) {
        return;
    }
    *rule = (struct text_rule){.place = rule_place_of(item),
                               .provider = loading->provider,
                               .is_shipped = loading->file->is_shipped,
                               .node = item};
    yaml_known_keys(loading->yaml, item, KEYS, sizeof(KEYS) / sizeof(KEYS[0]));
    bool good = take_id(loading, item, rule);
    good = take_pattern(loading, item, rule) && good;
    good = take_when(loading, item, &rule->when) && good;
    good = rule_category(loading->yaml, item, &rule->category) && good;
    good = take_examples(loading, item) && good;
    rules->count += good;
}

/* --- one file -----------------------------------------------------------------------------------
 */

static bool check_suffixes(struct yaml *yaml, const struct yaml_node *list)
{
    for (const struct yaml_node *v = rule_value_first(list); v != NULL;
         v = rule_value_next(list, v)) {
        const char *text = "";
        if (!yaml_to_text(yaml, v, &text)) {
            return false;
        }
        if (text[0] == '\0' || text[0] == '.' || strpbrk(text, "@* ") != NULL) {
            yaml_fault(yaml, v, "the end of a name is wanted here, like example.com");
            return false;
        }
    }
    return true;
}

static bool take_provider(struct loading *loading, const struct yaml_node *node)
{
    static const char *const KEYS[] = {"name", "mx", "domains"};
    struct text_rules *rules = loading->rules;
    const struct yaml_node *name = yaml_find(node, "name");
    struct text_provider provider = {.mx = yaml_find(node, "mx"),
                                     .domains = yaml_find(node, "domains")};
    if (yaml_to_map(loading->yaml, node) == NULL) {
        return false;
    }
    yaml_known_keys(loading->yaml, node, KEYS, sizeof(KEYS) / sizeof(KEYS[0]));
    if (rule_value_first(provider.mx) == NULL && rule_value_first(provider.domains) == NULL) {
        yaml_fault(loading->yaml, node, "a provider needs `mx: [...]`, `domains: [...]`, or both");
        return false;
    }
    if (name == NULL || !yaml_to_text(loading->yaml, name, &provider.name) || !is_id(name->text)) {
        yaml_fault(loading->yaml, name == NULL ? node : name,
                   "a provider needs a name, made of a-z, 0-9 and -");
        return false;
    }
    if (rules->provider_count == TEXT_PROVIDERS_MAX) {
        yaml_fault(loading->yaml, node, "more than %d files with a provider", TEXT_PROVIDERS_MAX);
        return false;
    }
    loading->provider = (int)rules->provider_count;
    rules->providers[rules->provider_count++] = provider;
    return check_suffixes(loading->yaml, provider.mx) &&
           check_suffixes(loading->yaml, provider.domains);
}

/* The step that a file belongs to, by its keys alone: asked in each pass. */
static enum step step_of(struct rule_file file, bool *is_good)
{
    const struct yaml_node *root = yaml_root(file.yaml);
    const struct yaml_node *first = yaml_find(root, "first");
    bool is_first = false;
    *is_good =
        first == NULL || (first->kind == YAML_SCALAR && span_equal(first->text, SPAN("true")));
    is_first = first != NULL && *is_good;
    return is_first                              ? STEP_FIRST
           : yaml_find(root, "provider") != NULL ? STEP_PROVIDER
                                                 : STEP_GENERAL;
}

static void take_file(struct loading *loading, bool first_is_good)
{
    const struct yaml_node *root = yaml_root(loading->yaml);
    const struct yaml_node *provider = yaml_find(root, "provider");
    const struct yaml_node *list = yaml_find(root, "rules");
    loading->provider = -1;
    if (!first_is_good) {
        yaml_fault(loading->yaml, yaml_find(root, "first"), "`first: true`, or leave it out");
    }
    if (provider != NULL && !take_provider(loading, provider)) {
        return;
    }
    if (yaml_to_list(loading->yaml, list) == NULL) {
        return;
    }
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        take_rule(loading, item);
    }
}

static void take_files(struct loading *loading)
{
    for (unsigned step = 0; step < STEP_COUNT; step++) {
        for (size_t i = 0; i < loading->file_count; i++) {
            bool first_is_good;
            loading->file = &loading->files[i];
            loading->yaml = loading->files[i].yaml;
            if (step_of(loading->files[i], &first_is_good) == step) {
                take_file(loading, first_is_good);
            }
        }
    }
}

/* --- the databases ------------------------------------------------------------------------------
 */

static struct yaml *yaml_of(const struct loading *loading, const struct text_rule *rule)
{
    for (size_t i = 0; i < loading->file_count; i++) {
        const struct yaml_node *root = rule->node;
        while (root->parent != NULL) {
            root = root->parent;
        }
        if (yaml_root(loading->files[i].yaml) == root) {
            return loading->files[i].yaml;
        }
    }
    CHECK(!"a rule of no file");
    return NULL;
}

struct compiling {
    const struct loading *loading;
    const struct text_part *part;
};

static void fault_of_engine(void *context, size_t number, const char *words)
{
    const struct compiling *compiling = context;
    const struct loading *loading = compiling->loading;
    struct text_rule *rule = compiling->part->rules[number];
    const bool is_empty = strstr(words, "empty buffer") != NULL;
    yaml_fault(yaml_of(loading, rule), yaml_find(rule->node, "pattern"),
               "the engine refuses the pattern: %s%s",
               is_empty ? "it matches an empty text too; make some part of it needed" : words,
               is_empty ? "" : " (index: bytes of the pattern, from 0)");
    rule->is_refused = true;
}

/* The rules of one part, in their order. */
static enum err gather(const struct text_rules *rules, bool is_shipped, struct text_part *part)
{
    part->rules = calloc(rules->count + 1, sizeof(struct text_rule *));
    part->texts = calloc(rules->count + 1, sizeof(char *));
    if (part->rules == NULL || part->texts == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->rules[i].is_shipped == is_shipped) {
            part->rules[part->count] = &rules->rules[i];
            part->texts[part->count++] = rules->rules[i].pattern;
        }
    }
    return OK;
}

/* What the engine refuses is a fault of its file. */
static enum err make_part(const struct loading *loading, bool is_shipped, struct text_part *part)
{
    struct compiling compiling = {.loading = loading, .part = part};
    const enum err err = gather(loading->rules, is_shipped, part);
    if (err != OK) {
        return err;
    }
    const struct text_patterns patterns = {.texts = part->texts, .count = part->count};
    if (is_shipped && loading->stored.size > 0) {
        const enum err loaded = text_database_load(loading->stored, &patterns, &part->database);
        if (loaded == OK || loaded == ERR_NO_MEMORY) {
            return loaded;
        }
        if (loaded == ERR_BAD_VERSION) {
            log_warn("the program was built with another version of libhs: the rules that ship are "
                     "compiled at each start, which takes seconds; build it with the one that is "
                     "installed");
        }
    }
    const enum err compiled =
        text_database_compile(&patterns, fault_of_engine, &compiling, &part->database);
    return compiled == ERR_BAD_CONFIG ? OK : compiled;
}

static enum err make_parts(const struct loading *loading)
{
    const enum err own = make_part(loading, false, &loading->rules->parts[PART_OWN]);
    return own != OK ? own : make_part(loading, true, &loading->rules->parts[PART_SHIPPED]);
}

/* --- the self-test ------------------------------------------------------------------------------
 */

static enum kind kind_of_example(const struct text_rule *rule, const struct reply *reply)
{
    const unsigned digit = reply->code != 0 ? reply->code / 100U : reply->enhanced.class_;
    const struct yaml_node *list = yaml_find(yaml_find(rule->node, "when"), "kind");
    enum kind kind = digit == 5 ? KIND_BOUNCED : KIND_DEFERRED;
    if (list != NULL) {
        CHECK(kind_find(rule_value_first(list)->text, &kind));
    }
    return kind;
}

static struct event event_of_example(const struct loading *loading,
                                     const struct text_rule *rule,
                                     struct span example,
                                     char memory[EXAMPLE_SIZE_MAX])
{
    struct event event = event_init();
    event.reply = reply_parse(example, memory);
    event.kind = kind_of_example(rule, &event.reply);
    if (rule->provider >= 0) {
        const struct text_provider *provider = &loading->rules->providers[rule->provider];
        const struct yaml_node *domain = rule_value_first(provider->domains);
        if (domain != NULL) {
            event.recipient = domain->text;
        } else {
            event.mx = rule_value_first(provider->mx)->text;
        }
    }
    return event;
}

/* What became of one reply: who won it, and why that was not this rule. */
struct outcome {
    const struct text_rule *winner; /* NULL: no rule knows it */
    bool is_found;                  /* this rule's pattern */
    enum text_verdict verdict;      /* of this rule, if found */
};

static struct outcome try_reply(const struct loading *loading,
                                const struct text_rule *rule,
                                struct span text)
{
    char memory[EXAMPLE_SIZE_MAX];
    struct text_candidate candidates[CANDIDATES_MAX];
    const struct event event = event_of_example(loading, rule, text, memory);
    const size_t count =
        text_rules_explain(loading->scanner, &event, &event.reply, candidates, CANDIDATES_MAX);
    struct outcome outcome = {0};
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].rule == rule) {
            outcome.is_found = true;
            outcome.verdict = candidates[i].verdict;
        }
        if (candidates[i].verdict == TEXT_WON) {
            outcome.winner = candidates[i].rule;
        }
    }
    return outcome;
}

/* The user may take what he likes from rules of ours. */
static bool is_good(const struct text_rule *rule, const struct outcome *outcome)
{
    return outcome->winner == rule ||
           (outcome->winner != NULL && rule->is_shipped && !outcome->winner->is_shipped);
}

static void fault_of_example(struct yaml *yaml,
                             const struct text_rule *rule,
                             const struct yaml_node *example,
                             const struct outcome *outcome)
{
    if (!outcome->is_found) {
        yaml_fault(yaml, example,
                   "%s does not win this example: its pattern is not found in what is seen of it "
                   "(rules/README.md, Patterns)",
                   rule->id);
    } else if (outcome->verdict == TEXT_BEATEN) {
        CHECK(outcome->winner != NULL);
        yaml_fault(yaml, example,
                   "the example of %s (%s:%u) is won by %s (%s:%u); put the more specific rule "
                   "first, or narrow that one",
                   rule->id, rule->place.file, rule->place.line, outcome->winner->id,
                   outcome->winner->place.file, outcome->winner->place.line);
    } else {
        yaml_fault(yaml, example, "%s does not win this example: %s", rule->id,
                   text_verdict_words(outcome->verdict));
    }
}

/* All examples are there, and other rules have them: one fault instead of many. */
static bool never_wins(const struct loading *loading,
                       const struct text_rule *rule,
                       const struct yaml_node *list,
                       struct outcome *last)
{
    size_t count = 0;
    for (const struct yaml_node *v = list->first; v != NULL; v = v->next) {
        *last = try_reply(loading, rule, v->text);
        if (is_good(rule, last) || !last->is_found || last->verdict != TEXT_BEATEN) {
            return false;
        }
        count++;
    }
    return count > 1;
}

static void check_examples(const struct loading *loading, const struct text_rule *rule)
{
    const struct yaml_node *list = yaml_find(rule->node, "examples");
    struct yaml *yaml = yaml_of(loading, rule);
    struct outcome outcome;
    if (never_wins(loading, rule, list, &outcome)) {
        CHECK(outcome.winner != NULL);
        yaml_fault(yaml, rule->node,
                   "%s can never win: rules before it take all its examples, the last is won by %s "
                   "(%s:%u); put it before, or delete it",
                   rule->id, outcome.winner->id, outcome.winner->place.file,
                   outcome.winner->place.line);
        return;
    }
    for (const struct yaml_node *v = list->first; v != NULL; v = v->next) {
        outcome = try_reply(loading, rule, v->text);
        if (!is_good(rule, &outcome)) {
            fault_of_example(yaml, rule, v, &outcome);
        }
    }
}

static void check_counters(const struct loading *loading, const struct text_rule *rule)
{
    const struct yaml_node *list = yaml_find(rule->node, "counter");
    for (const struct yaml_node *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        if (try_reply(loading, rule, v->text).winner == rule) {
            yaml_fault(yaml_of(loading, rule), v,
                       "%s takes this counter-example; narrow its pattern or its `when`", rule->id);
        }
    }
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static size_t fault_count(const struct loading *loading)
{
    size_t count = 0;
    for (size_t i = 0; i < loading->file_count; i++) {
        count += yaml_fault_count(loading->files[i].yaml);
    }
    return count;
}

static enum err build(struct loading *loading)
{
    struct text_rules *rules = loading->rules;
    rules->rules = calloc(TEXT_RULES_MAX + 1, sizeof(rules->rules[0]));
    rules->providers = calloc(TEXT_PROVIDERS_MAX, sizeof(rules->providers[0]));
    if (rules->rules == NULL || rules->providers == NULL) {
        return ERR_NO_MEMORY;
    }
    const size_t faults_before = fault_count(loading);
    take_files(loading);
    enum err err = make_parts(loading);
    if (err == OK) {
        err = text_scanner_create(rules, &loading->scanner);
    }
    if (err != OK) {
        return err;
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (!rules->rules[i].is_refused) {
            check_examples(loading, &rules->rules[i]);
            check_counters(loading, &rules->rules[i]);
        }
    }
    return fault_count(loading) > faults_before ? ERR_BAD_CONFIG : OK;
}

enum err text_rules_load(const struct rule_file *files,
                         size_t count,
                         struct span stored,
                         struct text_rules **out)
{
    struct loading loading = {.files = files,
                              .file_count = count,
                              .stored = stored,
                              .rules = calloc(1, sizeof(struct text_rules))};
    const enum err err = loading.rules == NULL ? ERR_NO_MEMORY : build(&loading);
    text_scanner_destroy(&loading.scanner);
    if (err != OK) {
        text_rules_destroy(&loading.rules);
        return err;
    }
    *out = loading.rules;
    return OK;
}

enum err text_rules_store(const struct text_rules *rules, char **out, size_t *size)
{
    const struct text_part *part = &rules->parts[PART_SHIPPED];
    const struct text_patterns patterns = {.texts = part->texts, .count = part->count};
    return text_database_store(part->database, &patterns, out, size);
}

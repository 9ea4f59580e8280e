/* classify/classify.c - the order in which a reply is understood; see classify.h and design 4.
 *
 *     1  what the event itself says: its kind, its origin, a category of its own
 *     2  what our own side says (files with `first`), provider rules
 *     3  general text rules                                                       text_rules.c
 *     4  the table of codes                                                       codes.c
 *     5  unknown, but for what the upstream's own class hints at                      native_class.c
 *
 * Where reply code and enhanced code contradict each other (450 5.1.1, 550 4.2.2) the reply code
 * says how lasting it is, because the sending MTA went by it, and the enhanced code says what it
 * is: its class is replaced by the reply's before the look-up.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/classify.h"

#include <stdlib.h>

#include "base/log.h"
#include "classify/explain.h"
#include "classify/native_class.h"
#include "classify/reply.h"
#include "classify/rules.h"
#include "classify/tally.h"

struct classifier {
    const struct ruleset *ruleset;
    struct text_scanner *scanner;
    struct tally tally;
    struct tally tally_copy;
};

static const char *const FOUND_BY_NAMES[FOUND_BY_COUNT] = {
    [FOUND_BY_NONE] = "none", [FOUND_BY_CODE] = "code",         [FOUND_BY_ENHANCED] = "enhanced",
    [FOUND_BY_TEXT] = "text", [FOUND_BY_PROVIDER] = "provider",
};

const char *found_by_name(enum found_by by)
{
    CHECK(by < FOUND_BY_COUNT);
    return FOUND_BY_NAMES[by];
}

enum err classifier_create(const struct ruleset *ruleset, struct classifier **out)
{
    struct classifier *classifier = calloc(1, sizeof(*classifier));
    if (classifier == NULL) {
        return ERR_NO_MEMORY;
    }
    classifier->ruleset = ruleset;
    const size_t counters = ruleset_counters(ruleset);
    enum err err = text_scanner_create(ruleset->text_rules, &classifier->scanner);
    if (err == OK) {
        err = tally_init(counters, &classifier->tally);
    }
    if (err == OK) {
        err = tally_init(counters, &classifier->tally_copy);
    }
    if (err != OK) {
        classifier_destroy(&classifier);
        return err;
    }
    *out = classifier;
    return OK;
}

void classifier_destroy(struct classifier **classifier)
{
    struct classifier *c = *classifier;
    *classifier = NULL;
    if (c != NULL) {
        text_scanner_destroy(&c->scanner);
        tally_fini(&c->tally);
        tally_fini(&c->tally_copy);
        free(c);
    }
}

static struct meaning meaning_of(enum category category, enum found_by by, const char *rule)
{
    return (struct meaning){.category = category, .by = by, .rule = rule};
}

/* Events that mean something of themselves: their categories are those of the wish. */
static bool by_kind(const struct event *event, struct meaning *out)
{
    if (event->kind == KIND_COMPLAINT) {
        *out = meaning_of(CATEGORY_COMPLAINT, FOUND_BY_NONE, "kind");
        return true;
    }
    if (event->kind == KIND_UNSUBSCRIBE) {
        *out = meaning_of(CATEGORY_UNSUBSCRIBE, FOUND_BY_NONE, "kind");
        return true;
    }
    return false;
}

/* Our own doing says nothing of the mailbox, whatever words it has. */
static bool by_origin(const struct event *event, struct meaning *out)
{
    if (event->origin != ORIGIN_LOCAL || !kind_is_failure(event->kind)) {
        return false;
    }
    const enum category category =
        event->kind == KIND_EXPIRED ? CATEGORY_EXPIRED : CATEGORY_INTERNAL;
    *out = meaning_of(category, FOUND_BY_NONE, "local");
    return true;
}

static bool has_category(const struct event *event)
{
    return event->category != CATEGORY_NONE &&
           (kind_is_failure(event->kind) || event->kind == KIND_SUPPRESS ||
            event->kind == KIND_RELEASE);
}

/* 1: true if there is nothing left to ask. */
static bool by_event(const struct event *event, struct meaning *out)
{
    if (has_category(event)) {
        *out = meaning_of(event->category, FOUND_BY_NONE, "event");
        return true;
    }
    if (by_kind(event, out) || by_origin(event, out)) {
        return true;
    }
    if (!kind_is_failure(event->kind)) {
        *out = meaning_of(CATEGORY_NONE, FOUND_BY_NONE, "");
        return true;
    }
    return false;
}

/* --- counters: 0, then the rules of words, then the rows of codes -------------------------------
 */

static uint32_t counter_of_text_rule(const struct ruleset *rules, const struct text_rule *rule)
{
    return 1 + (uint32_t)text_rules_index(rules->text_rules, rule);
}

static uint32_t counter_of_row(const struct ruleset *rules, uint32_t slot)
{
    return 1 + (uint32_t)text_rules_count(rules->text_rules) + slot;
}

size_t ruleset_counters(const struct ruleset *ruleset)
{
    return 1 + text_rules_count(ruleset->text_rules) + codes_slots(ruleset->codes);
}

bool ruleset_counter_find(const struct ruleset *ruleset, size_t counter, struct counted_rule *out)
{
    const size_t rules = text_rules_count(ruleset->text_rules);
    struct code_match row;
    if (counter == 0) {
        return false;
    }
    if (counter <= rules) {
        const struct text_rule *rule = text_rules_at(ruleset->text_rules, counter - 1);
        *out = (struct counted_rule){rule->id, rule->category, rule->place, false};
        return true;
    }
    if (!codes_at(ruleset->codes, counter - 1 - rules, &row)) {
        return false;
    }
    *out = (struct counted_rule){row.rule, row.category, row.place, true};
    return true;
}

/* --- the steps ----------------------------------------------------------------------------------
 */

/* 2, 3 */
static bool by_text(struct classifier *classifier,
                    const struct event *event,
                    const struct reply *reply,
                    struct meaning *out)
{
    const struct text_rule *rule = text_rules_find(classifier->scanner, event, reply);
    if (rule == NULL) {
        return false;
    }
    *out = meaning_of(rule->category, rule->provider < 0 ? FOUND_BY_TEXT : FOUND_BY_PROVIDER,
                      rule->id);
    out->counter = counter_of_text_rule(classifier->ruleset, rule);
    return true;
}

enum { CODES_WITHIN = 512 }; /* of a text, from its beginning */

/* Some upstreams leave the codes in the text: `#5.7.1 blocked`, and the diagnostics of bounce mails
 * whose Status says no more than 5.0.0. They count where the event names none. */
struct reply classify_reply(const struct reply *reply)
{
    struct reply full = *reply;
    const bool says_nothing =
        full.enhanced.class_ == 0 || (full.enhanced.subject == 0 && full.enhanced.detail == 0);
    if (full.text.size == 0 || (full.code != 0 && !says_nothing)) {
        return full;
    }
    char memory[CODES_WITHIN];
    const struct reply found = reply_parse(span_cut(full.text, sizeof(memory)), memory);
    full.code = full.code == 0 ? found.code : full.code;
    if (says_nothing && found.enhanced.class_ != 0) {
        full.enhanced = found.enhanced;
    }
    return full;
}

static struct enhanced with_class_of_reply(const struct reply *reply)
{
    struct enhanced enhanced = reply->enhanced;
    if (enhanced.class_ == 2) {
        return (struct enhanced){0}; /* a word of success: nothing about this failure */
    }
    if (enhanced.class_ != 0 && reply->code >= 400 && reply->code <= 599) {
        enhanced.class_ = (uint8_t)(reply->code / 100);
    }
    return enhanced;
}

/* A word that we cannot read must not cost a living subscriber at once: 550 alone, with words that
 * no rule knows, may be anything. Without words the number is all that was meant. */
static bool counts_alone(const struct reply *reply)
{
    return reply->code < 500 || span_trim(reply->text).size == 0;
}

static bool find_code(const struct ruleset *rules,
                      const struct reply *reply,
                      struct code_match *out)
{
    return codes_find_enhanced(rules->codes, reply->code, with_class_of_reply(reply), out) ||
           (counts_alone(reply) && codes_find_reply(rules->codes, reply->code, out));
}

/* 4 */
static bool by_codes(const struct ruleset *rules, const struct reply *reply, struct meaning *out)
{
    struct code_match match;
    if (!find_code(rules, reply, &match)) {
        return false;
    }
    *out = meaning_of(match.category, match.by, match.rule);
    out->counter = counter_of_row(rules, match.slot);
    return true;
}

static bool is_silent(const struct reply *reply)
{
    return reply->code == 0 && with_class_of_reply(reply).class_ == 0 && reply->text.size == 0;
}

static bool is_permanent(const struct reply *reply)
{
    return reply->code == 0 ? reply->enhanced.class_ == 5 : reply->code >= 500;
}

/* Of a meaning that is only a hint: no rule of the ruleset, and found by none. */
static const char RULE_HINT[] = "hint";

/* 5; and a final failure to which nobody gave a reason is a giving up. */
static struct meaning unknown(enum kind kind, const struct reply *reply)
{
    if (kind_is_final(kind) && is_silent(reply)) {
        return meaning_of(CATEGORY_EXPIRED, FOUND_BY_NONE, "");
    }
    return meaning_of(is_permanent(reply) ? CATEGORY_UNKNOWN_PERMANENT : CATEGORY_UNKNOWN_TRANSIENT,
                      FOUND_BY_NONE, "");
}

static bool is_unknown(const struct meaning *meaning)
{
    return category_class(meaning->category) == CLASS_UNKNOWN;
}

static void by_hint(const struct event *event, struct meaning *meaning)
{
    const enum category hint = native_class_hint(event->kind, event->native_class);
    if (is_unknown(meaning) && hint != CATEGORY_NONE) {
        *meaning = meaning_of(hint, FOUND_BY_NONE, RULE_HINT);
    }
}

static enum class class_under(enum kind kind, enum category category) {
    const enum class class_ = category_class(category);
    return kind == KIND_DEFERRED && class_ == CLASS_HARD ? CLASS_SOFT : class_;
}

struct meaning classify(struct classifier *classifier, const struct event *event)
{
    struct meaning meaning;
    if (!by_event(event, &meaning)) {
        const struct reply reply = classify_reply(&event->reply);
        if (!by_text(classifier, event, &reply, &meaning) &&
            !by_codes(classifier->ruleset, &reply, &meaning)) {
            meaning = unknown(event->kind, &reply);
            by_hint(event, &meaning);
        }
    }
    meaning.class_ = class_under(event->kind, meaning.category);
    return meaning;
}

void classify_explain(struct classifier *classifier,
                      const struct event *event,
                      struct explanation *out)
{
    const struct ruleset *rules = classifier->ruleset;
    struct meaning meaning;
    *out = (struct explanation){.meaning = classify(classifier, event),
                                .is_by_event = by_event(event, &meaning)};
    if (out->is_by_event) {
        return;
    }
    const struct reply reply = classify_reply(&event->reply);
    out->candidate_count = text_rules_explain(classifier->scanner, event, &reply, out->candidates,
                                              EXPLAIN_CANDIDATES_MAX);
    out->has_code = find_code(rules, &reply, &out->code);
    out->hint = native_class_find(event->native_class);
    out->hint_use = out->meaning.rule == RULE_HINT ? HINT_TAKEN
                    : is_unknown(&out->meaning)    ? HINT_REFUSED
                                                   : HINT_NOT_ASKED;
}

/* --- counting -----------------------------------------------------------------------------------
 */

/* Known by its reply code at most: whoever wrote the text was not understood. */
static bool is_text_unknown(const struct event *event, const struct meaning *meaning)
{
    return event->reply.text.size > 0 &&
           ((meaning->class_ == CLASS_UNKNOWN && meaning->by == FOUND_BY_NONE) ||
            meaning->rule == RULE_HINT || meaning->by == FOUND_BY_CODE);
}

void classifier_count(struct classifier *classifier,
                      const struct event *event,
                      const struct meaning *meaning,
                      int64_t ts_ms)
{
    classifier->tally.hits[meaning->counter]++;
    if (!is_text_unknown(event, meaning)) {
        return;
    }
    const char *name = text_rules_provider(classifier->ruleset->text_rules, event);
    struct unknown_entry entry = unknown_entry_of(
        event, name == NULL ? event->provider : span_of(name), meaning->category, ts_ms);
    unknown_add(classifier->tally.by_provider, &entry);
    unknown_forget_provider(&entry);
    unknown_add(classifier->tally.by_text, &entry);
}

const struct tally *classifier_tally(const struct classifier *classifier)
{
    return &classifier->tally;
}

void classifier_copy_tally(struct classifier *classifier)
{
    tally_copy(&classifier->tally_copy, &classifier->tally);
}

const struct tally *classifier_tally_copy(const struct classifier *classifier)
{
    return &classifier->tally_copy;
}

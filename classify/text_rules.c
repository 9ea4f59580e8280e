/* classify/text_rules.c - see text_rules.h; how rules are read and checked is text_rules_load.c.
 *
 * The user's patterns are one database, those that ship another, which was made when the program was
 * built: compiled together, a single rule of the user's would cost each start the seconds that ours
 * take. The price is a second pass over the text by whoever has rules of his own, as small as they
 * are.
 *
 * Rules lie in the order of precedence, so the winner is the first of those that are found and whose
 * conditions hold.
 *
 * A pass of the engine takes 5 us for the rules that ship (80 bytes of text), and 8 where its tables
 * have left the cache meanwhile. But servers repeat themselves, except in what text_seen.h hides, so a
 * scanner remembers what it found in the texts that it read, by their hash: 160 ns, of which two
 * thirds are that hiding. `suppressd-bench classify` at 316 patterns, 12,000 replies after 200,000
 * others, no two the same: 5.1 us an event when nothing but recipients was hidden, 0.8 now, with 4.5 %
 * of the texts scanned; 0.5 with 1.9 % where the replies that it is made of have no page numbers or
 * codes of five digits, which it draws anew and servers do not.
 * Conditions are none of the text and are asked each time.
 *
 * Texts and patterns are bytes to the engine. Its UTF-8 mode must never see an invalid text, and
 * what servers say is often one (Latin-1, a sequence cut in two by somebody's limit); checking each
 * text first would cost more than the mode is worth to us. A dot matches line breaks, and a rule
 * reports once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include <hs.h>
#include <xxhash.h>

#include "base/log.h"
#include "classify/text_rules_build.h"
#include "classify/text_seen.h"

/* 32,768 texts, 1.3 MB a thread, as far as it is used: of replies that are drawn from 11,000 evenly, and
 * one in 25 of a kind of its own, 95.6 % are remembered; 83 % in 16,384 by twos (evenly is the worst:
 * servers' texts are not). A text of which more rules may win is scanned each time. */
enum { READ_SETS = 4096, READ_WAYS = 8, READ_RULES_MAX = 15, CACHE_LINE = 64 };

/* The ranks of the rules that may win a text. */
struct read_text {
    uint8_t count;
    bool is_asked; /* since the last time that all of the set had been */
    uint16_t ranks[READ_RULES_MAX];
};

/* Two lines of the cache are touched where a text is found: its hash's and its own. That another text
 * has the hash of one of the eight happens once in 10^18 times; so that no server can make one that
 * has, to be taken for another's, the seed is where the memory lies, which differs from start to start. */
struct read_set {
    uint64_t hashes[READ_WAYS];
    struct read_text texts[READ_WAYS];
};

_Static_assert(sizeof(struct read_set) % CACHE_LINE == 0, "hashes are in one line");
_Static_assert(TEXT_RULES_MAX <= UINT16_MAX, "a rank is 16 bits");

struct text_scanner {
    const struct text_rules *rules;
    hs_scratch_t *scratch;          /* NULL: there are no patterns */
    char text[TEXT_SEEN_MAX];       /* for those that are not seen as they stand */
    uint16_t ranks[TEXT_RULES_MAX]; /* of what was found last */
    size_t count;
    uint64_t scans;
    struct read_set *read; /* READ_SETS of them; a text is in the one that its hash says */
    void *read_memory;
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
    if (rule->when.stages != 0 && (rule->when.stages >> reply->stage & 1) == 0) {
        return reply->stage == STAGE_NONE ? TEXT_NO_STAGE : TEXT_OTHER_STAGE;
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
        [TEXT_OTHER_STAGE] = "its stage is none of `when.stage`",
        [TEXT_NO_STAGE] = "nothing tells its stage, and `when.stage` wants one",
    };
    return WORDS[verdict];
}

/* --- scanning -----------------------------------------------------------------------------------
 */

/* What one part's matches lead to. */
struct scan {
    struct text_scanner *scanner;
    const struct text_part *part;
};

/* Each pattern reports once. */
static int on_match(
    unsigned number, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    const struct scan *scan = context;
    struct text_scanner *scanner = scan->scanner;
    (void)from;
    (void)to;
    (void)flags;
    CHECK(scanner->count < TEXT_RULES_MAX);
    scanner->ranks[scanner->count++] =
        (uint16_t)(scan->part->rules[number] - scanner->rules->rules);
    return 0;
}

static void scan(struct text_scanner *scanner, struct span text)
{
    scanner->count = 0;
    for (size_t i = 0; i < PART_COUNT && text.size > 0; i++) {
        struct scan scan = {.scanner = scanner, .part = &scanner->rules->parts[i]};
        if (scan.part->database != NULL) {
            const hs_error_t result = hs_scan(scan.part->database, text.data, (unsigned)text.size,
                                              0, scanner->scratch, on_match, &scan);
            CHECK(result == HS_SUCCESS);
        }
    }
}

static bool is_always_good(const struct text_rule *rule)
{
    const struct text_when *when = &rule->when;
    return rule->provider < 0 && when->kinds == 0 && when->stages == 0 && when->reply_count == 0 &&
           when->enhanced_count == 0;
}

/* Whatever the event, nothing wins behind the first rule that has no conditions. */
static void leave_those_that_may_win(struct text_scanner *scanner)
{
    const struct text_rule *rules = scanner->rules->rules;
    uint16_t last = UINT16_MAX;
    for (size_t i = 0; i < scanner->count; i++) {
        const uint16_t rank = scanner->ranks[i];
        last = rank < last && is_always_good(&rules[rank]) ? rank : last;
    }
    size_t count = 0;
    for (size_t i = 0; i < scanner->count; i++) {
        const uint16_t rank = scanner->ranks[i];
        scanner->ranks[count] = rank;
        count += rank <= last;
    }
    scanner->count = count;
}

/* --- the memory of texts ------------------------------------------------------------------------
 */

static struct read_text *find_read(struct read_set *set, uint64_t hash)
{
    for (size_t way = 0; way < READ_WAYS; way++) {
        if (set->hashes[way] == hash) {
            return &set->texts[way];
        }
    }
    return NULL;
}

/* The first that was not asked for lately. */
static size_t way_to_forget(struct read_set *set)
{
    for (size_t way = 0; way < READ_WAYS; way++) {
        if (!set->texts[way].is_asked) {
            return way;
        }
    }
    for (size_t way = 0; way < READ_WAYS; way++) {
        set->texts[way].is_asked = false;
    }
    return 0;
}

static void remember(const struct text_scanner *scanner, uint64_t hash, struct read_set *set)
{
    if (scanner->count <= READ_RULES_MAX) {
        const size_t way = way_to_forget(set);
        struct read_text *text = &set->texts[way];
        set->hashes[way] = hash;
        *text = (struct read_text){.count = (uint8_t)scanner->count, .is_asked = true};
        memcpy(text->ranks, scanner->ranks, scanner->count * sizeof(scanner->ranks[0]));
    }
}

/* Ranks of rules, in any order. */
struct found {
    const uint16_t *ranks;
    size_t count;
};

/* The rules that may win this event; good until the next call. */
static struct found find_candidates(struct text_scanner *scanner,
                                    const struct event *event,
                                    const struct reply *reply)
{
    const struct span text = text_seen(reply->text, event->recipient, scanner->text);
    const uint64_t seed = (uintptr_t)scanner->read_memory;
    const uint64_t hash = XXH3_64bits_withSeed(text.data, text.size, seed);
    struct read_set *set = &scanner->read[hash % READ_SETS];
    struct read_text *read = find_read(set, hash);
    if (read != NULL) {
        read->is_asked = true;
        return (struct found){read->ranks, read->count};
    }
    scan(scanner, text);
    scanner->scans++;
    leave_those_that_may_win(scanner);
    remember(scanner, hash, set);
    return (struct found){scanner->ranks, scanner->count};
}

const struct text_rule *text_rules_find(struct text_scanner *scanner,
                                        const struct event *event,
                                        const struct reply *reply)
{
    const struct text_rules *rules = scanner->rules;
    const struct found found = find_candidates(scanner, event, reply);
    const struct text_rule *best = NULL;
    for (size_t i = 0; i < found.count; i++) {
        const struct text_rule *rule = &rules->rules[found.ranks[i]];
        if ((best == NULL || rule < best) &&
            text_rules_judge(rules, rule, event, reply) == TEXT_WON) {
            best = rule;
        }
    }
    return best;
}

/* Keeps the list in order of precedence; what does not fit at its end is left out. */
static size_t list(const struct text_rule *rule,
                   struct text_candidate *out,
                   size_t count,
                   size_t max)
{
    size_t at = count;
    while (at > 0 && out[at - 1].rule > rule) {
        at--;
    }
    if (at == max) {
        return count;
    }
    count += count < max;
    memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof(out[0]));
    out[at] = (struct text_candidate){.rule = rule};
    return count;
}

size_t text_rules_explain(struct text_scanner *scanner,
                          const struct event *event,
                          const struct reply *reply,
                          struct text_candidate *out,
                          size_t max)
{
    const struct text_rules *rules = scanner->rules;
    size_t count = 0;
    bool is_won = false;
    scan(scanner, text_seen(reply->text, event->recipient, scanner->text));
    for (size_t i = 0; i < scanner->count; i++) {
        count = list(&rules->rules[scanner->ranks[i]], out, count, max);
    }
    for (size_t i = 0; i < count; i++) {
        out[i].verdict = text_rules_judge(rules, out[i].rule, event, reply);
        if (out[i].verdict == TEXT_WON && is_won) {
            out[i].verdict = TEXT_BEATEN;
        }
        is_won = is_won || out[i].verdict == TEXT_WON;
    }
    return count;
}

/* --- making and freeing ------------------------------------------------------------------------
 */

/* calloc() leaves what is not touched to the kernel; aligned_alloc() clears nothing. */
static void *at_cache_line(void *memory)
{
    return (void *)(((uintptr_t)memory + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}

enum err text_scanner_create(const struct text_rules *rules, struct text_scanner **out)
{
    struct text_scanner *scanner = calloc(1, sizeof(*scanner));
    if (scanner == NULL) {
        return ERR_NO_MEMORY;
    }
    scanner->rules = rules;
    scanner->read_memory = calloc(READ_SETS + 1, sizeof(scanner->read[0]));
    if (scanner->read_memory == NULL) {
        text_scanner_destroy(&scanner);
        return ERR_NO_MEMORY;
    }
    scanner->read = at_cache_line(scanner->read_memory);
    for (size_t i = 0; i < PART_COUNT; i++) {
        const struct hs_database *database = rules->parts[i].database;
        const hs_error_t result =
            database == NULL ? HS_SUCCESS : hs_alloc_scratch(database, &scanner->scratch);
        CHECK(result == HS_SUCCESS || result == HS_NOMEM);
        if (result != HS_SUCCESS) {
            text_scanner_destroy(&scanner);
            return ERR_NO_MEMORY;
        }
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
    free((*scanner)->read_memory);
    free(*scanner);
    *scanner = NULL;
}

uint64_t text_scanner_scans(const struct text_scanner *scanner)
{
    return scanner->scans;
}

size_t text_rules_count(const struct text_rules *rules)
{
    return rules->count;
}

const struct text_rule *text_rules_at(const struct text_rules *rules, size_t i)
{
    CHECK(i < rules->count);
    return &rules->rules[i];
}

size_t text_rules_index(const struct text_rules *rules, const struct text_rule *rule)
{
    return (size_t)(rule - rules->rules);
}

const char *text_rules_provider(const struct text_rules *rules, const struct event *event)
{
    for (size_t i = 0; i < rules->provider_count; i++) {
        if (provider_holds(&rules->providers[i], event)) {
            return rules->providers[i].name;
        }
    }
    return NULL;
}

void text_rules_destroy(struct text_rules **rules)
{
    if (*rules == NULL) {
        return;
    }
    for (size_t i = 0; i < PART_COUNT; i++) {
        struct text_part *part = &(*rules)->parts[i];
        text_database_destroy(&part->database);
        free(part->rules);
        free(part->texts);
    }
    free((*rules)->rules);
    free((*rules)->providers);
    free(*rules);
    *rules = NULL;
}

/* bench/classify.c - what understanding a failed event costs, against PCRE2 on the same replies.
 *
 * Everything happens on one core and in turn, round after round, with the same replies: what the
 * intake does for a failed event (reply_parse(), classify()), its parts alone, and PCRE2's JIT in
 * the place of the engine. PCRE2 is given texts that were taken apart before, so nothing but its
 * own work is counted for it, and its answers are held against ours.
 *
 * A classifier remembers texts (text_rules.c), so all is timed twice: by one that remembers nothing,
 * and by one that has met many other replies before. No two replies say the same, of all of them: what
 * is remembered is what patterns see of them (text_seen.h). That this changes no answer is seen, too: by
 * a scan of the text of which nothing but the recipient's address is hidden.
 *
 * The rules are those in force, and the same with more made of them (more_rules.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/classify.h"

#include <ctype.h>
#include <dirent.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/log.h"
#include "bench/allocations.h"
#include "bench/bench.h"
#include "bench/chance.h"
#include "bench/clock.h"
#include "bench/failures.h"
#include "bench/more_rules.h"
#include "bench/pcre.h"
#include "classify/classify.h"
#include "classify/explain.h"
#include "classify/reply.h"
#include "classify/rules.h"
#include "classify/text_seen.h"

enum {
    REPLIES_DEFAULT = 12000,
    BEFORE_DEFAULT = 200000,
    ROUNDS_DEFAULT = 7,
    TEXT_MEMORY = 2 * TEXT_SEEN_MAX,
    KEYS = 4096,
    KEY_PASSES = 64,
    PATHS_MAX = 256,
};

/* --- the events ---------------------------------------------------------------------------------
 */

static struct event event_of(const struct failure *failure, char memory[TEXT_MEMORY])
{
    struct event event = event_init();
    event.kind = failure->kind;
    event.recipient = failure->recipient;
    event.reply = reply_parse(failure->said, memory);
    return event;
}

/* The same, taken apart beforehand: event.reply as rules are asked. `seen`: with the text that
 * patterns see. */
struct parsed {
    struct event *events;
    struct reply *seen;
    char *memory;
    char *seen_memory;
};

static enum err parse_all(const struct failures *failures, struct parsed *out)
{
    out->events = calloc(failures->count + 1, sizeof(out->events[0]));
    out->seen = calloc(failures->count + 1, sizeof(out->seen[0]));
    out->memory = malloc(failures->bytes + TEXT_MEMORY);
    out->seen_memory = malloc(failures->bytes + failures->count + TEXT_MEMORY);
    if (out->events == NULL || out->seen == NULL || out->memory == NULL ||
        out->seen_memory == NULL) {
        return ERR_NO_MEMORY;
    }
    char *at = out->memory;
    char *seen_at = out->seen_memory;
    for (size_t i = 0; i < failures->count; i++) {
        out->events[i] = event_of(&failures->items[i], at);
        out->events[i].reply = classify_reply(&out->events[i].reply);
        at += failures->items[i].said.size;
        out->seen[i] = out->events[i].reply;
        out->seen[i].text = text_seen(out->events[i].reply.text, out->events[i].recipient, seen_at);
        seen_at += out->seen[i].text.data == seen_at ? out->seen[i].text.size : 0;
    }
    return OK;
}

static void free_parsed(struct parsed *parsed)
{
    free(parsed->events);
    free(parsed->seen);
    free(parsed->memory);
    free(parsed->seen_memory);
}

/* Some of them, in their order; not to be freed. */
static struct failures part_of(const struct failures *all, size_t begin, size_t count)
{
    struct failures part = *all;
    part.items = all->items + begin;
    part.count = count;
    part.bytes = 0;
    for (size_t i = 0; i < count; i++) {
        part.bytes += part.items[i].said.size;
    }
    return part;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *one = a;
    const uint64_t *other = b;
    return (*one > *other) - (*one < *other);
}

/* How many different ones patterns see of them. */
static enum err count_texts(const struct failures *failures, size_t *out)
{
    uint64_t *hashes = calloc(failures->count + 1, sizeof(hashes[0]));
    if (hashes == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < failures->count; i++) {
        char memory[TEXT_MEMORY];
        char seen_memory[TEXT_SEEN_MAX];
        const struct event event = event_of(&failures->items[i], memory);
        const struct reply reply = classify_reply(&event.reply);
        const struct span seen = text_seen(reply.text, event.recipient, seen_memory);
        hashes[i] = XXH3_64bits(seen.data, seen.size);
    }
    qsort(hashes, failures->count, sizeof(hashes[0]), compare);
    size_t count = 0;
    for (size_t i = 0; i < failures->count; i++) {
        count += i == 0 || hashes[i] != hashes[i - 1];
    }
    free(hashes);
    *out = count;
    return OK;
}

/* --- one set of rules ---------------------------------------------------------------------------
 */

struct subject {
    const struct failures *failures;
    const struct failures *before;
    const struct parsed *parsed;
    struct ruleset ruleset; /* of the given one, with more text rules */
    struct classifier *classifier;
    struct text_scanner *scanner;
    hs_scratch_t *scratch;
    struct pcre *pcre; /* NULL: there is none */
};

/* Every pass over the replies ends in a number that depends on all answers, so that no call can be
 * left out. */
static double time_whole(const struct subject *subject, uint64_t *answers)
{
    char memory[TEXT_MEMORY];
    const struct failures *failures = subject->failures;
    const int64_t start = now_ns();
    for (size_t i = 0; i < failures->count; i++) {
        const struct event event = event_of(&failures->items[i], memory);
        *answers += classify(subject->classifier, &event).category;
    }
    return (double)(now_ns() - start) / (double)failures->count;
}

static double time_reply(const struct subject *subject, uint64_t *answers)
{
    char memory[TEXT_MEMORY];
    const struct failures *failures = subject->failures;
    const int64_t start = now_ns();
    for (size_t i = 0; i < failures->count; i++) {
        *answers += event_of(&failures->items[i], memory).reply.text.size;
    }
    return (double)(now_ns() - start) / (double)failures->count;
}

static double time_seen(const struct subject *subject, uint64_t *answers)
{
    char memory[TEXT_SEEN_MAX];
    const size_t count = subject->failures->count;
    const int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &subject->parsed->events[i];
        *answers += text_seen(event->reply.text, event->recipient, memory).size;
    }
    return (double)(now_ns() - start) / (double)count;
}

static double time_words(const struct subject *subject, uint64_t *answers)
{
    const size_t count = subject->failures->count;
    const int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &subject->parsed->events[i];
        *answers += text_rules_find(subject->scanner, event, &event->reply) != NULL;
    }
    return (double)(now_ns() - start) / (double)count;
}

static int on_match(
    unsigned number, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    uint64_t *matches = context;
    (void)number;
    (void)from;
    (void)to;
    (void)flags;
    (*matches)++;
    return 0;
}

/* Nothing but the engine. */
static double time_scan(const struct subject *subject, uint64_t *answers)
{
    const size_t count = subject->failures->count;
    const struct hs_database *database = subject->ruleset.text_rules->parts[PART_OWN].database;
    const int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        const struct span text = subject->parsed->seen[i].text;
        CHECK(hs_scan(database, text.data, (unsigned)text.size, 0, subject->scratch, on_match,
                      answers) == HS_SUCCESS);
    }
    return (double)(now_ns() - start) / (double)count;
}

static double time_one_by_one(const struct subject *subject, uint64_t *answers)
{
    const size_t count = subject->failures->count;
    const int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &subject->parsed->events[i];
        *answers += pcre_one_by_one(subject->pcre, event, &subject->parsed->seen[i]) != NULL;
    }
    return (double)(now_ns() - start) / (double)count;
}

static double time_alternation(const struct subject *subject, uint64_t *answers)
{
    const size_t count = subject->failures->count;
    const int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        *answers += pcre_alternation(subject->pcre, subject->parsed->seen[i].text) != NULL;
    }
    return (double)(now_ns() - start) / (double)count;
}

/* In the order in which they are timed. */
enum memory { MEMORY_NONE, MEMORY_FORGETS, MEMORY_MEETS_OTHERS };

static const struct {
    enum timed timed;
    double (*time)(const struct subject *subject, uint64_t *answers);
    enum memory before;
    bool is_pcre;
} TIMED[TIMED_COUNT] = {
    {TIMED_WHOLE_FIRST, time_whole, MEMORY_FORGETS, false},
    {TIMED_WORDS_FIRST, time_words, MEMORY_NONE, false},
    {TIMED_WHOLE, time_whole, MEMORY_MEETS_OTHERS, false},
    {TIMED_WORDS, time_words, MEMORY_NONE, false},
    {TIMED_REPLY, time_reply, MEMORY_NONE, false},
    {TIMED_SEEN, time_seen, MEMORY_NONE, false},
    {TIMED_SCAN, time_scan, MEMORY_NONE, false},
    {TIMED_ONE_BY_ONE, time_one_by_one, MEMORY_NONE, true},
    {TIMED_ALTERNATION, time_alternation, MEMORY_NONE, true},
};

/* Of classifier and scanner: each has a memory of its own. */
static bool forget_texts(struct subject *subject)
{
    classifier_destroy(&subject->classifier);
    text_scanner_destroy(&subject->scanner);
    return classifier_create(&subject->ruleset, &subject->classifier) == OK &&
           text_scanner_create(subject->ruleset.text_rules, &subject->scanner) == OK;
}

static void meet_others(const struct subject *subject, uint64_t *answers)
{
    char memory[TEXT_MEMORY];
    for (size_t i = 0; i < subject->before->count; i++) {
        const struct event event = event_of(&subject->before->items[i], memory);
        const struct reply reply = classify_reply(&event.reply);
        *answers += classify(subject->classifier, &event).category;
        *answers += text_rules_find(subject->scanner, &event, &reply) != NULL;
    }
}

static enum err time_round(struct subject *subject,
                           int round,
                           uint64_t *answers,
                           struct classify_set *set)
{
    for (int i = 0; i < TIMED_COUNT; i++) {
        const enum timed timed = TIMED[i].timed;
        if (TIMED[i].is_pcre && subject->pcre == NULL) {
            continue;
        }
        if (TIMED[i].before != MEMORY_NONE && !forget_texts(subject)) {
            return ERR_NO_MEMORY;
        }
        if (TIMED[i].before == MEMORY_MEETS_OTHERS) {
            meet_others(subject, answers);
        }
        const size_t allocations = allocations_of_thread();
        const uint64_t scans = text_scanner_scans(subject->scanner);
        set->ns[timed][round] = TIMED[i].time(subject, answers);
        if (TIMED[i].time == time_whole) {
            set->allocations += allocations_of_thread() - allocations;
        } else if (TIMED[i].time == time_words) {
            *(timed == TIMED_WORDS ? &set->scanned : &set->scanned_first) =
                (size_t)(text_scanner_scans(subject->scanner) - scans);
        }
    }
    return OK;
}

static enum err time_all(struct subject *subject, int rounds, struct classify_set *set)
{
    uint64_t answers = 0;
    enum err err = OK;
    (void)time_whole(subject, &answers); /* warm */
    for (int round = 0; err == OK && round < rounds; round++) {
        err = time_round(subject, round, &answers, set);
    }
    CHECK(answers > 0);
    return err;
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* Plainly: white space is joined, nothing is hidden but the recipient. */
static struct span see_unhidden(struct span text, struct span recipient, char *memory)
{
    struct writer out = writer_init(memory, TEXT_MEMORY);
    for (size_t i = 0; i < text.size;) {
        const char last = out.size == 0 ? ' ' : out.data[out.size - 1];
        const bool is_alone = strchr("-_+.", last) == NULL && isalnum((unsigned char)last) == 0;
        if (is_alone && span_starts_nocase(span_skip(text, i), recipient)) {
            put_bytes(&out, SPAN("x@x.x"));
            i += recipient.size;
        } else {
            put_u8(&out, (uint8_t)(isspace((unsigned char)text.data[i]) != 0 ? ' ' : text.data[i]));
            i++;
        }
    }
    return writer_span(&out);
}

struct unhidden {
    const struct text_rules *rules;
    const struct event *event;
    const struct text_rule *winner;
};

static int on_unhidden(
    unsigned number, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct unhidden *unhidden = context;
    const struct text_rule *rule = unhidden->rules->parts[PART_OWN].rules[number];
    (void)from;
    (void)to;
    (void)flags;
    if ((unhidden->winner == NULL || rule < unhidden->winner) &&
        text_rules_judge(unhidden->rules, rule, unhidden->event, &unhidden->event->reply) ==
            TEXT_WON) {
        unhidden->winner = rule;
    }
    return 0;
}

/* How many of these have the same rule where only the recipient is hidden. The others are told. */
static size_t count_same_unhidden(const struct subject *subject,
                                  const struct failure *failures,
                                  size_t count)
{
    const struct text_rules *rules = subject->ruleset.text_rules;
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        char memory[TEXT_MEMORY];
        char unhidden_memory[TEXT_MEMORY];
        struct event event = event_of(&failures[i], memory);
        event.reply = classify_reply(&event.reply);
        struct unhidden unhidden = {.rules = rules, .event = &event};
        const struct span text = see_unhidden(event.reply.text, event.recipient, unhidden_memory);
        CHECK(hs_scan(rules->parts[PART_OWN].database, text.data, (unsigned)text.size, 0,
                      subject->scratch, on_unhidden, &unhidden) == HS_SUCCESS);
        const struct text_rule *rule = text_rules_find(subject->scanner, &event, &event.reply);
        same += rule == unhidden.winner;
        if (rule != unhidden.winner) {
            fprintf(stderr, "suppressd-bench: %s instead of %s, with ids hidden: %.*s\n",
                    rule == NULL ? "no rule" : rule->id,
                    unhidden.winner == NULL ? "none" : unhidden.winner->id, SPAN_ARGS(text));
        }
    }
    return same;
}

static void count_answers(const struct subject *subject, struct classify_set *set)
{
    static struct text_candidate candidates[TEXT_RULES_MAX];
    size_t found = 0;
    for (size_t i = 0; i < subject->failures->count; i++) {
        const struct event *event = &subject->parsed->events[i];
        const struct reply *seen = &subject->parsed->seen[i];
        const struct text_rule *ours = text_rules_find(subject->scanner, event, &event->reply);
        found +=
            text_rules_explain(subject->scanner, event, &event->reply, candidates, TEXT_RULES_MAX);
        if (subject->pcre != NULL) {
            set->agreed += pcre_one_by_one(subject->pcre, event, seen) == ours;
            set->alternation_agreed += pcre_alternation(subject->pcre, seen->text) == ours;
        }
    }
    set->found = (double)found / (double)subject->failures->count;
    set->same_unhidden =
        count_same_unhidden(subject, subject->failures->items, subject->failures->count);
    set->same_unhidden_templates = count_same_unhidden(subject, subject->failures->templates,
                                                       subject->failures->template_count);
    if (subject->pcre != NULL) {
        set->alternations = pcre_alternation_count(subject->pcre);
        set->given_up = pcre_given_up(subject->pcre);
    }
}

static enum err open_subject(struct subject *subject)
{
    enum err err = classifier_create(&subject->ruleset, &subject->classifier);
    if (err == OK) {
        err = text_scanner_create(subject->ruleset.text_rules, &subject->scanner);
    }
    if (err == OK && hs_alloc_scratch(subject->ruleset.text_rules->parts[PART_OWN].database,
                                      &subject->scratch) != HS_SUCCESS) {
        err = ERR_NO_MEMORY;
    }
    if (err == OK) {
        err = pcre_create(subject->ruleset.text_rules, &subject->pcre);
        err = err == ERR_REFUSED ? OK : err;
    }
    return err;
}

static void close_subject(struct subject *subject)
{
    pcre_destroy(&subject->pcre);
    CHECK(hs_free_scratch(subject->scratch) == HS_SUCCESS);
    text_scanner_destroy(&subject->scanner);
    classifier_destroy(&subject->classifier);
}

/* How many and how long the patterns are, what the engine makes of them, and all times. */
static enum err measure_set(struct subject *subject,
                            const struct more_rules *more,
                            int rounds,
                            struct classify_set *set)
{
    enum err err = open_subject(subject);
    if (err == OK) {
        const size_t made = more->rules->count - more->given;
        *set = (struct classify_set){
            .patterns = more->rules->count,
            .made = made,
            .pattern_size = (double)more->given_bytes / (double)more->given,
            .made_size = made == 0 ? 0 : (double)more->made_bytes / (double)made,
            .compile_ms = more->compile_ms,
        };
        CHECK(hs_database_size(more->rules->parts[PART_OWN].database, &set->database_bytes) ==
              HS_SUCCESS);
        err = time_all(subject, rounds, set);
    }
    if (err == OK) {
        count_answers(subject, set);
    }
    close_subject(subject);
    return err;
}

/* --- the table of codes -------------------------------------------------------------------------
 */

struct key {
    uint16_t reply_code;
    struct enhanced enhanced;
};

/* All enhanced codes that have a row of their own, each with a reply code of its class. */
static size_t known_keys(const struct codes *codes, struct key *out, size_t max)
{
    static const uint16_t REPLY_CODES[] = {421, 450, 451, 452, 550, 552, 553, 554};
    size_t count = 0;
    for (unsigned i = 0; i < 2U * 8 * 128 && count < max; i++) {
        const uint8_t class_ = i / (8 * 128) == 0 ? 4 : 5;
        const struct enhanced enhanced = {class_, (uint16_t)(i / 128 % 8), (uint16_t)(i % 128)};
        char text[ENHANCED_TEXT_SIZE];
        struct code_match match;
        (void)enhanced_format(enhanced, text);
        if (codes_find_enhanced(codes, 0, enhanced, &match) && strcmp(match.rule, text) == 0) {
            const size_t of_class = (class_ == 4 ? 0 : 4) + count % 4;
            out[count++] = (struct key){REPLY_CODES[of_class], enhanced};
        }
    }
    return count;
}

static double time_lookup(const struct codes *codes, const struct key *keys, bool with_reply)
{
    uint64_t answers = 0;
    const int64_t start = now_ns();
    for (size_t pass = 0; pass < KEY_PASSES; pass++) {
        for (size_t i = 0; i < KEYS; i++) {
            struct code_match match;
            const uint16_t reply_code = with_reply ? keys[i].reply_code : 0;
            if (codes_find_enhanced(codes, reply_code, keys[i].enhanced, &match)) {
                answers += match.category;
            }
        }
    }
    const int64_t taken = now_ns() - start;
    CHECK(answers > 0);
    return (double)taken / (KEYS * KEY_PASSES);
}

/* A byte for each x.y.z that there could be here: what no hash can be faster than. */
struct direct {
    uint8_t categories[2][8][128];
};

static double time_array(const struct direct *direct, const struct key *keys)
{
    uint64_t answers = 0;
    const int64_t start = now_ns();
    for (size_t pass = 0; pass < KEY_PASSES; pass++) {
        for (size_t i = 0; i < KEYS; i++) {
            const struct enhanced *e = &keys[i].enhanced;
            answers += direct->categories[e->class_ & 1][e->subject & 7][e->detail & 127];
        }
        __asm__ volatile("" ::: "memory"); /* each pass is made, as the others' calls are */
    }
    const int64_t taken = now_ns() - start;
    CHECK(answers > 0);
    return (double)taken / (KEYS * KEY_PASSES);
}

static bool measure_codes(const struct ruleset *ruleset, struct classify_figures *figures)
{
    static struct key known[2 * 8 * 128];
    static struct key keys[KEYS];
    static struct direct direct;
    struct chance chance = {figures->seed};
    figures->codes = codes_count(ruleset->codes);
    figures->code_keys = known_keys(ruleset->codes, known, sizeof(known) / sizeof(known[0]));
    if (figures->code_keys == 0) {
        fprintf(stderr, "suppressd-bench: the rules have no row of an enhanced code\n");
        return false;
    }
    for (size_t i = 0; i < KEYS; i++) {
        struct code_match match;
        keys[i] = known[chance_below(&chance, (unsigned)figures->code_keys)];
        const struct enhanced *e = &keys[i].enhanced;
        CHECK(codes_find_enhanced(ruleset->codes, 0, *e, &match));
        direct.categories[e->class_ & 1][e->subject & 7][e->detail & 127] = (uint8_t)match.category;
    }
    for (int round = 0; round < figures->rounds; round++) {
        figures->lookup_ns[round] = time_lookup(ruleset->codes, keys, false);
        figures->asked_ns[round] = time_lookup(ruleset->codes, keys, true);
        figures->array_ns[round] = time_array(&direct, keys);
    }
    return true;
}

/* --- the command --------------------------------------------------------------------------------
 */

/* What `--rules` names: files, and the *.yaml of directories in the order of their names. */
struct paths {
    const char *items[PATHS_MAX];
    size_t count;
    char *owned[PATHS_MAX];
    size_t owned_count;
};

static int is_yaml(const struct dirent *entry)
{
    const size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

static bool add_path(struct paths *paths, const char *path)
{
    if (paths->count == PATHS_MAX) {
        fprintf(stderr, "suppressd-bench: --rules: too many files\n");
        return false;
    }
    paths->items[paths->count++] = path;
    return true;
}

static bool add_directory(struct paths *paths, const char *directory)
{
    struct dirent **entries;
    const int count = scandir(directory, &entries, is_yaml, alphasort);
    bool good = count >= 0;
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (good && asprintf(&path, "%s/%s", directory, entries[i]->d_name) > 0) {
            good = add_path(paths, path);
            paths->owned[paths->owned_count++] = path;
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return good;
}

static bool collect_paths(const struct bench_list *given, struct paths *paths)
{
    for (size_t i = 0; i < given->count; i++) {
        struct stat status;
        const char *path = given->items[i];
        const bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
        if (!(is_directory ? add_directory(paths, path) : add_path(paths, path))) {
            return false;
        }
    }
    return true;
}

static void free_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->owned_count; i++) {
        free(paths->owned[i]);
    }
}

struct wanted {
    int64_t rounds;
    int64_t replies;
    int64_t before;
    int64_t seed;
    bool is_json;
    struct bench_list rule_paths;
    struct bench_list reply_paths;
    struct bench_list sizes;
};

/* The given rules alone, then each larger size that is wanted. */
static bool collect_sizes(const struct bench_list *given,
                          size_t least,
                          size_t *sizes,
                          size_t *count)
{
    static const struct bench_list BY_DEFAULT = {{"600", "1200"}, 2};
    const struct bench_list *list = given->count == 0 ? &BY_DEFAULT : given;
    *count = 1;
    sizes[0] = least;
    for (size_t i = 0; i < list->count; i++) {
        uint64_t size;
        if (!span_to_u64(span_of(list->items[i]), &size) || size > TEXT_RULES_MAX ||
            *count == CLASSIFY_SETS_MAX) {
            fprintf(stderr, "suppressd-bench: --patterns: at most %d numbers up to %d, not %s\n",
                    CLASSIFY_SETS_MAX - 1, TEXT_RULES_MAX, list->items[i]);
            return false;
        }
        if (size > least) {
            sizes[(*count)++] = (size_t)size;
        }
    }
    return true;
}

static size_t count_same_meaning(const struct failures *failures, struct classifier *classifier)
{
    char memory[TEXT_MEMORY];
    size_t count = 0;
    for (size_t i = 0; i < failures->count; i++) {
        const struct failure *failure = &failures->items[i];
        struct event event = event_of(failure, memory);
        const enum category category = classify(classifier, &event).category;
        event = event_of(&failures->templates[failure->template], memory);
        count += classify(classifier, &event).category == category;
    }
    return count;
}

static enum err describe(const struct ruleset *ruleset,
                         const struct failures *failures,
                         struct classify_figures *figures)
{
    struct classifier *classifier;
    const enum err err = classifier_create(ruleset, &classifier);
    if (err != OK) {
        return err;
    }
    figures->replies = failures->count;
    figures->templates = failures->template_count;
    figures->reply_size = (double)failures->bytes / (double)failures->count;
    figures->same_meaning = count_same_meaning(failures, classifier);
    figures->rule_files = ruleset_size(ruleset).files;
    pcre_version(figures->pcre_version);
    figures->has_pcre = figures->pcre_version[0] != '\0';
    classifier_destroy(&classifier);
    return count_texts(failures, &figures->texts);
}

/* The processor's set: the engine takes the best of its variants that it knows; databases are for any. */
static void describe_engine(const struct text_rules *rules, struct classify_figures *figures)
{
    hs_platform_info_t platform = {0};
    char *info = NULL;
    if (hs_database_info(rules->parts[PART_OWN].database, &info) != HS_SUCCESS ||
        hs_populate_platform(&platform) != HS_SUCCESS) {
        return;
    }
    const char *set = (platform.cpu_features & HS_CPU_FEATURES_AVX512) != 0 ? "AVX-512"
                      : (platform.cpu_features & HS_CPU_FEATURES_AVX2) != 0 ? "AVX2"
                                                                            : "basic";
    (void)snprintf(figures->engine, sizeof(figures->engine), "database %s; processor: %s", info,
                   set);
    free(info);
}

static enum err measure(const struct wanted *wanted,
                        const struct ruleset *ruleset,
                        const struct failures *all,
                        struct classify_figures *figures)
{
    const struct failures before = part_of(all, 0, (size_t)wanted->before);
    const struct failures failures = part_of(all, before.count, all->count - before.count);
    struct parsed parsed = {0};
    size_t sizes[CLASSIFY_SETS_MAX];
    size_t size_count;
    const size_t least = text_rules_count(ruleset->text_rules);
    if (least == 0) {
        fprintf(stderr, "suppressd-bench: there are no rules of words\n");
        return ERR_BAD_CONFIG;
    }
    if (!collect_sizes(&wanted->sizes, least, sizes, &size_count) ||
        !measure_codes(ruleset, figures)) {
        return ERR_BAD_CONFIG;
    }
    enum err err = describe(ruleset, &failures, figures);
    err = err == OK ? count_texts(all, &figures->texts_before) : err;
    err = err == OK ? parse_all(&failures, &parsed) : err;
    for (size_t i = 0; err == OK && i < size_count; i++) {
        struct more_rules more;
        struct subject subject = {
            .failures = &failures, .before = &before, .parsed = &parsed, .ruleset = *ruleset};
        err = more_rules_create(ruleset->text_rules, sizes[i], &failures, figures->seed, &more);
        if (err == OK) {
            subject.ruleset.text_rules = more.rules;
            describe_engine(more.rules, figures);
            err = measure_set(&subject, &more, figures->rounds, &figures->sets[i]);
            figures->set_count++;
            more_rules_free(&more);
        }
    }
    free_parsed(&parsed);
    return err;
}

static int run_wanted(const struct wanted *wanted)
{
    static struct classify_figures figures;
    struct paths paths = {.count = 0};
    struct ruleset *ruleset = NULL;
    struct failures failures = {0};
    figures.rounds = (int)wanted->rounds;
    figures.seed = (uint64_t)wanted->seed;
    figures.before = (size_t)wanted->before;
    enum err err = collect_paths(&wanted->rule_paths, &paths) ? OK : ERR_IO;
    if (err == OK) {
        err = ruleset_create(paths.items, paths.count, &ruleset);
    }
    if (err == OK) {
        err = failures_create(wanted->reply_paths.items, wanted->reply_paths.count,
                              (size_t)(wanted->before + wanted->replies), figures.seed, &failures);
    }
    if (err == OK) {
        err = measure(wanted, ruleset, &failures, &figures);
    }
    if (err == OK) {
        classify_report(&figures, wanted->is_json);
    } else {
        fprintf(stderr, "suppressd-bench: %s\n", err_name(err));
    }
    failures_free(&failures);
    if (ruleset != NULL) {
        ruleset_destroy(&ruleset);
    }
    free_paths(&paths);
    return err == OK ? BENCH_OK : BENCH_FAILED;
}

static int run(const struct bench_command *command, int argc, char **argv)
{
    static struct wanted wanted = {
        .rounds = ROUNDS_DEFAULT, .replies = REPLIES_DEFAULT, .before = BEFORE_DEFAULT, .seed = 1};
    const struct bench_option options[] = {
        {"rules", "a file of rules, or a directory of them, before those built in; more than once",
         .list = &wanted.rule_paths},
        {"patterns", "make it so many; more than once (default: 600, 1200)", .list = &wanted.sizes},
        {"replies", "how many distinct ones", .number = &wanted.replies, .least = 1},
        {"before", "how many others are met before", .number = &wanted.before, .least = 0},
        {"replies-file", "what they are made of (tests/data/replies/README.md); more than once",
         .list = &wanted.reply_paths},
        {"rounds", "how often each is timed", .number = &wanted.rounds, .least = 1},
        {"seed", "of replies and patterns that are made", .number = &wanted.seed, .least = 0},
        {"json", "the figures for programs", .flag = &wanted.is_json},
    };
    int exit_code;
    if (!bench_options(command, options, sizeof(options) / sizeof(options[0]), argc, argv,
                       &exit_code)) {
        return exit_code;
    }
    if (wanted.rounds > CLASSIFY_ROUNDS_MAX || wanted.replies > 1000000 ||
        wanted.before > 1000000) {
        fprintf(stderr, "suppressd-bench: at most %d rounds and 1000000 replies, and before them\n",
                CLASSIFY_ROUNDS_MAX);
        return BENCH_USAGE;
    }
    return run_wanted(&wanted);
}

const struct bench_command BENCH_CLASSIFY = {
    .name = "classify",
    .summary = "what understanding a reply costs, against PCRE2",
    .help =
        "Times, on one core and in turn: what the intake does to understand a failed event\n"
        "(the reply taken apart, rules of words, table of codes); PCRE2's JIT with the same\n"
        "patterns one by one, the first rule that holds wins, and in one alternation; and the\n"
        "table of codes against an array. The rules are those in force and the same with more\n"
        "made of them, the replies many distinct ones made of real replies: met by a classifier\n"
        "that remembers nothing, and by one that met others before. Medians of rounds.\n",
    .run = run,
};

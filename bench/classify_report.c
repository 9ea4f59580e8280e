/* bench/classify_report.c - see classify.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/allocations.h"
#include "bench/classify.h"
#include "bench/spread.h"

static const double GOAL_LOOKUP_NS = 3;
static const double GOAL_WHOLE_NS = 800;
static const double GOAL_RATIO = 15;
static const double GOAL_SAME_UNHIDDEN = 0.999; /* words in addresses are no server's */
enum { GOAL_PATTERNS = 600 };

static const char *const TIMED_NAMES[TIMED_COUNT] = {
    [TIMED_WHOLE] = "whole_ns",
    [TIMED_REPLY] = "reply_ns",
    [TIMED_SEEN] = "seen_ns",
    [TIMED_WORDS] = "words_ns",
    [TIMED_WHOLE_FIRST] = "whole_first_ns",
    [TIMED_WORDS_FIRST] = "words_first_ns",
    [TIMED_SCAN] = "scan_ns",
    [TIMED_ONE_BY_ONE] = "pcre2_one_by_one_ns",
    [TIMED_ALTERNATION] = "pcre2_alternation_ns",
};
static const char *const TIMED_WORDS_OF[TIMED_COUNT] = {
    [TIMED_WHOLE] = "an event, everything",
    [TIMED_REPLY] = "  of it the reply taken apart",
    [TIMED_SEEN] = "  of it what patterns see",
    [TIMED_WORDS] = "  of it rules of words, that included",
    [TIMED_WHOLE_FIRST] = "an event, no text met before",
    [TIMED_WORDS_FIRST] = "  of it rules of words",
    [TIMED_SCAN] = "the engine, if it scans each text",
    [TIMED_ONE_BY_ONE] = "PCRE2-JIT one by one, words only",
    [TIMED_ALTERNATION] = "PCRE2-JIT alternation, words only",
};

static bool is_pcre(enum timed timed)
{
    return timed == TIMED_ONE_BY_ONE || timed == TIMED_ALTERNATION;
}

static struct spread spread_copy(const double *values, int rounds)
{
    double copy[CLASSIFY_ROUNDS_MAX];
    memcpy(copy, values, (size_t)rounds * sizeof(copy[0]));
    return spread_of(copy, (size_t)rounds);
}

/* PCRE2's time by ours, round by round. */
static struct spread ratio_of(const struct classify_set *set,
                              enum timed pcre,
                              enum timed ours,
                              int rounds)
{
    double ratios[CLASSIFY_ROUNDS_MAX];
    for (int i = 0; i < rounds; i++) {
        ratios[i] = set->ns[pcre][i] / set->ns[ours][i];
    }
    return spread_of(ratios, (size_t)rounds);
}

static double share(size_t part, size_t of)
{
    return of == 0 ? 0 : (double)part / (double)of;
}

/* --- goals --------------------------------------------------------------------------------------
 */

struct goal {
    const char *name;
    const char *words;
    double is;
    double wanted;
    bool is_most; /* else it is the least */
    bool applies;
};

enum { GOAL_COUNT = 6 };

static bool is_met(const struct goal *goal)
{
    return goal->is_most ? goal->is <= goal->wanted : goal->is >= goal->wanted;
}

static const struct classify_set *set_of_goals(const struct classify_figures *figures)
{
    for (size_t i = 0; i < figures->set_count; i++) {
        if (figures->sets[i].patterns == GOAL_PATTERNS) {
            return &figures->sets[i];
        }
    }
    return NULL;
}

static uint64_t allocations_of(const struct classify_figures *figures)
{
    uint64_t count = 0;
    for (size_t i = 0; i < figures->set_count; i++) {
        count += figures->sets[i].allocations;
    }
    return count;
}

static size_t least_agreed(const struct classify_figures *figures)
{
    size_t least = figures->replies;
    for (size_t i = 0; i < figures->set_count; i++) {
        least = figures->sets[i].agreed < least ? figures->sets[i].agreed : least;
    }
    return least;
}

/* The least over the sets, of replies and templates. */
static double least_same_unhidden(const struct classify_figures *figures)
{
    double least = 1;
    for (size_t i = 0; i < figures->set_count; i++) {
        const struct classify_set *set = &figures->sets[i];
        const double same = share(set->same_unhidden + set->same_unhidden_templates,
                                  figures->replies + figures->templates);
        least = same < least ? same : least;
    }
    return least;
}

static void goals_of(const struct classify_figures *figures, struct goal goals[GOAL_COUNT])
{
    const struct classify_set *set = set_of_goals(figures);
    const int rounds = figures->rounds;
    const double lookup = spread_copy(figures->lookup_ns, rounds).median;
    const double whole = set == NULL ? 0 : spread_copy(set->ns[TIMED_WHOLE], rounds).median;
    const bool has_ratio = set != NULL && figures->has_pcre;
    const double ratio =
        has_ratio ? ratio_of(set, TIMED_ONE_BY_ONE, TIMED_WHOLE, rounds).median : 0;
    const double agreed = share(least_agreed(figures), figures->replies);
    const struct goal all[GOAL_COUNT] = {
        {"lookup_ns", "ns a look-up of the table of codes", lookup, GOAL_LOOKUP_NS, true, true},
        {"whole_ns", "ns an event at 600 patterns", whole, GOAL_WHOLE_NS, true, set != NULL},
        {"ratio", "PCRE2 one by one / ours at 600 patterns", ratio, GOAL_RATIO, false, has_ratio},
        {"allocations", "allocations in all events", (double)allocations_of(figures), 0, true,
         allocations_are_counted()},
        {"agreement", "share of answers as PCRE2's", agreed, 1, false, figures->has_pcre},
        {"same_unhidden", "share of answers as if ids were not hidden",
         least_same_unhidden(figures), GOAL_SAME_UNHIDDEN, false, true},
    };
    memcpy(goals, all, sizeof(all));
}

/* --- for people ---------------------------------------------------------------------------------
 */

static void print_row(const char *words, const double *values, int rounds)
{
    const struct spread s = spread_copy(values, rounds);
    printf("  %-38s %10.1f %10.1f - %.1f\n", words, s.median, s.least, s.most);
}

static void print_ratio(const char *words, struct spread s)
{
    printf("  %-38s %10.2f %10.2f - %.2f\n", words, s.median, s.least, s.most);
}

static void print_codes(const struct classify_figures *figures)
{
    printf("\ntable of codes, %zu rows; %zu keys in random order    ns   (least - most)\n",
           figures->codes, figures->code_keys);
    print_row("a look-up that finds", figures->lookup_ns, figures->rounds);
    print_row("as a reply asks: with reply code first", figures->asked_ns, figures->rounds);
    print_row("an array indexed by the same keys", figures->array_ns, figures->rounds);
}

static void print_set(const struct classify_figures *figures, const struct classify_set *set)
{
    printf("\n%zu patterns: %zu as they are (%.0f bytes in the mean)", set->patterns,
           set->patterns - set->made, set->pattern_size);
    if (set->made > 0) {
        printf(", %zu made of them (%.0f bytes)", set->made, set->made_size);
    }
    printf("\n  database %.2f MB, compiled in %.0f ms; %.2f patterns found in a reply\n",
           (double)set->database_bytes / 1e6, set->compile_ms, set->found);
    for (int timed = 0; timed < TIMED_COUNT; timed++) {
        if (figures->has_pcre || !is_pcre((enum timed)timed)) {
            print_row(TIMED_WORDS_OF[timed], set->ns[timed], figures->rounds);
        }
    }
    printf("  texts scanned: %.2f %%; of those met first %.2f %%; same rule as if ids were not "
           "hidden: %.3f %% of the replies, %.3f %% of those they were made of\n",
           100 * share(set->scanned, figures->replies),
           100 * share(set->scanned_first, figures->replies),
           100 * share(set->same_unhidden, figures->replies),
           100 * share(set->same_unhidden_templates, figures->templates));
    if (figures->has_pcre) {
        print_ratio("one by one / everything",
                    ratio_of(set, TIMED_ONE_BY_ONE, TIMED_WHOLE, figures->rounds));
        print_ratio("one by one / everything, none met",
                    ratio_of(set, TIMED_ONE_BY_ONE, TIMED_WHOLE_FIRST, figures->rounds));
        print_ratio("alternation / everything",
                    ratio_of(set, TIMED_ALTERNATION, TIMED_WHOLE, figures->rounds));
        printf("  same rule: one by one %.2f %%, alternation %.2f %% (leftmost match, conditions "
               "not asked; in %zu parts, the library takes no longer ones); given up: %zu\n",
               100 * share(set->agreed, figures->replies),
               100 * share(set->alternation_agreed, figures->replies), set->alternations,
               set->given_up);
    }
    if (allocations_are_counted()) {
        printf("  allocations: %" PRIu64 "\n", set->allocations);
    }
}

static void print_goals(const struct goal goals[GOAL_COUNT])
{
    printf("\n%-42s %10s\n", "goals, by medians", "");
    for (int i = 0; i < GOAL_COUNT; i++) {
        if (goals[i].applies) {
            printf("  %-40s %10.2f   %s %g  %s\n", goals[i].words, goals[i].is,
                   goals[i].is_most ? "<=" : ">=", goals[i].wanted,
                   is_met(&goals[i]) ? "met" : "not met");
        }
    }
}

static void report_text(const struct classify_figures *figures)
{
    struct goal goals[GOAL_COUNT];
    printf(
        "%zu distinct replies, %.0f bytes in the mean, made of %zu of tests/data/replies, seed "
        "%" PRIu64 "\n(addresses, hosts, ids and long numbers drawn anew, reply codes with the "
        "shares of `suppressd-bench pipeline`);\n"
        "%.1f %% mean what the reply means that they were made of\n"
        "%zu others are met before; patterns see %zu different texts of the replies, %zu of all\n"
        "%zu files of rules; one core, %d rounds, ns an event, medians\n"
        "Vectorscan: %s\n",
        figures->replies, figures->reply_size, figures->templates, figures->seed,
        100 * share(figures->same_meaning, figures->replies), figures->before, figures->texts,
        figures->texts_before, figures->rule_files, figures->rounds, figures->engine);
    if (figures->has_pcre) {
        printf("PCRE2: %s\n", figures->pcre_version);
    } else {
        printf("PCRE2: not there when this was built (libpcre2-dev); nothing to compare with\n");
    }
    print_codes(figures);
    for (size_t i = 0; i < figures->set_count; i++) {
        print_set(figures, &figures->sets[i]);
    }
    goals_of(figures, goals);
    print_goals(goals);
}

/* --- for programs; every name is ours, nothing needs escaping -----------------------------------
 */

static void json_spread(const char *name, struct spread s)
{
    printf("\"%s\":{\"median\":%.3f,\"least\":%.3f,\"most\":%.3f}", name, s.median, s.least,
           s.most);
}

static void json_set(const struct classify_figures *figures, const struct classify_set *set)
{
    printf("{\"patterns\":%zu,\"made\":%zu,\"pattern_bytes\":%.1f,\"made_bytes\":%.1f,"
           "\"database_bytes\":%zu,\"compile_ms\":%.1f,\"found_per_reply\":%.3f,"
           "\"scanned\":%.6f,\"scanned_first\":%.6f,\"same_unhidden\":%.6f,"
           "\"same_unhidden_templates\":%.6f",
           set->patterns, set->made, set->pattern_size, set->made_size, set->database_bytes,
           set->compile_ms, set->found, share(set->scanned, figures->replies),
           share(set->scanned_first, figures->replies), share(set->same_unhidden, figures->replies),
           share(set->same_unhidden_templates, figures->templates));
    for (int timed = 0; timed < TIMED_COUNT; timed++) {
        if (figures->has_pcre || !is_pcre((enum timed)timed)) {
            printf(",");
            json_spread(TIMED_NAMES[timed], spread_copy(set->ns[timed], figures->rounds));
        }
    }
    if (figures->has_pcre) {
        printf(",");
        json_spread("ratio_one_by_one",
                    ratio_of(set, TIMED_ONE_BY_ONE, TIMED_WHOLE, figures->rounds));
        printf(",");
        json_spread("ratio_one_by_one_first",
                    ratio_of(set, TIMED_ONE_BY_ONE, TIMED_WHOLE_FIRST, figures->rounds));
        printf(",");
        json_spread("ratio_alternation",
                    ratio_of(set, TIMED_ALTERNATION, TIMED_WHOLE, figures->rounds));
        printf(",\"agreement_one_by_one\":%.6f,\"agreement_alternation\":%.6f,\"alternations\":%zu,"
               "\"given_up\":%zu",
               share(set->agreed, figures->replies),
               share(set->alternation_agreed, figures->replies), set->alternations, set->given_up);
    }
    if (allocations_are_counted()) {
        printf(",\"allocations\":%" PRIu64, set->allocations);
    }
    printf("}");
}

static void json_goals(const struct goal goals[GOAL_COUNT])
{
    const char *comma = "";
    for (int i = 0; i < GOAL_COUNT; i++) {
        if (goals[i].applies) {
            printf("%s\"%s\":{\"is\":%.3f,\"%s\":%g,\"is_met\":%s}", comma, goals[i].name,
                   goals[i].is, goals[i].is_most ? "at_most" : "at_least", goals[i].wanted,
                   is_met(&goals[i]) ? "true" : "false");
            comma = ",";
        }
    }
}

static void report_json(const struct classify_figures *figures)
{
    struct goal goals[GOAL_COUNT];
    printf("{\"version\":\"%s\",\"engine\":\"%s\",\"pcre2\":\"%s\",\"rounds\":%d,\"seed\":%" PRIu64
           ",\"replies\":%zu,\"before\":%zu,\"texts\":%zu,\"texts_before\":%zu,\"templates\":%zu,"
           "\"reply_bytes\":%.1f,\"same_meaning\":%.4f,"
           "\"rule_files\":%zu,\"codes\":{\"rows\":%zu,\"keys\":%zu,",
           SUPPRESSD_VERSION, figures->engine, figures->pcre_version, figures->rounds,
           figures->seed, figures->replies, figures->before, figures->texts, figures->texts_before,
           figures->templates, figures->reply_size, share(figures->same_meaning, figures->replies),
           figures->rule_files, figures->codes, figures->code_keys);
    json_spread("lookup_ns", spread_copy(figures->lookup_ns, figures->rounds));
    printf(",");
    json_spread("asked_ns", spread_copy(figures->asked_ns, figures->rounds));
    printf(",");
    json_spread("array_ns", spread_copy(figures->array_ns, figures->rounds));
    printf("},\"sets\":[");
    for (size_t i = 0; i < figures->set_count; i++) {
        fputs(i == 0 ? "" : ",", stdout);
        json_set(figures, &figures->sets[i]);
    }
    printf("],\"goals\":{");
    goals_of(figures, goals);
    json_goals(goals);
    printf("}}\n");
}

void classify_report(const struct classify_figures *figures, bool is_json)
{
    (is_json ? report_json : report_text)(figures);
}

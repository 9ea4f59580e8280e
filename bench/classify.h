/* bench/classify.h - the figures of `suppressd-bench classify`, and how they are told.
 *
 * Times are of one thread, ns; one value a round.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLASSIFY_ROUNDS_MAX = 99, CLASSIFY_SETS_MAX = 8 };

/* What is timed, round by round. */
enum timed {
    TIMED_WHOLE, /* an event: reply taken apart, rules of words, codes; other replies were met */
    TIMED_REPLY, /* of that: reply taken apart */
    TIMED_SEEN,  /* of that: what patterns see of it */
    TIMED_WORDS, /* of that: rules of words, that included */
    TIMED_WHOLE_FIRST, /* an event; nothing was met before these replies */
    TIMED_WORDS_FIRST, /* of that: rules of words */
    TIMED_SCAN,        /* the engine, each text scanned */
    TIMED_ONE_BY_ONE,  /* PCRE2 in the place of TIMED_WORDS */
    TIMED_ALTERNATION, /* the same, as one alternation */
    TIMED_COUNT
};

/* One set of rules. */
struct classify_set {
    size_t patterns;
    size_t made;           /* of them */
    double pattern_size;   /* bytes, in the mean, of those given */
    double made_size;      /* of those made */
    size_t database_bytes; /* the engine's */
    double compile_ms;
    double found; /* patterns found in a reply, in the mean */
    double ns[TIMED_COUNT][CLASSIFY_ROUNDS_MAX];
    uint64_t allocations; /* during all rounds of TIMED_WHOLE and TIMED_WHOLE_FIRST */
    size_t scanned; /* of the replies of a round of TIMED_WORDS: their texts were not remembered */
    size_t scanned_first; /* of TIMED_WORDS_FIRST */
    size_t same_unhidden; /* replies that have the same rule where only their recipient is hidden */
    size_t same_unhidden_templates;
    size_t agreed; /* replies for which PCRE2 one by one names the same rule */
    size_t alternation_agreed;
    size_t alternations; /* into how many the library's limits made us cut the one */
    size_t given_up;     /* matches that PCRE2 gave up */
};

struct classify_figures {
    int rounds;
    bool has_pcre;
    char pcre_version[32];
    char engine[96]; /* Vectorscan's version and instruction set */
    uint64_t seed;
    size_t replies;
    size_t before;       /* other replies, met before them */
    size_t texts;        /* different ones that patterns see of the replies */
    size_t texts_before; /* of those before and the replies */
    size_t templates;
    size_t same_meaning; /* replies that mean what their template means */
    double reply_size;   /* bytes, in the mean */
    size_t rule_files;
    size_t codes;
    size_t code_keys;
    double lookup_ns[CLASSIFY_ROUNDS_MAX]; /* one look-up of the table */
    double
        asked_ns[CLASSIFY_ROUNDS_MAX]; /* as a reply asks it: x.y.z with reply code, without, x.y */
    double array_ns[CLASSIFY_ROUNDS_MAX]; /* an array indexed by the same keys */
    struct classify_set sets[CLASSIFY_SETS_MAX];
    size_t set_count;
};

/* On standard output. */
void classify_report(const struct classify_figures *figures, bool is_json);

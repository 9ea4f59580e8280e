/* classify/nearest.c - see nearest.h.
 *
 *     postings   gram 'full' -> example 3, example 17, example 40 ...    sorted: a gram's stand together
 *
 * A text is compared with all examples at once: each of its grams adds to the examples that have it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/nearest.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "classify/mask.h"
#include "classify/reply.h"
#include "classify/unknown.h"

enum {
    GRAM_SIZE = 4,
    PLAIN_SIZE_MAX = UNKNOWN_TEXT_SIZE + 2, /* a space before and behind */
    VOTERS = 10,
    EXAMPLE_READ_MAX = 2048, /* as far as rules read */
};

struct posting {
    uint32_t gram; /* first: by_gram() sorts by it */
    uint32_t example;
};

struct example {
    const struct text_rule *rule;
    double norm;  /* the length of its vector */
    double alike; /* to the text that is looked for */
};

struct nearest {
    struct example *examples;
    size_t count;
    struct posting *postings;
    size_t posting_count;
};

/* The sequences of one text, each once. */
struct grams {
    uint32_t items[PLAIN_SIZE_MAX];
    size_t count;
};

/* --- grams --------------------------------------------------------------------------------------
 */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void put_word(struct writer *w, struct span word)
{
    for (size_t i = 0; i < word.size; i++) {
        const char c = word.data[i];
        put_u8(w, (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
    put_u8(w, ' ');
}

/* The words of a masked text, one space between them: marks and bare numbers are no words. */
static struct span plain_text(struct span text, char memory[PLAIN_SIZE_MAX])
{
    struct writer w = writer_init(memory, PLAIN_SIZE_MAX);
    put_u8(&w, ' ');
    for (size_t i = 0; i < text.size;) {
        size_t end = i;
        bool has_letter = false;
        const char *close = text.data[i] == '{' ? memchr(text.data + i, '}', text.size - i) : NULL;
        if (close != NULL) {
            i = (size_t)(close - text.data) + 1;
            continue;
        }
        for (; end < text.size && (is_letter(text.data[end]) || is_digit(text.data[end])); end++) {
            has_letter = has_letter || is_letter(text.data[end]);
        }
        if (has_letter) {
            put_word(&w, (struct span){text.data + i, end - i});
        }
        i = end > i ? end : i + 1;
    }
    return writer_span(&w);
}

static int by_gram(const void *left, const void *right)
{
    const uint32_t *a = left;
    const uint32_t *b = right;
    return (*a > *b) - (*a < *b);
}

static void grams_of(struct span masked, struct grams *out)
{
    char memory[PLAIN_SIZE_MAX];
    const struct span text = plain_text(masked, memory);
    size_t kept = 0;
    out->count = 0;
    for (size_t i = 0; i + GRAM_SIZE <= text.size; i++) {
        memcpy(&out->items[out->count++], text.data + i, GRAM_SIZE);
    }
    qsort(out->items, out->count, sizeof(out->items[0]), by_gram);
    for (size_t i = 0; i < out->count; i++) {
        if (kept == 0 || out->items[kept - 1] != out->items[i]) {
            out->items[kept++] = out->items[i];
        }
    }
    out->count = kept;
}

/* --- what a gram weighs -------------------------------------------------------------------------
 */

/* Those of one gram. */
struct postings {
    const struct posting *first;
    size_t count;
};

static struct postings find_postings(const struct nearest *nearest, uint32_t gram)
{
    size_t low = 0;
    size_t high = nearest->posting_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (nearest->postings[middle].gram < gram) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (high = low; high < nearest->posting_count && nearest->postings[high].gram == gram;) {
        high++;
    }
    return (struct postings){&nearest->postings[low], high - low};
}

/* The square: it is a factor of both sides. */
static double weight_of(const struct nearest *nearest, size_t examples)
{
    const double weight = log(((double)nearest->count + 1) / ((double)examples + 0.5));
    return weight * weight;
}

/* --- making -------------------------------------------------------------------------------------
 */

/* NULL of a rule that says that nobody can know: it is no help. */
static const struct yaml_node *first_example(const struct text_rule *rule)
{
    return category_class(rule->category) == CLASS_UNKNOWN
               ? NULL
               : yaml_find(rule->node, "examples")->first;
}

static size_t count_examples(const struct text_rules *rules)
{
    size_t count = 0;
    for (size_t i = 0; i < text_rules_count(rules); i++) {
        const struct yaml_node *v = first_example(text_rules_at(rules, i));
        for (; v != NULL; v = v->next) {
            count++;
        }
    }
    return count;
}

static void take_example(struct nearest *nearest, const struct text_rule *rule, struct span text)
{
    char memory[EXAMPLE_READ_MAX];
    char masked[UNKNOWN_TEXT_SIZE];
    struct grams grams;
    const struct reply reply = reply_parse(span_cut(text, sizeof(memory)), memory);
    const size_t size = mask_text(reply.text, SPAN_NONE, masked, sizeof(masked));
    grams_of((struct span){masked, size}, &grams);
    for (size_t i = 0; i < grams.count; i++) {
        nearest->postings[nearest->posting_count++] =
            (struct posting){grams.items[i], (uint32_t)nearest->count};
    }
    nearest->examples[nearest->count++].rule = rule;
}

static void take_examples(struct nearest *nearest, const struct text_rules *rules)
{
    for (size_t i = 0; i < text_rules_count(rules); i++) {
        const struct text_rule *rule = text_rules_at(rules, i);
        for (const struct yaml_node *v = first_example(rule); v != NULL; v = v->next) {
            take_example(nearest, rule, v->text);
        }
    }
}

static void measure_examples(struct nearest *nearest)
{
    qsort(nearest->postings, nearest->posting_count, sizeof(nearest->postings[0]), by_gram);
    for (size_t i = 0; i < nearest->posting_count;) {
        const struct postings same = find_postings(nearest, nearest->postings[i].gram);
        for (size_t j = 0; j < same.count; j++) {
            nearest->examples[same.first[j].example].norm += weight_of(nearest, same.count);
        }
        i += same.count;
    }
    for (size_t i = 0; i < nearest->count; i++) {
        nearest->examples[i].norm = sqrt(nearest->examples[i].norm);
    }
}

enum err nearest_create(const struct text_rules *rules, struct nearest **out)
{
    struct nearest *nearest = calloc(1, sizeof(*nearest));
    const size_t count = count_examples(rules);
    if (nearest == NULL) {
        return ERR_NO_MEMORY;
    }
    nearest->examples = calloc(count + 1, sizeof(nearest->examples[0]));
    nearest->postings = calloc(count * PLAIN_SIZE_MAX + 1, sizeof(nearest->postings[0]));
    if (nearest->examples == NULL || nearest->postings == NULL) {
        nearest_destroy(&nearest);
        return ERR_NO_MEMORY;
    }
    take_examples(nearest, rules);
    measure_examples(nearest);
    *out = nearest;
    return OK;
}

void nearest_destroy(struct nearest **nearest)
{
    if (*nearest != NULL) {
        free((*nearest)->examples);
        free((*nearest)->postings);
        free(*nearest);
    }
    *nearest = NULL;
}

/* --- finding ------------------------------------------------------------------------------------
 */

static void compare(struct nearest *nearest, struct span text)
{
    struct grams grams;
    double norm = 0;
    grams_of(text, &grams);
    for (size_t i = 0; i < nearest->count; i++) {
        nearest->examples[i].alike = 0;
    }
    for (size_t i = 0; i < grams.count; i++) {
        const struct postings same = find_postings(nearest, grams.items[i]);
        const double weight = weight_of(nearest, same.count);
        norm += weight;
        for (size_t j = 0; j < same.count; j++) {
            nearest->examples[same.first[j].example].alike += weight;
        }
    }
    for (size_t i = 0; i < nearest->count; i++) {
        struct example *example = &nearest->examples[i];
        example->alike = example->alike > 0 ? example->alike / (example->norm * sqrt(norm)) : 0;
    }
}

/* The most alike first; of equal ones the rule that is asked first. */
static size_t find_voters(const struct nearest *nearest, const struct example *out[VOTERS])
{
    size_t count = 0;
    for (size_t i = 0; i < nearest->count; i++) {
        const struct example *example = &nearest->examples[i];
        size_t at = count;
        while (at > 0 && out[at - 1]->alike < example->alike) {
            at--;
        }
        if (at == VOTERS) {
            continue;
        }
        count += count < VOTERS;
        memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof(const struct example *));
        out[at] = example;
    }
    return count;
}

struct proposal nearest_find(struct nearest *nearest, struct span text)
{
    const struct example *voters[VOTERS];
    double votes[CATEGORY_COUNT] = {0};
    struct proposal best = {0};
    compare(nearest, text);
    const size_t count = find_voters(nearest, voters);
    for (size_t i = 0; i < count; i++) {
        votes[voters[i]->rule->category] += voters[i]->alike / VOTERS;
    }
    for (size_t i = 0; i < count; i++) {
        const double support = votes[voters[i]->rule->category];
        if (support > best.support) {
            best = (struct proposal){voters[i]->rule, support};
        }
    }
    if (best.support >= NEAREST_SUPPORT_MIN) {
        return best;
    }
    return count > 0 && voters[0]->alike >= NEAREST_ALIKE_MIN
               ? (struct proposal){voters[0]->rule, votes[voters[0]->rule->category]}
               : (struct proposal){0};
}

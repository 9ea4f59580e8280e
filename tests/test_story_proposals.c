/* tests/test_story_proposals.c - how often the rule that a report calls near is right (nearest.h).
 *
 * The rules know nearly all replies that are labelled, so some are forgotten: each round leaves out three
 * rules in ten, by chance, and asks about all labelled replies. Of those that are unknown then, the
 * category that is proposed is held against the label. ROUNDS=8 test_story_proposals: more rounds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <glob.h>
#include <string.h>

#include "base/json.h"
#include "classify/mask.h"
#include "classify/nearest.h"
#include "classify/reply.h"
#include "classify/rules.h"
#include "classify/tally.h"
#include "tests/check.h"

enum { REPLIES_MAX = 8192, DEPTH_MAX = 8, FORGOTTEN_IN_10 = 3, ROUNDS = 2, FILES_MAX = 200 };

/* Of the proposals, which may be of thirty categories; over many rounds four or five in ten. */
static const double RIGHT_MIN = 0.3;
static const double PROPOSED_MIN = 0.1; /* of what is unknown */

struct labelled {
    struct event event;
    uint64_t accepted; /* 1 << category */
};

static struct {
    struct labelled replies[REPLIES_MAX];
    size_t reply_count;
    size_t unknown;
    size_t proposed;
    size_t right;
} t;

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return text;
}

/* --- the replies ----------------------------------------------------------------------------- */

static char *copy(struct span text)
{
    return text.data == NULL ? NULL : strndup(text.data, text.size);
}

static uint64_t accepted_by(const struct json_node *list)
{
    uint64_t accepted = 0;
    for (const struct json_node *v = json_first(list); v != json_end(list); v = json_next(v)) {
        enum category category;
        assert_true(category_find(v->text, &category));
        accepted |= UINT64_C(1) << category;
    }
    return accepted;
}

static void take_field(struct labelled *reply, const struct json_node *field)
{
    struct reply *said = &reply->event.reply;
    if (span_equal(field->key, SPAN("reply_code"))) {
        said->code = (uint16_t)field->integer;
    } else if (span_equal(field->key, SPAN("enhanced")) && field->kind == JSON_STRING) {
        (void)enhanced_parse(field->text, &said->enhanced);
    } else if (span_equal(field->key, SPAN("text"))) {
        said->text = span_of(copy(field->text));
    } else if (span_equal(field->key, SPAN("recipient_domain"))) {
        reply->event.mx = span_of(copy(field->text));
    } else if (span_equal(field->key, SPAN("accept"))) {
        reply->accepted = accepted_by(field);
    }
}

static void take_line(struct json_reader *reader, struct span line)
{
    struct labelled *reply = &t.replies[t.reply_count++];
    struct json_fault fault;
    struct span loaded;
    assert_true(t.reply_count < REPLIES_MAX);
    assert_int_equal(json_load(reader, line, &loaded), OK);
    const struct json_node *root = json_read(reader, loaded, &fault);
    assert_non_null(root);
    reply->event = event_init();
    for (const struct json_node *v = json_first(root); v != json_end(root); v = json_next(v)) {
        take_field(reply, v);
    }
    const struct reply *said = &reply->event.reply;
    const unsigned digit = said->code != 0 ? said->code / 100U : said->enhanced.class_;
    reply->event.kind = digit == 4 ? KIND_DEFERRED : KIND_BOUNCED;
    reply->event.recipient = SPAN("zoe@nowhere.example");
}

static void take_replies(const char *path)
{
    struct json_reader *reader;
    char *text = read_file(path);
    assert_int_equal(json_reader_create(DEPTH_MAX, &reader), OK);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        take_line(reader, span_of(line));
    }
    json_reader_destroy(&reader);
    free(text);
}

/* --- forgetting ------------------------------------------------------------------------------ */

static const char RULE[] = "\n  - id:";
static const char COUNTER[] = "\n    counter:";

static size_t size_until(const char *text, const char *next)
{
    const char *found = strstr(text, next);
    return found == NULL ? strlen(text) : (size_t)(found - text);
}

/* Without its counter-examples: the rule that had them may be forgotten. */
static void keep_rule(struct span rule, struct writer *out)
{
    const char *counter = memmem(rule.data, rule.size, COUNTER, sizeof(COUNTER) - 1);
    if (counter == NULL) {
        put_bytes(out, rule);
        return;
    }
    put_bytes(out, (struct span){rule.data, (size_t)(counter - rule.data)});
    const char *end = rule.data + rule.size;
    const char *rest = counter + 1;
    do { /* what is indented deeper is its list */
        const char *newline = memchr(rest, '\n', (size_t)(end - rest));
        rest = newline == NULL ? end : newline + 1;
    } while (rest < end && strncmp(rest, "      ", 6) == 0);
    if (rest < end) {
        put_bytes(out, SPAN("\n"));
        put_bytes(out, (struct span){rest, (size_t)(end - rest)});
    }
}

/* The text of a file without some of its rules; false: without all of them. */
static bool forget(struct chance *chance, const char *text, struct writer *out)
{
    const char *rule = text + size_until(text, RULE);
    bool has_rule = false;
    put_bytes(out, (struct span){text, (size_t)(rule - text)});
    while (*rule != '\0') {
        const size_t size = 1 + size_until(rule + 1, RULE);
        if (chance_below(chance, 10) >= FORGOTTEN_IN_10) {
            keep_rule((struct span){rule, size}, out);
            has_rule = true;
        }
        rule += size;
    }
    return has_rule;
}

static void take_files(struct chance *chance,
                       const char *pattern,
                       struct rule_file *files,
                       size_t *count)
{
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0) {
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = read_file(found.gl_pathv[i]);
        struct writer kept = writer_init(malloc(strlen(text) + 1), strlen(text) + 1);
        const bool is_codes = strstr(text, RULE) == NULL;
        assert_true(*count < FILES_MAX);
        if (is_codes || forget(chance, text, &kept)) {
            files[*count].is_shipped = true;
            assert_int_equal(yaml_parse(found.gl_pathv[i],
                                        is_codes ? span_of(text) : writer_span(&kept),
                                        &files[*count].yaml),
                             OK);
            (*count)++;
        }
        free(kept.data);
        free(text);
    }
    globfree(&found);
}

static struct ruleset *some_of_the_rules(struct chance *chance)
{
    struct rule_file files[FILES_MAX] = {{0}};
    struct ruleset *rules = NULL;
    size_t count = 0;
    take_files(chance, TESTS_DIRECTORY "/../classify/rules/*.yaml", files, &count);
    const enum err err = rules_read(files, count, SPAN_NONE, &rules);
    for (size_t i = 0; err != OK && i < count; i++) {
        assert_int_equal(yaml_report(files[i].yaml), OK);
    }
    assert_int_equal(err, OK);
    assert_true(text_rules_count(rules->text_rules) > 50);
    return rules;
}

/* --- asking ---------------------------------------------------------------------------------- */

static void ask(struct classifier *classifier,
                struct nearest *nearest,
                const struct labelled *reply)
{
    char masked[UNKNOWN_TEXT_SIZE];
    const struct unknown *unknown = classifier_tally(classifier)->by_provider;
    const uint64_t before = unknown_total(unknown);
    const struct event *event = &reply->event;
    const struct meaning meaning = classify(classifier, event);
    classifier_count(classifier, event, &meaning, 1);
    if (unknown_total(unknown) == before) {
        return;
    }
    const size_t size = mask_text(event->reply.text, event->recipient, masked, sizeof(masked));
    const struct proposal proposal = nearest_find(nearest, (struct span){masked, size});
    t.unknown++;
    if (proposal.rule != NULL) {
        t.proposed++;
        t.right += reply->accepted >> proposal.rule->category & 1;
    }
}

static void play_round(uint64_t seed)
{
    struct chance chance = {seed * UINT64_C(0x9e3779b97f4a7c15) +
                            1}; /* the same rounds each time */
    struct ruleset *rules = some_of_the_rules(&chance);
    struct classifier *classifier;
    struct nearest *nearest;
    assert_int_equal(classifier_create(rules, &classifier), OK);
    assert_int_equal(nearest_create(rules->text_rules, &nearest), OK);
    for (size_t i = 0; i < t.reply_count; i++) {
        ask(classifier, nearest, &t.replies[i]);
    }
    nearest_destroy(&nearest);
    classifier_destroy(&classifier);
    ruleset_destroy(&rules);
}

static void a_proposal_is_right_far_more_often_than_by_chance(void **state)
{
    (void)state;
    const char *given = getenv("ROUNDS");
    const uint64_t rounds = given == NULL ? ROUNDS : strtoull(given, NULL, 10);
    take_replies(TESTS_DIRECTORY "/data/replies/replies-own.jsonl");
    take_replies(TESTS_DIRECTORY "/data/replies/replies-dev.jsonl");
    take_replies(TESTS_DIRECTORY "/data/replies/replies-traps.jsonl");
    for (uint64_t i = 0; i < rounds; i++) {
        play_round(i + 1);
    }
    printf("%zu replies unknown to some of the rules: %zu proposals, %zu of them right (%.0f %%)\n",
           t.unknown, t.proposed, t.right, 100.0 * (double)t.right / (double)(t.proposed + 1));
    assert_true((double)t.proposed > PROPOSED_MIN * (double)t.unknown);
    assert_true((double)t.right > RIGHT_MIN * (double)t.proposed);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < t.reply_count; i++) {
        free((void *)(uintptr_t)t.replies[i].event.reply.text.data);
        free((void *)(uintptr_t)t.replies[i].event.mx.data);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proposal_is_right_far_more_often_than_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}

/* consumer/cmd/inspect.c - `classify`: what replies mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "classify/classify.h"
#include "classify/event_json.h"
#include "classify/explain.h"
#include "consumer/cmd/cmd.h"

enum {
    MEANING_LINE_SIZE = 64 * 1024,
    DEPTH_MAX = 8,
};

/* The rules in force with these options. */
static enum err create_rules(const struct options *options, struct ruleset **out)
{
    struct config *config;
    enum err err = load_config(options, true, &config);
    if (err == OK) {
        err = ruleset_create(config->rule_files, config->rule_file_count, out);
        config_destroy(&config);
    }
    return err;
}

/* --- classify ------------------------------------------------------------------------------- */

static void print_meaning(struct span id, uint64_t line, const struct meaning *meaning)
{
    char text[MEANING_LINE_SIZE];
    struct writer w = writer_init(text, sizeof(text));
    struct json_writer json = json_writer_init(&w);
    char number[24];
    if (id.data == NULL) {
        const int size = snprintf(number, sizeof(number), "%" PRIu64, line);
        id = (struct span){number, (size_t)size};
    }
    json_begin_object(&json);
    json_member_string(&json, "id", span_cut(id, 1024));
    json_member_string(&json, "category", span_of(category_name(meaning->category)));
    json_member_string(&json, "class", span_of(class_name(meaning->class_)));
    json_member_string(&json, "rule", span_of(meaning->rule));
    json_member_string(&json, "by", span_of(found_by_name(meaning->by)));
    json_end_object(&json);
    CHECK(!w.overflowed);
    printf("%.*s\n", (int)w.size, w.data);
}

static void print_place(const struct rule_place *place, const char *rule, enum category category)
{
    printf("%s (%s:%" PRIu32 "): %s", rule, place->file, place->line, category_name(category));
}

/* `native_class` is anybody's: as a string of JSON. */
static void print_hint(struct span native_class, const struct explanation *explanation)
{
    static const char *const USES[] = {
        [HINT_NOT_ASKED] = "; not asked",
        [HINT_REFUSED] = "; not taken: a deferral does not count because of a hint",
        [HINT_TAKEN] = "",
    };
    char text[512];
    struct writer w = writer_init(text, sizeof(text));
    struct json_writer json = json_writer_init(&w);
    json_string(&json, span_cut(native_class, 64));
    if (explanation->hint == CATEGORY_NONE) {
        printf("  hint of the upstream: %.*s: nothing\n", (int)w.size, w.data);
    } else {
        printf("  hint of the upstream: %.*s: %s%s\n", (int)w.size, w.data,
               category_name(explanation->hint), USES[explanation->hint_use]);
    }
}

/* Indented, below the line of JSON: who won, who else knew the words, what the codes say. */
static void print_explanation(struct span native_class, const struct explanation *explanation)
{
    const bool is_won =
        explanation->candidate_count > 0 &&
        (explanation->meaning.by == FOUND_BY_TEXT || explanation->meaning.by == FOUND_BY_PROVIDER);
    if (explanation->is_by_event) {
        printf("  no rule was asked: the event's own kind, origin or category says it\n");
        return;
    }
    for (size_t i = 0; i < explanation->candidate_count; i++) {
        const struct text_candidate *candidate = &explanation->candidates[i];
        const bool has_won = candidate->verdict == TEXT_WON;
        printf(has_won ? "  won: " : "  lost: ");
        print_place(&candidate->rule->place, candidate->rule->id, candidate->rule->category);
        printf("%s%s\n", has_won ? "" : "; ", text_verdict_words(candidate->verdict));
    }
    if (!is_won) {
        printf("  no rule of words holds\n");
    }
    printf("  codes: ");
    if (explanation->has_code) {
        print_place(&explanation->code.place, explanation->code.rule, explanation->code.category);
        printf("%s\n", is_won ? "; not asked" : "");
    } else {
        printf("nothing\n");
    }
    if (native_class.size > 0) {
        print_hint(native_class, explanation);
    }
}

struct classify_run {
    struct ruleset *rules;
    struct classifier *classifier;
    struct json_reader *reader;
    uint64_t line;
    uint64_t faults;
    bool explains;
};

static void classify_line(struct classify_run *run, struct span line, char *memory)
{
    struct reply_line reply;
    const char *fault = NULL;
    if (line.data[0] == '{') {
        fault = reply_line_parse(run->reader, line, memory, &reply);
    } else {
        reply_line_from_text(line, memory, &reply);
    }
    if (fault != NULL) {
        run->faults++;
        fprintf(stderr, "suppressd classify: line %" PRIu64 ": %s\n", run->line, fault);
        return;
    }
    const struct meaning meaning = classify(run->classifier, &reply.event);
    print_meaning(reply.id, run->line, &meaning);
    if (run->explains) {
        struct explanation explanation;
        classify_explain(run->classifier, &reply.event, &explanation);
        print_explanation(reply.event.native_class, &explanation);
    }
}

static enum err classify_stdin(struct classify_run *run)
{
    char *text = NULL;
    char *memory = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&text, &capacity, stdin)) >= 0) {
        run->line++;
        const struct span line = span_trim((struct span){text, (size_t)size});
        if (line.size == 0) {
            continue;
        }
        char *grown = realloc(memory, capacity + 1);
        if (grown == NULL) {
            break;
        }
        memory = grown;
        classify_line(run, line, memory);
        fflush(stdout);
    }
    free(text);
    free(memory);
    return ferror(stdin) ? ERR_IO : OK;
}

static int run_classify(const struct command *command, int argc, char **argv)
{
    const char *explains = NULL;
    const struct option_spec specs[] = {{0, "explain", false, &explains}};
    struct options options;
    struct classify_run run = {0};
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, specs, 1, &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    run.explains = explains != NULL;
    enum err err = create_rules(&options, &run.rules);
    options_free(&options);
    if (err == OK) {
        err = classifier_create(run.rules, &run.classifier);
    }
    if (err == OK) {
        err = json_reader_create(DEPTH_MAX, &run.reader);
    }
    if (err == OK) {
        err = classify_stdin(&run);
    }
    if (run.reader != NULL) {
        json_reader_destroy(&run.reader);
    }
    classifier_destroy(&run.classifier);
    ruleset_destroy(&run.rules);
    if (err != OK) {
        return exit_code_of(err);
    }
    return run.faults > 0 || ferror(stdout) ? EXIT_FAILED : EXIT_OK;
}

const struct command COMMAND_CLASSIFY = {
    .name = "classify",
    .summary = "print what replies mean, and by which rule",
    .usage = "classify [--explain] [-c FILE] [--set KEY=VALUE]... < REPLIES",
    .help =
        "Reads one reply a line from standard input, plain (550 5.1.1 User unknown) or as JSON:\n\n"
        "  {\"id\":\"a\",\"reply_code\":550,\"enhanced\":\"5.1.1\",\"text\":\"User unknown\",\n"
        "   "
        "\"recipient_domain\":\"example.com\",\"kind\":\"bounced\",\"native_class\":\"bad-"
        "mailbox\"}\n\n"
        "and prints for each {\"id\",\"category\",\"class\",\"rule\",\"by\"}. Without an id it is "
        "the line's\n"
        "number; without a kind, 5xx is bounced and 4xx deferred; stage, if known, is what the "
        "server\n"
        "answered (mail_from). by is what found it: provider, text, enhanced, code, none.\n\n"
        "      --explain         below each line, indented: the rule that won with its file and "
        "line,\n"
        "                        the others that know the words and why they lost, what the codes "
        "say,\n"
        "                        what the upstream's own class hints at\n"
        "  -c, --config FILE     configuration, for rules.files\n"
        "      --set KEY=VALUE   overrides a key: rules.files=mine.yaml\n\n"
        "Example: echo '452 4.2.2 Mailbox full' | suppressd classify\n",
    .run = run_classify,
};

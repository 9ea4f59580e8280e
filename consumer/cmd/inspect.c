/* consumer/cmd/inspect.c - what was understood: `decode` prints the events of files, `classify`
 * what replies mean.
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
#include "consumer/cmd/source_file.h"
#include "consumer/worker.h"

enum {
    EVENT_LINE_SIZE = 64 * 1024 * 1024, /* an escaped record of the largest size */
    MEANING_LINE_SIZE = 64 * 1024,
    DEPTH_MAX = 8,
};

/* A configuration changes nothing in what is decoded, but one that is wrong is said all the same. */
static enum err check_config(const struct options *options)
{
    struct config *config;
    const enum err err = load_config(options, true, &config);
    if (err == OK) {
        config_destroy(&config);
    }
    return err;
}

/* --- decode --------------------------------------------------------------------------------- */

struct decode_run {
    const char *path;
    uint64_t first_line;
    char *line;
    uint64_t faults;
};

static void print_event(void *context, const struct decode_part *part, const struct event *event)
{
    struct decode_run *run = context;
    struct writer w = writer_init(run->line, EVENT_LINE_SIZE);
    struct json_writer json = json_writer_init(&w);
    event_write(&json, (uint32_t)(run->first_line + part->index - 1), event);
    put_u8(&w, '\n');
    CHECK(!w.overflowed);
    fwrite(w.data, 1, w.size, stdout);
}

static void print_fault(void *context, const struct decode_fault *fault)
{
    struct decode_run *run = context;
    run->faults++;
    fprintf(stderr, "%s:%" PRIu64 ": not understood: %s (column %" PRIu64 ")\n", run->path,
            run->first_line + fault->part_index - 1, fault->reason, fault->column);
}

static enum err decode_file(struct decode_run *run,
                            struct decoder *decoder,
                            const struct format *format)
{
    const struct decode_sink sink = {.context = run, .event = print_event, .fault = print_fault};
    struct source_file *file;
    struct span piece;
    enum err err = source_file_open(run->path, format, &file);
    if (err != OK) {
        return err;
    }
    while ((err = source_file_next(file, &piece, &run->first_line)) == OK || err == ERR_FULL) {
        if (err == ERR_FULL) {
            run->faults++; /* said */
            continue;
        }
        const struct decode_source source = {
            .format = format, .now_ms = wall_ms(), .continues = run->first_line > 1};
        decode(decoder, &source, piece, &sink);
        fflush(stdout);
    }
    source_file_close(&file);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err decode_files(const struct format *format, char **paths, int count, uint64_t *faults)
{
    struct decode_run run = {.line = malloc(EVENT_LINE_SIZE)};
    struct decoder *decoder;
    if (run.line == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = decoder_create(&decoder);
    if (err != OK) {
        free(run.line);
        return err;
    }
    for (int i = 0; err == OK && i < count; i++) {
        run.path = paths[i];
        err = decode_file(&run, decoder, format);
    }
    *faults = run.faults;
    decoder_destroy(&decoder);
    free(run.line);
    return err;
}

static int run_decode(const struct command *command, int argc, char **argv)
{
    const char *name = NULL;
    const struct option_spec specs[] = {{'f', "format", true, &name}};
    struct options options;
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, specs, 1, &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    const enum err checked = check_config(&options);
    options_free(&options);
    if (checked != OK) {
        return exit_code_of(checked);
    }
    if (first == argc) {
        fprintf(stderr, "suppressd decode: which file? (- for standard input)\n");
        return EXIT_USAGE;
    }
    const struct format *format = find_format(name, "auto");
    if (format == NULL) {
        return EXIT_USAGE;
    }
    uint64_t faults = 0;
    const enum err err = decode_files(format, argv + first, argc - first, &faults);
    if (err != OK) {
        return exit_code_of(err);
    }
    return faults > 0 || ferror(stdout) ? EXIT_FAILED : EXIT_OK;
}

const struct command COMMAND_DECODE = {
    .name = "decode",
    .summary = "print what is understood of the records of files",
    .usage = "decode [-f FORMAT] FILE...",
    .help =
        "Prints one JSON object per event and line: the record that it stands in (line, or "
        "element\n"
        "of an array), and what was understood. What was not is said on standard error with file,\n"
        "line and place.\n\n"
        "  -f, --format FORMAT   how the files are written: auto (default), kumomta, powermta,\n"
        "                        postfix, exim, sparkpost, momentum, ses, sendgrid, mailgun, "
        "halon,\n"
        "                        arf, dsn, native\n\n"
        "Exit code: 0, or 1 if something was not understood.\n",
    .takes_files = true,
    .run = run_decode,
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

/* Indented, below the line of JSON: who won, who else knew the words, what the codes say. */
static void print_explanation(const struct explanation *explanation)
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
        print_explanation(&explanation);
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
        "   \"recipient_domain\":\"example.com\",\"kind\":\"bounced\"}\n\n"
        "and prints for each {\"id\",\"category\",\"class\",\"rule\",\"by\"}. Without an id it is "
        "the line's\n"
        "number; without a kind, 5xx is bounced and 4xx deferred. by is what found it: provider, "
        "text,\n"
        "enhanced, code, none.\n\n"
        "      --explain         below each line, indented: the rule that won with its file and "
        "line,\n"
        "                        the others that know the words and why they lost, what the codes "
        "say\n"
        "  -c, --config FILE     configuration, for rules.files\n"
        "      --set KEY=VALUE   overrides a key: rules.files=mine.yaml\n\n"
        "Example: echo '452 4.2.2 Mailbox full' | suppressd classify\n",
    .run = run_classify,
};

/* consumer/cmd/options.c - options that every command knows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer/cmd/cmd.h"
#include "consumer/worker.h"

enum { OPTIONS_MAX = 16, OPTION_SET = 256, OPTION_OWN = 512 };

static void print_help(const struct command *command, FILE *out)
{
    fprintf(out, "Usage: suppressd %s\n\n%s", command->usage, command->help);
}

int parse_exit_code(enum parse_result result)
{
    return result == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
}

static void add_assignment(struct options *options, const char *assignment)
{
    const size_t size = (options->assignment_count + 1) * sizeof(options->assignments[0]);
    options->assignments = realloc(options->assignments, size);
    CHECK(options->assignments != NULL);
    options->assignments[options->assignment_count++] = assignment;
}

void options_free(struct options *options)
{
    free(options->assignments);
    *options = (struct options){0};
}

/* getopt's two tables from ours. */
static void build_tables(const struct option_spec *own,
                         size_t own_count,
                         char *letters,
                         struct option *longs)
{
    size_t letter_count = strlen(letters);
    size_t n = 0;
    CHECK(own_count + 4 <= OPTIONS_MAX);
    longs[n++] = (struct option){"config", required_argument, NULL, 'c'};
    longs[n++] = (struct option){"set", required_argument, NULL, OPTION_SET};
    longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
    for (size_t i = 0; i < own_count; i++) {
        const int argument = own[i].has_value ? required_argument : no_argument;
        longs[n++] = (struct option){own[i].name, argument, NULL, OPTION_OWN + (int)i};
        if (own[i].letter != 0) {
            letters[letter_count++] = own[i].letter;
            if (own[i].has_value) {
                letters[letter_count++] = ':';
            }
        }
    }
    letters[letter_count] = '\0';
    longs[n] = (struct option){0};
}

static bool take_own(const struct option_spec *own, size_t own_count, int option)
{
    for (size_t i = 0; i < own_count; i++) {
        if (option == OPTION_OWN + (int)i || (own[i].letter != 0 && option == own[i].letter)) {
            *own[i].value = own[i].has_value ? optarg : "";
            return true;
        }
    }
    return false;
}

enum parse_result parse_options(const struct command *command,
                                int argc,
                                char **argv,
                                const struct option_spec *own,
                                size_t own_count,
                                struct options *options,
                                int *first)
{
    char letters[3 * OPTIONS_MAX] = "c:h";
    struct option longs[OPTIONS_MAX + 1];
    build_tables(own, own_count, letters, longs);
    *options = (struct options){0};
    optind = 1;
    int option;
    /* one thread, at the start */
    while ((option = getopt_long(argc, argv, letters, longs, NULL)) !=
           -1) { // NOLINT(concurrency-mt-unsafe)
        if (option == 'h') {
            print_help(command, stdout);
            return PARSE_HELP;
        }
        if (option == 'c' && options->config_file != NULL) {
            fprintf(stderr, "suppressd %s: -c once only: %s or %s?\n", command->name,
                    options->config_file, optarg);
            return PARSE_BAD;
        }
        if (option == 'c') {
            options->config_file = optarg;
        } else if (option == OPTION_SET) {
            add_assignment(options, optarg);
        } else if (!take_own(own, own_count, option)) {
            fprintf(stderr, "Try: suppressd %s --help\n", command->name);
            return PARSE_BAD;
        }
    }
    if (optind < argc && !command->takes_files) {
        fprintf(stderr, "suppressd %s: what is %s for? Try: suppressd %s --help\n", command->name,
                argv[optind], command->name);
        return PARSE_BAD;
    }
    *first = optind;
    return PARSE_OK;
}

enum err load_config(const struct options *options, bool without_kafka, struct config **out)
{
    const struct config_sources sources = {
        .file = options->config_file,
        .environment = (const char *const *)environ,
        .assignments = options->assignments,
        .assignment_count = options->assignment_count,
        .without_kafka = without_kafka,
    };
    const enum err err = config_create(sources, out);
    if (err == OK) {
        log_set_level((*out)->log_level);
    }
    return err;
}

/* NULL after saying which formats there are. */
static const struct format *find_format(const char *name)
{
    const struct format *format = format_find(span_of(name));
    if (format != NULL) {
        return format;
    }
    fprintf(stderr, "suppressd: no such format: %s. There are:", name);
    for (size_t i = 0; format_at(i) != NULL; i++) {
        fprintf(stderr, " %s", format_name(format_at(i)));
    }
    fprintf(stderr, "\n");
    return NULL;
}

/* NULL after saying which topics there are. */
static const struct config_input *find_input(const struct config *config, const char *topic)
{
    for (size_t i = 0; i < config->input_count; i++) {
        if (strcmp(config->inputs[i].topic, topic) == 0) {
            return &config->inputs[i];
        }
    }
    fprintf(stderr, "suppressd: no such topic in the configuration: %s. Below input there %s",
            topic, config->input_count == 0 ? "is none (-c FILE?)" : "are:");
    for (size_t i = 0; i < config->input_count; i++) {
        fprintf(stderr, " %s", config->inputs[i].topic);
    }
    fprintf(stderr, "\n");
    return NULL;
}

bool find_source(const struct config *config,
                 const char *topic,
                 const char *format,
                 struct intake_source *out)
{
    static const struct config_input NO_INPUT = {0};
    if (topic != NULL && format != NULL) {
        fprintf(stderr, "suppressd: --topic has a format of its own: without -f, please\n");
        return false;
    }
    const struct config_input *input = topic == NULL ? &NO_INPUT : find_input(config, topic);
    if (input == NULL) {
        return false;
    }
    *out = (struct intake_source){
        .format = topic == NULL ? find_format(format == NULL ? "auto" : format) : input->format,
        .commands = true, /* whoever gives a file means what it says */
        .now_ms = wall_ms(),
        .tenant = span_of(input->tenant),
        .campaign = span_of(input->campaign),
        .sender_template = span_of(input->sender),
        .headings = span_of(input->columns),
        .names = input->names,
    };
    return out->format != NULL;
}

int exit_code_of(enum err err)
{
    switch (err) {
    case OK:
        return EXIT_OK;
    case ERR_BAD_CONFIG:
    case ERR_REFUSED:
    case ERR_NOT_FOUND:
    case ERR_BAD_FORMAT:
    case ERR_BAD_VERSION:
        return EXIT_CONFIG;
    case ERR_IO:
        return EXIT_NO_INPUT;
    case ERR_TIMEOUT:
        return EXIT_UNAVAILABLE;
    case ERR_NO_MEMORY:
    case ERR_FULL:
        break;
    }
    return EXIT_SOFTWARE;
}

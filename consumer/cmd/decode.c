/* consumer/cmd/decode.c - `decode`: what is understood of the records of files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>

#include "classify/event_json.h"
#include "consumer/cmd/cmd.h"
#include "consumer/cmd/source_file.h"
#include "consumer/worker.h"

enum { EVENT_LINE_SIZE = 64 * 1024 * 1024 /* an escaped record of the largest size */ };

struct decode_run {
    struct intake_source source;
    bool prefer_final;
    const char *path;
    uint64_t first_line;
    char *line;
    uint64_t faults;
};

static void print_event(void *context, const struct decode_part *part, const struct event *decoded)
{
    struct decode_run *run = context;
    const struct event event = intake_named(&run->source, decoded);
    struct writer w = writer_init(run->line, EVENT_LINE_SIZE);
    struct json_writer json = json_writer_init(&w);
    event_write(&json, (uint32_t)(run->first_line + part->index - 1), &event);
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

static enum err decode_file(struct decode_run *run, struct decoder *decoder)
{
    const struct decode_sink sink = {.context = run, .event = print_event, .fault = print_fault};
    struct source_file *file;
    struct span piece;
    enum err err = source_file_open(run->path, run->source.format, &file);
    if (err != OK) {
        return err;
    }
    while ((err = source_file_next(file, &piece, &run->first_line)) == OK || err == ERR_FULL) {
        if (err == ERR_FULL) {
            run->faults++; /* said */
            continue;
        }
        const struct decode_source source = {.format = run->source.format,
                                             .names = run->source.names,
                                             .headings = run->source.headings,
                                             .now_ms = run->source.now_ms,
                                             .continues = run->first_line > 1,
                                             .prefer_final = run->prefer_final};
        decode(decoder, &source, piece, &sink);
        fflush(stdout);
    }
    source_file_close(&file);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err decode_files(struct decode_run *run, char **paths, int count)
{
    struct decoder *decoder;
    run->line = malloc(EVENT_LINE_SIZE);
    if (run->line == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = decoder_create(&decoder);
    if (err != OK) {
        free(run->line);
        return err;
    }
    for (int i = 0; err == OK && i < count; i++) {
        run->path = paths[i];
        err = decode_file(run, decoder);
    }
    decoder_destroy(&decoder);
    free(run->line);
    return err;
}

struct decode_options {
    const char *format;
    const char *topic;
};

static int run_with(const struct config *config,
                    const struct decode_options *own,
                    char **paths,
                    int count)
{
    struct decode_run run = {.prefer_final = !config->identity_prefer_original};
    if (!find_source(config, own->topic, own->format, &run.source)) {
        return EXIT_USAGE;
    }
    const enum err err = decode_files(&run, paths, count);
    if (err != OK) {
        return exit_code_of(err);
    }
    return run.faults > 0 || ferror(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct decode_options own = {0};
    const struct option_spec specs[] = {{'f', "format", true, &own.format},
                                        {0, "topic", true, &own.topic}};
    struct options options;
    struct config *config;
    int first;
    const enum parse_result parsed = parse_options(
        command, argc, argv, specs, sizeof(specs) / sizeof(specs[0]), &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    const enum err err = load_config(&options, true, &config);
    options_free(&options);
    if (err != OK) {
        return exit_code_of(err);
    }
    int code = EXIT_USAGE;
    if (first == argc) {
        fprintf(stderr, "suppressd decode: which file? (- for standard input)\n");
    } else {
        code = run_with(config, &own, argv + first, argc - first);
    }
    config_destroy(&config);
    return code;
}

const struct command COMMAND_DECODE = {
    .name = "decode",
    .summary = "print what is understood of the records of files",
    .usage = "decode [-f FORMAT | --topic TOPIC] [-c FILE] [--set KEY=VALUE]... FILE...",
    .help =
        "Prints one JSON object per event and line: the record that it stands in (line, or "
        "element\n"
        "of an array), and what was understood. What was not is said on standard error with file,\n"
        "line and place.\n\n"
        "  -f, --format FORMAT   how the files are written: auto (default), kumomta, powermta,\n"
        "                        postfix, exim, sparkpost, momentum, ses, sendgrid, mailgun, "
        "halon,\n"
        "                        arf, dsn, native\n"
        "      --topic TOPIC     instead: as the configuration says of this input topic, with all "
        "that\n"
        "                        it says of tenant and campaign\n"
        "  -c, --config FILE     configuration, for input and identity\n"
        "      --set KEY=VALUE   overrides a key: input.mail.tenant_from=X-Customer\n\n"
        "Exit code: 0, or 1 if something was not understood.\n\n"
        "Example: suppressd decode -c suppressd.yaml --topic mail.events bounces.ndjson\n",
    .takes_files = true,
    .run = run,
};

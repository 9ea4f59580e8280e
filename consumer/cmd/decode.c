/* consumer/cmd/decode.c - `decode`: what is understood of the records of files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "classify/event_json.h"
#include "consumer/cmd/cmd.h"
#include "consumer/cmd/decode_table.h"
#include "consumer/cmd/source_file.h"
#include "consumer/worker.h"

enum {
    EVENT_LINE_SIZE = 64 * 1024 * 1024, /* an escaped record of the largest size */
    WIDTH_OF_NO_TERMINAL = 80,
};

struct decode_run {
    struct intake_source source;
    bool prefer_final;
    const char *path;
    uint64_t first_line;
    char *line;
    struct decode_table *table; /* NULL: JSON */
    bool tells_stage;
    uint64_t faults;
};

static void print_json(struct decode_run *run, uint64_t record, const struct event *event)
{
    struct writer w = writer_init(run->line, EVENT_LINE_SIZE);
    struct json_writer json = json_writer_init(&w);
    struct event told = *event;
    told.reply.stage = run->tells_stage ? told.reply.stage : STAGE_NONE;
    event_write(&json, (uint32_t)record, &told);
    put_u8(&w, '\n');
    CHECK(!w.overflowed);
    fwrite(w.data, 1, w.size, stdout);
}

static void on_event(void *context, const struct decode_part *part, const struct event *decoded)
{
    struct decode_run *run = context;
    const struct event event = intake_named(&run->source, decoded);
    const uint64_t record = run->first_line + part->index - 1;
    if (run->table != NULL) {
        decode_table_event(run->table, record, &event);
    } else {
        print_json(run, record, &event);
    }
}

static void on_fault(void *context, const struct decode_fault *fault)
{
    struct decode_run *run = context;
    const uint64_t record = run->first_line + fault->part_index - 1;
    run->faults++;
    if (run->table != NULL) {
        decode_table_fault(run->table, record, fault->column, fault->reason);
    } else {
        fprintf(stderr, "%s:%" PRIu64 ": not understood: %s (column %" PRIu64 ")\n", run->path,
                record, fault->reason, fault->column);
    }
}

/* It was said already. */
static void count_too_long(struct decode_run *run)
{
    run->faults++;
    if (run->table != NULL) {
        decode_table_fault(run->table, 0, 0, "longer than a record may be");
    }
}

static void flush(struct decode_run *run)
{
    if (run->table != NULL) {
        decode_table_flush(run->table);
    }
    fflush(stdout);
}

static enum err decode_file(struct decode_run *run, struct decoder *decoder)
{
    const struct decode_sink sink = {.context = run, .event = on_event, .fault = on_fault};
    struct source_file *file;
    struct span piece;
    enum err err = source_file_open(run->path, run->source.format, &file);
    if (err != OK) {
        return err;
    }
    while ((err = source_file_next(file, &piece, &run->first_line)) == OK || err == ERR_FULL) {
        if (err == ERR_FULL) {
            count_too_long(run);
            continue;
        }
        const struct decode_source source = {.format = run->source.format,
                                             .names = run->source.names,
                                             .headings = run->source.headings,
                                             .now_ms = run->source.now_ms,
                                             .continues = run->first_line > 1,
                                             .prefer_final = run->prefer_final};
        decode(decoder, &source, piece, &sink);
        flush(run);
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
        if (run->table != NULL && count > 1) {
            decode_table_file(run->table, strcmp(paths[i], "-") == 0 ? "standard input" : paths[i]);
        }
        err = decode_file(run, decoder);
    }
    if (run->table != NULL && err == OK) {
        decode_table_end(run->table);
    }
    decoder_destroy(&decoder);
    free(run->line);
    return err;
}

struct decode_options {
    const char *format;
    const char *topic;
    const char *table;
    const char *stage;
};

static size_t width_of_output(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                           : WIDTH_OF_NO_TERMINAL;
}

static int run_with(const struct config *config,
                    const struct decode_options *own,
                    char **paths,
                    int count)
{
    struct decode_run run = {.prefer_final = !config->identity_prefer_original,
                             .tells_stage = own->stage != NULL};
    if (!find_source(config, own->topic, own->format, &run.source)) {
        return EXIT_USAGE;
    }
    enum err err =
        own->table == NULL ? OK : decode_table_create(stdout, width_of_output(), &run.table);
    if (err == OK) {
        err = decode_files(&run, paths, count);
    }
    decode_table_destroy(&run.table);
    if (err != OK) {
        return exit_code_of(err);
    }
    return run.faults > 0 || ferror(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct decode_options own = {0};
    const struct option_spec specs[] = {{'f', "format", true, &own.format},
                                        {0, "topic", true, &own.topic},
                                        {0, "table", false, &own.table},
                                        {0, "stage", false, &own.stage}};
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
    .usage = "decode [-f FORMAT | --topic TOPIC] [--table | --stage] [-c FILE] [--set "
             "KEY=VALUE]... FILE...",
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
        "      --stage           JSON that also has the command which the server answered\n"
        "  -c, --config FILE     configuration, for input and identity\n"
        "      --set KEY=VALUE   overrides a key: input.mail.tenant_from=X-Customer\n\n"
        "Exit code: 0, or 1 if something was not understood.\n\n"
        "Example: suppressd decode --table -c suppressd.yaml --topic mail.events bounces.ndjson\n",
    .takes_files = true,
    .run = run,
};

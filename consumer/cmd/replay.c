/* consumer/cmd/replay.c - the same stages with no Kafka: files in, decisions out.
 *
 *     file -> intake -> shards -> one JSON object per decision and line
 *                   \-> what the rules did (--unknown, --hits): no decisions then
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer/cmd/cmd.h"
#include "consumer/cmd/source_file.h"
#include "consumer/rule_report.h"
#include "consumer/secret_file.h"
#include "consumer/setup.h"
#include "consumer/worker.h"
#include "state/shard.h"

enum {
    SHARDS_MAX = 1024,
    REPLAY_READER = 0, /* of the rules: nobody else is there */
    LINE_SIZE_MAX = 8 * 1024,
    LETTERS_SHOWN_MAX = 20,
    PROGRESS_INTERVAL_MS = 200,
    PROGRESS_WIDTH = 40,
};

struct replay {
    const char *path;
    uint64_t first_line; /* of the piece */
    struct setup *setup;
    struct classifier *classifier;
    struct intake *intake;
    struct shard **shards;
    struct decision_sink sink;
    int64_t newest_ms;
    uint64_t decisions;
    uint64_t letters;
    uint64_t too_long;
    enum err failed;
    bool decides; /* else only what the rules did is asked for */
    bool shows_progress;
    int64_t progress_due_ms;
};

static void on_decided(void *context,
                       const struct record *record,
                       const struct decision *decision,
                       const struct observation *observation)
{
    struct replay *replay = context;
    char line[LINE_SIZE_MAX];
    struct writer w = writer_init(line, sizeof(line) - 1);
    (void)observation;
    publication_write_line(&w, record, decision);
    CHECK(!w.overflowed);
    line[w.size++] = '\n';
    fwrite(line, 1, w.size, stdout);
    replay->decisions++;
}

static void on_observed(void *context, uint32_t shard, const struct observation *observation)
{
    struct replay *replay = context;
    if (!replay->decides) {
        return;
    }
    const enum err err = shard_apply(replay->shards[shard], observation, &replay->sink);
    if (err != OK && replay->failed == OK) {
        fprintf(stderr, "suppressd: no memory for more recipients\n");
        replay->failed = err;
    }
}

static void on_dead(void *context, const struct dead_letter *letter)
{
    struct replay *replay = context;
    replay->letters++;
    if (replay->letters <= LETTERS_SHOWN_MAX) {
        fprintf(stderr, "%s:%" PRIu64 ": not taken: %s\n", replay->path,
                replay->first_line + letter->part_index - 1, letter->reason);
    } else if (replay->letters == LETTERS_SHOWN_MAX + 1) {
        fprintf(stderr, "(more were not taken; they are counted at the end)\n");
    }
}

static void on_seen(void *context, int64_t ts_ms)
{
    struct replay *replay = context;
    if (ts_ms > replay->newest_ms) {
        replay->newest_ms = ts_ms;
    }
}

/* What was applied is never taken back here: the undo lists stay short. */
static void settle(struct replay *replay)
{
    for (uint32_t i = 0; i < replay->setup->process.shard_count; i++) {
        shard_commit(replay->shards[i], 0);
    }
}

static void show_progress(struct replay *replay, const struct source_file *file, bool at_end)
{
    const int64_t now_ms = mono_ms();
    const uint64_t size = source_file_size(file);
    if (!replay->shows_progress || size == 0 || (!at_end && now_ms < replay->progress_due_ms)) {
        return;
    }
    replay->progress_due_ms = now_ms + PROGRESS_INTERVAL_MS;
    const uint64_t read = source_file_read(file);
    const int filled = (int)(read * PROGRESS_WIDTH / size);
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%  %" PRIu64 " events, %" PRIu64 " decisions%s",
            replay->path, filled, "########################################",
            PROGRESS_WIDTH - filled, "", (int)(read * 100 / size),
            intake_counts(replay->intake)->events, replay->decisions, at_end ? "\n" : "");
}

static enum err replay_file(struct replay *replay,
                            struct intake_source source,
                            struct source_file *file)
{
    const struct intake_sink sink = {
        .context = replay, .observed = on_observed, .dead = on_dead, .seen = on_seen};
    struct span piece;
    enum err err;
    while ((err = source_file_next(file, &piece, &replay->first_line)) == OK || err == ERR_FULL) {
        if (err == ERR_FULL) {
            replay->too_long++; /* said */
            continue;
        }
        source.continues = replay->first_line > 1;
        intake_record(replay->intake, &source, piece, &sink);
        if (replay->failed != OK) {
            return replay->failed;
        }
        settle(replay);
        fflush(stdout);
        show_progress(replay, file, false);
    }
    show_progress(replay, file, true);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err replay_files(struct replay *replay,
                             const struct intake_source *source,
                             char **paths,
                             int count)
{
    for (int i = 0; i < count; i++) {
        struct source_file *file;
        enum err err = source_file_open(paths[i], source->format, &file);
        if (err != OK) {
            return err;
        }
        replay->path = paths[i];
        err = replay_file(replay, *source, file);
        source_file_close(&file);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err end(struct replay *replay, int64_t until_ms)
{
    const int64_t now_ms = until_ms > replay->newest_ms ? until_ms : replay->newest_ms;
    for (uint32_t i = 0; i < replay->setup->process.shard_count; i++) {
        const enum err err = shard_end(replay->shards[i], now_ms, &replay->sink);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static void print_summary(const struct replay *replay)
{
    const struct intake_counts *counts = intake_counts(replay->intake);
    fprintf(stderr,
            "%" PRIu64 " events: %" PRIu64 " for a recipient's record, %" PRIu64
            " left to the MTA, %" PRIu64 " ignored, %" PRIu64 " not taken",
            counts->events, counts->routed, counts->harmless, counts->ignored,
            counts->refused + counts->malformed + replay->too_long);
    if (replay->decides) {
        fprintf(stderr, "; %" PRIu64 " decisions", replay->decisions);
    }
    fprintf(stderr, "\n");
}

static enum err create(struct replay *replay, const struct config *config, uint32_t shard_count)
{
    enum err err = setup_create(config, &replay->setup);
    if (err != OK) {
        return err;
    }
    struct setup *setup = replay->setup;
    secret_fixed(&setup->secret);
    setup->budget.limit = 0; /* a laptop's memory is the limit */
    setup->process.shard_count = shard_count;
    replay->classifier = published_hold(setup->rules, REPLAY_READER);
    const struct intake_config intake = {
        .classifier = replay->classifier,
        .policies = setup->policies,
        .secret = &setup->secret,
        .shard_count = shard_count,
        .address = setup->process.address,
        .prefer_final = setup->process.prefer_final,
        .wish_needs_tenant = setup->process.wish_needs_tenant,
    };
    err = intake_create(&intake, &replay->intake);
    replay->shards = calloc(shard_count, sizeof(struct shard *));
    CHECK(replay->shards != NULL);
    const struct shard_world world = {.policies = setup->policies,
                                      .budget = &setup->budget,
                                      .secret_check = setup->secret.check,
                                      .shard_count = shard_count};
    for (uint32_t i = 0; err == OK && i < shard_count; i++) {
        err = shard_create(&world, &replay->shards[i]);
    }
    replay->sink = (struct decision_sink){.context = replay, .decided = on_decided};
    replay->shows_progress = isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) == 0;
    return err;
}

static void destroy(struct replay *replay)
{
    if (replay->shards != NULL) {
        for (uint32_t i = 0; i < replay->setup->process.shard_count; i++) {
            shard_destroy(&replay->shards[i]);
        }
        free(replay->shards);
    }
    intake_destroy(&replay->intake);
    if (replay->setup != NULL) {
        published_let_go(replay->setup->rules, REPLAY_READER);
    }
    setup_destroy(&replay->setup);
}

struct replay_options {
    const char *format;
    const char *topic;
    const char *shards;
    const char *until;
    const char *unknown;
    const char *hits;
    const char *json;
    uint64_t shard_count;
    int64_t until_ms;
};

static bool check_options(struct replay_options *own, int operands)
{
    uint64_t until_ms = 0;
    own->shard_count = 1;
    if (operands == 0) {
        fprintf(stderr, "suppressd replay: which file? (- for standard input)\n");
        return false;
    }
    if (own->json != NULL && own->unknown == NULL && own->hits == NULL) {
        fprintf(stderr, "suppressd replay: --json goes with --unknown or --hits; decisions are "
                        "JSON anyway\n");
        return false;
    }
    if (own->shards != NULL && (!span_to_u64(span_of(own->shards), &own->shard_count) ||
                                own->shard_count < 1 || own->shard_count > SHARDS_MAX)) {
        fprintf(stderr, "suppressd replay: --shards takes a number from 1 to %d, not %s\n",
                SHARDS_MAX, own->shards);
        return false;
    }
    if (own->until != NULL &&
        (!span_to_u64(span_of(own->until), &until_ms) || until_ms > (uint64_t)TIME_MS_MAX)) {
        fprintf(stderr, "suppressd replay: --until takes milliseconds since 1970, not %s\n",
                own->until);
        return false;
    }
    own->until_ms = (int64_t)until_ms;
    return true;
}

static enum err print_report(const struct replay *replay, const struct replay_options *own)
{
    const struct tally *tally = classifier_tally(replay->classifier);
    struct rule_report *report;
    const enum err err = rule_report_create(published_ruleset(replay->setup->rules), &tally, 1,
                                            (struct rule_report_about){.worker_count = 1}, &report);
    if (err != OK) {
        return err;
    }
    if (own->unknown != NULL && own->json != NULL) {
        rule_report_print_unknown_json(report, stdout);
    } else if (own->unknown != NULL) {
        rule_report_print_unknown(report, stdout);
    }
    if (own->hits != NULL && own->json != NULL) {
        rule_report_print_hits_json(report, stdout);
    } else if (own->hits != NULL) {
        printf("%s", own->unknown != NULL ? "\n" : "");
        rule_report_print_hits(report, stdout);
    }
    rule_report_destroy(&report);
    return OK;
}

static int run_replay(const struct config *config,
                      const struct replay_options *own,
                      char **paths,
                      int count)
{
    struct replay replay = {.decides = own->unknown == NULL && own->hits == NULL};
    struct intake_source source;
    if (!find_source(config, own->topic, own->format, &source)) {
        return EXIT_USAGE;
    }
    enum err err = create(&replay, config, (uint32_t)own->shard_count);
    if (err == OK) {
        err = replay_files(&replay, &source, paths, count);
    }
    if (err == OK) {
        err = replay.decides ? end(&replay, own->until_ms) : print_report(&replay, own);
    }
    if (err == OK) {
        fflush(stdout);
        print_summary(&replay);
    }
    const bool took_nothing =
        replay.intake != NULL && intake_counts(replay.intake)->events == 0 && replay.letters > 0;
    destroy(&replay);
    if (err == OK && (took_nothing || ferror(stdout))) {
        return EXIT_FAILED;
    }
    return exit_code_of(err);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct replay_options own = {0};
    const struct option_spec specs[] = {
        {'f', "format", true, &own.format},  {0, "topic", true, &own.topic},
        {0, "shards", true, &own.shards},    {0, "until", true, &own.until},
        {0, "unknown", false, &own.unknown}, {0, "hits", false, &own.hits},
        {0, "json", false, &own.json},
    };
    struct options options;
    struct config *config;
    int first;
    const enum parse_result parsed = parse_options(
        command, argc, argv, specs, sizeof(specs) / sizeof(specs[0]), &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    int code = EXIT_USAGE;
    if (check_options(&own, argc - first)) {
        const enum err err = load_config(&options, true, &config);
        code = exit_code_of(err);
        if (err == OK) {
            code = run_replay(config, &own, argv + first, argc - first);
            config_destroy(&config);
        }
    }
    options_free(&options);
    return code;
}

const struct command COMMAND_REPLAY = {
    .name = "replay",
    .summary = "decide on the events of files, without Kafka",
    .usage = "replay [-f FORMAT | --topic TOPIC] [--shards N] [--until MS] [--unknown] [--hits] "
             "[--json] [-c FILE]\n"
             "       [--set KEY=VALUE]... FILE...",
    .help =
        "Runs the events of files (- for standard input) through the same stages as the daemon "
        "and\n"
        "prints each decision as one JSON object a line, in order per key:\n\n"
        "  "
        "{\"action\":\"suppress\",\"key\":\"ana@example.com\",\"rule\":\"hard\",\"category\":"
        "\"invalid_recipient\",\n"
        "   \"expires_ms\":null,\"seq\":1795255212346,\"ts_ms\":1795255212346}\n\n"
        "expires_ms is null for good; a release's rule says why. At the end what has lapsed by "
        "the\n"
        "newest event (or --until, if later) is released. What could not be taken is said on\n"
        "standard error with file, line and reason.\n\n"
        "  -f, --format FORMAT   how the files are written: auto (default), kumomta, powermta,\n"
        "                        postfix, exim, sparkpost, momentum, ses, sendgrid, mailgun, "
        "halon,\n"
        "                        arf, dsn, native\n"
        "      --topic TOPIC     instead: as the configuration says of this input topic\n"
        "      --shards N        as many shards; the decisions are the same (default 1)\n"
        "      --until MS        the input ends then, in ms since 1970 (default: its newest "
        "event)\n"
        "      --unknown         instead of decisions: the replies that no rule knew, of all and "
        "by\n"
        "                        provider, with counts, addresses and ids masked, and a rule that "
        "is "
        "near\n"
        "      --hits            instead of decisions: how often each rule won\n"
        "      --json            of these two one JSON object a line, for a program\n"
        "  -c, --config FILE     configuration, for policy, identity, input and rules.files\n"
        "      --set KEY=VALUE   overrides a key: policy.preset=careful, "
        "policy.mailbox_scope=tenant,\n"
        "                        policy.tenants.NAME=PRESET\n\n"
        "Exit code: 0, also if some records were not taken; 1 if none could be read: the "
        "format?\n\n"
        "Example: zstdcat /var/log/kumomta/* | suppressd replay -f kumomta - > decisions.ndjson\n",
    .takes_files = true,
    .run = run,
};

/* bench/pipeline.c - the whole way of an event on a real broker, against what the client library
 * alone can do there.
 *
 *     one topic of N events
 *       |-- bare   counted by a bare consumer                    } in turn, round after round;
 *       |-- run    `suppressd run`, both roles, to the end       } each a process of its own
 *       `-- plain  the same without transactions                 }
 *     an empty topic
 *       `-- latency   events at a fixed rate, a follower waits for their decisions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/bench.h"
#include "bench/report.h"
#include "consumer/kafka/feed.h"

enum {
    DAYS_OF_EVENTS = 6,
    FLUSH_TIMEOUT_MS = 60000,
    DRAIN_TIMEOUT_MS = 600000,
    COUNT_TIMEOUT_MS = 300000,
    WARM_UP_SECONDS = 3,
    LINE_SIZE = 256,
};

struct settings {
    const char *brokers;
    const char *program;
    const char *parts;
    int64_t events;
    int64_t partitions;
    int64_t shards;
    int64_t rounds;
    int64_t latency_seconds;
    int64_t low_rate;
    int64_t high_rate;
    bool is_full;
    bool is_json;
    bool keeps;
    struct bench_list set;
};

struct pipeline {
    const struct settings *settings;
    struct site site;
    struct mail mail;
    char directory[PATH_MAX];
    char program[PATH_MAX];
    char bench[PATH_MAX];
    char id[40]; /* begins every name in Kafka */
    char input[64];
    int subjects;
    struct results results;
};

static bool has_part(const struct settings *settings, const char *part)
{
    return strstr(settings->parts, part) != NULL;
}

static void say(const struct pipeline *pipeline, const char *what, int round)
{
    if (!pipeline->settings->is_json) {
        fprintf(stderr, "round %d of %" PRId64 ": %s\n", round + 1, pipeline->settings->rounds,
                what);
    }
}

/* --- the topic */

static enum err fill_topic(struct pipeline *pipeline)
{
    const struct io_property properties[] = {{"bootstrap.servers", pipeline->site.brokers},
                                             {"linger.ms", "20"},
                                             {"batch.num.messages", "10000"}};
    struct feeder *feeder;
    char memory[MAIL_SIZE_MAX];
    enum err err = cluster_create_topic(pipeline->site.cluster, pipeline->input,
                                        (int)pipeline->settings->partitions);
    if (err == OK) {
        err = feeder_open(properties, sizeof(properties) / sizeof(properties[0]), &feeder);
    }
    if (err != OK) {
        return err;
    }
    for (uint64_t i = 0; err == OK && i < pipeline->mail.events; i++) {
        const struct span record = mail_event(&pipeline->mail, i, memory);
        pipeline->results.bytes += (int64_t)record.size;
        err = feeder_send(feeder, pipeline->input, SPAN_NONE, record);
    }
    if (err == OK) {
        err = feeder_flush(feeder, FLUSH_TIMEOUT_MS);
    }
    feeder_close(&feeder);
    return err;
}

/* --- the parts */

/* The bare consumer's last line of output. */
static enum err read_count(const struct pipeline *pipeline, const char *log, struct sample *out)
{
    char line[LINE_SIZE];
    int64_t records = 0;
    int64_t bytes = 0;
    int64_t elapsed_ns = 0;
    FILE *file = fopen(log, "r");
    if (file == NULL) {
        return ERR_IO;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "records=%" SCNd64 " bytes=%" SCNd64 " elapsed_ns=%" SCNd64, &records,
                     &bytes, &elapsed_ns); // NOLINT(cert-err34-c): a line of our own
    }
    fclose(file);
    if (records != pipeline->settings->events || elapsed_ns <= 0) {
        fprintf(stderr, "suppressd-bench: the bare consumer counted %" PRId64 " events: %s\n",
                records, log);
        return ERR_IO;
    }
    out->rate = (double)records * 1e9 / (double)elapsed_ns;
    return OK;
}

static enum err measure_bare(struct pipeline *pipeline, struct sample *out)
{
    char log[PATH_MAX + 32];
    struct process_usage usage;
    const char *argv[] = {pipeline->bench, "count",         "--brokers", pipeline->site.brokers,
                          "--topic",       pipeline->input, NULL};
    snprintf(log, sizeof(log), "%s/bare.log", pipeline->directory);
    enum err err = process_run(argv, log, COUNT_TIMEOUT_MS, &usage);
    if (err == OK) {
        err = read_count(pipeline, log, out);
    }
    out->cpu_ns = (double)usage.cpu_ns / (double)pipeline->settings->events;
    out->rss_bytes = (double)usage.max_rss_bytes;
    return err;
}

static enum err create_subject(struct pipeline *pipeline, const char *input, struct subject *out)
{
    char name[64];
    snprintf(name, sizeof(name), "%s-app%d", pipeline->id, pipeline->subjects++);
    return subject_create(&pipeline->site, name, input, out);
}

static enum err measure_drain(struct pipeline *pipeline, bool is_plain, struct sample *out)
{
    struct subject subject;
    enum err err = create_subject(pipeline, pipeline->input, &subject);
    if (err == OK) {
        err = subject_start(&subject, is_plain);
    }
    if (err == OK) {
        err = subject_drain(&subject, DRAIN_TIMEOUT_MS);
    }
    if (err == OK) {
        err = subject_stop(&subject);
    }
    subject_destroy(&subject);
    *out = (struct sample){
        .rate = (double)subject.work_done * 1e9 / (double)subject.work_ns,
        .cpu_ns = (double)subject.usage.cpu_ns / (double)pipeline->settings->events,
        .rss_bytes = (double)subject.usage.max_rss_bytes,
    };
    return err;
}

static enum err measure_part(struct pipeline *pipeline, enum part part, struct sample *out)
{
    switch (part) {
    case PART_BARE:
        return measure_bare(pipeline, out);
    case PART_RUN:
        return measure_drain(pipeline, false, out);
    case PART_PLAIN:
        return measure_drain(pipeline, true, out);
    case PART_COUNT:
        break;
    }
    CHECK(!"a part without a measurement");
    return ERR_IO;
}

/* Each round begins with another part, so that none is always the first after a pause. */
static enum err measure_rounds(struct pipeline *pipeline)
{
    static const char *const NAMES[PART_COUNT] = {"bare", "run", "plain"};
    struct results *results = &pipeline->results;
    enum err err = OK;
    for (int round = 0; err == OK && round < results->rounds; round++) {
        for (int i = 0; err == OK && i < PART_COUNT; i++) {
            const int part = (round + i) % PART_COUNT;
            if (has_part(pipeline->settings, NAMES[part])) {
                say(pipeline, NAMES[part], round);
                results->has[part] = true;
                err = measure_part(pipeline, (enum part)part, &results->samples[part][round]);
            }
        }
    }
    return err;
}

static enum err measure_latency(struct pipeline *pipeline, int64_t rate)
{
    struct results *results = &pipeline->results;
    const struct latency_plan plan = {.rate = rate,
                                      .seconds = pipeline->settings->latency_seconds,
                                      .warm_up_seconds = WARM_UP_SECONDS,
                                      .mail = &pipeline->mail};
    char input[96];
    struct subject subject;
    snprintf(input, sizeof(input), "%s-latency%zu", pipeline->id, results->latency_count);
    enum err err =
        cluster_create_topic(pipeline->site.cluster, input, (int)pipeline->settings->partitions);
    if (err != OK) {
        return err;
    }
    err = create_subject(pipeline, input, &subject);
    if (err == OK) {
        err = subject_start(&subject, false);
    }
    if (err == OK) {
        err = latency_measure(&subject, &plan, &results->latencies[results->latency_count]);
    }
    if (err == OK) {
        results->latency_count++;
        err = subject_stop(&subject);
    }
    subject_destroy(&subject);
    cluster_delete_topic(pipeline->site.cluster, input);
    return err;
}

static enum err measure_latencies(struct pipeline *pipeline)
{
    const struct settings *settings = pipeline->settings;
    const double load = results_rate(&pipeline->results, PART_RUN);
    const int64_t high = settings->high_rate > 0 ? settings->high_rate : (int64_t)(load / 2);
    enum err err = measure_latency(pipeline, settings->low_rate);
    if (err == OK && high > 0) {
        err = measure_latency(pipeline, high);
    }
    return err;
}

/* --- the run */

static enum err find_programs(struct pipeline *pipeline)
{
    const ssize_t size = readlink("/proc/self/exe", pipeline->bench, sizeof(pipeline->bench) - 1);
    CHECK(size > 0);
    pipeline->bench[size] = '\0';
    if (pipeline->settings->program != NULL) {
        snprintf(pipeline->program, sizeof(pipeline->program), "%s", pipeline->settings->program);
    } else {
        const int folder = (int)(strrchr(pipeline->bench, '/') - pipeline->bench);
        snprintf(pipeline->program, sizeof(pipeline->program), "%.*s/suppressd", folder,
                 pipeline->bench);
    }
    if (access(pipeline->program, X_OK) != 0) {
        fprintf(stderr, "suppressd-bench: %s cannot be run; say --program FILE\n",
                pipeline->program);
        return ERR_NOT_FOUND;
    }
    return OK;
}

static enum err make_directory(struct pipeline *pipeline)
{
    const char *parent = getenv("TMPDIR");
    snprintf(pipeline->directory, sizeof(pipeline->directory), "%s/suppressd-bench-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    if (mkdtemp(pipeline->directory) == NULL) {
        fprintf(stderr, "suppressd-bench: %s cannot be made\n", pipeline->directory);
        return ERR_IO;
    }
    snprintf(pipeline->id, sizeof(pipeline->id), "bench%s", strrchr(pipeline->directory, '-'));
    snprintf(pipeline->input, sizeof(pipeline->input), "%s-input", pipeline->id);
    return OK;
}

static void remove_directory(const struct pipeline *pipeline)
{
    const char *argv[] = {"/bin/rm", "-rf", pipeline->directory, NULL};
    struct process_usage usage;
    if (process_run(argv, "/dev/null", COUNT_TIMEOUT_MS, &usage) != OK) {
        fprintf(stderr, "suppressd-bench: %s stays\n", pipeline->directory);
    }
}

static void prepare(struct pipeline *pipeline, const struct settings *settings)
{
    const int64_t span_ms = DAYS_OF_EVENTS * DAY_MS;
    *pipeline = (struct pipeline){
        .settings = settings,
        .site = {.brokers = settings->brokers,
                 .shards = (int)settings->shards,
                 .input_partitions = (int)settings->partitions,
                 .settings = &settings->set},
        .mail = {.events = (uint64_t)settings->events,
                 .recipients = (uint64_t)settings->events / 5 + 1,
                 .first_ms = bench_wall_ms() - span_ms - 3600000,
                 .span_ms = span_ms,
                 .is_full = settings->is_full},
        .results = {.events = settings->events,
                    .partitions = settings->partitions,
                    .recipients = settings->events / 5,
                    .rounds = (int)settings->rounds,
                    .is_full = settings->is_full},
    };
    pipeline->site.program = pipeline->program;
    pipeline->site.bench = pipeline->bench;
    pipeline->site.directory = pipeline->directory;
}

static enum err measure(struct pipeline *pipeline)
{
    enum err err = cluster_open(pipeline->site.brokers, &pipeline->site.cluster);
    if (err != OK) {
        return err;
    }
    if (pipeline->results.rounds > 0) {
        err = fill_topic(pipeline);
    }
    if (err == OK) {
        err = measure_rounds(pipeline);
    }
    if (err == OK && has_part(pipeline->settings, "latency")) {
        err = measure_latencies(pipeline);
    }
    cluster_delete_topic(pipeline->site.cluster, pipeline->input);
    cluster_close(&pipeline->site.cluster);
    return err;
}

static int run_pipeline(const struct settings *settings)
{
    static struct pipeline pipeline;
    prepare(&pipeline, settings);
    enum err err = find_programs(&pipeline);
    if (err == OK) {
        err = make_directory(&pipeline);
    }
    if (err != OK) {
        return BENCH_FAILED;
    }
    err = measure(&pipeline);
    if (err != OK || settings->keeps) {
        fprintf(stderr, "suppressd-bench: logs and configurations are in %s\n", pipeline.directory);
    } else {
        remove_directory(&pipeline);
    }
    if (err != OK) {
        return BENCH_FAILED;
    }
    (settings->is_json ? report_json : report_text)(&pipeline.results, stdout);
    return BENCH_OK;
}

static int run(const struct bench_command *command, int argc, char **argv)
{
    struct settings s = {
        .brokers = getenv("KAFKA_BOOTSTRAP"),
        .parts = "bare,run,plain,latency",
        .events = 2000000,
        .partitions = 8,
        .shards = 8,
        .rounds = 3,
        .latency_seconds = 20,
        .low_rate = 2000,
    };
    const struct bench_option options[] = {
        {"brokers", "HOST:PORT of Kafka; without it KAFKA_BOOTSTRAP says", .text = &s.brokers},
        {"events", "in the topic that is drained", .number = &s.events, .least = 1000},
        {"partitions", "of that topic", .number = &s.partitions, .least = 1},
        {"shards", "of suppressd", .number = &s.shards, .least = 1},
        {"full", "records as KumoMTA logs them (1.1 KB), not compact ones (420 B)",
         .flag = &s.is_full},
        {"rounds", "of each part; the median counts", .number = &s.rounds, .least = 0},
        {"parts", "what to measure", .text = &s.parts},
        {"latency-seconds", "at each rate", .number = &s.latency_seconds, .least = 1},
        {"low-rate", "events a second", .number = &s.low_rate, .least = 1},
        {"high-rate", "events a second; 0: half of what `run` has reached", .number = &s.high_rate,
         .least = 0},
        {"program", "suppressd; without it the one beside suppressd-bench", .text = &s.program},
        {"set", "KEY=VALUE for suppressd, again and again", .list = &s.set},
        {"keep", "logs and configurations stay", .flag = &s.keeps},
        {"json", "everything, for programs", .flag = &s.is_json},
    };
    int exit_code;
    if (!bench_options(command, options, sizeof(options) / sizeof(options[0]), argc, argv,
                       &exit_code)) {
        return exit_code;
    }
    if (s.brokers == NULL || s.rounds > ROUNDS_MAX || s.partitions > CLUSTER_PARTITIONS_MAX ||
        s.shards > CLUSTER_PARTITIONS_MAX) {
        fprintf(stderr, "suppressd-bench: %s; try: suppressd-bench pipeline --help\n",
                s.brokers == NULL ? "which Kafka? Say --brokers HOST:PORT"
                                  : "at most 99 rounds and 256 partitions");
        return BENCH_USAGE;
    }
    return run_pipeline(&s);
}

const struct bench_command BENCH_PIPELINE = {
    .name = "pipeline",
    .summary = "the whole way of an event on a real Kafka, in ratios to a bare consumer",
    .help =
        "Writes a topic of mail events and measures in turn, each as a process of its own:\n\n"
        "  bare     a consumer of the client library that only counts them\n"
        "  run      `suppressd run` with both roles, from the first event to the last decision\n"
        "  plain    the same without transactions, to see what exactly once costs\n"
        "  latency  from an event to its decision, at a low rate and at half of the full load\n\n"
        "Its topics in Kafka begin with bench- and are deleted at the end. A Kafka for the\n"
        "moment, on this machine (needs Java and Maven; fetched once):\n\n"
        "  tests/kafka/broker.py --exec build/release/suppressd-bench pipeline\n\n"
        "Measure a release build on a machine that does nothing else.\n",
    .run = run,
};

/* bench/subject.c - see subject.h.
 *
 * Progress is asked of Kafka, not of the process: what its groups have committed. The rate is taken
 * from the first commit that is seen, because a start takes about a second whatever the number of
 * events.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/subject.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    ASK_INTERVAL_MS = 20,
    COMMAND_TIMEOUT_MS = 60000,
    STOP_TIMEOUT_MS = 30000,
    ARGUMENTS_MAX = 8 + 2 * BENCH_LIST_MAX,
};

static enum err write_config(const struct subject *subject)
{
    const struct site *site = subject->site;
    FILE *file = fopen(subject->config, "w");
    if (file == NULL) {
        fprintf(stderr, "suppressd-bench: %s cannot be written\n", subject->config);
        return ERR_IO;
    }
    fprintf(file,
            "application_id: %s\n"
            "instance_id: bench\n"
            "kafka: {bootstrap.servers: \"%s\"}\n"
            "input: {%s: {format: kumomta}}\n"
            "topics: {partitions: %d, suppressions: %s-suppressions}\n"
            "state: {directory: %s/%s-state, secret_file: %s/secret}\n",
            subject->name, site->brokers, subject->input, site->shards, subject->name,
            site->directory, subject->name, site->directory);
    return fclose(file) == 0 ? OK : ERR_IO;
}

static enum err see_log(const struct subject *subject, enum err err)
{
    if (err != OK) {
        fprintf(stderr, "suppressd-bench: what it said is in %s\n", subject->log);
    }
    return err;
}

static void build_command(const struct subject *subject,
                          const char *program,
                          const char *const *words,
                          const char **argv)
{
    size_t n = 0;
    argv[n++] = program;
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[n++] = words[i];
    }
    argv[n++] = "--config";
    argv[n++] = subject->config;
    for (size_t i = 0; i < subject->site->settings->count; i++) {
        argv[n++] = "--set";
        argv[n++] = subject->site->settings->items[i];
    }
    argv[n] = NULL;
    CHECK(n < ARGUMENTS_MAX);
}

enum err subject_create(const struct site *site,
                        const char *name,
                        const char *input,
                        struct subject *out)
{
    *out = (struct subject){.site = site};
    snprintf(out->name, sizeof(out->name), "%s", name);
    snprintf(out->input, sizeof(out->input), "%s", input);
    snprintf(out->decisions, sizeof(out->decisions), "%s-decisions", name);
    snprintf(out->config, sizeof(out->config), "%s/%s.yaml", site->directory, name);
    snprintf(out->log, sizeof(out->log), "%s/%s.log", site->directory, name);
    const enum err err = write_config(out);
    if (err != OK) {
        return err;
    }
    const char *argv[ARGUMENTS_MAX];
    build_command(out, site->program, (const char *[]){"topics", "--create", NULL}, argv);
    return see_log(out, process_run(argv, out->log, COMMAND_TIMEOUT_MS, &out->usage));
}

enum err subject_start(struct subject *subject, bool is_plain)
{
    const struct site *site = subject->site;
    const char *argv[ARGUMENTS_MAX];
    subject->is_plain = is_plain;
    subject->start_ns = bench_mono_ns();
    build_command(subject, is_plain ? site->bench : site->program,
                  (const char *[]){is_plain ? "plain" : "run", NULL}, argv);
    return process_start(argv, subject->log, &subject->pid);
}

/* --- drain */

static int64_t sum(const int64_t *offsets, int count)
{
    int64_t total = 0;
    for (int i = 0; i < count; i++) {
        total += offsets[i];
    }
    return total;
}

/* `behind`: records behind the last block of a partition: the one that ends its transaction. */
static bool has_taken(const int64_t *committed, const int64_t *ends, int count, int behind)
{
    for (int i = 0; i < count; i++) {
        if (committed[i] < ends[i] - behind) {
            return false;
        }
    }
    return true;
}

struct drain {
    struct progress *intake;
    struct progress *shard;
    int64_t first_ns;
    int64_t first_done;
};

static enum err is_drained(const struct subject *subject, struct drain *drain, bool *yes)
{
    int64_t committed[CLUSTER_PARTITIONS_MAX];
    int64_t ends[CLUSTER_PARTITIONS_MAX];
    const int inputs = subject->site->input_partitions;
    *yes = false;
    enum err err = progress_committed(drain->intake, committed);
    if (err != OK) {
        return err;
    }
    const int64_t done = sum(committed, inputs);
    if (drain->first_ns == 0 && done > 0) {
        drain->first_ns = bench_mono_ns();
        drain->first_done = done;
    }
    err = progress_ends(drain->intake, ends);
    if (err != OK || done < sum(ends, inputs)) {
        return err;
    }
    err = progress_committed(drain->shard, committed);
    if (err == OK) {
        err = progress_ends(drain->shard, ends);
    }
    *yes =
        err == OK && has_taken(committed, ends, subject->site->shards, subject->is_plain ? 0 : 1);
    return err;
}

static enum err wait_drained(struct subject *subject, struct drain *drain, int timeout_ms)
{
    const int64_t deadline_ns = bench_mono_ns() + (int64_t)timeout_ms * 1000000;
    bool yes = false;
    for (;;) {
        const enum err err = is_drained(subject, drain, &yes);
        if (err != OK || yes) {
            return err;
        }
        if (!process_is_running(subject->pid) || bench_mono_ns() > deadline_ns) {
            fprintf(stderr, "suppressd-bench: %s has not decided everything\n", subject->name);
            return ERR_TIMEOUT;
        }
        bench_sleep_ms(ASK_INTERVAL_MS);
    }
}

/* If nearly all was in the first commit, the rate is that of the whole life. */
static enum err note_work(struct subject *subject, const struct drain *drain, int64_t now_ns)
{
    int64_t ends[CLUSTER_PARTITIONS_MAX];
    const enum err err = progress_ends(drain->intake, ends);
    if (err != OK) {
        return err;
    }
    const int64_t events = sum(ends, subject->site->input_partitions);
    const bool is_short = drain->first_done > events / 2;
    subject->work_ns = now_ns - (is_short ? subject->start_ns : drain->first_ns);
    subject->work_done = events - (is_short ? 0 : drain->first_done);
    return OK;
}

enum err subject_drain(struct subject *subject, int timeout_ms)
{
    const struct site *site = subject->site;
    struct drain drain = {0};
    char group[SUBJECT_NAME_SIZE + 16];
    char events[SUBJECT_NAME_SIZE + 16];
    snprintf(group, sizeof(group), "%s-intake", subject->name);
    snprintf(events, sizeof(events), "%s-events", subject->name);
    enum err err =
        progress_open(site->brokers, group, subject->input, site->input_partitions, &drain.intake);
    if (err == OK) {
        err = progress_open(site->brokers, subject->name, events, site->shards, &drain.shard);
    }
    if (err == OK) {
        err = wait_drained(subject, &drain, timeout_ms);
    }
    if (err == OK) {
        err = note_work(subject, &drain, bench_mono_ns());
    }
    progress_close(&drain.intake);
    progress_close(&drain.shard);
    return see_log(subject, err);
}

enum err subject_stop(struct subject *subject)
{
    const enum err err = process_end(subject->pid, SIGTERM, STOP_TIMEOUT_MS, &subject->usage);
    subject->pid = 0;
    return see_log(subject, err);
}

void subject_destroy(struct subject *subject)
{
    static const char *const TOPICS[] = {"events", "changelog", "suppressions", "decisions",
                                         "dead-letters"};
    if (subject->pid != 0) {
        process_kill(subject->pid);
        subject->pid = 0;
    }
    for (size_t i = 0; i < sizeof(TOPICS) / sizeof(TOPICS[0]); i++) {
        char topic[SUBJECT_NAME_SIZE + 16];
        snprintf(topic, sizeof(topic), "%s-%s", subject->name, TOPICS[i]);
        cluster_delete_topic(subject->site->cluster, topic);
    }
}

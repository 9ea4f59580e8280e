/* consumer/daemon.c - see daemon.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/daemon.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/group_watch.h"

enum {
    NAME_SIZE = 300,
    WATCHDOG_EXIT_CODE = 70,
    STOP_TIMEOUT_MS = 9000, /* supervisors kill after 10 s */
};

/* One worker thread and what it was made of. */
struct member {
    pthread_t thread;
    bool is_started;
    struct worker *worker;
    struct intake_role *intake; /* one of the two */
    struct shard_role *shard;
    const atomic_bool *stop;
    _Atomic int
        ended; /* 1 + enum err, once worker_run() returned; release, pairs with daemon_check */
    char name[NAME_SIZE];
    char instance[NAME_SIZE];
    char transactional[NAME_SIZE];
    const char *group;
};

struct daemon {
    const struct config *config;
    const struct setup *setup;
    const char **input_names;
    const char *intake_outputs[INTAKE_OUTPUTS];
    const char *shard_outputs[SHARD_OUTPUTS];
    const char *events_input[1];
    atomic_bool stop;
    struct member *members;
    size_t member_count;
    char intake_group[NAME_SIZE];
    struct group_watch *intake_watch;
    struct group_watch *shard_watch;
};

/* Names that stay the same from run to run: what a restart finds its transactions and partitions
 * by. */
static void name_member(struct member *member, const struct config *config, const char *role, int i)
{
    snprintf(member->name, NAME_SIZE, "%s-%d", role, i);
    snprintf(member->instance, NAME_SIZE, "%s-%s-%d", config->instance_id, role, i);
    snprintf(member->transactional, NAME_SIZE, "%s-%s-%s-%d", config->application_id,
             config->instance_id, role, i);
}

static struct worker_config worker_config_of(const struct daemon *daemon,
                                             const struct member *member)
{
    const struct config *config = daemon->config;
    const bool is_intake = member->intake != NULL;
    return (struct worker_config){
        .ends_when_fenced = member == &daemon->members[0],
        .commit_interval_ms = (int)config->commit_interval_ms,
        .open = io_kafka_open,
        .io =
            {
                .worker = member->name,
                .group_id = member->group,
                .group_instance_id = member->instance,
                .transactional_id = member->transactional,
                .inputs = is_intake ? daemon->input_names : daemon->events_input,
                .input_count = is_intake ? config->input_count : 1,
                .outputs = is_intake ? daemon->intake_outputs : daemon->shard_outputs,
                .output_count = is_intake ? (size_t)INTAKE_OUTPUTS : (size_t)SHARD_OUTPUTS,
                .properties = config->kafka,
                .property_count = config->kafka_count,
                .transaction_timeout_ms = (int)config->transaction_timeout_ms,
                .session_timeout_ms = (int)config->session_timeout_ms,
            },
    };
}

static void *member_main(void *argument)
{
    struct member *member = argument;
    const enum err err = worker_run(member->worker, member->stop);
    atomic_store_explicit(&member->ended, 1 + (int)err, memory_order_release);
    return NULL;
}

static enum err start_member(struct daemon *daemon, const char *role, int i)
{
    struct member *member = &daemon->members[daemon->member_count++];
    const struct process *process = &daemon->setup->process;
    const bool is_intake = role[0] == 'i';
    name_member(member, daemon->config, role, i);
    member->group = is_intake ? daemon->intake_group : daemon->config->application_id;
    member->stop = &daemon->stop;
    const enum err err =
        is_intake ? intake_role_create(process, &member->intake)
                  : shard_role_create(process, daemon->config->topic_events, &member->shard);
    if (err != OK) {
        return err;
    }
    const struct worker_config config = worker_config_of(daemon, member);
    member->worker = is_intake ? worker_create(&config, intake_role_ops(), member->intake)
                               : worker_create(&config, shard_role_ops(), member->shard);
    if (pthread_create(&member->thread, NULL, member_main, member) != 0) {
        return ERR_NO_MEMORY;
    }
    member->is_started = true;
    return OK;
}

static enum err start_members(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    enum err err = OK;
    for (int i = 0; err == OK && i < config->workers_shard; i++) {
        err = start_member(daemon, "shard", i);
    }
    for (int i = 0; err == OK && i < config->workers_intake; i++) {
        err = start_member(daemon, "intake", i);
    }
    return err;
}

enum err daemon_start(const struct config *config, const struct setup *setup, struct daemon **out)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    CHECK(daemon != NULL);
    const size_t members = (size_t)(config->workers_intake + config->workers_shard);
    daemon->config = config;
    daemon->setup = setup;
    daemon->members = calloc(members + 1, sizeof(daemon->members[0]));
    daemon->input_names = calloc(config->input_count + 1, sizeof(daemon->input_names[0]));
    CHECK(daemon->members != NULL && daemon->input_names != NULL);
    for (size_t i = 0; i < config->input_count; i++) {
        daemon->input_names[i] = config->inputs[i].topic;
    }
    daemon->events_input[0] = config->topic_events;
    daemon->intake_outputs[INTAKE_EVENTS] = config->topic_events;
    daemon->intake_outputs[INTAKE_DEAD_LETTERS] = config->topic_dead_letters;
    daemon->shard_outputs[SHARD_CHANGELOG] = config->topic_changelog;
    daemon->shard_outputs[SHARD_SUPPRESSIONS] = config->topic_suppressions;
    daemon->shard_outputs[SHARD_DECISIONS] = config->topic_decisions;
    daemon->shard_outputs[SHARD_DEAD_LETTERS] = config->topic_dead_letters;
    snprintf(daemon->intake_group, NAME_SIZE, "%s-intake", config->application_id);
    const enum err err = start_members(daemon);
    if (err != OK) {
        (void)daemon_stop(&daemon);
        return err;
    }
    *out = daemon;
    return OK;
}

enum err daemon_watch_groups(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct group_config group = {
        .group_id = config->application_id,
        .inputs = daemon->events_input,
        .input_count = 1,
        .guest_topic = config->topic_changelog,
        .properties = config->kafka,
        .property_count = config->kafka_count,
    };
    enum err err = OK;
    if (config->workers_shard > 0) {
        err = group_watch_start(&group, config->instance_id, &daemon->stop, &daemon->shard_watch);
    }
    group.group_id = daemon->intake_group;
    group.inputs = daemon->input_names;
    group.input_count = config->input_count;
    if (err == OK && config->workers_intake > 0) {
        err = group_watch_start(&group, config->instance_id, &daemon->stop, &daemon->intake_watch);
    }
    return err;
}

/* A call into the Kafka client can hang for ever (send_offsets ignores its timeout when the
 * coordinator is gone): a clean restart is the only cure. */
static void check_hang(const struct daemon *daemon, const struct member *member)
{
    const struct worker_status *status = worker_status(member->worker);
    const int activity = atomic_load_explicit(&status->activity, memory_order_relaxed);
    const int64_t silent_ms =
        mono_ms() - atomic_load_explicit(&status->beat_mono_ms, memory_order_relaxed);
    if (activity == WORKER_OPENING || activity == WORKER_STOPPED ||
        silent_ms < daemon->config->watchdog_timeout_ms) {
        return;
    }
    log_error("watchdog: worker hangs, ending the process to start anew worker=%s while=\"%s\" "
              "silent_ms=%" PRId64,
              member->name, worker_activity_name((enum worker_activity)activity), silent_ms);
    _exit(WATCHDOG_EXIT_CODE);
}

enum err daemon_check(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->member_count; i++) {
        struct member *member = &daemon->members[i];
        const int ended = atomic_load_explicit(&member->ended, memory_order_acquire);
        if (ended != 0) {
            return ended - 1 == OK ? ERR_REFUSED : (enum err)(ended - 1);
        }
        check_hang(daemon, member);
    }
    return OK;
}

static uint64_t total(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

bool daemon_has_decided(const struct daemon *daemon, uint64_t records)
{
    uint64_t taken = 0;
    uint64_t routed = 0;
    uint64_t decided = 0;
    for (size_t i = 0; i < daemon->member_count; i++) {
        const struct member *member = &daemon->members[i];
        if (member->intake != NULL) {
            taken += total(&intake_role_totals(member->intake)->records);
            routed += total(&intake_role_totals(member->intake)->routed);
        } else {
            decided += total(&shard_role_totals(member->shard)->observations);
        }
    }
    return taken >= records && decided >= routed;
}

static void log_intake(const struct member *member, const char *doing)
{
    const struct intake_totals *t = intake_role_totals(member->intake);
    log_info("status worker=%s is=\"%s\" records=%" PRIu64 " events=%" PRIu64 " routed=%" PRIu64
             " left_to_mta=%" PRIu64 " ignored=%" PRIu64 " dead_letters=%" PRIu64
             " clamped=%" PRIu64 " lost=%" PRIu64,
             member->name, doing, total(&t->records), total(&t->events), total(&t->routed),
             total(&t->harmless), total(&t->ignored), total(&t->dead_letters), total(&t->clamped),
             total(&t->lost));
}

static void log_shard(const struct member *member, const char *doing)
{
    const struct shard_totals *t = shard_role_totals(member->shard);
    log_info(
        "status worker=%s is=\"%s\" blocks=%" PRIu64 " observations=%" PRIu64
        " suppressions=%" PRIu64 " releases=%" PRIu64 " keys=%" PRIu64 " dead_letters=%" PRIu64,
        member->name, doing, total(&t->blocks), total(&t->observations), total(&t->suppressions),
        total(&t->releases), total(&t->records), total(&t->dead_letters));
}

void daemon_log_status(const struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->member_count; i++) {
        const struct member *member = &daemon->members[i];
        const int activity =
            atomic_load_explicit(&worker_status(member->worker)->activity, memory_order_relaxed);
        const char *doing = worker_activity_name((enum worker_activity)activity);
        if (member->intake != NULL) {
            log_intake(member, doing);
        } else {
            log_shard(member, doing);
        }
    }
}

/* Does not return where the worker has not ended by then: what it had not committed will be read
 * again, so nothing is lost by leaving. */
static void join_member(struct member *member, int64_t deadline_mono_ms)
{
    const struct timespec deadline = {deadline_mono_ms / 1000, deadline_mono_ms % 1000 * 1000000};
    if (pthread_clockjoin_np(member->thread, NULL, CLOCK_MONOTONIC, &deadline) != 0) {
        log_error("worker has not ended in time, the process ends without it worker=%s",
                  member->name);
        _exit(WATCHDOG_EXIT_CODE);
    }
}

static enum err end_member(struct member *member, int64_t deadline_mono_ms)
{
    enum err err = OK;
    if (member->is_started) {
        join_member(member, deadline_mono_ms);
        const int ended = atomic_load_explicit(&member->ended, memory_order_acquire);
        err = (enum err)(ended - 1);
    }
    worker_destroy(&member->worker);
    intake_role_destroy(&member->intake);
    shard_role_destroy(&member->shard);
    return err;
}

enum err daemon_stop(struct daemon **daemon)
{
    struct daemon *d = *daemon;
    enum err err = OK;
    *daemon = NULL;
    atomic_store_explicit(&d->stop, true, memory_order_relaxed);
    const int64_t deadline_mono_ms = mono_ms() + STOP_TIMEOUT_MS;
    for (size_t i = 0; i < d->member_count; i++) {
        const enum err member_err = end_member(&d->members[i], deadline_mono_ms);
        err = err == OK ? member_err : err;
    }
    group_watch_end(&d->intake_watch);
    group_watch_end(&d->shard_watch);
    free(d->members);
    free(d->input_names);
    free(d);
    return err;
}

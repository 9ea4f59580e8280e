/* consumer/cmd/run.c - the daemon.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/cmd/check_topics.h"
#include "consumer/cmd/cmd.h"
#include "consumer/daemon.h"
#include "consumer/rule_report.h"
#include "consumer/secret_file.h"
#include "consumer/test_points.h"

enum {
    CHECK_INTERVAL_S = 1,
    STATUS_INTERVAL_MS = 60000,
    REPORT_WAIT_MS = 3000, /* a worker that is opening its connection does not answer */
    REPORT_LOOK_NS = 20000000,
};

/* Signals are taken by the main thread alone, in sigtimedwait(). */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

/* While it drains, a second SIGINT or SIGTERM ends the process at once: nothing is lost by that. */
static void let_signals_end_us(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* The report that a signal asked for: written when all workers have answered, or some time after. */
struct wanted_report {
    bool is_wanted;
    int64_t due_ms; /* with the answers that there are then */
};

static void ask_for_report(struct wanted_report *wanted, struct setup *setup)
{
    published_ask(setup->rules);
    *wanted = (struct wanted_report){.is_wanted = true, .due_ms = mono_ms() + REPORT_WAIT_MS};
}

static enum err write_report(const struct config *config,
                             const struct setup *setup,
                             const struct tally *const *tallies,
                             size_t count)
{
    struct rule_report *report;
    const struct rule_report_about about = {
        .since_ms = setup->rules_since_ms,
        .written_ms = wall_ms(),
        .worker_count = published_readers(setup->rules),
    };
    enum err err =
        rule_report_create(published_ruleset(setup->rules), tallies, count, about, &report);
    if (err != OK) {
        return err;
    }
    err = rule_report_write(report, config->state_directory);
    rule_report_destroy(&report);
    return err;
}

static void report_if_due(struct wanted_report *wanted,
                          const struct config *config,
                          const struct setup *setup)
{
    const struct tally *tallies[CONFIG_WORKERS_MAX];
    const size_t workers = published_readers(setup->rules);
    size_t count = 0;
    CHECK(workers <= CONFIG_WORKERS_MAX);
    for (size_t i = 0; i < workers; i++) {
        tallies[count] = published_tally(setup->rules, i);
        count += tallies[count] != NULL;
    }
    if (count < workers && mono_ms() < wanted->due_ms) {
        return;
    }
    wanted->is_wanted = false;
    const enum err err = write_report(config, setup, tallies, count);
    if (err == OK) {
        log_info("rule report written path=%s/rule-report.txt workers=%zu answered=%zu",
                 config->state_directory, workers, count);
    } else {
        log_error("rule report not written error=%s", err_name(err));
    }
}

/* Until a signal or a refusal. */
static enum err watch(struct daemon *daemon,
                      const sigset_t *signals,
                      const struct config *config,
                      struct setup *setup)
{
    struct wanted_report wanted = {0};
    int64_t status_due_ms = mono_ms() + STATUS_INTERVAL_MS;
    for (;;) {
        const struct timespec interval = {wanted.is_wanted ? 0 : CHECK_INTERVAL_S,
                                          wanted.is_wanted ? REPORT_LOOK_NS : 0};
        const int signal_number = sigtimedwait(signals, NULL, &interval);
        if (signal_number == SIGTERM || signal_number == SIGINT) {
            log_info("stopping: committing what was taken, then leaving");
            return OK;
        }
        if (signal_number == SIGHUP) {
            setup_reload(setup, config);
        }
        if (signal_number == SIGUSR1) {
            ask_for_report(&wanted, setup);
        }
        if (wanted.is_wanted) {
            report_if_due(&wanted, config, setup);
        }
        (void)published_reclaim(setup->rules);
        const enum err err = daemon_check(daemon);
        if (err != OK) {
            return err;
        }
        if (mono_ms() >= status_due_ms) {
            status_due_ms = mono_ms() + STATUS_INTERVAL_MS;
            daemon_log_status(daemon);
        }
    }
}

static enum err read_secret(const struct config *config, struct setup *setup)
{
    const enum err err = secret_file_read(config->state_secret_file, &setup->secret);
    if (err == ERR_NOT_FOUND) {
        log_error("no secret file: make it once with `suppressd topics --create`, and give all "
                  "processes the same state.secret_file=%s",
                  config->state_secret_file);
    }
    return err;
}

static enum err run_daemon(const struct config *config, struct setup *setup)
{
    struct daemon *daemon;
    enum err err = read_secret(config, setup);
    if (err == OK) {
        err = check_topics(config, &setup->process.shard_count);
    }
    if (err != OK) {
        return err;
    }
    const sigset_t signals = block_signals();
    err = daemon_start(config, setup, &daemon);
    if (err != OK) {
        return err;
    }
    log_info("running version=%s application_id=%s instance_id=%s intake=%lld shard=%lld shards=%u",
             SUPPRESSD_VERSION, config->application_id, config->instance_id,
             (long long)config->workers_intake, (long long)config->workers_shard,
             setup->process.shard_count);
    err = daemon_watch_groups(daemon);
    if (err == OK) {
        err = watch(daemon, &signals, config, setup);
    }
    let_signals_end_us();
    daemon_log_status(daemon);
    const enum err stopped = daemon_stop(&daemon);
    log_info("stopped");
    return err == OK ? stopped : err;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct options options;
    struct config *config;
    struct setup *setup;
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, NULL, 0, &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        if (parsed == PARSE_HELP) {
            printf("\nKeys of the configuration:\n\n");
            config_print_keys(stdout);
        }
        return parse_exit_code(parsed);
    }
    enum err err = load_config(&options, false, &config);
    options_free(&options);
    if (err != OK) {
        return exit_code_of(err);
    }
    err = test_points_read();
    if (err == OK) {
        err = setup_create(config, &setup);
    }
    if (err == OK) {
        err = run_daemon(config, setup);
        setup_destroy(&setup);
    }
    config_destroy(&config);
    return exit_code_of(err);
}

const struct command COMMAND_RUN = {
    .name = "run",
    .summary = "the daemon: events in, suppression decisions out",
    .usage = "run -c FILE [--set KEY=VALUE]...",
    .help =
        "Reads delivery events from the input topics, remembers what happened to each recipient,\n"
        "and publishes suppression decisions, exactly once. Its topics and its secret are made by\n"
        "`suppressd topics --create -c FILE`; it refuses to start on settings that would lose\n"
        "state, and says how to mend them.\n\n"
        "  -c, --config FILE     configuration (YAML)\n"
        "      --set KEY=VALUE   overrides a key, as in --set policy.preset=careful\n\n"
        "Signals: TERM or INT commits, leaves the groups and ends; a second one ends at once. HUP "
        "reads\n"
        "the files of rules.files anew (their list is read at the start); if there is a fault in "
        "them it\n"
        "is said in the log, and the rules that were in force stay. USR1 writes rule-report.txt "
        "and\n"
        ".json to state.directory: the replies that no rule knew, and how often each rule won.\n"
        "Exit code: 0 after a signal, 64 usage, 69 the broker does not answer, 78 configuration "
        "or\n"
        "state that it refuses, 70 a worker hung and the process must be started anew.\n",
    .run = run,
};

/* consumer/cmd/demo.c - the whole daemon on a mock of Kafka inside the process.
 *
 *     sample log -> feeder -> input topic -> daemon -> suppressions -> follower -> readable lines
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/embed.h"
#include "base/json.h"
#include "consumer/cmd/cmd.h"
#include "consumer/daemon.h"
#include "consumer/kafka/embedded.h"
#include "consumer/kafka/feed.h"
#include "consumer/secret_file.h"

EMBED_FILE(demo_events, DEMO_EVENTS);

enum {
    SHARDS = 4,
    FEED_PAUSE_MS = 40, /* between two records: a pace that eyes can follow */
    OPEN_TIMEOUT_MS = 15000,
    FOLLOW_MS = 100,
    QUIET_MS =
        3000, /* nothing published for so long after the last record was decided: it is through */
    ONCE_MAX_MS = 120000,
    ASSIGNMENTS = 6,
    ASSIGNMENT_SIZE = 200,
    DEPTH_MAX = 16,
};

#define INPUT_TOPIC "mail.events"

struct demo {
    struct feeder *feeder;
    struct follower *follower;
    struct json_reader *reader;
    struct daemon *daemon;
    struct span rest; /* of the sample */
    int64_t fed;
    int64_t printed;
    int64_t last_news_ms;
};

/* --- one readable line ---------------------------------------------------------------------- */

static struct span header(const struct followed *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (span_equal(span_of(record->headers[i].name), span_of(name))) {
            return record->headers[i].value;
        }
    }
    return SPAN("?");
}

static const struct json_node *member(const struct json_node *object, const char *key)
{
    if (object == NULL || object->kind != JSON_OBJECT) {
        return NULL;
    }
    for (const struct json_node *child = json_first(object); child != json_end(object);
         child = json_next(child)) {
        if (span_equal(child->key, span_of(key))) {
            return child;
        }
    }
    return NULL;
}

static struct span text_of(const struct json_node *node)
{
    return node != NULL && node->kind == JSON_STRING ? node->text : SPAN_NONE;
}

static const struct json_node *parse(struct demo *demo, struct span value)
{
    struct span loaded;
    struct json_fault fault;
    if (json_load(demo->reader, value, &loaded) != OK) {
        return NULL;
    }
    return json_read(demo->reader, loaded, &fault);
}

static void print_evidence(const struct json_node *evidence)
{
    const struct json_node *code = member(evidence, "smtp_code");
    const struct span text = text_of(member(evidence, "text"));
    if (code != NULL) {
        printf(" (%" PRId64, code->integer);
        const struct span enhanced = text_of(member(evidence, "enhanced"));
        if (enhanced.size > 0) {
            printf(" %.*s", SPAN_ARGS(enhanced));
        }
        printf(" %.*s)", SPAN_ARGS(span_cut(text, 60)));
    }
}

static void print_suppression(struct demo *demo, const struct followed *record)
{
    const struct json_node *value = parse(demo, record->value);
    const struct span rule = header(record, "suppressd-rule");
    const bool of_wish =
        span_equal(rule, SPAN("complaint")) || span_equal(rule, SPAN("unsubscribe"));
    const struct json_node *part = member(value, of_wish ? "wish" : "mailbox");
    const struct span expires = text_of(member(part, "expires"));
    printf("SUPPRESS  %-26.*s ", SPAN_ARGS(record->key));
    if (expires.size > 0) {
        printf("until %.10s  ", expires.data);
    } else {
        printf("for good          ");
    }
    printf("%.*s: %.*s", SPAN_ARGS(rule), SPAN_ARGS(header(record, "suppressd-category")));
    print_evidence(member(part, "evidence"));
    printf("\n");
}

static void print_release(const struct followed *record)
{
    printf("release   %-26.*s                   why: %.*s (was %.*s)\n", SPAN_ARGS(record->key),
           SPAN_ARGS(header(record, "suppressd-rule")),
           SPAN_ARGS(header(record, "suppressd-category")));
}

static void follow(struct demo *demo, int timeout_ms)
{
    struct followed record;
    while (follower_next(demo->follower, timeout_ms, &record)) {
        if (span_equal(header(&record, "suppressd-action"), SPAN("release"))) {
            print_release(&record);
        } else {
            print_suppression(demo, &record);
        }
        fflush(stdout);
        demo->printed++;
        demo->last_news_ms = mono_ms();
        timeout_ms = 0;
    }
}

/* --- the sample ----------------------------------------------------------------------------- */

static bool next_line(struct span *rest, struct span *line)
{
    while (rest->size > 0) {
        const char *newline = memchr(rest->data, '\n', rest->size);
        const size_t size = newline == NULL ? rest->size : (size_t)(newline - rest->data);
        *line = span_trim((struct span){rest->data, size});
        const size_t taken = newline == NULL ? size : size + 1;
        *rest = (struct span){rest->data + taken, rest->size - taken};
        if (line->size > 0) {
            return true;
        }
    }
    return false;
}

static enum err feed_one(struct demo *demo)
{
    struct span line;
    if (!next_line(&demo->rest, &line)) {
        return OK;
    }
    demo->fed++;
    enum err err = feeder_send(demo->feeder, INPUT_TOPIC, SPAN_NONE, line);
    if (err == OK && demo->rest.size == 0) {
        err = feeder_flush(demo->feeder, OPEN_TIMEOUT_MS);
    }
    demo->last_news_ms = mono_ms();
    return err;
}

/* --- the run -------------------------------------------------------------------------------- */

static enum err play(struct demo *demo, const sigset_t *signals, bool once)
{
    const struct timespec pause = {0, FEED_PAUSE_MS * 1000000L};
    const int64_t start_ms = mono_ms();
    bool said_through = false;
    for (;;) {
        enum err err = demo->rest.size > 0 ? feed_one(demo) : OK;
        if (err == OK) {
            err = daemon_check(demo->daemon);
        }
        if (err != OK) {
            return err;
        }
        follow(demo, demo->rest.size > 0 ? 0 : FOLLOW_MS);
        const bool is_through = demo->rest.size == 0 &&
                                daemon_has_decided(demo->daemon, (uint64_t)demo->fed) &&
                                mono_ms() - demo->last_news_ms > QUIET_MS;
        if (is_through && !said_through) {
            said_through = true;
            printf("\n%" PRId64 " events are through: %" PRId64 " decisions.%s\n", demo->fed,
                   demo->printed, once ? "" : " Ctrl-C ends the demo.");
            fflush(stdout);
        }
        if (once && said_through) {
            return OK;
        }
        if (once && mono_ms() - start_ms > ONCE_MAX_MS) {
            fprintf(stderr, "suppressd demo: the sample is not through after %d s\n",
                    ONCE_MAX_MS / 1000);
            return ERR_TIMEOUT;
        }
        if (sigtimedwait(signals, NULL, &pause) > 0) {
            return OK;
        }
    }
}

static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

static enum err open_all(struct demo *demo, const struct config *config, struct setup *setup)
{
    enum err err = json_reader_create(DEPTH_MAX, &demo->reader);
    if (err == OK) {
        err = feeder_open(config->kafka, config->kafka_count, &demo->feeder);
    }
    if (err == OK) {
        err = follower_open(config->kafka, config->kafka_count, config->topic_suppressions,
                            OPEN_TIMEOUT_MS, &demo->follower);
    }
    if (err == OK) {
        err = daemon_start(config, setup, &demo->daemon);
    }
    return err;
}

static void close_all(struct demo *demo)
{
    if (demo->daemon != NULL) {
        (void)daemon_stop(&demo->daemon);
    }
    if (demo->follower != NULL) {
        follower_close(&demo->follower);
    }
    if (demo->feeder != NULL) {
        feeder_close(&demo->feeder);
    }
    if (demo->reader != NULL) {
        json_reader_destroy(&demo->reader);
    }
}

static enum err run_demo(const struct config *config, bool once)
{
    struct demo demo = {.rest = {demo_events_begin, (size_t)(demo_events_end - demo_events_begin)}};
    const sigset_t signals = block_signals();
    struct setup *setup;
    enum err err = setup_create(config, &setup);
    if (err != OK) {
        return err;
    }
    secret_fixed(&setup->secret);
    setup->process.shard_count = SHARDS;
    printf(
        "suppressd demo: one intake and one shard worker on a Kafka that lives in this process.\n"
        "Nothing of it survives: the embedded broker keeps neither records nor offsets.\n"
        "A sample log of KumoMTA is played; each line is a record published to topic "
        "`suppressions`.\n\n");
    fflush(stdout);
    err = open_all(&demo, config, setup);
    if (err == OK) {
        err = play(&demo, &signals, once);
    }
    close_all(&demo);
    setup_destroy(&setup);
    return err;
}

/* The configuration of a demo: the user's policy; our broker, input and workers come last. */
static enum err configure(struct options *options,
                          const struct embedded *embedded,
                          struct config **out)
{
    static char texts[ASSIGNMENTS][ASSIGNMENT_SIZE];
    snprintf(texts[0], ASSIGNMENT_SIZE, "kafka.bootstrap.servers=%s", embedded_servers(embedded));
    snprintf(texts[1], ASSIGNMENT_SIZE, "input.\"%s\".format=kumomta", INPUT_TOPIC);
    snprintf(texts[2], ASSIGNMENT_SIZE, "log.level=warn");
    snprintf(texts[3], ASSIGNMENT_SIZE, "instance_id=demo");
    snprintf(texts[4], ASSIGNMENT_SIZE, "workers.intake=1");
    snprintf(texts[5], ASSIGNMENT_SIZE, "workers.shard=1");
    struct options all = *options;
    all.assignments = calloc(options->assignment_count + ASSIGNMENTS, sizeof(all.assignments[0]));
    CHECK(all.assignments != NULL);
    all.assignment_count = 0;
    for (size_t i = 0; i < options->assignment_count; i++) {
        all.assignments[all.assignment_count++] = options->assignments[i];
    }
    for (size_t i = 0; i < ASSIGNMENTS; i++) {
        all.assignments[all.assignment_count++] = texts[i];
    }
    const enum err err = load_config(&all, false, out);
    free(all.assignments);
    return err;
}

static int run(const struct command *command, int argc, char **argv)
{
    /* One input partition: the stories are told in their order, also on a machine that is busy. */
    static const struct embedded_topic TOPICS[] = {
        {INPUT_TOPIC, 1},         {"suppressd-events", SHARDS},    {"suppressd-changelog", SHARDS},
        {"suppressions", SHARDS}, {"suppressd-decisions", SHARDS}, {"suppressd-dead-letters", 1},
    };
    const char *once = NULL;
    const struct option_spec specs[] = {{0, "once", false, &once}};
    struct options options;
    struct embedded *embedded;
    struct config *config;
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, specs, 1, &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    log_set_level(LOG_WARN); /* the stories are what is to be read */
    enum err err = embedded_create(TOPICS, sizeof(TOPICS) / sizeof(TOPICS[0]), &embedded);
    if (err == OK) {
        err = configure(&options, embedded, &config);
        if (err == OK) {
            err = run_demo(config, once != NULL);
            config_destroy(&config);
        }
        embedded_destroy(&embedded);
    }
    options_free(&options);
    return exit_code_of(err);
}

const struct command COMMAND_DEMO = {
    .name = "demo",
    .summary = "the whole daemon on a broker inside the process, with a sample log",
    .usage = "demo [--once] [-c FILE] [--set KEY=VALUE]...",
    .help =
        "Starts the daemon on a mock of Kafka inside the process, plays a sample log of KumoMTA "
        "at\n"
        "a pace that eyes can follow, and prints each suppression and release as it is published:\n"
        "who, until when, why. Stays up until Ctrl-C. Nothing survives it; to see what exactly "
        "once\n"
        "means, use a real Kafka. deploy/demo.md tells what the sample holds.\n\n"
        "      --once            end when the sample is through, with exit code 0\n"
        "  -c, --config FILE     configuration, for the policy\n"
        "      --set KEY=VALUE   overrides a key, as in --set policy.preset=careful\n",
    .run = run,
};

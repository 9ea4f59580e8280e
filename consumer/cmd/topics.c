/* consumer/cmd/topics.c - prints the topics and whether they are as they must be; creates what is
 * missing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "consumer/cmd/check_topics.h"
#include "consumer/cmd/cmd.h"
#include "consumer/secret_file.h"

static const char *const ROLE_NAMES[TOPIC_ROLE_COUNT] = {
    [TOPIC_INPUT] = "input",         [TOPIC_EVENTS] = "events",
    [TOPIC_CHANGELOG] = "changelog", [TOPIC_SUPPRESSIONS] = "suppressions",
    [TOPIC_DECISIONS] = "decisions", [TOPIC_DEAD_LETTERS] = "dead letters",
};

static void print_plan(struct topics *topics, const struct topic_plan *plan)
{
    int32_t partitions = 0;
    printf("%-28s %-13s", plan->name, ROLE_NAMES[plan->role]);
    if (topics_partition_count(topics, plan->name, &partitions) == OK) {
        printf(" %4d partitions\n", (int)partitions);
    } else {
        printf(" not there\n");
    }
    const struct topic_setting *setting;
    for (size_t i = 0; (setting = topic_setting_at(i)) != NULL; i++) {
        if (setting->role == plan->role) {
            printf("    %s=%s\n", setting->name, setting->value);
        }
    }
}

static enum err create_secret(const char *path)
{
    struct secret secret;
    enum err err = secret_file_read(path, &secret);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    err = secret_file_create(path);
    if (err == OK) {
        printf("%s: made; give every process of this application the same file\n", path);
    }
    return err;
}

static enum err create_topics(struct topics *topics, const struct topic_plan *plans, size_t count)
{
    struct topic_creation *outcomes = calloc(count, sizeof(*outcomes));
    if (outcomes == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = topics_create(topics, plans, count, outcomes);
    for (size_t i = 0; err == OK && i < count; i++) {
        if (outcomes[i].outcome == TOPIC_CREATED) {
            printf("%s: created\n", plans[i].name);
        } else if (outcomes[i].outcome == TOPIC_NOT_CREATED) {
            fprintf(stderr, "%s: not created: %s\n", plans[i].name, outcomes[i].reason);
            err = ERR_REFUSED;
        }
    }
    free(outcomes);
    return err;
}

static enum err verify(struct topics *topics,
                       const struct topic_plan *plans,
                       size_t count,
                       bool prints_all)
{
    struct topics_report *report = calloc(1, sizeof(*report));
    if (report == NULL) {
        return ERR_NO_MEMORY;
    }
    if (prints_all) {
        for (size_t i = 0; i < count; i++) {
            print_plan(topics, &plans[i]);
        }
        fflush(stdout);
    }
    enum err err = topics_verify(topics, plans, count, report);
    if (err == OK) {
        print_report(report);
        err = report->fatal_count > 0 ? ERR_REFUSED : OK;
    }
    free(report);
    return err;
}

static enum err work(const struct config *config, bool creates)
{
    struct topic_plan plans[PLANS_MAX];
    const size_t count = plan_topics(config, plans);
    struct topics *topics;
    enum err err = open_topics(config, &topics);
    if (err != OK) {
        return err;
    }
    if (creates) {
        err = create_secret(config->state_secret_file);
        if (err == OK) {
            err = create_topics(topics, plans, count);
        }
    }
    if (err == OK) {
        for (size_t i = 0; i < count; i++) {
            plans[i].partitions = 0; /* what is there stays: the number of shards is for life */
            plans[i].replication_factor = 0;
        }
        err = verify(topics, plans, count, !creates);
    }
    topics_close(&topics);
    return err;
}

static int run(const struct command *command, int argc, char **argv)
{
    const char *creates = NULL;
    const struct option_spec specs[] = {{0, "create", false, &creates}};
    struct options options;
    struct config *config;
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, specs, 1, &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    enum err err = load_config(&options, false, &config);
    options_free(&options);
    if (err == OK) {
        err = work(config, creates != NULL);
        config_destroy(&config);
    }
    return exit_code_of(err);
}

const struct command COMMAND_TOPICS = {
    .name = "topics",
    .summary = "print the topics and what is wrong with them, or create them",
    .usage = "topics [--create] -c FILE [--set KEY=VALUE]...",
    .help =
        "Prints suppressd's topics with the settings that they must have, and what is wrong with\n"
        "those that are there, each with the command that mends it. With --create makes those "
        "that\n"
        "are missing, and the secret file (state.secret_file) if there is none; never changes one\n"
        "that is there. Input topics are yours: they are only looked at.\n\n"
        "      --create          create what is missing\n"
        "  -c, --config FILE     configuration (YAML)\n"
        "      --set KEY=VALUE   overrides a key, as in --set topics.partitions=64: the number of\n"
        "                        shards, for life\n\n"
        "Exit code: 0 all is well, 69 the broker does not answer, 78 something would lose state.\n",
    .run = run,
};

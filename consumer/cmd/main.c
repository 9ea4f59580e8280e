/* consumer/cmd/main.c - the table of commands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "consumer/cmd/cmd.h"

static int run_version(const struct command *command, int argc, char **argv)
{
    struct options options;
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, NULL, 0, &options, &first);
    options_free(&options);
    if (parsed != PARSE_OK) {
        return parse_exit_code(parsed);
    }
    printf("suppressd %s\n", SUPPRESSD_VERSION);
    return EXIT_OK;
}

static const struct command COMMAND_VERSION = {
    .name = "version",
    .summary = "print the version",
    .usage = "version",
    .help = "Prints the version of this program.\n",
    .run = run_version,
};

static const struct command *const COMMANDS[] = {
    &COMMAND_RUN,      &COMMAND_DEMO,        &COMMAND_REPLAY, &COMMAND_DECODE,
    &COMMAND_CLASSIFY, &COMMAND_CHECK_RULES, &COMMAND_TOPICS, &COMMAND_VERSION,
};

enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

static void print_commands(FILE *out)
{
    fprintf(out, "suppressd reads the delivery events of a mail platform from Kafka and publishes "
                 "who must\nno longer be mailed, why, and until when.\n\n"
                 "Usage: suppressd COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-11s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    }
    fprintf(out, "\nsuppressd COMMAND --help tells more of each.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_commands(stdout);
        return EXIT_OK;
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, COMMANDS[i]->name) == 0) {
            return COMMANDS[i]->run(COMMANDS[i], argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "suppressd: no such command: %s\n\n", name);
    print_commands(stderr);
    return EXIT_USAGE;
}

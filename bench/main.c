/* bench/main.c - suppressd-bench: the table of commands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"

static const struct bench_command *const COMMANDS[] = {
    &BENCH_PIPELINE, &BENCH_COUNT, &BENCH_PLAIN,    &BENCH_EVENTS,
    &BENCH_DECODE,   &BENCH_WORST, &BENCH_CLASSIFY,
};

enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

static void print_commands(FILE *out)
{
    fprintf(out, "suppressd-bench measures suppressd on your machine, against what the machine can "
                 "do.\n\nUsage: suppressd-bench COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-10s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    }
    fprintf(out, "\nsuppressd-bench COMMAND --help tells more of each.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc < 2 ? "" : argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_commands(stdout);
        return BENCH_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, COMMANDS[i]->name) == 0) {
            return COMMANDS[i]->run(COMMANDS[i], argc - 1, argv + 1);
        }
    }
    if (name[0] != '\0') {
        fprintf(stderr, "suppressd-bench: no such command: %s\n\n", name);
    }
    print_commands(stderr);
    return BENCH_USAGE;
}

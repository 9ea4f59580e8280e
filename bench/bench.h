/* bench/bench.h - the commands of suppressd-bench, and what they share: options and help from one
 * table each.
 *
 * bench/ is no room of the daemon: it includes of the rooms what it measures, uses the client
 * library itself for what it compares with, and prints.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum bench_exit { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 64 };

struct bench_command {
    const char *name;
    const char *summary;
    const char *help; /* behind the usage line, before the options */
    int (*run)(const struct bench_command *command, int argc, char **argv);
};

extern const struct bench_command BENCH_PIPELINE;
extern const struct bench_command BENCH_COUNT;
extern const struct bench_command BENCH_PLAIN;
extern const struct bench_command BENCH_EVENTS;
extern const struct bench_command BENCH_DECODE;
extern const struct bench_command BENCH_WORST;
extern const struct bench_command BENCH_CLASSIFY;

/* One option: exactly one of the pointers is set. Its value beforehand is its default. */
struct bench_option {
    const char *name; /* without -- */
    const char *help;
    int64_t *number; /* a whole number from `least` on */
    int64_t least;
    const char **text;
    bool *flag;
    struct bench_list *list; /* may be given again and again */
};

enum { BENCH_LIST_MAX = 256 };

struct bench_list {
    const char *items[BENCH_LIST_MAX];
    size_t count;
};

/* Takes all of argv; operands are refused. False: everything was said, the command ends with
 * *exit_code. */
bool bench_options(const struct bench_command *command,
                   const struct bench_option *options,
                   size_t count,
                   int argc,
                   char **argv,
                   int *exit_code);

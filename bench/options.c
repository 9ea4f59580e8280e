/* bench/options.c - see bench.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "bench/bench.h"

enum { OPTIONS_MAX = 24, FIRST_VALUE = 256 };

static bool has_value(const struct bench_option *option)
{
    return option->flag == NULL;
}

static void print_default(const struct bench_option *option)
{
    if (option->number != NULL) {
        printf(" (default %" PRId64 ")", *option->number);
    } else if (option->text != NULL && *option->text != NULL) {
        printf(" (default %s)", *option->text);
    }
}

static void print_help(const struct bench_command *command,
                       const struct bench_option *options,
                       size_t count)
{
    printf("Usage: suppressd-bench %s [OPTION]...\n\n%s\n", command->name, command->help);
    for (size_t i = 0; i < count; i++) {
        char name[40];
        const char *argument = options[i].number != NULL ? " N"
                               : has_value(&options[i])  ? " TEXT"
                                                         : "";
        snprintf(name, sizeof(name), "--%s%s", options[i].name, argument);
        printf("  %-26s %s", name, options[i].help);
        print_default(&options[i]);
        printf("\n");
    }
    printf("  %-26s %s\n", "--help", "this text");
}

static bool take(const struct bench_option *option, const char *value)
{
    uint64_t number;
    if (option->flag != NULL) {
        *option->flag = true;
    } else if (option->text != NULL) {
        *option->text = value;
    } else if (option->list != NULL) {
        if (option->list->count == BENCH_LIST_MAX) {
            fprintf(stderr, "suppressd-bench: --%s: too many\n", option->name);
            return false;
        }
        option->list->items[option->list->count++] = value;
    } else if (span_to_u64(span_of(value), &number) && number <= INT64_MAX / 1000 &&
               (int64_t)number >= option->least) {
        *option->number = (int64_t)number;
    } else {
        fprintf(stderr, "suppressd-bench: --%s: a whole number from %" PRId64 " on, not %s\n",
                option->name, option->least, value);
        return false;
    }
    return true;
}

/* --help is the last of the table; its value is count + FIRST_VALUE. */
static void build_table(const struct bench_option *options, size_t count, struct option *longs)
{
    CHECK(count + 2 <= OPTIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        longs[i] = (struct option){options[i].name,
                                   has_value(&options[i]) ? required_argument : no_argument, NULL,
                                   FIRST_VALUE + (int)i};
    }
    longs[count] = (struct option){"help", no_argument, NULL, FIRST_VALUE + (int)count};
    longs[count + 1] = (struct option){0};
}

bool bench_options(const struct bench_command *command,
                   const struct bench_option *options,
                   size_t count,
                   int argc,
                   char **argv,
                   int *exit_code)
{
    struct option longs[OPTIONS_MAX];
    build_table(options, count, longs);
    *exit_code = BENCH_USAGE;
    optind = 1;
    int found;
    while ((found = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        const size_t i = (size_t)found - FIRST_VALUE;
        if (found == FIRST_VALUE + (int)count) {
            print_help(command, options, count);
            *exit_code = BENCH_OK;
            return false;
        }
        if (found < FIRST_VALUE || !take(&options[i], optarg)) {
            fprintf(stderr, "Try: suppressd-bench %s --help\n", command->name);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "suppressd-bench: what is %s? Try: suppressd-bench %s --help\n",
                argv[optind], command->name);
        return false;
    }
    return true;
}

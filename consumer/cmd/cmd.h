/* consumer/cmd/cmd.h - the commands, and what they share: options, help, exit codes.
 *
 * Text for people is printed in this folder only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdio.h>

#include "consumer/config.h"
#include "consumer/intake.h"

/* sysexits.h, as users of systemd and Vector know them. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 64,
    EXIT_NO_INPUT = 66,
    EXIT_UNAVAILABLE = 69,
    EXIT_SOFTWARE = 70, /* the watchdog */
    EXIT_CONFIG = 78,   /* also: going on would lose something */
};

struct command {
    const char *name;
    const char *summary;
    const char *usage; /* behind "suppressd " */
    const char *help;  /* what a stranger needs to know */
    bool takes_files;  /* operands */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command COMMAND_RUN;
extern const struct command COMMAND_DEMO;
extern const struct command COMMAND_REPLAY;
extern const struct command COMMAND_DECODE;
extern const struct command COMMAND_CLASSIFY;
extern const struct command COMMAND_CHECK_RULES;
extern const struct command COMMAND_TOPICS;

/* Options that every command knows: -c FILE, --set KEY=VALUE, -h/--help. */
struct options {
    const char *config_file; /* NULL: none given */
    const char **assignments;
    size_t assignment_count;
};

/* One more option of a command's own. `value` gets the argument; for a flag (no argument) it gets
 * "". */
struct option_spec {
    char letter;      /* 0: only long */
    const char *name; /* long, without -- */
    bool has_value;
    const char **value;
};

enum parse_result { PARSE_OK, PARSE_HELP, PARSE_BAD };

/* Fills *options, leaves the index of the first operand in *first. After PARSE_HELP and PARSE_BAD
 * everything was said: return parse_exit_code(). */
enum parse_result parse_options(const struct command *command,
                                int argc,
                                char **argv,
                                const struct option_spec *own,
                                size_t own_count,
                                struct options *options,
                                int *first);
int parse_exit_code(enum parse_result result);
void options_free(struct options *options);

/* The configuration of these options, defaults where no file is given. What is wrong was said. */
MUST_USE enum err load_config(const struct options *options,
                              bool without_kafka,
                              struct config **out);

/* How files are to be read: as the records of an input topic of the configuration (--topic), else in the format of -f, else
 * `auto`; `topic` and `format` may be NULL. False after saying what is wrong. *out borrows from the configuration. */
bool find_source(const struct config *config,
                 const char *topic,
                 const char *format,
                 struct intake_source *out);

/* The exit code for what setup and config said. */
int exit_code_of(enum err err);

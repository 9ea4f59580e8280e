/* consumer/cmd/inspect_rules.c - `check-rules`: are these rules good?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/classify.h"
#include "consumer/cmd/cmd.h"

static int check(const char *const *paths, size_t count)
{
    struct ruleset *rules;
    const enum err err = ruleset_create(paths, count, &rules);
    if (err != OK) {
        return exit_code_of(err);
    }
    const struct ruleset_size size = ruleset_size(rules);
    printf("good: %zu rules and %zu codes in %zu files, %zu of them yours, version %s\n",
           size.text_rules, size.codes, size.files, count, ruleset_version(rules));
    ruleset_destroy(&rules);
    return EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct options options;
    struct config *config;
    int first;
    const enum parse_result parsed = parse_options(command, argc, argv, NULL, 0, &options, &first);
    if (parsed != PARSE_OK) {
        options_free(&options);
        return parse_exit_code(parsed);
    }
    const enum err err = load_config(&options, true, &config);
    options_free(&options);
    if (err != OK) {
        return exit_code_of(err);
    }
    const int code = first < argc ? check((const char *const *)argv + first, (size_t)(argc - first))
                                  : check(config->rule_files, config->rule_file_count);
    config_destroy(&config);
    return code;
}

const struct command COMMAND_CHECK_RULES = {
    .name = "check-rules",
    .summary = "say what is wrong with files of rules, and where",
    .usage = "check-rules [-c FILE] [--set KEY=VALUE]... [FILE...]",
    .help =
        "Reads files of rules (those of rules.files, if none is given) as the daemon would: before "
        "the\n"
        "rules that ship with the program. Every rule is tried on its own examples. All faults are "
        "told\n"
        "at once on standard error, each with file and line, what is wrong and what to do.\n\n"
        "How a file looks: classify/rules/README.md.\n\n"
        "Exit code: 0 good, 66 a file cannot be read, 78 faults.\n\n"
        "Example: suppressd check-rules /etc/suppressd/rules/*.yaml\n",
    .takes_files = true,
    .run = run,
};

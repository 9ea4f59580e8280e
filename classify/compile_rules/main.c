/* classify/compile_rules/main.c - compile_rules FILE: a program of the build. Checks the rules that
 * ship, as each start of the daemon does, and writes their patterns as the engine wants them, for
 * classify/rules_database.c: that takes seconds, which no start should cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "classify/rules.h"

/* It is this program that makes it. */
struct span rules_embedded_database(void)
{
    return SPAN_NONE;
}

static enum err write_file(const char *path, struct span bytes)
{
    FILE *file = fopen(path, "wb");
    bool is_written = file != NULL && fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
    is_written = file != NULL && fclose(file) == 0 && is_written;
    if (!is_written) {
        log_error("cannot write %s: %s", path, strerror(errno));
    }
    return is_written ? OK : ERR_IO;
}

int main(int argc, char **argv)
{
    struct ruleset *ruleset = NULL;
    char *bytes = NULL;
    size_t size = 0;
    if (argc != 2) {
        log_error("usage: compile_rules FILE");
        return EXIT_FAILURE;
    }
    enum err err = ruleset_create(NULL, 0, &ruleset);
    if (err == OK) {
        err = text_rules_store(ruleset->text_rules, &bytes, &size);
    }
    if (err == OK) {
        err = write_file(argv[1], (struct span){bytes, size});
    }
    free(bytes);
    ruleset_destroy(&ruleset);
    return err == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

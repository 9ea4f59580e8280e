/* classify/rules.c - a set of rules: read, checked, and never changed again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

static enum err load_codes(struct span text, struct codes **out)
{
    struct yaml *yaml;
    enum err err = yaml_parse("rules/codes.yaml", text, &yaml);
    if (err != OK) {
        return err;
    }
    err = codes_load(yaml, out);
    if (yaml_report(yaml) != OK) {
        err = ERR_BAD_CONFIG;
    }
    yaml_close(&yaml);
    return err;
}

enum err ruleset_create(struct ruleset **out)
{
    const struct span codes = rules_embedded_codes();
    struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
    if (ruleset == NULL) {
        return ERR_NO_MEMORY;
    }
    const enum err err = load_codes(codes, &ruleset->codes);
    if (err != OK) {
        ruleset_destroy(&ruleset);
        return err;
    }
    (void)snprintf(ruleset->version, sizeof(ruleset->version), "%016" PRIx64,
                   XXH3_64bits(codes.data, codes.size));
    *out = ruleset;
    return OK;
}

void ruleset_destroy(struct ruleset **ruleset)
{
    if (*ruleset == NULL) {
        return;
    }
    codes_destroy(&(*ruleset)->codes);
    free(*ruleset);
    *ruleset = NULL;
}

const char *ruleset_version(const struct ruleset *ruleset)
{
    return ruleset->version;
}

/* classify/rules.c - a set of rules: read, checked, and never changed again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "base/log.h"

static void close_files(struct rule_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yaml_close(&files[i].yaml);
    }
    free(files);
}

void ruleset_destroy(struct ruleset **ruleset)
{
    struct ruleset *r = *ruleset;
    *ruleset = NULL;
    if (r != NULL) {
        codes_destroy(&r->codes);
        text_rules_destroy(&r->text_rules);
        close_files(r->files, r->file_count);
        free(r);
    }
}

/* Keys, values and their order; not comments and line breaks. Bounded by YAML_DEPTH_MAX. */
static void hash_node(XXH3_state_t *state, const struct yaml_node *node)
{
    const uint64_t head[3] = {node->kind, node->key.size, node->text.size};
    XXH3_64bits_update(state, head, sizeof(head));
    XXH3_64bits_update(state, node->key.data, node->key.size);
    XXH3_64bits_update(state, node->text.data, node->text.size);
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        hash_node(state, child);
    }
    XXH3_64bits_update(state, ".", 1);
}

static void make_version(struct ruleset *ruleset)
{
    XXH3_state_t *state = XXH3_createState();
    CHECK(state != NULL);
    XXH3_64bits_reset(state);
    for (size_t i = 0; i < ruleset->file_count; i++) {
        hash_node(state, yaml_root(ruleset->files[i].yaml));
    }
    (void)snprintf(ruleset->version, sizeof(ruleset->version), "%016" PRIx64,
                   XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

/* Both kinds of rules are read, whatever is wrong with the first: the user sees all at once. */
static enum err load(const struct rule_file *files,
                     size_t count,
                     struct span stored,
                     struct ruleset *ruleset)
{
    static const char *const KEYS[] = {"first", "provider", "rules", "codes"};
    bool has_fault = false;
    for (size_t i = 0; i < count; i++) {
        yaml_known_keys(files[i].yaml, yaml_root(files[i].yaml), KEYS,
                        sizeof(KEYS) / sizeof(KEYS[0]));
        has_fault = has_fault || yaml_fault_count(files[i].yaml) > 0;
    }
    const enum err codes = codes_load(files, count, &ruleset->codes);
    const enum err text = text_rules_load(files, count, stored, &ruleset->text_rules);
    if (codes == ERR_NO_MEMORY || text == ERR_NO_MEMORY) {
        return ERR_NO_MEMORY;
    }
    return codes != OK || text != OK || has_fault ? ERR_BAD_CONFIG : OK;
}

enum err rules_read(const struct rule_file *files,
                    size_t count,
                    struct span stored,
                    struct ruleset **out)
{
    struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
    struct rule_file *own = calloc(count + 1, sizeof(*own));
    enum err err =
        ruleset == NULL || own == NULL ? ERR_NO_MEMORY : load(files, count, stored, ruleset);
    if (err != OK) {
        free(own);
        ruleset_destroy(&ruleset);
        return err;
    }
    memcpy(own, files, count * sizeof(*own));
    ruleset->files = own;
    ruleset->file_count = count;
    make_version(ruleset);
    *out = ruleset;
    return OK;
}

/* What is no YAML or cannot be read was logged; the other files are read all the same. */
static enum err open_files(const char *const *paths,
                           size_t path_count,
                           struct rule_file *files,
                           size_t *count)
{
    enum err err = OK;
    for (size_t i = 0; i < path_count + rules_embedded_count(); i++) {
        const bool is_shipped = i >= path_count;
        struct rule_file file = {.is_shipped = is_shipped};
        enum err opened;
        if (is_shipped) {
            const struct embedded_file embedded = rules_embedded_at(i - path_count);
            opened = yaml_parse(embedded.name, embedded.text, &file.yaml);
        } else {
            opened = yaml_open(paths[i], &file.yaml);
        }
        if (opened == OK) {
            files[(*count)++] = file;
        } else if (err == OK || opened == ERR_NO_MEMORY) {
            err = opened;
        }
    }
    return err;
}

static enum err report(const struct rule_file *files, size_t count)
{
    enum err err = OK;
    for (size_t i = 0; i < count; i++) {
        const enum err told = yaml_report(files[i].yaml);
        err = err == OK ? told : err;
    }
    return err;
}

enum err ruleset_create(const char *const *paths, size_t path_count, struct ruleset **out)
{
    const size_t wanted = path_count + rules_embedded_count();
    size_t count = 0;
    if (wanted > RULE_FILES_MAX) {
        log_error("rules.files: more than %zu files of rules; join some",
                  RULE_FILES_MAX - rules_embedded_count());
        return ERR_BAD_CONFIG;
    }
    struct rule_file *files = calloc(wanted, sizeof(*files));
    struct ruleset *ruleset = NULL;
    if (files == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = open_files(paths, path_count, files, &count);
    if (err != ERR_NO_MEMORY) {
        const enum err read = rules_read(files, count, rules_embedded_database(), &ruleset);
        const enum err told = report(files, count);
        err = err == OK ? read : err;
        CHECK(err != OK || told == OK);
    }
    if (ruleset == NULL) {
        close_files(files, count);
        return err;
    }
    free(files); /* the trees are the ruleset's */
    if (err != OK) {
        ruleset_destroy(&ruleset);
        return err;
    }
    *out = ruleset;
    return OK;
}

struct ruleset_size ruleset_size(const struct ruleset *ruleset)
{
    return (struct ruleset_size){
        .files = ruleset->file_count,
        .text_rules = text_rules_count(ruleset->text_rules),
        .codes = codes_count(ruleset->codes),
    };
}

const char *ruleset_version(const struct ruleset *ruleset)
{
    return ruleset->version;
}

/* classify/text_database.c - see text_database.h.
 *
 * Stored: XXH3-64 of patterns and flags, 8 bytes as this machine has them; then what
 * hs_serialize_database() makes, which knows the engine's version, its platform, and a checksum.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/text_database.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <hs.h>
#include <xxhash.h>

#include "base/log.h"

enum { FLAGS = HS_FLAG_CASELESS | HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH };

/* What the engine is given of the patterns that it has not refused. */
struct accepted {
    const char **texts;
    unsigned *flags;
    unsigned *numbers;
    unsigned count;
};

/* One try over all; the engine names the first that it cannot compile: *refused is its index. */
static enum err compile_once(const struct accepted *accepted,
                             struct hs_database **database,
                             unsigned *refused,
                             hs_compile_error_t **error)
{
    const hs_platform_info_t any = {.tune = HS_TUNE_FAMILY_GENERIC};
    const hs_error_t result =
        hs_compile_multi(accepted->texts, accepted->flags, accepted->numbers, accepted->count,
                         HS_MODE_BLOCK, &any, database, error);
    if (result == HS_SUCCESS) {
        return OK;
    }
    if (result != HS_COMPILER_ERROR || (*error)->expression < 0) {
        return ERR_NO_MEMORY;
    }
    *refused = (unsigned)(*error)->expression;
    return ERR_BAD_CONFIG;
}

static void leave_out(struct accepted *accepted, unsigned i)
{
    accepted->count--;
    for (; i < accepted->count; i++) {
        accepted->texts[i] = accepted->texts[i + 1];
        accepted->numbers[i] = accepted->numbers[i + 1];
    }
}

static enum err compile_accepted(struct accepted *accepted,
                                 void (*fault)(void *context, size_t i, const char *words),
                                 void *context,
                                 struct hs_database **out)
{
    struct hs_database *database = NULL;
    enum err err = OK;
    while (accepted->count > 0) {
        hs_compile_error_t *error = NULL;
        unsigned refused = 0;
        const enum err once = compile_once(accepted, &database, &refused, &error);
        if (once == ERR_NO_MEMORY) {
            hs_free_compile_error(error);
            return once;
        }
        if (once == OK) {
            break;
        }
        fault(context, accepted->numbers[refused], error->message);
        hs_free_compile_error(error);
        leave_out(accepted, refused);
        err = ERR_BAD_CONFIG;
    }
    *out = database;
    return err;
}

enum err text_database_compile(const struct text_patterns *patterns,
                               void (*fault)(void *context, size_t i, const char *words),
                               void *context,
                               struct hs_database **out)
{
    struct accepted accepted = {
        .texts = calloc(patterns->count + 1, sizeof(accepted.texts[0])),
        .flags = calloc(patterns->count + 1, sizeof(accepted.flags[0])),
        .numbers = calloc(patterns->count + 1, sizeof(accepted.numbers[0])),
        .count = patterns->count,
    };
    enum err err = ERR_NO_MEMORY;
    if (accepted.texts != NULL && accepted.flags != NULL && accepted.numbers != NULL) {
        for (unsigned i = 0; i < patterns->count; i++) {
            accepted.texts[i] = patterns->texts[i];
            accepted.flags[i] = FLAGS;
            accepted.numbers[i] = i;
        }
        err = compile_accepted(&accepted, fault, context, out);
    }
    free(accepted.texts);
    free(accepted.flags);
    free(accepted.numbers);
    return err;
}

void text_database_destroy(struct hs_database **database)
{
    CHECK(hs_free_database(*database) == HS_SUCCESS);
    *database = NULL;
}

/* --- stored ------------------------------------------------------------------------------------
 */

static uint64_t hash_of(const struct text_patterns *patterns)
{
    const unsigned flags = FLAGS;
    XXH3_state_t *state = XXH3_createState();
    CHECK(state != NULL);
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &flags, sizeof(flags));
    for (unsigned i = 0; i < patterns->count; i++) {
        XXH3_64bits_update(state, patterns->texts[i], strlen(patterns->texts[i]) + 1);
    }
    const uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

enum err text_database_store(const struct hs_database *database,
                             const struct text_patterns *patterns,
                             char **out,
                             size_t *size)
{
    const uint64_t hash = hash_of(patterns);
    char *serialized;
    size_t serialized_size;
    const hs_error_t result = hs_serialize_database(database, &serialized, &serialized_size);
    CHECK(result == HS_SUCCESS || result == HS_NOMEM);
    if (result != HS_SUCCESS) {
        return ERR_NO_MEMORY;
    }
    char *bytes = malloc(sizeof(hash) + serialized_size);
    if (bytes != NULL) {
        memcpy(bytes, &hash, sizeof(hash));
        memcpy(bytes + sizeof(hash), serialized, serialized_size);
        *out = bytes;
        *size = sizeof(hash) + serialized_size;
    }
    free(serialized);
    return bytes == NULL ? ERR_NO_MEMORY : OK;
}

enum err text_database_load(struct span stored,
                            const struct text_patterns *patterns,
                            struct hs_database **out)
{
    uint64_t hash;
    if (stored.size < sizeof(hash)) {
        return ERR_BAD_FORMAT;
    }
    memcpy(&hash, stored.data, sizeof(hash));
    if (hash != hash_of(patterns)) {
        return ERR_BAD_FORMAT;
    }
    switch (hs_deserialize_database(stored.data + sizeof(hash), stored.size - sizeof(hash), out)) {
    case HS_SUCCESS:
        return OK;
    case HS_NOMEM:
        return ERR_NO_MEMORY;
    case HS_DB_VERSION_ERROR:
    case HS_DB_PLATFORM_ERROR:
    case HS_DB_MODE_ERROR:
        return ERR_BAD_VERSION;
    default:
        return ERR_BAD_FORMAT;
    }
}

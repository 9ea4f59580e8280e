/* classify/classify.c - the order of decision (design 4) on one page.
 *
 *   1 what needs no reading: kinds that are no failures, the event's own category, local origin
 *   2 provider rules, 3 text rules
 *   4 the table of codes
 *   5 unknown
 *
 * An enhanced code stands as it is, also where its class contradicts the reply code (450 5.1.1,
 * 554 4.4.7): its subject and detail say what it is about, and whether anybody tries again is the
 * kind's affair. A class of 2 under a failure says nothing and is passed over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/classify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base/embed.h"
#include "base/log.h"
#include "classify/codes.h"
#include "classify/text_rules.h"

EMBED_FILE(rules_codes, RULES_DIRECTORY "/codes.yaml");

enum { VERSION_SIZE = 17, PERMANENT_MIN = 500 };

struct ruleset {
    struct codes *codes;
    char version[VERSION_SIZE];
};

static const char *const FOUND_BY_NAMES[FOUND_BY_COUNT] = {
    [FOUND_BY_NONE] = "none", [FOUND_BY_CODE] = "code",         [FOUND_BY_ENHANCED] = "enhanced",
    [FOUND_BY_TEXT] = "text", [FOUND_BY_PROVIDER] = "provider",
};

const char *found_by_name(enum found_by by)
{
    CHECK(by < FOUND_BY_COUNT);
    return FOUND_BY_NAMES[by];
}

/* --- the rules ------------------------------------------------------------------------------ */

void ruleset_destroy(struct ruleset **ruleset)
{
    struct ruleset *r = *ruleset;
    *ruleset = NULL;
    if (r != NULL) {
        codes_destroy(&r->codes);
        free(r);
    }
}

static enum err read_codes(struct ruleset *ruleset, struct span text)
{
    static const char *const KEYS[] = {"codes"};
    struct yaml *file;
    enum err err = yaml_parse("classify/rules/codes.yaml", text, &file);
    if (err != OK) {
        return err;
    }
    yaml_known_keys(file, yaml_root(file), KEYS, sizeof(KEYS) / sizeof(KEYS[0]));
    err = codes_create(file, &ruleset->codes);
    if (err == OK) {
        err = yaml_report(file);
    }
    yaml_close(&file);
    return err;
}

enum err ruleset_create(struct ruleset **out)
{
    struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
    if (ruleset == NULL) {
        return ERR_NO_MEMORY;
    }
    const struct span text = {rules_codes_begin, (size_t)(rules_codes_end - rules_codes_begin)};
    snprintf(ruleset->version, sizeof(ruleset->version), "%016" PRIx64,
             (uint64_t)XXH3_64bits(text.data, text.size));
    const enum err err = read_codes(ruleset, text);
    if (err != OK) {
        ruleset_destroy(&ruleset);
        return err;
    }
    *out = ruleset;
    return OK;
}

const char *ruleset_version(const struct ruleset *ruleset)
{
    return ruleset->version;
}

/* --- the order ------------------------------------------------------------------------------ */

static struct meaning meaning_of(const struct event *event,
                                 enum category category,
                                 enum found_by by,
                                 const char *rule)
{
    enum class class_ = category_class(category);
    if (class_ == CLASS_HARD && event->kind == KIND_DEFERRED) {
        class_ = CLASS_SOFT; /* nobody may act upon it while the MTA retries */
    }
    return (struct meaning){.category = category, .class_ = class_, .by = by, .rule = rule};
}

/* 1: true if the event means what it means whatever its reply says. */
static bool needs_no_reading(const struct event *event, struct meaning *out)
{
    enum category category = CATEGORY_NONE;
    const char *rule = "";
    if (event->category != CATEGORY_NONE) {
        category = event->category;
        rule = "event";
    } else if (event->kind == KIND_COMPLAINT) {
        category = CATEGORY_COMPLAINT;
        rule = "kind";
    } else if (event->kind == KIND_UNSUBSCRIBE) {
        category = CATEGORY_UNSUBSCRIBE;
        rule = "kind";
    } else if (kind_is_failure(event->kind)) {
        if (event->origin != ORIGIN_LOCAL) {
            return false;
        }
        category = event->kind == KIND_EXPIRED ? CATEGORY_EXPIRED : CATEGORY_INTERNAL;
        rule = "local";
    }
    *out = meaning_of(event, category, FOUND_BY_NONE, rule);
    return true;
}

/* 4 */
static bool find_codes(const struct codes *codes, const struct event *event, struct meaning *out)
{
    const struct reply *reply = &event->reply;
    const struct code_row *row = NULL;
    if (reply->enhanced.class_ != 2) {
        row = codes_find_enhanced(codes, reply->code, reply->enhanced);
    }
    if (row != NULL) {
        *out = meaning_of(event, row->category, FOUND_BY_ENHANCED, row->id);
        return true;
    }
    /* a word that we cannot read must not cost a living subscriber at once */
    if (reply->code >= PERMANENT_MIN && span_trim(reply->text).size > 0) {
        return false;
    }
    row = codes_find_code(codes, reply->code);
    if (row != NULL) {
        *out = meaning_of(event, row->category, FOUND_BY_CODE, row->id);
    }
    return row != NULL;
}

/* 5 */
static struct meaning unknown(const struct event *event)
{
    if (event->kind == KIND_EXPIRED) {
        return meaning_of(event, CATEGORY_EXPIRED, FOUND_BY_NONE, "kind");
    }
    const bool is_permanent =
        event->reply.code >= PERMANENT_MIN ||
        (event->reply.code == 0 && event->reply.enhanced.class_ == PERMANENT_MIN / 100);
    return meaning_of(event, is_permanent ? CATEGORY_UNKNOWN_PERMANENT : CATEGORY_UNKNOWN_TRANSIENT,
                      FOUND_BY_NONE, "");
}

struct meaning classify(const struct ruleset *ruleset, const struct event *event)
{
    struct meaning meaning;
    if (needs_no_reading(event, &meaning) || text_rules_find(event, &meaning) ||
        find_codes(ruleset->codes, event, &meaning)) {
        return meaning;
    }
    return unknown(event);
}

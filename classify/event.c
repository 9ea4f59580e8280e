/* classify/event.c - see event.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/event.h"

#include "base/log.h"

static const char *const KIND_NAMES[KIND_COUNT] = {
#define KIND(NAME, name) [KIND_##NAME] = #name,
#include "classify/event.def"
};

static const char *const STAGE_NAMES[STAGE_COUNT] = {
#define STAGE(NAME, name) [STAGE_##NAME] = #name,
#include "classify/event.def"
};

static const char *const CLASS_NAMES[CLASS_COUNT] = {
#define CLASS(NAME, name) [CLASS_##NAME] = #name,
#include "classify/event.def"
};

static const char *const CATEGORY_NAMES[CATEGORY_COUNT] = {
#define CATEGORY(NAME, name, CLASS) [CATEGORY_##NAME] = #name,
#include "classify/event.def"
};

static const enum class CATEGORY_CLASSES[CATEGORY_COUNT] = {
#define CATEGORY(NAME, name, CLASS) [CATEGORY_##NAME] = CLASS_##CLASS,
#include "classify/event.def"
};

static const char *const ORIGIN_NAMES[ORIGIN_COUNT] = {"remote", "local"};

const char *kind_name(enum kind kind)
{
    CHECK(kind < KIND_COUNT);
    return KIND_NAMES[kind];
}

const char *stage_name(enum stage stage)
{
    CHECK(stage < STAGE_COUNT);
    return STAGE_NAMES[stage];
}

const char *class_name(enum class class_)
{
    CHECK(class_ < CLASS_COUNT);
    return CLASS_NAMES[class_];
}

const char *category_name(enum category category)
{
    CHECK(category < CATEGORY_COUNT);
    return CATEGORY_NAMES[category];
}

const char *origin_name(enum origin origin)
{
    CHECK(origin < ORIGIN_COUNT);
    return ORIGIN_NAMES[origin];
}

/* The tables are short and the callers are per event at most: a scan is enough. */
static bool find_name(const char *const *names, int count, struct span name, int *out)
{
    for (int i = 0; i < count; i++) {
        if (span_equal(span_of(names[i]), name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool kind_find(struct span name, enum kind *out)
{
    int found;
    if (!find_name(KIND_NAMES, KIND_COUNT, name, &found)) {
        return false;
    }
    *out = (enum kind)found;
    return true;
}

bool stage_find(struct span name, enum stage *out)
{
    int found;
    if (!find_name(STAGE_NAMES, STAGE_COUNT, name, &found) || found == STAGE_NONE) {
        return false;
    }
    *out = (enum stage)found;
    return true;
}

bool category_find(struct span name, enum category *out)
{
    int found;
    if (!find_name(CATEGORY_NAMES, CATEGORY_COUNT, name, &found) || found == CATEGORY_NONE) {
        return false;
    }
    *out = (enum category)found;
    return true;
}

bool origin_find(struct span name, enum origin *out)
{
    int found;
    if (!find_name(ORIGIN_NAMES, ORIGIN_COUNT, name, &found)) {
        return false;
    }
    *out = (enum origin)found;
    return true;
}

enum class category_class(enum category category) {
    CHECK(category < CATEGORY_COUNT); return CATEGORY_CLASSES[category];
}

bool kind_is_final(enum kind kind)
{
    return kind == KIND_BOUNCED || kind == KIND_EXPIRED || kind == KIND_LATE_BOUNCE;
}

bool kind_is_failure(enum kind kind)
{
    return kind == KIND_DEFERRED || kind_is_final(kind);
}

struct event event_init(void)
{
    return (struct event){.kind = KIND_IGNORED, .origin = ORIGIN_REMOTE, .attempt = -1};
}

/* consumer/test_points.c - see test_points.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/test_points.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { NAMES_SIZE = 1024 };

struct point {
    const char *name;
    bool is_of_intake;
};

#define POINT_ROW(id, text, of_intake) [id] = {text, of_intake},
#define PLANT_ROW(id, text)            [id] = (text),
static const struct point POINTS[] = {TEST_POINTS(POINT_ROW)};
static const char *const PLANTS[] = {TEST_PLANTS(PLANT_ROW)};

/* At which pass of a point of a role something happens. Written before threads start. */
struct trigger {
    bool is_of_intake;
    int point;
    unsigned nth; /* 0: never */
    _Atomic unsigned passes;
};

static struct trigger crash;
static struct trigger stop;
static struct trigger nap;
static struct trigger abortion; /* its point is not used */
static int planted = -1;

/* --- the environment ------------------------------------------------------------------------ */

static bool is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

static int find_point(const char *text, size_t size, bool is_of_intake)
{
    for (int i = 0; i < TEST_POINT_COUNT; i++) {
        if (is_word(text, size, POINTS[i].name) && (POINTS[i].is_of_intake || !is_of_intake)) {
            return i;
        }
    }
    return -1;
}

/* [:N] */
static bool read_nth(const char *text, unsigned *nth)
{
    char *end = NULL;
    *nth = 1;
    if (*text == ':') {
        *nth = (unsigned)strtoul(text + 1, &end, 10);
        return end != text + 1 && *end == '\0' && *nth > 0;
    }
    return *text == '\0';
}

/* ROLE[.POINT][:N] */
static bool read_trigger(const char *text, bool has_point, struct trigger *trigger)
{
    const size_t role_size = strcspn(text, ".:");
    const bool is_of_intake = is_word(text, role_size, "intake");
    if (!is_of_intake && !is_word(text, role_size, "shard")) {
        return false;
    }
    trigger->is_of_intake = is_of_intake;
    text += role_size;
    if (has_point && *text == '.') {
        const size_t size = strcspn(text + 1, ":");
        trigger->point = find_point(text + 1, size, is_of_intake);
        text += 1 + size;
    } else if (has_point) {
        return false;
    }
    return trigger->point >= 0 && read_nth(text, &trigger->nth);
}

/* " ROLENAME" behind what stands there. */
static void append_name(char names[NAMES_SIZE], const char *role, const char *name)
{
    const size_t used = strlen(names);
    const int added = snprintf(names + used, NAMES_SIZE - used, " %s%s", role, name);
    CHECK(added > 0 && used + (size_t)added < NAMES_SIZE);
}

static enum err refuse(const char *variable, const char *value)
{
    char points[NAMES_SIZE] = "";
    char plants[NAMES_SIZE] = "";
    for (int i = 0; i < TEST_POINT_COUNT; i++) {
        if (POINTS[i].is_of_intake) {
            append_name(points, "intake.", POINTS[i].name);
        }
        append_name(points, "shard.", POINTS[i].name);
    }
    for (int i = 0; i < TEST_PLANT_COUNT; i++) {
        append_name(plants, "", PLANTS[i]);
    }
    log_error("%s=%s is unknown; points:%s; plants:%s", variable, value, points, plants);
    return ERR_BAD_CONFIG;
}

static enum err take_trigger(const char *variable, bool has_point, struct trigger *trigger)
{
    const char *value = getenv(variable);
    return value == NULL || read_trigger(value, has_point, trigger) ? OK : refuse(variable, value);
}

static enum err take_plant(const char *variable)
{
    const char *value = getenv(variable);
    for (int i = 0; value != NULL && i < TEST_PLANT_COUNT; i++) {
        if (strcmp(value, PLANTS[i]) == 0) {
            planted = i;
        }
    }
    return value == NULL || planted >= 0 ? OK : refuse(variable, value);
}

enum err test_points_read(void)
{
    enum err err = take_trigger("SUPPRESSD_CRASH_AT", true, &crash);
    if (err == OK) {
        err = take_trigger("SUPPRESSD_STOP_AT", true, &stop);
    }
    if (err == OK) {
        err = take_trigger("SUPPRESSD_NAP_AT", true, &nap);
    }
    if (err == OK) {
        err = take_trigger("SUPPRESSD_ABORT_AT", false, &abortion);
    }
    return err == OK ? take_plant("SUPPRESSD_PLANT") : err;
}

/* --- the places ----------------------------------------------------------------------------- */

/* The pass of this worker counted; 0 if the trigger is not for its role. */
static unsigned count_pass(struct trigger *trigger, const char *worker)
{
    const char *role = trigger->is_of_intake ? "intake-" : "shard-";
    if (trigger->nth == 0 || strncmp(worker, role, strlen(role)) != 0) {
        return 0;
    }
    return 1 + atomic_fetch_add_explicit(&trigger->passes, 1, memory_order_relaxed);
}

static bool is_now(struct trigger *trigger, enum test_point point, const char *worker)
{
    return trigger->nth != 0 && trigger->point == (int)point &&
           count_pass(trigger, worker) == trigger->nth;
}

void test_point_pass(enum test_point point, const char *worker)
{
    if (is_now(&crash, point, worker)) {
        kill(getpid(), SIGKILL);
    }
    if (is_now(&stop, point, worker)) {
        kill(getpid(), SIGSTOP);
    }
    if (is_now(&nap, point, worker)) {
        log_warn("a test lets it sleep worker=%s", worker);
        sleep(TEST_NAP_S);
    }
}

bool test_is_aborting(const char *worker)
{
    const unsigned passes = count_pass(&abortion, worker);
    return passes > 0 && passes % abortion.nth == 0;
}

bool test_has_planted(enum test_plant plant)
{
    return planted == (int)plant;
}

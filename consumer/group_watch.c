/* consumer/group_watch.c - see group_watch.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/group_watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

enum {
    LOOK_INTERVAL_MS = 3000,
    LOOK_TIMEOUT_MS = 2000,
    LOOKS_ALIKE = 3, /* a rebalance has moments in which a partition has no owner */
    REST_LOOKS = 20, /* after a stir */
    SLICE_MS = 50,
};

struct group_watch {
    struct group_config config;
    const char *instance_id;
    struct group *group;
    pthread_t thread;
    const atomic_bool *stop;
    int looks_alike;
};

static void rest(const struct group_watch *watch, int looks)
{
    const struct timespec slice = {0, SLICE_MS * 1000000L};
    for (int ms = 0; ms < looks * LOOK_INTERVAL_MS && !*watch->stop; ms += SLICE_MS) {
        nanosleep(&slice, NULL);
    }
}

/* The group.instance.id of a member is INSTANCE-ROLE-NUMBER. */
static bool is_ours(const struct group_watch *watch, const char *member)
{
    const size_t size = strlen(watch->instance_id);
    return strncmp(member, watch->instance_id, size) == 0 && member[size] == '-';
}

static void stir(struct group_watch *watch, const struct group_state *state)
{
    log_warn("partitions have no reader; the group is made to share them out anew group=%s "
             "partitions=%zu first=%s [%d]",
             watch->config.group_id, state->orphans, state->orphan_topic,
             (int)state->orphan_partition);
    const enum err err = group_stir(watch->group, watch->stop);
    if (err != OK && !*watch->stop) {
        log_warn("the group was not joined, it is tried again group=%s error=%s",
                 watch->config.group_id, err_name(err));
    }
    watch->looks_alike = 0;
    rest(watch, REST_LOOKS);
}

static void *watch_main(void *argument)
{
    struct group_watch *watch = argument;
    while (!*watch->stop) {
        rest(watch, 1);
        struct group_state state;
        const enum err err = group_look(watch->group, LOOK_TIMEOUT_MS, &state);
        if (err == ERR_REFUSED) {
            return NULL;
        }
        const bool is_wrong = err == OK && state.is_stable && state.orphans > 0;
        watch->looks_alike = is_wrong ? watch->looks_alike + 1 : 0;
        if (watch->looks_alike >= LOOKS_ALIKE && is_ours(watch, state.first_member)) {
            stir(watch, &state);
        }
    }
    return NULL;
}

enum err group_watch_start(const struct group_config *config,
                           const char *instance_id,
                           const atomic_bool *stop,
                           struct group_watch **out)
{
    struct group_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return ERR_NO_MEMORY;
    }
    watch->config = *config;
    watch->instance_id = instance_id;
    watch->stop = stop;
    enum err err = group_open(config, &watch->group);
    if (err == OK && pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
        group_close(&watch->group);
        err = ERR_NO_MEMORY;
    }
    if (err != OK) {
        free(watch);
        return err;
    }
    *out = watch;
    return OK;
}

void group_watch_end(struct group_watch **watch)
{
    struct group_watch *w = *watch;
    *watch = NULL;
    if (w == NULL) {
        return;
    }
    pthread_join(w->thread, NULL);
    group_close(&w->group);
    free(w);
}

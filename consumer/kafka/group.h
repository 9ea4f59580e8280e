/* consumer/kafka/group.h - a consumer group seen from outside: who reads what, and a push.
 *
 * A cooperative rebalance hands a partition over in two steps: its owner gives it up and joins
 * again, and the second assignment gives it to another. A static member that dies between the two
 * and is back within its session is given what it had after the first, and the broker sees no
 * reason for a second. Likewise a leader that starts anew knows no smaller number of partitions
 * than there are now. Then a partition has no reader until the next rebalance, whenever that is.
 *
 * Thread:  confined to one.
 * Time:    every call is bounded by the timeout that it is given; group_stir() by
 *          GROUP_STIR_MAX_MS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/kafka/io.h"

enum { GROUP_NAME_SIZE = 256, GROUP_STIR_MAX_MS = 60000 };

struct group_config {
    const char *group_id;
    const char *const *inputs; /* what the group reads */
    size_t input_count;
    const char *guest_topic; /* what it does not read, and we may */
    const struct io_property *properties;
    size_t property_count;
};

struct group_state {
    bool is_stable;                     /* no rebalance is under way */
    size_t orphans;                     /* partitions of the inputs that no member has */
    char orphan_topic[GROUP_NAME_SIZE]; /* the first of them */
    int32_t orphan_partition;
    char first_member[GROUP_NAME_SIZE]; /* the smallest group.instance.id: every process sees the
                                           same, and so one knows that it is the one to act */
};

struct group;

/* Everything in config is borrowed until close. ERR_BAD_CONFIG: a property. */
MUST_USE enum err group_open(const struct group_config *config, struct group **out);
void group_close(struct group **group);

/* ERR_TIMEOUT: no answer now. ERR_REFUSED: not allowed, or the cluster cannot tell (an old one, the
 * embedded one); logged. */
MUST_USE enum err group_look(struct group *group, int timeout_ms, struct group_state *out);

/* Makes the group share its partitions out anew: joins it as a guest who wants nothing of what it
 * reads, and leaves again. The other members keep what they have. */
MUST_USE enum err group_stir(struct group *group, const atomic_bool *stop);

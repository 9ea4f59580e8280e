/* consumer/group_watch.h - notices partitions that no member of a group reads, and has them shared
 * out anew (why that happens: kafka/group.h).
 *
 * Thread:  one of its own, from start to stop.
 * Limits:  asks the brokers each 3 s; acts after three looks that say the same, at most once a
 *          minute, and only in the process that holds the group's first member.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/kafka/group.h"

struct group_watch;

/* instance_id: of this process; its members' group.instance.id begin so. Watches until *stop.
 * Everything is borrowed until end. */
MUST_USE enum err group_watch_start(const struct group_config *config,
                                    const char *instance_id,
                                    const atomic_bool *stop,
                                    struct group_watch **out);
/* *stop was set before: some seconds at most. */
void group_watch_end(struct group_watch **watch);

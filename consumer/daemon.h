/* consumer/daemon.h - the threads of one process: workers of both roles, and the watchdog over
 * them.
 *
 * Thread:  daemon_start() and the rest on one thread, the caller's; workers are their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/intake_worker.h"
#include "consumer/setup.h"
#include "consumer/shard_worker.h"

struct daemon;

/* Starts config's numbers of workers on this bootstrap's topics. Everything is borrowed until
 * daemon_stop(). */
MUST_USE enum err daemon_start(const struct config *config,
                               const struct setup *setup,
                               struct daemon **out);

/* From now on partitions that no member of a group reads are noticed and shared out anew
 * (group_watch.h). Not with the embedded cluster, which knows no answer. */
MUST_USE enum err daemon_watch_groups(struct daemon *daemon);

/* Call about once a second. OK: all is well. ERR_REFUSED and others: a worker has ended by itself,
 * and said why: stop. Does not return where a worker hangs in a call: then it says so and ends the
 * process with code 70. */
enum err daemon_check(struct daemon *daemon);

/* Ends the workers (each commits and leaves) and frees everything, or, where a worker does not end
 * within 9 s, the process (code 70). The first refusal of a worker,
 * or OK. */
enum err daemon_stop(struct daemon **daemon);

/* Have so many records been taken, and all that they led to been decided? For the demo. */
bool daemon_has_decided(const struct daemon *daemon, uint64_t records);

/* One line per worker: what it does now and has done. */
void daemon_log_status(const struct daemon *daemon);

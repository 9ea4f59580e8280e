/* bench/process.h - a child process and what it used: each thing that is measured is a process of
 * its own, so that nothing else is in its figures.
 *
 * Thread:  the main thread. A child dies with this process, however it ends.
 * Errors:  ERR_IO: it could not be started, or ended with another exit code than 0; said.
 *          ERR_TIMEOUT: it did not end in time and was killed; said.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct process_usage {
    int64_t cpu_ns; /* user and system, all threads, from its start to its end */
    int64_t max_rss_bytes;
};

/* Standard output and error go to the file `log`, at its end. */
MUST_USE enum err process_start(const char *const *argv, const char *log, pid_t *out);

/* Has it not ended? Does not wait. */
bool process_is_running(pid_t pid);

/* Waits for its end; sends `signal` before, 0: none. */
MUST_USE enum err process_end(pid_t pid, int signal, int timeout_ms, struct process_usage *usage);

/* Ends it at once. */
void process_kill(pid_t pid);

/* Start and end. */
MUST_USE enum err process_run(const char *const *argv,
                              const char *log,
                              int timeout_ms,
                              struct process_usage *usage);

int64_t bench_mono_ns(void);
int64_t bench_wall_ms(void);
void bench_sleep_ms(int ms);

/* bench/events.c - the bench's events as lines, for `suppressd replay` and for profiles without
 * Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/mail.h"

enum { DAYS = 6 };

static const int64_t FIRST_MS = INT64_C(1768204800000); /* 2026-01-12: the same lines each time */

static int run(const struct bench_command *command, int argc, char **argv)
{
    int64_t events = 1000000;
    bool is_full = false;
    const struct bench_option options[] = {
        {"events", "lines", .number = &events, .least = 1},
        {"full", "records as KumoMTA logs them (1.1 KB), not compact ones (420 B)",
         .flag = &is_full},
    };
    int exit_code;
    if (!bench_options(command, options, 2, argc, argv, &exit_code)) {
        return exit_code;
    }
    const struct mail mail = {.recipients = (uint64_t)events / 5 + 1,
                              .first_ms = FIRST_MS,
                              .span_ms = DAYS * DAY_MS,
                              .events = (uint64_t)events,
                              .is_full = is_full};
    for (uint64_t i = 0; i < mail.events; i++) {
        char memory[MAIL_SIZE_MAX];
        const struct span record = mail_event(&mail, i, memory);
        fwrite(record.data, 1, record.size, stdout);
        putchar('\n');
    }
    return fflush(stdout) == 0 ? BENCH_OK : BENCH_FAILED;
}

const struct bench_command BENCH_EVENTS = {
    .name = "events",
    .summary = "print the events of the bench, one a line",
    .help =
        "Prints the mail events that `pipeline` writes to Kafka, one JSON object a line, always\n"
        "the same: `suppressd-bench events | suppressd replay -f kumomta -` is the way of an\n"
        "event without Kafka.\n",
    .run = run,
};

/* bench/latency.h - from an event to its decision, open loop.
 *
 * Events are sent at a fixed rate, come what may. Some of them are probes: a refusal of an address
 * that nobody else has, so it is suppressed at once. A probe's time runs from the moment at which
 * it was due to be sent (a sender that is late makes it longer, never shorter) to the moment at
 * which a follower that reads committed data only holds its decision. One clock, one machine.
 *
 * Thread:  the main thread; the sender is a thread within.
 * Errors:  ERR_TIMEOUT: a probe's decision did not come. Others as feed.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "bench/histogram.h"
#include "bench/mail.h"
#include "bench/subject.h"

struct latency_plan {
    int64_t rate; /* events a second */
    int64_t seconds;
    int64_t warm_up_seconds; /* before; nothing of it is counted */
    const struct mail *mail; /* what is sent beside the probes */
};

struct latency {
    int64_t rate;
    int64_t sent_rate; /* that the sender reached */
    uint64_t probes;   /* counted */
    struct histogram histogram;
};

/* The subject runs and has nothing to do. */
MUST_USE enum err latency_measure(const struct subject *subject,
                                  const struct latency_plan *plan,
                                  struct latency *out);

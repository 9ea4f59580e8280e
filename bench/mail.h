/* bench/mail.h - log records of a mail platform that does not exist, in KumoMTA's words.
 *
 * Of 10,000 events 9,000 are deliveries; the failures are a table in mail.c. Record i is a function
 * of its arguments alone, so a topic can be made again, byte for byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

enum { MAIL_SIZE_MAX = 2048 };

struct mail {
    uint64_t recipients; /* different ones, chosen evenly */
    int64_t first_ms;    /* time of event 0 */
    int64_t span_ms;     /* over this time the events are spread, in order */
    uint64_t events;     /* so many in it */
    bool is_full;        /* all that KumoMTA logs (1.1 KB), not the compact record (420 B) */
};

/* Writes event i. The span is of `memory`. */
struct span mail_event(const struct mail *mail, uint64_t i, char memory[MAIL_SIZE_MAX]);

/* A refusal of the address "probeN@...": the only event of its recipient, which suppresses it at
 * once. */
struct span mail_probe(const struct mail *mail,
                       uint64_t number,
                       int64_t ts_ms,
                       char memory[MAIL_SIZE_MAX]);

/* Is this key of a decision a probe's, and which one's? */
bool mail_is_probe(struct span key, uint64_t *number);

/* state/publication.h - what a decision looks like to others (design 6).
 *
 *   topic `suppressions`  key: recipient or tenant:recipient
 *                         value: the state of the key after the decision, its shape is
 *                         deploy/suppression.schema.json; a tombstone when nothing is left of it
 *   topic of decisions    key: the same
 *                         value: the decision in full, with the failures that it rests on
 *
 * Both carry the same headers: CloudEvents in binary mode, no address in them; readable on a
 * tombstone too.
 *
 * Thread:  any.
 * Memory:  the caller's writer; what was written before stays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "state/decide.h"

enum {
    PUBLICATION_SIZE_MAX =
        16 * 1024, /* of one value or of all headers together, whatever the event held */
    PUBLICATION_HEADERS_MAX = 12,
};

/* What is the same for all decisions of a process. */
struct publisher {
    const char *policy_name;
    const char *policy_version; /* of rules and policy in force */
    const char *source;         /* ce_source: "suppressd/<application id>" */
};

struct publication_header {
    const char *name;
    struct span value;
};

/* `suppressions`: false, and nothing written, for a tombstone. */
bool publication_write_state(struct writer *out,
                             const struct publisher *publisher,
                             const struct record *record,
                             const struct decision *decision,
                             const struct observation *observation);

void publication_write_decision(struct writer *out,
                                const struct publisher *publisher,
                                const struct record *record,
                                const struct decision *decision,
                                const struct observation *observation);

/* Names are static, values lie in `out`. The number of headers. `traceparent` only where the event
 * brought one. */
size_t publication_headers(struct writer *out,
                           const struct publisher *publisher,
                           const struct record *record,
                           const struct decision *decision,
                           const struct observation *observation,
                           bool is_tombstone,
                           struct publication_header headers[PUBLICATION_HEADERS_MAX]);

/* The line of `replay`: action key rule category expires_ms seq ts_ms, as one JSON object without
 * newline. */
void publication_write_line(struct writer *out,
                            const struct record *record,
                            const struct decision *decision);

/* A key as published, taken apart: tenant is SPAN_NONE for scope global. */
void key_text_split(struct span key, struct span *tenant, struct span *recipient);

/* bench/failures.h - failed events as the intake meets them: many distinct replies, the same for the
 * same seed.
 *
 * The replies of tests/data/replies (inside the program) are templates: their addresses (three of
 * four become the recipient's own), hosts, IP addresses, queue ids and long numbers are drawn anew, some are given in several lines, and where a
 * template has nothing of the kind a server's usual address, host or id is put before or behind it.
 * Numbers of up to four digits and all words stay: they may be what a reply is known by. Reply codes
 * have the shares that they have in the mails of `suppressd-bench pipeline` (mail.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/event.h"

struct failure {
    struct span said; /* the whole reply: `550-5.1.1 text\r\n550 5.1.1 more` */
    struct span recipient;
    enum kind kind; /* 4xx: deferred; 5xx: bounced; no code: late_bounce */
    size_t template;
};

struct failures {
    struct failure *items;
    size_t count;
    struct failure *templates; /* as they stand in the files */
    size_t template_count;
    size_t bytes; /* of all items' replies */
    char *memory;
};

/* `count` failures of which no two say the same. `paths`: files of replies instead of those inside;
 * what is wrong with them is printed. */
MUST_USE enum err failures_create(
    const char *const *paths, size_t path_count, size_t count, uint64_t seed, struct failures *out);
void failures_free(struct failures *failures);

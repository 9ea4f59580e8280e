/* classify/tally.c - see tally.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/tally.h"

#include <stdlib.h>

#include "base/log.h"

enum err tally_init(size_t counters, struct tally *out)
{
    struct tally tally = {.counters = counters, .hits = calloc(counters, sizeof(tally.hits[0]))};
    if (tally.hits == NULL || unknown_create(&tally.by_text) != OK ||
        unknown_create(&tally.by_provider) != OK) {
        tally_fini(&tally);
        return ERR_NO_MEMORY;
    }
    *out = tally;
    return OK;
}

void tally_fini(struct tally *tally)
{
    free(tally->hits);
    unknown_destroy(&tally->by_text);
    unknown_destroy(&tally->by_provider);
    *tally = (struct tally){0};
}

void tally_copy(struct tally *to, const struct tally *from)
{
    CHECK(to->counters == from->counters);
    memcpy(to->hits, from->hits, from->counters * sizeof(from->hits[0]));
    unknown_copy(to->by_text, from->by_text);
    unknown_copy(to->by_provider, from->by_provider);
}

/* classify/text_rules.h - what the words of a reply say: the provider's own dialect first, then the
 * general rules.
 *
 * There are no text rules yet: a find finds nothing, and the table of codes decides. classify()
 * already asks here, in the place that the order of decision gives them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/classify.h"

/* False: no rule knows these words; *out is left alone. */
static inline bool text_rules_find(const struct event *event, struct meaning *out)
{
    (void)event;
    (void)out;
    return false;
}

/* classify/text_rules.c - see text_rules.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/text_rules.h"

#include "base/log.h"

bool text_rules_find(const struct text_rules *rules,
                     const struct event *event,
                     struct text_match *out)
{
    (void)event;
    (void)out;
    CHECK(rules == NULL); /* no file of the program holds any */
    return false;
}

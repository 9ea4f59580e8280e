/* classify/sender_names.h - who a mail was from, by its return path: a template with holes.
 *
 *     b+{campaign}.{}@{tenant}.bounce.example      of b+spring26.ana=x.example@acme.bounce.example: spring26, acme
 *
 * Many platforms write tenant and campaign into the return path (VERP), and some formats carry nothing else of them. A hole
 * takes as little as it can, at least one character, up to the text behind it in the template; {} is of no interest. Letters
 * count as they are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct sender_names {
    struct span
        tenant; /* SPAN_NONE: the template has no such hole, or the sender does not fit it */
    struct span campaign;
};

/* NULL, or what is wrong with the template: a sentence's middle. */
const char *sender_template_check(struct span template);

/* Of a template that is good. */
struct sender_names sender_names_of(struct span template, struct span sender);

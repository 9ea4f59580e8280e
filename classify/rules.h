/* classify/rules.h - the rules of one version, as classify() reads them. For rules.c and
 * classify.c; everybody else has struct ruleset from classify.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/codes.h"
#include "classify/text_rules.h"

enum { RULESET_VERSION_SIZE = 16 };

struct ruleset {
    struct codes *codes;
    struct text_rules *text_rules; /* NULL: none */
    char version[RULESET_VERSION_SIZE + 1];
};

/* The bytes of rules/codes.yaml, as they were when the program was built. */
struct span rules_embedded_codes(void);

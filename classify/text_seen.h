/* classify/text_seen.h - what the patterns see of a reply (rules/README.md, "Patterns").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

enum { TEXT_SEEN_MAX = 2048 }; /* no rule needs more; a longer text is somebody's attempt */

/* The first TEXT_SEEN_MAX bytes of a text; in them line breaks and tabs are one space, and the
 * recipient's own address, wherever it stands, is `x@x.x`. `recipient`: as sent, with or without <>;
 * what is no address stands nowhere. The result is `text` or in `memory`. */
struct span text_seen(struct span text, struct span recipient, char memory[TEXT_SEEN_MAX]);

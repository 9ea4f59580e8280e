/* classify/reply.h - a server's reply, given as one string, taken apart.
 *
 * Thread:  any; nothing is kept.
 * Sources: RFC 5321 4.2 (reply codes, lines), RFC 3463 2 (enhanced status codes), RFC 3464 2.3.6
 *          (`smtp;` in front).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/event.h"

enum { ENHANCED_TEXT_SIZE = 12 }; /* 5.999.999 and NUL fit */

/* `550 5.1.1 text`, `550-5.1.1 text 550 5.1.1 more`, `550 text`, `5.1.1 text`, `text`, each also
 * with `smtp;` in front and in several lines. The prefix of every further line is taken out, also
 * when the lines were joined by somebody before us; lines are joined with one space. A text that
 * needs no change is borrowed from `text`; else it is written to `memory`, which holds as many
 * bytes as `text`. The stage is what the text tells (stage.h). */
struct reply reply_parse(struct span text, char *memory);

/* Exactly `5.1.1`: class 2, 4 or 5, then twice one to three digits. */
bool enhanced_parse(struct span text, struct enhanced *out);

/* NUL-terminated; enhanced.class_ != 0. Returns the size without NUL. */
size_t enhanced_format(struct enhanced enhanced, char out[ENHANCED_TEXT_SIZE]);

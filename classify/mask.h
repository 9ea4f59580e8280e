/* classify/mask.h - a reply's text without what differs from one recipient, message or moment to the
 * next, so that equal replies become equal texts, and nobody's address stands in a report.
 *
 *     550 5.1.1 <ana@example.com>: no such user here (id 4TqXbP3w2Zz9vKq, 10:17:22)
 *     550 5.1.1 <{address}>: no such user here (id {id}, {time})
 *
 * Put in their place: {address} (also the recipient's local part alone), {ip}, {host}, {time}, {n},
 * {id} (queue ids, hashes, base64, what stands alone between angle brackets), ?{query} of a URL.
 * Kept: words, enhanced codes, a reply code before one, short codes of providers (IB605, [TSS04]),
 * host and path of a URL. White space and control characters become one space; what is no UTF-8
 * becomes a question mark.
 *
 * It is a best effort: a person's name that is written as words stays.
 *
 * Thread:  any; nothing is kept.
 * Memory:  none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

/* Writes at most `capacity` bytes to `out`, never half a character, and returns how many. What lies
 * behind is not looked at. `recipient`: as the event names it, or SPAN_NONE. */
size_t mask_text(struct span text, struct span recipient, char *out, size_t capacity);

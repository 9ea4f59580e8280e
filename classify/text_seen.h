/* classify/text_seen.h - what the patterns see of a reply (rules/README.md, "Patterns"): its words,
 * without what differs from one recipient, message or moment to the next.
 *
 *     <ana@example.com>: no such user (id 4TqXbP3w2Zz9vKq) [203.0.113.45]
 *     <x@x.x>: no such user (id x0x0) [1.1.1.1]
 *
 * | seen     | of |
 * |----------|----|
 * | x@x.x    | the recipient's own address, as sent, with or without <> |
 * | y@y.y    | any other, but not of whom to ask (postmaster@, abuse@, ...) |
 * | 1.1.1.1  | an IPv4 address, also in links and names of lists; the port behind it: 0 |
 * | 2001::1  | an IPv6 address |
 * | 1-1-2001 | a date of digits, with the time that joins it |
 * | 0:00     | a time of day |
 * | x0x0     | an id of letters and digits: at least 8, that change places three times, or twice with 5
 * |          | digits, or are hexadecimal; base64 with padding; and what is joined to it |
 * | 00000    | 6 digits and more, in links 8, behind letters 7; 5 with a unit (bytes, kB, ms) or `-09` |
 * |          | behind them |
 * | 0        | 2 digits or more in the name of a host, before its last two labels |
 *
 * Everything else stays as it is: words, names of hosts and lists, links, codes of providers (S3140,
 * AUP#1310, TSS04, BL000001), what stands in parentheses as a code, AS(201806281) and (S2017062302).
 * What the rules say of a text does not change by it but where a number of bytes is counted; a rule
 * about something that is not seen does not win its own example and is refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

enum { TEXT_SEEN_MAX = 2048 }; /* no rule needs more; a longer text is somebody's attempt */

/* The first TEXT_SEEN_MAX bytes of a text; in them line breaks and tabs are one space. A `recipient`
 * that is no address stands nowhere. The result is `text` or in `memory`, and no longer than
 * `text`. */
struct span text_seen(struct span text, struct span recipient, char memory[TEXT_SEEN_MAX]);

/* classify/log_line.h - the head of a line of a log: when, which program, and what is behind it.
 *
 *     <22>Nov 21 10:00:02 mx-out1 postfix/smtp[4110]: text              RFC 3164
 *     2026-11-21T10:00:02.118+00:00 mx-out1 postfix/smtp[4110]: text    the same with a whole time
 *     <22>1 2026-11-21T10:00:02Z mx-out1 postfix/smtp 4110 - - text     RFC 5424
 *     postfix/smtp[4110]: text                                          what a shipper leaves of it
 *     text
 *
 * Times without a zone are UTC.
 *
 * Sources: RFC 3164 4.1, RFC 5424 6.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct log_line {
    int64_t ts_ms;       /* 0: there was none that could be read */
    struct span program; /* `postfix/smtp`; SPAN_NONE if there was none */
    struct span text;
};

/* `about_ms`: for times without a year; it is the latest that is not more than a day behind that. 0: such times cannot be
 * read. */
struct log_line log_line_parse(struct span line, int64_t about_ms);

/* `2026-11-21 10:00:02`, with a fraction and a zone or without, at the start: takes it, and blanks behind it, from *text. */
bool log_time_take(struct span *text, int64_t *ms);

/* classify/mail.h - a mail that reports something, taken apart by GMime.
 *
 * Of a mail there is wanted the machine's part of the report (message/delivery-status, message/feedback-report, or their
 * forms of RFC 6533) and the head of the mail that it is about, however deep they lie.
 *
 * Owns:    a struct mail its memory; all spans are borrowed from it.
 * Limits:  MAIL_DEPTH_MAX levels of parts; what lies deeper is not found, nor what is behind the first MAIL_SIZE_MAX
 *          bytes: a report comes first, the mail that it is about may be long, and GMime needs 200 times as much
 *          for a mail of nothing but empty parts.
 * Thread:  any; one mail is confined to one.
 * Sources: RFC 3462, RFC 3464, RFC 5965, RFC 6533; GMime 3 for MIME itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

enum {
    MAIL_DEPTH_MAX = 16,
    MAIL_SIZE_MAX = 512 * 1024,
    MAIL_COLONS_MAX = 64, /* in a field of addresses: each may open a group inside the one before */
};

enum report { REPORT_NONE, REPORT_DELIVERY, REPORT_FEEDBACK };

struct mail;

/* Does it begin like a mail: with the name of a header field? */
bool mail_has_head(struct span bytes);

/* ERR_BAD_FORMAT: it is no mail (it does not begin with a head). ERR_FULL: a field of addresses has more than
 * MAIL_COLONS_MAX colons. ERR_NO_MEMORY. */
MUST_USE enum err mail_read(struct span bytes, struct mail **out);
void mail_destroy(struct mail **mail);

enum report mail_report(const struct mail *mail);
/* The machine's part: blocks of fields. SPAN_NONE if there is none. */
struct span mail_report_fields(const struct mail *mail);
/* The head of the mail that is reported; SPAN_NONE if there is none. */
struct span mail_returned_fields(const struct mail *mail);
/* A field of the mail's own head, SPAN_NONE if it is not there. */
struct span mail_field(const struct mail *mail, const char *name);
/* When the mail was written, by its Date; 0 if it does not say. */
int64_t mail_date_ms(const struct mail *mail);

/* --- blocks of fields: `Name: value`, continued by lines that begin with a blank ---------------
 */

/* The next block, up to an empty line, and what is behind it; false if nothing is left. */
bool fields_next_block(struct span *text, struct span *block);

/* What the first field of that name holds, without blanks around it, as it stands (maybe over several lines); SPAN_NONE if
 * there is none. */
struct span fields_find(struct span block, const char *name);

/* The same of the one after `value`, that was found before. */
struct span fields_find_next(struct span block, const char *name, struct span value);

/* A date of RFC 5322; false if it is none. */
bool fields_date_ms(struct span text, int64_t *ms);

/* What base64 says, blanks and line breaks among it; `memory` holds three bytes more than the text. */
struct span fields_base64(struct span text, char *memory);

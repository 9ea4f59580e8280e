/* classify/format_mail.h - what the formats of mails share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/format.h"
#include "classify/mail.h"

/* Reads the record as a mail and gives it to `report` if it holds such a report; any other mail is one event `ignored`, and what
 * is no mail a fault. */
void decoding_mail(struct decoding *decoding,
                   struct span record,
                   enum report wanted,
                   void (*report)(struct decoding *decoding, const struct mail *mail));

/* What the user named (struct decode_names), as far as the head of the mail that is reported holds it. */
void decoding_take_headers(struct decoding *decoding, struct span head);

/* classify/format_mail.c - see format_mail.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/format_mail.h"

void decoding_mail(struct decoding *decoding,
                   struct span record,
                   enum report wanted,
                   void (*report)(struct decoding *decoding, const struct mail *mail))
{
    struct mail mail;
    const enum err err = mail_read(record, &mail);
    if (err != OK) {
        decoding_fault(decoding, err == ERR_NO_MEMORY
                                     ? "no memory to read the mail"
                                     : "not a mail: it does not begin with a header field");
        return;
    }
    if (mail.report == wanted) {
        report(decoding, &mail);
    } else {
        const struct event event = event_init();
        decoding_event(decoding, &event);
    }
    mail_fini(&mail);
}

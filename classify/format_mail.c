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
    struct mail *mail;
    const enum err err = mail_read(record, &mail);
    if (err != OK) {
        decoding_fault(decoding, err == ERR_NO_MEMORY ? "no memory to read the mail"
                                 : err == ERR_FULL
                                     ? "a field of addresses (From, To, Cc) has more than 64 colons"
                                     : "not a mail: it does not begin with a header field");
        return;
    }
    if (mail_report(mail) == wanted) {
        report(decoding, mail);
    } else {
        const struct event event = event_init();
        decoding_event(decoding, &event);
    }
    mail_destroy(&mail);
}

void decoding_take_headers(struct decoding *decoding, struct span head)
{
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        const char *name = decoding_name(decoding, (enum named)i);
        const struct span value = name == NULL ? SPAN_NONE : fields_find(head, name);
        if (value.size > 0) {
            decoding_take_named(decoding, (enum named)i, value);
        }
    }
}

/* classify/native_class.h - what an upstream's own class of a failure hints at, for replies that neither rule nor code knows.
 *
 * The upstream (KumoMTA, PowerMTA, SparkPost and Momentum, Amazon SES, SendGrid, Mailgun) read the same reply with rules of its own,
 * and some of its classes are mixed. So a hint is never more than careful:
 *
 *     it says                                        it is taken for
 *     our sending was at fault, or the network       that category: such a reply does not count against the recipient
 *     the mailbox is full                            mailbox_full
 *     something is wrong with the mailbox: dead,     soft_other: it counts, and three sends of it suppress for a while; never
 *     inactive, or of a class that mixes such        hard, whatever the upstream says
 *     anything else                                  nothing: unknown, as without it
 *
 * and a deferral never begins to count because of a hint: of the first row alone.
 *
 * Thread:  any.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/event.h"

/* CATEGORY_NONE: it hints at nothing. Never of class hard. Letters may be of either case. */
enum category native_class_find(struct span name);

/* What a failure of this kind, of which nothing else is known, may be taken for; CATEGORY_NONE: nothing. */
enum category native_class_hint(enum kind kind, struct span name);

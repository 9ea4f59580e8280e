/* classify/stage.h - to which command of SMTP a reply is the answer, by the words of those who logged it.
 *
 * Thread:  any; nothing is kept.
 * Sources: postfix/src/smtp/smtp_proto.c (xfer_request, xfer_states), smtp_trouble.c; Exim src/src/transports/smtp.c
 *          (check_response); KumoMTA crates/rfc5321 (Command::encode); Halon, "Post-delivery script" (result.state).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "classify/event.h"

/* Of a command, or a phrase for one: `RCPT TO:<a@b>`, `RCPT TO command`, `pipelined MAIL FROM:<a@b>`, `end of DATA command`,
 * `.`, `EOD`, `sending RCPT TO`, `initial connection`, the stage's own name. Several commands, which nobody has told apart, and other words are
 * STAGE_NONE. */
enum stage stage_of_command(struct span command);

/* Of what an MTA tells of a reply: `... (in reply to MAIL FROM command)`, `host mx[192.0.2.1] refused to talk to me: ...`,
 * `lost connection with mx[192.0.2.1] while sending RCPT TO`, `SMTP error from remote mail server after end of data: ...`.
 * Of several (a server that tells of another one), the outermost: that of this session. */
enum stage stage_in_text(struct span text);

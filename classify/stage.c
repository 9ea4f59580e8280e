/* classify/stage.c - see stage.h.
 *
 * stage_in_text() is asked for every reply, and most tell nothing: it looks at the beginning of the text and at its last
 * bracket, never through the whole of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/stage.h"

#define WORDS(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct {
    struct span words;
    enum stage stage;
} COMMANDS[] = {
    {WORDS("MAIL"), STAGE_MAIL_FROM},
    {WORDS("RCPT"), STAGE_RCPT_TO},
    {WORDS("DATA"), STAGE_DATA},
    {WORDS("."), STAGE_END_OF_DATA},
    {WORDS("end of data"), STAGE_END_OF_DATA},
    {WORDS("EOD"), STAGE_END_OF_DATA},
    {WORDS("BDAT"), STAGE_END_OF_DATA},
    {WORDS("EHLO"), STAGE_EHLO},
    {WORDS("HELO"), STAGE_EHLO},
    {WORDS("LHLO"), STAGE_EHLO},
    {WORDS("STARTTLS"), STAGE_STARTTLS},
    {WORDS("AUTH"), STAGE_AUTH},
    {WORDS("end_of_data"), STAGE_END_OF_DATA},
    {WORDS("initial connection"), STAGE_CONNECT},
    {WORDS("initial server greeting"), STAGE_CONNECT},
    {WORDS("BANNER"), STAGE_CONNECT},
    {WORDS("CONNECT"), STAGE_CONNECT},
};

/* What stands before a command in a sentence. */
static const struct span LEADS[] = {WORDS("pipelined "), WORDS("sending "),
                                    WORDS("performing the "), WORDS("receiving the ")};

static struct span without_lead(struct span text)
{
    for (size_t i = 0; i < sizeof(LEADS) / sizeof(LEADS[0]); i++) {
        if (span_starts_nocase(text, LEADS[i])) {
            return span_skip(text, LEADS[i].size);
        }
    }
    return text;
}

static bool ends_word(struct span rest)
{
    const char c = rest.size == 0 ? ' ' : rest.data[0];
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
}

enum stage stage_of_command(struct span command)
{
    command = without_lead(span_trim(command));
    if (command.size == 0 || memchr(command.data, '\n', command.size) != NULL) {
        return STAGE_NONE;
    }
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        const struct span words = COMMANDS[i].words;
        if (span_starts_nocase(command, words) && ends_word(span_skip(command, words.size))) {
            return COMMANDS[i].stage;
        }
    }
    return STAGE_NONE;
}

/* A text that begins so names the command behind `before`. */
static const struct {
    struct span beginning;
    struct span before;
} TOLD[] = {
    {WORDS("SMTP error from remote mail"), WORDS(" after ")},
    {WORDS("LMTP error after "), WORDS(" after ")},
    {WORDS("SMTP timeout after "), WORDS(" after ")},
    {WORDS("Remote host closed connection in response to "), WORDS(" in response to ")},
    {WORDS("lost connection with "), WORDS(" while ")},
    {WORDS("conversation with "), WORDS(" while ")},
};

static bool begins_with_refusal(struct span text)
{
    return span_starts(text, SPAN("host ")) &&
           span_find(text, SPAN("] refused to talk to me: ")) < text.size;
}

enum stage stage_in_text(struct span text)
{
    static const struct span REPLY_TO = WORDS("(in reply to ");
    const char *open = text.size == 0 ? NULL : memrchr(text.data, '(', text.size);
    if (open != NULL) {
        const struct span last = span_skip(text, (size_t)(open - text.data));
        if (span_starts(last, REPLY_TO)) {
            return stage_of_command(span_skip(last, REPLY_TO.size));
        }
    }
    for (size_t i = 0; i < sizeof(TOLD) / sizeof(TOLD[0]); i++) {
        const struct span before = TOLD[i].before;
        if (span_starts(text, TOLD[i].beginning)) {
            const size_t at = span_find(text, before);
            return at == text.size ? STAGE_NONE
                                   : stage_of_command(span_skip(text, at + before.size));
        }
    }
    return begins_with_refusal(text) ? STAGE_CONNECT : STAGE_NONE;
}

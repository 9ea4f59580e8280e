/* classify/formats.c - all formats of input: by name, and which one a record is of (`auto`); see decode.h and format.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/decode.h"
#include "classify/format.h"

const struct format FORMAT_AUTO = {.name = "auto"};

/* `auto` asks them in this order. */
static const struct format *const FORMATS[] = {
    &FORMAT_KUMOMTA,  &FORMAT_POWERMTA, &FORMAT_POSTFIX,  &FORMAT_EXIM,    &FORMAT_SPARKPOST,
    &FORMAT_MOMENTUM, &FORMAT_SES,      &FORMAT_SENDGRID, &FORMAT_MAILGUN, &FORMAT_HALON,
    &FORMAT_ARF,      &FORMAT_DSN,      &FORMAT_NATIVE,   &FORMAT_AUTO,
};

enum { FORMAT_COUNT = sizeof(FORMATS) / sizeof(FORMATS[0]) };

const struct format *format_find(struct span name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (span_equal(span_of(FORMATS[i]->name), name)) {
            return FORMATS[i];
        }
    }
    return NULL;
}

const char *format_name(const struct format *format)
{
    return format->name;
}

bool format_wants_whole(const struct format *format, struct span beginning)
{
    const struct span text = span_trim(beginning);
    return (text.size > 0 && text.data[0] == '[') || format->mail != NULL ||
           (format == &FORMAT_AUTO &&
            (FORMAT_ARF.is_like_text(text) || FORMAT_DSN.is_like_text(text)));
}

const struct format *format_of_object(const struct format *asked, const struct json_node *object)
{
    if (asked != &FORMAT_AUTO) {
        return asked;
    }
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (FORMATS[i]->is_like_object != NULL && FORMATS[i]->is_like_object(object)) {
            return FORMATS[i];
        }
    }
    return NULL;
}

const struct format *format_of_text(const struct format *asked, struct span text)
{
    if (asked != &FORMAT_AUTO) {
        return asked->line != NULL || asked->mail != NULL ? asked : NULL;
    }
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (FORMATS[i]->is_like_text != NULL && FORMATS[i]->is_like_text(text)) {
            return FORMATS[i];
        }
    }
    return NULL;
}

const struct format *format_at(size_t i)
{
    return i < FORMAT_COUNT ? FORMATS[i] : NULL;
}

/* classify/sender_names.c - see sender_names.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/sender_names.h"

#include <string.h>

static struct span skip(struct span text, size_t size)
{
    return (struct span){text.data + size, text.size - size};
}

/* Up to the next hole or the end. */
static struct span literal_of(struct span template)
{
    const char *open = template.size == 0 ? NULL : memchr(template.data, '{', template.size);
    return (struct span){template.data,
                         open == NULL ? template.size : (size_t)(open - template.data)};
}

/* What stands between the brackets at the start; *size with them, 0 if they are not closed. */
static struct span hole_of(struct span template, size_t *size)
{
    const char *close = memchr(template.data, '}', template.size);
    *size = close == NULL ? 0 : (size_t)(close - template.data) + 1;
    return close == NULL ? SPAN_NONE : (struct span){template.data + 1, *size - 2};
}

const char *sender_template_check(struct span template)
{
    bool has_name = false;
    while (template.size > 0) {
        const struct span literal = literal_of(template);
        template = skip(template, literal.size);
        if (template.size == 0) {
            break;
        }
        size_t size;
        const struct span name = hole_of(template, &size);
        if (size == 0) {
            return "a { that is not closed";
        }
        const bool is_name = span_equal(name, SPAN("tenant")) || span_equal(name, SPAN("campaign"));
        if (!is_name && name.size > 0) {
            return "a hole that is neither {tenant} nor {campaign} nor {}";
        }
        has_name = has_name || is_name;
        template = skip(template, size);
        if (template.size > 0 && template.data[0] == '{') {
            return "two holes side by side: nobody knows where the first ends";
        }
    }
    return has_name ? NULL : "neither {tenant} nor {campaign}";
}

/* How much of the sender the hole takes; 0 if it does not fit. */
static size_t hole_size(struct span sender, struct span behind)
{
    if (behind.size == 0) {
        return sender.size;
    }
    const char *at =
        sender.size < 2 ? NULL : memmem(sender.data + 1, sender.size - 1, behind.data, behind.size);
    return at == NULL ? 0 : (size_t)(at - sender.data);
}

struct sender_names sender_names_of(struct span template, struct span sender)
{
    static const struct sender_names NONE = {.tenant = {NULL, 0}};
    struct sender_names names = NONE;
    while (template.size > 0) {
        const struct span literal = literal_of(template);
        if (!span_starts(sender, literal)) {
            return NONE;
        }
        sender = skip(sender, literal.size);
        template = skip(template, literal.size);
        if (template.size == 0) {
            break;
        }
        size_t size;
        const struct span name = hole_of(template, &size);
        template = skip(template, size);
        const size_t taken = hole_size(sender, literal_of(template));
        if (taken == 0) {
            return NONE;
        }
        if (span_equal(name, SPAN("tenant"))) {
            names.tenant = (struct span){sender.data, taken};
        } else if (span_equal(name, SPAN("campaign"))) {
            names.campaign = (struct span){sender.data, taken};
        }
        sender = skip(sender, taken);
    }
    return sender.size == 0 ? names : NONE;
}

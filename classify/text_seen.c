/* classify/text_seen.c - see text_seen.h.
 *
 * An address is made of words, and they are not the server's: `<full@blocked.example>: User unknown`
 * speaks of no full mailbox and of no blocked host. Without the address, what a server says to many
 * recipients is also one text, which needs to be looked through once. Other addresses stay: a
 * sender's, a postmaster's and where somebody moved to are part of what is said.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/text_seen.h"

#include <string.h>

static const char STANDS_FOR_ADDRESS[] = "x@x.x";

enum { STANDS_FOR_SIZE = sizeof(STANDS_FOR_ADDRESS) - 1 };

static bool is_space(char c)
{
    return c >= '\t' && c <= '\r';
}

static bool has_space(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (is_space(text.data[i])) {
            return true;
        }
    }
    return false;
}

/* Of bytes and no locale. Letters beyond ASCII are none: Chinese text has no spaces. */
static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_+.", c) != NULL);
}

/* Not the end of a longer one (a+b@c of b@c), nor the beginning (b@c.d of b@c; but a sentence may
 * end behind it). */
static bool stands_alone(struct span text, size_t begin, size_t size)
{
    const char *after = text.data + begin + size;
    const char *end = text.data + text.size;
    if (begin > 0 && is_of_name(text.data[begin - 1])) {
        return false;
    }
    if (after < end && *after == '.') {
        after++;
    }
    return after == end || !is_of_name(*after);
}

/* Where the address stands, from byte `from` on; text.size: nowhere. It is looked for by its last @,
 * which few texts have. */
static size_t find_address(struct span text, size_t from, struct span address)
{
    if (text.size == 0 || address.size == 0) {
        return text.size;
    }
    const char *sign = memrchr(address.data, '@', address.size);
    const size_t before = sign == NULL ? 0 : (size_t)(sign - address.data);
    const char *found = text.data + from;
    while (sign != NULL &&
           (found = memchr(found, '@', (size_t)(text.data + text.size - found))) != NULL) {
        const size_t at = (size_t)(found++ - text.data);
        if (at >= from + before && text.size - at >= address.size - before) {
            const size_t begin = at - before;
            const struct span candidate = {text.data + begin, address.size};
            if (span_equal_nocase(candidate, address) && stands_alone(text, begin, address.size)) {
                return begin;
            }
        }
    }
    return text.size;
}

/* One that is shorter than what would stand for it stays. */
static struct span address_of(struct span recipient)
{
    recipient = span_trim(recipient);
    if (recipient.size > 2 && recipient.data[0] == '<' &&
        recipient.data[recipient.size - 1] == '>') {
        recipient = (struct span){recipient.data + 1, recipient.size - 2};
    }
    return recipient.size < STANDS_FOR_SIZE ? SPAN_NONE : recipient;
}

static size_t join_spaces(struct span text, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char c = is_space(text.data[i]) ? ' ' : text.data[i];
        if (c != ' ' || (size > 0 && out[size - 1] != ' ')) {
            out[size++] = c;
        }
    }
    return size;
}

/* Also in place: what is written never overtakes what is read. */
static size_t replace_address(struct span text, struct span address, char *out)
{
    size_t size = 0;
    size_t from = 0;
    while (from < text.size) {
        const size_t at = find_address(text, from, address);
        memmove(out + size, text.data + from, at - from);
        size += at - from;
        from = at;
        if (at < text.size) {
            memcpy(out + size, STANDS_FOR_ADDRESS, STANDS_FOR_SIZE);
            size += STANDS_FOR_SIZE;
            from += address.size;
        }
    }
    return size;
}

struct span text_seen(struct span text, struct span recipient, char memory[TEXT_SEEN_MAX])
{
    const struct span address = address_of(recipient);
    text = span_cut(text, TEXT_SEEN_MAX);
    if (has_space(text)) {
        text = (struct span){memory, join_spaces(text, memory)};
    }
    if (find_address(text, 0, address) < text.size) {
        text = (struct span){memory, replace_address(text, address, memory)};
    }
    return text;
}

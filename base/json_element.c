/* base/json_element.c - where an element of an array ends; see json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/json.h"

#include <string.h>

/* Of a string with its quotes, 0 if it is not closed: a quote behind an odd number of backslashes
 * belongs to it. */
static size_t string_size(struct span text)
{
    size_t from = 1;
    while (from < text.size) {
        const char *quote = memchr(text.data + from, '"', text.size - from);
        if (quote == NULL) {
            return 0;
        }
        const size_t at = (size_t)(quote - text.data);
        size_t backslashes = 0;
        while (text.data[at - 1 - backslashes] == '\\') {
            backslashes++;
        }
        if (backslashes % 2 == 0) {
            return at + 1;
        }
        from = at + 1;
    }
    return 0;
}

static bool ends_element(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || (c >= '\t' && c <= '\r');
}

size_t json_element_size(struct span text)
{
    size_t depth = 0;
    size_t i = 0;
    while (i < text.size && (depth > 0 || !ends_element(text.data[i]))) {
        const char c = text.data[i];
        size_t size = 1;
        if (c == '"') {
            size = string_size((struct span){text.data + i, text.size - i});
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        if (size == 0) {
            return 0;
        }
        i += size;
    }
    return depth == 0 ? i : 0;
}

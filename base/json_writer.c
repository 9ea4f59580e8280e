/* base/json_writer.c - see json.h.
 *
 * One bit of state is enough for the commas: after a value or an end there is one before the next
 * thing, after a begin or a key there is none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/json.h"
#include "base/utf8.h"

static void put_comma(struct json_writer *json)
{
    if (json->comma) {
        put_bytes(json->out, SPAN(","));
    }
}

static void put_value(struct json_writer *json, struct span bytes)
{
    put_comma(json);
    put_bytes(json->out, bytes);
    json->comma = true;
}

static void put_begin(struct json_writer *json, struct span bracket)
{
    put_comma(json);
    put_bytes(json->out, bracket);
    json->comma = false;
}

static void put_end(struct json_writer *json, struct span bracket)
{
    put_bytes(json->out, bracket);
    json->comma = true;
}

void json_begin_object(struct json_writer *json)
{
    put_begin(json, SPAN("{"));
}

void json_end_object(struct json_writer *json)
{
    put_end(json, SPAN("}"));
}

void json_begin_array(struct json_writer *json)
{
    put_begin(json, SPAN("["));
}

void json_end_array(struct json_writer *json)
{
    put_end(json, SPAN("]"));
}

void json_key(struct json_writer *json, const char *key)
{
    put_comma(json);
    put_bytes(json->out, SPAN("\""));
    put_bytes(json->out, span_of(key));
    put_bytes(json->out, SPAN("\":"));
    json->comma = false;
}

/* --- strings ------------------------------------------------------------------------------------
 */

/* How many bytes at the start of `text` may stand in a JSON string as they are. */
static size_t plain_size(struct span text)
{
    size_t i = 0;
    while (i < text.size) {
        const unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            break;
        }
        const size_t size = utf8_sequence_size((struct span){text.data + i, text.size - i});
        if (size == 0) {
            break;
        }
        i += size;
    }
    return i;
}

static void put_escaped(struct writer *out, unsigned char byte)
{
    static const char HEX[] = "0123456789abcdef";
    static const char SHORT[] = "\bb\ff\nn\rr\tt\"\"\\\\"; /* the byte, then its letter */
    for (size_t i = 0; i + 1 < sizeof(SHORT); i += 2) {
        if ((unsigned char)SHORT[i] == byte) {
            put_bytes(out, (struct span){(const char[]){'\\', SHORT[i + 1]}, 2});
            return;
        }
    }
    if (byte >= 0x80) {
        put_bytes(out, SPAN("\xef\xbf\xbd"));
        return;
    }
    const char escape[] = {'\\', 'u', '0', '0', HEX[byte >> 4], HEX[byte & 15]};
    put_bytes(out, (struct span){escape, sizeof(escape)});
}

void json_string(struct json_writer *json, struct span text)
{
    put_value(json, SPAN("\""));
    while (text.size > 0) {
        const size_t size = plain_size(text);
        put_bytes(json->out, (struct span){text.data, size});
        if (size == text.size) {
            break;
        }
        put_escaped(json->out, (unsigned char)text.data[size]);
        text = (struct span){text.data + size + 1, text.size - size - 1};
    }
    put_bytes(json->out, SPAN("\""));
}

/* --- other values -------------------------------------------------------------------------------
 */

void json_int(struct json_writer *json, int64_t value)
{
    char digits[24];
    const char *end = digits + sizeof(digits);
    char *at = digits + sizeof(digits);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        *--at = '-';
    }
    put_value(json, (struct span){at, (size_t)(end - at)});
}

void json_bool(struct json_writer *json, bool value)
{
    put_value(json, value ? SPAN("true") : SPAN("false"));
}

void json_null(struct json_writer *json)
{
    put_value(json, SPAN("null"));
}

void json_member_string(struct json_writer *json, const char *key, struct span text)
{
    json_key(json, key);
    json_string(json, text);
}

void json_member_int(struct json_writer *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

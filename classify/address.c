/* classify/address.c - see address.h.
 *
 * A domain in plain ASCII, nearly every one, is lowered byte by byte; only one that is not goes
 * through libidn2 (UTS 46, non-transitional), which allocates. What comes back is looked at again:
 * the mapping turns a full-width colon into a plain one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/address.h"

#include <idn2.h>
#include <limits.h>
#include <xxhash.h>

#include "base/log.h"

/* --- addresses ----------------------------------------------------------------------------------
 */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_separator(char c)
{
    return c == ' ' || c == ',' || c == ';' || c == '<' || c == '>';
}

/* Nothing that split() has to look at, like nearly every byte. */
static bool is_plain(char c)
{
    static const bool IS_MARK[UCHAR_MAX + 1] = {
        ['"'] = true, [','] = true, [':'] = true,  [';'] = true,  ['<'] = true,
        ['>'] = true, ['@'] = true, ['\\'] = true, [0x7f] = true,
    };
    return (unsigned char)c > ' ' && !IS_MARK[(unsigned char)c];
}

static struct span strip_brackets(struct span text)
{
    text = span_trim(text);
    while (text.size >= 2 && text.data[0] == '<' && text.data[text.size - 1] == '>') {
        text = span_trim((struct span){text.data + 1, text.size - 2});
    }
    return text;
}

/* Where the address falls apart: *at is the last @ outside quotes. */
static const char *split(struct span text, size_t *at)
{
    bool quoted = false;
    bool found = false;
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        if (is_plain(c)) {
            continue;
        }
        if (is_control(c)) {
            return "a control character in the address";
        }
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted && c == '\\' && i + 1 < text.size && !is_control(text.data[i + 1])) {
            i++;
        } else if (!quoted && c == ':') {
            return "a colon outside quotes in the address";
        } else if (!quoted && is_separator(c)) {
            return "a blank, comma, semicolon or angle bracket outside quotes in the address";
        } else if (!quoted && c == '@') {
            *at = i;
            found = true;
        }
    }
    if (quoted) {
        return "an unclosed quote in the address";
    }
    return found ? NULL : "no @ in the address";
}

static bool is_ascii(struct span text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.size; i++) {
        all |= (unsigned char)text.data[i];
    }
    return all < 0x80;
}

static void put_lower(struct writer *out, struct span text)
{
    const size_t start = out->size;
    put_bytes(out, text);
    for (size_t i = start; i < out->size; i++) {
        out->data[i] = lower(out->data[i]);
    }
}

/* What UTS 46 may map a character to and we cannot have: `:` and `@` would forge keys. */
static bool is_safe_domain(struct span domain)
{
    for (size_t i = 0; i < domain.size; i++) {
        const char c = domain.data[i];
        if (is_control(c) || c == ' ' || c == ':' || c == '@' || c == '"') {
            return false;
        }
    }
    return domain.size > 0;
}

static const char *put_a_labels(struct writer *out, struct span domain)
{
    char name[ADDRESS_SIZE_MAX + 1];
    char *converted = NULL;
    CHECK(domain.size < sizeof(name));
    memcpy(name, domain.data, domain.size);
    name[domain.size] = '\0';
    const int result = idn2_lookup_u8((const uint8_t *)name, (uint8_t **)&converted,
                                      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result != IDN2_OK) {
        return idn2_strerror(result);
    }
    const bool safe = is_safe_domain(span_of(converted));
    put_lower(out, span_of(converted));
    idn2_free(converted);
    return safe ? NULL : "characters in the domain that no domain has";
}

static bool has_empty_label(struct span domain)
{
    for (size_t i = 0; i < domain.size; i++) {
        const bool ends = i + 1 == domain.size || domain.data[i + 1] == '.';
        if (domain.data[i] == '.' && (i == 0 || ends)) {
            return true;
        }
    }
    return false;
}

static const char *put_domain(struct writer *out, struct span domain)
{
    if (domain.size > 1 && domain.data[domain.size - 1] == '.') {
        domain.size--; /* the root of DNS: the same domain */
    }
    if (has_empty_label(domain)) {
        return "an empty label in the domain";
    }
    if (memchr(domain.data, '"', domain.size) != NULL) {
        return "a quote in the domain";
    }
    if (!is_ascii(domain)) {
        return put_a_labels(out, domain);
    }
    put_lower(out, domain);
    return NULL;
}

static const char *check_shape(struct span text, size_t *at)
{
    if (text.size > ADDRESS_SIZE_MAX) {
        return "an address of more than 320 octets";
    }
    const char *wrong = split(text, at);
    if (wrong != NULL) {
        return wrong;
    }
    if (*at == 0) {
        return "nothing before the @";
    }
    return *at + 1 == text.size ? "nothing behind the @" : NULL;
}

const char *address_canonical(struct span text,
                              struct address_options options,
                              char *memory,
                              struct span *out)
{
    size_t at = 0;
    text = strip_brackets(text);
    const char *wrong = check_shape(text, &at);
    if (wrong != NULL) {
        return wrong;
    }
    struct writer writer = writer_init(memory, ADDRESS_SIZE_MAX);
    const struct span local = {text.data, at};
    if (options.keep_local_case) {
        put_bytes(&writer, local);
    } else {
        put_lower(&writer, local);
    }
    put_u8(&writer, '@');
    wrong = put_domain(&writer, (struct span){text.data + at + 1, text.size - at - 1});
    if (wrong == NULL && writer.overflowed) {
        wrong = "an address of more than 320 octets";
    }
    if (wrong == NULL) {
        *out = writer_span(&writer);
    }
    return wrong;
}

struct span address_domain(struct span canonical)
{
    const char *at = memrchr(canonical.data, '@', canonical.size);
    CHECK(at != NULL);
    return (struct span){at + 1, (size_t)(canonical.data + canonical.size - at) - 1};
}

/* --- tenants ------------------------------------------------------------------------------------
 */

static bool is_tenant_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

const char *tenant_canonical(struct span text, char *memory, struct span *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    struct writer writer = writer_init(memory, TENANT_SIZE_MAX);
    if (text.size == 0) {
        return "an empty tenant";
    }
    for (size_t i = 0; i < text.size && !writer.overflowed; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (is_tenant_char(text.data[i])) {
            put_u8(&writer, c);
        } else {
            put_bytes(&writer, (struct span){(const char[]){'%', HEX[c >> 4], HEX[c & 15]}, 3});
        }
    }
    if (writer.overflowed) {
        return "a tenant of more than 64 octets";
    }
    *out = writer_span(&writer);
    return NULL;
}

/* --- hashes -------------------------------------------------------------------------------------
 *
 * All of them are for life: they stand in changelogs and choose shards. Each hash of several parts
 * is over one buffer in which every part has its length in front.
 */

_Static_assert(SECRET_SIZE >= XXH3_SECRET_SIZE_MIN, "XXH3 wants that much");

enum { NAME_SIZE_MAX = 256, PARTS_SIZE_MAX = 2 * (5 + NAME_SIZE_MAX) };

static uint64_t keyed_hash(const struct secret *secret, struct span bytes)
{
    return XXH3_64bits_withSecret(bytes.data, bytes.size, secret->bytes, SECRET_SIZE);
}

void secret_init(struct secret *secret, const unsigned char bytes[SECRET_SIZE])
{
    memcpy(secret->bytes, bytes, SECRET_SIZE);
    secret->check = keyed_hash(secret, SPAN("suppressd: check value of the secret, version 1"));
}

struct key key_of(const struct secret *secret, struct span tenant, struct span address)
{
    char memory[1 + 2 * 2 + KEY_SIZE_MAX];
    struct writer parts = writer_init(memory, sizeof(memory));
    put_u8(&parts, tenant.data == NULL ? 'g' : 't');
    put_u16(&parts, (uint16_t)tenant.size);
    put_bytes(&parts, tenant);
    put_u16(&parts, (uint16_t)address.size);
    put_bytes(&parts, address);
    CHECK(!parts.overflowed);
    return (struct key){keyed_hash(secret, address), keyed_hash(secret, writer_span(&parts))};
}

uint32_t key_shard(struct key key, uint32_t shard_count)
{
    __extension__ const unsigned __int128 product =
        (unsigned __int128)key.address_hash * shard_count;
    return (uint32_t)(product >> 64);
}

/* A name longer than that goes in as its own hash, marked as such. */
static void put_name(struct writer *parts, const struct secret *secret, char mark, struct span name)
{
    put_u8(parts, (uint8_t)mark);
    if (name.size <= NAME_SIZE_MAX) {
        put_u32(parts, (uint32_t)name.size);
        put_bytes(parts, name);
    } else {
        put_u32(parts, UINT32_MAX);
        put_u64(parts, name.size);
        put_u64(parts, keyed_hash(secret, name));
    }
}

struct send send_of(const struct secret *secret,
                    struct span tenant,
                    struct span campaign,
                    struct span message_id,
                    int64_t ts_ms)
{
    char memory[PARTS_SIZE_MAX];
    struct writer parts = writer_init(memory, sizeof(memory));
    struct send send = {.has_tenant = tenant.data != NULL};
    put_name(&parts, secret, send.has_tenant ? 't' : 'g', tenant);
    if (campaign.size > 0) {
        send.known_by = SEND_BY_CAMPAIGN;
        put_name(&parts, secret, 'c', campaign);
    } else if (message_id.size > 0) {
        send.known_by = SEND_BY_MESSAGE;
        put_name(&parts, secret, 'm', message_id);
    } else {
        const int64_t day = ts_ms / DAY_MS - (ts_ms % DAY_MS < 0);
        send.known_by = SEND_BY_DAY;
        put_u8(&parts, 'd');
        put_u64(&parts, (uint64_t)day);
    }
    CHECK(!parts.overflowed);
    send.hash = keyed_hash(secret, writer_span(&parts));
    return send;
}

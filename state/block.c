/* state/block.c - see block.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/block.h"

#include "base/log.h"
#include "state/decide.h"

enum {
    FLAG_LOCAL = 0x01,
    FLAG_SCOPE_TENANT = 0x02,
    FLAG_SEND_TENANT = 0x04,
    FLAG_NAMES_MESSAGE = 0x08,
    FLAG_WORDS = 0x10,
    FLAG_KNOWN_BY = 0x60,
    KNOWN_BY_SHIFT = 5,
    TIME_SIZE = 6,
    SEND_SIZE = 5,
    COUNT_PLACE = 14,
};

/* Whatever else somebody writes to the topic is not taken for a block of a newer program. */
#define MAGIC SPAN("SUPB")

/* --- writing -------------------------------------------------------------------------------- */

void block_begin(struct block_writer *block, void *memory, uint64_t secret_check)
{
    block->out = writer_init(memory, BLOCK_SIZE_MAX);
    block->count = 0;
    put_bytes(&block->out, MAGIC);
    put_u8(&block->out, BLOCK_FORMAT_VERSION);
    put_u8(&block->out, 0);
    put_u64(&block->out, secret_check);
    put_u32(&block->out, 0);
}

static void put_word(struct writer *w, struct span word)
{
    put_string(w, span_cut(word, EVIDENCE_WORD_SIZE_MAX));
}

static void put_words(struct writer *w, const struct observation *o)
{
    const struct evidence *e = &o->evidence;
    put_u8(w, (uint8_t)o->category);
    put_u16(w, e->reply.code);
    put_u8(w, e->reply.enhanced.class_);
    put_varint(w, e->reply.enhanced.subject);
    put_varint(w, e->reply.enhanced.detail);
    put_string(w, o->recipient);
    put_string(w, o->tenant);
    put_string(w, span_cut(e->reply.text, EVIDENCE_TEXT_SIZE_MAX));
    put_word(w, e->rule);
    put_word(w, e->mx);
    put_word(w, e->provider);
    put_word(w, e->message_id);
    put_word(w, e->campaign);
    put_word(w, e->sender);
    put_word(w, e->traceparent);
    put_word(w, e->topic);
    put_varint(w, (uint32_t)e->partition);
    put_varint(w, (uint64_t)e->offset);
    put_varint(w, e->index);
}

static void put_observation(struct writer *w, const struct observation *o)
{
    unsigned flags = (unsigned)o->send.known_by << KNOWN_BY_SHIFT;
    flags |= o->origin == ORIGIN_LOCAL ? FLAG_LOCAL : 0U;
    flags |= o->scope_tenant ? FLAG_SCOPE_TENANT : 0U;
    flags |= o->send.has_tenant ? FLAG_SEND_TENANT : 0U;
    flags |= o->names_message ? FLAG_NAMES_MESSAGE : 0U;
    flags |= observation_has_words(o) ? FLAG_WORDS : 0U;
    put_u8(w, (uint8_t)o->kind);
    put_u8(w, (uint8_t)flags);
    put_uint(w, (uint64_t)o->ts_ms, TIME_SIZE);
    put_u64(w, o->key.address_hash);
    put_u64(w, o->key.scope_hash);
    put_uint(w, o->send.hash, SEND_SIZE);
    if (observation_has_words(o)) {
        put_words(w, o);
    }
}

bool block_add(struct block_writer *block, const struct observation *observation)
{
    if (block->count == BLOCK_OBSERVATIONS_MAX) {
        return false;
    }
    const size_t size_before = block->out.size;
    put_observation(&block->out, observation);
    if (block->out.overflowed) {
        CHECK(block->count > 0);
        block->out.size = size_before;
        block->out.overflowed = false;
        return false;
    }
    block->count++;
    return true;
}

struct span block_end(struct block_writer *block)
{
    struct writer count = writer_init(block->out.data + COUNT_PLACE, sizeof(uint32_t));
    put_u32(&count, block->count);
    return writer_span(&block->out);
}

/* --- reading -------------------------------------------------------------------------------- */

enum err block_open(struct block_reader *block, struct span bytes, uint64_t secret_check)
{
    struct reader in = reader_init(bytes);
    const struct span magic = get_bytes(&in, MAGIC.size);
    const uint8_t version = get_u8(&in);
    (void)get_u8(&in);
    const uint64_t check = get_u64(&in);
    const uint32_t count = get_u32(&in);
    if (in.failed || version == 0 || !span_equal(magic, MAGIC)) {
        return ERR_BAD_FORMAT;
    }
    if (version > BLOCK_FORMAT_VERSION) {
        return ERR_BAD_VERSION;
    }
    if (check != secret_check) {
        return ERR_REFUSED;
    }
    if (count > BLOCK_OBSERVATIONS_MAX) {
        return ERR_BAD_FORMAT;
    }
    block->in = in;
    block->left = count;
    return OK;
}

static struct span get_text(struct reader *r)
{
    const struct span text = get_string(r);
    return text.size == 0 ? SPAN_NONE : text;
}

static void get_words(struct reader *r, struct observation *o)
{
    struct evidence *e = &o->evidence;
    const uint8_t category = get_u8(r);
    r->failed = r->failed || category >= CATEGORY_COUNT;
    o->category = category < CATEGORY_COUNT ? (enum category)category : CATEGORY_NONE;
    e->reply.code = get_u16(r);
    e->reply.enhanced.class_ = get_u8(r);
    e->reply.enhanced.subject = (uint16_t)get_varint(r);
    e->reply.enhanced.detail = (uint16_t)get_varint(r);
    o->recipient = get_text(r);
    o->tenant = get_text(r);
    e->reply.text = get_text(r);
    e->rule = get_text(r);
    e->mx = get_text(r);
    e->provider = get_text(r);
    e->message_id = get_text(r);
    e->campaign = get_text(r);
    e->sender = get_text(r);
    e->traceparent = get_text(r);
    e->topic = get_text(r);
    e->partition = (int32_t)(uint32_t)get_varint(r);
    e->offset = (int64_t)get_varint(r);
    e->index = (uint32_t)get_varint(r);
}

/* What decide() and the publication take for granted. */
static bool is_sound(const struct observation *o, unsigned known_by)
{
    const bool has_names =
        !observation_has_words(o) ||
        (o->recipient.size >= 3 && o->recipient.size <= ADDRESS_SIZE_MAX &&
         o->tenant.size <= TENANT_SIZE_MAX && (!o->scope_tenant || o->tenant.size > 0));
    return o->ts_ms > 0 && o->ts_ms <= TIME_MS_MAX && known_by <= SEND_BY_DAY && has_names;
}

bool block_next(struct block_reader *block, struct observation *out)
{
    struct reader *r = &block->in;
    if (block->left == 0 || r->failed) {
        return false;
    }
    const uint8_t kind = get_u8(r);
    const unsigned flags = get_u8(r);
    const unsigned known_by = (flags & FLAG_KNOWN_BY) >> KNOWN_BY_SHIFT;
    out->kind = (enum kind)kind;
    out->origin = (flags & FLAG_LOCAL) != 0 ? ORIGIN_LOCAL : ORIGIN_REMOTE;
    out->category = CATEGORY_NONE;
    out->scope_tenant = (flags & FLAG_SCOPE_TENANT) != 0;
    out->names_message = (flags & FLAG_NAMES_MESSAGE) != 0;
    out->ts_ms = (int64_t)get_uint(r, TIME_SIZE);
    out->key.address_hash = get_u64(r);
    out->key.scope_hash = get_u64(r);
    out->send = (struct send){
        .hash = get_uint(r, SEND_SIZE),
        .known_by = (enum send_known_by)known_by,
        .has_tenant = (flags & FLAG_SEND_TENANT) != 0,
    };
    out->recipient = SPAN_NONE;
    out->tenant = SPAN_NONE;
    if (observation_has_words(out)) {
        get_words(r, out);
    }
    if (!r->failed && (kind >= KIND_COUNT || !is_sound(out, known_by) ||
                       !observation_matters(out->kind, out->origin, out->category))) {
        r->failed = true;
    }
    block->left--;
    return !r->failed;
}

bool block_is_sound(const struct block_reader *block)
{
    return !block->in.failed && block->left == 0 && block->in.size == 0;
}

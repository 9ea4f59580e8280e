/* state/record.c - the packed form.
 *
 *   u16  flags (below): which of the following are there
 *   [failures]  u48 newest time; each: u40 send, u32 ms before it, u8 category | 0x80 if final
 *   [delivery]  u48 time, u40 send
 *   [floor]     u48
 *   [touched]   u48, if it is not the newest failure's time
 *   [mailbox]   u8 mailbox flags, u8 category, u48 start, [u48 end], string rule
 *   [repeats]   u8
 *   [wish]      u8 kind, u48 time, u48 floor
 *   [seq]       u48
 *   [key]       string
 *
 * All failures lie within MEMORY_MS < 2^32 ms of the newest, so 32 bits say when.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/record.h"

#include "base/log.h"

enum {
    FLAG_FAILURES = 0x000f, /* their number */
    FLAG_DELIVERY = 0x0010,
    FLAG_CAME_BACK = 0x0020,
    FLAG_KNOWN_BY = 0x00c0, /* enum send_known_by << 6 */
    FLAG_HAS_TENANT = 0x0100,
    FLAG_FLOOR = 0x0200,
    FLAG_TOUCHED = 0x0400,
    FLAG_MAILBOX = 0x0800,
    FLAG_REPEATS = 0x1000,
    FLAG_WISH = 0x2000,
    FLAG_SEQ = 0x4000,
    FLAG_KEY = 0x8000,
    KNOWN_BY_SHIFT = 6,

    MAILBOX_MILD = 0x01,
    MAILBOX_ALL_MAIL = 0x02,
    MAILBOX_HAS_END = 0x04,
    MAILBOX_SOURCE_SHIFT = 4,

    FAILURE_FINAL = 0x80,
    TIME_SIZE = 6,
    SEND_SIZE = 5,
};

_Static_assert(MEMORY_MS < INT64_C(0x100000000), "a failure's distance is 32 bits");
_Static_assert((int)CATEGORY_COUNT <= (int)FAILURE_FINAL, "category and final share a byte");

void record_init(struct record *record, struct key key)
{
    /* the text behind key_size is never read: not worth clearing for every event */
    memset(record, 0, offsetof(struct record, key_text));
    record->key = key;
}

bool record_is_suppressed(const struct record *record)
{
    return record->mailbox.active || record->wish.kind != WISH_NONE;
}

static bool has_wish_state(const struct record *record)
{
    return record->wish.kind != WISH_NONE || record->wish.floor_ms != 0;
}

static int64_t newest_failure_ms(const struct record *record)
{
    int64_t newest_ms = 0;
    for (size_t i = 0; i < record->failure_count; i++) {
        if (record->failures[i].ts_ms > newest_ms) {
            newest_ms = record->failures[i].ts_ms;
        }
    }
    return newest_ms;
}

static unsigned flags_of(const struct record *record)
{
    unsigned flags = (unsigned)record->failure_count;
    if (record->delivery.ts_ms != 0) {
        flags |= FLAG_DELIVERY | (unsigned)record->delivery.known_by << KNOWN_BY_SHIFT;
        flags |= record->delivery.came_back ? FLAG_CAME_BACK : 0U;
        flags |= record->delivery.has_tenant ? FLAG_HAS_TENANT : 0U;
    }
    flags |= record->floor_ms != 0 ? FLAG_FLOOR : 0U;
    flags |= record->touched_ms != newest_failure_ms(record) ? FLAG_TOUCHED : 0U;
    flags |= record->mailbox.active ? FLAG_MAILBOX : 0U;
    flags |= record->repeats != 0 ? FLAG_REPEATS : 0U;
    flags |= has_wish_state(record) ? FLAG_WISH : 0U;
    flags |= record->seq != 0 ? FLAG_SEQ : 0U;
    flags |= record->key_size != 0 ? FLAG_KEY : 0U;
    return flags;
}

static void put_time(struct writer *w, int64_t ms)
{
    CHECK(ms >= 0 && ms >> (8 * TIME_SIZE) == 0);
    put_uint(w, (uint64_t)ms, TIME_SIZE);
}

static void pack_failures(struct writer *w, const struct record *record)
{
    const int64_t newest_ms = newest_failure_ms(record);
    put_time(w, newest_ms);
    for (size_t i = 0; i < record->failure_count; i++) {
        const struct failure *failure = &record->failures[i];
        CHECK(newest_ms - failure->ts_ms < MEMORY_MS);
        put_uint(w, failure->send, SEND_SIZE);
        put_u32(w, (uint32_t)(newest_ms - failure->ts_ms));
        put_u8(w, (uint8_t)((unsigned)failure->category | (failure->final ? FAILURE_FINAL : 0U)));
    }
}

static void pack_mailbox(struct writer *w, const struct mailbox_suppression *mailbox)
{
    unsigned flags = (unsigned)mailbox->source << MAILBOX_SOURCE_SHIFT;
    flags |= mailbox->mild ? MAILBOX_MILD : 0U;
    flags |= mailbox->all_mail ? MAILBOX_ALL_MAIL : 0U;
    flags |= mailbox->end_ms != 0 ? MAILBOX_HAS_END : 0U;
    put_u8(w, (uint8_t)flags);
    put_u8(w, (uint8_t)mailbox->category);
    put_time(w, mailbox->start_ms);
    if (mailbox->end_ms != 0) {
        put_time(w, mailbox->end_ms);
    }
    put_string(w, span_of(mailbox->rule));
}

size_t record_pack(const struct record *record, unsigned char out[RECORD_PACKED_SIZE_MAX])
{
    CHECK(record->failure_count <= FAILURES_MAX);
    struct writer w = writer_init(out, RECORD_PACKED_SIZE_MAX);
    const unsigned flags = flags_of(record);
    put_u16(&w, (uint16_t)flags);
    if ((flags & FLAG_FAILURES) != 0) {
        pack_failures(&w, record);
    }
    if ((flags & FLAG_DELIVERY) != 0) {
        put_time(&w, record->delivery.ts_ms);
        put_uint(&w, record->delivery.send, SEND_SIZE);
    }
    if ((flags & FLAG_FLOOR) != 0) {
        put_time(&w, record->floor_ms);
    }
    if ((flags & FLAG_TOUCHED) != 0) {
        put_time(&w, record->touched_ms);
    }
    if ((flags & FLAG_MAILBOX) != 0) {
        pack_mailbox(&w, &record->mailbox);
    }
    if ((flags & FLAG_REPEATS) != 0) {
        put_u8(&w, record->repeats);
    }
    if ((flags & FLAG_WISH) != 0) {
        put_u8(&w, (uint8_t)record->wish.kind);
        put_time(&w, record->wish.ts_ms);
        put_time(&w, record->wish.floor_ms);
    }
    if ((flags & FLAG_SEQ) != 0) {
        put_time(&w, record->seq);
    }
    if ((flags & FLAG_KEY) != 0) {
        put_string(&w, record_key_text(record));
    }
    CHECK(!w.overflowed);
    return w.size;
}

static int64_t get_time(struct reader *r)
{
    return (int64_t)get_uint(r, TIME_SIZE);
}

/* False for a number that is no category: the bytes are not ours. */
static bool get_category(uint8_t byte, enum category *out)
{
    *out = (enum category)byte;
    return byte < CATEGORY_COUNT;
}

static bool unpack_failures(struct reader *r, size_t count, struct record *out)
{
    const int64_t newest_ms = get_time(r);
    out->failure_count = count;
    for (size_t i = 0; i < count; i++) {
        struct failure *failure = &out->failures[i];
        failure->send = get_uint(r, SEND_SIZE);
        failure->ts_ms = newest_ms - (int64_t)get_u32(r);
        const uint8_t byte = get_u8(r);
        failure->final = (byte & FAILURE_FINAL) != 0;
        if (!get_category(byte & (FAILURE_FINAL - 1), &failure->category)) {
            return false;
        }
    }
    out->touched_ms = newest_ms;
    return count <= FAILURES_MAX;
}

static bool unpack_mailbox(struct reader *r, struct mailbox_suppression *out)
{
    const unsigned flags = get_u8(r);
    out->active = true;
    out->mild = (flags & MAILBOX_MILD) != 0;
    out->all_mail = (flags & MAILBOX_ALL_MAIL) != 0;
    out->source = (enum source)(flags >> MAILBOX_SOURCE_SHIFT);
    const bool known = get_category(get_u8(r), &out->category);
    out->start_ms = get_time(r);
    out->end_ms = (flags & MAILBOX_HAS_END) != 0 ? get_time(r) : 0;
    const struct span rule = get_string(r);
    if (rule.size > RULE_NAME_SIZE_MAX || !known || out->source > SOURCE_OPERATOR) {
        return false;
    }
    if (rule.size > 0) {
        memcpy(out->rule, rule.data, rule.size);
    }
    return true;
}

static bool unpack_wish(struct reader *r, struct wish *out)
{
    out->kind = (enum wish_kind)get_u8(r);
    out->ts_ms = get_time(r);
    out->floor_ms = get_time(r);
    return out->kind <= WISH_COMPLAINT;
}

static bool unpack_key(struct reader *r, struct record *out)
{
    const struct span key = get_string(r);
    if (key.size > KEY_SIZE_MAX) {
        return false;
    }
    if (key.size > 0) {
        memcpy(out->key_text, key.data, key.size);
    }
    out->key_size = key.size;
    return true;
}

static void unpack_delivery(struct reader *r, unsigned flags, struct last_delivery *out)
{
    out->ts_ms = get_time(r);
    out->send = get_uint(r, SEND_SIZE);
    out->known_by = (enum send_known_by)((flags & FLAG_KNOWN_BY) >> KNOWN_BY_SHIFT);
    out->has_tenant = (flags & FLAG_HAS_TENANT) != 0;
    out->came_back = (flags & FLAG_CAME_BACK) != 0;
}

bool record_unpack(struct span packed, struct key key, struct record *out)
{
    struct reader r = reader_init(packed);
    const unsigned flags = get_u16(&r);
    bool sound = true;
    record_init(out, key);
    if ((flags & FLAG_FAILURES) != 0) {
        sound = (flags & FLAG_FAILURES) <= FAILURES_MAX &&
                unpack_failures(&r, flags & FLAG_FAILURES, out);
    }
    if ((flags & FLAG_DELIVERY) != 0) {
        unpack_delivery(&r, flags, &out->delivery);
    }
    out->floor_ms = (flags & FLAG_FLOOR) != 0 ? get_time(&r) : 0;
    out->touched_ms = (flags & FLAG_TOUCHED) != 0 ? get_time(&r) : out->touched_ms;
    if ((flags & FLAG_MAILBOX) != 0) {
        sound = sound && unpack_mailbox(&r, &out->mailbox);
    }
    out->repeats = (flags & FLAG_REPEATS) != 0 ? get_u8(&r) : 0;
    if ((flags & FLAG_WISH) != 0) {
        sound = sound && unpack_wish(&r, &out->wish);
    }
    out->seq = (flags & FLAG_SEQ) != 0 ? get_time(&r) : 0;
    if ((flags & FLAG_KEY) != 0) {
        sound = sound && unpack_key(&r, out);
    }
    return sound && !r.failed && r.size == 0;
}

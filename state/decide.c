/* state/decide.c - section 5 of the design, step by step; the numbers are its.
 *
 *   1 which record     policy_scope_is_tenant()     the intake
 *   2 does it matter   observation_matters(), policy_matters()
 *   3 time             forget_what_is_over()
 *   4 delivered        delivered()
 *   5 failure          failed(): came_back(), category_of(), remember(), try_rules()
 *   6 suppress         suppress_mailbox()
 *   7 release          release_mailbox()
 *   8 operator's suppress, 9 operator's release, 10 wishes, 11 seq
 *
 * Mailbox and wish never touch each other; both end in emit(), where a decision gets its seq.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/decide.h"

#include "base/log.h"

/* A suppression that began less than this after a release repeats the one before. */
#define PROBATION_MS MEMORY_MS

enum strength { STRENGTH_NONE, STRENGTH_MILD, STRENGTH_OTHER, STRENGTH_FOR_GOOD };

struct deciding {
    struct record *record;
    const struct policy *policy;
    const struct observation *event; /* NULL: time alone */
    const struct decision_sink *sink;
};

/* --- 2 does it matter? ---------------------------------------------------------------------- */

static bool is_left_to_the_mta(enum category category)
{
    const enum class class_ = category_class(category);
    return class_ == CLASS_TECHNICAL || class_ == CLASS_FEEDBACK ||
           category == CATEGORY_UNKNOWN_TRANSIENT;
}

bool observation_matters(enum kind kind, enum origin origin, enum category category)
{
    switch (kind) {
    case KIND_DELIVERED:
    case KIND_BOUNCED:
    case KIND_LATE_BOUNCE:
        return origin == ORIGIN_REMOTE;
    case KIND_DEFERRED:
        return origin == ORIGIN_LOCAL || !is_left_to_the_mta(category);
    case KIND_EXPIRED:
        return category_class(category) != CLASS_INTERNAL;
    case KIND_COMPLAINT:
    case KIND_UNSUBSCRIBE:
    case KIND_SUPPRESS:
    case KIND_RELEASE:
        return true;
    case KIND_RECEIVED:
    case KIND_DROPPED:
    case KIND_ADMIN:
    case KIND_IGNORED:
    case KIND_COUNT:
        break;
    }
    return false;
}

bool policy_matters(const struct policy *policy, const struct observation *observation)
{
    const bool is_bounce =
        observation->kind == KIND_BOUNCED || observation->kind == KIND_LATE_BOUNCE;
    return !is_bounce || (policy->finals_any >> observation->category & 1) != 0;
}

bool observation_needs_record(const struct observation *observation)
{
    return observation->kind == KIND_DELIVERED;
}

/* --- decisions ------------------------------------------------------------------------------ */

/* 11: the record is as it is after the decision. */
static void emit(const struct deciding *d, struct decision *decision)
{
    struct record *record = d->record;
    record->seq = record->seq + 1 > decision->ts_ms ? record->seq + 1 : decision->ts_ms;
    decision->seq = record->seq;
    decision->last_delivered_ms = record->delivery.ts_ms;
    d->sink->decided(d->sink->context, record, decision, d->event);
}

static int64_t later(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

static void raise_floor(struct record *record, int64_t ms)
{
    record->floor_ms = later(record->floor_ms, ms);
    size_t kept = 0;
    for (size_t i = 0; i < record->failure_count; i++) {
        if (record->failures[i].ts_ms > record->floor_ms) {
            record->failures[kept++] = record->failures[i];
        }
    }
    record->failure_count = kept;
    if (record->delivery.ts_ms <= record->floor_ms) {
        record->delivery = (struct last_delivery){0};
    }
}

/* 7 */
static void release_mailbox(const struct deciding *d, const char *why, int64_t ms)
{
    struct record *record = d->record;
    struct decision decision = {
        .action = ACTION_RELEASE,
        .rule = why,
        .category = record->mailbox.category,
        .ts_ms = ms,
    };
    record->mailbox = (struct mailbox_suppression){0};
    raise_floor(record, ms);
    record->touched_ms = later(record->touched_ms, ms);
    emit(d, &decision);
}

/* tenant:recipient, or the recipient alone */
static void name_key(struct record *record, const struct observation *event)
{
    struct writer w = writer_init(record->key_text, sizeof(record->key_text));
    if (event->scope_tenant) {
        put_bytes(&w, event->tenant);
        put_u8(&w, ':');
    }
    put_bytes(&w, event->recipient);
    CHECK(!w.overflowed);
    record->key_size = w.size;
}

static enum source source_of(enum kind kind)
{
    if (kind == KIND_SUPPRESS) {
        return SOURCE_OPERATOR;
    }
    return kind == KIND_LATE_BOUNCE ? SOURCE_LATE_BOUNCE : SOURCE_BOUNCE;
}

/* 6, and 8: the event suppresses its mailbox from its time on. Takes the decision with the
 * failures that it rests on. */
static void suppress_mailbox(const struct deciding *d,
                             const struct mailbox_suppression *begins,
                             const char *rule,
                             struct decision *decision)
{
    struct record *record = d->record;
    record->mailbox = *begins;
    record->mailbox.active = true;
    record->mailbox.source = source_of(d->event->kind);
    CHECK(strlen(rule) <= RULE_NAME_SIZE_MAX);
    memcpy(record->mailbox.rule, rule, strlen(rule) + 1);
    name_key(record, d->event);
    decision->action = ACTION_SUPPRESS;
    decision->rule = record->mailbox.rule;
    decision->category = begins->category;
    decision->expires_ms = begins->end_ms;
    decision->ts_ms = begins->start_ms;
    emit(d, decision);
}

/* --- 3 what time has done ------------------------------------------------------------------- */

static bool release_what_ended(const struct deciding *d, int64_t now_ms)
{
    const struct mailbox_suppression *mailbox = &d->record->mailbox;
    if (!mailbox->active || mailbox->end_ms == 0 || mailbox->end_ms > now_ms) {
        return false;
    }
    release_mailbox(d, "lapse", mailbox->end_ms);
    return true;
}

bool record_is_spent(const struct record *record, int64_t now_ms)
{
    return !record_is_suppressed(record) && now_ms - record->touched_ms >= MEMORY_MS;
}

static void forget_what_is_over(const struct deciding *d, int64_t now_ms)
{
    release_what_ended(d, now_ms);
    if (record_is_spent(d->record, now_ms)) {
        const int64_t seq = d->record->seq;
        record_init(d->record, d->record->key);
        d->record->seq = seq;
    }
}

/* --- 4 delivered ---------------------------------------------------------------------------- */

static void remember_delivery(struct record *record, const struct observation *event)
{
    record->delivery = (struct last_delivery){
        .ts_ms = event->ts_ms,
        .send = event->send.hash & SEND_HASH_MASK,
        .known_by = event->send.known_by,
        .has_tenant = event->send.has_tenant,
    };
}

static void delivered(const struct deciding *d)
{
    struct record *record = d->record;
    const int64_t ms = d->event->ts_ms;
    if (ms <= record->floor_ms) {
        return;
    }
    if (record->mailbox.active) {
        if (record->mailbox.mild && record->mailbox.start_ms < ms) {
            release_mailbox(d, "delivery", ms);
            remember_delivery(record, d->event);
        }
        return;
    }
    const struct last_delivery before = record->delivery;
    if (ms <= before.ts_ms) {
        return;
    }
    if (before.ts_ms != 0 && !before.came_back) {
        /* two in a row prove a living mailbox */
        raise_floor(record, before.ts_ms);
        record->repeats = 0;
    }
    remember_delivery(record, d->event);
}

/* --- 5 failure ------------------------------------------------------------------------------ */

static bool stands(const struct record *record, const struct failure *failure)
{
    return record->delivery.came_back || failure->ts_ms > record->delivery.ts_ms;
}

/* Does the late bounce name what the delivery's send is known by? */
static bool names_what_is_known(const struct observation *bounce,
                                const struct last_delivery *delivery)
{
    if (delivery->has_tenant && !bounce->send.has_tenant) {
        return false;
    }
    switch (delivery->known_by) {
    case SEND_BY_CAMPAIGN:
        return bounce->send.known_by == SEND_BY_CAMPAIGN;
    case SEND_BY_MESSAGE:
        return bounce->names_message;
    case SEND_BY_DAY:
        break;
    }
    return false;
}

static void came_back(struct record *record, const struct observation *event)
{
    struct last_delivery *delivery = &record->delivery;
    if (event->kind != KIND_LATE_BOUNCE || delivery->ts_ms == 0 || event->ts_ms < delivery->ts_ms) {
        return;
    }
    if (!names_what_is_known(event, delivery) ||
        delivery->send == (event->send.hash & SEND_HASH_MASK)) {
        delivery->came_back = true;
    }
}

static struct failure *find_word(struct record *record, uint64_t send)
{
    for (size_t i = 0; i < record->failure_count; i++) {
        if (record->failures[i].send == send) {
            return &record->failures[i];
        }
    }
    return NULL;
}

/* `word`: what counts of its send so far, or NULL. */
static enum category category_of(const struct record *record,
                                 const struct observation *event,
                                 const struct failure *word)
{
    if (event->kind == KIND_DEFERRED) {
        return event->origin == ORIGIN_LOCAL ? CATEGORY_INTERNAL : event->category;
    }
    if (event->kind != KIND_EXPIRED) {
        return event->category;
    }
    if (event->origin == ORIGIN_LOCAL) {
        const bool is_told = word != NULL && stands(record, word) && word->ts_ms <= event->ts_ms &&
                             event->ts_ms - word->ts_ms < MEMORY_MS;
        return is_told ? word->category : CATEGORY_EXPIRED;
    }
    return is_left_to_the_mta(event->category) ? CATEGORY_EXPIRED : event->category;
}

/* internal, not final: our own doing, and no word of the other side */
static bool is_own_deferral(const struct failure *failure)
{
    return failure->category == CATEGORY_INTERNAL && !failure->final;
}

static bool replaces(const struct failure *failure, const struct failure *word)
{
    if (failure->ts_ms != word->ts_ms) {
        return failure->ts_ms > word->ts_ms || (is_own_deferral(word) && !is_own_deferral(failure));
    }
    return (failure->final && !word->final) || (is_own_deferral(word) && !is_own_deferral(failure));
}

static void forget_failure(struct record *record, size_t index)
{
    record->failure_count--;
    memmove(&record->failures[index], &record->failures[index + 1],
            (record->failure_count - index) * sizeof(record->failures[0]));
}

static void forget_older_than_memory(struct record *record)
{
    int64_t newest_ms = 0;
    for (size_t i = 0; i < record->failure_count; i++) {
        newest_ms = later(newest_ms, record->failures[i].ts_ms);
    }
    for (size_t i = record->failure_count; i > 0; i--) {
        if (newest_ms - record->failures[i - 1].ts_ms >= MEMORY_MS) {
            forget_failure(record, i - 1);
        }
    }
}

/* The index of the oldest but `except`; at one time the first to come is the older. */
static size_t oldest_failure(const struct record *record, size_t except)
{
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < record->failure_count; i++) {
        if (i != except &&
            (oldest == SIZE_MAX || record->failures[i].ts_ms < record->failures[oldest].ts_ms)) {
            oldest = i;
        }
    }
    return oldest;
}

/* Of nine sends the oldest that stands stays: it tells how long this has been going on. */
static void make_room(struct record *record)
{
    if (record->failure_count <= FAILURES_MAX) {
        return;
    }
    const size_t oldest = oldest_failure(record, SIZE_MAX);
    const bool oldest_stands = stands(record, &record->failures[oldest]);
    forget_failure(record, oldest_stands ? oldest_failure(record, oldest) : oldest);
}

static void remember(struct record *record, struct failure *word, const struct failure *failure)
{
    if (word == NULL || replaces(failure, word)) {
        if (word != NULL) {
            forget_failure(record, (size_t)(word - record->failures));
        }
        record->failures[record->failure_count++] = *failure; /* the last to come */
    }
    forget_older_than_memory(record);
    make_room(record);
}

static enum strength present_strength(const struct mailbox_suppression *mailbox)
{
    if (!mailbox->active) {
        return STRENGTH_NONE;
    }
    if (mailbox->mild) {
        return STRENGTH_MILD;
    }
    return mailbox->end_ms == 0 ? STRENGTH_FOR_GOOD : STRENGTH_OTHER;
}

static enum strength row_strength(const struct policy_row *row, enum category category)
{
    if (row->mild) {
        return STRENGTH_MILD;
    }
    return policy_row_lasts_ms(row, category, 0) == 0 ? STRENGTH_FOR_GOOD : STRENGTH_OTHER;
}

/* What a rule goes by: the standing failures that it takes, oldest first; for a rule of one send,
 * this failure. */
static void collect(const struct record *record,
                    const struct policy_row *row,
                    const struct failure *failure,
                    struct decision *out)
{
    out->failure_count = 0;
    if (row->sends <= 1) {
        out->failures[out->failure_count++] = *failure;
        return;
    }
    for (size_t i = 0; i < record->failure_count; i++) {
        const struct failure *f = &record->failures[i];
        if (!stands(record, f) || !policy_row_takes(row, f->final, f->category)) {
            continue;
        }
        size_t place = out->failure_count++;
        while (place > 0 && out->failures[place - 1].ts_ms > f->ts_ms) {
            out->failures[place] = out->failures[place - 1];
            place--;
        }
        out->failures[place] = *f;
    }
}

static bool is_on_probation(const struct record *record, int64_t newest_ms)
{
    const struct last_delivery *delivery = &record->delivery;
    const bool is_proven =
        delivery->ts_ms != 0 && delivery->ts_ms >= record->floor_ms && !delivery->came_back;
    return record->repeats > 0 && newest_ms - record->floor_ms < PROBATION_MS && !is_proven;
}

static bool holds(const struct policy_row *row, const struct decision *on, bool on_probation)
{
    if (on->failure_count == 0) {
        return false;
    }
    if (row->sends <= 1 || on_probation) {
        return true;
    }
    const int64_t span_ms = on->failures[on->failure_count - 1].ts_ms - on->failures[0].ts_ms;
    return on->failure_count >= row->sends && span_ms >= row->span_ms;
}

/* 6 */
static void suppress_by_rule(const struct deciding *d,
                             const struct policy_row *row,
                             enum category category,
                             bool on_probation,
                             struct decision *decision)
{
    struct record *record = d->record;
    uint8_t repeats = 0;
    if (row->mild) {
        repeats = on_probation ? record->repeats : 0;
        repeats = (uint8_t)(repeats == UINT8_MAX ? repeats : repeats + 1);
    }
    record->repeats = repeats;
    const int64_t lasts_ms = policy_row_lasts_ms(row, category, repeats);
    const struct mailbox_suppression begins = {
        .mild = row->mild,
        .all_mail = row->all_mail,
        .category = category,
        .start_ms = d->event->ts_ms,
        .end_ms = lasts_ms == 0 ? 0 : d->event->ts_ms + lasts_ms,
    };
    suppress_mailbox(d, &begins, row->rule, decision);
}

/* The first that takes this failure, holds, and is stronger than the present suppression. */
static void try_rules(const struct deciding *d, const struct failure *failure)
{
    const enum strength present = present_strength(&d->record->mailbox);
    for (size_t i = 0; i < d->policy->row_count; i++) {
        const struct policy_row *row = &d->policy->rows[i];
        if (!policy_row_takes(row, failure->final, failure->category) ||
            row_strength(row, failure->category) <= present) {
            continue;
        }
        struct decision decision = {0};
        collect(d->record, row, failure, &decision);
        const size_t count = decision.failure_count;
        const bool on_probation =
            count > 0 && is_on_probation(d->record, decision.failures[count - 1].ts_ms);
        if (holds(row, &decision, on_probation)) {
            suppress_by_rule(d, row, failure->category, on_probation, &decision);
            return;
        }
    }
}

static void failed(const struct deciding *d)
{
    struct record *record = d->record;
    const struct observation *event = d->event;
    if (event->ts_ms <= record->floor_ms ||
        present_strength(&record->mailbox) == STRENGTH_FOR_GOOD) {
        return;
    }
    came_back(record, event);
    const uint64_t send = event->send.hash & SEND_HASH_MASK;
    struct failure *word = find_word(record, send);
    const struct failure failure = {
        .send = send,
        .ts_ms = event->ts_ms,
        .category = category_of(record, event, word),
        .final = kind_is_final(event->kind),
    };
    if (is_own_deferral(&failure) && word != NULL && stands(record, word) &&
        !is_own_deferral(word)) {
        return;
    }
    record->touched_ms = later(record->touched_ms, event->ts_ms);
    remember(record, word, &failure);
    try_rules(d, &failure);
}

/* --- 8, 9 the operator's words -------------------------------------------------------------- */

static void operator_suppresses(const struct deciding *d)
{
    struct record *record = d->record;
    if (d->event->ts_ms <= record->floor_ms ||
        present_strength(&record->mailbox) == STRENGTH_FOR_GOOD) {
        return;
    }
    const struct mailbox_suppression begins = {
        .all_mail = true,
        .category = CATEGORY_MANUAL,
        .start_ms = d->event->ts_ms,
    };
    struct decision decision = {0};
    record->repeats = 0;
    suppress_mailbox(d, &begins, "operator", &decision);
}

static void operator_releases(const struct deciding *d)
{
    struct record *record = d->record;
    const int64_t ms = d->event->ts_ms;
    if (ms <= record->floor_ms || (record->mailbox.active && record->mailbox.start_ms > ms)) {
        return;
    }
    record->repeats = 0;
    if (record->mailbox.active) {
        release_mailbox(d, "operator", ms);
        return;
    }
    raise_floor(record, ms);
    record->touched_ms = later(record->touched_ms, ms);
}

/* --- 10 wishes ------------------------------------------------------------------------------ */

static enum category wish_category(enum wish_kind kind)
{
    return kind == WISH_COMPLAINT ? CATEGORY_COMPLAINT : CATEGORY_UNSUBSCRIBE;
}

static void wished(const struct deciding *d, enum wish_kind kind)
{
    struct record *record = d->record;
    const int64_t ms = d->event->ts_ms;
    if (ms <= record->wish.floor_ms) {
        return;
    }
    record->wish.ts_ms = later(record->wish.ts_ms, ms);
    if (kind <= record->wish.kind) {
        return;
    }
    record->wish.kind = kind;
    name_key(record, d->event);
    struct decision decision = {
        .action = ACTION_SUPPRESS,
        .of_wish = true,
        .rule = category_name(wish_category(kind)),
        .category = wish_category(kind),
        .ts_ms = ms,
    };
    emit(d, &decision);
}

/* Who subscribes again takes a wish back that is not newer and not stronger than what is named. */
static void wish_released(const struct deciding *d, enum wish_kind kind)
{
    struct record *record = d->record;
    const int64_t ms = d->event->ts_ms;
    const enum wish_kind present = record->wish.kind;
    if (present > kind || (present != WISH_NONE && record->wish.ts_ms > ms)) {
        return;
    }
    record->wish.floor_ms = later(record->wish.floor_ms, ms);
    record->touched_ms = later(record->touched_ms, ms);
    if (present == WISH_NONE) {
        return;
    }
    record->wish.kind = WISH_NONE;
    record->wish.ts_ms = 0;
    struct decision decision = {
        .action = ACTION_RELEASE,
        .of_wish = true,
        .rule = "operator",
        .category = wish_category(present),
        .ts_ms = ms,
    };
    emit(d, &decision);
}

static void released(const struct deciding *d)
{
    if (d->event->category == CATEGORY_COMPLAINT) {
        wish_released(d, WISH_COMPLAINT);
    } else if (d->event->category == CATEGORY_UNSUBSCRIBE) {
        wish_released(d, WISH_UNSUBSCRIBE);
    } else {
        operator_releases(d);
    }
}

/* -------------------------------------------------------------------------------------------- */

/* The address stays only while something is suppressed. */
static void forget_key(struct record *record)
{
    if (!record_is_suppressed(record)) {
        record->key_size = 0;
    }
}

void decide(struct record *record,
            const struct policy *policy,
            const struct observation *observation,
            const struct decision_sink *sink)
{
    const struct deciding d = {record, policy, observation, sink};
    forget_what_is_over(&d, observation->ts_ms);
    switch (observation->kind) {
    case KIND_DELIVERED:
        delivered(&d);
        break;
    case KIND_DEFERRED:
    case KIND_BOUNCED:
    case KIND_EXPIRED:
    case KIND_LATE_BOUNCE:
        failed(&d);
        break;
    case KIND_SUPPRESS:
        operator_suppresses(&d);
        break;
    case KIND_RELEASE:
        released(&d);
        break;
    case KIND_COMPLAINT:
        wished(&d, WISH_COMPLAINT);
        break;
    case KIND_UNSUBSCRIBE:
        wished(&d, WISH_UNSUBSCRIBE);
        break;
    case KIND_RECEIVED:
    case KIND_DROPPED:
    case KIND_ADMIN:
    case KIND_IGNORED:
    case KIND_COUNT:
        CHECK(!"an observation that does not matter was sent on");
    }
    forget_key(record);
}

bool decide_lapse(struct record *record, int64_t now_ms, const struct decision_sink *sink)
{
    const struct deciding d = {.record = record, .sink = sink};
    const bool released_something = release_what_ended(&d, now_ms);
    forget_key(record);
    return released_something;
}

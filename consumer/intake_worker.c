/* consumer/intake_worker.c - see intake_worker.h.
 *
 * Observations of one shard collect in a block; a full block goes to the outbox at once, the others
 * when the transaction ends. So the shards pay the client's price per block.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/intake_worker.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "consumer/dead_letter.h"
#include "state/block.h"

enum {
    POLL_MAX = 2048,
    COMMITTED_TIMEOUT_MS = 200,
    RANGE_TIMEOUT_MS = 1000,
    COMPLAINT_INTERVAL_MS = 10000,
    /* a block under so many observations costs the shard more than the wait is worth */
    OBSERVATIONS_PER_BLOCK_MIN = 64,
    CLOCK_SKEW_MS = 3600000,
};

/* Offsets that a partition holds. */
struct range {
    int64_t begin;
    int64_t end;
};

/* One shard's block in the making; its memory is a piece of the outbox once it is full. */
struct packing {
    struct block_writer block;
    char *memory;
    bool is_open;
};

struct intake_role {
    const struct process *process;
    struct intake *intake;
    size_t reader;            /* of the rules in force */
    bool holds_rules;         /* from the first record of a transaction to its end */
    struct packing *packings; /* one a shard */
    struct worker *worker;    /* while a message is applied */
    uint64_t observations;    /* in this transaction */
    uint64_t blocks;
    size_t open_bytes;            /* in blocks that are not yet in the outbox */
    uint64_t buried;              /* records that went to the dead letters whole, unread */
    struct intake_counts settled; /* at the last commit: what came after is undone by an abort */
    struct intake_totals totals;
    long long beyond_logged_ms;
    /* the record that is being applied */
    const struct io_message *message;
    const struct input_topic *topic;
};

void intake_role_destroy(struct intake_role **role)
{
    struct intake_role *r = *role;
    *role = NULL;
    if (r == NULL) {
        return;
    }
    published_let_go(r->process->rules, r->reader);
    for (uint32_t i = 0; r->packings != NULL && i < r->process->shard_count; i++) {
        free(r->packings[i].memory);
    }
    free(r->packings);
    intake_destroy(&r->intake);
    free(r);
}

enum err intake_role_create(const struct process *process, struct intake_role **out)
{
    struct intake_role *role = calloc(1, sizeof(*role));
    if (role == NULL) {
        return ERR_NO_MEMORY;
    }
    const struct intake_config config = {
        .policies = process->policies,
        .secret = process->secret,
        .shard_count = process->shard_count,
        .address = process->address,
        .prefer_final = process->prefer_final,
        .wish_needs_tenant = process->wish_needs_tenant,
    };
    role->process = process;
    role->reader = published_join(process->rules);
    role->packings = calloc(process->shard_count, sizeof(role->packings[0]));
    enum err err = role->packings == NULL ? ERR_NO_MEMORY : intake_create(&config, &role->intake);
    for (uint32_t i = 0; err == OK && i < process->shard_count; i++) {
        role->packings[i].memory = malloc(BLOCK_SIZE_MAX);
        err = role->packings[i].memory == NULL ? ERR_NO_MEMORY : OK;
    }
    if (err != OK) {
        intake_role_destroy(&role);
        return err;
    }
    *out = role;
    return OK;
}

const struct intake_totals *intake_role_totals(const struct intake_role *role)
{
    return &role->totals;
}

/* --- pack ----------------------------------------------------------------------------------- */

static void send_block(struct intake_role *role, uint32_t shard)
{
    struct packing *packing = &role->packings[shard];
    struct outbox *outbox = worker_outbox(role->worker);
    const struct io_record record = {
        .topic = INTAKE_EVENTS,
        .partition = (int32_t)shard,
        .key = SPAN_NONE,
        .value = outbox_copy(outbox, block_end(&packing->block)),
    };
    outbox_add(outbox, &record, NULL, 0);
    role->open_bytes -= record.value.size;
    packing->is_open = false;
    role->blocks++;
}

static void open_block(struct intake_role *role, struct packing *packing)
{
    block_begin(&packing->block, packing->memory, role->process->secret->check);
    packing->is_open = true;
    role->open_bytes += packing->block.out.size;
}

/* Asked only of what takes evidence along, one event in ten: the client makes and frees an object
 * for each record that is asked for its headers (110 ns, a tenth of the intake's time). */
static struct observation with_trace(const struct intake_role *role,
                                     const struct observation *observation)
{
    struct io *io = worker_io(role->worker);
    struct observation traced = *observation;
    traced.evidence.traceparent = io->ops->header(io, role->message, "traceparent");
    return traced;
}

static void pack(struct intake_role *role, uint32_t shard, const struct observation *observation)
{
    struct packing *packing = &role->packings[shard];
    if (!packing->is_open) {
        open_block(role, packing);
    }
    size_t size_before = packing->block.out.size;
    if (!block_add(&packing->block, observation)) {
        send_block(role, shard);
        open_block(role, packing);
        size_before = packing->block.out.size;
        CHECK(block_add(&packing->block, observation));
    }
    role->open_bytes += packing->block.out.size - size_before;
    role->observations++;
}

static void on_observed(void *context, uint32_t shard, const struct observation *observation)
{
    struct intake_role *role = context;
    if (observation_has_words(observation)) {
        const struct observation traced = with_trace(role, observation);
        pack(role, shard, &traced);
    } else {
        pack(role, shard, observation);
    }
}

static void on_dead(void *context, const struct dead_letter *letter)
{
    struct intake_role *role = context;
    dead_letter_add(worker_outbox(role->worker), INTAKE_DEAD_LETTERS, letter,
                    span_of(role->topic->name), role->message->partition, role->message->offset,
                    format_name(role->topic->format));
}

/* --- the role ------------------------------------------------------------------------------- */

/* The offset to begin at: the committed one, if the topic still has it. Nothing committed yet: from
 * input.start. Trimmed below what is committed: the loss is counted, said, and it goes on. Ends
 * before what is committed: nobody can tell what was there, so it waits for an operator. */
static enum err find_start(struct intake_role *role,
                           const struct held *held,
                           const struct range *range,
                           int64_t *next)
{
    const char *topic = role->process->inputs[held->partition.topic].name;
    if (*next < 0) {
        *next = role->process->start_at_latest ? range->end : range->begin;
    } else if (*next < range->begin) {
        log_error("input was deleted before it was read: events are lost topic=%s "
                  "partition=%" PRId32 " records=%" PRId64 " from=%" PRId64 " to=%" PRId64,
                  topic, held->partition.partition, range->begin - *next, *next, range->begin);
        *next = range->begin;
    } else if (*next > range->end) {
        log_line_limited(LOG_ERROR, &role->beyond_logged_ms, COMPLAINT_INTERVAL_MS,
                         "the committed offset lies beyond the end of the input; was the topic "
                         "truncated, or the offset set? Set the group's offset to where reading "
                         "should go on topic=%s partition=%" PRId32 " committed=%" PRId64
                         " end=%" PRId64,
                         topic, held->partition.partition, *next, range->end);
        return ERR_TIMEOUT;
    }
    return OK;
}

static enum err prepare(void *context, struct worker *worker, struct held *held)
{
    struct intake_role *role = context;
    struct io *io = worker_io(worker);
    struct range range;
    int64_t committed;
    enum err err = io->ops->committed(io, held->partition, &committed, COMMITTED_TIMEOUT_MS);
    if (err == OK) {
        err = io->ops->input_range(io, held->partition, &range.begin, &range.end, RANGE_TIMEOUT_MS);
    }
    int64_t next = committed;
    if (err == OK) {
        err = find_start(role, held, &range, &next);
    }
    if (err != OK) {
        return err;
    }
    held->own =
        (void *)(uintptr_t)(committed >= 0 ? next - committed : 0); /* lost, once committed */
    held->committed = next;
    held->next = next;
    if (committed < 0) {
        worker_touch(worker,
                     held); /* "latest" is now, also if we begin anew before the first event */
    }
    return worker_start_held(worker, held);
}

/* One transaction is judged by one set of rules, the newest at its beginning. */
static void hold_rules(struct intake_role *role)
{
    if (!role->holds_rules) {
        intake_use(role->intake, published_hold(role->process->rules, role->reader));
        role->holds_rules = true;
    }
}

static enum err apply(void *context,
                      struct worker *worker,
                      struct held *held,
                      const struct io_message *message)
{
    struct intake_role *role = context;
    (void)held;
    role->worker = worker;
    role->message = message;
    role->topic = &role->process->inputs[message->topic];
    hold_rules(role);
    const int64_t now_ms = wall_ms();
    const int64_t stamp_ms = message->timestamp_ms > 0 && message->timestamp_ms < now_ms
                                 ? message->timestamp_ms
                                 : now_ms;
    const struct intake_source source = {
        .format = role->topic->format,
        .commands = role->topic->commands,
        .time_bound_ms = stamp_ms + CLOCK_SKEW_MS,
        .clamp_ms = stamp_ms,
        .now_ms = stamp_ms,
        .tenant = role->topic->tenant,
        .campaign = role->topic->campaign,
        .sender_template = role->topic->sender_template,
        .headings = role->topic->headings,
        .names = role->topic->names,
        .topic = span_of(role->topic->name),
        .partition = message->partition,
        .offset = message->offset,
    };
    const struct intake_sink sink = {.context = role, .observed = on_observed, .dead = on_dead};
    if (message->is_tombstone) {
        const struct dead_letter letter = {.reason = "a tombstone: it has no value",
                                           .part_index = 1};
        on_dead(role, &letter);
        role->buried++;
        return OK;
    }
    intake_record(role->intake, &source, message->value, &sink);
    return OK;
}

static void bury(void *context,
                 struct worker *worker,
                 struct held *held,
                 const struct io_message *message,
                 const char *why)
{
    struct intake_role *role = context;
    (void)held;
    role->worker = worker;
    role->message = message;
    role->topic = &role->process->inputs[message->topic];
    const struct dead_letter letter = {.reason = why, .part = message->value};
    on_dead(role, &letter);
    role->buried++;
}

static enum err tend(void *context, struct worker *worker, struct held *held)
{
    (void)context;
    (void)worker;
    (void)held;
    return OK;
}

static size_t pending(void *context)
{
    const struct intake_role *role = context;
    return role->open_bytes;
}

static void finish(void *context, struct worker *worker)
{
    struct intake_role *role = context;
    role->worker = worker;
    for (uint32_t i = 0; i < role->process->shard_count; i++) {
        if (role->packings[i].is_open) {
            send_block(role, i);
        }
    }
}

static bool wants_more(void *context)
{
    const struct intake_role *role = context;
    uint64_t blocks = role->blocks;
    for (uint32_t i = 0; i < role->process->shard_count; i++) {
        blocks += role->packings[i].is_open;
    }
    return role->observations < blocks * OBSERVATIONS_PER_BLOCK_MIN;
}

static void begin_transaction(struct intake_role *role)
{
    for (uint32_t i = 0; i < role->process->shard_count; i++) {
        role->packings[i].is_open = false;
    }
    published_let_go(role->process->rules, role->reader);
    role->holds_rules = false;
    role->observations = 0;
    role->blocks = 0;
    role->open_bytes = 0;
    role->buried = 0;
    role->settled = *intake_counts(role->intake);
}

static void add(_Atomic uint64_t *total, uint64_t n)
{
    atomic_fetch_add_explicit(total, n, memory_order_relaxed);
}

static void committed(void *context, struct worker *worker)
{
    struct intake_role *role = context;
    const struct intake_counts *now = intake_counts(role->intake);
    const struct intake_counts *before = &role->settled;
    add(&role->totals.records, now->records - before->records + role->buried);
    add(&role->totals.events, now->events - before->events);
    add(&role->totals.routed, now->routed - before->routed);
    add(&role->totals.ignored, now->ignored - before->ignored);
    add(&role->totals.harmless, now->harmless - before->harmless);
    add(&role->totals.clamped, now->clamped - before->clamped);
    add(&role->totals.dead_letters,
        now->refused - before->refused + now->malformed - before->malformed + role->buried);
    for (size_t i = 0; i < worker_held_count(worker); i++) {
        struct held *held = worker_held(worker, i);
        if (held->touched) {
            add(&role->totals.lost, (uintptr_t)held->own);
            held->own = NULL;
        }
    }
    begin_transaction(role);
}

static void undo(void *context, struct worker *worker)
{
    (void)worker;
    begin_transaction(context);
}

static void between(void *context)
{
    struct intake_role *role = context;
    if (!role->holds_rules) {
        published_answer(role->process->rules, role->reader);
    }
}

static void drop(void *context, struct held *held)
{
    (void)context;
    held->own = NULL;
}

const struct role_ops *intake_role_ops(void)
{
    static const struct role_ops OPS = {
        .poll_max = POLL_MAX,
        .prepare = prepare,
        .apply = apply,
        .bury = bury,
        .tend = tend,
        .pending = pending,
        .finish = finish,
        .wants_more = wants_more,
        .committed = committed,
        .undo = undo,
        .between = between,
        .drop = drop,
    };
    return &OPS;
}

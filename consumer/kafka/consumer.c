/* consumer/kafka/consumer.c - the consumer: assignment, the gate, poll.
 *
 *     FOREIGN --assign--> PAUSED --start()--> STARTING --next poll()--> STARTED
 *        ^                  ^                                             |
 *        +----- revoke -----+------------------ pause() -----------------+
 *
 * An assigned partition is given to the client at once, paused; otherwise the group would wait for
 * a restore. start() seeks, and the seek is made at the next poll(), never inside the rebalance
 * callback: so no message that poll() has in hand when a partition comes back can be taken for one
 * of its new life.
 *
 * The gate. A message is handed out only if its partition is STARTED and its offset is not below
 * `next`. The client's barriers (every seek, pause and resume outdates what was fetched before) are
 * trusted for what lies *above* the offset; for what lies below there are known faults (librdkafka
 * #4208, #4636), and there the gate is what counts.
 *
 * rd_kafka_consumer_poll() message by message, not consume_batch_queue: that hands out messages of
 * before a rebalance together with those after it, waits for a full batch, and in 2.0.2 loses
 * messages around pause and seek (#4208).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"
#include "consumer/kafka/io_kafka.h"

enum {
    SEEK_TIMEOUT_MS = 1000,
    STARTING_MAX_MS = 15000, /* a seek that fails for so long: the consumer is not well */
    CLOSE_POLL_MS = 50,
    NEXT_MAX = 512, /* messages in one call of the client */
};

/* --- slots */

static struct slot *slot_of(const struct io_kafka *k, struct io_partition partition)
{
    CHECK(partition.topic < k->input_count);
    if (partition.partition < 0 || partition.partition >= k->slot_count[partition.topic]) {
        return NULL;
    }
    return &k->slots[partition.topic][partition.partition];
}

bool io_kafka_owns(const struct io_kafka *k, struct io_partition partition)
{
    const struct slot *slot = slot_of(k, partition);
    return slot != NULL && slot->state != SLOT_FOREIGN;
}

static uint16_t input_of(const struct io_kafka *k, const rd_kafka_topic_t *topic)
{
    uint16_t i = 0;
    while (k->inputs[i] != topic) {
        i++;
        CHECK(i < k->input_count);
    }
    return i;
}

static uint16_t input_named(const struct io_kafka *k, const char *name)
{
    uint16_t i = 0;
    while (strcmp(rd_kafka_topic_name(k->inputs[i]), name) != 0) {
        i++;
        CHECK(i < k->input_count);
    }
    return i;
}

static void set_state(struct io_kafka *k, struct slot *slot, enum slot_state state)
{
    k->starting_count -= slot->state == SLOT_STARTING ? 1 : 0;
    k->starting_count += state == SLOT_STARTING ? 1 : 0;
    slot->state = state;
}

/* --- rebalance */

static void grow_slots(struct io_kafka *k, uint16_t topic, int32_t count)
{
    const int32_t had = k->slot_count[topic];
    if (count <= had) {
        return;
    }
    struct slot *slots = realloc(k->slots[topic], (size_t)count * sizeof(*slots));
    CHECK(slots != NULL); /* a few bytes, and a callback cannot say no */
    memset(slots + had, 0, (size_t)(count - had) * sizeof(*slots));
    k->slots[topic] = slots;
    k->slot_count[topic] = count;
}

/* The caller frees. At least one element, so that it is never NULL. */
static struct io_partition *partitions_of(const struct io_kafka *k,
                                          const rd_kafka_topic_partition_list_t *list)
{
    struct io_partition *partitions = calloc((size_t)list->cnt + 1, sizeof(*partitions));
    CHECK(partitions != NULL);
    for (int i = 0; i < list->cnt; i++) {
        partitions[i] =
            (struct io_partition){input_named(k, list->elems[i].topic), list->elems[i].partition};
    }
    return partitions;
}

/* Takes error. */
static void complain_rebalance(const struct io_kafka *k, const char *what, rd_kafka_error_t *error)
{
    if (error != NULL) {
        log_warn("kafka: %s: %s worker=%s", what, rd_kafka_error_string(error), k->worker);
        rd_kafka_error_destroy(error);
    }
}

static void assign(struct io_kafka *k, rd_kafka_topic_partition_list_t *list)
{
    struct io_partition *partitions = partitions_of(k, list);
    const size_t count = (size_t)list->cnt;
    for (size_t i = 0; i < count; i++) {
        grow_slots(k, partitions[i].topic, partitions[i].partition + 1);
        struct slot *slot = slot_of(k, partitions[i]);
        CHECK(slot->state == SLOT_FOREIGN);
        *slot = (struct slot){.state = SLOT_PAUSED};
        /* Nothing is handed out from there: it is paused until start() has sought. But a fetch may
         * be out before the pause, and an offset that is deleted (0, of a purged topic) would end
         * the partition: a later seek then says "erroneous state". */
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    complain_rebalance(k, "assignment", rd_kafka_incremental_assign(k->consumer, list));
    rd_kafka_pause_partitions(k->consumer, list);
    if (count > 0) {
        k->handler.assigned(k->handler.context, partitions, count);
    }
    free(partitions);
}

static void revoke(struct io_kafka *k, const rd_kafka_topic_partition_list_t *list)
{
    struct io_partition *partitions = partitions_of(k, list);
    const size_t count = (size_t)list->cnt;
    if (count > 0) {
        const bool lost = rd_kafka_assignment_lost(k->consumer) != 0;
        k->handler.revoked(k->handler.context, partitions, count, lost);
    }
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = slot_of(k, partitions[i]);
        CHECK(slot != NULL && slot->state != SLOT_FOREIGN);
        set_state(k, slot, SLOT_FOREIGN);
    }
    complain_rebalance(k, "revocation", rd_kafka_incremental_unassign(k->consumer, list));
    free(partitions);
}

void consumer_on_rebalance(rd_kafka_t *rk,
                           rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t *list,
                           void *opaque)
{
    struct io_kafka *k = opaque;
    CHECK(rk == k->consumer);
    k->rebalances++;
    k->was_assigned = k->was_assigned || code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (k->is_closing) {
        /* Everything was taken back before; the client only wants its answer. */
        complain_rebalance(k, "close",
                           code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
                               ? rd_kafka_incremental_assign(rk, list)
                               : rd_kafka_incremental_unassign(rk, list));
    } else if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assign(k, list);
    } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        revoke(k, list);
    } else {
        log_warn("kafka: rebalance failed: %s worker=%s", rd_kafka_err2str(code), k->worker);
        complain_rebalance(k, "revocation", rd_kafka_incremental_unassign(rk, list));
    }
}

/* --- start, pause */

enum err consumer_start(struct io *io, struct io_partition partition, int64_t offset)
{
    struct io_kafka *k = io_kafka_of(io);
    struct slot *slot = slot_of(k, partition);
    CHECK(slot != NULL && slot->state == SLOT_PAUSED && offset >= 0);
    set_state(k, slot, SLOT_STARTING);
    slot->next = offset;
    slot->starting_since_ms = client_mono_ms();
    return OK;
}

static rd_kafka_resp_err_t client_pause(struct io_kafka *k,
                                        struct io_partition partition,
                                        bool is_pause)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, rd_kafka_topic_name(k->inputs[partition.topic]),
                                      partition.partition);
    rd_kafka_resp_err_t code = is_pause ? rd_kafka_pause_partitions(k->consumer, list)
                                        : rd_kafka_resume_partitions(k->consumer, list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = list->elems[0].err;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

enum err consumer_pause(struct io *io, struct io_partition partition)
{
    struct io_kafka *k = io_kafka_of(io);
    struct slot *slot = slot_of(k, partition);
    CHECK(slot != NULL && slot->state != SLOT_FOREIGN);
    if (slot->state == SLOT_STARTED) {
        const rd_kafka_resp_err_t code = client_pause(k, partition, true);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            /* The gate holds it back all the same. */
            log_warn("kafka: %s [%d] cannot be paused: %s worker=%s",
                     rd_kafka_topic_name(k->inputs[partition.topic]), (int)partition.partition,
                     rd_kafka_err2str(code), k->worker);
        }
    }
    set_state(k, slot, SLOT_PAUSED);
    return OK;
}

/* False: not yet, the client has not taken up the partition; the next poll() tries again.
 * rd_kafka_seek() and not seek_partitions(): its timeout is right in all versions (#4230). */
static bool start_slot(struct io_kafka *k, struct io_partition partition, struct slot *slot)
{
    rd_kafka_resp_err_t code =
        rd_kafka_seek(k->inputs[partition.topic], partition.partition, slot->next, SEEK_TIMEOUT_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = client_pause(k, partition, false);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        set_state(k, slot, SLOT_STARTED);
        return true;
    }
    if (client_mono_ms() - slot->starting_since_ms > STARTING_MAX_MS) {
        log_error("kafka: %s [%d] cannot be started at offset %lld: %s worker=%s",
                  rd_kafka_topic_name(k->inputs[partition.topic]), (int)partition.partition,
                  (long long)slot->next, rd_kafka_err2str(code), k->worker);
        k->is_spent = true;
    }
    return false;
}

static void start_slots(struct io_kafka *k)
{
    for (uint16_t topic = 0; topic < k->input_count && k->starting_count > 0; topic++) {
        for (int32_t i = 0; i < k->slot_count[topic]; i++) {
            struct slot *slot = &k->slots[topic][i];
            if (slot->state == SLOT_STARTING) {
                start_slot(k, (struct io_partition){topic, i}, slot);
            }
        }
    }
}

/* --- poll */

/* An event that is no message. Only what the consumer does not survive makes the io spent; the rest
 * (a broker away, a topic not there yet, a batch that cannot be unpacked) it tries again by itself.
 */
static void judge_event(struct io_kafka *k, const rd_kafka_message_t *event)
{
    const bool is_of_partition = event->rkt != NULL;
    log_line_limited(LOG_WARN, &k->complained_ms[COMPLAINT_CONSUMER], COMPLAINT_INTERVAL_MS,
                     "kafka: consuming %s [%d]: %s error=%s worker=%s",
                     is_of_partition ? rd_kafka_topic_name(event->rkt) : "-", (int)event->partition,
                     rd_kafka_message_errstr(event), rd_kafka_err2name(event->err), k->worker);
    if (is_of_partition && (event->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                            event->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)) {
        /* What was to be read next is gone: to begin anew looks at the range again. */
        const struct slot *slot =
            slot_of(k, (struct io_partition){input_named(k, rd_kafka_topic_name(event->rkt)),
                                             event->partition});
        k->is_spent |= slot != NULL && slot->state == SLOT_STARTED;
    }
}

static void look_for_end(struct io_kafka *k)
{
    char reason[256];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(k->consumer, reason, sizeof(reason));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !k->is_spent) {
        log_error("kafka: the consumer is spent: %s error=%s worker=%s", reason,
                  rd_kafka_err2name(code), k->worker);
        k->io.is_fenced = code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
        k->is_spent = true;
    }
}

/* Takes the message if it is to be handed out. */
static bool gate(struct io_kafka *k, rd_kafka_message_t *message, struct io_message *out)
{
    const struct io_partition partition = {input_of(k, message->rkt), message->partition};
    struct slot *slot = slot_of(k, partition);
    if (slot == NULL || slot->state != SLOT_STARTED || message->offset < slot->next) {
        return false;
    }
    slot->next = message->offset + 1;
    io_kafka_fill(k, partition.topic, message, out);
    return true;
}

/* After a rebalance amid poll(): what is in hand of partitions that are not ours any more goes. */
static size_t drop_foreign(struct io_kafka *k, struct io_message *messages, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct slot *slot =
            slot_of(k, (struct io_partition){messages[i].topic, messages[i].partition});
        if (slot->state == SLOT_STARTED) {
            messages[kept++] = messages[i];
        } else {
            io_kafka_release(&k->io, &messages[i], 1);
        }
    }
    return kept;
}

/* Takes the message. True: it was handed out. */
static bool take(struct io_kafka *k, rd_kafka_message_t *message, struct io_message *out)
{
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        judge_event(k, message);
        look_for_end(k);
    } else if (gate(k, message, out)) {
        return true;
    }
    rd_kafka_message_destroy(message);
    return false;
}

/* What is there, `max` at most; waits for the first. The others come in one call: each in a call of
 * its own costs as much again as all that the client does for it. */
static size_t next_messages(struct io_kafka *k,
                            rd_kafka_message_t **next,
                            size_t max,
                            int timeout_ms)
{
    next[0] = rd_kafka_consumer_poll(k->consumer, timeout_ms);
    if (next[0] == NULL) {
        return 0;
    }
    const ssize_t others = rd_kafka_consume_batch_queue(k->queue, 0, next + 1, max - 1);
    return others < 0 ? 1 : 1 + (size_t)others;
}

/* What is not handed out does not prolong the call beyond its time. A rebalance amid the call takes
 * effect on all that is in hand: the gate sees the partitions as they are after it. */
int consumer_poll(struct io *io, struct io_message *messages, size_t max, int timeout_ms)
{
    struct io_kafka *k = io_kafka_of(io);
    rd_kafka_message_t *next[NEXT_MAX];
    offsets_drain_purges(k);
    if (k->producer != NULL) {
        rd_kafka_poll(k->producer, 0); /* between transactions its errors would pile up */
    }
    if (k->starting_count > 0) {
        start_slots(k);
    }
    const int64_t deadline = client_mono_ms() + timeout_ms;
    bool goes_on = true;
    size_t count = 0;
    while (goes_on && count < max && !k->is_spent) {
        const unsigned rebalances = k->rebalances;
        const size_t room = max - count < NEXT_MAX ? max - count : NEXT_MAX;
        const size_t n = next_messages(k, next, room, count == 0 ? client_left_ms(deadline) : 0);
        if (k->rebalances != rebalances) {
            count = drop_foreign(k, messages, count);
        }
        const size_t before = count;
        for (size_t i = 0; i < n; i++) {
            count += take(k, next[i], &messages[count]) ? 1 : 0;
        }
        goes_on = n > 0 && (count - before == n || client_left_ms(deadline) > 0);
    }
    look_for_end(k);
    if (k->is_spent) {
        io_kafka_release(io, messages, count);
        return -1;
    }
    return (int)count;
}

/* --- close */

/* Before the client closes, not in the callbacks of its closing: by then it may have left the
 * group, and nothing can be committed any more (seen with 2.0.2). */
static void revoke_all(struct io_kafka *k)
{
    const bool lost = k->is_spent || rd_kafka_assignment_lost(k->consumer) != 0;
    size_t total = 0;
    for (size_t topic = 0; topic < k->input_count; topic++) {
        total += (size_t)k->slot_count[topic];
    }
    struct io_partition *partitions = calloc(total + 1, sizeof(*partitions));
    CHECK(partitions != NULL);
    size_t count = 0;
    for (size_t topic = 0; topic < k->input_count; topic++) {
        for (int32_t i = 0; i < k->slot_count[topic]; i++) {
            if (k->slots[topic][i].state != SLOT_FOREIGN) {
                partitions[count++] = (struct io_partition){(uint16_t)topic, i};
            }
        }
    }
    if (count > 0) {
        k->handler.revoked(k->handler.context, partitions, count, lost);
    }
    for (size_t i = 0; i < count; i++) {
        set_state(k, slot_of(k, partitions[i]), SLOT_FOREIGN);
    }
    free(partitions);
    k->is_closing = true;
}

void consumer_close(struct io_kafka *k, int64_t deadline)
{
    revoke_all(k);
    if (rd_kafka_fatal_error(k->consumer, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return; /* it has left the group already and would say so */
    }
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(k->consumer, k->queue);
    if (error != NULL) {
        complain_rebalance(k, "the consumer does not close", error);
    } else {
        while (!rd_kafka_consumer_closed(k->consumer) && client_left_ms(deadline) > 0) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(k->consumer, CLOSE_POLL_MS);
            if (message != NULL) {
                rd_kafka_message_destroy(message);
            }
        }
        if (!rd_kafka_consumer_closed(k->consumer)) {
            log_warn("kafka: the consumer does not close in time worker=%s", k->worker);
        }
    }
}

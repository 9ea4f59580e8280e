/* consumer/kafka/io_kafka.c - the io of a real broker: open, close, and the consumer.
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
 * issues 4208, 4636), and there the gate is what counts.
 *
 * rd_kafka_consumer_poll() message by message, not consume_batch_queue: that hands out messages of
 * before a rebalance together with those after it, waits for a full batch, and in 2.0.2 loses
 * messages around pause and seek (4208).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/io_kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"

enum {
    SEEK_TIMEOUT_MS = 1000,
    STARTING_MAX_MS = 15000, /* a seek that fails for so long: the consumer is not well */
    CLOSE_TIMEOUT_MS = 10000,
    CLOSE_POLL_MS = 50,
    CLOSE_RESERVE_MS = 2000, /* of the above for the end of the handles */
    HANDLES = 4,
    REOPEN_PAUSE_FIRST_MS = 500,
    REOPEN_PAUSE_MAX_MS = 10000,
    STOP_LOOK_MS = 100,
};

/* --- small things */

void io_kafka_warm(rd_kafka_t *rk, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, WARM_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
}

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
        /* Explicit, so that the client asks nobody where to begin. Nothing is read from there: it
         * is paused until start() has sought. */
        list->elems[i].offset = 0;
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

static void on_rebalance(rd_kafka_t *rk,
                         rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct io_kafka *k = opaque;
    CHECK(rk == k->consumer);
    k->rebalances++;
    if (k->is_closing) {
        /* Everything was taken back before; the client only wants its answer. */
        complain_rebalance(k, "revocation", rd_kafka_incremental_unassign(rk, list));
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

static enum err io_start(struct io *io, struct io_partition partition, int64_t offset)
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

static enum err io_pause(struct io *io, struct io_partition partition)
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
 * rd_kafka_seek() and not seek_partitions(): its timeout is right in all versions (issue 4230). */
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

void io_kafka_fill(struct io_kafka *k,
                   uint16_t topic,
                   rd_kafka_message_t *message,
                   struct io_message *out)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    *out = (struct io_message){
        .topic = topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .is_tombstone = message->payload == NULL,
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
        .handle = message,
    };
    k->unreleased++;
}

void io_kafka_release(struct io *io, struct io_message *messages, size_t count)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(count <= k->unreleased);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_destroy(messages[i].handle);
        messages[i].handle = NULL;
    }
    k->unreleased -= count;
}

static struct span io_header(struct io *io, const struct io_message *message, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    (void)io;
    if (rd_kafka_message_headers(message->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SPAN_NONE;
    }
    return (struct span){value, size};
}

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

static int io_poll(struct io *io, struct io_message *messages, size_t max, int timeout_ms)
{
    struct io_kafka *k = io_kafka_of(io);
    offsets_drain_purges(k);
    if (k->starting_count > 0) {
        start_slots(k);
    }
    const int64_t deadline = client_mono_ms() + timeout_ms;
    size_t count = 0;
    while (count < max && !k->is_spent) {
        const unsigned rebalances = k->rebalances;
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(k->consumer, count == 0 ? client_left_ms(deadline) : 0);
        if (k->rebalances != rebalances) {
            count = drop_foreign(k, messages, count);
        }
        if (message == NULL) {
            break;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            judge_event(k, message);
            look_for_end(k);
            rd_kafka_message_destroy(message);
        } else if (gate(k, message, &messages[count])) {
            count++;
        } else {
            rd_kafka_message_destroy(message);
        }
    }
    look_for_end(k);
    if (k->is_spent) {
        io_kafka_release(io, messages, count);
        return -1;
    }
    return (int)count;
}

/* --- close */

/* Before the consumer is closed, not in the callbacks of its closing: by then the client may have
 * left the group, and nothing can be committed any more (seen with 2.0.2). */
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

static void close_consumer(struct io_kafka *k, int64_t deadline)
{
    if (rd_kafka_fatal_error(k->consumer, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return; /* it has left the group already and would say so */
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(k->consumer);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(k->consumer, queue);
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
    rd_kafka_queue_destroy(queue);
}

static void free_memory(struct io_kafka *k)
{
    for (size_t i = 0; i < k->input_count; i++) {
        free(k->slots[i]);
    }
    for (size_t i = 0; i < k->output_count; i++) {
        free(k->output_names[i]);
    }
    if (k->producer_conf != NULL) {
        rd_kafka_conf_destroy(k->producer_conf);
    }
    free(k->worker);
    free(k->group_id);
    free(k->servers);
    free(k);
}

static void io_close(struct io *io)
{
    struct io_kafka *k = io_kafka_of(io);
    const int64_t deadline = client_mono_ms() + CLOSE_TIMEOUT_MS;
    if (k->consumer != NULL) {
        revoke_all(k);
        close_consumer(k, deadline - CLOSE_RESERVE_MS);
        for (size_t i = 0; i < k->input_count; i++) {
            rd_kafka_topic_destroy(k->inputs[i]);
        }
    }
    CHECK(k->unreleased == 0);
    if (k->purge_results != NULL) {
        rd_kafka_queue_destroy(k->purge_results);
    }
    txn_release_topics(k);
    rd_kafka_t *handles[HANDLES] = {k->consumer, k->producer, k->reader, k->ends};
    /* revoked() may have used up the time; the handles get what was reserved for them. */
    const int64_t reserved = client_mono_ms() + CLOSE_RESERVE_MS;
    client_close(handles, HANDLES, reserved > deadline ? reserved : deadline);
    free_memory(k);
}

/* --- open */

static const struct io_ops OPS = {
    .poll = io_poll,
    .release = io_kafka_release,
    .header = io_header,
    .start = io_start,
    .pause = io_pause,
    .committed = offsets_committed,
    .input_range = offsets_input_range,
    .output_range = offsets_output_range,
    .log_open = log_reader_open,
    .log_read = log_reader_read,
    .log_close = log_reader_close,
    .commit = txn_commit,
    .purge = offsets_purge,
    .close = io_close,
};

/* Errors of a handle as a whole. The producer's lost connections make its next end of a transaction
 * suspect (txn.c). */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct io_kafka *k = opaque;
    if (rk == k->producer &&
        (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)) {
        k->lost_connection = true;
    }
    log_line_limited(LOG_WARN, &k->complained_ms[COMPLAINT_CLIENT], COMPLAINT_INTERVAL_MS,
                     "kafka client: %s error=%s handle=%s", reason,
                     rd_kafka_err2name((rd_kafka_resp_err_t)code), rd_kafka_name(rk));
}

/* All deliveries are reported, although only failures matter: a report wakes rd_kafka_flush(),
 * which else looks only each 10 ms (a transaction of 1,000 records took 15 ms in the median, now
 * 11). What was purged is no cause: the producer failed for another reason, which its next call
 * tells. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct io_kafka *k = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT &&
        k->undelivered == RD_KAFKA_RESP_ERR_NO_ERROR) {
        k->undelivered = message->err;
        k->undelivered_topic = rd_kafka_topic_name(message->rkt);
    }
}

struct number {
    char text[16];
};

static struct number number(int value)
{
    struct number n;
    snprintf(n.text, sizeof(n.text), "%d", value);
    return n;
}

static int or_default(int value, int otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum err make_conf(const struct io_config *config,
                          struct io_kafka *k,
                          const struct client_layers *layers,
                          rd_kafka_conf_t **out)
{
    struct client_layers whole = *layers;
    whole.users = config->properties;
    whole.user_count = config->property_count;
    const enum err err = client_conf(&whole, k, out);
    if (err == OK) {
        rd_kafka_conf_set_error_cb(*out, on_error);
    }
    return err;
}

static enum err open_consumer(const struct io_config *config, struct io_kafka *k)
{
    const int session_ms = or_default(config->session_timeout_ms, SESSION_TIMEOUT_DEFAULT_MS);
    const struct number session = number(session_ms);
    const struct number heartbeat = number(session_ms / 10);
    const struct number poll_interval =
        number(session_ms > MAX_POLL_INTERVAL_MS ? session_ms : MAX_POLL_INTERVAL_MS);
    const struct io_property ours[] = {
        {"client.id", config->worker},
        {"session.timeout.ms", session.text},
        {"heartbeat.interval.ms", heartbeat.text},
        {"max.poll.interval.ms", poll_interval.text},
        /* A partition that is started waits for the fetch that is out: not 500 ms. */
        {"fetch.wait.max.ms", "100"},
        /* An input topic may come later than we do. */
        {"topic.metadata.refresh.interval.ms", "30000"},
        {"socket.nagle.disable", "true"},
        {"enable.metrics.push", "false"},
    };
    const struct io_property fixed[] = {
        {"group.id", config->group_id},
        {"group.instance.id", config->group_instance_id},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "false"},
        {"auto.offset.reset", "error"},
        {"allow.auto.create.topics", "false"},
    };
    const struct client_layers layers = {.ours = ours,
                                         .our_count = CLIENT_COUNT(ours),
                                         .fixed = fixed,
                                         .fixed_count = CLIENT_COUNT(fixed)};
    rd_kafka_conf_t *conf = NULL;
    enum err err = make_conf(config, k, &layers, &conf);
    if (err != OK) {
        return err;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    err = client_open(RD_KAFKA_CONSUMER, conf, &k->consumer);
    if (err != OK) {
        return err;
    }
    rd_kafka_poll_set_consumer(k->consumer);
    for (size_t i = 0; i < config->input_count; i++) {
        k->inputs[i] = rd_kafka_topic_new(k->consumer, config->inputs[i], NULL);
        CHECK(k->inputs[i] != NULL);
        k->input_count = i + 1;
    }
    return OK;
}

/* A producer that the broker spoils at birth is no reason to end the process. */
static enum err open_until_stopped(struct io_kafka *k, const atomic_bool *stop)
{
    int pause_ms = REOPEN_PAUSE_FIRST_MS;
    for (;;) {
        const enum err err = txn_open(k, stop, INT64_MAX);
        if (err != ERR_IO) {
            return err;
        }
        for (int waited_ms = 0; waited_ms < pause_ms; waited_ms += STOP_LOOK_MS) {
            if (*stop) {
                return ERR_TIMEOUT;
            }
            client_sleep_ms(STOP_LOOK_MS);
        }
        pause_ms = pause_ms * 2 < REOPEN_PAUSE_MAX_MS ? pause_ms * 2 : REOPEN_PAUSE_MAX_MS;
    }
}

static enum err open_producer(const struct io_config *config,
                              struct io_kafka *k,
                              const atomic_bool *stop)
{
    /* Deliveries must have failed before the broker gives the transaction up. */
    const struct number timeout = number(k->transaction_timeout_ms);
    const struct number shorter = number(k->transaction_timeout_ms / 5 * 4);
    const struct io_property ours[] = {
        {"client.id", config->worker},
        {"transaction.timeout.ms", timeout.text},
        {"message.timeout.ms", shorter.text},
        {"socket.timeout.ms", shorter.text},
        {"linger.ms", "2"},
        {"compression.codec", "lz4"},
        /* CONCURRENT_TRANSACTIONS is routine on a quiet cluster, and the client waits so long. */
        {"retry.backoff.ms", "15"},
        {"queue.buffering.max.messages", "200000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"socket.nagle.disable", "true"},
        {"enable.metrics.push", "false"},
    };
    const struct io_property fixed[] = {
        {"transactional.id", config->transactional_id},
        {"partitioner", "murmur2_random"},
    };
    const struct client_layers layers = {.ours = ours,
                                         .our_count = CLIENT_COUNT(ours),
                                         .fixed = fixed,
                                         .fixed_count = CLIENT_COUNT(fixed)};
    const enum err err = make_conf(config, k, &layers, &k->producer_conf);
    if (err != OK) {
        return err;
    }
    rd_kafka_conf_set_dr_msg_cb(k->producer_conf, on_delivery);
    return open_until_stopped(k, stop);
}

/* reader and ends. The reader names the group only because the client refuses to assign without
 * one; it joins nothing and commits nothing. */
static enum err open_reader(const struct io_config *config,
                            struct io_kafka *k,
                            const char *isolation,
                            rd_kafka_t **out)
{
    const struct io_property ours[] = {
        {"client.id", config->worker},    {"fetch.wait.max.ms", "10"},
        {"socket.timeout.ms", "8000"},    {"socket.nagle.disable", "true"},
        {"enable.metrics.push", "false"},
    };
    const struct io_property fixed[] = {
        {"group.id", config->group_id},        {"isolation.level", isolation},
        {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},      {"auto.offset.reset", "error"},
        {"allow.auto.create.topics", "false"},
    };
    const struct client_layers layers = {.ours = ours,
                                         .our_count = CLIENT_COUNT(ours),
                                         .fixed = fixed,
                                         .fixed_count = CLIENT_COUNT(fixed)};
    rd_kafka_conf_t *conf = NULL;
    enum err err = make_conf(config, k, &layers, &conf);
    if (err != OK) {
        return err;
    }
    err = client_open(RD_KAFKA_CONSUMER, conf, out);
    if (err != OK) {
        return err;
    }
    rd_kafka_poll_set_consumer(*out);
    for (size_t i = 0; i < config->output_count; i++) {
        rd_kafka_topic_t *topic = rd_kafka_topic_new(*out, config->outputs[i], NULL);
        CHECK(topic != NULL);
        io_kafka_warm(*out, topic);
        rd_kafka_topic_destroy(topic);
    }
    return OK;
}

static enum err subscribe(const struct io_config *config, struct io_kafka *k)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)config->input_count);
    for (size_t i = 0; i < config->input_count; i++) {
        rd_kafka_topic_partition_list_add(list, config->inputs[i], RD_KAFKA_PARTITION_UA);
    }
    const rd_kafka_resp_err_t code = rd_kafka_subscribe(k->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: cannot subscribe: %s worker=%s", rd_kafka_err2str(code), k->worker);
        return ERR_IO;
    }
    return OK;
}

static enum err open_handles(const struct io_config *config,
                             struct io_kafka *k,
                             const atomic_bool *stop)
{
    enum err err = open_consumer(config, k);
    if (err == OK) {
        err = open_producer(config, k, stop);
    }
    if (err == OK) {
        err = open_reader(config, k, "read_committed", &k->reader);
    }
    if (err == OK) {
        err = open_reader(config, k, "read_uncommitted", &k->ends);
    }
    if (err == OK) {
        k->purge_results = rd_kafka_queue_new(k->ends);
        err = subscribe(config, k);
    }
    return err;
}

/* NULL: no memory. */
static struct io_kafka *allocate(const struct io_config *config, struct io_handler handler)
{
    struct io_kafka *k = calloc(1, sizeof(*k));
    if (k == NULL) {
        return NULL;
    }
    k->io.ops = &OPS;
    k->handler = handler;
    k->transaction_timeout_ms =
        or_default(config->transaction_timeout_ms, TRANSACTION_TIMEOUT_DEFAULT_MS);
    k->worker = strdup(config->worker);
    k->group_id = strdup(config->group_id);
    k->servers =
        strdup(client_property(config->properties, config->property_count, "bootstrap.servers"));
    bool complete = k->worker != NULL && k->group_id != NULL && k->servers != NULL;
    for (size_t i = 0; i < config->output_count && complete; i++) {
        k->output_names[i] = strdup(config->outputs[i]);
        k->output_count = i + 1;
        complete = k->output_names[i] != NULL;
    }
    if (!complete) {
        free_memory(k);
        return NULL;
    }
    return k;
}

enum err io_kafka_open(const struct io_config *config,
                       struct io_handler handler,
                       const atomic_bool *stop,
                       struct io **out)
{
    CHECK(config->input_count >= 1 && config->input_count <= IO_TOPICS_MAX);
    CHECK(config->output_count <= IO_TOPICS_MAX);
    enum err err = client_check_version();
    if (err != OK) {
        return err;
    }
    struct io_kafka *k = allocate(config, handler);
    if (k == NULL) {
        return ERR_NO_MEMORY;
    }
    err = open_handles(config, k, stop);
    if (err != OK) {
        io_close(&k->io);
        return err;
    }
    *out = &k->io;
    return OK;
}

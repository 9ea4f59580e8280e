/* consumer/kafka/io_kafka.c - the io of a real broker: the handles, opened and closed.
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
    CLOSE_TIMEOUT_MS = 7000, /* a process that is told to stop has 9 s for all */
    CLOSE_RESERVE_MS = 2000, /* of the above for the end of the handles */
    HANDLES = 4,
    REOPEN_PAUSE_FIRST_MS = 500,
    REOPEN_PAUSE_MAX_MS = 10000,
    STOP_LOOK_MS = 100,
    FETCH_BACKOFF_VERSION = 0x02020000, /* of librdkafka: has fetch.queue.backoff.ms */
};

void io_kafka_warm(rd_kafka_t *rk, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, WARM_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
}

/* --- messages */

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

/* --- close */

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
        consumer_close(k, deadline - CLOSE_RESERVE_MS);
        rd_kafka_queue_destroy(k->queue);
        for (size_t i = 0; i < k->input_count; i++) {
            rd_kafka_topic_destroy(k->inputs[i]);
        }
    }
    CHECK(k->unreleased == 0);
    if (k->purge_results != NULL) {
        rd_kafka_queue_destroy(k->purge_results);
    }
    txn_release_topics(k);
    rd_kafka_t *consumer = client_may_destroy(k->was_assigned) ? k->consumer : NULL;
    rd_kafka_t *handles[HANDLES] = {consumer, k->producer, k->reader, k->ends};
    /* What was reserved for the handles, also if revoked() used up the time; and no more: after an
     * input was deleted the client's destroy hangs (2.0.2), and is left behind. */
    client_close(handles, HANDLES, client_mono_ms() + CLOSE_RESERVE_MS);
    free_memory(k);
}

/* --- open */

static const struct io_ops OPS = {
    .poll = consumer_poll,
    .release = io_kafka_release,
    .header = io_header,
    .start = consumer_start,
    .pause = consumer_pause,
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
    return client_conf(&whole, k, out);
}

static enum err open_consumer(const struct io_config *config, struct io_kafka *k)
{
    const int session_ms = or_default(config->session_timeout_ms, SESSION_TIMEOUT_DEFAULT_MS);
    const bool is_old = rd_kafka_version() < FETCH_BACKOFF_VERSION;
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
        /* When its queue is full the client looks again after so long; before 2.2 after 1 s, come
         * what may, and so the queue must last that long (64 MB: 145,000 events/s, now 400,000). */
        {"fetch.queue.backoff.ms", "20"},
        {"queued.min.messages", is_old ? "1000000" : NULL},
        {"queued.max.messages.kbytes", is_old ? "262144" : NULL},
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
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_rebalance_cb(conf, consumer_on_rebalance);
    err = client_open(RD_KAFKA_CONSUMER, conf, &k->consumer);
    if (err != OK) {
        return err;
    }
    rd_kafka_poll_set_consumer(k->consumer);
    k->queue = rd_kafka_queue_get_consumer(k->consumer);
    CHECK(k->queue != NULL);
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
    rd_kafka_conf_set_error_cb(k->producer_conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(k->producer_conf, on_delivery);
    return open_until_stopped(k, stop);
}

/* reader and ends. No error callback: they are not polled for long times, its calls would pile up;
 * without one the client logs. The reader names the group only because the client refuses to assign
 * without one; it joins nothing and commits nothing. A session longer than the user's
 * max.poll.interval.ms would be refused all the same. */
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
        {"session.timeout.ms", "6000"},        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"}, {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"},        {"allow.auto.create.topics", "false"},
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

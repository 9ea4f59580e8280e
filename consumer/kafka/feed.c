/* consumer/kafka/feed.c - see feed.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"

enum { ROOM_TIMEOUT_MS = 10000, ROOM_WAIT_MS = 10, CLOSE_TIMEOUT_MS = 3000 };

/* --- feeder */

struct feeder {
    rd_kafka_t *producer;
    rd_kafka_resp_err_t refused; /* the first since the last flush */
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct feeder *feeder = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
        feeder->refused == RD_KAFKA_RESP_ERR_NO_ERROR) {
        feeder->refused = message->err;
    }
}

enum err feeder_open(const struct io_property *properties,
                     size_t property_count,
                     struct feeder **out)
{
    static const struct io_property OURS[] = {
        {"client.id", "feeder"},          {"linger.ms", "5"},
        {"compression.codec", "lz4"},     {"enable.idempotence", "true"},
        {"enable.metrics.push", "false"},
    };
    static const struct io_property FIXED[] = {{"partitioner", "murmur2_random"},
                                               {"delivery.report.only.error", "true"}};
    struct feeder *feeder = calloc(1, sizeof(*feeder));
    if (feeder == NULL) {
        return ERR_NO_MEMORY;
    }
    const struct client_layers layers = {OURS,  CLIENT_COUNT(OURS), properties, property_count,
                                         FIXED, CLIENT_COUNT(FIXED)};
    rd_kafka_conf_t *conf = NULL;
    enum err err = client_conf(&layers, feeder, &conf);
    if (err == OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        err = client_open(RD_KAFKA_PRODUCER, conf, &feeder->producer);
    }
    if (err != OK) {
        free(feeder);
        return err;
    }
    *out = feeder;
    return OK;
}

static rd_kafka_resp_err_t produce(struct feeder *feeder,
                                   const char *topic,
                                   struct span key,
                                   struct span value)
{
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)(uintptr_t)key.data, .size = key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)(uintptr_t)value.data, .size = value.size}},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(feeder->producer, arguments, CLIENT_COUNT(arguments));
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error); /* NULL: no error */
    rd_kafka_error_destroy(error);
    return code;
}

enum err feeder_send(struct feeder *feeder, const char *topic, struct span key, struct span value)
{
    const int64_t deadline = client_mono_ms() + ROOM_TIMEOUT_MS;
    rd_kafka_resp_err_t code = produce(feeder, topic, key, value);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && client_left_ms(deadline) > 0) {
        rd_kafka_poll(feeder->producer, ROOM_WAIT_MS);
        code = produce(feeder, topic, key, value);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return OK;
    }
    log_error("kafka: a record cannot be sent: %s topic=%s", rd_kafka_err2str(code), topic);
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
        return ERR_NOT_FOUND;
    }
    return code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? ERR_TIMEOUT : ERR_IO;
}

enum err feeder_flush(struct feeder *feeder, int timeout_ms)
{
    const rd_kafka_resp_err_t code = rd_kafka_flush(feeder->producer, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: not all records were acknowledged in time");
        return ERR_TIMEOUT;
    }
    const rd_kafka_resp_err_t refused = feeder->refused;
    feeder->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (refused != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: a record was refused: %s", rd_kafka_err2str(refused));
        return ERR_IO;
    }
    return OK;
}

void feeder_close(struct feeder **feeder)
{
    if (*feeder == NULL) {
        return;
    }
    client_close(&(*feeder)->producer, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    free(*feeder);
    *feeder = NULL;
}

/* --- follower */

struct follower {
    rd_kafka_t *consumer;
    rd_kafka_message_t *message; /* what the caller has borrowed */
    struct io_header headers[IO_HEADERS_MAX];
    bool *is_at_end; /* by partition */
    int32_t partition_count;
    int32_t at_end_count;
};

static enum err count_partitions(struct follower *follower, const char *topic, int timeout_ms)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(follower->consumer, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(follower->consumer, 0, handle, &metadata, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: no answer about topic %s: %s", topic, rd_kafka_err2str(code));
        return ERR_TIMEOUT;
    }
    CHECK(metadata->topic_cnt == 1);
    follower->partition_count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (follower->partition_count == 0) {
        log_error("kafka: there is no topic %s", topic);
        return ERR_NOT_FOUND;
    }
    return OK;
}

static enum err assign_all(struct follower *follower, const char *topic)
{
    follower->is_at_end = calloc((size_t)follower->partition_count, sizeof(bool));
    if (follower->is_at_end == NULL) {
        return ERR_NO_MEMORY;
    }
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(follower->partition_count);
    for (int32_t i = 0; i < follower->partition_count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    const rd_kafka_resp_err_t code = rd_kafka_assign(follower->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: topic %s cannot be followed: %s", topic, rd_kafka_err2str(code));
        return ERR_IO;
    }
    return OK;
}

enum err follower_open(const struct io_property *properties,
                       size_t property_count,
                       const char *topic,
                       int timeout_ms,
                       struct follower **out)
{
    /* The group is named only because the client refuses to assign without one; it is not joined.
     */
    static const struct io_property OURS[] = {
        {"client.id", "follower"},
        {"group.id", "suppressd-follower"},
        {"fetch.wait.max.ms", "50"},
        {"enable.metrics.push", "false"},
    };
    static const struct io_property FIXED[] = {
        {"isolation.level", "read_committed"}, {"enable.partition.eof", "true"},
        {"enable.auto.commit", "false"},       {"auto.offset.reset", "earliest"},
        {"allow.auto.create.topics", "false"},
    };
    struct follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL) {
        return ERR_NO_MEMORY;
    }
    const struct client_layers layers = {OURS,  CLIENT_COUNT(OURS), properties, property_count,
                                         FIXED, CLIENT_COUNT(FIXED)};
    rd_kafka_conf_t *conf = NULL;
    enum err err = client_conf(&layers, NULL, &conf);
    if (err == OK) {
        err = client_open(RD_KAFKA_CONSUMER, conf, &follower->consumer);
    }
    if (err == OK) {
        rd_kafka_poll_set_consumer(follower->consumer);
        err = count_partitions(follower, topic, timeout_ms);
    }
    if (err == OK) {
        err = assign_all(follower, topic);
    }
    if (err != OK) {
        follower_close(&follower);
        return err;
    }
    *out = follower;
    return OK;
}

static void mark_end(struct follower *follower, int32_t partition)
{
    CHECK(partition >= 0 && partition < follower->partition_count);
    if (!follower->is_at_end[partition]) {
        follower->is_at_end[partition] = true;
        follower->at_end_count++;
    }
}

static void show_headers(struct follower *follower, struct followed *out)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(follower->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    size_t count = 0;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    while (count < IO_HEADERS_MAX && rd_kafka_header_get_all(headers, count, &name, &value,
                                                             &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        follower->headers[count++] = (struct io_header){name, {value, size}};
    }
    out->headers = follower->headers;
    out->header_count = count;
}

static void give_back(struct follower *follower)
{
    if (follower->message != NULL) {
        rd_kafka_message_destroy(follower->message);
        follower->message = NULL;
    }
}

/* True if the message is a record; an event is dealt with and gone. */
static bool is_record(struct follower *follower)
{
    const rd_kafka_message_t *message = follower->message;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return true;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        mark_end(follower, message->partition);
    } else {
        log_warn("kafka: following: %s", rd_kafka_message_errstr(message));
    }
    give_back(follower);
    return false;
}

bool follower_next(struct follower *follower, int timeout_ms, struct followed *out)
{
    const int64_t deadline = client_mono_ms() + timeout_ms;
    do {
        give_back(follower);
        follower->message = rd_kafka_consumer_poll(follower->consumer, client_left_ms(deadline));
        if (follower->message == NULL) {
            return false;
        }
    } while (!is_record(follower));
    const rd_kafka_message_t *message = follower->message;
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    *out = (struct followed){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .is_tombstone = message->payload == NULL,
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
    };
    show_headers(follower, out);
    return true;
}

bool follower_is_ready(const struct follower *follower)
{
    return follower->at_end_count == follower->partition_count;
}

void follower_close(struct follower **follower)
{
    struct follower *f = *follower;
    if (f == NULL) {
        return;
    }
    give_back(f);
    if (f->consumer != NULL) {
        rd_kafka_assign(f->consumer, NULL);
        client_close(&f->consumer, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    }
    free(f->is_at_end);
    free(f);
    *follower = NULL;
}

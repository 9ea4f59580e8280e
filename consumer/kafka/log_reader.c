/* consumer/kafka/log_reader.c - reading one output partition, committed data only.
 *
 * The position is not "last message + 1": control records and aborted data are passed without a
 * message. Three things move it: a message, the end of the partition (its offset lies behind what
 * was passed), and the client's own position, which also counts control records in the middle. The
 * last counts only once one of the others has come: until then it may be that of a former reading
 * of the same partition, and to believe it would skip records.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include "consumer/kafka/client.h"
#include "consumer/kafka/io_kafka.h"

static void unassign(struct io_kafka *k)
{
    const rd_kafka_resp_err_t code = rd_kafka_assign(k->reader, NULL);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_warn("kafka: the log reader does not let go: %s worker=%s", rd_kafka_err2str(code),
                 k->worker);
    }
    /* What is still queued belongs to the former partition. */
    rd_kafka_message_t *message = NULL;
    while ((message = rd_kafka_consumer_poll(k->reader, 0)) != NULL) {
        rd_kafka_message_destroy(message);
    }
}

void log_reader_close(struct io *io)
{
    struct io_kafka *k = io_kafka_of(io);
    if (k->log_is_open) {
        unassign(k);
        k->log_is_open = false;
    }
}

enum err log_reader_open(struct io *io, struct io_partition partition, int64_t from)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(partition.topic < k->output_count && partition.partition >= 0 && from >= 0);
    log_reader_close(io);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, k->output_names[partition.topic], partition.partition)
        ->offset = from;
    const rd_kafka_resp_err_t code = rd_kafka_assign(k->reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: log %s [%d] cannot be read: %s worker=%s",
                  k->output_names[partition.topic], (int)partition.partition,
                  rd_kafka_err2str(code), k->worker);
        return ERR_IO;
    }
    k->log_is_open = true;
    k->log_has_begun = false;
    k->log = partition;
    k->log_position = from;
    return OK;
}

static void advance(struct io_kafka *k, int64_t position)
{
    if (position > k->log_position) {
        k->log_position = position;
    }
}

static void advance_to_client(struct io_kafka *k)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    const rd_kafka_topic_partition_t *const asked =
        rd_kafka_topic_partition_list_add(list, k->output_names[k->log.topic], k->log.partition);
    if (rd_kafka_position(k->reader, list) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        advance(k, asked->offset); /* negative while there is none */
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* What an event that is no message means. OK: go on. */
static enum err judge(struct io_kafka *k, const rd_kafka_message_t *event)
{
    if (event->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        k->log_has_begun = true;
        advance(k, event->offset);
        return OK;
    }
    log_line_limited(LOG_WARN, &k->complained_ms[COMPLAINT_LOG], COMPLAINT_INTERVAL_MS,
                     "kafka: log %s [%d] at offset %lld: %s error=%s worker=%s",
                     k->output_names[k->log.topic], (int)k->log.partition,
                     (long long)k->log_position, rd_kafka_message_errstr(event),
                     rd_kafka_err2name(event->err), k->worker);
    if (event->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        event->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        return ERR_NOT_FOUND;
    }
    return rd_kafka_fatal_error(k->reader, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR ? OK : ERR_IO;
}

/* Takes the message. */
static void take(struct io_kafka *k,
                 rd_kafka_message_t *message,
                 struct io_message *messages,
                 size_t *taken)
{
    if (message->offset < k->log_position) {
        rd_kafka_message_destroy(message);
        return;
    }
    k->log_has_begun = true;
    advance(k, message->offset + 1);
    io_kafka_fill(k, k->log.topic, message, &messages[(*taken)++]);
}

enum err log_reader_read(struct io *io,
                         struct io_message *messages,
                         size_t max,
                         int timeout_ms,
                         size_t *count,
                         int64_t *position)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(k->log_is_open);
    const int64_t deadline = client_mono_ms() + timeout_ms;
    bool goes_on = true;
    size_t taken = 0;
    while (goes_on && taken < max) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(k->reader, taken == 0 ? client_left_ms(deadline) : 0);
        if (message == NULL) {
            break;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            take(k, message, messages, &taken);
            continue;
        }
        goes_on = message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF && client_left_ms(deadline) > 0;
        const enum err err = judge(k, message);
        rd_kafka_message_destroy(message);
        if (err != OK) {
            io_kafka_release(io, messages, taken);
            return err;
        }
    }
    if (k->log_has_begun) {
        advance_to_client(k);
    }
    *count = taken;
    *position = k->log_position;
    return OK;
}

/* consumer/kafka/offsets.c - where things stand: committed offsets, ranges; and purge.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include "consumer/kafka/client.h"
#include "consumer/kafka/io_kafka.h"
#include "consumer/test_points.h"

enum { PURGE_REQUEST_TIMEOUT_MS = 8000, REASON_SIZE = 256 };

static bool is_passing(rd_kafka_resp_err_t code)
{
    switch ((int)code) { /* not all of the client's 200 codes are listed */
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    /* a partition without a leader, a topic that is just being made or moved */
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
        return true;
    default:
        return false;
    }
}

static enum err judge(
    struct io_kafka *k, const char *what, const char *topic, int32_t partition, int code)
{
    const rd_kafka_resp_err_t error = (rd_kafka_resp_err_t)code;
    const bool passes = is_passing(error);
    log_line_limited(passes ? LOG_INFO : LOG_WARN, &k->complained_ms[COMPLAINT_OFFSETS],
                     COMPLAINT_INTERVAL_MS, "kafka: %s of %s [%d]: %s error=%s worker=%s", what,
                     topic, (int)partition, rd_kafka_err2str(error), rd_kafka_err2name(error),
                     k->worker);
    return passes ? ERR_TIMEOUT : ERR_IO;
}

/* The consumer reads committed data only, and so asks for stable offsets only: while another
 * producer's transaction holds new offsets of the partition, the answer is a timeout. A negative
 * offset means "none" only when neither the call nor the element has an error. */
enum err offsets_committed(struct io *io,
                           struct io_partition partition,
                           int64_t *next,
                           int timeout_ms)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(partition.topic < k->input_count);
    const char *topic = rd_kafka_topic_name(k->inputs[partition.topic]);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    const rd_kafka_topic_partition_t *const asked =
        rd_kafka_topic_partition_list_add(list, topic, partition.partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(k->consumer, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = asked->err;
    }
    const int64_t offset = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return judge(k, "the committed offset", topic, partition.partition, code);
    }
    *next = offset < 0 ? -1 : offset;
    return OK;
}

/* Where the partition begins (RD_KAFKA_OFFSET_BEGINNING) or ends (RD_KAFKA_OFFSET_END). Asked as a time:
 * rd_kafka_query_watermark_offsets() waits for a leader that has died far beyond its timeout (librdkafka
 * #4460, until 2.3). */
static rd_kafka_resp_err_t bound(rd_kafka_t *handle,
                                 const char *topic,
                                 int32_t partition,
                                 int64_t which,
                                 int timeout_ms,
                                 int64_t *out)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *const asked =
        rd_kafka_topic_partition_list_add(list, topic, partition);
    asked->offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(handle, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = asked->err;
    }
    *out = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static enum err range(struct io_kafka *k,
                      rd_kafka_t *handle,
                      const char *topic,
                      int32_t partition,
                      int64_t *begin,
                      int64_t *end,
                      int timeout_ms)
{
    /* The client does not look for a new leader by itself here (#4225), and a partition often starts
     * just because a broker has died. */
    rd_kafka_topic_t *named = rd_kafka_topic_new(handle, topic, NULL);
    io_kafka_warm(handle, named);
    rd_kafka_topic_destroy(named);
    rd_kafka_resp_err_t code =
        bound(handle, topic, partition, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, begin);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = bound(handle, topic, partition, RD_KAFKA_OFFSET_END, timeout_ms, end);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? OK : judge(k, "the range", topic, partition, code);
}

enum err offsets_input_range(
    struct io *io, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(partition.topic < k->input_count);
    return range(k, k->ends, rd_kafka_topic_name(k->inputs[partition.topic]), partition.partition,
                 begin, end, timeout_ms);
}

enum err offsets_output_range(
    struct io *io, struct io_partition partition, int64_t *begin, int64_t *end, int timeout_ms)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(partition.topic < k->output_count);
    /* The reader reads committed data only: it is told the last stable offset for the end. */
    rd_kafka_t *handle = TEST_HAS_PLANTED(RESTORE_TO_LSO) ? k->reader : k->ends;
    return range(k, handle, k->output_names[partition.topic], partition.partition, begin, end,
                 timeout_ms);
}

/* --- purge */

void offsets_purge(struct io *io, struct io_partition partition, int64_t before)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(partition.topic < k->input_count && before >= 0);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, rd_kafka_topic_name(k->inputs[partition.topic]),
                                      partition.partition)
        ->offset = before;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(k->ends, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    char reason[REASON_SIZE];
    CHECK(rd_kafka_AdminOptions_set_request_timeout(options, PURGE_REQUEST_TIMEOUT_MS, reason,
                                                    sizeof(reason)) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_DeleteRecords(k->ends, &request, 1, options, k->purge_results);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(request);
    offsets_drain_purges(k);
}

static void complain_purge(struct io_kafka *k, const char *topic, int partition, const char *reason)
{
    log_line_limited(LOG_WARN, &k->complained_ms[COMPLAINT_PURGE], COMPLAINT_INTERVAL_MS,
                     "kafka: old records of %s [%d] cannot be deleted, the topic grows: %s "
                     "worker=%s",
                     topic, partition, reason, k->worker);
}

static void judge_purge(struct io_kafka *k, rd_kafka_event_t *event)
{
    const rd_kafka_DeleteRecords_result_t *result = rd_kafka_event_DeleteRecords_result(event);
    if (result == NULL) {
        return;
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        complain_purge(k, "the input", -1, rd_kafka_event_error_string(event));
        return;
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_DeleteRecords_result_offsets(result);
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            complain_purge(k, list->elems[i].topic, (int)list->elems[i].partition,
                           rd_kafka_err2str(list->elems[i].err));
        }
    }
}

/* Errors of a handle are events of it: unread, they would pile up while brokers come and go. */
static void drain_events(rd_kafka_t *idle)
{
    rd_kafka_message_t *event = NULL;
    while ((event = rd_kafka_consumer_poll(idle, 0)) != NULL) {
        rd_kafka_message_destroy(event);
    }
}

void offsets_drain_purges(struct io_kafka *k)
{
    drain_events(k->ends);
    if (!k->log_is_open) {
        drain_events(k->reader);
    }
    rd_kafka_event_t *event = NULL;
    while ((event = rd_kafka_queue_poll(k->purge_results, 0)) != NULL) {
        judge_purge(k, event);
        rd_kafka_event_destroy(event);
    }
}

/* consumer/kafka/txn.c - the one sequence in which anything is written.
 *
 *     begin -> produce all -> flush -> send offsets (fresh group metadata) -> commit
 *
 * Begin is late, because an open transaction holds back every reader of the topics. Flush comes
 * before the offsets: once the group coordinator has our offsets, it keeps the next owner of the
 * partitions waiting until this transaction is settled, and so no record of ours can follow after
 * that owner has read to the end. Group metadata are read anew each time: the generation changes.
 *
 * What may go wrong, and what it then is:
 *
 *     before commit   any error: the transaction is taken back. Abort said OK: IO_ABORTED. Abort
 *                     did not, or the producer is fatal: IO_FATAL. No commit was ever asked for,
 *                     so nothing of it can have happened; the next producer under this id settles
 *                     it.
 *     in commit       a timeout: the same call again, never abort (that answers _CONFLICT, marked
 *                     retriable, for ever). Abortable at the first call, on a connection that
 *                     held: the coordinator has refused it, taken back as above. Everything else:
 *                     IO_DOUBT. "Abortable" after a retry is doubt as well, because the lost
 *                     answer may have been yes.
 *
 * A commit or abort that was repeated, took over a second or lost a connection may still be on its
 * way, and the broker would apply it to the *next* transaction (KAFKA-17754; the client speaks no
 * protocol version that prevents it). A new producer under the same id has a new epoch, which the
 * straggler has not: so the producer is made anew before the next transaction. So it is after a
 * refused record (too large): the client counts its sequence number, the broker does not, and the
 * next transaction would fail on the gap, or hang for the time that a record has (seen, 2.0.2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"
#include "consumer/kafka/io_kafka.h"
#include "consumer/test_points.h"

enum {
    ENDING_SLOW_MS = 1000,  /* a commit or abort that takes longer makes the producer stale */
    ENDING_SLICE_MS = 2000, /* one call of commit or abort */
    RETRY_PAUSE_MS = 20,    /* a call that answers at once is not asked at once again */
    RENEW_TIMEOUT_MS = 10000,
    INIT_SLICE_MS = 1000, /* between looks at the stop flag */
    DESTROY_TIMEOUT_MS = 3000,
    ROOM_WAIT_MS = 10,
};

/* --- the producer */

void txn_release_topics(struct io_kafka *k)
{
    for (size_t i = 0; i < k->output_count; i++) {
        if (k->outputs[i] != NULL) {
            rd_kafka_topic_destroy(k->outputs[i]);
            k->outputs[i] = NULL;
        }
    }
}

static void close_producer(struct io_kafka *k)
{
    txn_release_topics(k);
    client_close(&k->producer, 1, client_mono_ms() + DESTROY_TIMEOUT_MS);
}

/* Only "ask again" goes round; takes error. */
static enum err judge_init(struct io_kafka *k, rd_kafka_error_t *error)
{
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum err result = ERR_IO;
    if (rd_kafka_error_is_retriable(error)) {
        log_line_limited(LOG_WARN, &k->complained_ms[COMPLAINT_START], COMPLAINT_INTERVAL_MS,
                         "kafka: waiting for the brokers: %s worker=%s servers=%s",
                         rd_kafka_error_string(error), k->worker, k->servers);
        result = ERR_TIMEOUT;
    } else {
        log_error("kafka: the transactional producer does not start: %s error=%s worker=%s",
                  rd_kafka_error_string(error), rd_kafka_err2name(code), k->worker);
        if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
            code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
            code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT) {
            result = ERR_REFUSED;
        }
    }
    rd_kafka_error_destroy(error);
    return result;
}

static enum err init_transactions(struct io_kafka *k,
                                  const atomic_bool *stop,
                                  int64_t deadline_mono_ms)
{
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(k->producer, INIT_SLICE_MS);
        if (error == NULL) {
            return OK;
        }
        const enum err err = judge_init(k, error);
        if (err != ERR_TIMEOUT || *stop || client_left_ms(deadline_mono_ms) == 0) {
            return err;
        }
        client_sleep_ms(RETRY_PAUSE_MS);
    }
}

enum err txn_open(struct io_kafka *k, const atomic_bool *stop, int64_t deadline_mono_ms)
{
    enum err err =
        client_open(RD_KAFKA_PRODUCER, rd_kafka_conf_dup(k->producer_conf), &k->producer);
    if (err != OK) {
        return err;
    }
    for (size_t i = 0; i < k->output_count; i++) {
        k->outputs[i] = rd_kafka_topic_new(k->producer, k->output_names[i], NULL);
        CHECK(k->outputs[i] != NULL);
    }
    err = init_transactions(k, stop, deadline_mono_ms);
    if (err != OK) {
        close_producer(k);
        return err;
    }
    for (size_t i = 0; i < k->output_count; i++) {
        io_kafka_warm(k->producer, k->outputs[i]);
    }
    k->producer_is_stale = false;
    return OK;
}

static enum err renew_producer(struct io_kafka *k)
{
    static const atomic_bool never;
    close_producer(k);
    return txn_open(k, &never, client_mono_ms() + RENEW_TIMEOUT_MS);
}

/* --- before commit */

static rd_kafka_headers_t *headers_of(const struct io_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct io_header *header = &record->headers[i];
        const rd_kafka_resp_err_t code = rd_kafka_header_add(
            headers, header->name, -1, header->value.data, (ssize_t)header->value.size);
        CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    return headers;
}

/* Copies the record: a transaction that ends in doubt leaves requests behind that still point to
 * their records. NULL: it is queued. */
static rd_kafka_error_t *produce(struct io_kafka *k, const struct io_record *record)
{
    CHECK(record->topic < k->output_count);
    rd_kafka_headers_t *headers = record->header_count == 0 ? NULL : headers_of(record);
    /* The client takes a NULL pointer for a null, whatever its size. */
    const char *value = record->value.data == NULL ? "" : record->value.data;
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = k->outputs[record->topic]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION,
         .u.i32 = record->partition == IO_KEY_ANY ? RD_KAFKA_PARTITION_UA : record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)(uintptr_t)record->key.data, .size = record->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = record->is_tombstone ? NULL : (void *)(uintptr_t)value,
                   .size = record->is_tombstone ? 0 : record->value.size}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(
        k->producer, arguments, CLIENT_COUNT(arguments) - (headers == NULL ? 1 : 0));
    if (error != NULL && headers != NULL) {
        rd_kafka_headers_destroy(headers); /* taken only on success */
    }
    return error;
}

/* Waits for room in the producer's queue: a transaction may be larger than that. */
static rd_kafka_error_t *produce_all(struct io_kafka *k,
                                     const struct io_record *records,
                                     size_t count,
                                     int64_t deadline)
{
    size_t i = 0;
    while (i < count) {
        rd_kafka_error_t *error = produce(k, &records[i]);
        if (error == NULL) {
            i++;
        } else if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
                   client_left_ms(deadline) > 0) {
            rd_kafka_error_destroy(error);
            rd_kafka_poll(k->producer, ROOM_WAIT_MS);
        } else {
            return error;
        }
    }
    return NULL;
}

static rd_kafka_error_t *flush(struct io_kafka *k, int64_t deadline)
{
    const rd_kafka_resp_err_t code = rd_kafka_flush(k->producer, client_left_ms(deadline));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return rd_kafka_error_new(code, "not all records were taken in time");
    }
    if (k->undelivered != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return rd_kafka_error_new(k->undelivered, "a record was refused by topic %s: %s",
                                  k->undelivered_topic, rd_kafka_err2str(k->undelivered));
    }
    return NULL;
}

static rd_kafka_error_t *send_offsets(struct io_kafka *k,
                                      const struct io_offset *offsets,
                                      size_t count,
                                      int64_t deadline)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const struct io_partition partition = offsets[i].partition;
        CHECK(io_kafka_owns(k, partition));
        rd_kafka_topic_partition_list_add(list, rd_kafka_topic_name(k->inputs[partition.topic]),
                                          partition.partition)
            ->offset = offsets[i].next;
    }
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(k->consumer);
    rd_kafka_error_t *error = NULL;
    if (group == NULL) {
        error = rd_kafka_error_new(RD_KAFKA_RESP_ERR__STATE, "the consumer has left its group");
    } else {
        TEST_POINT(BEFORE_OFFSETS, k->worker);
        error = rd_kafka_send_offsets_to_transaction(k->producer, list, group,
                                                     client_left_ms(deadline));
        rd_kafka_consumer_group_metadata_destroy(group);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/* --- the end */

static void note_ending(struct io_kafka *k, int64_t began_ms, bool was_retried)
{
    if (was_retried || k->lost_connection || client_mono_ms() - began_ms > ENDING_SLOW_MS) {
        k->producer_is_stale = true;
    }
}

static void complain(struct io_kafka *k,
                     enum complaint place,
                     const char *what,
                     const rd_kafka_error_t *error)
{
    log_line_limited(LOG_WARN, &k->complained_ms[place], COMPLAINT_INTERVAL_MS,
                     "kafka: %s: %s error=%s worker=%s", what, rd_kafka_error_string(error),
                     rd_kafka_error_name(error), k->worker);
}

static bool is_fence(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* The end of this io: once, so always said. Takes error. */
static enum io_result give_up(struct io_kafka *k,
                              enum io_result result,
                              const char *what,
                              rd_kafka_error_t *error)
{
    log_warn("kafka: %s: %s error=%s worker=%s", what, rd_kafka_error_string(error),
             rd_kafka_error_name(error), k->worker);
    k->io.is_fenced = is_fence(rd_kafka_error_code(error));
    rd_kafka_error_destroy(error);
    return result;
}

static enum io_cause cause_of(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return IO_CAUSE_REFUSED;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return IO_CAUSE_FORBIDDEN;
    default:
        return IO_CAUSE_PASSING;
    }
}

/* Takes back a transaction of which no commit was asked for, or one that was refused. Takes error:
 * why. */
static enum io_result withdraw(struct io_kafka *k, rd_kafka_error_t *why)
{
    if (rd_kafka_error_is_fatal(why)) {
        return give_up(k, IO_FATAL, "the producer is spent", why);
    }
    complain(k, COMPLAINT_TRANSACTION, "a transaction is taken back", why);
    k->io.cause = cause_of(rd_kafka_error_code(why));
    k->producer_is_stale |= k->io.cause == IO_CAUSE_REFUSED;
    snprintf(k->io.why, sizeof(k->io.why), "%s", rd_kafka_error_string(why));
    rd_kafka_error_destroy(why);
    TEST_POINT(BEFORE_ABORT, k->worker);
    const int64_t began_ms = client_mono_ms();
    const int64_t deadline = began_ms + k->transaction_timeout_ms;
    for (bool was_retried = false;; was_retried = true) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(k->producer, ENDING_SLICE_MS);
        rd_kafka_poll(k->producer, 0); /* has a connection broken? */
        if (error == NULL) {
            TEST_POINT(AFTER_ABORT, k->worker);
            note_ending(k, began_ms, was_retried);
            return IO_ABORTED;
        }
        if (!rd_kafka_error_is_retriable(error) || client_left_ms(deadline) == 0) {
            return give_up(k, IO_FATAL, "a transaction cannot be taken back", error);
        }
        rd_kafka_error_destroy(error);
        client_sleep_ms(RETRY_PAUSE_MS);
    }
}

static enum io_result commit(struct io_kafka *k)
{
    const int64_t began_ms = client_mono_ms();
    const int64_t deadline = began_ms + k->transaction_timeout_ms;
    for (bool was_retried = false;; was_retried = true) {
        TEST_POINT(BEFORE_COMMIT, k->worker);
        rd_kafka_error_t *error = rd_kafka_commit_transaction(k->producer, ENDING_SLICE_MS);
        rd_kafka_poll(k->producer, 0); /* has a connection broken? */
        if (error == NULL) {
            note_ending(k, began_ms, was_retried);
            return IO_OK;
        }
        if (!was_retried && !k->lost_connection && rd_kafka_error_txn_requires_abort(error)) {
            return withdraw(k, error);
        }
        if (!rd_kafka_error_is_retriable(error) || client_left_ms(deadline) == 0) {
            return give_up(k, IO_DOUBT, "the outcome of a commit is unknown", error);
        }
        complain(k, COMPLAINT_COMMIT, "a commit goes on", error);
        rd_kafka_error_destroy(error);
        client_sleep_ms(RETRY_PAUSE_MS);
    }
}

enum io_result txn_commit(struct io *io,
                          const struct io_record *records,
                          size_t record_count,
                          const struct io_offset *offsets,
                          size_t offset_count)
{
    struct io_kafka *k = io_kafka_of(io);
    CHECK(offset_count >= 1 || TEST_HAS_PLANTED(SKIP_OFFSET));
    for (size_t i = 0; i < offset_count; i++) {
        CHECK(io_kafka_owns(k, offsets[i].partition));
    }
    if (k->producer == NULL || (k->producer_is_stale && renew_producer(k) != OK)) {
        return IO_FATAL;
    }
    rd_kafka_poll(k->producer, 0); /* what happened between transactions is no news of this one */
    k->lost_connection = false;
    k->undelivered = RD_KAFKA_RESP_ERR_NO_ERROR;
    const int64_t deadline = client_mono_ms() + k->transaction_timeout_ms;

    rd_kafka_error_t *error = rd_kafka_begin_transaction(k->producer);
    if (error != NULL) {
        return give_up(k, IO_FATAL, "no transaction can be begun", error);
    }
    TEST_POINT(AFTER_BEGIN, k->worker);
    error = produce_all(k, records, record_count, deadline);
    if (error == NULL) {
        TEST_POINT(AFTER_PRODUCE, k->worker);
        error = flush(k, deadline);
    }
    if (error == NULL) {
        TEST_POINT(AFTER_FLUSH, k->worker);
        error = send_offsets(k, offsets, offset_count, deadline);
    }
    if (error == NULL && TEST_IS_ABORTING(k->worker)) {
        error = rd_kafka_error_new(RD_KAFKA_RESP_ERR__STATE, "a test wants it so");
    }
    if (error != NULL) {
        return withdraw(k, error);
    }
    TEST_POINT(AFTER_OFFSETS, k->worker);
    return commit(k);
}

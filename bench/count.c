/* bench/count.c - the bare consumer: what the client library costs when nothing is done with what
 * it hands over.
 *
 * Batches, no group, the same properties as the daemon's consumer. Its CPU is measured from outside,
 * as that of a process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bench/bench.h"
#include "bench/process.h"
#include "consumer/kafka/client.h"

enum {
    BATCH_MAX = 2048,
    BATCH_WAIT_MS = 10, /* the call waits for a full batch, up to this */
    SILENCE_MAX_MS = 30000,
    TIMEOUT_MS = 20000,
};

struct counting {
    rd_kafka_t *rk;
    const char *topic;
    int64_t records;
    int64_t bytes;
    int64_t first_ns;
    int64_t last_ns;
    int64_t expected;
};

static enum err open_consumer(const char *brokers, struct counting *counting)
{
    /* as io_kafka.c sets them */
    const struct io_property properties[] = {
        {"bootstrap.servers", brokers},        {"client.id", "suppressd-bench-count"},
        {"group.id", "suppressd-bench-count"}, /* assigning needs a name; it is not joined */
        {"isolation.level", "read_committed"}, {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"}, {"fetch.wait.max.ms", "100"},
        {"socket.nagle.disable", "true"},
    };
    const struct client_layers layers = {.users = properties,
                                         .user_count = CLIENT_COUNT(properties)};
    rd_kafka_conf_t *conf = NULL;
    enum err err = client_conf(&layers, NULL, &conf);
    if (err == OK) {
        err = client_open(RD_KAFKA_CONSUMER, conf, &counting->rk);
    }
    return err;
}

static int partition_count(const struct counting *counting)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(counting->rk, counting->topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    int count = 0;
    if (rd_kafka_metadata(counting->rk, 0, topic, &metadata, TIMEOUT_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return count;
}

static enum err assign(struct counting *counting)
{
    const int count = partition_count(counting);
    if (count == 0) {
        fprintf(stderr, "suppressd-bench: there is no topic %s\n", counting->topic);
        return ERR_NOT_FOUND;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++) {
        int64_t begin;
        int64_t end;
        if (rd_kafka_query_watermark_offsets(counting->rk, counting->topic, i, &begin, &end,
                                             TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            counting->expected += end - begin;
        }
        rd_kafka_topic_partition_list_add(list, counting->topic, i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    }
    const rd_kafka_resp_err_t code = rd_kafka_assign(counting->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? OK : ERR_IO;
}

static void take(struct counting *counting, rd_kafka_message_t *const *messages, ssize_t count)
{
    for (ssize_t i = 0; i < count; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            counting->records++;
            counting->bytes += (int64_t)messages[i]->len;
        }
        rd_kafka_message_destroy(messages[i]);
    }
}

static enum err count_all(struct counting *counting)
{
    static rd_kafka_message_t *messages[BATCH_MAX];
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(counting->rk);
    int64_t heard_ns = bench_mono_ns();
    while (counting->records < counting->expected &&
           bench_mono_ns() - heard_ns < SILENCE_MAX_MS * INT64_C(1000000)) {
        const ssize_t n = rd_kafka_consume_batch_queue(queue, BATCH_WAIT_MS, messages, BATCH_MAX);
        if (n > 0) {
            heard_ns = bench_mono_ns();
            counting->first_ns = counting->first_ns == 0 ? heard_ns : counting->first_ns;
            take(counting, messages, n);
        }
    }
    counting->last_ns = bench_mono_ns();
    rd_kafka_queue_destroy(queue);
    return counting->records >= counting->expected ? OK : ERR_TIMEOUT;
}

static int run(const struct bench_command *command, int argc, char **argv)
{
    const char *brokers = getenv("KAFKA_BOOTSTRAP");
    struct counting counting = {0};
    const struct bench_option options[] = {
        {"brokers", "HOST:PORT of Kafka; KAFKA_BOOTSTRAP", .text = &brokers},
        {"topic", "what to count", .text = &counting.topic},
    };
    int exit_code;
    if (!bench_options(command, options, CLIENT_COUNT(options), argc, argv, &exit_code)) {
        return exit_code;
    }
    if (brokers == NULL || counting.topic == NULL) {
        fprintf(stderr, "suppressd-bench: count needs --brokers and --topic\n");
        return BENCH_USAGE;
    }
    enum err err = open_consumer(brokers, &counting);
    if (err == OK) {
        rd_kafka_poll_set_consumer(counting.rk);
        err = assign(&counting);
        err = err == OK ? count_all(&counting) : err;
        rd_kafka_destroy_flags(counting.rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    printf("records=%" PRId64 " bytes=%" PRId64 " elapsed_ns=%" PRId64 "\n", counting.records,
           counting.bytes, counting.last_ns - counting.first_ns);
    return err == OK ? BENCH_OK : BENCH_FAILED;
}

const struct bench_command BENCH_COUNT = {
    .name = "count",
    .summary = "a bare consumer of the client library that counts a topic: the yardstick",
    .help = "Reads a topic from its beginning to the end that it has now, counts the records, and\n"
            "prints how many there were and how long it took from the first batch to the last.\n",
    .run = run,
};

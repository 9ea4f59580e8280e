/* bench/cluster.c - see cluster.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"

enum { TIMEOUT_MS = 20000, CLOSE_TIMEOUT_MS = 3000, REASON_SIZE = 256, ASK_AGAIN_MS = 50 };

static enum err open_handle(const char *brokers,
                            const char *group,
                            rd_kafka_type_t type,
                            rd_kafka_t **out)
{
    const struct io_property properties[] = {
        {"bootstrap.servers", brokers},
        {"client.id", "suppressd-bench"},
        {"group.id", group},
        /* a transaction that is open keeps nobody waiting who asks */
        {"isolation.level", type == RD_KAFKA_CONSUMER ? "read_uncommitted" : NULL},
    };
    const struct client_layers layers = {.users = properties,
                                         .user_count = CLIENT_COUNT(properties)};
    rd_kafka_conf_t *conf = NULL;
    const enum err err = client_conf(&layers, NULL, &conf);
    return err == OK ? client_open(type, conf, out) : err;
}

/* --- topics */

struct cluster {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

enum err cluster_open(const char *brokers, struct cluster **out)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    CHECK(cluster != NULL);
    const enum err err = open_handle(brokers, NULL, RD_KAFKA_PRODUCER, &cluster->rk);
    if (err != OK) {
        free(cluster);
        return err;
    }
    cluster->queue = rd_kafka_queue_new(cluster->rk);
    *out = cluster;
    return OK;
}

void cluster_close(struct cluster **cluster)
{
    struct cluster *c = *cluster;
    *cluster = NULL;
    if (c != NULL) {
        rd_kafka_queue_destroy(c->queue);
        client_close(&c->rk, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
        free(c);
    }
}

/* The answer to a request of one topic. */
static rd_kafka_resp_err_t answer(struct cluster *cluster, const char *what, const char *name)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(cluster->queue, TIMEOUT_MS);
    if (event == NULL) {
        fprintf(stderr, "suppressd-bench: no answer: %s %s\n", what, name);
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    size_t count = 0;
    const rd_kafka_topic_result_t **results = NULL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        results = rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT
                      ? rd_kafka_CreateTopics_result_topics(
                            rd_kafka_event_CreateTopics_result(event), &count)
                      : rd_kafka_DeleteTopics_result_topics(
                            rd_kafka_event_DeleteTopics_result(event), &count);
        code = count == 1 ? rd_kafka_topic_result_error(results[0]) : code;
    }
    rd_kafka_event_destroy(event);
    return code;
}

static bool is_known(struct cluster *cluster, const char *name, int partitions)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(cluster->rk, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    bool is = false;
    if (rd_kafka_metadata(cluster->rk, 0, topic, &metadata, TIMEOUT_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        is = metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt == partitions;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return is;
}

enum err cluster_create_topic(struct cluster *cluster, const char *name, int partitions)
{
    char reason[REASON_SIZE];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, reason, sizeof(reason));
    CHECK(topic != NULL);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    rd_kafka_CreateTopics(cluster->rk, &topic, 1, NULL, cluster->queue);
    rd_kafka_NewTopic_destroy(topic);
    const rd_kafka_resp_err_t code = answer(cluster, "create topic", name);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "suppressd-bench: topic %s: %s\n", name, rd_kafka_err2str(code));
        return ERR_IO;
    }
    const int64_t deadline = client_mono_ms() + TIMEOUT_MS;
    while (!is_known(cluster, name, partitions)) {
        if (client_left_ms(deadline) == 0) {
            return ERR_TIMEOUT;
        }
        client_sleep_ms(ASK_AGAIN_MS);
    }
    return OK;
}

void cluster_delete_topic(struct cluster *cluster, const char *name)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(cluster->rk, &topic, 1, NULL, cluster->queue);
    rd_kafka_DeleteTopic_destroy(topic);
    const rd_kafka_resp_err_t code = answer(cluster, "delete topic", name);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        fprintf(stderr, "suppressd-bench: topic %s stays: %s\n", name, rd_kafka_err2str(code));
    }
}

/* --- progress */

struct progress {
    rd_kafka_t *rk;
    char *topic;
    int partitions;
};

enum err progress_open(const char *brokers,
                       const char *group,
                       const char *topic,
                       int partitions,
                       struct progress **out)
{
    CHECK(partitions <= CLUSTER_PARTITIONS_MAX);
    struct progress *progress = calloc(1, sizeof(*progress));
    CHECK(progress != NULL);
    const enum err err = open_handle(brokers, group, RD_KAFKA_CONSUMER, &progress->rk);
    if (err != OK) {
        free(progress);
        return err;
    }
    progress->topic = strdup(topic);
    CHECK(progress->topic != NULL);
    progress->partitions = partitions;
    *out = progress;
    return OK;
}

void progress_close(struct progress **progress)
{
    struct progress *p = *progress;
    *progress = NULL;
    if (p != NULL) {
        client_close(&p->rk, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
        free(p->topic);
        free(p);
    }
}

static enum err judge(const struct progress *progress, rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return OK;
    }
    fprintf(stderr, "suppressd-bench: offsets of %s: %s\n", progress->topic,
            rd_kafka_err2str(code));
    return ERR_IO;
}

enum err progress_committed(struct progress *progress, int64_t *offsets)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(progress->partitions);
    rd_kafka_topic_partition_list_add_range(list, progress->topic, 0, progress->partitions - 1);
    const rd_kafka_resp_err_t code = rd_kafka_committed(progress->rk, list, TIMEOUT_MS);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        offsets[i] = list->elems[i].offset < 0 ? 0 : list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return judge(progress, code);
}

enum err progress_ends(struct progress *progress, int64_t *offsets)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < progress->partitions; i++) {
        int64_t begin;
        code = rd_kafka_query_watermark_offsets(progress->rk, progress->topic, i, &begin,
                                                &offsets[i], TIMEOUT_MS);
    }
    return judge(progress, code);
}

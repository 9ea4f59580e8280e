/* consumer/kafka/embedded.c - see embedded.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "base/log.h"
#include "consumer/kafka/client.h"

enum { BROKERS = 1, REPLICAS = 1, FAIL_MAX = 64, CLOSE_TIMEOUT_MS = 3000 };

struct embedded {
    rd_kafka_t *host; /* the mock lives inside a client handle */
    rd_kafka_mock_cluster_t *cluster;
};

enum err embedded_create(const struct embedded_topic *topics,
                         size_t topic_count,
                         struct embedded **out)
{
    struct embedded *embedded = calloc(1, sizeof(*embedded));
    if (embedded == NULL) {
        return ERR_NO_MEMORY;
    }
    /* Only errors: it is a client without servers, which it would tell everybody. */
    static const struct io_property OURS[] = {{"client.id", "embedded"}, {"log_level", "3"}};
    const struct client_layers layers = {.ours = OURS, .our_count = CLIENT_COUNT(OURS)};
    rd_kafka_conf_t *conf = NULL;
    enum err err = client_conf(&layers, NULL, &conf);
    if (err == OK) {
        err = client_open(RD_KAFKA_PRODUCER, conf, &embedded->host);
    }
    if (err == OK) {
        embedded->cluster = rd_kafka_mock_cluster_new(embedded->host, BROKERS);
        err = embedded->cluster == NULL ? ERR_IO : OK;
    }
    for (size_t i = 0; i < topic_count && err == OK; i++) {
        const rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(
            embedded->cluster, topics[i].name, topics[i].partitions, REPLICAS);
        err = code == RD_KAFKA_RESP_ERR_NO_ERROR ? OK : ERR_IO;
    }
    if (err != OK) {
        log_error("kafka: the embedded cluster does not start");
        embedded_destroy(&embedded);
        return err;
    }
    *out = embedded;
    return OK;
}

const char *embedded_servers(const struct embedded *embedded)
{
    return rd_kafka_mock_cluster_bootstraps(embedded->cluster);
}

void embedded_fail(struct embedded *embedded, int16_t api_key, int error_code, size_t count)
{
    CHECK(count <= FAIL_MAX);
    rd_kafka_resp_err_t errors[FAIL_MAX];
    for (size_t i = 0; i < count; i++) {
        errors[i] = (rd_kafka_resp_err_t)error_code;
    }
    rd_kafka_mock_push_request_errors_array(embedded->cluster, api_key, count, errors);
}

void embedded_destroy(struct embedded **embedded)
{
    struct embedded *e = *embedded;
    if (e == NULL) {
        return;
    }
    if (e->cluster != NULL) {
        rd_kafka_mock_cluster_destroy(e->cluster);
    }
    if (e->host != NULL) {
        client_close(&e->host, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    }
    free(e);
    *embedded = NULL;
}

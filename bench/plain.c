/* bench/plain.c - `suppressd run` without transactions: at least once, to see what exactly once
 * costs.
 *
 * It is the daemon's own code, to the last line. Only the calls by which it would use a transaction
 * of the client library are bent at link time (--wrap, CMakeLists.txt), in this program alone: the
 * producer is idempotent instead of transactional, and where offsets would go into the transaction,
 * the consumer commits them. So the daemon that is shipped has no switch that could ever be set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <librdkafka/rdkafka.h>
#include <string.h>

#include "bench/bench.h"
#include "consumer/cmd/cmd.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names */

/* The consumer whose group metadata was asked for last, which is for a commit: by this thread. */
static _Thread_local rd_kafka_t *committing;

rd_kafka_conf_res_t __real_rd_kafka_conf_set(
    rd_kafka_conf_t *conf, const char *name, const char *value, char *reason, size_t reason_size);
rd_kafka_conf_res_t __wrap_rd_kafka_conf_set(
    rd_kafka_conf_t *conf, const char *name, const char *value, char *reason, size_t reason_size);
rd_kafka_error_t *__wrap_rd_kafka_init_transactions(rd_kafka_t *rk, int timeout_ms);
rd_kafka_error_t *__wrap_rd_kafka_begin_transaction(rd_kafka_t *rk);
rd_kafka_error_t *__wrap_rd_kafka_commit_transaction(rd_kafka_t *rk, int timeout_ms);
rd_kafka_consumer_group_metadata_t *__real_rd_kafka_consumer_group_metadata(rd_kafka_t *rk);
rd_kafka_consumer_group_metadata_t *__wrap_rd_kafka_consumer_group_metadata(rd_kafka_t *rk);
rd_kafka_error_t *__wrap_rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *rk,
    const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *group,
    int timeout_ms);

rd_kafka_conf_res_t __wrap_rd_kafka_conf_set(
    rd_kafka_conf_t *conf, const char *name, const char *value, char *reason, size_t reason_size)
{
    if (strcmp(name, "transactional.id") == 0) {
        return __real_rd_kafka_conf_set(conf, "enable.idempotence", "true", reason, reason_size);
    }
    return __real_rd_kafka_conf_set(conf, name, value, reason, reason_size);
}

rd_kafka_error_t *__wrap_rd_kafka_init_transactions(rd_kafka_t *rk, int timeout_ms)
{
    (void)rk;
    (void)timeout_ms;
    return NULL;
}

rd_kafka_error_t *__wrap_rd_kafka_begin_transaction(rd_kafka_t *rk)
{
    (void)rk;
    return NULL;
}

rd_kafka_error_t *__wrap_rd_kafka_commit_transaction(rd_kafka_t *rk, int timeout_ms)
{
    (void)rk;
    (void)timeout_ms;
    return NULL;
}

rd_kafka_consumer_group_metadata_t *__wrap_rd_kafka_consumer_group_metadata(rd_kafka_t *rk)
{
    committing = rk;
    return __real_rd_kafka_consumer_group_metadata(rk);
}

rd_kafka_error_t *__wrap_rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *rk,
    const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *group,
    int timeout_ms)
{
    (void)rk;
    (void)group;
    (void)timeout_ms;
    const rd_kafka_resp_err_t code = rd_kafka_commit(committing, offsets, 0);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? NULL
               : rd_kafka_error_new(code, "offsets: %s", rd_kafka_err2str(code));
}

/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */

static int run(const struct bench_command *command, int argc, char **argv)
{
    (void)command;
    return COMMAND_RUN.run(&COMMAND_RUN, argc, argv);
}

const struct bench_command BENCH_PLAIN = {
    .name = "plain",
    .summary = "`suppressd run` without transactions (never for real data): what they cost",
    .help = "",
    .run = run,
};

/* consumer/kafka/group.c - see group.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"

enum {
    CLOSE_TIMEOUT_MS = 3000,
    GUEST_POLL_MS = 100,
    GUEST_LEAVE_MS = 10000,
    REASON_SIZE = 256,
};

struct group {
    struct group_config config;
    rd_kafka_t *asker;
    rd_kafka_queue_t *answers;
};

static enum err open_client(
    const struct group_config *config,
    rd_kafka_type_t type,
    const struct io_property *fixed,
    size_t fixed_count,
    void (*rebalance)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *, void *),
    void *opaque,
    rd_kafka_t **out)
{
    const struct io_property ours[] = {{"client.id", "group-watch"},
                                       {"enable.metrics.push", "false"}};
    const struct client_layers layers = {.ours = ours,
                                         .our_count = CLIENT_COUNT(ours),
                                         .users = config->properties,
                                         .user_count = config->property_count,
                                         .fixed = fixed,
                                         .fixed_count = fixed_count};
    rd_kafka_conf_t *conf = NULL;
    const enum err err = client_conf(&layers, opaque, &conf);
    if (err != OK) {
        return err;
    }
    if (rebalance != NULL) {
        rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    }
    return client_open(type, conf, out);
}

enum err group_open(const struct group_config *config, struct group **out)
{
    struct group *group = calloc(1, sizeof(*group));
    if (group == NULL) {
        return ERR_NO_MEMORY;
    }
    group->config = *config;
    const enum err err = open_client(config, RD_KAFKA_PRODUCER, NULL, 0, NULL, NULL, &group->asker);
    if (err != OK) {
        free(group);
        return err;
    }
    group->answers = rd_kafka_queue_new(group->asker);
    *out = group;
    return OK;
}

void group_close(struct group **group)
{
    struct group *g = *group;
    *group = NULL;
    if (g == NULL) {
        return;
    }
    rd_kafka_queue_destroy(g->answers);
    client_close(&g->asker, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    free(g);
}

/* --- look */

/* The caller destroys the event. NULL: no answer. */
static rd_kafka_event_t *describe(struct group *group, int timeout_ms)
{
    char reason[REASON_SIZE];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(group->asker, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    CHECK(rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, reason, sizeof(reason)) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
    const char *names[] = {group->config.group_id};
    rd_kafka_DescribeConsumerGroups(group->asker, names, 1, options, group->answers);
    rd_kafka_AdminOptions_destroy(options);
    return rd_kafka_queue_poll(group->answers, timeout_ms + GUEST_POLL_MS);
}

static enum err judge(const struct group *group, rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return OK;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        log_warn("kafka: nobody will notice if partitions are read by no member: the group cannot "
                 "be asked: %s group=%s",
                 rd_kafka_err2str(code), group->config.group_id);
        return ERR_REFUSED;
    default:
        return ERR_TIMEOUT;
    }
}

/* The answer's one group. */
static enum err description_of(const struct group *group,
                               rd_kafka_event_t *event,
                               const rd_kafka_ConsumerGroupDescription_t **out)
{
    if (event == NULL) {
        return ERR_TIMEOUT;
    }
    enum err err = judge(group, rd_kafka_event_error(event));
    if (err != OK) {
        return err;
    }
    const rd_kafka_DescribeConsumerGroups_result_t *result =
        rd_kafka_event_DescribeConsumerGroups_result(event);
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        result == NULL ? NULL : rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
    if (count != 1) {
        return ERR_TIMEOUT;
    }
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    *out = groups[0];
    return error == NULL ? OK : judge(group, rd_kafka_error_code(error));
}

static bool has(const rd_kafka_ConsumerGroupDescription_t *description,
                const char *topic,
                int32_t partition)
{
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(description); i++) {
        const rd_kafka_topic_partition_list_t *list =
            rd_kafka_MemberAssignment_partitions(rd_kafka_MemberDescription_assignment(
                rd_kafka_ConsumerGroupDescription_member(description, i)));
        /* the find of the list wants it not to be const */
        if (list != NULL &&
            rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)list,
                                               topic, partition) != NULL) {
            return true;
        }
    }
    return false;
}

static void name_first_member(const rd_kafka_ConsumerGroupDescription_t *description,
                              struct group_state *state)
{
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(description); i++) {
        const char *name = rd_kafka_MemberDescription_group_instance_id(
            rd_kafka_ConsumerGroupDescription_member(description, i));
        if (name != NULL &&
            (state->first_member[0] == '\0' || strcmp(name, state->first_member) < 0)) {
            snprintf(state->first_member, sizeof(state->first_member), "%s", name);
        }
    }
}

/* -1: unknown, now; a topic that is not there has none. */
static int partition_count(const struct group *group, const char *name, int timeout_ms)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(group->asker, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    int count = -1;
    if (rd_kafka_metadata(group->asker, 0, topic, &metadata, timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return count;
}

static enum err count_orphans(const struct group *group,
                              const rd_kafka_ConsumerGroupDescription_t *description,
                              int timeout_ms,
                              struct group_state *state)
{
    for (size_t i = 0; i < group->config.input_count; i++) {
        const char *topic = group->config.inputs[i];
        const int count = partition_count(group, topic, timeout_ms);
        if (count < 0) {
            return ERR_TIMEOUT;
        }
        for (int32_t partition = 0; partition < count; partition++) {
            if (has(description, topic, partition)) {
                continue;
            }
            if (state->orphans++ == 0) {
                snprintf(state->orphan_topic, sizeof(state->orphan_topic), "%s", topic);
                state->orphan_partition = partition;
            }
        }
    }
    return OK;
}

enum err group_look(struct group *group, int timeout_ms, struct group_state *out)
{
    struct group_state state = {0};
    const rd_kafka_ConsumerGroupDescription_t *description = NULL;
    rd_kafka_poll(group->asker, 0);
    rd_kafka_event_t *event = describe(group, timeout_ms);
    enum err err = description_of(group, event, &description);
    if (err == OK) {
        state.is_stable = rd_kafka_ConsumerGroupDescription_state(description) ==
                          RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
        name_first_member(description, &state);
        err = count_orphans(group, description, timeout_ms, &state);
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    if (err == OK) {
        *out = state;
    }
    return err;
}

/* --- stir */

static void on_guest_rebalance(rd_kafka_t *rk,
                               rd_kafka_resp_err_t code,
                               rd_kafka_topic_partition_list_t *list,
                               void *opaque)
{
    bool *has_joined = opaque;
    const bool is_assigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    rd_kafka_error_t *error = is_assigned ? rd_kafka_incremental_assign(rk, list)
                                          : rd_kafka_incremental_unassign(rk, list);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
    rd_kafka_pause_partitions(rk, list);
    *has_joined |= is_assigned;
}

static void poll_guest(rd_kafka_t *guest)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(guest, GUEST_POLL_MS);
    if (message != NULL) {
        rd_kafka_message_destroy(message);
    }
}

static void leave(rd_kafka_t *guest)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(guest);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(guest, queue);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    } else {
        const int64_t deadline = client_mono_ms() + GUEST_LEAVE_MS;
        while (!rd_kafka_consumer_closed(guest) && client_left_ms(deadline) > 0) {
            poll_guest(guest);
        }
    }
    rd_kafka_queue_destroy(queue);
}

/* The same assignor as the members': with another the group would not take it. */
enum err group_stir(struct group *group, const atomic_bool *stop)
{
    const struct io_property fixed[] = {
        {"group.id", group->config.group_id},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"isolation.level", "read_committed"},
        {"session.timeout.ms", "6000"}, /* no longer than the user's max.poll.interval.ms */
        {"enable.auto.commit", "false"},
        {"allow.auto.create.topics", "false"},
    };
    bool has_joined = false;
    rd_kafka_t *guest = NULL;
    const enum err err = open_client(&group->config, RD_KAFKA_CONSUMER, fixed, CLIENT_COUNT(fixed),
                                     on_guest_rebalance, &has_joined, &guest);
    if (err != OK) {
        return err;
    }
    rd_kafka_poll_set_consumer(guest);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, group->config.guest_topic, RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t code = rd_kafka_subscribe(guest, list);
    rd_kafka_topic_partition_list_destroy(list);
    const int64_t deadline = client_mono_ms() + GROUP_STIR_MAX_MS - GUEST_LEAVE_MS;
    while (code == RD_KAFKA_RESP_ERR_NO_ERROR && !has_joined && !*stop &&
           client_left_ms(deadline) > 0) {
        poll_guest(guest);
    }
    leave(guest);
    guest = client_may_destroy(has_joined) ? guest : NULL;
    client_close(&guest, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    return has_joined ? OK : ERR_TIMEOUT;
}

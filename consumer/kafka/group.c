/* consumer/kafka/group.c - see group.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "consumer/kafka/client.h"

enum {
    CLOSE_TIMEOUT_MS = 3000,
    GUEST_POLL_MS = 100,
    GUEST_LEAVE_MS = 10000,
    UUID_SIZE = 36,
};

struct group {
    struct group_config config;
    rd_kafka_t *asker;
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
    client_close(&g->asker, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    free(g);
}

/* --- look */

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

/* DescribeConsumerGroups would tell more, but every release of the client so far ends the process
 * with an assertion when the coordinator goes away at the wrong moment (librdkafka #5397). The older
 * call asks all brokers. The caller destroys the list. */
static enum err describe(const struct group *group,
                         int timeout_ms,
                         const struct rd_kafka_group_list **out)
{
    const rd_kafka_resp_err_t code =
        rd_kafka_list_groups(group->asker, group->config.group_id, out, timeout_ms);
    /* of the brokers one has not answered: if it is the coordinator, the group is not in the list */
    return code == RD_KAFKA_RESP_ERR__PARTIAL ? OK : judge(group, code);
}

static enum err group_in(const struct group *group,
                         const struct rd_kafka_group_list *list,
                         const struct rd_kafka_group_info **out)
{
    if (list->group_cnt != 1) {
        return ERR_TIMEOUT;
    }
    *out = &list->groups[0];
    return judge(group, list->groups[0].err);
}

/* Kafka's protocol has its numbers with the high byte first. */
static uint32_t get_number(struct reader *r, size_t size)
{
    const struct span bytes = get_bytes(r, size);
    uint32_t number = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        number = number << 8 | (unsigned char)bytes.data[i];
    }
    return number;
}

/* ConsumerProtocolAssignment: version (2 bytes), topics (4), and of each its name (2 and the name),
 * partitions (4) and their numbers (4 each). A member without partitions may have no bytes. */
static bool is_assigned(const struct rd_kafka_group_member_info *member,
                        struct span topic,
                        int32_t partition)
{
    struct reader r = reader_init(
        (struct span){member->member_assignment, (size_t)member->member_assignment_size});
    bool found = false;
    (void)get_number(&r, sizeof(uint16_t));
    for (uint32_t topics = get_number(&r, sizeof(uint32_t)); topics > 0 && !r.failed; topics--) {
        const struct span name = get_bytes(&r, get_number(&r, sizeof(uint16_t)));
        for (uint32_t left = get_number(&r, sizeof(uint32_t)); left > 0 && !r.failed; left--) {
            const uint32_t number = get_number(&r, sizeof(uint32_t));
            found |= !r.failed && span_equal(name, topic) && number == (uint32_t)partition;
        }
    }
    return found;
}

static bool has(const struct rd_kafka_group_info *info, const char *topic, int32_t partition)
{
    for (int i = 0; i < info->member_cnt; i++) {
        if (is_assigned(&info->members[i], span_of(topic), partition)) {
            return true;
        }
    }
    return false;
}

/* Brokers make a member's id of its group.instance.id, or without one of its client.id, and a UUID
 * behind a dash. Empty: it has no group.instance.id. */
static struct span instance_of(const struct rd_kafka_group_member_info *member)
{
    const struct span id = span_of(member->member_id);
    if (id.size <= UUID_SIZE + 1 || id.data[id.size - UUID_SIZE - 1] != '-') {
        return SPAN_NONE;
    }
    const struct span name = {id.data, id.size - UUID_SIZE - 1};
    return span_equal(name, span_of(member->client_id)) ? SPAN_NONE : name;
}

static void name_first_member(const struct rd_kafka_group_info *info, struct group_state *state)
{
    for (int i = 0; i < info->member_cnt; i++) {
        char name[GROUP_NAME_SIZE];
        const struct span instance = instance_of(&info->members[i]);
        snprintf(name, sizeof(name), "%.*s", (int)instance.size, instance.data);
        if (name[0] != '\0' &&
            (state->first_member[0] == '\0' || strcmp(name, state->first_member) < 0)) {
            memcpy(state->first_member, name, sizeof(name));
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
                              const struct rd_kafka_group_info *info,
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
            if (has(info, topic, partition)) {
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
    const struct rd_kafka_group_list *list = NULL;
    const struct rd_kafka_group_info *info = NULL;
    rd_kafka_poll(group->asker, 0);
    enum err err = describe(group, timeout_ms, &list);
    if (err == OK) {
        err = group_in(group, list, &info);
    }
    if (err == OK) {
        state.is_stable = strcmp(info->state, "Stable") == 0;
        name_first_member(info, &state);
        err = count_orphans(group, info, timeout_ms, &state);
    }
    if (list != NULL) {
        rd_kafka_group_list_destroy(list);
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

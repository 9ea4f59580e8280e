/* consumer/kafka/topics.c - see topics.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/client.h"

enum { CLOSE_TIMEOUT_MS = 3000, REASON_SIZE = 256, REPLICAS_SAFE = 3, VISIBLE_PAUSE_MS = 50 };

/* Why each: `topics --create` sets all of a role, `run` compares. Fatal is what would lose or
 * corrupt state while everything looks well. */
static const struct topic_setting SETTINGS[] = {
    /* The shard's owner deletes what is behind it; nobody else may. */
    /* max.message.bytes, of all: Kafka's default. The client makes batches of up to 1,000,000
     * bytes; a topic that takes less would refuse the same batch for ever. */
    {TOPIC_EVENTS, "max.message.bytes", "1048588", TOPIC_AT_LEAST, true},
    {TOPIC_EVENTS, "cleanup.policy", "delete", TOPIC_EXACTLY, true},
    {TOPIC_EVENTS, "retention.ms", "-1", TOPIC_EXACTLY, true},
    {TOPIC_EVENTS, "retention.bytes", "-1", TOPIC_EXACTLY, true},
    {TOPIC_EVENTS, "unclean.leader.election.enable", "false", TOPIC_EXACTLY, false},
    /* The only truth. `compact,delete` eats it by age. */
    {TOPIC_CHANGELOG, "max.message.bytes", "1048588", TOPIC_AT_LEAST, true},
    {TOPIC_CHANGELOG, "cleanup.policy", "compact", TOPIC_EXACTLY, true},
    /* A snapshot older than the tombstones would bring back what was deleted. */
    {TOPIC_CHANGELOG, "delete.retention.ms", "604800000", TOPIC_AT_LEAST, false},
    {TOPIC_CHANGELOG, "segment.bytes", "268435456", TOPIC_AT_MOST, false},
    {TOPIC_CHANGELOG, "max.compaction.lag.ms", "86400000", TOPIC_AT_MOST, false},
    {TOPIC_CHANGELOG, "min.cleanable.dirty.ratio", "0.3", TOPIC_AT_MOST, false},
    {TOPIC_CHANGELOG, "unclean.leader.election.enable", "false", TOPIC_EXACTLY, false},
    {TOPIC_CHANGELOG, "compression.type", "producer", TOPIC_EXACTLY, false},
    /* Followers that were away for less than delete.retention.ms miss no release; an hour of lag
     * lets them see each step. */
    {TOPIC_SUPPRESSIONS, "max.message.bytes", "1048588", TOPIC_AT_LEAST, true},
    {TOPIC_SUPPRESSIONS, "cleanup.policy", "compact", TOPIC_EXACTLY, true},
    {TOPIC_SUPPRESSIONS, "delete.retention.ms", "604800000", TOPIC_AT_LEAST, false},
    {TOPIC_SUPPRESSIONS, "min.compaction.lag.ms", "3600000", TOPIC_AT_CREATION, false},
    {TOPIC_SUPPRESSIONS, "max.compaction.lag.ms", "86400000", TOPIC_AT_MOST, false},
    {TOPIC_SUPPRESSIONS, "min.cleanable.dirty.ratio", "0.3", TOPIC_AT_CREATION, false},
    {TOPIC_SUPPRESSIONS, "segment.bytes", "268435456", TOPIC_AT_CREATION, false},
    {TOPIC_SUPPRESSIONS, "unclean.leader.election.enable", "false", TOPIC_EXACTLY, false},
    {TOPIC_DECISIONS, "max.message.bytes", "1048588", TOPIC_AT_LEAST, true},
    {TOPIC_DECISIONS, "cleanup.policy", "delete", TOPIC_EXACTLY, false},
    {TOPIC_DECISIONS, "retention.ms", "7776000000", TOPIC_AT_CREATION, false}, /* 90 days */
    {TOPIC_DEAD_LETTERS, "max.message.bytes", "1048588", TOPIC_AT_LEAST, true},
    {TOPIC_DEAD_LETTERS, "cleanup.policy", "delete", TOPIC_EXACTLY, false},
    {TOPIC_DEAD_LETTERS, "retention.ms", "1209600000", TOPIC_AT_CREATION, false}, /* 14 days */
};

struct topics {
    rd_kafka_t *client;
    rd_kafka_queue_t *results;
    char *cluster_id;
    char servers[TOPIC_SERVERS_SIZE];
    int timeout_ms;
};

const struct topic_setting *topic_setting_at(size_t i)
{
    return i < CLIENT_COUNT(SETTINGS) ? &SETTINGS[i] : NULL;
}

/* --- open, close */

static enum err judge(const struct topics *topics, const char *what, rd_kafka_resp_err_t code)
{
    log_error("kafka: %s: %s error=%s servers=%s", what, rd_kafka_err2str(code),
              rd_kafka_err2name(code), topics->servers);
    switch ((int)code) { /* not all of the client's 200 codes are listed */
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return ERR_REFUSED;
    default:
        return ERR_TIMEOUT;
    }
}

/* All topics, not those by name: asking by name may create them, where the broker does that. The
 * caller destroys *out. */
static enum err ask(const struct topics *topics, const struct rd_kafka_metadata **out)
{
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(topics->client, 1, NULL, out, topics->timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return judge(topics, "the brokers cannot be reached", code);
    }
    return OK;
}

enum err topics_open(const struct io_property *properties,
                     size_t property_count,
                     int timeout_ms,
                     struct topics **out)
{
    static const struct io_property OURS[] = {{"client.id", "topics"},
                                              {"enable.metrics.push", "false"}};
    struct topics *topics = calloc(1, sizeof(*topics));
    if (topics == NULL) {
        return ERR_NO_MEMORY;
    }
    topics->timeout_ms = timeout_ms;
    snprintf(topics->servers, sizeof(topics->servers), "%s",
             client_property(properties, property_count, "bootstrap.servers"));
    const struct client_layers layers = {.ours = OURS,
                                         .our_count = CLIENT_COUNT(OURS),
                                         .users = properties,
                                         .user_count = property_count};
    rd_kafka_conf_t *conf = NULL;
    enum err err = client_conf(&layers, topics, &conf);
    if (err == OK) {
        err = client_open(RD_KAFKA_PRODUCER, conf, &topics->client);
    }
    const struct rd_kafka_metadata *metadata = NULL;
    if (err == OK) {
        topics->results = rd_kafka_queue_new(topics->client);
        err = ask(topics, &metadata);
    }
    if (err != OK) {
        topics_close(&topics);
        return err;
    }
    rd_kafka_metadata_destroy(metadata);
    topics->cluster_id = rd_kafka_clusterid(topics->client, timeout_ms);
    *out = topics;
    return OK;
}

const char *topics_cluster_id(const struct topics *topics)
{
    return topics->cluster_id == NULL ? "" : topics->cluster_id;
}

void topics_close(struct topics **topics)
{
    struct topics *t = *topics;
    if (t == NULL) {
        return;
    }
    if (t->cluster_id != NULL) {
        rd_kafka_mem_free(t->client, t->cluster_id);
    }
    if (t->results != NULL) {
        rd_kafka_queue_destroy(t->results);
    }
    client_close(&t->client, 1, client_mono_ms() + CLOSE_TIMEOUT_MS);
    free(t);
    *topics = NULL;
}

/* NULL: there is none. */
static const struct rd_kafka_metadata_topic *find_topic(const struct rd_kafka_metadata *metadata,
                                                        const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0 && metadata->topics[i].partition_cnt > 0) {
            return &metadata->topics[i];
        }
    }
    return NULL;
}

enum err topics_partition_count(struct topics *topics, const char *name, int32_t *partitions)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const enum err err = ask(topics, &metadata);
    if (err != OK) {
        return err;
    }
    const struct rd_kafka_metadata_topic *topic = find_topic(metadata, name);
    if (topic != NULL) {
        *partitions = topic->partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return topic == NULL ? ERR_NOT_FOUND : OK;
}

/* --- admin calls */

static rd_kafka_AdminOptions_t *options_of(const struct topics *topics, rd_kafka_admin_op_t op)
{
    char reason[REASON_SIZE];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(topics->client, op);
    CHECK(rd_kafka_AdminOptions_set_request_timeout(options, topics->timeout_ms, reason,
                                                    sizeof(reason)) == RD_KAFKA_RESP_ERR_NO_ERROR);
    return options;
}

/* The result of the one request that is out, which the caller destroys. */
static enum err wait_result(struct topics *topics, const char *what, rd_kafka_event_t **out)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(topics->results, topics->timeout_ms + 1000);
    if (event == NULL) {
        return judge(topics, what, RD_KAFKA_RESP_ERR__TIMED_OUT);
    }
    const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const enum err err = judge(topics, what, code);
        rd_kafka_event_destroy(event);
        return err;
    }
    *out = event;
    return OK;
}

/* --- create */

static rd_kafka_NewTopic_t *new_topic(const struct topic_plan *plan)
{
    char reason[REASON_SIZE];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        plan->name, plan->partitions == 0 ? -1 : plan->partitions,
        plan->replication_factor == 0 ? -1 : plan->replication_factor, reason, sizeof(reason));
    CHECK(topic != NULL); /* names and numbers were checked with the configuration */
    for (size_t i = 0; i < CLIENT_COUNT(SETTINGS); i++) {
        if (SETTINGS[i].role == plan->role) {
            CHECK(rd_kafka_NewTopic_set_config(topic, SETTINGS[i].name, SETTINGS[i].value) ==
                  RD_KAFKA_RESP_ERR_NO_ERROR);
        }
    }
    if (plan->replication_factor >= REPLICAS_SAFE) {
        CHECK(rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", "2") ==
              RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    return topic;
}

static void take_outcome(const rd_kafka_topic_result_t *result,
                         const struct topic_plan *plans,
                         size_t plan_count,
                         struct topic_creation *outcomes)
{
    for (size_t i = 0; i < plan_count; i++) {
        if (strcmp(plans[i].name, rd_kafka_topic_result_name(result)) != 0) {
            continue;
        }
        const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(result);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            outcomes[i].outcome = TOPIC_CREATED;
        } else if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            outcomes[i].outcome = TOPIC_WAS_THERE;
        } else {
            const char *words = rd_kafka_topic_result_error_string(result);
            snprintf(outcomes[i].reason, sizeof(outcomes[i].reason), "%s",
                     words == NULL ? rd_kafka_err2str(code) : words);
        }
    }
}

static enum err create(struct topics *topics,
                       rd_kafka_NewTopic_t **wanted,
                       size_t wanted_count,
                       rd_kafka_event_t **out)
{
    rd_kafka_AdminOptions_t *options = options_of(topics, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char reason[REASON_SIZE];
    CHECK(rd_kafka_AdminOptions_set_operation_timeout(
              options, topics->timeout_ms, reason, sizeof(reason)) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_CreateTopics(topics->client, wanted, wanted_count, options, topics->results);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy_array(wanted, wanted_count);
    return wait_result(topics, "topics cannot be created", out);
}

static bool are_visible(const struct rd_kafka_metadata *metadata,
                        const struct topic_plan *plans,
                        size_t plan_count,
                        const struct topic_creation *outcomes)
{
    for (size_t i = 0; i < plan_count; i++) {
        if (outcomes[i].outcome == TOPIC_CREATED && find_topic(metadata, plans[i].name) == NULL) {
            return false;
        }
    }
    return true;
}

/* The controller says "created" a moment before the brokers know of it: whoever asks next would be
 * told that there is no such topic. */
static enum err wait_visible(struct topics *topics,
                             const struct topic_plan *plans,
                             size_t plan_count,
                             const struct topic_creation *outcomes)
{
    const int64_t deadline = client_mono_ms() + topics->timeout_ms;
    for (;;) {
        const struct rd_kafka_metadata *metadata = NULL;
        const enum err err = ask(topics, &metadata);
        if (err != OK) {
            return err;
        }
        const bool visible = are_visible(metadata, plans, plan_count, outcomes);
        rd_kafka_metadata_destroy(metadata);
        if (visible) {
            return OK;
        }
        if (client_left_ms(deadline) == 0) {
            return judge(topics, "created topics do not appear", RD_KAFKA_RESP_ERR__TIMED_OUT);
        }
        client_sleep_ms(VISIBLE_PAUSE_MS);
    }
}

enum err topics_create(struct topics *topics,
                       const struct topic_plan *plans,
                       size_t plan_count,
                       struct topic_creation *outcomes)
{
    CHECK(plan_count <= TOPICS_MAX);
    rd_kafka_NewTopic_t *wanted[TOPICS_MAX];
    size_t wanted_count = 0;
    for (size_t i = 0; i < plan_count; i++) {
        const bool is_ours = plans[i].role != TOPIC_INPUT;
        outcomes[i] =
            (struct topic_creation){.outcome = is_ours ? TOPIC_NOT_CREATED : TOPIC_WAS_THERE};
        if (is_ours) {
            wanted[wanted_count++] = new_topic(&plans[i]);
        }
    }
    if (wanted_count == 0) {
        return OK;
    }
    rd_kafka_event_t *event = NULL;
    const enum err err = create(topics, wanted, wanted_count, &event);
    if (err != OK) {
        return err;
    }
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        take_outcome(results[i], plans, plan_count, outcomes);
    }
    rd_kafka_event_destroy(event);
    return wait_visible(topics, plans, plan_count, outcomes);
}

/* --- verify */

struct verification {
    struct topics *topics;
    const struct topic_plan *plans;
    size_t plan_count;
    const struct rd_kafka_metadata *metadata;
    struct topics_report *report;
};

/* NULL: there is no room to say more. */
static struct topic_violation *add(struct verification *v,
                                   const char *topic,
                                   const char *setting,
                                   bool is_fatal)
{
    struct topics_report *report = v->report;
    report->fatal_count += is_fatal ? 1 : 0;
    if (report->count == TOPICS_VIOLATIONS_MAX) {
        return NULL;
    }
    struct topic_violation *violation = &report->items[report->count++];
    *violation = (struct topic_violation){.is_fatal = is_fatal};
    snprintf(violation->topic, sizeof(violation->topic), "%s", topic);
    snprintf(violation->setting, sizeof(violation->setting), "%s", setting);
    return violation;
}

static void miss(struct verification *v, const struct topic_plan *plan)
{
    /* an input may come later: it is read as soon as it is there */
    struct topic_violation *violation = add(v, plan->name, "exists", plan->role != TOPIC_INPUT);
    if (violation == NULL) {
        return;
    }
    snprintf(violation->is, sizeof(violation->is), "no");
    snprintf(violation->must_be, sizeof(violation->must_be), "yes");
    if (plan->role != TOPIC_INPUT) {
        snprintf(violation->command, sizeof(violation->command), "suppressd topics --create");
    }
}

/* Counts are not mended by a command: more partitions would send recipients to other shards, and
 * fewer cannot be. */
static void miscount(struct verification *v,
                     const char *topic,
                     const char *setting,
                     int is,
                     int must_be,
                     bool is_fatal)
{
    struct topic_violation *violation = add(v, topic, setting, is_fatal);
    if (violation != NULL) {
        snprintf(violation->is, sizeof(violation->is), "%d", is);
        snprintf(violation->must_be, sizeof(violation->must_be), "%d", must_be);
    }
}

static const struct topic_plan *plan_of_role(const struct verification *v, enum topic_role role)
{
    for (size_t i = 0; i < v->plan_count; i++) {
        if (v->plans[i].role == role) {
            return &v->plans[i];
        }
    }
    return NULL;
}

/* A changelog has as many partitions as the events topic has, whatever was planned. */
static int32_t partitions_wanted(const struct verification *v, const struct topic_plan *plan)
{
    const struct topic_plan *events = plan_of_role(v, TOPIC_EVENTS);
    if (plan->role == TOPIC_CHANGELOG && events != NULL) {
        const struct rd_kafka_metadata_topic *found = find_topic(v->metadata, events->name);
        if (found != NULL) {
            return found->partition_cnt;
        }
    }
    return plan->partitions;
}

/* False: it is not there. */
static bool verify_shape(struct verification *v, const struct topic_plan *plan)
{
    const struct rd_kafka_metadata_topic *found = find_topic(v->metadata, plan->name);
    if (found == NULL) {
        miss(v, plan);
        return false;
    }
    if (plan->role == TOPIC_INPUT) {
        return true;
    }
    const int32_t wanted = partitions_wanted(v, plan);
    if (wanted != 0 && found->partition_cnt != wanted) {
        const bool is_state = plan->role == TOPIC_EVENTS || plan->role == TOPIC_CHANGELOG;
        miscount(v, plan->name, "partitions", found->partition_cnt, wanted, is_state);
    }
    const int replicas = found->partitions[0].replica_cnt;
    if (replicas < plan->replication_factor) {
        miscount(v, plan->name, "replication.factor", replicas, plan->replication_factor, false);
    }
    return true;
}

/* -1 is Kafka's word for no bound: more than any number. */
static double number_of(const char *text)
{
    const double value = strtod(text, NULL);
    return value < 0 ? 1e300 : value;
}

static bool holds(const struct topic_setting *setting, const char *is)
{
    switch (setting->bound) {
    case TOPIC_EXACTLY:
        return strcmp(is, setting->value) == 0;
    case TOPIC_AT_LEAST:
        return number_of(is) >= number_of(setting->value);
    case TOPIC_AT_MOST:
        return number_of(is) <= number_of(setting->value);
    case TOPIC_AT_CREATION:
        return true;
    }
    CHECK(false);
    return false;
}

static void violate(struct verification *v,
                    const char *topic,
                    const struct topic_setting *setting,
                    const char *is)
{
    static const char *const BOUNDS[] = {
        [TOPIC_EXACTLY] = "", [TOPIC_AT_LEAST] = "at least ", [TOPIC_AT_MOST] = "at most "};
    struct topic_violation *violation = add(v, topic, setting->name, setting->is_fatal);
    if (violation == NULL) {
        return;
    }
    snprintf(violation->is, sizeof(violation->is), "%s", is);
    snprintf(violation->must_be, sizeof(violation->must_be), "%s%s", BOUNDS[setting->bound],
             setting->value);
    snprintf(violation->command, sizeof(violation->command),
             "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s "
             "--add-config %s=%s",
             v->topics->servers, topic, setting->name, setting->value);
}

static void verify_settings(struct verification *v,
                            const struct topic_plan *plan,
                            const rd_kafka_ConfigEntry_t **entries,
                            size_t entry_count)
{
    for (size_t i = 0; i < CLIENT_COUNT(SETTINGS); i++) {
        const struct topic_setting *setting = &SETTINGS[i];
        if (setting->role != plan->role) {
            continue;
        }
        for (size_t j = 0; j < entry_count; j++) {
            const char *value = rd_kafka_ConfigEntry_value(entries[j]);
            if (value != NULL &&
                strcmp(rd_kafka_ConfigEntry_name(entries[j]), setting->name) == 0 &&
                !holds(setting, value)) {
                violate(v, plan->name, setting, value);
            }
        }
    }
}

static enum err verify_resource(struct verification *v, const rd_kafka_ConfigResource_t *resource)
{
    const char *name = rd_kafka_ConfigResource_name(resource);
    const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resource);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error("kafka: the settings of topic %s cannot be read", name);
        return judge(v->topics, "its settings", code);
    }
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < v->plan_count; i++) {
        if (strcmp(v->plans[i].name, name) == 0) {
            verify_settings(v, &v->plans[i], entries, count);
        }
    }
    return OK;
}

static enum err describe(struct verification *v,
                         rd_kafka_ConfigResource_t **wanted,
                         size_t wanted_count)
{
    rd_kafka_AdminOptions_t *options = options_of(v->topics, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(v->topics->client, wanted, wanted_count, options, v->topics->results);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_event_t *event = NULL;
    enum err err = wait_result(v->topics, "the settings of topics cannot be read", &event);
    if (err != OK) {
        return err;
    }
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    for (size_t i = 0; i < count && err == OK; i++) {
        err = verify_resource(v, resources[i]);
    }
    rd_kafka_event_destroy(event);
    return err;
}

enum err topics_verify(struct topics *topics,
                       const struct topic_plan *plans,
                       size_t plan_count,
                       struct topics_report *report)
{
    CHECK(plan_count <= TOPICS_MAX);
    struct verification v = {
        .topics = topics, .plans = plans, .plan_count = plan_count, .report = report};
    enum err err = ask(topics, &v.metadata);
    if (err != OK) {
        return err;
    }
    report->count = 0;
    report->fatal_count = 0;
    rd_kafka_ConfigResource_t *wanted[TOPICS_MAX];
    size_t wanted_count = 0;
    for (size_t i = 0; i < plan_count; i++) {
        if (verify_shape(&v, &plans[i]) && plans[i].role != TOPIC_INPUT) {
            wanted[wanted_count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, plans[i].name);
        }
    }
    if (wanted_count > 0) {
        err = describe(&v, wanted, wanted_count);
        rd_kafka_ConfigResource_destroy_array(wanted, wanted_count);
    }
    rd_kafka_metadata_destroy(v.metadata);
    return err;
}

/* consumer/cmd/check_topics.c - see check_topics.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/cmd/check_topics.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 15000 };

size_t plan_topics(const struct config *config, struct topic_plan plans[PLANS_MAX])
{
    const struct {
        const char *name;
        enum topic_role role;
    } own[PLANS_OWN] = {
        {config->topic_events, TOPIC_EVENTS},
        {config->topic_changelog, TOPIC_CHANGELOG},
        {config->topic_suppressions, TOPIC_SUPPRESSIONS},
        {config->topic_decisions, TOPIC_DECISIONS},
        {config->topic_dead_letters, TOPIC_DEAD_LETTERS},
    };
    size_t count = 0;
    for (size_t i = 0; i < PLANS_OWN; i++) {
        plans[count++] = (struct topic_plan){
            .name = own[i].name,
            .role = own[i].role,
            .partitions = (int32_t)config->topic_partitions,
            .replication_factor =
                config->topic_replication < 0 ? 0 : (int)config->topic_replication,
        };
    }
    for (size_t i = 0; i < config->input_count && count < PLANS_MAX; i++) {
        plans[count++] = (struct topic_plan){.name = config->inputs[i].topic, .role = TOPIC_INPUT};
    }
    return count;
}

enum err open_topics(const struct config *config, struct topics **out)
{
    return topics_open(config->kafka, config->kafka_count, TIMEOUT_MS, out);
}

void print_report(const struct topics_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct topic_violation *violation = &report->items[i];
        fprintf(stderr, "%s: topic %s: %s is %s, must be %s\n",
                violation->is_fatal ? "refused" : "advice", violation->topic, violation->setting,
                violation->is, violation->must_be);
        if (violation->command[0] != '\0') {
            fprintf(stderr, "  mend it: %s\n", violation->command);
        }
    }
}

static enum err verify(const struct config *config, struct topics *topics, uint32_t *shard_count)
{
    struct topic_plan plans[PLANS_MAX];
    const size_t count = plan_topics(config, plans);
    for (size_t i = 0; i < count; i++) {
        plans[i].partitions = 0; /* the number of shards is what was once created */
        plans[i].replication_factor = 0;
    }
    struct topics_report *report = calloc(1, sizeof(*report));
    if (report == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = topics_verify(topics, plans, count, report);
    if (err == OK) {
        print_report(report);
        if (report->fatal_count > 0) {
            log_error("topics: %zu settings would lose or stop something; not started",
                      report->fatal_count);
            err = ERR_REFUSED;
        }
    }
    free(report);
    int32_t partitions = 0;
    if (err == OK) {
        err = topics_partition_count(topics, config->topic_events, &partitions);
    }
    if (err == OK) {
        *shard_count = (uint32_t)partitions;
    }
    return err;
}

enum err check_topics(const struct config *config, uint32_t *shard_count)
{
    struct topics *topics;
    enum err err = open_topics(config, &topics);
    if (err != OK) {
        return err;
    }
    err = verify(config, topics, shard_count);
    topics_close(&topics);
    return err;
}

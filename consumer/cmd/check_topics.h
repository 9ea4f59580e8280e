/* consumer/cmd/check_topics.h - the topics of a configuration, verified, and what is wrong told
 * with the mending command.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/config.h"
#include "consumer/kafka/topics.h"

enum { PLANS_OWN = 5, PLANS_MAX = PLANS_OWN + IO_TOPICS_MAX };

/* The plan of every topic of the configuration: ours first, then the inputs. The count. */
size_t plan_topics(const struct config *config, struct topic_plan plans[PLANS_MAX]);

MUST_USE enum err open_topics(const struct config *config, struct topics **out);

/* One line per violation and one for its mending, to stderr. */
void print_report(const struct topics_report *report);

/* For `run`: OK and *shard_count, or ERR_REFUSED after telling what would lose state and how to
 * mend it. */
MUST_USE enum err check_topics(const struct config *config, uint32_t *shard_count);

/* consumer/setup.h - from a configuration to what the workers share: rules, policies, secret.
 *
 * Owns:    everything that a struct setup points to, for the life of the process or of one command.
 * Errors:  ERR_BAD_CONFIG, ERR_IO: said in the log with the place and what to do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/config.h"
#include "consumer/process.h"

struct setup {
    struct process process;
    struct ruleset *rules;
    struct policy_set *policies;
    struct secret secret;
    struct memory_budget budget;
    struct input_topic *inputs;
    char *source;     /* ce_source */
    char version[17]; /* of rules and policies */
};

/* The secret is left to the caller: secret_read() or secret_fixed(); the shard count too. */
MUST_USE enum err setup_create(const struct config *config, struct setup **out);
void setup_destroy(struct setup **setup);

/* consumer/setup.h - from a configuration to what the workers share: rules, policies, secret.
 *
 * Owns:    everything that a struct setup points to, for the life of the process or of one command.
 * Thread:  the one that made it; the workers have the struct process.
 * Errors:  ERR_BAD_CONFIG, ERR_IO: said in the log with the place and what to do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/config.h"
#include "consumer/process.h"

struct setup_version;

struct setup {
    struct process process;
    struct published_rules *rules;
    int64_t rules_since_ms; /* wall clock: when those in force were loaded */
    struct policy_set *policies;
    struct secret secret;
    struct memory_budget budget;
    struct input_topic *inputs;
    char *source; /* ce_source */
    _Atomic(const char *) policy_version;
    struct setup_version *versions; /* all that there were: somebody may be writing an old one */
};

/* The secret is left to the caller: secret_read() or secret_fixed(); the shard count too. */
MUST_USE enum err setup_create(const struct config *config, struct setup **out);
void setup_destroy(struct setup **setup);

/* Reads the files of rules anew. On any fault, which was said in the log, the rules in force stay. */
void setup_reload(struct setup *setup, const struct config *config);

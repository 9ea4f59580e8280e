/* consumer/setup.c - see setup.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/setup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "consumer/worker.h"

struct setup_version {
    struct setup_version *before;
    char text[17];
};

void setup_destroy(struct setup **setup)
{
    struct setup *s = *setup;
    *setup = NULL;
    if (s == NULL) {
        return;
    }
    published_destroy(&s->rules);
    while (s->versions != NULL) {
        struct setup_version *version = s->versions;
        s->versions = version->before;
        free(version);
    }
    policy_set_destroy(&s->policies);
    free(s->inputs);
    free(s->source);
    free(s);
}

static const struct policy *preset_of(enum config_preset preset)
{
    const struct policy *policy = policy_preset(span_of(config_preset_name(preset)));
    CHECK(policy != NULL);
    return policy;
}

static enum err create_policies(const struct config *config, struct policy_set **out)
{
    struct policy_tenant *tenants =
        calloc(config->policy_tenant_count + 1, sizeof(struct policy_tenant));
    if (tenants == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < config->policy_tenant_count; i++) {
        tenants[i].name = config->policy_tenants[i].name;
        tenants[i].policy = preset_of(config->policy_tenants[i].preset);
    }
    const enum err err = policy_set_create(preset_of(config->policy_preset),
                                           config->policy_mailbox_scope == CONFIG_SCOPE_TENANT,
                                           tenants, config->policy_tenant_count, out);
    free(tenants);
    return err;
}

static struct span text_or_none(const char *text)
{
    return text == NULL ? SPAN_NONE : span_of(text);
}

static enum err create_inputs(const struct config *config, struct setup *setup)
{
    setup->inputs = calloc(config->input_count + 1, sizeof(setup->inputs[0]));
    if (setup->inputs == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < config->input_count; i++) {
        setup->inputs[i] = (struct input_topic){
            .name = config->inputs[i].topic,
            .format = config->inputs[i].format,
            .commands = config->inputs[i].commands,
            .tenant = text_or_none(config->inputs[i].tenant),
            .campaign = text_or_none(config->inputs[i].campaign),
            .sender_template = text_or_none(config->inputs[i].sender),
            .headings = text_or_none(config->inputs[i].columns),
            .names = config->inputs[i].names,
        };
    }
    return OK;
}

/* Of these rules and the policies; release, pairs with publisher_of() of the shards. */
static enum err set_version(struct setup *setup, const struct ruleset *rules)
{
    struct setup_version *version = calloc(1, sizeof(*version));
    if (version == NULL) {
        return ERR_NO_MEMORY;
    }
    const uint64_t of_rules = strtoull(ruleset_version(rules), NULL, 16);
    (void)snprintf(version->text, sizeof(version->text), "%016" PRIx64,
                   policy_set_hash(setup->policies, of_rules));
    version->before = setup->versions;
    setup->versions = version;
    atomic_store_explicit(&setup->policy_version, version->text, memory_order_release);
    return OK;
}

static enum err create_rules(const struct config *config, struct setup *setup)
{
    struct ruleset *rules;
    enum err err = ruleset_create(config->rule_files, config->rule_file_count, &rules);
    if (err == OK) {
        /* one more, for commands that run without workers */
        err = published_create(rules, (size_t)config->workers_intake + 1, &setup->rules);
    }
    setup->rules_since_ms = wall_ms();
    return err == OK ? set_version(setup, published_ruleset(setup->rules)) : err;
}

void setup_reload(struct setup *setup, const struct config *config)
{
    struct ruleset *rules;
    enum err err = ruleset_create(config->rule_files, config->rule_file_count, &rules);
    if (err == OK) {
        err = published_swap(setup->rules, rules);
    }
    if (err == OK) {
        setup->rules_since_ms = wall_ms();
        err = set_version(setup, published_ruleset(setup->rules));
    }
    if (err != OK) {
        log_error("rules are not reloaded, those that were in force stay error=%s", err_name(err));
        return;
    }
    const struct ruleset *now = published_ruleset(setup->rules);
    const struct ruleset_size size = ruleset_size(now);
    log_info("rules reloaded rules=%zu codes=%zu files=%zu version=%s", size.text_rules, size.codes,
             size.files, ruleset_version(now));
}

enum err setup_create(const struct config *config, struct setup **out)
{
    struct setup *setup = calloc(1, sizeof(*setup));
    if (setup == NULL) {
        return ERR_NO_MEMORY;
    }
    setup->budget.limit = (size_t)config->state_memory_limit_bytes;
    enum err err = create_policies(config, &setup->policies);
    if (err == OK) {
        err = create_rules(config, setup);
    }
    if (err == OK) {
        err = create_inputs(config, setup);
    }
    if (err == OK && asprintf(&setup->source, "suppressd/%s", config->application_id) < 0) {
        setup->source = NULL;
        err = ERR_NO_MEMORY;
    }
    if (err != OK) {
        setup_destroy(&setup);
        return err;
    }
    setup->process = (struct process){
        .rules = setup->rules,
        .policies = setup->policies,
        .secret = &setup->secret,
        .address = {.keep_local_case = config->identity_keep_local_case},
        .prefer_final = !config->identity_prefer_original,
        .wish_needs_tenant = config->policy_wish_without_tenant == CONFIG_WISH_DEAD_LETTER,
        .publisher = {.policy_name = config_preset_name(config->policy_preset),
                      .source = setup->source},
        .policy_version = &setup->policy_version,
        .budget = &setup->budget,
        .inputs = setup->inputs,
        .input_count = config->input_count,
        .start_at_latest = config->input_start == CONFIG_START_LATEST,
    };
    *out = setup;
    return OK;
}

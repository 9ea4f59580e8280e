/* tests/test_config.c - what the configuration takes, refuses and says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consumer/config.h"

#define MINIMAL                                                                                    \
    "kafka: {bootstrap.servers: 'k1:9092'}\n"                                                      \
    "input: {mail: {format: kumomta}}\n"                                                           \
    "instance_id: a\n"

/* What came of one reading: a config, or faults. */
struct reading {
    struct yaml *yaml;
    struct config *config;
    enum err err;
};

static struct reading read_sources(const char *text, struct config_sources sources)
{
    struct reading r = {0};
    assert_int_equal(yaml_parse("s.yaml", span_of(text), &r.yaml), OK);
    r.err = config_read(r.yaml, sources, &r.config);
    for (size_t i = 0; i < yaml_fault_count(r.yaml); i++) {
        print_message("%s\n", yaml_fault_at(r.yaml, i));
    }
    return r;
}

static struct reading read_text(const char *text)
{
    return read_sources(text, (struct config_sources){0});
}

static struct reading read_set(const char *text, const char *assignment)
{
    return read_sources(text,
                        (struct config_sources){.assignments = &assignment, .assignment_count = 1});
}

static void done(struct reading *r)
{
    if (r->config != NULL) {
        config_destroy(&r->config);
    } else {
        yaml_close(&r->yaml);
    }
}

/* Exactly one fault, which begins and goes on so. */
static void assert_one_fault(struct reading r, const char *begin, const char *part)
{
    assert_int_equal(r.err, ERR_BAD_CONFIG);
    assert_null(r.config);
    assert_int_equal(yaml_fault_count(r.yaml), 1);
    const char *fault = yaml_fault_at(r.yaml, 0);
    assert_int_equal(strncmp(fault, begin, strlen(begin)), 0);
    assert_non_null(strstr(fault, part));
    done(&r);
}

static void kafka_and_one_input_are_enough(void **state)
{
    (void)state;
    struct reading r = read_text(MINIMAL);
    assert_int_equal(r.err, OK);
    const struct config *c = r.config;
    assert_string_equal(c->application_id, "suppressd");
    assert_int_equal(c->workers_intake, 1);
    assert_int_equal(c->workers_shard, 1);
    assert_int_equal(c->kafka_count, 1);
    assert_string_equal(c->kafka[0].name, "bootstrap.servers");
    assert_string_equal(c->kafka[0].value, "k1:9092");
    assert_int_equal(c->input_start, CONFIG_START_EARLIEST);
    assert_int_equal(c->input_count, 1);
    assert_string_equal(c->inputs[0].topic, "mail");
    assert_string_equal(format_name(c->inputs[0].format), "kumomta");
    assert_false(c->inputs[0].commands);
    assert_string_equal(c->topic_events, "suppressd-events");
    assert_string_equal(c->topic_changelog, "suppressd-changelog");
    assert_string_equal(c->topic_suppressions, "suppressions");
    assert_string_equal(c->topic_decisions, "suppressd-decisions");
    assert_string_equal(c->topic_dead_letters, "suppressd-dead-letters");
    assert_int_equal(c->topic_partitions, 8);
    assert_int_equal(c->topic_replication, -1);
    assert_string_equal(c->state_secret_file, "state-data/secret");
    assert_int_equal(c->state_memory_limit_bytes, 1 << 30);
    assert_int_equal(c->commit_interval_ms, 100);
    assert_int_equal(c->session_timeout_ms, 30000);
    assert_int_equal(c->transaction_timeout_ms, 10000);
    assert_false(c->identity_keep_local_case);
    assert_true(c->identity_prefer_original);
    assert_int_equal(c->policy_preset, CONFIG_PRESET_DEFAULT);
    assert_int_equal(c->policy_mailbox_scope, CONFIG_SCOPE_GLOBAL);
    assert_int_equal(c->log_level, LOG_INFO);
    done(&r);
}

static void every_key_of_a_file_arrives_in_its_field(void **state)
{
    (void)state;
    struct reading r = read_text("application_id: esp\n"
                                 "instance_id: host-1\n"
                                 "workers: {intake: 3, shard: 0}\n"
                                 "kafka:\n"
                                 "  bootstrap.servers: 'k1:9092,k2:9092'\n"
                                 "  sasl.password: 'p#ss: word'\n"
                                 "input:\n"
                                 "  start: latest\n"
                                 "  mail.events: {format: kumomta}\n"
                                 "  ops: {format: native, commands: true}\n"
                                 "topics:\n"
                                 "  suppressions: out\n"
                                 "  partitions: 64\n"
                                 "  replication: 3\n"
                                 "state:\n"
                                 "  directory: /srv/s\n"
                                 "  secret_file: /etc/s/secret\n"
                                 "  memory_limit: 512M\n"
                                 "commit: {interval: 1s}\n"
                                 "session: {timeout: 45s}\n"
                                 "transaction: {timeout: 20s}\n"
                                 "watchdog: {timeout: 2m}\n"
                                 "identity: {keep_local_case: true, prefer_original: false}\n"
                                 "policy:\n"
                                 "  preset: careful\n"
                                 "  mailbox_scope: tenant\n"
                                 "  tenants: {acme: handshake, big.corp: default}\n"
                                 "log: {level: debug}\n");
    assert_int_equal(r.err, OK);
    const struct config *c = r.config;
    assert_string_equal(c->application_id, "esp");
    assert_string_equal(c->instance_id, "host-1");
    assert_int_equal(c->workers_intake, 3);
    assert_int_equal(c->workers_shard, 0);
    assert_int_equal(c->kafka_count, 2);
    assert_string_equal(c->kafka[1].value, "p#ss: word");
    assert_int_equal(c->input_start, CONFIG_START_LATEST);
    assert_int_equal(c->input_count, 2);
    assert_string_equal(c->inputs[0].topic, "mail.events");
    assert_string_equal(c->inputs[1].topic, "ops");
    assert_string_equal(format_name(c->inputs[1].format), "native");
    assert_true(c->inputs[1].commands);
    assert_string_equal(c->topic_events, "esp-events");
    assert_string_equal(c->topic_suppressions, "out");
    assert_int_equal(c->topic_partitions, 64);
    assert_int_equal(c->topic_replication, 3);
    assert_string_equal(c->state_directory, "/srv/s");
    assert_string_equal(c->state_secret_file, "/etc/s/secret");
    assert_int_equal(c->state_memory_limit_bytes, 512 << 20);
    assert_int_equal(c->commit_interval_ms, 1000);
    assert_int_equal(c->session_timeout_ms, 45000);
    assert_int_equal(c->transaction_timeout_ms, 20000);
    assert_int_equal(c->watchdog_timeout_ms, 120000);
    assert_true(c->identity_keep_local_case);
    assert_false(c->identity_prefer_original);
    assert_int_equal(c->policy_preset, CONFIG_PRESET_CAREFUL);
    assert_int_equal(c->policy_mailbox_scope, CONFIG_SCOPE_TENANT);
    assert_int_equal(c->policy_tenant_count, 2);
    assert_true(span_equal(c->policy_tenants[0].name, SPAN("acme")));
    assert_int_equal(c->policy_tenants[0].preset, CONFIG_PRESET_HANDSHAKE);
    assert_true(span_equal(c->policy_tenants[1].name, SPAN("big.corp")));
    assert_int_equal(c->log_level, LOG_DEBUG);
    done(&r);
}

static void kafkas_own_spelling_of_the_two_ids_is_taken(void **state)
{
    (void)state;
    struct reading r = read_text("application: {id: esp}\ninstance: {id: i1}\n"
                                 "kafka: {bootstrap.servers: k}\ninput: {mail: native}\n");
    assert_int_equal(r.err, OK);
    assert_string_equal(r.config->application_id, "esp");
    assert_string_equal(r.config->instance_id, "i1");
    assert_string_equal(r.config->topic_events, "esp-events");
    done(&r);
}

static void replay_needs_neither_brokers_nor_topics(void **state)
{
    (void)state;
    struct reading r = read_sources("", (struct config_sources){.without_kafka = true});
    assert_int_equal(r.err, OK);
    assert_true(strlen(r.config->instance_id) > 0);
    done(&r);
}

static void run_says_what_is_missing_and_how_to_say_it(void **state)
{
    (void)state;
    struct reading r = read_text("instance_id: a\n");
    assert_int_equal(r.err, ERR_BAD_CONFIG);
    assert_int_equal(yaml_fault_count(r.yaml), 2);
    assert_non_null(strstr(yaml_fault_at(r.yaml, 0), "--set kafka.bootstrap.servers=HOST:9092"));
    assert_non_null(strstr(yaml_fault_at(r.yaml, 1), "--set input.TOPIC.format=kumomta"));
    done(&r);
}

static void start_alone_is_no_input(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input: {start: latest}\n"),
                     "s.yaml:3: ", "which topics hold the mail events?");
}

static void without_intake_workers_no_input_is_needed(void **state)
{
    (void)state;
    struct reading r =
        read_text("instance_id: a\nkafka: {bootstrap.servers: k}\nworkers: {intake: 0}\n");
    assert_int_equal(r.err, OK);
    done(&r);
}

static void a_process_without_workers_is_refused(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "workers: {intake: 0, shard: 0}\n"),
                     "s.yaml:4: ", "without any worker");
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void a_misspelt_key_is_told_the_likeliest_one(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "state: {memory_limt: 2G}\n"),
                     "s.yaml:4: ", "did you mean `state.memory_limit`?");
    assert_one_fault(read_text(MINIMAL "polcy: {preset: careful}\n"),
                     "s.yaml:4: ", "did you mean `policy`?");
}

static void a_key_at_the_wrong_level_is_told_the_right_one(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "mailbox_scope: tenant\n"),
                     "s.yaml:4: ", "did you mean `policy.mailbox_scope`?");
}

static void a_dotted_key_is_told_how_levels_are_written(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "commit.interval: 1s\n"), "s.yaml:4: ", "write `commit:`");
}

static void a_key_like_no_other_is_sent_to_the_list(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "xyzzy_plugh: 1\n"), "s.yaml:4: ", "lists them all");
}

static void an_overlong_key_is_unknown_and_nothing_worse(void **state)
{
    (void)state;
    char text[1024] = MINIMAL;
    const size_t size = strlen(text);
    memset(text + size, 'k', 300);
    memcpy(text + size + 300, ": 1\n", 5);
    assert_one_fault(read_text(text), "s.yaml:4: ", "there is no such key");
}

static void a_scalar_where_keys_belong_is_one_fault(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "workers: 3\n"), "s.yaml:4: ", "");
    assert_one_fault(read_text(MINIMAL "policy: {tenants: careful}\n"), "s.yaml:4: ", "");
    assert_one_fault(read_text("instance_id: a\nkafka: k1\ninput: {mail: native}\n"),
                     "s.yaml:2: ", "");
}

static void a_null_says_nothing(void **state)
{
    (void)state;
    struct reading r = read_text(MINIMAL "workers:\ncommit: {interval: }\npolicy: {tenants: ~}\n");
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->commit_interval_ms, 100);
    done(&r);
}

static void all_faults_are_told_at_once_in_their_lines(void **state)
{
    (void)state;
    struct reading r = read_text(MINIMAL "workers: {shard: 65}\n"
                                         "topics: {partitions: 0, events: 'a b'}\n"
                                         "commit: {interval: fast}\n"
                                         "policy: {preset: carful}\n"
                                         "log: {level: loud}\n");
    assert_int_equal(r.err, ERR_BAD_CONFIG);
    assert_int_equal(yaml_fault_count(r.yaml), 6);
    static const char *const LINES[] = {
        "s.yaml:4: ", "s.yaml:5: ", "s.yaml:5: ", "s.yaml:6: ", "s.yaml:7: ", "s.yaml:8: "};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(strncmp(yaml_fault_at(r.yaml, i), LINES[i], strlen(LINES[i])), 0);
    }
    done(&r);
}

/* --- kafka, input, tenants ---------------------------------------------------------------------
 */

static void properties_that_we_own_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"enable.auto.commit",
                                        "enable.auto.offset.store",
                                        "isolation.level",
                                        "group.id",
                                        "group.instance.id",
                                        "transactional.id",
                                        "partition.assignment.strategy",
                                        "auto.offset.reset",
                                        "partitioner",
                                        "enable.idempotence",
                                        "session.timeout.ms",
                                        "transaction.timeout.ms"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        char assignment[128];
        (void)snprintf(assignment, sizeof(assignment), "kafka.%s=x", NAMES[i]);
        assert_one_fault(read_set(MINIMAL, assignment), "--set kafka", "not yours to set: ");
    }
}

static void a_property_taken_apart_is_refused(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\ninput: {m: native}\n"
                               "kafka:\n  metadata.broker.list: k\n  sasl: {password: x}\n"),
                     "s.yaml:5: ", "dots included");
}

static void an_unknown_format_is_told_the_known_ones(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail:\n    format: kumo\n"),
                     "s.yaml:5: ", "kumomta");
}

static void an_input_without_format_is_refused(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail: {commands: true}\n"),
                     "s.yaml:4: ", "format: auto");
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail:\n"),
                     "s.yaml:4: ", "format: auto");
}

static void sender_of_an_input_is_a_template_that_can_be_meant(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail: {format: auto,\n    sender: 'b+{job}@x'}\n"),
                     "s.yaml:5: ", "neither {tenant} nor {campaign}");
}

static void where_the_tenant_stands_is_a_name_that_records_of_the_format_can_have(void **state)
{
    (void)state;
    struct reading r = read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                                 "input:\n  mail: {format: dsn, tenant_from: X-Customer}\n"
                                 "  other: native\n");
    assert_int_equal(r.err, OK);
    assert_string_equal(r.config->inputs[0].names->tenant_from, "X-Customer");
    assert_null(r.config->inputs[0].names->campaign_from);
    assert_null(r.config->inputs[1].names);
    done(&r);
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail: {format: dsn,\n    campaign_from: 'X Wave'}\n"),
                     "s.yaml:5: input.mail.campaign_from: ", "no header of a mail");
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail: {format: postfix,\n    tenant_from: X-Customer}\n"),
                     "s.yaml:5: input.mail.tenant_from: ", "`sender`");
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail: {format: dsn,\n    tenant_form: X-Customer}\n"),
                     "s.yaml:5: ", "tenant_from");
}

static void fields_are_mapped_by_their_names_for_formats_that_scripts_write(void **state)
{
    (void)state;
    struct reading r = read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                                 "input:\n  mail: {format: halon, fields: {code: smtp.reply}}\n");
    assert_int_equal(r.err, OK);
    assert_string_equal(r.config->inputs[0].names->fields[DECODE_CODE], "smtp.reply");
    assert_null(r.config->inputs[0].names->fields[DECODE_TEXT]);
    done(&r);
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\ninput:\n"
                               "  mail:\n    format: halon\n    fields:\n      recipent: x\n"),
                     "s.yaml:7: input.mail.fields.recipent: ", "kind, ts_ms, recipient, code,");
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\ninput:\n"
                               "  mail:\n    format: kumomta\n    fields:\n      code: x\n"),
                     "s.yaml:7: input.mail.fields.code: ", "only those of halon");
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\ninput:\n"
                               "  mail:\n    format: halon\n    fields:\n      code: a..b\n"),
                     "s.yaml:7: input.mail.fields.code: ", "one dot between");
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\ninput:\n"
                               "  mail:\n    format: halon\n    fields: code\n"),
                     "s.yaml:6: input.mail.fields: ", "");
}

static void set_maps_one_field_or_all(void **state)
{
    (void)state;
    static const char *const SETS[] = {
        "input.mail.events.format=halon", "input.mail.events.fields.code=smtp.reply",
        "input.other=halon", "input.other.fields={code: a, text: b}"};
    struct reading r =
        read_sources("instance_id: a\nkafka: {bootstrap.servers: k}\n",
                     (struct config_sources){.assignments = SETS, .assignment_count = 4});
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->input_count, 2);
    assert_string_equal(r.config->inputs[0].topic, "mail.events");
    assert_string_equal(r.config->inputs[0].names->fields[DECODE_CODE], "smtp.reply");
    assert_string_equal(r.config->inputs[1].topic, "other");
    assert_string_equal(r.config->inputs[1].names->fields[DECODE_TEXT], "b");
    done(&r);
}

static void a_field_of_an_input_is_checked(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  mail: {format: native, comands: true}\n"),
                     "s.yaml:4: ", "commands");
}

static void a_topic_may_be_called_start(void **state)
{
    (void)state;
    struct reading r = read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                                 "input: {start: {format: native}}\n");
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->input_count, 1);
    assert_string_equal(r.config->inputs[0].topic, "start");
    assert_int_equal(r.config->input_start, CONFIG_START_EARLIEST);
    done(&r);
}

static void our_own_topic_is_no_input(void **state)
{
    (void)state;
    assert_one_fault(read_text("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                               "input:\n  suppressions: {format: native}\n"),
                     "s.yaml:4: ", "cannot be an input");
}

static void two_uses_of_one_topic_are_refused(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "topics: {decisions: suppressions}\n"),
                     "s.yaml:4: ", "each needs a topic of its own");
}

static void a_tenant_without_a_known_preset_is_refused(void **state)
{
    (void)state;
    assert_one_fault(read_text(MINIMAL "policy:\n  tenants:\n    acme: strict\n"),
                     "s.yaml:6: ", "careful");
}

/* --- overrides ---------------------------------------------------------------------------------
 */

static void files_of_rules_are_a_list_or_one(void **state)
{
    (void)state;
    struct reading r = read_text(MINIMAL "rules: {files: [b.yaml, a.yaml]}\n");
    assert_int_equal(r.config->rule_file_count, 2);
    assert_string_equal(r.config->rule_files[0], "b.yaml");
    assert_string_equal(r.config->rule_files[1], "a.yaml");
    done(&r);
    r = read_set(MINIMAL, "rules.files=mine.yaml");
    assert_int_equal(r.config->rule_file_count, 1);
    assert_string_equal(r.config->rule_files[0], "mine.yaml");
    done(&r);
    r = read_text(MINIMAL);
    assert_int_equal(r.config->rule_file_count, 0);
    done(&r);
    assert_one_fault(read_text(MINIMAL "rules: {files: [{a: b}]}\n"),
                     "s.yaml:", "one value is wanted here, not a map");
}

static void set_goes_over_the_file(void **state)
{
    (void)state;
    struct reading r = read_set(MINIMAL "commit: {interval: 1s}\n", "commit.interval=200ms");
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->commit_interval_ms, 200);
    done(&r);
}

static void set_names_tenants_and_properties_with_dots(void **state)
{
    (void)state;
    static const char *const SETS[] = {"policy.tenants.big.corp=careful",
                                       "kafka.bootstrap.servers=other:9092",
                                       "kafka.sasl.password=p#ss: 'word'"};
    struct reading r =
        read_sources(MINIMAL, (struct config_sources){.assignments = SETS, .assignment_count = 3});
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->policy_tenant_count, 1);
    assert_true(span_equal(r.config->policy_tenants[0].name, SPAN("big.corp")));
    assert_int_equal(r.config->policy_tenants[0].preset, CONFIG_PRESET_CAREFUL);
    assert_string_equal(r.config->kafka[0].value, "other:9092");
    assert_string_equal(r.config->kafka[1].value, "p#ss: 'word'");
    done(&r);
}

static void assert_input_set(const char *assignment, const char *topic, bool commands)
{
    struct reading r =
        read_set("instance_id: a\nkafka: {bootstrap.servers: k}\n"
                 "input: {mail.events: {format: kumomta}, format: {format: native}}\n",
                 assignment);
    assert_int_equal(r.err, OK);
    const struct config_input *last = &r.config->inputs[r.config->input_count - 1];
    for (size_t i = 0; i < r.config->input_count; i++) {
        if (strcmp(r.config->inputs[i].topic, topic) == 0) {
            last = &r.config->inputs[i];
        }
    }
    assert_string_equal(last->topic, topic);
    assert_string_equal(format_name(last->format), "native");
    assert_int_equal(last->commands, commands);
    done(&r);
}

static void set_finds_the_topic_before_a_known_field(void **state)
{
    (void)state;
    assert_input_set("input.mail.events.format=native", "mail.events", false);
    assert_input_set("input.ops.format=native", "ops", false);
    assert_input_set("input.start.format=native", "start", false);
    assert_input_set("input.a.b.c={format: native, commands: true}", "a.b.c", true);
    assert_input_set("input.my.format={format: native}", "my.format", false);
    assert_input_set("input.my.topic=native", "my.topic", false);
    assert_input_set("input.\"my.topic\".format=native", "my.topic", false);
    assert_input_set("input.format.commands=false", "format", false);
}

static void set_takes_an_input_in_two_steps(void **state)
{
    (void)state;
    static const char *const SETS[] = {"input.mail.events=native",
                                       "input.mail.events.commands=true"};
    struct reading r =
        read_sources("instance_id: a\nkafka: {bootstrap.servers: k}\n",
                     (struct config_sources){.assignments = SETS, .assignment_count = 2});
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->input_count, 1);
    assert_string_equal(r.config->inputs[0].topic, "mail.events");
    assert_true(r.config->inputs[0].commands);
    done(&r);
}

static void set_of_the_start_is_no_topic(void **state)
{
    (void)state;
    struct reading r = read_set(MINIMAL, "input.start=latest");
    assert_int_equal(r.err, OK);
    assert_int_equal(r.config->input_start, CONFIG_START_LATEST);
    assert_int_equal(r.config->input_count, 1);
    done(&r);
}

static void a_fault_of_set_names_the_assignment(void **state)
{
    (void)state;
    assert_one_fault(read_set(MINIMAL, "commit.intervall=1s"), "--set commit.intervall",
                     "did you mean `commit.interval`?");
    assert_one_fault(read_set(MINIMAL, "commit.interval"), "--set commit.interval",
                     "key.key=value");
    assert_one_fault(read_set(MINIMAL, "input.=x"), "--set input", "");
}

static void the_environment_is_between_file_and_set(void **state)
{
    (void)state;
    static const char *const ENVIRONMENT[] = {"HOME=/root",
                                              "SUPPRESSD_APPLICATION_ID=esp",
                                              "SUPPRESSD_COMMIT__INTERVAL=300ms",
                                              "SUPPRESSD_STATE__MEMORY_LIMIT=2G",
                                              "SUPPRESSD_KAFKA__SASL_PASSWORD=a=b#c",
                                              "SUPPRESSD_PORT=tcp://10.0.0.1:80",
                                              "SUPPRESSD_SERVICE_HOST=10.0.0.1",
                                              NULL};
    static const char *const SETS[] = {"state.memory_limit=3G"};
    struct reading r =
        read_sources(MINIMAL "commit: {interval: 1s}\n",
                     (struct config_sources){
                         .environment = ENVIRONMENT, .assignments = SETS, .assignment_count = 1});
    assert_int_equal(r.err, OK);
    assert_string_equal(r.config->application_id, "esp");
    assert_int_equal(r.config->commit_interval_ms, 300);
    assert_int_equal(r.config->state_memory_limit_bytes, INT64_C(3) << 30);
    assert_int_equal(r.config->kafka_count, 2);
    assert_string_equal(r.config->kafka[1].name, "sasl.password");
    assert_string_equal(r.config->kafka[1].value, "a=b#c");
    done(&r);
}

/* --- times -------------------------------------------------------------------------------------
 */

static void timeouts_out_of_order_are_refused(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"commit: {interval: 3s}\n", "a quarter"},
        {"transaction: {timeout: 105s}\nwatchdog: {timeout: 5m}\n", "max.poll.interval.ms"},
        {"watchdog: {timeout: 20s}\n", "than twice transaction.timeout"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), MINIMAL "%s", CASES[i][0]);
        assert_one_fault(read_text(text), "s.yaml:4: ", CASES[i][1]);
    }
}

static void the_users_own_properties_count_in_the_order_of_timeouts(void **state)
{
    (void)state;
    assert_one_fault(read_set(MINIMAL, "kafka.message.timeout.ms=10000"),
                     "s.yaml:", "transaction.timeout must be longer");
    assert_one_fault(
        read_set(MINIMAL "session: {timeout: 90s}\n", "kafka.max.poll.interval.ms=60000"),
        "s.yaml:4: session.timeout: ", "max.poll.interval.ms");
    assert_one_fault(
        read_set(MINIMAL "session: {timeout: 8s}\n", "kafka.heartbeat.interval.ms=3000"),
        "s.yaml:4: session.timeout: ", "heartbeat");
    static const char *const SETS[] = {"kafka.max.poll.interval.ms=300000", "session.timeout=3m"};
    struct reading r =
        read_sources(MINIMAL, (struct config_sources){.assignments = SETS, .assignment_count = 2});
    assert_int_equal(r.err, OK);
    done(&r);
}

/* --- the table for people ----------------------------------------------------------------------
 */

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    print(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void the_help_names_keys_defaults_and_bounds(void **state)
{
    (void)state;
    char *text = printed(config_print_keys);
    assert_non_null(strstr(text, "  commit.interval = 100ms; 1ms to 10s\n"));
    assert_non_null(strstr(text, "  state.memory_limit = 1G; 1M to 65536G\n"));
    assert_non_null(strstr(text, "  input.start = earliest; earliest | latest\n"));
    assert_non_null(strstr(text, "  input.TOPIC\n"));
    assert_non_null(strstr(text, "  topics.events = APPLICATION_ID-events\n"));
    free(text);
}

static void the_example_says_what_holds_anyway(void **state)
{
    (void)state;
    char *text = printed(config_print_example);
    static const char *const SETS[] = {"input.mail=native", "instance_id=a"};
    struct reading r =
        read_sources(text, (struct config_sources){.assignments = SETS, .assignment_count = 2});
    assert_int_equal(r.err, OK);
    struct reading plain = read_text(MINIMAL);
    assert_int_equal(r.config->commit_interval_ms, plain.config->commit_interval_ms);
    assert_int_equal(r.config->state_memory_limit_bytes, plain.config->state_memory_limit_bytes);
    assert_string_equal(r.config->topic_events, plain.config->topic_events);
    assert_int_equal(r.config->policy_preset, plain.config->policy_preset);
    done(&r);
    done(&plain);
    free(text);
}

static void the_file_that_ships_is_read_without_a_fault(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_int_equal(
        config_create((struct config_sources){.file = TESTS_DIRECTORY "/../deploy/suppressd.yaml"},
                      &config),
        OK);
    assert_string_equal(config_preset_name(config->policy_preset), "default");
    config_destroy(&config);
    assert_null(config);
}

static void a_file_that_is_not_there_is_an_error_of_the_world(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_int_equal(config_create((struct config_sources){.file = "/nonexistent/x.yaml"}, &config),
                     ERR_IO);
    assert_null(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafka_and_one_input_are_enough),
        cmocka_unit_test(every_key_of_a_file_arrives_in_its_field),
        cmocka_unit_test(kafkas_own_spelling_of_the_two_ids_is_taken),
        cmocka_unit_test(replay_needs_neither_brokers_nor_topics),
        cmocka_unit_test(run_says_what_is_missing_and_how_to_say_it),
        cmocka_unit_test(start_alone_is_no_input),
        cmocka_unit_test(without_intake_workers_no_input_is_needed),
        cmocka_unit_test(a_process_without_workers_is_refused),
        cmocka_unit_test(a_misspelt_key_is_told_the_likeliest_one),
        cmocka_unit_test(a_key_at_the_wrong_level_is_told_the_right_one),
        cmocka_unit_test(a_dotted_key_is_told_how_levels_are_written),
        cmocka_unit_test(a_key_like_no_other_is_sent_to_the_list),
        cmocka_unit_test(an_overlong_key_is_unknown_and_nothing_worse),
        cmocka_unit_test(a_scalar_where_keys_belong_is_one_fault),
        cmocka_unit_test(a_null_says_nothing),
        cmocka_unit_test(all_faults_are_told_at_once_in_their_lines),
        cmocka_unit_test(properties_that_we_own_are_refused_with_the_reason),
        cmocka_unit_test(a_property_taken_apart_is_refused),
        cmocka_unit_test(an_unknown_format_is_told_the_known_ones),
        cmocka_unit_test(an_input_without_format_is_refused),
        cmocka_unit_test(sender_of_an_input_is_a_template_that_can_be_meant),
        cmocka_unit_test(where_the_tenant_stands_is_a_name_that_records_of_the_format_can_have),
        cmocka_unit_test(fields_are_mapped_by_their_names_for_formats_that_scripts_write),
        cmocka_unit_test(set_maps_one_field_or_all),
        cmocka_unit_test(a_field_of_an_input_is_checked),
        cmocka_unit_test(a_topic_may_be_called_start),
        cmocka_unit_test(our_own_topic_is_no_input),
        cmocka_unit_test(two_uses_of_one_topic_are_refused),
        cmocka_unit_test(a_tenant_without_a_known_preset_is_refused),
        cmocka_unit_test(files_of_rules_are_a_list_or_one),
        cmocka_unit_test(set_goes_over_the_file),
        cmocka_unit_test(set_names_tenants_and_properties_with_dots),
        cmocka_unit_test(set_finds_the_topic_before_a_known_field),
        cmocka_unit_test(set_takes_an_input_in_two_steps),
        cmocka_unit_test(set_of_the_start_is_no_topic),
        cmocka_unit_test(a_fault_of_set_names_the_assignment),
        cmocka_unit_test(the_environment_is_between_file_and_set),
        cmocka_unit_test(timeouts_out_of_order_are_refused),
        cmocka_unit_test(the_users_own_properties_count_in_the_order_of_timeouts),
        cmocka_unit_test(the_help_names_keys_defaults_and_bounds),
        cmocka_unit_test(the_example_says_what_holds_anyway),
        cmocka_unit_test(the_file_that_ships_is_read_without_a_fault),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error_of_the_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/test_intake.c - the intake: what reaches a shard, what is left alone, what is dead-lettered
 * and why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/intake.h"

#include "consumer/secret_file.h"
#include "tests/check.h"

enum { SHARDS = 16, SEEN_MAX = 64, TEXT_SIZE = 512 };

static struct {
    struct ruleset *rules;
    struct classifier *classifier;
    struct policy_set *policies;
    struct secret secret;
    struct intake *intake;
    struct intake_source source;

    struct observation observed[SEEN_MAX];
    char recipients[SEEN_MAX][ADDRESS_SIZE_MAX + 1];
    char tenants[SEEN_MAX][ADDRESS_SIZE_MAX + 1];
    uint32_t shards[SEEN_MAX];
    size_t observed_count;
    char reasons[SEEN_MAX][TEXT_SIZE];
    char parts[SEEN_MAX][TEXT_SIZE];
    uint32_t part_indexes[SEEN_MAX];
    size_t dead_count;
} t;

static void on_observed(void *context, uint32_t shard, const struct observation *observation)
{
    (void)context;
    const size_t i = t.observed_count++;
    t.observed[i] = *observation;
    snprintf(t.recipients[i], sizeof(t.recipients[i]), "%.*s", SPAN_ARGS(observation->recipient));
    snprintf(t.tenants[i], sizeof(t.tenants[i]), "%.*s", SPAN_ARGS(observation->tenant));
    t.shards[i] = shard;
}

static void on_dead(void *context, const struct dead_letter *letter)
{
    (void)context;
    const size_t i = t.dead_count++;
    snprintf(t.reasons[i], TEXT_SIZE, "%s", letter->reason);
    snprintf(t.parts[i], TEXT_SIZE, "%.*s", SPAN_ARGS(span_cut(letter->part, TEXT_SIZE - 1)));
    t.part_indexes[i] = letter->part_index;
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    const struct policy_tenant careful = {SPAN("careful-one"), policy_preset(SPAN("careful"))};
    secret_fixed(&t.secret);
    assert_int_equal(ruleset_create(NULL, 0, &t.rules), OK);
    assert_int_equal(classifier_create(t.rules, &t.classifier), OK);
    assert_int_equal(
        policy_set_create(policy_preset(SPAN("default")), false, &careful, 1, &t.policies), OK);
    const struct intake_config config = {
        .classifier = t.classifier,
        .policies = t.policies,
        .secret = &t.secret,
        .shard_count = SHARDS,
    };
    assert_int_equal(intake_create(&config, &t.intake), OK);
    t.source = (struct intake_source){.format = format_find(SPAN("native")), .topic = SPAN("in")};
    return 0;
}

/* Another intake, as configured. */
static void configure(struct intake_config config)
{
    intake_destroy(&t.intake);
    config.classifier = t.classifier;
    config.policies = t.policies;
    config.secret = &t.secret;
    config.shard_count = SHARDS;
    assert_int_equal(intake_create(&config, &t.intake), OK);
}

static int tear_down(void **state)
{
    (void)state;
    intake_destroy(&t.intake);
    policy_set_destroy(&t.policies);
    classifier_destroy(&t.classifier);
    ruleset_destroy(&t.rules);
    return 0;
}

static void take(const char *record)
{
    const struct intake_sink sink = {.observed = on_observed, .dead = on_dead};
    intake_record(t.intake, &t.source, span_of(record), &sink);
}

static void a_failure_is_routed_with_its_evidence(void **state)
{
    (void)state;
    take(
        "{\"kind\":\"bounced\",\"recipient\":\"<Ana@EXAMPLE.com>\",\"ts_ms\":1728000000000,"
        "\"code\":550,"
        "\"enhanced\":\"5.1.1\",\"text\":\"no such user\",\"campaign\":\"c\",\"tenant\":\"acme\"}");
    assert_int_equal(t.dead_count, 0);
    assert_int_equal(t.observed_count, 1);
    const struct observation *o = &t.observed[0];
    assert_string_equal(t.recipients[0], "ana@example.com");
    assert_int_equal(o->kind, KIND_BOUNCED);
    assert_int_equal(o->category, CATEGORY_INVALID_RECIPIENT);
    assert_int_equal(o->evidence.reply.code, 550);
    assert_false(o->scope_tenant);
    assert_true(o->send.has_tenant);
    assert_int_equal(o->send.known_by, SEND_BY_CAMPAIGN);
    assert_true(t.shards[0] < SHARDS);
}

static void all_records_of_an_address_are_in_one_shard(void **state)
{
    (void)state;
    take("{\"kind\":\"bounced\",\"recipient\":\"r@x.example\",\"ts_ms\":1,\"code\":550,\"tenant\":"
         "\"a\"}\n"
         "{\"kind\":\"complaint\",\"recipient\":\"r@x.example\",\"ts_ms\":1,\"tenant\":\"a\"}\n"
         "{\"kind\":\"unsubscribe\",\"recipient\":\"R@x.example\",\"ts_ms\":1,\"tenant\":\"b\"}\n"
         "{\"kind\":\"bounced\",\"recipient\":\"r@X.example\",\"ts_ms\":1,\"code\":550,\"tenant\":"
         "\"careful-one\"}");
    assert_int_equal(t.observed_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(t.shards[i], t.shards[0]);
        for (size_t j = 0; j < i; j++) {
            assert_true(t.observed[i].key.scope_hash != t.observed[j].key.scope_hash);
        }
    }
    assert_false(t.observed[0].scope_tenant);
    assert_true(t.observed[1].scope_tenant);
    assert_true(t.observed[2].scope_tenant);
    assert_true(t.observed[3].scope_tenant); /* it has rules of its own */
}

static void what_does_not_matter_is_not_even_sent(void **state)
{
    (void)state;
    take("{\"kind\":\"received\",\"recipient\":\"r@x.example\",\"ts_ms\":1}\n"
         "{\"kind\":\"dropped\",\"recipient\":\"r@x.example\",\"ts_ms\":1}\n"
         "{\"kind\":\"opened\",\"recipient\":\"r@x.example\",\"ts_ms\":1}\n"
         "{\"kind\":\"deferred\",\"recipient\":\"r@x.example\",\"ts_ms\":1,\"code\":421,\"text\":"
         "\"busy\"}\n"
         "{\"kind\":\"bounced\",\"origin\":\"local\",\"recipient\":\"r@x.example\",\"ts_ms\":1,"
         "\"code\":550}");
    assert_int_equal(t.observed_count, 0);
    assert_int_equal(t.dead_count, 0);
    assert_int_equal(intake_counts(t.intake)->ignored, 3);
    assert_int_equal(intake_counts(t.intake)->harmless, 2);
}

struct refusal {
    const char *record;
    const char *reason;
};

static void what_cannot_be_taken_is_dead_lettered_with_its_reason(void **state)
{
    (void)state;
    static const struct refusal TABLE[] = {
        {"{\"kind\":\"bounced\",\"recipient\":\"nobody\",\"ts_ms\":1}", "@"},
        {"{\"kind\":\"bounced\",\"recipient\":\"a:b@x.example\",\"ts_ms\":1}", "colon"},
        {"{\"kind\":\"bounced\",\"recipient\":\"r@x.example\",\"ts_ms\":0}", "1970"},
        {"{\"kind\":\"bounced\",\"recipient\":\"r@x.example\",\"ts_ms\":-5}", "1970"},
        {"{\"kind\":\"bounced\",\"recipient\":\"r@x.example\",\"ts_ms\":260000000000000}", "10000"},
        {"{\"kind\":\"release\",\"recipient\":\"r@x.example\",\"ts_ms\":1}", "commands: true"},
        {"{\"kind\":\"suppress\",\"recipient\":\"r@x.example\",\"ts_ms\":1}", "commands: true"},
        {"{\"kind\":\"complaint\",\"recipient\":\"r@x.example\",\"ts_ms\":1,\"tenant\":\"a b c d e "
         "f g h i j k l m n "
         "o p q r s t u v w x y z\"}",
         "tenant"},
        {"{\"kind\":\"bounced\",\"ts_ms\":1}", "recipient"},
        {"{\"kind\":", "not JSON"},
        {"no JSON at all", "not JSON"},
    };
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        take(TABLE[i].record);
        assert_int_equal(t.dead_count, i + 1);
        if (strstr(t.reasons[i], TABLE[i].reason) == NULL) {
            print_error("%s: %s\n", TABLE[i].record, t.reasons[i]);
        }
        assert_non_null(strstr(t.reasons[i], TABLE[i].reason));
    }
    assert_int_equal(t.observed_count, 0);
}

static void a_bad_line_is_dead_lettered_alone(void **state)
{
    (void)state;
    take("{\"kind\":\"bounced\",\"recipient\":\"one@x.example\",\"ts_ms\":1,\"code\":550}\n"
         "{\"kind\":\"bounced\",\"recipient\":\"two\",\"ts_ms\":1,\"code\":550}\n"
         "{broken\n"
         "{\"kind\":\"bounced\",\"recipient\":\"four@x.example\",\"ts_ms\":1,\"code\":550}\n");
    assert_int_equal(t.observed_count, 2);
    assert_string_equal(t.recipients[1], "four@x.example");
    assert_int_equal(t.dead_count, 2);
    assert_int_equal(t.part_indexes[0], 2);
    assert_string_equal(t.parts[0],
                        "{\"kind\":\"bounced\",\"recipient\":\"two\",\"ts_ms\":1,\"code\":550}");
    assert_int_equal(t.part_indexes[1], 3);
    assert_string_equal(t.parts[1], "{broken");
}

static void operators_are_heard_where_they_may_speak(void **state)
{
    (void)state;
    t.source.commands = true;
    take("{\"kind\":\"release\",\"recipient\":\"r@x.example\",\"ts_ms\":1,\"tenant\":\"a\","
         "\"category\":\"unsubscribe\"}");
    assert_int_equal(t.observed_count, 1);
    assert_int_equal(t.observed[0].category, CATEGORY_UNSUBSCRIBE);
    assert_true(t.observed[0].scope_tenant);
}

static void a_time_in_the_future_is_replaced_and_counted(void **state)
{
    (void)state;
    t.source.time_bound_ms = 5000;
    t.source.clamp_ms = 1400;
    take("{\"kind\":\"bounced\",\"recipient\":\"r@x.example\",\"ts_ms\":5000,\"code\":550}\n"
         "{\"kind\":\"bounced\",\"recipient\":\"r@x.example\",\"ts_ms\":5001,\"code\":550}");
    assert_int_equal(t.observed_count, 2);
    assert_int_equal(t.observed[0].ts_ms, 5000);
    assert_int_equal(t.observed[1].ts_ms, 1400);
    assert_int_equal(intake_counts(t.intake)->clamped, 1);
}

static void names_of_the_topic_are_those_of_events_without(void **state)
{
    (void)state;
    t.source.tenant = SPAN("acme");
    t.source.campaign = SPAN("news");
    take("{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1}\n"
         "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"tenant\":\"acme\","
         "\"campaign\":\"news\"}\n"
         "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"tenant\":\"b\"}");
    assert_int_equal(t.observed_count, 3);
    assert_true(t.observed[0].key.scope_hash == t.observed[1].key.scope_hash);
    assert_true(t.observed[0].send.hash == t.observed[1].send.hash);
    assert_true(t.observed[0].key.scope_hash != t.observed[2].key.scope_hash);
}

static void return_path_names_who_the_event_does_not(void **state)
{
    (void)state;
    t.source.tenant = SPAN("of-topic");
    t.source.sender_template = SPAN("b+{campaign}@{tenant}.example");
    take(
        "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"sender\":\"b+c@t."
        "example\"}\n"
        "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"sender\":\"x@t."
        "example\"}\n"
        "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"tenant\":\"of-event\","
        "\"sender\":\"b+c@t.example\"}");
    assert_int_equal(t.observed_count, 3);
    assert_string_equal(t.tenants[0], "t");
    assert_string_equal(t.tenants[1], "of-topic");
    assert_string_equal(t.tenants[2], "of-event");
}

static void what_the_user_named_goes_before_the_event_and_the_rest_comes_behind(void **state)
{
    static const struct decode_names NAMES = {.tenant_from = "customer"};
    (void)state;
    t.source.names = &NAMES;
    t.source.tenant = SPAN("of-topic");
    t.source.sender_template = SPAN("b@{tenant}.example");
    take("{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"tenant\":\"own\","
         "\"customer\":\"named\"}\n"
         "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"tenant\":\"own\"}\n"
         "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"sender\":\"b@path."
         "example\"}\n"
         "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1}");
    assert_int_equal(t.observed_count, 4);
    assert_string_equal(t.tenants[0], "named");
    assert_string_equal(t.tenants[1], "own");
    assert_string_equal(t.tenants[2], "path");
    assert_string_equal(t.tenants[3], "of-topic");
}

static void rows_without_headings_are_read_by_the_columns_of_the_topic(void **state)
{
    (void)state;
    t.source.format = format_find(SPAN("powermta"));
    t.source.headings = SPAN("type,timeLogged,rcpt,dsnDiag");
    take("b,1795255212,a@x.example,smtp;550 5.1.1 no such user");
    assert_int_equal(t.dead_count, 0);
    assert_int_equal(t.observed_count, 1);
    assert_string_equal(t.recipients[0], "a@x.example");
}

static void wish_without_a_tenant_is_a_dead_letter_if_so_configured(void **state)
{
    static const char WISHES[] =
        "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1}\n"
        "{\"kind\":\"unsubscribe\",\"recipient\":\"a@x.example\",\"ts_ms\":1}\n"
        "{\"kind\":\"complaint\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"tenant\":\"b\"}\n"
        "{\"kind\":\"bounced\",\"recipient\":\"a@x.example\",\"ts_ms\":1,\"code\":550}";
    (void)state;
    take(WISHES);
    assert_int_equal(t.observed_count, 4);
    configure((struct intake_config){.wish_needs_tenant = true});
    take(WISHES);
    assert_int_equal(t.observed_count, 6);
    assert_int_equal(t.dead_count, 2);
    assert_non_null(strstr(t.reasons[1], "wish_without_tenant"));
}

static void recipient_is_the_one_that_was_sent_to_unless_configured(void **state)
{
    static const char LINE[] =
        "2026-11-21T10:00:00Z mx postfix/smtp[1]: 4X1: to=<b@x.example>, orig_to=<a@x.example>, "
        "relay=mx[192.0.2.1]:25, dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 no)";
    (void)state;
    t.source.format = format_find(SPAN("postfix"));
    take(LINE);
    configure((struct intake_config){.prefer_final = true});
    take(LINE);
    assert_int_equal(t.observed_count, 2);
    assert_string_equal(t.recipients[0], "a@x.example");
    assert_string_equal(t.recipients[1], "b@x.example");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_failure_is_routed_with_its_evidence),
        TEST(all_records_of_an_address_are_in_one_shard),
        TEST(what_does_not_matter_is_not_even_sent),
        TEST(what_cannot_be_taken_is_dead_lettered_with_its_reason),
        TEST(a_bad_line_is_dead_lettered_alone),
        TEST(operators_are_heard_where_they_may_speak),
        TEST(a_time_in_the_future_is_replaced_and_counted),
        TEST(names_of_the_topic_are_those_of_events_without),
        TEST(return_path_names_who_the_event_does_not),
        TEST(what_the_user_named_goes_before_the_event_and_the_rest_comes_behind),
        TEST(rows_without_headings_are_read_by_the_columns_of_the_topic),
        TEST(wish_without_a_tenant_is_a_dead_letter_if_so_configured),
        TEST(recipient_is_the_one_that_was_sent_to_unless_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

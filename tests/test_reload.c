/* tests/test_reload.c - rules of the user's are read anew while the process runs, or stay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <unistd.h>

#include "consumer/setup.h"

#include "tests/check.h"

static char path[] = "/tmp/suppressd-rules-XXXXXX";

static void write_rules(const char *rules)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(rules, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum category category_now(struct setup *setup)
{
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply.text = SPAN("qwertz");
    const enum category category = classify(published_hold(setup->rules, 0), &event).category;
    published_let_go(setup->rules, 0);
    return category;
}

static void create(struct config **config, struct setup **setup)
{
    char assignment[64];
    const char *assignments[] = {assignment};
    (void)snprintf(assignment, sizeof(assignment), "rules.files=%s", path);
    assert_int_equal(config_create((struct config_sources){.assignments = assignments,
                                                           .assignment_count = 1,
                                                           .without_kafka = true},
                                   config),
                     OK);
    assert_int_equal(setup_create(*config, setup), OK);
}

static void a_reload_takes_good_rules_and_leaves_the_old_ones_where_they_are_not(void **state)
{
    (void)state;
    struct config *config;
    struct setup *setup;
    write_rules("rules: [{id: my-own, pattern: qwertz, category: moved, examples: [qwertz]}]");
    create(&config, &setup);
    assert_int_equal(category_now(setup), CATEGORY_MOVED);
    const char *version = *setup->process.policy_version;

    write_rules("rules: [{id: my-own, pattern: qwertz, category: mooved, examples: [qwertz]}]");
    setup_reload(setup, config);
    assert_int_equal(category_now(setup), CATEGORY_MOVED);
    write_rules("rules: [");
    setup_reload(setup, config);
    assert_int_equal(category_now(setup), CATEGORY_MOVED);
    assert_ptr_equal(*setup->process.policy_version, version);

    write_rules("rules: [{id: my-own, pattern: qwertz, category: virus, examples: [qwertz]}]");
    setup_reload(setup, config);
    assert_int_equal(category_now(setup), CATEGORY_VIRUS);
    assert_string_not_equal(*setup->process.policy_version, version);

    assert_int_equal(unlink(path), 0);
    setup_reload(setup, config);
    assert_int_equal(category_now(setup), CATEGORY_VIRUS);
    setup_destroy(&setup);
    config_destroy(&config);
}

static int set_up(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reload_takes_good_rules_and_leaves_the_old_ones_where_they_are_not),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

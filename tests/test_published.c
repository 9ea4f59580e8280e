/* tests/test_published.c - rules are swapped under readers that go on with what they hold.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "classify/published.h"
#include "classify/rules.h"

#include "tests/check.h"

enum { READERS = 2, SWAPS = 200, BATCHES = 100 };

static struct ruleset *rules_named(const char *id)
{
    char text[256];
    struct rule_file file = {.is_shipped = true};
    struct ruleset *rules = NULL;
    (void)snprintf(text, sizeof(text),
                   "rules: [{id: %s, pattern: x, category: moved, examples: [x]}]", id);
    assert_int_equal(yaml_parse("t.yaml", span_of(text), &file.yaml), OK);
    assert_int_equal(rules_read(&file, 1, SPAN_NONE, &rules), OK);
    return rules;
}

static struct published_rules *published_named(const char *id)
{
    struct published_rules *published = NULL;
    assert_int_equal(published_create(rules_named(id), READERS, &published), OK);
    return published;
}

static const char *rule_by(struct classifier *classifier)
{
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply.text = SPAN("x");
    return classify(classifier, &event).rule;
}

static void a_reader_keeps_what_it_holds_until_it_holds_again(void **state)
{
    (void)state;
    struct published_rules *published = published_named("old");
    const size_t reader = published_join(published);
    struct classifier *held = published_hold(published, reader);
    assert_int_equal(published_swap(published, rules_named("new")), OK);
    assert_string_equal(rule_by(held), "old");
    assert_int_equal(published_reclaim(published), 1);
    held = published_hold(published, reader);
    assert_string_equal(rule_by(held), "new");
    assert_int_equal(published_reclaim(published), 0);
    published_let_go(published, reader);
    published_destroy(&published);
}

static void an_idle_reader_keeps_nothing(void **state)
{
    (void)state;
    struct published_rules *published = published_named("old");
    const size_t reader = published_join(published);
    (void)published_hold(published, reader);
    published_let_go(published, reader);
    assert_int_equal(published_swap(published, rules_named("new")), OK);
    assert_int_equal(published_reclaim(published), 0);
    published_destroy(&published);
}

static void each_reader_keeps_its_own(void **state)
{
    (void)state;
    struct published_rules *published = published_named("one");
    const size_t a = published_join(published);
    const size_t b = published_join(published);
    struct classifier *of_a = published_hold(published, a);
    assert_int_equal(published_swap(published, rules_named("two")), OK);
    struct classifier *of_b = published_hold(published, b);
    assert_int_equal(published_swap(published, rules_named("three")), OK);
    assert_int_equal(published_reclaim(published), 2);
    assert_string_equal(rule_by(of_a), "one");
    assert_string_equal(rule_by(of_b), "two");
    published_let_go(published, a);
    assert_int_equal(published_reclaim(published), 1);
    assert_string_equal(rule_by(of_b), "two");
    published_let_go(published, b);
    published_destroy(&published);
}

static void count_one(struct classifier *classifier)
{
    struct event event = event_init();
    event.kind = KIND_BOUNCED;
    event.reply.text = SPAN("x");
    const struct meaning meaning = classify(classifier, &event);
    classifier_count(classifier, &event, &meaning, 1);
}

/* Of all rules. */
static uint64_t hits(const struct tally *tally)
{
    uint64_t count = 0;
    for (size_t i = 0; i < tally->counters; i++) {
        count += tally->hits[i];
    }
    return count;
}

static void a_reader_that_is_asked_answers_with_what_it_has_counted(void **state)
{
    (void)state;
    struct published_rules *published = published_named("old");
    const size_t a = published_join(published);
    const size_t b = published_join(published);
    assert_int_equal(published_readers(published), 2);
    count_one(published_hold(published, a));
    published_let_go(published, a);
    published_ask(published);
    assert_null(published_tally(published, a));
    published_answer(published, a);
    assert_int_equal(hits(published_tally(published, a)), 1);
    assert_null(published_tally(published, b));
    count_one(published_hold(published, a));
    published_let_go(published, a);
    published_answer(published, a); /* nobody asked again */
    assert_int_equal(hits(published_tally(published, a)), 1);
    published_ask(published);
    published_answer(published, a);
    assert_int_equal(hits(published_tally(published, a)), 2);
    published_destroy(&published);
}

static void an_answer_about_replaced_rules_is_none(void **state)
{
    (void)state;
    struct published_rules *published = published_named("old");
    const size_t reader = published_join(published);
    count_one(published_hold(published, reader));
    published_let_go(published, reader);
    published_ask(published);
    published_answer(published, reader);
    assert_int_equal(published_swap(published, rules_named("new")), OK);
    assert_null(published_tally(published, reader));
    published_answer(published, reader);
    assert_int_equal(hits(published_tally(published, reader)), 0); /* counting begins anew */
    published_destroy(&published);
}

struct reading {
    struct published_rules *published;
    atomic_bool *stop;
    atomic_size_t batches;
    size_t wrong;
};

/* Within a batch the rules are the same ones, and whole. */
static void *read_in_batches(void *context)
{
    struct reading *reading = context;
    const size_t reader = published_join(reading->published);
    while (!*reading->stop) {
        struct classifier *held = published_hold(reading->published, reader);
        const char *first = rule_by(held);
        for (int i = 0; i < 20; i++) {
            const char *rule = rule_by(held);
            reading->wrong +=
                rule != first || (strcmp(rule, "odd") != 0 && strcmp(rule, "even") != 0);
        }
        reading->batches++;
        count_one(held);
        published_let_go(reading->published, reader);
        published_answer(reading->published, reader);
    }
    return NULL;
}

/* No more than was counted before, and read without a race (which the thread sanitizer sees). */
static void assert_answers(struct published_rules *published, struct reading *readings)
{
    for (size_t i = 0; i < published_readers(published); i++) {
        const struct tally *tally = published_tally(published, i);
        const size_t batches = readings[0].batches + readings[1].batches;
        assert_true(tally == NULL || hits(tally) <= batches);
    }
}

static void rules_are_swapped_while_others_read(void **state)
{
    (void)state;
    atomic_bool stop = false;
    pthread_t threads[READERS];
    struct reading readings[READERS];
    struct published_rules *published = published_named("even");
    for (size_t i = 0; i < READERS; i++) {
        readings[i] = (struct reading){.published = published, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, read_in_batches, &readings[i]), 0);
    }
    for (int i = 0; i < SWAPS || readings[0].batches < BATCHES || readings[1].batches < BATCHES;
         i++) {
        assert_answers(published, readings);
        assert_int_equal(published_swap(published, rules_named(i % 2 == 0 ? "odd" : "even")), OK);
    }
    stop = true;
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].wrong, 0);
    }
    assert_int_equal(published_reclaim(published), 0);
    published_destroy(&published);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_is_asked_answers_with_what_it_has_counted),
        cmocka_unit_test(an_answer_about_replaced_rules_is_none),
        cmocka_unit_test(a_reader_keeps_what_it_holds_until_it_holds_again),
        cmocka_unit_test(an_idle_reader_keeps_nothing),
        cmocka_unit_test(each_reader_keeps_its_own),
        cmocka_unit_test(rules_are_swapped_while_others_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

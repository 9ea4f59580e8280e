/* tests/test_cycle.c - the shard worker on a simulated Kafka with seeded faults: whatever is
 * aborted, in doubt, fenced, revoked or lost, the decisions are those of a run without faults, each
 * once and in order.
 *
 * TEST_SEED repeats a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/shard_worker.h"

#include "base/log.h"
#include "consumer/intake_worker.h"
#include "consumer/secret_file.h"
#include "consumer/worker.h"
#include "state/block.h"
#include "state/shard.h"

#include "tests/simulated_kafka.h"

enum {
    BLOCKS = 40,
    OBSERVATIONS = 12,
    SECRET_CHECK = 99,
    RUNS = 80,
    EVENTS_PER_RECORD = 3,
};

/* --- events, and what must come of them ------------------------------------------------------- */

static struct observation random_observation(struct chance *chance, int64_t now_ms)
{
    static const enum kind KINDS[] = {KIND_DELIVERED, KIND_BOUNCED,  KIND_DEFERRED, KIND_EXPIRED,
                                      KIND_COMPLAINT, KIND_SUPPRESS, KIND_RELEASE,  KIND_DELIVERED};
    static const enum category CATEGORIES[] = {CATEGORY_INVALID_RECIPIENT, CATEGORY_MAILBOX_FULL,
                                               CATEGORY_SOFT_OTHER, CATEGORY_INACTIVE_MAILBOX,
                                               CATEGORY_UNSUBSCRIBE};
    const uint64_t who = chance_below(chance, 15);
    struct observation o = {0};
    o.kind = KINDS[chance_below(chance, 8)];
    o.category = o.kind == KIND_DELIVERED ? CATEGORY_NONE : CATEGORIES[chance_below(chance, 4)];
    if (o.kind == KIND_RELEASE) {
        o.category = chance_below(chance, 2) == 0 ? CATEGORY_UNSUBSCRIBE : CATEGORY_COMPLAINT;
    }
    o.key = (struct key){who, who * 1000};
    o.ts_ms = now_ms;
    o.send.hash = chance_below(chance, 20);
    static char names[15][16];
    snprintf(names[who], sizeof(names[who]), "r%llu@example.com", (unsigned long long)who);
    o.recipient = o.kind == KIND_DELIVERED ? SPAN_NONE : span_of(names[who]);
    return o;
}

static void fill_events(struct broker *broker, struct chance *chance)
{
    char *memory = malloc(BLOCK_SIZE_MAX);
    int64_t now_ms = START_MS;
    for (int p = 0; p < PARTITIONS; p++) {
        for (int b = 0; b < BLOCKS; b++) {
            struct block_writer writer;
            block_begin(&writer, memory, SECRET_CHECK);
            for (int i = 0; i < OBSERVATIONS; i++) {
                now_ms += (int64_t)chance_below(chance, (uint64_t)DAY_MS / 2);
                struct observation o = random_observation(chance, now_ms);
                o.key.scope_hash += (uint64_t)p << 32;
                assert_true(block_add(&writer, &o));
            }
            log_append(&broker->events[p], SPAN("k"), block_end(&writer), false);
        }
    }
    free(memory);
}

struct expected {
    struct sim_log decisions;
    struct publisher publisher;
};

static void expect(void *context,
                   const struct record *record,
                   const struct decision *decision,
                   const struct observation *observation)
{
    struct expected *expected = context;
    char value[PUBLICATION_SIZE_MAX];
    struct writer w = writer_init(value, sizeof(value));
    publication_write_decision(&w, &expected->publisher, record, decision, observation);
    log_append(&expected->decisions, record_key_text(record), writer_span(&w), false);
}

/* The same blocks through plain shards, without any worker. */
static void decide_all(const struct broker *broker,
                       const struct policy_set *policies,
                       struct expected *expected)
{
    struct memory_budget budget = {0};
    const struct shard_world world = {.policies = policies,
                                      .budget = &budget,
                                      .secret_check = SECRET_CHECK,
                                      .shard_count = PARTITIONS};
    const struct decision_sink sink = {.context = expected, .decided = expect};
    for (int p = 0; p < PARTITIONS; p++) {
        struct shard *shard;
        assert_int_equal(shard_create(&world, &shard), OK);
        for (size_t b = 0; b < broker->events[p].count; b++) {
            const struct entry *entry = &broker->events[p].entries[b];
            struct block_reader block;
            struct observation o;
            assert_int_equal(
                block_open(&block, (struct span){entry->value, entry->value_size}, SECRET_CHECK),
                OK);
            while (block_next(&block, &o)) {
                assert_int_equal(shard_apply(shard, &o, &sink), OK);
            }
            shard_commit(shard, 0);
        }
        shard_destroy(&shard);
    }
}

/* Decisions that time alone made may come earlier than those of the key's next event, but say the
 * same but for the evidence; so what is compared is the id: hash of the key, and seq. */
static void assert_same_ids(const struct sim_log *expected, const struct sim_log *got)
{
    for (size_t i = 0; i < expected->count; i++) {
        size_t times = 0;
        const struct entry *e = &expected->entries[i];
        const size_t id_size = strlen("{\"v\":1,\"id\":\"") + 32 + 1 + 13;
        for (size_t j = 0; j < got->count; j++) {
            times += memcmp(e->value, got->entries[j].value, id_size) == 0;
        }
        if (times != 1) {
            print_error("decided %zu times: %.*s\n", times, (int)e->value_size, e->value);
        }
        assert_int_equal(times, 1);
    }
}

static int64_t seq_of(const struct entry *entry)
{
    const char *seq = memmem(entry->value, entry->value_size, "\"seq\":", 6);
    assert_non_null(seq);
    return strtoll(seq + 6, NULL, 10);
}

static void assert_in_order(const struct sim_log *got)
{
    for (size_t i = 0; i < got->count; i++) {
        for (size_t j = i + 1; j < got->count; j++) {
            /* the id's first part is the key: two shards hold recipients of one name */
            const size_t key_size = strlen("{\"v\":1,\"id\":\"") + 32;
            if (memcmp(got->entries[i].value, got->entries[j].value, key_size) == 0) {
                assert_true(seq_of(&got->entries[i]) < seq_of(&got->entries[j]));
                break;
            }
        }
    }
}

/* Reads the changelog as a new owner would. */
static void assert_changelog_is_whole(const struct broker *broker,
                                      const struct policy_set *policies)
{
    struct memory_budget budget = {0};
    const struct shard_world world = {.policies = policies,
                                      .budget = &budget,
                                      .secret_check = SECRET_CHECK,
                                      .shard_count = PARTITIONS};
    for (int p = 0; p < PARTITIONS; p++) {
        struct shard *shard;
        assert_int_equal(shard_create(&world, &shard), OK);
        for (size_t i = 0; i < broker->changelog[p].count; i++) {
            const struct entry *e = &broker->changelog[p].entries[i];
            const struct span value = {e->value, e->value_size};
            assert_int_equal(shard_restore(shard, (struct span){e->key, e->key_size},
                                           e->value == NULL ? SPAN_NONE : value),
                             OK);
        }
        assert_int_equal(shard_progress(shard)->next_offset, broker->committed[p]);
        shard_destroy(&shard);
    }
}

static void run_once(uint64_t seed,
                     unsigned faults_in_100,
                     size_t records_max,
                     struct broker *totals)
{
    struct broker broker = {
        .chance = {seed}, .faults_in_100 = faults_in_100, .records_max = records_max};
    struct policy_set *policies;
    struct memory_budget budget = {0};
    struct secret secret = {.check = SECRET_CHECK};
    static _Atomic(const char *) policy_version = "v";
    struct expected expected = {.decisions = log_new(), .publisher = {"default", "v", "test"}};
    assert_int_equal(policy_set_create(policy_preset(SPAN("default")), false, NULL, 0, &policies),
                     OK);
    for (int p = 0; p < PARTITIONS; p++) {
        broker.events[p] = log_new();
        broker.changelog[p] = log_new();
    }
    broker.suppressions = log_new();
    broker.decisions = log_new();
    fill_events(&broker, &broker.chance);
    decide_all(&broker, policies, &expected);

    const struct process process = {
        .policies = policies,
        .secret = &secret,
        .shard_count = PARTITIONS,
        .publisher = expected.publisher,
        .policy_version = &policy_version,
        .budget = &budget,
    };
    const struct worker_config config = {
        .io = {.worker = "shard-0", .transactional_id = "t"},
        .commit_interval_ms = 0,
        .open = sim_open,
        .pause = no_pause,
    };
    struct shard_role *role;
    the_broker = &broker;
    assert_int_equal(shard_role_create(&process, "events", &role), OK);
    struct worker *worker = worker_create(&config, shard_role_ops(), role);
    assert_int_equal(worker_run(worker, &broker.stop), OK);
    worker_destroy(&worker);
    shard_role_destroy(&role);
    assert_int_equal(budget.used, 0);

    assert_true(broker.decisions.count >= expected.decisions.count);
    assert_int_equal(broker.decisions.count, broker.suppressions.count);
    assert_same_ids(&expected.decisions, &broker.decisions);
    assert_in_order(&broker.decisions);
    assert_changelog_is_whole(&broker, policies);
    totals->aborted += broker.aborted;
    totals->doubts += broker.doubts;
    totals->revocations += broker.revocations;

    for (int p = 0; p < PARTITIONS; p++) {
        log_free(&broker.events[p]);
        log_free(&broker.changelog[p]);
    }
    log_free(&broker.suppressions);
    log_free(&broker.decisions);
    log_free(&expected.decisions);
    policy_set_destroy(&policies);
}

static void without_faults_every_decision_is_made_once(void **state)
{
    (void)state;
    struct chance chance = chance_init("cycle");
    struct broker totals = {0};
    run_once(chance_next(&chance), 0, 0, &totals);
    assert_int_equal(totals.aborted + totals.doubts + totals.revocations, 0);
}

static void aborts_doubts_and_revocations_change_no_decision(void **state)
{
    (void)state;
    struct chance chance = chance_init("faults");
    struct broker totals = {0};
    log_set_level(LOG_ERROR);
    for (int i = 0; i < RUNS; i++) {
        run_once(chance_next(&chance), 15, 0, &totals);
    }
    printf("%d runs: %u aborts, %u in doubt, %u revocations\n", RUNS, totals.aborted, totals.doubts,
           totals.revocations);
    assert_true(totals.aborted > RUNS / 4);
    assert_true(totals.doubts > RUNS / 4);
    assert_true(totals.revocations > RUNS / 4);
}

static void what_is_too_much_for_one_transaction_goes_in_several(void **state)
{
    (void)state;
    enum { RECORDS_MAX = 3 * OBSERVATIONS + 2 * PARTITIONS }; /* one block always passes */
    struct chance chance = chance_init("halves");
    struct broker totals = {0};
    log_set_level(LOG_ERROR);
    for (int i = 0; i < RUNS / 10; i++) {
        run_once(chance_next(&chance), 0, RECORDS_MAX, &totals);
    }
    assert_true(totals.aborted > RUNS / 10);
}

/* --- the intake --------------------------------------------------------------------------------- */

/* What a record of the input becomes, if its reply is that long, is larger than LARGE. */
enum { LARGE = 1000, LONG_REPLY = 400, LARGE_EVERY = 7 };

static bool is_large(int record)
{
    return record % LARGE_EVERY == LARGE_EVERY - 1;
}

static void fill_input(struct broker *broker)
{
    for (int p = 0; p < PARTITIONS; p++) {
        broker->events[p] = log_new();
        for (int r = 0; r < BLOCKS; r++) {
            char text[600 + EVENTS_PER_RECORD * LONG_REPLY];
            int size = 0;
            for (int e = 0; e < EVENTS_PER_RECORD; e++) {
                size +=
                    snprintf(text + size, sizeof(text) - (size_t)size,
                             "{\"kind\":\"bounced\",\"recipient\":\"r%d@x.example\",\"ts_ms\":%d,"
                             "\"code\":550,\"text\":\"%0*d\"}\n",
                             (r + e) % 7, r + 1, is_large(r) ? LONG_REPLY : 1, 0);
            }
            log_append(&broker->events[p], SPAN("k"), (struct span){text, (size_t)size}, false);
        }
    }
    for (int i = 0; i < INTAKE_SHARDS; i++) {
        broker->blocks[i] = log_new();
    }
    broker->dead_letters = log_new();
}

/* Every event of the input stands in the blocks once, those of one partition in their order. */
static void assert_taken_once(const struct broker *broker, uint64_t check)
{
    size_t count = 0;
    for (int i = 0; i < INTAKE_SHARDS; i++) {
        int64_t last[PARTITIONS] = {-1, -1, -1};
        for (size_t b = 0; b < broker->blocks[i].count; b++) {
            const struct entry *entry = &broker->blocks[i].entries[b];
            struct block_reader block;
            struct observation o;
            assert_int_equal(
                block_open(&block, (struct span){entry->value, entry->value_size}, check), OK);
            while (block_next(&block, &o)) {
                const int64_t place = o.evidence.offset * EVENTS_PER_RECORD + o.evidence.index;
                assert_true(place > last[o.evidence.partition]);
                last[o.evidence.partition] = place;
                count++;
            }
        }
    }
    assert_int_equal(count + broker->dead_letters.count * EVENTS_PER_RECORD,
                     PARTITIONS * BLOCKS * EVENTS_PER_RECORD);
}

/* The second that a small transaction waits for more is a million polls here. */
static bool never_wants_more(void *role)
{
    (void)role;
    return false;
}

static void run_intake_once(const struct broker *faults,
                            const struct process *process,
                            enum err expected,
                            struct broker *totals)
{
    struct broker broker = *faults;
    broker.is_of_intake = true;
    const struct worker_config config = {
        .io = {.worker = "intake-0", .transactional_id = "t"},
        .open = sim_open,
        .pause = no_pause,
    };
    struct intake_role *role;
    fill_input(&broker);
    the_broker = &broker;
    assert_int_equal(intake_role_create(process, &role), OK);
    struct role_ops hasty = *intake_role_ops();
    hasty.wants_more = never_wants_more;
    struct worker *worker = worker_create(&config, &hasty, role);
    published_ask(process->rules);
    assert_int_equal(worker_run(worker, &broker.stop), expected);
    if (expected == OK) {
        assert_taken_once(&broker, process->secret->check);
        assert_non_null(published_tally(process->rules, published_readers(process->rules) - 1));
    }
    worker_destroy(&worker);
    intake_role_destroy(&role);
    totals->aborted += broker.aborted;
    totals->doubts += broker.doubts;
    totals->dead_letters.count += broker.dead_letters.count;
    for (int p = 0; p < PARTITIONS; p++) {
        log_free(&broker.events[p]);
    }
    for (int i = 0; i < INTAKE_SHARDS; i++) {
        log_free(&broker.blocks[i]);
    }
    log_free(&broker.dead_letters);
}

/* --- each with a process of its own */

struct intake_world {
    struct secret secret;
    struct policy_set *policies;
    struct published_rules *published;
    struct input_topic input;
    struct process process;
};

static void intake_set_up(struct intake_world *world)
{
    log_set_level(LOG_ERROR);
    world->input = (struct input_topic){.name = "in", .format = format_find(SPAN("native"))};
    secret_fixed(&world->secret);
    struct ruleset *rules;
    assert_int_equal(ruleset_create(NULL, 0, &rules), OK);
    assert_int_equal(published_create(rules, RUNS, &world->published), OK);
    assert_int_equal(
        policy_set_create(policy_preset(SPAN("default")), false, NULL, 0, &world->policies), OK);
    world->process = (struct process){
        .rules = world->published,
        .policies = world->policies,
        .secret = &world->secret,
        .shard_count = INTAKE_SHARDS,
        .inputs = &world->input,
        .input_count = 1,
    };
}

static void intake_tear_down(struct intake_world *world)
{
    policy_set_destroy(&world->policies);
    published_destroy(&world->published);
}

static void the_intake_takes_every_event_once_whatever_fails(void **state)
{
    (void)state;
    struct chance chance = chance_init("intake");
    struct broker totals = {0};
    struct intake_world world;
    intake_set_up(&world);
    for (int i = 0; i < RUNS; i++) {
        const struct broker faults = {.chance = {chance_next(&chance)}, .faults_in_100 = 15};
        run_intake_once(&faults, &world.process, OK, &totals);
    }
    printf("%d runs: %u aborts, %u in doubt\n", RUNS, totals.aborted, totals.doubts);
    assert_true(totals.aborted > RUNS / 8);
    assert_true(totals.doubts > RUNS / 8);
    assert_int_equal(totals.dead_letters.count, 0);
    intake_tear_down(&world);
}

static void what_a_topic_refuses_for_good_is_a_dead_letter_and_nothing_else_is(void **state)
{
    (void)state;
    struct chance chance = chance_init("refused");
    struct broker totals = {0};
    struct intake_world world;
    intake_set_up(&world);
    for (int i = 0; i < RUNS / 8; i++) {
        const struct broker faults = {.chance = {chance_next(&chance)},
                                      .faults_in_100 = i % 2 == 0 ? 0 : 10,
                                      .size_max = LARGE,
                                      .takes_letters = true};
        run_intake_once(&faults, &world.process, OK, &totals);
    }
    const size_t large = (size_t)(BLOCKS / LARGE_EVERY) * PARTITIONS;
    assert_int_equal(totals.dead_letters.count, large * (RUNS / 8));
    intake_tear_down(&world);
}

static void the_process_ends_when_dead_letters_are_refused_or_nothing_is_allowed(void **state)
{
    (void)state;
    struct chance chance = chance_init("vain");
    struct broker totals = {0};
    struct intake_world world;
    intake_set_up(&world);
    const struct broker too_small = {.chance = {chance_next(&chance)}, .size_max = LARGE};
    run_intake_once(&too_small, &world.process, ERR_REFUSED, &totals);
    const struct broker forbidding = {.chance = {chance_next(&chance)}, .is_forbidding = true};
    const unsigned aborted = totals.aborted;
    run_intake_once(&forbidding, &world.process, ERR_REFUSED, &totals);
    assert_true(totals.aborted - aborted < 20);
    intake_tear_down(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_every_decision_is_made_once),
        cmocka_unit_test(aborts_doubts_and_revocations_change_no_decision),
        cmocka_unit_test(what_is_too_much_for_one_transaction_goes_in_several),
        cmocka_unit_test(the_intake_takes_every_event_once_whatever_fails),
        cmocka_unit_test(what_a_topic_refuses_for_good_is_a_dead_letter_and_nothing_else_is),
        cmocka_unit_test(the_process_ends_when_dead_letters_are_refused_or_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

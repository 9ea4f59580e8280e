/* tests/test_io_mock.c - what the io makes of errors, on the embedded cluster.
 *
 * The embedded cluster is no Kafka (it keeps no transaction), but it answers each request with the
 * error that it is told, and so shows what every error becomes: IO_OK, IO_ABORTED, IO_DOUBT,
 * IO_FATAL, and in bounded time. What is stored in the end is the business of tests/kafka/.
 *
 * Joining a group takes seconds there, so all members join side by side, before the tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consumer/kafka/embedded.h"
#include "consumer/kafka/feed.h"
#include "consumer/kafka/topics.h"
#include "tests/io_member.h"

/* Of the Kafka protocol. */
enum {
    API_PRODUCE = 0,
    API_HEARTBEAT = 12,
    API_INIT_PRODUCER_ID = 22,
    API_ADD_PARTITIONS = 24,
    API_ADD_OFFSETS = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,

    NO_ANSWER = -195, /* of the client: the connection is closed instead of an answer */
    MSG_SIZE_TOO_LARGE = 10,
    COORDINATOR_NOT_AVAILABLE = 15,
    ILLEGAL_GENERATION = 22,
    UNKNOWN_MEMBER_ID = 25,
    TOPIC_AUTHORIZATION_FAILED = 29,
    GROUP_AUTHORIZATION_FAILED = 30,
    POLICY_VIOLATION = 44,
    INVALID_PRODUCER_EPOCH = 47,
    INVALID_TXN_STATE = 48,
    INVALID_PRODUCER_ID_MAPPING = 49,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    UNKNOWN_PRODUCER_ID = 59,
    FENCED_INSTANCE_ID = 82,
    INVALID_RECORD = 87,
    PRODUCER_FENCED = 90,
};

enum { MEMBERS = 11, TRANSACTION_TIMEOUT_MS = 2000, INPUT_RECORDS = 100 };

static struct embedded *cluster;
static struct member members[MEMBERS];
static size_t members_used;
static struct io_message messages[MEMBER_BATCH];

static struct member *next_member(void)
{
    assert_true(members_used < MEMBERS);
    return &members[members_used++];
}

static int open_all(void **state)
{
    (void)state;
    static const struct embedded_topic TOPICS[] = {{"in", 1}, {"out", 2}};
    if (embedded_create(TOPICS, 2, &cluster) != OK) {
        return -1;
    }
    const struct io_property servers = {"bootstrap.servers", embedded_servers(cluster)};
    struct feeder *feeder = NULL;
    enum err err = feeder_open(&servers, 1, &feeder);
    for (int i = 0; i < INPUT_RECORDS && err == OK; i++) {
        err = feeder_send(feeder, "in", SPAN("key"), SPAN("value"));
    }
    if (err != OK || feeder_flush(feeder, 10000) != OK) {
        return -1;
    }
    feeder_close(&feeder);
    for (size_t i = 0; i < MEMBERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "mock-%zu", i);
        const struct member_options options = {
            .servers = servers.value,
            .group = name,
            .instance = name,
            .input = "in",
            .output = "out",
            .transaction_timeout_ms = TRANSACTION_TIMEOUT_MS,
        };
        members[i].holds_back = true;
        if (member_open(&members[i], &options) != OK) {
            return -1;
        }
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!member_wait_owned(&members[i], 1)) {
            return -1;
        }
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        member_close(&members[i]);
    }
    embedded_destroy(&cluster);
    return 0;
}

/* One record and one offset. In bounded time, whatever happens. */
static enum io_result commit_one(struct member *m)
{
    const struct io_record record = {
        .topic = 0, .partition = IO_KEY_ANY, .key = SPAN("k"), .value = SPAN("v")};
    const struct io_offset offset = {{0, 0}, 1};
    const int64_t before_ms = now_ms();
    const enum io_result result = m->io->ops->commit(m->io, &record, 1, &offset, 1);
    assert_true(now_ms() - before_ms < 4 * TRANSACTION_TIMEOUT_MS);
    return result;
}

static enum io_result commit_failing(struct member *m, int16_t api, int error, size_t count)
{
    embedded_fail(cluster, api, error, count);
    return commit_one(m);
}

static void error_before_commit_aborts_and_the_same_io_goes_on(void **state)
{
    (void)state;
    struct member *m = next_member();
    assert_int_equal(commit_one(m), IO_OK);
    static const struct {
        int16_t api;
        int error;
        enum io_cause cause;
    } CASES[] = {
        {API_PRODUCE, TOPIC_AUTHORIZATION_FAILED, IO_CAUSE_FORBIDDEN},
        {API_PRODUCE, MSG_SIZE_TOO_LARGE, IO_CAUSE_REFUSED},
        {API_PRODUCE, POLICY_VIOLATION, IO_CAUSE_REFUSED},
        {API_PRODUCE, INVALID_RECORD, IO_CAUSE_REFUSED},
        {API_PRODUCE, UNKNOWN_PRODUCER_ID, IO_CAUSE_PASSING},
        {API_ADD_PARTITIONS, TOPIC_AUTHORIZATION_FAILED, IO_CAUSE_FORBIDDEN},
        {API_ADD_OFFSETS, GROUP_AUTHORIZATION_FAILED, IO_CAUSE_FORBIDDEN},
        {API_TXN_OFFSET_COMMIT, GROUP_AUTHORIZATION_FAILED, IO_CAUSE_FORBIDDEN},
        {API_TXN_OFFSET_COMMIT, ILLEGAL_GENERATION, IO_CAUSE_PASSING},
        {API_TXN_OFFSET_COMMIT, UNKNOWN_MEMBER_ID, IO_CAUSE_PASSING},
        {API_TXN_OFFSET_COMMIT, FENCED_INSTANCE_ID, IO_CAUSE_PASSING},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        print_message("request %d answered with error %d\n", CASES[i].api, CASES[i].error);
        assert_int_equal(commit_failing(m, CASES[i].api, CASES[i].error, 1), IO_ABORTED);
        print_message("  %s\n", m->io->why);
        assert_int_equal(m->io->cause, CASES[i].cause);
        assert_true(m->io->why[0] != '\0');
        /* The client believes in "not allowed" until it has asked for the topic again. */
        const int64_t aborted_ms = now_ms();
        const int64_t deadline = aborted_ms + 10000;
        enum io_result result = commit_one(m);
        while (result == IO_ABORTED && now_ms() < deadline) {
            result = commit_one(m);
        }
        assert_int_equal(result, IO_OK);
        print_message("  good again after %lld ms\n", (long long)now_ms() - aborted_ms);
    }
}

static void passing_error_is_waited_out(void **state)
{
    (void)state;
    struct member *m = next_member();
    static const int16_t APIS[] = {API_ADD_PARTITIONS, API_ADD_OFFSETS, API_TXN_OFFSET_COMMIT,
                                   API_END_TXN};
    for (size_t i = 0; i < sizeof(APIS) / sizeof(APIS[0]); i++) {
        print_message("request %d\n", APIS[i]);
        assert_int_equal(commit_failing(m, APIS[i], COORDINATOR_NOT_AVAILABLE, 2), IO_OK);
    }
}

static void fenced_before_commit_is_fatal(void **state)
{
    (void)state;
    static const struct {
        int16_t api;
        int error;
    } CASES[] = {
        {API_ADD_PARTITIONS, INVALID_PRODUCER_EPOCH},
        {API_ADD_OFFSETS, INVALID_PRODUCER_EPOCH},
        {API_TXN_OFFSET_COMMIT, INVALID_PRODUCER_EPOCH},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct member *m = next_member();
        print_message("request %d answered with error %d\n", CASES[i].api, CASES[i].error);
        assert_int_equal(commit_failing(m, CASES[i].api, CASES[i].error, 1), IO_FATAL);
        /* A spent io stays spent, at once. */
        const int64_t before_ms = now_ms();
        assert_int_equal(commit_one(m), IO_FATAL);
        assert_true(now_ms() - before_ms < 1000);
    }
}

static void refused_commit_aborts(void **state)
{
    (void)state;
    struct member *m = next_member();
    assert_int_equal(commit_failing(m, API_END_TXN, UNKNOWN_PRODUCER_ID, 1), IO_ABORTED);
    assert_int_equal(commit_one(m), IO_OK);
    assert_int_equal(commit_failing(m, API_END_TXN, INVALID_PRODUCER_ID_MAPPING, 1), IO_ABORTED);
    assert_int_equal(commit_one(m), IO_OK);
}

static void fenced_in_commit_is_doubt(void **state)
{
    (void)state;
    assert_int_equal(commit_failing(next_member(), API_END_TXN, PRODUCER_FENCED, 1), IO_DOUBT);
    assert_int_equal(commit_failing(next_member(), API_END_TXN, INVALID_TXN_STATE, 1), IO_DOUBT);
}

/* The first commit may have reached the broker: what the second answer says of a refusal is no
 * proof.
 */
static void refusal_after_a_lost_answer_is_doubt(void **state)
{
    (void)state;
    embedded_fail(cluster, API_END_TXN, NO_ANSWER, 1);
    assert_int_equal(commit_failing(next_member(), API_END_TXN, UNKNOWN_PRODUCER_ID, 1), IO_DOUBT);
}

static void lost_answer_to_commit_makes_the_producer_anew(void **state)
{
    (void)state;
    struct member *m = next_member();
    assert_int_equal(commit_failing(m, API_END_TXN, NO_ANSWER, 1), IO_OK);
    assert_int_equal(
        commit_failing(m, API_INIT_PRODUCER_ID, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1),
        IO_FATAL); /* so it did ask for a new one */
}

static void commit_that_is_never_answered_is_doubt(void **state)
{
    (void)state;
    struct member *m = next_member();
    assert_int_equal(commit_failing(m, API_END_TXN, COORDINATOR_NOT_AVAILABLE, 64), IO_DOUBT);
}

static void offset_is_a_gate(void **state)
{
    (void)state;
    struct member *m = &members[0];
    const struct io_partition partition = {0, 0};
    static const int64_t STARTS[] = {50, 3, 99};
    for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++) {
        assert_int_equal(m->io->ops->start(m->io, partition, STARTS[i]), OK);
        const int count = m->io->ops->poll(m->io, messages, 10, 5000);
        assert_true(count > 0);
        for (int j = 0; j < count; j++) {
            assert_int_equal(messages[j].offset, STARTS[i] + j);
        }
        m->io->ops->release(m->io, messages, (size_t)count);
        assert_int_equal(m->io->ops->pause(m->io, partition), OK);
        assert_int_equal(m->io->ops->poll(m->io, messages, 10, 50), 0);
    }
}

static void fenced_consumer_ends_the_io(void **state)
{
    (void)state;
    struct member *m = &members[0];
    embedded_fail(cluster, API_HEARTBEAT, FENCED_INSTANCE_ID, MEMBERS);
    const int64_t deadline = now_ms() + 10000;
    int count = 0;
    while (count == 0 && now_ms() < deadline) {
        count = m->io->ops->poll(m->io, messages, 10, 100);
    }
    assert_int_equal(count, -1);
}

static void unknown_property_is_refused(void **state)
{
    (void)state;
    struct member m = {0};
    struct member_options options = {.servers = embedded_servers(cluster),
                                     .group = "g",
                                     .instance = "i",
                                     .input = "in",
                                     .output = "out",
                                     .property = {"no.such.property", "1"}};
    assert_int_equal(member_open(&m, &options), ERR_BAD_CONFIG);
    /* One for producers only and one for consumers only are no mistake: one map serves both. */
    struct topics *topics = NULL;
    const struct io_property both[] = {{"bootstrap.servers", embedded_servers(cluster)},
                                       {"fetch.min.bytes", "1"},
                                       {"linger.ms", "1"}};
    assert_int_equal(topics_open(both, 3, 5000, &topics), OK);
    int32_t partitions = 0;
    assert_int_equal(topics_partition_count(topics, "out", &partitions), OK);
    assert_int_equal(partitions, 2);
    topics_close(&topics);
}

static void *stop_soon(void *stop)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    nanosleep(&pause, NULL);
    atomic_store((atomic_bool *)stop, true);
    return NULL;
}

static void unreachable_brokers_are_said_and_waited_for_until_stopped(void **state)
{
    (void)state;
    const struct io_property nobody = {"bootstrap.servers", "127.0.0.1:1"};
    struct topics *topics = NULL;
    int64_t before_ms = now_ms();
    assert_int_equal(topics_open(&nobody, 1, 1000, &topics), ERR_TIMEOUT);
    assert_true(now_ms() - before_ms < 5000);

    static atomic_bool stop;
    static const char *const NAMES[] = {"in"};
    struct member m = {0};
    const struct io_config config = {.worker = "w",
                                     .group_id = "g",
                                     .group_instance_id = "i",
                                     .transactional_id = "t",
                                     .inputs = NAMES,
                                     .input_count = 1,
                                     .outputs = NAMES,
                                     .output_count = 1,
                                     .properties = &nobody,
                                     .property_count = 1};
    const struct io_handler handler = {&m, member_assigned, member_revoked};
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_soon, &stop), 0);
    before_ms = now_ms();
    assert_int_equal(io_kafka_open(&config, handler, &stop, &m.io), ERR_TIMEOUT);
    assert_true(now_ms() - before_ms < 6000);
    pthread_join(stopper, NULL);
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
    /* librdkafka starts its threads by thrd_create(), which gcc's thread sanitizer does not know:
     * it crashes at their first malloc(). */
    print_message("skipped: the thread sanitizer cannot follow librdkafka\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offset_is_a_gate),
        cmocka_unit_test(error_before_commit_aborts_and_the_same_io_goes_on),
        cmocka_unit_test(passing_error_is_waited_out),
        cmocka_unit_test(fenced_before_commit_is_fatal),
        cmocka_unit_test(refused_commit_aborts),
        cmocka_unit_test(fenced_in_commit_is_doubt),
        cmocka_unit_test(refusal_after_a_lost_answer_is_doubt),
        cmocka_unit_test(lost_answer_to_commit_makes_the_producer_anew),
        cmocka_unit_test(commit_that_is_never_answered_is_doubt),
        cmocka_unit_test(fenced_consumer_ends_the_io),
        cmocka_unit_test(unknown_property_is_refused),
        cmocka_unit_test(unreachable_brokers_are_said_and_waited_for_until_stopped),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

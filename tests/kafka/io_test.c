/* tests/kafka/io_test.c - the io and the topics on a real Apache Kafka.
 *
 *     io_test [PATTERN]                          the tests on the cluster at KAFKA_BOOTSTRAP
 *     io_test latency                            how long a transaction takes, one each 100 ms
 *     io_test rate                               how fast poll() hands out
 *     io_test copy IN OUT GROUP INSTANCE COUNT PACE_MS
 *                                                copies until COUNT records of IN are committed,
 * with a pause between transactions io_test zombie IN OUT GROUP INSTANCE       takes a batch, stops
 * itself with SIGSTOP, and once it is continued tries to commit; exit code 0 if nothing was
 * committed and the partitions are lost
 *
 * test_io.py starts the cluster and plays copy against zombie. Every test has topics, group and ids
 * of its own. rdkafka.h is here for a stranger: a producer that holds transactions open.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "consumer/kafka/feed.h"
#include "consumer/kafka/topics.h"
#include "tests/io_member.h"

static struct io_property servers[1];
static struct io_message messages[MEMBER_BATCH];

/* --- tools */

static void create_topic(const char *name, enum topic_role role, int32_t partitions)
{
    struct topics *topics = NULL;
    struct topic_creation outcome;
    const struct topic_plan plan = {name, role, partitions, 0};
    assert_int_equal(topics_open(servers, 1, 10000, &topics), OK);
    assert_int_equal(topics_create(topics, &plan, 1, &outcome), OK);
    assert_int_equal(outcome.outcome, TOPIC_CREATED);
    topics_close(&topics);
}

static void feed(const char *topic, int from, int count)
{
    struct feeder *feeder = NULL;
    assert_int_equal(feeder_open(servers, 1, &feeder), OK);
    for (int i = from; i < from + count; i++) {
        char text[16];
        const int size = snprintf(text, sizeof(text), "%d", i);
        const struct span number = {text, (size_t)size};
        assert_int_equal(feeder_send(feeder, topic, number, number), OK);
    }
    assert_int_equal(feeder_flush(feeder, 10000), OK);
    feeder_close(&feeder);
}

/* How often each number below `count` stands in the topic for a reader of committed data; `others`:
 * records that are no such number. */
static unsigned tally(const char *topic, unsigned *times, int count)
{
    struct follower *follower = NULL;
    struct followed record;
    unsigned others = 0;
    memset(times, 0, (size_t)count * sizeof(*times));
    assert_int_equal(follower_open(servers, 1, topic, 10000, &follower), OK);
    const int64_t deadline = now_ms() + 20000;
    while (!follower_is_ready(follower) && now_ms() < deadline) {
        while (follower_next(follower, 100, &record)) {
            char text[16] = "";
            memcpy(text, record.value.data, record.value.size < 15 ? record.value.size : 15);
            char *end = NULL;
            const long number = strtol(text, &end, 10);
            if (end != text && number >= 0 && number < count) {
                times[number]++;
            } else {
                others++;
            }
        }
    }
    assert_true(follower_is_ready(follower));
    follower_close(&follower);
    return others;
}

static void assert_each_once(const char *topic, int count)
{
    unsigned *times = calloc((size_t)count, sizeof(*times));
    assert_non_null(times);
    assert_int_equal(tally(topic, times, count), 0);
    for (int i = 0; i < count; i++) {
        if (times[i] != 1) {
            print_error("record %d stands %u times in %s\n", i, times[i], topic);
        }
        assert_int_equal(times[i], 1);
    }
    free(times);
}

/* One record of output 0 per message. */
static enum io_result copy_batch(struct member *m, const struct io_message *batch, int count)
{
    static struct io_record records[MEMBER_BATCH];
    struct io_offset offsets[MEMBER_PARTITIONS];
    for (int i = 0; i < count; i++) {
        records[i] = (struct io_record){
            .topic = 0, .partition = IO_KEY_ANY, .key = batch[i].key, .value = batch[i].value};
    }
    const size_t offset_count = member_offsets(m, offsets);
    return m->io->ops->commit(m->io, records, (size_t)count, offsets, offset_count);
}

static void pause_ms(int ms)
{
    const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

static int compare_i64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* --- the stranger */

static rd_kafka_t *stranger_open(const char *transactional_id)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", servers[0].value, reason, sizeof(reason));
    rd_kafka_conf_set(conf, "transactional.id", transactional_id, reason, sizeof(reason));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    assert_non_null(rk);
    assert_null(rd_kafka_init_transactions(rk, 20000));
    assert_null(rd_kafka_begin_transaction(rk));
    return rk;
}

static void stranger_produce(rd_kafka_t *rk, const char *topic, int count)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    char words[] = "stranger";
    for (int i = 0; i < count; i++) {
        assert_int_equal(rd_kafka_produce(handle, 0, RD_KAFKA_MSG_F_COPY, words, sizeof(words) - 1,
                                          words, 1, NULL),
                         0);
    }
    assert_int_equal(rd_kafka_flush(rk, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_destroy(handle);
}

/* Without being a member: the broker lets anybody commit who names no member. */
static void stranger_send_offset(rd_kafka_t *rk,
                                 const char *group,
                                 const char *topic,
                                 int64_t offset)
{
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    assert_null(rd_kafka_send_offsets_to_transaction(rk, list, metadata, 10000));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_group_metadata_destroy(metadata);
}

/* --- tests of the io */

static void every_record_is_copied_exactly_once(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    create_topic("once-in", TOPIC_DECISIONS, 3);
    create_topic("once-out", TOPIC_DECISIONS, 3);
    feed("once-in", 0, COUNT);
    struct member m = {0};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "once",
                                           .instance = "once-0",
                                           .input = "once-in",
                                           .output = "once-out"};
    const int64_t opened_ms = now_ms();
    assert_int_equal(member_open(&m, &options), OK);
    print_message("opened in %lld ms\n", (long long)(now_ms() - opened_ms));
    int64_t took_ms[1000];
    size_t commits = 0;
    for (int copied = 0; copied < COUNT;) {
        const int count = member_poll(&m, messages, 1000);
        assert_true(count >= 0);
        if (count > 0) {
            if (copied == 0) {
                print_message("first batch after %lld ms\n", (long long)(now_ms() - opened_ms));
            }
            const int64_t before_ms = now_ms();
            assert_int_equal(copy_batch(&m, messages, count), IO_OK);
            took_ms[commits++ % 1000] = now_ms() - before_ms;
            m.io->ops->release(m.io, messages, (size_t)count);
            copied += count;
        }
    }
    qsort(took_ms, commits, sizeof(took_ms[0]), compare_i64);
    print_message("%zu commits of up to %d records: median %lld ms, longest %lld ms\n", commits,
                  MEMBER_BATCH, (long long)took_ms[commits / 2], (long long)took_ms[commits - 1]);
    const int64_t closed_ms = now_ms();
    member_close(&m);
    print_message("closed in %lld ms\n", (long long)(now_ms() - closed_ms));
    assert_int_equal(m.revoked_count, 3);
    assert_int_equal(m.lost_count, 0);
    assert_each_once("once-out", COUNT);
}

static void start_offset_is_a_gate(void **state)
{
    (void)state;
    create_topic("gate-in", TOPIC_DECISIONS, 1);
    feed("gate-in", 0, 3000);
    struct member m = {.holds_back = true};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "gate",
                                           .instance = "gate-0",
                                           .input = "gate-in",
                                           .output = "gate-in"};
    assert_int_equal(member_open(&m, &options), OK);
    assert_true(member_wait_owned(&m, 1));
    const struct io_partition partition = {0, 0};
    assert_int_equal(m.io->ops->poll(m.io, messages, MEMBER_BATCH, 300), 0); /* not started */
    /* Forward, back, forward: each time the first message is the one that was asked for. */
    static const int64_t STARTS[] = {1500, 10, 2999, 0, 700, 701, 0};
    for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++) {
        assert_int_equal(m.io->ops->start(m.io, partition, STARTS[i]), OK);
        int64_t expected = STARTS[i];
        for (int got = 0; got < 500 && expected < 3000;) {
            const int count = m.io->ops->poll(m.io, messages, 100, 3000);
            assert_true(count > 0);
            for (int j = 0; j < count; j++) {
                assert_int_equal(messages[j].offset, expected++);
            }
            got += count;
            m.io->ops->release(m.io, messages, (size_t)count);
        }
        assert_int_equal(m.io->ops->pause(m.io, partition), OK);
        assert_int_equal(m.io->ops->poll(m.io, messages, MEMBER_BATCH, 50), 0);
    }
    member_close(&m);
}

static void aborted_transaction_leaves_nothing_and_the_batch_runs_again(void **state)
{
    (void)state;
    create_topic("abort-in", TOPIC_DECISIONS, 1);
    create_topic("abort-out", TOPIC_DECISIONS, 1);
    feed("abort-in", 0, 100);
    struct member m = {0};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "abort",
                                           .instance = "abort-0",
                                           .input = "abort-in",
                                           .output = "abort-out"};
    assert_int_equal(member_open(&m, &options), OK);
    int count = 0;
    while (count == 0) {
        count = member_poll(&m, messages, 1000);
    }
    assert_true(count > 0);
    /* The second record goes to a partition that is not there. */
    const struct io_offset offset = {{0, 0}, m.next[0]};
    const struct io_record records[] = {{.partition = 0, .value = SPAN("0")},
                                        {.partition = 99, .value = SPAN("1")}};
    assert_int_equal(m.io->ops->commit(m.io, records, 2, &offset, 1), IO_ABORTED);
    int64_t next = 0;
    assert_int_equal(m.io->ops->committed(m.io, offset.partition, &next, 5000), OK);
    assert_int_equal(next, -1);
    int copied = 0;
    while (copied < 100) {
        if (count > 0) {
            assert_int_equal(copy_batch(&m, messages, count), IO_OK);
            m.io->ops->release(m.io, messages, (size_t)count);
            copied += count;
        }
        count = copied < 100 ? member_poll(&m, messages, 1000) : 0;
        assert_true(count >= 0);
    }
    assert_int_equal(m.io->ops->committed(m.io, offset.partition, &next, 5000), OK);
    assert_int_equal(next, 100);
    member_close(&m);
    assert_each_once("abort-out", 100);
}

static void restart_under_the_same_ids_goes_on_where_it_was(void **state)
{
    (void)state;
    create_topic("again-in", TOPIC_DECISIONS, 2);
    create_topic("again-out", TOPIC_DECISIONS, 2);
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "again",
                                           .instance = "again-0",
                                           .input = "again-in",
                                           .output = "again-out"};
    for (int life = 0; life < 3; life++) {
        feed("again-in", life * 100, 100);
        struct member m = {0};
        assert_int_equal(member_open(&m, &options), OK);
        for (int copied = 0; copied < 100;) {
            const int count = member_poll(&m, messages, 1000);
            assert_true(count >= 0);
            if (count > 0) {
                assert_int_equal(copy_batch(&m, messages, count), IO_OK);
                m.io->ops->release(m.io, messages, (size_t)count);
                copied += count;
            }
        }
        member_close(&m);
    }
    assert_each_once("again-out", 300);
}

static void taken_transactional_id_is_fatal(void **state)
{
    (void)state;
    create_topic("fence-in", TOPIC_DECISIONS, 1);
    create_topic("fence-out", TOPIC_DECISIONS, 1);
    feed("fence-in", 0, 10);
    struct member m = {0};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "fence",
                                           .instance = "fence-0",
                                           .input = "fence-in",
                                           .output = "fence-out"};
    assert_int_equal(member_open(&m, &options), OK);
    assert_true(member_wait_owned(&m, 1));
    rd_kafka_t *thief = stranger_open("fence-0");
    const struct io_offset offset = {{0, 0}, 5};
    const struct io_record record = {.partition = 0, .value = SPAN("0")};
    assert_int_equal(m.io->ops->commit(m.io, &record, 1, &offset, 1), IO_FATAL);
    rd_kafka_destroy(thief);
    member_close(&m);
    unsigned times[1];
    tally("fence-out", times, 1);
    assert_int_equal(times[0], 0);
}

static void pending_offset_is_not_yet_committed(void **state)
{
    (void)state;
    create_topic("pending-in", TOPIC_DECISIONS, 1);
    struct member m = {.holds_back = true};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "pending",
                                           .instance = "pending-0",
                                           .input = "pending-in",
                                           .output = "pending-in"};
    assert_int_equal(member_open(&m, &options), OK);
    assert_true(member_wait_owned(&m, 1));
    const struct io_partition partition = {0, 0};
    int64_t next = -7;
    assert_int_equal(m.io->ops->committed(m.io, partition, &next, 5000), OK);
    assert_int_equal(next, -1);
    rd_kafka_t *stranger = stranger_open("pending-stranger");
    stranger_send_offset(stranger, "pending", "pending-in", 42);
    next = -7;
    assert_int_equal(m.io->ops->committed(m.io, partition, &next, 500), ERR_TIMEOUT);
    assert_int_equal(next, -7);
    assert_null(rd_kafka_commit_transaction(stranger, 10000));
    assert_int_equal(m.io->ops->committed(m.io, partition, &next, 5000), OK);
    assert_int_equal(next, 42);
    rd_kafka_destroy(stranger);
    member_close(&m);
}

/* Reads on until the position is `end` or 5 s are over; the number of messages. */
static size_t read_log(struct member *m, int64_t end, int64_t *position)
{
    size_t total = 0;
    const int64_t deadline = now_ms() + 5000;
    *position = 0;
    while (*position < end && now_ms() < deadline) {
        size_t count = 0;
        assert_int_equal(m->io->ops->log_read(m->io, messages, MEMBER_BATCH, 50, &count, position),
                         OK);
        m->io->ops->release(m->io, messages, count);
        total += count;
    }
    return total;
}

static void log_ends_at_the_high_watermark_and_reading_passes_what_is_not_data(void **state)
{
    (void)state;
    create_topic("log-in", TOPIC_DECISIONS, 1);
    create_topic("log-out", TOPIC_CHANGELOG, 1);
    feed("log-in", 0, 10);
    struct member m = {0};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "log",
                                           .instance = "log-0",
                                           .input = "log-in",
                                           .output = "log-out"};
    assert_int_equal(member_open(&m, &options), OK);
    assert_true(member_wait_owned(&m, 1));
    const struct io_partition log = {0, 0};
    const struct io_offset offset = {{0, 0}, 5};
    const struct io_header header = {"why", SPAN("test")};
    const struct io_record records[] = {{.partition = 0, .key = SPAN("a"), .value = SPAN("1")},
                                        {.partition = 0,
                                         .key = SPAN("b"),
                                         .is_tombstone = true,
                                         .headers = &header,
                                         .header_count = 1},
                                        {.partition = 0, .key = SPAN("c"), .value = SPAN("")}};
    assert_int_equal(m.io->ops->commit(m.io, records, 3, &offset, 1), IO_OK);

    int64_t begin = -1;
    int64_t end = -1;
    /* Three records and a marker; the marker is written after commit() has returned. */
    const int64_t deadline = now_ms() + 5000;
    while (end != 4 && now_ms() < deadline) {
        assert_int_equal(m.io->ops->output_range(m.io, log, &begin, &end, 5000), OK);
        assert_true(end >= 3);
    }
    assert_int_equal(begin, 0);
    assert_int_equal(end, 4);

    /* A stranger's open transaction: the high watermark counts it, a reader waits for it. */
    rd_kafka_t *stranger = stranger_open("log-stranger");
    stranger_produce(stranger, "log-out", 10);
    assert_int_equal(m.io->ops->output_range(m.io, log, &begin, &end, 5000), OK);
    assert_int_equal(end, 14);
    assert_int_equal(m.io->ops->log_open(m.io, log, 0), OK);
    size_t count = 0;
    int64_t position = 0;
    for (size_t total = 0; total < 3; total += count) {
        assert_int_equal(m.io->ops->log_read(m.io, messages, 10, 2000, &count, &position), OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(messages[i].is_tombstone, messages[i].offset == 1);
            assert_int_equal(messages[i].value.size, messages[i].offset == 0 ? 1 : 0);
        }
        m.io->ops->release(m.io, messages, count);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(m.io->ops->log_read(m.io, messages, 10, 50, &count, &position), OK);
        assert_int_equal(count, 0);
        assert_true(position <= 4);
    }
    assert_null(rd_kafka_abort_transaction(stranger, 10000));
    assert_int_equal(read_log(&m, 15, &position), 0);
    assert_int_equal(position, 15);

    /* Anew from the middle: what was read before does not come again. */
    assert_int_equal(m.io->ops->log_open(m.io, log, 2), OK);
    assert_int_equal(read_log(&m, 15, &position), 1);
    assert_int_equal(position, 15);
    m.io->ops->log_close(m.io);
    /* Behind the end is an error, not silence. */
    assert_int_equal(m.io->ops->log_open(m.io, log, 1000), OK);
    enum err err = OK;
    for (int i = 0; i < 50 && err == OK; i++) {
        err = m.io->ops->log_read(m.io, messages, 10, 100, &count, &position);
    }
    assert_int_equal(err, ERR_NOT_FOUND);
    rd_kafka_destroy(stranger);
    member_close(&m);
}

static void second_member_takes_its_share_after_the_first_has_committed(void **state)
{
    (void)state;
    create_topic("share-in", TOPIC_DECISIONS, 4);
    create_topic("share-out", TOPIC_DECISIONS, 1);
    feed("share-in", 0, 400);
    struct member_options options = {.servers = servers[0].value,
                                     .group = "share",
                                     .instance = "share-0",
                                     .input = "share-in",
                                     .output = "share-out"};
    struct member a = {.commits_when_revoked = true, .revoke_result = IO_DOUBT};
    struct member b = {0};
    assert_int_equal(member_open(&a, &options), OK);
    assert_true(member_wait_owned(&a, 4));
    for (int read = 0; read < 400;) {
        const int count = member_poll(&a, messages, 1000);
        assert_true(count >= 0);
        a.io->ops->release(a.io, messages, (size_t)count);
        read += count;
    }
    options.instance = "share-1";
    assert_int_equal(member_open(&b, &options), OK);
    const int64_t deadline = now_ms() + 20000;
    while ((member_owned(&a) != 2 || member_owned(&b) != 2) && now_ms() < deadline) {
        struct member *both[] = {&a, &b};
        for (int i = 0; i < 2; i++) {
            const int count = member_poll(both[i], messages, 20);
            assert_true(count >= 0);
            /* What a has processed it committed in revoked(): b never sees it. */
            assert_int_equal(count, 0);
        }
    }
    assert_int_equal(member_owned(&a), 2);
    assert_int_equal(member_owned(&b), 2);
    assert_int_equal(a.revoke_result, IO_OK);
    assert_int_equal(a.revoked_count, 2);
    assert_int_equal(a.lost_count, 0);
    /* close() lets the handler commit, too. */
    a.revoke_result = IO_DOUBT;
    member_close(&a);
    assert_int_equal(a.revoke_result, IO_OK);
    assert_int_equal(a.lost_count, 0);
    member_close(&b);
}

static void purge_deletes_what_lies_below(void **state)
{
    (void)state;
    create_topic("purge-in", TOPIC_EVENTS, 1);
    feed("purge-in", 0, 100);
    struct member m = {.holds_back = true};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "purge",
                                           .instance = "purge-0",
                                           .input = "purge-in",
                                           .output = "purge-in"};
    assert_int_equal(member_open(&m, &options), OK);
    assert_true(member_wait_owned(&m, 1));
    const struct io_partition partition = {0, 0};
    m.io->ops->purge(m.io, partition, 60);
    int64_t begin = 0;
    int64_t end = 0;
    const int64_t deadline = now_ms() + 10000;
    while (begin != 60 && now_ms() < deadline) {
        assert_int_equal(m.io->ops->poll(m.io, messages, MEMBER_BATCH, 20), 0);
        assert_int_equal(m.io->ops->input_range(m.io, partition, &begin, &end, 5000), OK);
    }
    assert_int_equal(begin, 60);
    assert_int_equal(end, 100);
    /* To start where nothing is any more ends the io: the range must be looked at again. */
    assert_int_equal(m.io->ops->start(m.io, partition, 10), OK);
    int count = 0;
    while (count == 0 && now_ms() < deadline + 10000) {
        count = m.io->ops->poll(m.io, messages, MEMBER_BATCH, 100);
    }
    assert_int_equal(count, -1);
    member_close(&m);
}

/* --- tests of the topics */

static const struct topic_violation *find(const struct topics_report *report,
                                          const char *topic,
                                          const char *setting)
{
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->items[i].topic, topic) == 0 &&
            strcmp(report->items[i].setting, setting) == 0) {
            return &report->items[i];
        }
    }
    return NULL;
}

static void created_topics_are_as_they_must_be(void **state)
{
    (void)state;
    static struct topics_report report;
    static const struct topic_plan PLANS[] = {{"good-events", TOPIC_EVENTS, 4, 1},
                                              {"good-changelog", TOPIC_CHANGELOG, 4, 1},
                                              {"good-out", TOPIC_SUPPRESSIONS, 2, 1},
                                              {"good-decisions", TOPIC_DECISIONS, 2, 1},
                                              {"good-dead", TOPIC_DEAD_LETTERS, 1, 1}};
    struct topic_creation outcomes[5];
    struct topics *topics = NULL;
    assert_int_equal(topics_open(servers, 1, 10000, &topics), OK);
    assert_int_equal(topics_verify(topics, PLANS, 5, &report), OK);
    assert_int_equal(report.fatal_count, 5); /* none is there */
    assert_string_equal(report.items[0].command, "suppressd topics --create");
    assert_int_equal(topics_create(topics, PLANS, 5, outcomes), OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(outcomes[i].outcome, TOPIC_CREATED);
    }
    assert_int_equal(topics_create(topics, PLANS, 5, outcomes), OK);
    assert_int_equal(outcomes[4].outcome, TOPIC_WAS_THERE);
    assert_int_equal(topics_verify(topics, PLANS, 5, &report), OK);
    assert_int_equal(report.count, 0);
    int32_t partitions = 0;
    assert_int_equal(topics_partition_count(topics, "good-events", &partitions), OK);
    assert_int_equal(partitions, 4);
    assert_int_equal(topics_partition_count(topics, "no-such", &partitions), ERR_NOT_FOUND);
    assert_true(strlen(topics_cluster_id(topics)) > 10);
    topics_close(&topics);
}

static void wrong_topics_are_named_with_the_command_that_mends_them(void **state)
{
    (void)state;
    static struct topics_report report;
    create_topic("bad-events", TOPIC_DECISIONS, 4);    /* deleted by time */
    create_topic("bad-changelog", TOPIC_DECISIONS, 3); /* the same, and too few */
    create_topic("bad-out", TOPIC_EVENTS, 1);          /* not compacted */
    static const struct topic_plan PLANS[] = {{"bad-input", TOPIC_INPUT, 0, 0},
                                              {"bad-events", TOPIC_EVENTS, 0, 0},
                                              {"bad-changelog", TOPIC_CHANGELOG, 0, 3},
                                              {"bad-out", TOPIC_SUPPRESSIONS, 0, 0}};
    struct topics *topics = NULL;
    assert_int_equal(topics_open(servers, 1, 10000, &topics), OK);
    assert_int_equal(topics_verify(topics, PLANS, 4, &report), OK);
    topics_close(&topics);

    const struct topic_violation *v = find(&report, "bad-events", "retention.ms");
    assert_non_null(v);
    assert_true(v->is_fatal);
    assert_string_equal(v->is, "7776000000");
    assert_string_equal(v->must_be, "-1");
    char command[1024];
    snprintf(command, sizeof(command),
             "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name "
             "bad-events --add-config retention.ms=-1",
             servers[0].value);
    assert_string_equal(v->command, command);
    v = find(&report, "bad-changelog", "cleanup.policy");
    assert_true(v != NULL && v->is_fatal);
    v = find(&report, "bad-changelog", "partitions");
    assert_true(v != NULL && v->is_fatal);
    assert_string_equal(v->must_be, "4");
    v = find(&report, "bad-changelog", "delete.retention.ms");
    assert_true(v != NULL && !v->is_fatal);
    assert_string_equal(v->must_be, "at least 604800000");
    v = find(&report, "bad-changelog", "replication.factor");
    assert_true(v != NULL && !v->is_fatal);
    v = find(&report, "bad-out", "cleanup.policy");
    assert_true(v != NULL && v->is_fatal);
    v = find(&report, "bad-input", "exists");
    assert_true(v != NULL && !v->is_fatal);
    assert_string_equal(v->command, "");
}

/* --- the small worker */

/* What the group has committed of the partitions that are ours; -1: it cannot be asked now. */
static int64_t committed_sum(struct member *m)
{
    int64_t sum = 0;
    for (int32_t p = 0; p < MEMBER_PARTITIONS; p++) {
        int64_t next = 0;
        if (m->owns[p] &&
            m->io->ops->committed(m->io, (struct io_partition){0, p}, &next, 2000) != OK) {
            return -1;
        }
        sum += next < 0 ? 0 : next;
    }
    return sum;
}

/* As a worker does it: an aborted batch runs again, a spent io is closed. */
static bool copy_some(struct member *m, int pace_ms)
{
    const int count = member_poll(m, messages, 200);
    if (count <= 0) {
        return count == 0;
    }
    enum io_result result = copy_batch(m, messages, count);
    for (int i = 0; i < 10 && result == IO_ABORTED; i++) {
        pause_ms(100);
        result = copy_batch(m, messages, count);
    }
    m->io->ops->release(m->io, messages, (size_t)count);
    pause_ms(pace_ms);
    return result == IO_OK;
}

static int copy(char **names, int64_t goal, int pace)
{
    const struct member_options options = {.servers = servers[0].value,
                                           .group = names[2],
                                           .instance = names[3],
                                           .input = names[0],
                                           .output = names[1]};
    const int64_t deadline = now_ms() + 100000;
    for (int lives = 1; now_ms() < deadline; lives++) {
        struct member m = {0};
        if (member_open(&m, &options) != OK) {
            return 1;
        }
        int64_t sum = 0;
        while (sum < goal && copy_some(&m, pace) && now_ms() < deadline) {
            sum = committed_sum(&m);
        }
        member_close(&m);
        if (sum >= goal) {
            log_info("copied in %d lives", lives);
            return 0;
        }
    }
    return 1;
}

static int zombie(const char *input, const char *output, const char *group, const char *instance)
{
    struct member m = {0};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = group,
                                           .instance = instance,
                                           .input = input,
                                           .output = output};
    if (member_open(&m, &options) != OK) {
        return 1;
    }
    int count = 0;
    while (count == 0) {
        count = member_poll(&m, messages, 200);
    }
    const size_t owned = member_owned(&m);
    raise(SIGSTOP);
    const enum io_result result = count < 0 ? IO_OK : copy_batch(&m, messages, count);
    m.io->ops->release(m.io, messages, (size_t)count);
    log_info("zombie: commit said %d", (int)result);
    const int64_t deadline = now_ms() + 20000;
    while (m.lost_count < owned && now_ms() < deadline) {
        count = m.io->ops->poll(m.io, messages, MEMBER_BATCH, 100);
        if (count < 0) {
            break; /* or its consumer is spent */
        }
        m.io->ops->release(m.io, messages, (size_t)count);
    }
    log_info("zombie: %u of %zu partitions lost", m.lost_count, owned);
    const bool is_right = result != IO_OK && (m.lost_count == owned || count < 0);
    member_close(&m);
    return is_right ? 0 : 1;
}

/* --- figures */

static void measure(struct member *m, size_t record_count)
{
    enum { ROUNDS = 100, PACE_MS = 100, RECORDS_MAX = 10000, RECORD_SIZE = 100 };
    static struct io_record records[RECORDS_MAX];
    static char value[RECORD_SIZE];
    int64_t took_us[ROUNDS];
    for (size_t i = 0; i < record_count; i++) {
        records[i] = (struct io_record){.partition = 0, .value = {value, sizeof(value)}};
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec before;
        struct timespec after;
        const struct io_offset offset = {{0, 0}, round + 1};
        /* poll() waits; there is nothing to read. */
        assert_int_equal(m->io->ops->poll(m->io, messages, 1, PACE_MS), 0);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(m->io->ops->commit(m->io, records, record_count, &offset, 1), IO_OK);
        clock_gettime(CLOCK_MONOTONIC, &after);
        took_us[round] =
            (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    }
    const size_t half = ROUNDS / 2;
    const size_t most = (size_t)ROUNDS * 9 / 10;
    qsort(took_us, ROUNDS, sizeof(took_us[0]), compare_i64);
    print_message("%6zu records: median %.1f ms, p90 %.1f ms, longest %.1f ms\n", record_count,
                  (double)took_us[half] / 1000, (double)took_us[most] / 1000,
                  (double)took_us[ROUNDS - 1] / 1000);
}

static void latency(void **state)
{
    (void)state;
    create_topic("latency-in", TOPIC_DECISIONS, 1);
    create_topic("latency-out", TOPIC_DECISIONS, 1);
    struct member m = {.holds_back = true};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "latency",
                                           .instance = "latency-0",
                                           .input = "latency-in",
                                           .output = "latency-out"};
    assert_int_equal(member_open(&m, &options), OK);
    assert_true(member_wait_owned(&m, 1));
    static const size_t counts[] = {1, 1000, 10000, 0, 1};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        measure(&m, counts[i]);
    }
    member_close(&m);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void rate(void **state)
{
    (void)state;
    enum { RECORDS = 1000000, RECORD_SIZE = 420 };
    static char value[RECORD_SIZE];
    create_topic("rate-in", TOPIC_DECISIONS, 1);
    struct feeder *feeder = NULL;
    assert_int_equal(feeder_open(servers, 1, &feeder), OK);
    for (int i = 0; i < RECORDS; i++) {
        snprintf(value, sizeof(value), "%0400lld", i * 7919LL);
        assert_int_equal(
            feeder_send(feeder, "rate-in", SPAN_NONE, (struct span){value, sizeof(value)}), OK);
    }
    assert_int_equal(feeder_flush(feeder, 60000), OK);
    feeder_close(&feeder);
    struct member m = {0};
    const struct member_options options = {.servers = servers[0].value,
                                           .group = "rate",
                                           .instance = "rate-0",
                                           .input = "rate-in",
                                           .output = "rate-in"};
    assert_int_equal(member_open(&m, &options), OK);
    double wall = 0;
    double thread = 0;
    double process = 0;
    for (int read = 0; read < RECORDS;) {
        const int count = member_poll(&m, messages, 1000);
        assert_true(count >= 0);
        m.io->ops->release(m.io, messages, (size_t)count);
        if (read == 0 && count > 0) {
            wall = seconds(CLOCK_MONOTONIC);
            thread = seconds(CLOCK_THREAD_CPUTIME_ID);
            process = seconds(CLOCK_PROCESS_CPUTIME_ID);
        }
        read += count;
    }
    print_message("%.2f M records/s; %.0f ns of this thread, %.0f ns of the process a record\n",
                  RECORDS / (seconds(CLOCK_MONOTONIC) - wall) / 1e6,
                  (seconds(CLOCK_THREAD_CPUTIME_ID) - thread) / RECORDS * 1e9,
                  (seconds(CLOCK_PROCESS_CPUTIME_ID) - process) / RECORDS * 1e9);
    member_close(&m);
}

int main(int argc, char **argv)
{
    servers[0] = (struct io_property){"bootstrap.servers", getenv("KAFKA_BOOTSTRAP")};
    if (servers[0].value == NULL) {
        log_error("KAFKA_BOOTSTRAP is not set: run this by test_io.py");
        return 1;
    }
    if (argc == 8 && strcmp(argv[1], "copy") == 0) {
        return copy(&argv[2], strtol(argv[6], NULL, 10), (int)strtol(argv[7], NULL, 10));
    }
    if (argc == 6 && strcmp(argv[1], "zombie") == 0) {
        return zombie(argv[2], argv[3], argv[4], argv[5]);
    }
    if (argc == 2 && strcmp(argv[1], "latency") == 0) {
        const struct CMUnitTest figures[] = {cmocka_unit_test(latency)};
        return cmocka_run_group_tests(figures, NULL, NULL);
    }
    if (argc == 2 && strcmp(argv[1], "rate") == 0) {
        const struct CMUnitTest figures[] = {cmocka_unit_test(rate)};
        return cmocka_run_group_tests(figures, NULL, NULL);
    }
    cmocka_set_test_filter(argc == 2 ? argv[1] : NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_is_copied_exactly_once),
        cmocka_unit_test(start_offset_is_a_gate),
        cmocka_unit_test(aborted_transaction_leaves_nothing_and_the_batch_runs_again),
        cmocka_unit_test(restart_under_the_same_ids_goes_on_where_it_was),
        cmocka_unit_test(taken_transactional_id_is_fatal),
        cmocka_unit_test(pending_offset_is_not_yet_committed),
        cmocka_unit_test(log_ends_at_the_high_watermark_and_reading_passes_what_is_not_data),
        cmocka_unit_test(second_member_takes_its_share_after_the_first_has_committed),
        cmocka_unit_test(purge_deletes_what_lies_below),
        cmocka_unit_test(created_topics_are_as_they_must_be),
        cmocka_unit_test(wrong_topics_are_named_with_the_command_that_mends_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* bench/latency.c - see latency.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/latency.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka/feed.h"

enum {
    TICK_MS = 2,
    STOCK = 65536,        /* records that are written beforehand and sent round and round */
    PROBE_EVERY_MAX = 64, /* a probe among so many events */
    PROBE_EVERY_MIN = 4,
    PROBES_PER_SECOND = 250, /* wanted, where the rate allows it */
    READY_TIMEOUT_MS = 20000,
    FLUSH_TIMEOUT_MS = 20000,
    FOLLOW_MS = 100,
    SILENCE_MAX_MS = 20000,
};

struct sending {
    const struct latency_plan *plan;
    const char *topic;
    struct feeder *feeder;
    char *stock;
    struct span records[STOCK];
    int64_t begin_ns;
    int64_t end_ns;
    uint64_t events;
    uint64_t probe_every;
    uint64_t probes;
    enum err result;
};

static int64_t due_ns(const struct sending *sending, uint64_t event)
{
    return sending->begin_ns + (int64_t)((double)event * 1e9 / (double)sending->plan->rate);
}

static uint64_t event_of_probe(const struct sending *sending, uint64_t probe)
{
    return probe * sending->probe_every;
}

static enum err send_one(struct sending *sending, uint64_t event)
{
    char memory[MAIL_SIZE_MAX];
    const struct span record =
        event % sending->probe_every == 0
            ? mail_probe(sending->plan->mail, event / sending->probe_every, bench_wall_ms(), memory)
            : sending->records[event % STOCK];
    return feeder_send(sending->feeder, sending->topic, SPAN_NONE, record);
}

static void *send_all(void *context)
{
    struct sending *sending = context;
    enum err err = OK;
    for (uint64_t i = 0; i < sending->events && err == OK; i++) {
        while (bench_mono_ns() < due_ns(sending, i)) {
            bench_sleep_ms(TICK_MS);
        }
        err = send_one(sending, i);
    }
    sending->end_ns = bench_mono_ns();
    sending->result = err == OK ? feeder_flush(sending->feeder, FLUSH_TIMEOUT_MS) : err;
    return NULL;
}

static void fill_stock(struct sending *sending)
{
    char memory[MAIL_SIZE_MAX];
    size_t used = 0;
    sending->stock = malloc((size_t)STOCK * MAIL_SIZE_MAX);
    CHECK(sending->stock != NULL);
    for (uint64_t i = 0; i < STOCK; i++) {
        const struct span record = mail_event(sending->plan->mail, i, memory);
        memcpy(sending->stock + used, record.data, record.size);
        sending->records[i] = (struct span){sending->stock + used, record.size};
        used += record.size;
    }
}

static void plan_probes(struct sending *sending)
{
    const struct latency_plan *plan = sending->plan;
    const uint64_t every = (uint64_t)plan->rate / PROBES_PER_SECOND;
    sending->probe_every = every < PROBE_EVERY_MIN   ? PROBE_EVERY_MIN
                           : every > PROBE_EVERY_MAX ? PROBE_EVERY_MAX
                                                     : every;
    sending->events = (uint64_t)(plan->rate * (plan->warm_up_seconds + plan->seconds));
    sending->probes = (sending->events + sending->probe_every - 1) / sending->probe_every;
}

/* --- the follower */

struct following {
    struct follower *follower;
    bool *was_seen; /* by probe */
    uint64_t seen;
    uint64_t first_counted; /* probes below it are of the warm-up */
};

static void take(struct following *following,
                 const struct sending *sending,
                 struct span key,
                 struct latency *out)
{
    uint64_t probe;
    if (!mail_is_probe(key, &probe) || probe >= sending->probes || following->was_seen[probe]) {
        return;
    }
    following->was_seen[probe] = true;
    following->seen++;
    if (probe >= following->first_counted) {
        const int64_t took_ns = bench_mono_ns() - due_ns(sending, event_of_probe(sending, probe));
        histogram_add(&out->histogram, took_ns / 1000);
        out->probes++;
    }
}

static enum err follow(struct following *following, struct sending *sending, struct latency *out)
{
    int64_t heard_ns = bench_mono_ns();
    while (following->seen < sending->probes) {
        struct followed record;
        if (follower_next(following->follower, FOLLOW_MS, &record)) {
            heard_ns = bench_mono_ns();
            take(following, sending, record.key, out);
        } else if (bench_mono_ns() - heard_ns > SILENCE_MAX_MS * INT64_C(1000000)) {
            fprintf(stderr, "suppressd-bench: of %llu probes %llu were decided\n",
                    (unsigned long long)sending->probes, (unsigned long long)following->seen);
            return ERR_TIMEOUT;
        }
    }
    return OK;
}

static enum err open_both(const struct subject *subject,
                          struct sending *sending,
                          struct following *following)
{
    const struct io_property properties[] = {{"bootstrap.servers", subject->site->brokers}};
    enum err err =
        follower_open(properties, 1, subject->decisions, READY_TIMEOUT_MS, &following->follower);
    if (err == OK) {
        err = feeder_open(properties, 1, &sending->feeder);
    }
    struct followed record;
    const int64_t deadline_ns = bench_mono_ns() + READY_TIMEOUT_MS * INT64_C(1000000);
    while (err == OK && !follower_is_ready(following->follower)) {
        (void)follower_next(following->follower, FOLLOW_MS, &record);
        err = bench_mono_ns() > deadline_ns ? ERR_TIMEOUT : OK;
    }
    return err;
}

static enum err send_and_follow(struct sending *sending,
                                struct following *following,
                                struct latency *out)
{
    pthread_t sender;
    sending->begin_ns = bench_mono_ns();
    CHECK(pthread_create(&sender, NULL, send_all, sending) == 0);
    const enum err err = follow(following, sending, out);
    pthread_join(sender, NULL);
    out->sent_rate =
        (int64_t)((double)sending->events * 1e9 / (double)(sending->end_ns - sending->begin_ns));
    return err == OK ? sending->result : err;
}

enum err latency_measure(const struct subject *subject,
                         const struct latency_plan *plan,
                         struct latency *out)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    CHECK(sending != NULL);
    sending->plan = plan;
    sending->topic = subject->input;
    plan_probes(sending);
    fill_stock(sending);
    struct following following = {
        .was_seen = calloc(sending->probes, sizeof(bool)),
        .first_counted = (uint64_t)(plan->rate * plan->warm_up_seconds) / sending->probe_every,
    };
    CHECK(following.was_seen != NULL);
    *out = (struct latency){.rate = plan->rate};
    enum err err = open_both(subject, sending, &following);
    if (err == OK) {
        err = send_and_follow(sending, &following, out);
    }
    feeder_close(&sending->feeder);
    follower_close(&following.follower);
    free(following.was_seen);
    free(sending->stock);
    free(sending);
    return err;
}

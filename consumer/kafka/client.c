/* consumer/kafka/client.c - see client.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/kafka/client.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

enum {
    CLOSE_HANDLES_MAX = 8,
    REASON_SIZE = 512,
    /* A cluster that is down makes every handle complain at every attempt: so many lines in so
     * long, of all handles together. */
    LOG_LINES_MAX = 20,
    LOG_WINDOW_MS = 10000,
};

int64_t client_mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int client_left_ms(int64_t deadline_mono_ms)
{
    const int64_t left = deadline_mono_ms - client_mono_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void client_sleep_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

const char *client_property(const struct io_property *properties, size_t count, const char *name)
{
    const char *value = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(properties[i].name, name) == 0 && properties[i].value != NULL) {
            value = properties[i].value;
        }
    }
    return value;
}

/* --- version */

enum {
    /* 0xMMmmrrff of rd_kafka_version() without ff. */
    VERSION_CONSUMER_MENDED = 0x020601, /* cooperative rebalances, pause, seek, close */
    VERSION_BROKEN = 0x020a00,          /* use after free when a broker goes (#5066) */
    VERSION_BAD_FIRST = 0x020200,       /* batches that cannot be sent again (#4736) */
    VERSION_BAD_END = 0x020500,
};

enum err client_check_version(void)
{
    static atomic_bool is_said;
    const int version = rd_kafka_version() >> 8;
    if (version == VERSION_BROKEN) {
        log_error("kafka: librdkafka %s has a fault that corrupts memory: install another version",
                  rd_kafka_version_str());
        return ERR_REFUSED;
    }
    /* Relaxed: it orders nothing, it only keeps the line from coming once per worker. */
    if (version >= VERSION_CONSUMER_MENDED ||
        atomic_exchange_explicit(&is_said, true, memory_order_relaxed)) {
        return OK;
    }
    const bool loses_batches = version >= VERSION_BAD_FIRST && version < VERSION_BAD_END;
    log_warn(
        "kafka: librdkafka %s has known faults in rebalances%s: suppressd guards its data against "
        "them, but may have to start a worker anew; 2.6.1 and later have not",
        rd_kafka_version_str(), loses_batches ? " and in sending large batches again" : "");
    return OK;
}

/* --- log */

/* Lines of this window and its start: relaxed, they only meter the log; a lost race lets one line
 * more or less through. */
static atomic_llong log_window_ms;
static atomic_int log_lines;

static bool log_has_room(void)
{
    const long long now_ms = client_mono_ms();
    const long long since = atomic_load_explicit(&log_window_ms, memory_order_relaxed);
    if (since == 0 || now_ms - since >= LOG_WINDOW_MS) {
        const int lines = atomic_exchange_explicit(&log_lines, 0, memory_order_relaxed);
        atomic_store_explicit(&log_window_ms, now_ms, memory_order_relaxed);
        if (lines > LOG_LINES_MAX) {
            log_warn("kafka client: %d lines were left out in %lld s", lines - LOG_LINES_MAX,
                     (now_ms - since) / 1000);
        }
    }
    return atomic_fetch_add_explicit(&log_lines, 1, memory_order_relaxed) < LOG_LINES_MAX;
}

/* The client's severities are syslog's. What it calls an error it goes on to mend by itself (a
 * broker that cannot be reached), so it is a warning here; what it cannot mend comes as a result.
 */
static enum log_level level_of(int severity)
{
    if (severity <= 2) {
        return LOG_ERROR;
    }
    if (severity <= 4) {
        return LOG_WARN;
    }
    return severity <= 6 ? LOG_INFO : LOG_DEBUG;
}

static void on_log(const rd_kafka_t *rk, int severity, const char *facility, const char *text)
{
    /* The user's properties go to every handle, so that one map serves consumers and producers. */
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "will be ignored by this") != NULL) {
        return;
    }
    /* Only the embedded cluster is so old that it would create topics at a question. */
    if (strcmp(facility, "AUTOCREATE") == 0) {
        return;
    }
    if (log_has_room()) {
        log_line(level_of(severity), "kafka client: %s facility=%s handle=%s", text, facility,
                 rk == NULL ? "-" : rd_kafka_name(rk));
    }
}

/* --- properties */

static enum err set_ours(rd_kafka_conf_t *conf, const struct io_property *items, size_t count)
{
    char reason[REASON_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (items[i].value == NULL) {
            continue;
        }
        const rd_kafka_conf_res_t result =
            rd_kafka_conf_set(conf, items[i].name, items[i].value, reason, sizeof(reason));
        CHECK(result != RD_KAFKA_CONF_INVALID);
    }
    return OK;
}

static enum err set_users(rd_kafka_conf_t *conf, const struct io_property *items, size_t count)
{
    enum err result = OK;
    char reason[REASON_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (items[i].value == NULL) {
            continue;
        }
        if (rd_kafka_conf_set(conf, items[i].name, items[i].value, reason, sizeof(reason)) !=
            RD_KAFKA_CONF_OK) {
            log_error("kafka: property %s cannot be set: %s", items[i].name, reason);
            result = ERR_BAD_CONFIG;
        }
    }
    return result;
}

enum err client_conf(const struct client_layers *layers, void *opaque, rd_kafka_conf_t **out)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_conf_set_log_cb(conf, on_log);
    enum err err = set_ours(conf, layers->ours, layers->our_count);
    if (err == OK) {
        err = set_users(conf, layers->users, layers->user_count);
    }
    if (err == OK) {
        err = set_ours(conf, layers->fixed, layers->fixed_count);
    }
    if (err != OK) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    *out = conf;
    return OK;
}

enum err client_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out)
{
    char reason[REASON_SIZE];
    rd_kafka_t *rk = rd_kafka_new(type, conf, reason, sizeof(reason));
    if (rk == NULL) {
        log_error("kafka: the properties do not go together: %s", reason);
        rd_kafka_conf_destroy(conf);
        return ERR_BAD_CONFIG;
    }
    *out = rk;
    return OK;
}

/* --- end */

bool client_may_destroy(bool was_assigned)
{
    enum { FIRST_GOOD_VERSION = 0x020300ff };
    return was_assigned || rd_kafka_version() >= FIRST_GOOD_VERSION;
}

static void *destroy_handle(void *rk)
{
    /* The consumer was closed before, with its callbacks, or could not be. */
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

static bool join_until(pthread_t thread, int64_t deadline_mono_ms)
{
    const struct timespec deadline = {.tv_sec = deadline_mono_ms / 1000,
                                      .tv_nsec = (long)(deadline_mono_ms % 1000) * 1000000};
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &deadline) == 0;
}

void client_close(rd_kafka_t **handles, size_t count, int64_t deadline_mono_ms)
{
    CHECK(count <= CLOSE_HANDLES_MAX);
    pthread_t threads[CLOSE_HANDLES_MAX];
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != NULL) {
            CHECK(pthread_create(&threads[i], NULL, destroy_handle, handles[i]) == 0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != NULL && !join_until(threads[i], deadline_mono_ms)) {
            log_warn("kafka: a client handle does not end in time and is left behind");
            pthread_detach(threads[i]);
        }
        handles[i] = NULL;
    }
}

/* bench/decode.c - what decoding costs an event, against simdjson on the same records.
 *
 * Both read the records of one batch in turn, round after round, on one core and without Kafka: ours
 * to whole events, simdjson to the same fields.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bench/bench.h"
#include "bench/clock.h"
#include "bench/mail.h"
#include "bench/ondemand.h"
#include "bench/spread.h"
#include "classify/decode.h"

enum { BATCH = 4096, ROUNDS = 15 };

static const int64_t FIRST_MS = INT64_C(1768204800000); /* 2026-01-12 */

struct batch {
    char *memory;
    struct span records[BATCH];
    size_t bytes;
};

static void batch_fill(struct batch *batch, bool is_full)
{
    const struct mail mail = {.recipients = 1000000,
                              .first_ms = FIRST_MS,
                              .span_ms = DAY_MS,
                              .events = BATCH,
                              .is_full = is_full};
    batch->memory = malloc((size_t)BATCH * MAIL_SIZE_MAX);
    CHECK(batch->memory != NULL);
    char *at = batch->memory;
    for (size_t i = 0; i < BATCH; i++) {
        batch->records[i] = mail_event(&mail, i, at);
        at += batch->records[i].size;
    }
    batch->bytes = (size_t)(at - batch->memory);
}

/* --- the two */

struct told {
    uint64_t events;
    uint64_t faults;
};

static void on_event(void *context, const struct decode_part *part, const struct event *event)
{
    struct told *told = context;
    (void)part;
    told->events += event->recipient.size > 0;
}

static void on_fault(void *context, const struct decode_fault *fault)
{
    struct told *told = context;
    (void)fault;
    told->faults++;
}

/* ns an event */
static double measure_ours(struct decoder *decoder, const struct batch *batch)
{
    struct told told = {0};
    const struct decode_sink sink = {&told, on_event, on_fault};
    const struct decode_source source = {.format = format_find(SPAN("kumomta"))};
    const int64_t start = now_ns();
    for (size_t i = 0; i < BATCH; i++) {
        decode(decoder, &source, batch->records[i], &sink);
    }
    const int64_t taken = now_ns() - start;
    CHECK(told.events == BATCH && told.faults == 0);
    return (double)taken / BATCH;
}

static double measure_ondemand(struct ondemand *ondemand, const struct batch *batch)
{
    uint64_t read = 0;
    const int64_t start = now_ns();
    for (size_t i = 0; i < BATCH; i++) {
        read += ondemand_read(ondemand, batch->records[i]) > 0;
    }
    const int64_t taken = now_ns() - start;
    CHECK(read == BATCH);
    return (double)taken / BATCH;
}

/* --- the command */

struct figures {
    double record_size;
    double ours_ns;
    double ondemand_ns;
};

static void report(const struct figures *f, bool is_json)
{
    if (is_json) {
        printf("{\"record_bytes\":%.1f,\"ours_ns\":%.1f,\"simdjson_ondemand_ns\":%.1f,\"ratio\":%."
               "3f}\n",
               f->record_size, f->ours_ns, f->ondemand_ns, f->ondemand_ns / f->ours_ns);
        return;
    }
    printf(
        "records of kumomta, one in ten a failure, %.0f bytes in the mean; medians of %d rounds\n\n"
        "  ours, to whole events         %7.1f ns/event\n"
        "  simdjson on demand, fields    %7.1f ns/event\n"
        "  simdjson / ours               %7.2f\n",
        f->record_size, ROUNDS, f->ours_ns, f->ondemand_ns, f->ondemand_ns / f->ours_ns);
}

static struct figures measure(struct decoder *decoder,
                              struct ondemand *ondemand,
                              const struct batch *batch)
{
    double ours[ROUNDS];
    double theirs[ROUNDS];
    (void)measure_ours(decoder, batch); /* warm, both */
    (void)measure_ondemand(ondemand, batch);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = measure_ours(decoder, batch);
        theirs[i] = measure_ondemand(ondemand, batch);
    }
    return (struct figures){(double)batch->bytes / BATCH, spread_of(ours, ROUNDS).median,
                            spread_of(theirs, ROUNDS).median};
}

static int run(const struct bench_command *command, int argc, char **argv)
{
    static struct batch batch;
    bool is_full = false;
    bool is_json = false;
    const struct bench_option options[] = {
        {"full", "records as KumoMTA logs them (1.1 KB), not compact ones (420 B)",
         .flag = &is_full},
        {"json", "the figures for programs", .flag = &is_json},
    };
    int exit_code;
    if (!bench_options(command, options, 2, argc, argv, &exit_code)) {
        return exit_code;
    }
    struct decoder *decoder = NULL;
    struct ondemand *ondemand = NULL;
    if (ondemand_create(MAIL_SIZE_MAX, &ondemand) != OK || decoder_create(&decoder) != OK) {
        fprintf(stderr, "suppressd-bench: no memory, or a processor without AVX2, which simdjson's "
                        "side is built for\n");
        ondemand_destroy(&ondemand);
        return BENCH_FAILED;
    }
    batch_fill(&batch, is_full);
    const struct figures figures = measure(decoder, ondemand, &batch);
    report(&figures, is_json);
    free(batch.memory);
    ondemand_destroy(&ondemand);
    decoder_destroy(&decoder);
    return BENCH_OK;
}

const struct bench_command BENCH_DECODE = {
    .name = "decode",
    .summary = "what decoding costs an event, against simdjson on demand",
    .help = "Decodes 4,096 mail events of format kumomta, held in memory, on one core: with\n"
            "suppressd's decoder, and with simdjson on demand, which reads the same fields from a\n"
            "padded copy. In turn, 15 rounds, medians.\n",
    .run = run,
};

/* bench/decode.c - what decoding costs an event of each format, and against simdjson on the same records.
 *
 * The records of one batch are read in turn, round after round, on one core and without Kafka: as the format that they
 * are, and as `auto`, which has to find that out. Of kumomta, simdjson reads the same fields of the same records.
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
#include "bench/records.h"
#include "bench/spread.h"
#include "classify/decode.h"

enum { BATCH_MAX = 4096, ROUNDS_MAX = 64, KINDS_MAX = 32 };

static const int64_t FIRST_MS = INT64_C(1768204800000); /* 2026-01-12 */

struct batch {
    char *memory;
    struct span records[BATCH_MAX];
    size_t count;
    uint64_t events;
    size_t bytes;
};

/* --- records ------------------------------------------------------------------------------------
 */

static void batch_begin(struct batch *batch, size_t record_size_max)
{
    batch->memory = malloc(BATCH_MAX * record_size_max);
    CHECK(batch->memory != NULL);
    batch->bytes = 0;
}

static void batch_end(struct batch *batch)
{
    free(batch->memory);
    batch->memory = NULL;
}

/* 4,096 events, in as many records as that makes. */
static void batch_fill(struct batch *batch, const struct record_kind *kind)
{
    batch_begin(batch, RECORD_SIZE_MAX);
    batch->count = BATCH_MAX / kind->events;
    batch->events = batch->count * kind->events;
    for (size_t i = 0; i < batch->count; i++) {
        batch->records[i] = record_write(kind, i, batch->memory + batch->bytes);
        batch->bytes += batch->records[i].size;
    }
}

/* Log records of KumoMTA, those of the other benches. */
static void batch_fill_mail(struct batch *batch, bool is_full)
{
    const struct mail mail = {.recipients = 1000000,
                              .first_ms = FIRST_MS,
                              .span_ms = DAY_MS,
                              .events = BATCH_MAX,
                              .is_full = is_full};
    batch_begin(batch, MAIL_SIZE_MAX);
    batch->count = BATCH_MAX;
    batch->events = BATCH_MAX;
    for (size_t i = 0; i < BATCH_MAX; i++) {
        batch->records[i] = mail_event(&mail, i, batch->memory + batch->bytes);
        batch->bytes += batch->records[i].size;
    }
}

/* --- decoding -----------------------------------------------------------------------------------
 */

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
    told->faults++;
    fprintf(stderr, "suppressd-bench: %s: %.*s\n", fault->reason, SPAN_ARGS(fault->part));
}

/* ns an event */
static double measure_ours(struct decoder *decoder,
                           const struct decode_source *source,
                           const struct batch *batch)
{
    struct told told = {0};
    const struct decode_sink sink = {&told, on_event, on_fault};
    const int64_t start = now_ns();
    for (size_t i = 0; i < batch->count; i++) {
        decode(decoder, source, batch->records[i], &sink);
    }
    const int64_t taken = now_ns() - start;
    CHECK(told.events == batch->events && told.faults == 0);
    return (double)taken / (double)batch->events;
}

static double measure_ondemand(struct ondemand *ondemand, const struct batch *batch)
{
    uint64_t read = 0;
    const int64_t start = now_ns();
    for (size_t i = 0; i < batch->count; i++) {
        read += ondemand_read(ondemand, batch->records[i]) > 0;
    }
    const int64_t taken = now_ns() - start;
    CHECK(read == batch->count);
    return (double)taken / (double)batch->count;
}

/* --- formats ------------------------------------------------------------------------------------
 */

struct figures {
    const char *name;
    double record_bytes;
    double event_bytes;
    double named_ns; /* an event, by the format's name */
    double auto_ns;  /* 0: `auto` cannot know such records */
};

/* A decoder of its own: what one knows of shapes is bounded. */
static struct figures measure_kind(const struct record_kind *kind, size_t rounds)
{
    static struct batch batch;
    double named[ROUNDS_MAX];
    double by_auto[ROUNDS_MAX];
    struct decoder *decoder = NULL;
    const struct decode_source source = {
        .format = format_find(span_of(kind->format)),
        .headings = span_of(kind->headings),
        .now_ms = FIRST_MS + DAY_MS,
    };
    struct decode_source unnamed = source;
    const bool is_found = kind->headings == NULL;
    unnamed.format = format_find(SPAN("auto"));
    CHECK(decoder_create(&decoder) == OK);
    batch_fill(&batch, kind);
    (void)measure_ours(decoder, &source, &batch); /* warm */
    for (size_t i = 0; i < rounds; i++) {
        named[i] = measure_ours(decoder, &source, &batch);
        by_auto[i] = is_found ? measure_ours(decoder, &unnamed, &batch) : 0;
    }
    const struct figures figures = {
        .name = kind->name,
        .record_bytes = (double)batch.bytes / (double)batch.count,
        .event_bytes = (double)batch.bytes / (double)batch.events,
        .named_ns = spread_of(named, rounds).median,
        .auto_ns = spread_of(by_auto, rounds).median,
    };
    batch_end(&batch);
    decoder_destroy(&decoder);
    return figures;
}

/* --- against simdjson ---------------------------------------------------------------------------
 */

struct comparison {
    double record_bytes;
    double ours_ns;
    double ondemand_ns;
};

static struct comparison compare(struct ondemand *ondemand, bool is_full, size_t rounds)
{
    static struct batch batch;
    double ours[ROUNDS_MAX];
    double theirs[ROUNDS_MAX];
    struct decoder *decoder = NULL;
    const struct decode_source source = {.format = format_find(SPAN("kumomta"))};
    CHECK(decoder_create(&decoder) == OK);
    batch_fill_mail(&batch, is_full);
    (void)measure_ours(decoder, &source, &batch); /* warm, both */
    (void)measure_ondemand(ondemand, &batch);
    for (size_t i = 0; i < rounds; i++) {
        ours[i] = measure_ours(decoder, &source, &batch);
        theirs[i] = measure_ondemand(ondemand, &batch);
    }
    const struct comparison comparison = {(double)batch.bytes / (double)batch.count,
                                          spread_of(ours, rounds).median,
                                          spread_of(theirs, rounds).median};
    batch_end(&batch);
    decoder_destroy(&decoder);
    return comparison;
}

/* --- the report ---------------------------------------------------------------------------------
 */

static void print_formats(const struct figures *figures, size_t count)
{
    printf("  %-20s %8s %9s %8s %9s\n", "", "bytes", "ns", "", "auto: ns");
    printf("  %-20s %8s %9s %8s %9s\n", "records of", "/record", "/event", "MB/s", "/event");
    for (size_t i = 0; i < count; i++) {
        const struct figures *f = &figures[i];
        printf("  %-20s %8.0f %9.1f %8.0f", f->name, f->record_bytes, f->named_ns,
               f->event_bytes * 1000 / f->named_ns);
        if (f->auto_ns > 0) {
            printf(" %9.1f", f->auto_ns);
        }
        printf("\n");
    }
}

static void print_comparison(const char *name, const struct comparison *c)
{
    printf("  %-20s %8.0f %9.1f %9.1f %9.2f%s\n", name, c->record_bytes, c->ours_ns, c->ondemand_ns,
           c->ondemand_ns / c->ours_ns, c->ondemand_ns < c->ours_ns ? "  simdjson is faster" : "");
}

static void print_comparisons(const struct comparison *compact, const struct comparison *full)
{
    printf("\n  %-20s %8s %9s %9s %9s\n", "", "bytes", "ours", "simdjson", "simdjson");
    printf("  %-20s %8s %9s %9s %9s\n", "kumomta", "/record", "ns/event", "ns/event", "/ ours");
    print_comparison("compact", compact);
    print_comparison("as KumoMTA logs", full);
}

static void print_comparison_json(const char *name, const struct comparison *c)
{
    printf("\"%s\":{\"record_bytes\":%.1f,\"ours_ns\":%.1f,\"simdjson_ondemand_ns\":%.1f,"
           "\"ratio\":%.3f}",
           name, c->record_bytes, c->ours_ns, c->ondemand_ns, c->ondemand_ns / c->ours_ns);
}

static void print_json(const struct figures *figures,
                       size_t count,
                       const struct comparison *compact,
                       const struct comparison *full)
{
    printf("{\"formats\":[");
    for (size_t i = 0; i < count; i++) {
        const struct figures *f = &figures[i];
        printf("%s{\"records\":\"%s\",\"record_bytes\":%.1f,\"event_bytes\":%.1f,\"ns\":%.1f,"
               "\"mb_per_s\":%.1f",
               i == 0 ? "" : ",", f->name, f->record_bytes, f->event_bytes, f->named_ns,
               f->event_bytes * 1000 / f->named_ns);
        if (f->auto_ns > 0) {
            printf(",\"auto_ns\":%.1f", f->auto_ns);
        }
        printf("}");
    }
    printf("]");
    if (compact != NULL) {
        printf(",\"simdjson\":{");
        print_comparison_json("compact", compact);
        printf(",");
        print_comparison_json("full", full);
        printf("}");
    }
    printf("}\n");
}

/* --- the command --------------------------------------------------------------------------------
 */

static int run(const struct bench_command *command, int argc, char **argv)
{
    int64_t rounds = 15;
    const char *only = "";
    bool is_json = false;
    const struct bench_option options[] = {
        {"only", "records whose name begins so, to profile them", .text = &only},
        {"rounds", "of which the medians are told, at most 64", .number = &rounds, .least = 1},
        {"json", "the figures for programs", .flag = &is_json},
    };
    struct figures figures[KINDS_MAX];
    size_t count = 0;
    int exit_code;
    if (!bench_options(command, options, 3, argc, argv, &exit_code)) {
        return exit_code;
    }
    const size_t round_count = rounds < ROUNDS_MAX ? (size_t)rounds : ROUNDS_MAX;
    for (size_t i = 0; record_kind_at(i) != NULL; i++) {
        CHECK(count < KINDS_MAX);
        if (span_starts(span_of(record_kind_at(i)->name), span_of(only))) {
            figures[count++] = measure_kind(record_kind_at(i), round_count);
        }
    }
    struct ondemand *ondemand = NULL;
    struct comparison compact = {0};
    struct comparison full = {0};
    const bool is_compared = only[0] == '\0' && ondemand_create(MAIL_SIZE_MAX, &ondemand) == OK;
    if (is_compared) {
        compact = compare(ondemand, false, round_count);
        full = compare(ondemand, true, round_count);
    }
    if (is_json) {
        print_json(figures, count, is_compared ? &compact : NULL, &full);
    } else {
        printf("4,096 events of each, one core, medians of %zu rounds\n\n", round_count);
        print_formats(figures, count);
        if (is_compared) {
            print_comparisons(&compact, &full);
        } else if (only[0] == '\0') {
            printf("\nno comparison: simdjson's side is built for AVX2\n");
        }
    }
    ondemand_destroy(&ondemand);
    return BENCH_OK;
}

const struct bench_command BENCH_DECODE = {
    .name = "decode",
    .summary = "what decoding costs an event of each format; against simdjson on demand",
    .help =
        "Decodes 4,096 different events of each format of input, held in memory, on one core: one\n"
        "in ten is a failure where the format has deliveries. By the format's name, and by "
        "`auto`.\n"
        "Of kumomta, simdjson on demand reads the same fields from a padded copy. In turn, "
        "medians.\n",
    .run = run,
};

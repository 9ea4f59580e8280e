/* bench/worst.c - what a byte of hostile records costs the decoder, and whether it costs more the longer the record is.
 *
 * Each record of bench/hostile.c at sizes that double. Time per byte may fall, as what a record costs once is spread, and
 * rise a little, as caches are left behind; what rises on and on is a decoder that goes over its record again and again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "bench/bench.h"
#include "bench/clock.h"
#include "bench/hostile.h"
#include "classify/decode.h"

enum { SIZE_MIN = 4096, SIZES_MAX = 12, GROWTH_TRIES = 3 };

static const double GROWTH_MAX = 4;
static const int64_t LONG_ENOUGH_NS = 1000000; /* for one measurement */

static void on_event(void *context, const struct decode_part *part, const struct event *event)
{
    uint64_t *told = context;
    (void)part;
    (void)event;
    ++*told;
}

static void on_fault(void *context, const struct decode_fault *fault)
{
    uint64_t *told = context;
    (void)fault;
    ++*told;
}

static double decode_once(struct decoder *decoder,
                          const struct decode_source *source,
                          struct span record)
{
    uint64_t told = 0;
    const struct decode_sink sink = {&told, on_event, on_fault};
    const int64_t start = now_ns();
    decode(decoder, source, record, &sink);
    return (double)(now_ns() - start) / (double)record.size;
}

/* ns a byte: the least of three and of as many as take a millisecond. */
static double measure(struct decoder *decoder,
                      const struct decode_source *source,
                      struct span record)
{
    const int64_t start = now_ns();
    double least = decode_once(decoder, source, record);
    for (int i = 1; i < 3 || now_ns() - start < LONG_ENOUGH_NS; i++) {
        const double ns = decode_once(decoder, source, record);
        least = ns < least ? ns : least;
    }
    return least;
}

struct curve {
    double ns[SIZES_MAX]; /* a byte, at SIZE_MIN, twice that, ... */
    double growth;        /* of a size against a smaller one, the worst */
};

static void measure_curve(const struct hostile *hostile,
                          size_t size_count,
                          char *memory,
                          struct curve *out)
{
    struct decoder *decoder = NULL;
    const struct decode_source source = {.format = format_find(span_of(hostile->format))};
    double least = 0;
    CHECK(decoder_create(&decoder) == OK);
    out->growth = 0;
    for (size_t i = 0; i < size_count; i++) {
        const struct span record = hostile_write(hostile, (size_t)SIZE_MIN << i, memory);
        double ns = measure(decoder, &source, record);
        /* somebody else on the processor is no growth */
        for (int k = 0; k < GROWTH_TRIES && i > 0 && ns > least * GROWTH_MAX; k++) {
            const double again = measure(decoder, &source, record);
            ns = again < ns ? again : ns;
        }
        out->ns[i] = ns;
        out->growth = i > 0 && ns / least > out->growth ? ns / least : out->growth;
        least = i == 0 || ns < least ? ns : least;
    }
    decoder_destroy(&decoder);
}

/* --- the report ---------------------------------------------------------------------------------
 */

static void print_sizes(size_t size_count)
{
    printf("ns a byte of records of KiB\n\n  %-10s%-40s", "", "");
    for (size_t i = 0; i < size_count; i++) {
        printf(" %7zu", ((size_t)SIZE_MIN << i) / 1024);
    }
    printf("  growth\n");
}

static void print_curve(const struct hostile *hostile, const struct curve *curve, size_t size_count)
{
    printf("  %-10s%-40s", hostile->format, hostile->name);
    for (size_t i = 0; i < size_count; i++) {
        printf(" %7.2f", curve->ns[i]);
    }
    printf(" %7.1f%s\n", curve->growth, curve->growth > GROWTH_MAX ? "  GROWS" : "");
}

static void print_curve_json(const struct hostile *hostile,
                             const struct curve *curve,
                             size_t size_count,
                             bool is_first)
{
    printf("%s\n{\"format\":\"%s\",\"records\":", is_first ? "" : ",", hostile->format);
    char name[128];
    struct writer out = writer_init(name, sizeof(name));
    struct json_writer json = json_writer_init(&out);
    json_string(&json, span_of(hostile->name));
    CHECK(!out.overflowed);
    printf("%.*s,\"growth\":%.2f,\"ns_per_byte\":[", SPAN_ARGS(writer_span(&out)), curve->growth);
    for (size_t i = 0; i < size_count; i++) {
        printf("%s%.3f", i == 0 ? "" : ",", curve->ns[i]);
    }
    printf("]}");
}

/* --- the command --------------------------------------------------------------------------------
 */

static size_t count_sizes(int64_t kib)
{
    size_t count = 1;
    while (count < SIZES_MAX && (int64_t)SIZE_MIN << count <= kib * 1024) {
        count++;
    }
    return count;
}

/* How many of them grow. */
static size_t measure_all(size_t size_count, bool is_json)
{
    char *memory = malloc((size_t)SIZE_MIN << (size_count - 1));
    size_t grown = 0;
    CHECK(memory != NULL);
    for (size_t i = 0; hostile_at(i) != NULL; i++) {
        struct curve curve;
        measure_curve(hostile_at(i), size_count, memory, &curve);
        grown += curve.growth > GROWTH_MAX;
        if (is_json) {
            print_curve_json(hostile_at(i), &curve, size_count, i == 0);
        } else {
            print_curve(hostile_at(i), &curve, size_count);
        }
    }
    free(memory);
    return grown;
}

static int run(const struct bench_command *command, int argc, char **argv)
{
    int64_t kib = DECODE_RECORD_SIZE_MAX / 1024;
    bool is_json = false;
    const struct bench_option options[] = {
        {"kib", "the largest records, in KiB", .number = &kib, .least = SIZE_MIN / 1024},
        {"json", "the figures for programs", .flag = &is_json},
    };
    int exit_code;
    if (!bench_options(command, options, 2, argc, argv, &exit_code)) {
        return exit_code;
    }
    const size_t size_count = count_sizes(kib);
    if (is_json) {
        printf("{\"bytes_min\":%d,\"records\":[", SIZE_MIN);
    } else {
        print_sizes(size_count);
    }
    const size_t grown = measure_all(size_count, is_json);
    if (is_json) {
        printf("],\"grown\":%zu}\n", grown);
    } else {
        printf("\n%zu of them cost more than %.0f times as much a byte in long records\n", grown,
               GROWTH_MAX);
    }
    return grown == 0 ? BENCH_OK : BENCH_FAILED;
}

const struct bench_command BENCH_WORST = {
    .name = "worst",
    .summary = "what a byte of hostile records costs the decoder, and whether it grows with them",
    .help =
        "Decodes, for each format, the records that cost most a byte, of 4 KiB, 8 KiB and so on up "
        "to\n"
        "the largest that there may be. Ends with 1 if a byte of a long record costs more than 4\n"
        "times as much as one of a shorter.\n",
    .run = run,
};

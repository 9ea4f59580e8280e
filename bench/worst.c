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
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "bench/bench.h"
#include "bench/hostile.h"
#include "classify/decode.h"

enum { SIZE_MIN = 4096, SIZES_MAX = 12, TRIES = 5 };

static const double GROWTH_MAX = 4;
static const double QUICK_NS =
    4; /* a byte: the largest record in 34 ms. What is below does not grow */
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

/* Of this thread alone: others on the processor are no growth. */
static int64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double decode_once(struct decoder *decoder,
                          const struct decode_source *source,
                          struct span record)
{
    uint64_t told = 0;
    const struct decode_sink sink = {&told, on_event, on_fault};
    const int64_t start = thread_ns();
    decode(decoder, source, record, &sink);
    return (double)(thread_ns() - start) / (double)record.size;
}

/* ns a byte: the least of three and of as many as take a millisecond. */
static double measure(struct decoder *decoder,
                      const struct decode_source *source,
                      struct span record)
{
    const int64_t start = thread_ns();
    double least = decode_once(decoder, source, record);
    for (int i = 1; i < 3 || thread_ns() - start < LONG_ENOUGH_NS; i++) {
        const double ns = decode_once(decoder, source, record);
        least = ns < least ? ns : least;
    }
    return least;
}

struct curve {
    double ns[SIZES_MAX]; /* a byte, at SIZE_MIN, twice that, ... */
    double growth;        /* of a size against a smaller one, the worst */
    bool grows;
};

static void judge(struct curve *curve, size_t size_count)
{
    double least = curve->ns[0];
    curve->growth = 0;
    curve->grows = false;
    for (size_t i = 1; i < size_count; i++) {
        const double growth = curve->ns[i] / least;
        curve->growth = growth > curve->growth ? growth : curve->growth;
        curve->grows = curve->grows || (growth > GROWTH_MAX && curve->ns[i] > QUICK_NS);
        least = curve->ns[i] < least ? curve->ns[i] : least;
    }
}

/* What seems to grow is measured again: who shares the caches comes and goes, growth stays. */
static void measure_curve(const struct hostile *hostile,
                          size_t size_count,
                          char *memory,
                          struct curve *out)
{
    struct decoder *decoder = NULL;
    const struct decode_source source = {.format = format_find(span_of(hostile->format))};
    CHECK(decoder_create(&decoder) == OK);
    *out = (struct curve){.grows = true};
    for (int try = 0; try < TRIES && out->grows; try++) {
        for (size_t i = 0; i < size_count; i++) {
            const struct span record = hostile_write(hostile, (size_t)SIZE_MIN << i, memory);
            const double ns = measure(decoder, &source, record);
            out->ns[i] = try == 0 || ns < out->ns[i] ? ns : out->ns[i];
        }
        judge(out, size_count);
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
    printf(" %7.1f%s\n", curve->growth, curve->grows ? "  GROWS" : "");
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
    printf("%.*s,\"growth\":%.2f,\"grows\":%s,\"ns_per_byte\":[", SPAN_ARGS(writer_span(&out)),
           curve->growth, curve->grows ? "true" : "false");
    for (size_t i = 0; i < size_count; i++) {
        printf("%s%.3f", i == 0 ? "" : ",", curve->ns[i]);
    }
    printf("]}");
}

/* --- the command --------------------------------------------------------------------------------
 */

/* At least one. */
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
    CHECK(size_count > 0 && size_count <= SIZES_MAX);
    char *memory = malloc((size_t)SIZE_MIN << (size_count - 1));
    size_t grown = 0;
    CHECK(memory != NULL);
    for (size_t i = 0; hostile_at(i) != NULL; i++) {
        struct curve curve;
        measure_curve(hostile_at(i), size_count, memory, &curve);
        grown += curve.grows;
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

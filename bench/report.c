/* bench/report.c - see report.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/report.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/spread.h"

static const char *const PART_NAMES[PART_COUNT] = {
    [PART_BARE] = "bare", [PART_RUN] = "run", [PART_PLAIN] = "plain"};
static const char *const PART_WORDS[PART_COUNT] = {
    [PART_BARE] = "bare consumer that counts",
    [PART_RUN] = "suppressd run",
    [PART_PLAIN] = "the same, no transactions",
};

/* --- one field of the samples of a part */

static double rate_of(const struct sample *sample)
{
    return sample->rate;
}

static double cpu_of(const struct sample *sample)
{
    return sample->cpu_ns;
}

static double rss_of(const struct sample *sample)
{
    return sample->rss_bytes;
}

typedef double (*field)(const struct sample *sample);

static struct spread spread_of_part(const struct results *results, enum part part, field of)
{
    double values[ROUNDS_MAX];
    const int count = results->has[part] ? results->rounds : 0;
    for (int i = 0; i < count; i++) {
        values[i] = of(&results->samples[part][i]);
    }
    return spread_of(values, (size_t)count);
}

double results_rate(const struct results *results, enum part part)
{
    return spread_of_part(results, part, rate_of).median;
}

/* --- goals */

struct goal {
    const char *name;
    const char *words;
    enum part part; /* this */
    enum part by;   /* divided by that, round by round */
    field of;
    double least;
};

static const struct goal GOALS[] = {
    {"cpu", "CPU of bare / CPU of run", PART_BARE, PART_RUN, cpu_of, 0.45},
    {"wall", "events/s of run / bare", PART_RUN, PART_BARE, rate_of, 0.50},
    {"transactions", "events/s of run / no transactions", PART_RUN, PART_PLAIN, rate_of, 0.97},
};

enum { GOAL_COUNT = sizeof(GOALS) / sizeof(GOALS[0]), GOAL_P99_MS = 500 };

static bool goal_applies(const struct goal *goal, const struct results *results)
{
    return results->rounds > 0 && results->has[goal->part] && results->has[goal->by];
}

static struct spread ratio_of(const struct goal *goal, const struct results *results)
{
    double values[ROUNDS_MAX];
    for (int i = 0; i < results->rounds; i++) {
        values[i] =
            goal->of(&results->samples[goal->part][i]) / goal->of(&results->samples[goal->by][i]);
    }
    return spread_of(values, (size_t)results->rounds);
}

static const char *verdict(bool is_met)
{
    return is_met ? "met" : "not met";
}

static double quantile_ms(const struct latency *latency, double quantile)
{
    return (double)histogram_quantile_us(&latency->histogram, quantile) / 1000;
}

static bool is_soon(const struct latency *latency)
{
    return quantile_ms(latency, 0.99) < GOAL_P99_MS;
}

/* --- for people */

static void print_parts(const struct results *results, FILE *out)
{
    fprintf(out, "%-28s %12s %22s %14s %10s\n", "", "events/s", "(least - most)", "CPU ns/event",
            "peak MB");
    for (int part = 0; part < PART_COUNT; part++) {
        if (!results->has[part]) {
            continue;
        }
        const struct spread rate = spread_of_part(results, (enum part)part, rate_of);
        const struct spread cpu = spread_of_part(results, (enum part)part, cpu_of);
        const struct spread rss = spread_of_part(results, (enum part)part, rss_of);
        fprintf(out, "%-28s %12.0f %10.0f - %9.0f %14.0f %10.0f\n", PART_WORDS[part], rate.median,
                rate.least, rate.most, cpu.median, rss.median / 1e6);
    }
}

static void print_goals(const struct results *results, FILE *out)
{
    fprintf(out, "\n%-36s %8s %17s %8s\n", "ratio, round by round", "median", "(least - most)",
            "goal");
    for (size_t i = 0; i < GOAL_COUNT; i++) {
        if (goal_applies(&GOALS[i], results)) {
            const struct spread ratio = ratio_of(&GOALS[i], results);
            fprintf(out, "%-36s %8.3f %8.3f - %6.3f >= %5.2f  %s\n", GOALS[i].words, ratio.median,
                    ratio.least, ratio.most, GOALS[i].least,
                    verdict(ratio.median >= GOALS[i].least));
        }
    }
}

/* A line for each doubling. */
static void print_histogram(const struct histogram *histogram, FILE *out)
{
    enum { BAR = 50 };
    uint64_t sum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += histogram->counts[i];
        if (i % (HISTOGRAM_STEPS / 2) == HISTOGRAM_STEPS / 2 - 1 && sum > 0) {
            fprintf(out, "    <= %9.2f ms %8" PRIu64 " %.*s\n",
                    (double)histogram_upper_us(i) / 1000, sum,
                    (int)((double)sum * BAR / (double)histogram->total + 0.5),
                    "##################################################");
            sum = 0;
        }
    }
}

static void print_latencies(const struct results *results, FILE *out)
{
    for (size_t i = 0; i < results->latency_count; i++) {
        const struct latency *latency = &results->latencies[i];
        fprintf(out,
                "\nfrom event to decision at %" PRId64 " events/s (sent %" PRId64 "), %" PRIu64
                " probes\n  p50 %.1f ms   p90 %.1f ms   p99 %.1f ms   p99.9 %.1f ms   max %.1f ms"
                "   goal: p99 < %d ms  %s\n",
                latency->rate, latency->sent_rate, latency->probes, quantile_ms(latency, 0.5),
                quantile_ms(latency, 0.9), quantile_ms(latency, 0.99), quantile_ms(latency, 0.999),
                (double)latency->histogram.max_us / 1000, GOAL_P99_MS, verdict(is_soon(latency)));
        if (latency->sent_rate < latency->rate / 100 * 98) {
            fprintf(out, "  the sender was late: this machine cannot send and decide so much at "
                         "once; its lateness is in these figures\n");
        }
        print_histogram(&latency->histogram, out);
    }
}

void report_text(const struct results *results, FILE *out)
{
    double load[1] = {0};
    (void)getloadavg(load, 1);
    fprintf(out,
            "suppressd %s, librdkafka %s, %ld cores for broker and clients together, load %.1f\n"
            "%" PRId64 " events of %s records in %" PRId64 " partitions, about %" PRId64
            " recipients, %d rounds\n\n",
            SUPPRESSD_VERSION, rd_kafka_version_str(), sysconf(_SC_NPROCESSORS_ONLN), load[0],
            results->events, results->is_full ? "full" : "compact", results->partitions,
            results->recipients, results->rounds);
    if (results->rounds > 0) {
        print_parts(results, out);
        print_goals(results, out);
    }
    print_latencies(results, out);
}

/* --- for programs; every name is ours, nothing needs escaping */

static void json_part(const struct results *results, enum part part, FILE *out)
{
    const struct spread rate = spread_of_part(results, part, rate_of);
    const struct spread cpu = spread_of_part(results, part, cpu_of);
    fprintf(out, "\"%s\":{\"events_per_second\":%.0f,\"cpu_ns_per_event\":%.1f,\"rounds\":[",
            PART_NAMES[part], rate.median, cpu.median);
    for (int i = 0; i < results->rounds; i++) {
        const struct sample *sample = &results->samples[part][i];
        fprintf(out,
                "%s{\"events_per_second\":%.0f,\"cpu_ns_per_event\":%.1f,\"max_rss_bytes\":%.0f}",
                i == 0 ? "" : ",", sample->rate, sample->cpu_ns, sample->rss_bytes);
    }
    fprintf(out, "]}");
}

static void json_goals(const struct results *results, FILE *out)
{
    const char *comma = "";
    fprintf(out, "\"ratios\":{");
    for (size_t i = 0; i < GOAL_COUNT; i++) {
        if (goal_applies(&GOALS[i], results)) {
            const struct spread ratio = ratio_of(&GOALS[i], results);
            fprintf(out,
                    "%s\"%s\":{\"median\":%.4f,\"least\":%.4f,\"most\":%.4f,\"goal\":%.2f,"
                    "\"is_met\":%s}",
                    comma, GOALS[i].name, ratio.median, ratio.least, ratio.most, GOALS[i].least,
                    ratio.median >= GOALS[i].least ? "true" : "false");
            comma = ",";
        }
    }
    fprintf(out, "}");
}

static void json_latency(const struct latency *latency, FILE *out)
{
    const char *comma = "";
    fprintf(out,
            "{\"events_per_second\":%" PRId64 ",\"sent_per_second\":%" PRId64 ",\"probes\":%" PRIu64
            ",\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,"
            "\"goal_p99_ms\":%d,\"is_met\":%s,\"histogram_us\":[",
            latency->rate, latency->sent_rate, latency->probes, quantile_ms(latency, 0.5),
            quantile_ms(latency, 0.9), quantile_ms(latency, 0.99), quantile_ms(latency, 0.999),
            (double)latency->histogram.max_us / 1000, GOAL_P99_MS,
            is_soon(latency) ? "true" : "false");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (latency->histogram.counts[i] > 0) {
            fprintf(out, "%s[%" PRId64 ",%" PRIu64 "]", comma, histogram_upper_us(i),
                    latency->histogram.counts[i]);
            comma = ",";
        }
    }
    fprintf(out, "]}");
}

void report_json(const struct results *results, FILE *out)
{
    fprintf(out,
            "{\"version\":\"%s\",\"librdkafka\":\"%s\",\"cores\":%ld,\"events\":%" PRId64
            ",\"bytes\":%" PRId64 ",\"records\":\"%s\",\"partitions\":%" PRId64
            ",\"recipients\":%" PRId64 ",\"rounds\":%d,\"parts\":{",
            SUPPRESSD_VERSION, rd_kafka_version_str(), sysconf(_SC_NPROCESSORS_ONLN),
            results->events, results->bytes, results->is_full ? "full" : "compact",
            results->partitions, results->recipients, results->rounds);
    const char *comma = "";
    for (int part = 0; part < PART_COUNT; part++) {
        if (results->has[part]) {
            fputs(comma, out);
            json_part(results, (enum part)part, out);
            comma = ",";
        }
    }
    fprintf(out, "},");
    json_goals(results, out);
    fprintf(out, ",\"latency\":[");
    for (size_t i = 0; i < results->latency_count; i++) {
        fputs(i == 0 ? "" : ",", out);
        json_latency(&results->latencies[i], out);
    }
    fprintf(out, "]}\n");
}

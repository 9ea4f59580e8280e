/* consumer/rule_report.c - see rule_report.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/rule_report.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "classify/nearest.h"
#include "classify/reply.h"
#include "classify/rules.h"

enum { LINE_SIZE_MAX = 4096, REPLY_SIZE = 4 + ENHANCED_TEXT_SIZE, FOLDER_MODE = 0750 };

struct hit {
    struct counted_rule rule;
    uint64_t count;
};

struct rule_report {
    struct rule_report_about about;
    const char *version;           /* of the rules */
    size_t heard;                  /* workers whose counts are in it */
    struct unknown_entry *unknown; /* the most frequent first */
    struct proposal *proposals;    /* one an entry */
    size_t unknown_count;
    uint64_t unknown_total;
    struct hit *hits; /* the most frequent first, those that never won in the order of the rules */
    size_t hit_count;
    uint64_t hit_total;
};

void rule_report_destroy(struct rule_report **report)
{
    struct rule_report *r = *report;
    *report = NULL;
    if (r != NULL) {
        free(r->unknown);
        free(r->proposals);
        free(r->hits);
        free(r);
    }
}

/* --- adding up ------------------------------------------------------------------------------ */

static enum err add_unknown(struct rule_report *report,
                            const struct tally *const *tallies,
                            size_t count)
{
    const struct unknown **tables = calloc(count + 1, sizeof(const struct unknown *));
    if (tables == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        tables[i] = tallies[i]->unknown;
        report->unknown_total += unknown_total(tables[i]);
    }
    const enum err err = unknown_merge(tables, count, &report->unknown, &report->unknown_count);
    free(tables);
    return err;
}

static enum err propose(struct rule_report *report, const struct ruleset *rules)
{
    struct nearest *nearest;
    report->proposals = calloc(report->unknown_count + 1, sizeof(report->proposals[0]));
    if (report->proposals == NULL) {
        return ERR_NO_MEMORY;
    }
    const enum err err = nearest_create(rules->text_rules, &nearest);
    if (err != OK) {
        return err;
    }
    for (size_t i = 0; i < report->unknown_count; i++) {
        report->proposals[i] = nearest_find(nearest, unknown_text(&report->unknown[i]));
    }
    nearest_destroy(&nearest);
    return OK;
}

static int most_frequent_first(const void *left, const void *right)
{
    const struct hit *a = left;
    const struct hit *b = right;
    if (a->count != b->count) {
        return (a->count < b->count) - (a->count > b->count);
    }
    if (a->rule.is_row != b->rule.is_row) {
        return a->rule.is_row - b->rule.is_row;
    }
    const int by_file = strcmp(a->rule.place.file, b->rule.place.file);
    return by_file != 0 ? by_file
                        : (a->rule.place.line > b->rule.place.line) -
                              (a->rule.place.line < b->rule.place.line);
}

static enum err add_hits(struct rule_report *report,
                         const struct ruleset *rules,
                         const struct tally *const *tallies,
                         size_t count)
{
    const size_t counters = ruleset_counters(rules);
    report->hits = calloc(counters, sizeof(report->hits[0]));
    if (report->hits == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < counters; i++) {
        struct hit *hit = &report->hits[report->hit_count];
        if (!ruleset_counter_find(rules, i, &hit->rule)) {
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            hit->count += tallies[j]->hits[i];
        }
        report->hit_total += hit->count;
        report->hit_count++;
    }
    qsort(report->hits, report->hit_count, sizeof(report->hits[0]), most_frequent_first);
    return OK;
}

enum err rule_report_create(const struct ruleset *rules,
                            const struct tally *const *tallies,
                            size_t tally_count,
                            struct rule_report_about about,
                            struct rule_report **out)
{
    struct rule_report *report = calloc(1, sizeof(*report));
    if (report == NULL) {
        return ERR_NO_MEMORY;
    }
    report->about = about;
    report->heard = tally_count;
    report->version = ruleset_version(rules);
    enum err err = add_unknown(report, tallies, tally_count);
    if (err == OK) {
        err = propose(report, rules);
    }
    if (err == OK) {
        err = add_hits(report, rules, tallies, tally_count);
    }
    if (err != OK) {
        rule_report_destroy(&report);
        return err;
    }
    *out = report;
    return OK;
}

/* --- tables --------------------------------------------------------------------------------- */

/* `550 5.1.1`, `450`, `5.1.1` or `-`. */
static void write_reply(const struct unknown_entry *entry, char out[REPLY_SIZE])
{
    char enhanced[ENHANCED_TEXT_SIZE] = "";
    const bool has_enhanced = entry->enhanced.class_ != 0;
    if (has_enhanced) {
        (void)enhanced_format(entry->enhanced, enhanced);
    }
    if (entry->code == 0) {
        (void)snprintf(out, REPLY_SIZE, "%s", has_enhanced ? enhanced : "-");
    } else {
        (void)snprintf(out, REPLY_SIZE, "%u%s%s", entry->code % 1000U, has_enhanced ? " " : "",
                       enhanced);
    }
}

static void print_since(const struct rule_report *report, FILE *out)
{
    char time[TIME_TEXT_SIZE + 1];
    if (report->about.since_ms > 0) {
        time_format(report->about.since_ms, time);
        (void)fprintf(out, " since %s, when these rules were loaded", time);
    }
    if (report->heard < report->about.worker_count) {
        (void)fprintf(out, " (%zu of %zu workers: the others did not answer)", report->heard,
                      report->about.worker_count);
    }
}

static void print_unknown_row(const struct unknown_entry *entry,
                              const struct proposal *proposal,
                              FILE *out)
{
    char reply[REPLY_SIZE];
    char near[TEXT_ID_SIZE_MAX + 64] = "-";
    write_reply(entry, reply);
    if (proposal->rule != NULL) {
        (void)snprintf(near, sizeof(near), "%s (%s)", category_name(proposal->rule->category),
                       proposal->rule->id);
    }
    (void)fprintf(out, "%8" PRIu64 " %c %-20.*s  %-12s  %-17s  %-42s  %.*s\n", entry->count,
                  entry->error > 0 ? '~' : ' ', SPAN_ARGS(unknown_provider(entry)), reply,
                  category_name(entry->category), near, SPAN_ARGS(unknown_text(entry)));
}

void rule_report_print_unknown(const struct rule_report *report, FILE *out)
{
    bool has_error = false;
    (void)fprintf(out, "%" PRIu64 " replies whose words no rule knew, %zu different ones",
                  report->unknown_total, report->unknown_count);
    print_since(report, out);
    (void)fprintf(out, "\n\n%8s   %-20s  %-12s  %-17s  %-42s  %s\n", "count", "provider", "reply",
                  "taken as", "near", "text");
    for (size_t i = 0; i < report->unknown_count; i++) {
        print_unknown_row(&report->unknown[i], &report->proposals[i], out);
        has_error = has_error || report->unknown[i].error > 0;
    }
    if (has_error) {
        (void)fprintf(out, "\n~ at most: there are more different replies than are kept, and the "
                           "rarest give way\n");
    }
}

void rule_report_print_hits(const struct rule_report *report, FILE *out)
{
    size_t never = 0;
    (void)fprintf(out, "%" PRIu64 " events decided by a rule or a row of codes", report->hit_total);
    print_since(report, out);
    (void)fprintf(out, "\n\n%8s    %5s  %-30s  %-22s  %s\n", "count", "share", "rule", "category",
                  "where");
    for (size_t i = 0; i < report->hit_count; i++) {
        const struct hit *hit = &report->hits[i];
        if (hit->count == 0) {
            never++;
            continue;
        }
        (void)fprintf(out, "%8" PRIu64 "   %5.1f%%  %-30s  %-22s  %s:%" PRIu32 "\n", hit->count,
                      (double)hit->count * 100 / (double)report->hit_total, hit->rule.id,
                      category_name(hit->rule.category), hit->rule.place.file,
                      hit->rule.place.line);
    }
    (void)fprintf(out, "\nnever: %zu of %zu (the JSON form names them)\n", never,
                  report->hit_count);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void write_codes(struct json_writer *json, const struct unknown_entry *entry)
{
    char enhanced[ENHANCED_TEXT_SIZE];
    json_key(json, "reply_code");
    if (entry->code == 0) {
        json_null(json);
    } else {
        json_int(json, entry->code);
    }
    json_key(json, "enhanced");
    if (entry->enhanced.class_ == 0) {
        json_null(json);
    } else {
        json_string(json, (struct span){enhanced, enhanced_format(entry->enhanced, enhanced)});
    }
}

static void write_proposal(struct json_writer *json, const struct proposal *proposal)
{
    json_key(json, "near");
    if (proposal->rule == NULL) {
        json_null(json);
        return;
    }
    json_begin_object(json);
    json_member_string(json, "category", span_of(category_name(proposal->rule->category)));
    json_member_string(json, "rule", span_of(proposal->rule->id));
    json_member_int(json, "support_percent", (int64_t)(proposal->support * 100));
    json_end_object(json);
}

static void write_unknown(struct json_writer *json, const struct rule_report *report, size_t i)
{
    const struct unknown_entry *entry = &report->unknown[i];
    json_begin_object(json);
    json_member_string(json, "provider", unknown_provider(entry));
    json_member_int(json, "count", (int64_t)entry->count);
    json_member_int(json, "count_error", (int64_t)entry->error);
    write_codes(json, entry);
    json_member_string(json, "text", unknown_text(entry));
    json_member_string(json, "taken_as", span_of(category_name(entry->category)));
    write_proposal(json, &report->proposals[i]);
    json_member_int(json, "first_ms", entry->first_ms);
    json_member_int(json, "last_ms", entry->last_ms);
    json_end_object(json);
}

static void write_hit(struct json_writer *json, const struct rule_report *report, size_t i)
{
    const struct hit *hit = &report->hits[i];
    json_begin_object(json);
    json_member_string(json, "rule", span_of(hit->rule.id));
    json_member_int(json, "count", (int64_t)hit->count);
    json_member_string(json, "category", span_of(category_name(hit->rule.category)));
    json_member_string(json, "file", span_cut(span_of(hit->rule.place.file), PATH_MAX / 4));
    json_member_int(json, "line", hit->rule.place.line);
    json_end_object(json);
}

/* Each item on a line of its own, `between` two of them. */
static void print_items(const struct rule_report *report,
                        void (*write)(struct json_writer *json,
                                      const struct rule_report *report,
                                      size_t i),
                        size_t count,
                        const char *between,
                        FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        char line[LINE_SIZE_MAX];
        struct writer w = writer_init(line, sizeof(line));
        struct json_writer json = json_writer_init(&w);
        write(&json, report, i);
        CHECK(!w.overflowed);
        (void)fprintf(out, "%s%.*s\n", i == 0 ? "" : between, (int)w.size, w.data);
    }
}

void rule_report_print_unknown_json(const struct rule_report *report, FILE *out)
{
    print_items(report, write_unknown, report->unknown_count, "", out);
}

void rule_report_print_hits_json(const struct rule_report *report, FILE *out)
{
    print_items(report, write_hit, report->hit_count, "", out);
}

static void print_json(const struct rule_report *report, FILE *out)
{
    (void)fprintf(out,
                  "{\"since_ms\":%" PRId64 ",\"written_ms\":%" PRId64
                  ",\"rules_version\":\"%s\",\"workers\":%zu,\"workers_heard\":%zu,\n"
                  "\"unknown_total\":%" PRIu64 ",\"unknown\":[\n",
                  report->about.since_ms, report->about.written_ms, report->version,
                  report->about.worker_count, report->heard, report->unknown_total);
    print_items(report, write_unknown, report->unknown_count, ",", out);
    (void)fprintf(out, "],\"rules\":[\n");
    print_items(report, write_hit, report->hit_count, ",", out);
    (void)fprintf(out, "]}\n");
}

static void print_text(const struct rule_report *report, FILE *out)
{
    rule_report_print_unknown(report, out);
    (void)fputs("\n", out);
    rule_report_print_hits(report, out);
}

/* --- files ---------------------------------------------------------------------------------- */

static enum err io_error(const char *what, const char *path)
{
    log_error("rule report: %s path=%s error=\"%s\"", what, path, strerror(errno));
    return ERR_IO;
}

/* Under another name first: a reader never sees half of it. */
static enum err write_file(const struct rule_report *report,
                           void (*print)(const struct rule_report *report, FILE *out),
                           const char *directory,
                           const char *name)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
        snprintf(temporary, sizeof(temporary), "%s/%s.new", directory, name) >=
            (int)sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return io_error("cannot be written", directory);
    }
    FILE *file = fopen(temporary, "we");
    if (file == NULL) {
        return io_error("cannot be made", temporary);
    }
    print(report, file);
    const bool is_written = ferror(file) == 0;
    if (fclose(file) != 0 || !is_written) {
        return io_error("cannot be written", temporary);
    }
    return rename(temporary, path) == 0 ? OK : io_error("cannot be renamed to", path);
}

enum err rule_report_write(const struct rule_report *report, const char *directory)
{
    if (mkdir(directory, FOLDER_MODE) != 0 && errno != EEXIST) {
        return io_error("its folder cannot be made", directory);
    }
    enum err err = write_file(report, print_text, directory, "rule-report.txt");
    if (err == OK) {
        err = write_file(report, print_json, directory, "rule-report.json");
    }
    return err;
}

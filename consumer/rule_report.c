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

/* A line of a table of unknown replies. */
struct row {
    const struct unknown_entry *entry;
    struct proposal proposal;
    /* of a text of all providers: how many are known to have said it, and who said it most */
    size_t providers;
    const struct unknown_entry *top;
    uint64_t provider_total; /* else: all that its provider said */
};

struct table {
    struct unknown_entry *entries; /* the most frequent first */
    struct row *rows;
    size_t count;
};

struct rule_report {
    struct rule_report_about about;
    const char *version; /* of the rules */
    size_t heard;        /* workers whose counts are in it */
    struct table by_text;
    struct table by_provider;
    uint64_t unknown_total;
    struct hit *hits; /* the most frequent first, those that never won in the order of the rules */
    size_t hit_count;
    uint64_t hit_total;
};

static void free_table(struct table *table)
{
    free(table->entries);
    free(table->rows);
}

void rule_report_destroy(struct rule_report **report)
{
    struct rule_report *r = *report;
    *report = NULL;
    if (r != NULL) {
        free_table(&r->by_text);
        free_table(&r->by_provider);
        free(r->hits);
        free(r);
    }
}

/* --- unknown replies ------------------------------------------------------------------------ */

/* Beyond the size of one table there is nothing that came often. */
static enum err merge(const struct unknown *const *tables, size_t count, struct table *out)
{
    enum err err = unknown_merge(tables, count, &out->entries, &out->count);
    if (err != OK) {
        return err;
    }
    out->count = out->count < UNKNOWN_MAX ? out->count : UNKNOWN_MAX;
    out->rows = calloc(out->count + 1, sizeof(out->rows[0]));
    for (size_t i = 0; out->rows != NULL && i < out->count; i++) {
        out->rows[i].entry = &out->entries[i];
    }
    return out->rows == NULL ? ERR_NO_MEMORY : OK;
}

static enum err merge_all(struct rule_report *report,
                          const struct tally *const *tallies,
                          size_t count)
{
    const struct unknown **tables = calloc(count + 1, sizeof(const struct unknown *));
    if (tables == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        tables[i] = tallies[i]->by_text;
        report->unknown_total += unknown_total(tables[i]);
    }
    enum err err = merge(tables, count, &report->by_text);
    for (size_t i = 0; i < count; i++) {
        tables[i] = tallies[i]->by_provider;
    }
    if (err == OK) {
        err = merge(tables, count, &report->by_provider);
    }
    free(tables);
    return err;
}

/* Both tables are small: see merge(). */
static void count_providers(struct rule_report *report)
{
    for (size_t i = 0; i < report->by_text.count; i++) {
        struct row *row = &report->by_text.rows[i];
        for (size_t j = 0; j < report->by_provider.count; j++) {
            const struct unknown_entry *entry = &report->by_provider.entries[j];
            if (entry->text_key == row->entry->text_key) {
                row->top = row->top == NULL ? entry : row->top;
                row->providers++;
            }
        }
    }
}

static int by_name(const struct row *a, const struct row *b)
{
    const struct span left = unknown_provider(a->entry);
    const struct span right = unknown_provider(b->entry);
    const size_t size = left.size < right.size ? left.size : right.size;
    const int order = memcmp(left.data, right.data, size);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

/* Who said most first, one after the other; of each the most frequent first. */
static int by_provider(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    if (a->provider_total != b->provider_total) {
        return (a->provider_total < b->provider_total) - (a->provider_total > b->provider_total);
    }
    const int name = by_name(a, b);
    return name != 0 ? name : (a->entry > b->entry) - (a->entry < b->entry);
}

static void group_by_provider(struct table *table)
{
    qsort(table->rows, table->count, sizeof(table->rows[0]), by_provider); /* by name, as yet */
    for (size_t begin = 0, end = 0; begin < table->count; begin = end) {
        uint64_t total = 0;
        for (; end < table->count && by_name(&table->rows[begin], &table->rows[end]) == 0; end++) {
            total += table->rows[end].entry->count;
        }
        for (size_t i = begin; i < end; i++) {
            table->rows[i].provider_total = total;
        }
    }
    qsort(table->rows, table->count, sizeof(table->rows[0]), by_provider);
}

static void propose(const struct table *table, struct nearest *nearest)
{
    for (size_t i = 0; i < table->count; i++) {
        table->rows[i].proposal = nearest_find(nearest, unknown_text(table->rows[i].entry));
    }
}

static enum err add_unknown(struct rule_report *report,
                            const struct ruleset *rules,
                            const struct tally *const *tallies,
                            size_t count)
{
    struct nearest *nearest;
    enum err err = merge_all(report, tallies, count);
    if (err == OK) {
        err = nearest_create(rules->text_rules, &nearest);
    }
    if (err != OK) {
        return err;
    }
    propose(&report->by_text, nearest);
    propose(&report->by_provider, nearest);
    nearest_destroy(&nearest);
    count_providers(report);
    group_by_provider(&report->by_provider);
    return OK;
}

/* --- hits ----------------------------------------------------------------------------------- */

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
    enum err err = add_unknown(report, rules, tallies, tally_count);
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

/* `acme`, or `acme +12` of a text that 13 providers said. */
static void write_provider(const struct row *row, char *out, size_t size)
{
    const struct unknown_entry *entry = row->top != NULL ? row->top : row->entry;
    const struct span name = unknown_provider(entry);
    if (row->providers > 1) {
        (void)snprintf(out, size, "%.*s +%zu", SPAN_ARGS(name), row->providers - 1);
    } else {
        (void)snprintf(out, size, "%.*s", SPAN_ARGS(name.size > 0 ? name : SPAN("-")));
    }
}

static void print_row(const struct row *row, FILE *out)
{
    char reply[REPLY_SIZE];
    char provider[UNKNOWN_PROVIDER_SIZE + 16];
    char near[TEXT_ID_SIZE_MAX + 64] = "-";
    write_reply(row->entry, reply);
    write_provider(row, provider, sizeof(provider));
    if (row->proposal.rule != NULL) {
        (void)snprintf(near, sizeof(near), "%s (%s)", category_name(row->proposal.rule->category),
                       row->proposal.rule->id);
    }
    (void)fprintf(out, "%8" PRIu64 " %c %-24s  %-12s  %-17s  %-42s  %.*s\n", row->entry->count,
                  row->entry->error > 0 ? '~' : ' ', provider, reply,
                  category_name(row->entry->category), near, SPAN_ARGS(unknown_text(row->entry)));
}

static bool print_table(const struct table *table, const char *title, FILE *out)
{
    bool has_error = false;
    (void)fprintf(out, "\n%s\n\n%8s   %-24s  %-12s  %-17s  %-42s  %s\n", title, "count", "provider",
                  "reply", "taken as", "near", "text");
    for (size_t i = 0; i < table->count; i++) {
        print_row(&table->rows[i], out);
        has_error = has_error || table->rows[i].entry->error > 0;
    }
    return has_error;
}

void rule_report_print_unknown(const struct rule_report *report, FILE *out)
{
    (void)fprintf(out, "%" PRIu64 " replies whose words no rule knew", report->unknown_total);
    print_since(report, out);
    (void)fputs("\n", out);
    bool has_error = print_table(&report->by_text, "Of all providers", out);
    has_error = print_table(&report->by_provider, "By provider", out) || has_error;
    if (has_error) {
        (void)fputs("\n~ at most: there are more different replies than are kept, and the rarest "
                    "give way\n",
                    out);
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

static void write_row(struct json_writer *json, const struct row *row)
{
    const struct unknown_entry *entry = row->entry;
    json_member_int(json, "count", (int64_t)entry->count);
    json_member_int(json, "count_error", (int64_t)entry->error);
    write_codes(json, entry);
    json_member_string(json, "text", unknown_text(entry));
    json_member_string(json, "taken_as", span_of(category_name(entry->category)));
    write_proposal(json, &row->proposal);
    json_member_int(json, "first_ms", entry->first_ms);
    json_member_int(json, "last_ms", entry->last_ms);
    json_end_object(json);
}

/* The provider is null: of all. */
static void write_text_row(struct json_writer *json, const struct rule_report *report, size_t i)
{
    const struct row *row = &report->by_text.rows[i];
    json_begin_object(json);
    json_key(json, "provider");
    json_null(json);
    json_member_int(json, "providers", (int64_t)row->providers);
    json_member_string(json, "top_provider",
                       row->top == NULL ? SPAN("") : unknown_provider(row->top));
    write_row(json, row);
}

static void write_provider_row(struct json_writer *json, const struct rule_report *report, size_t i)
{
    const struct row *row = &report->by_provider.rows[i];
    json_begin_object(json);
    json_member_string(json, "provider", unknown_provider(row->entry));
    write_row(json, row);
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
    print_items(report, write_text_row, report->by_text.count, "", out);
    print_items(report, write_provider_row, report->by_provider.count, "", out);
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
    print_items(report, write_text_row, report->by_text.count, ",", out);
    (void)fprintf(out, "],\"unknown_by_provider\":[\n");
    print_items(report, write_provider_row, report->by_provider.count, ",", out);
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

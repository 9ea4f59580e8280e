/* consumer/cmd/decode_table.c - see decode_table.h.
 *
 * A cell is made printable when its row comes: what a terminal would obey, or not show, is written as an escape (\x1b, \u{202e}).
 * How many columns a character takes is the C library's knowledge, in a locale of this file's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/cmd/decode_table.h"

#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <wchar.h>

#include "base/log.h"
#include "base/utf8.h"
#include "classify/reply.h"

enum cell {
    CELL_RECORD,
    CELL_KIND,
    CELL_ORIGIN,
    CELL_RECIPIENT,
    CELL_CODE,
    CELL_STATUS,
    CELL_TENANT,
    CELL_CAMPAIGN,
    CELL_TEXT,
    CELL_COUNT
};

enum {
    GAP = 2,       /* columns between two cells */
    TEXT_MIN = 24, /* with fewer columns left for it, the text stands on a line of its own */
    ROWS_MAX = 256,
    SOURCE_MAX = 4096, /* bytes of a text that are looked at */
    /* of a row: each cell is no wider than a line, and four bytes a column; besides, marks without a column */
    ROW_SIZE_MAX = CELL_COUNT * (4 * DECODE_TABLE_WIDTH_MAX + SOURCE_MAX + 16),
    MEMORY_SIZE = 4 * ROW_SIZE_MAX,
    REASONS_MAX = 16,
    REASON_SIZE = 160,
};

/* `widest`: of a column, whatever stands in it; `least`: what narrow terminals leave of it, 0: it stays. */
static const struct {
    const char *name;
    size_t widest;
    size_t least;
} CELLS[CELL_COUNT] = {
    [CELL_RECORD] = {"record", 20, 0},   [CELL_KIND] = {"kind", 11, 0},
    [CELL_ORIGIN] = {"origin", 6, 0},    [CELL_RECIPIENT] = {"recipient", 40, 12},
    [CELL_CODE] = {"code", 4, 0},        [CELL_STATUS] = {"status", 9, 0},
    [CELL_TENANT] = {"tenant", 20, 6},   [CELL_CAMPAIGN] = {"campaign", 20, 6},
    [CELL_TEXT] = {"text", SIZE_MAX, 0},
};

struct printable {
    struct span text;
    size_t columns;
};

struct row {
    struct printable cells[CELL_COUNT];
    bool is_fault; /* its text begins where the origin of others does */
};

struct reason {
    char words[REASON_SIZE];
    uint64_t count;
};

struct decode_table {
    FILE *out;
    size_t width;
    locale_t locale; /* of this thread meanwhile; (locale_t)0: there is none */
    locale_t locale_before;
    size_t needed[CELL_COUNT]; /* by all rows so far; 0: nothing ever stood there */
    size_t columns
        [CELL_COUNT]; /* of the heads that were printed last: the same, but for want of room */
    struct row rows[ROWS_MAX];
    size_t row_count;
    struct writer memory; /* of the rows' texts */
    char bytes[MEMORY_SIZE];
    uint64_t kinds[KIND_COUNT];
    uint64_t local[KIND_COUNT];
    uint64_t faults;
    struct reason reasons[REASONS_MAX]; /* the last also counts those for which there is no room */
    size_t reason_count;
};

/* --- printable ----------------------------------------------------------------------------------
 */

/* Invisible, and able to turn or join what stands around them. */
static bool is_format_character(uint32_t c)
{
    return c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* Of a sequence that is UTF-8. */
static uint32_t code_point(const char *bytes, size_t size)
{
    static const uint8_t FIRST[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)bytes[0] & FIRST[size];
    for (size_t i = 1; i < size; i++) {
        c = c << 6 | ((uint8_t)bytes[i] & 0x3fU);
    }
    return c;
}

/* Columns of a character, -1: it is not to be printed. */
static int columns_of(const struct decode_table *table, uint32_t c)
{
    if (c < ' ' || (c >= 0x7f && c < 0xa0) || is_format_character(c)) {
        return -1;
    }
    return c < 0x7f || table->locale == (locale_t)0 ? 1 : wcwidth((wchar_t)c);
}

/* The next character of the text, as it is printed, into `form`; *columns it takes. How many bytes of the text it is. */
static size_t take_character(const struct decode_table *table,
                             struct span text,
                             struct writer *form,
                             size_t *columns)
{
    char escape[16];
    const size_t size = utf8_sequence_size(text);
    const uint32_t c = size == 0 ? (uint8_t)text.data[0] : code_point(text.data, size);
    const int width = size == 0 ? -1 : columns_of(table, c);
    if (width >= 0) {
        put_bytes(form, (struct span){text.data, size});
        *columns = (size_t)width;
        return size;
    }
    const int length =
        snprintf(escape, sizeof(escape), c < 0x100 ? "\\x%02" PRIx32 : "\\u{%" PRIx32 "}", c);
    put_bytes(form, (struct span){escape, (size_t)length});
    *columns = (size_t)length;
    return size == 0 ? 1 : size;
}

/* As much of the text as fits into `columns`, 1 at least; what is cut ends with a mark. Printable text stays as it is. */
static struct printable print_into(const struct decode_table *table,
                                   struct writer *out,
                                   struct span text,
                                   size_t columns)
{
    static const struct span CUT = {"\xe2\x80\xa6", 3}; /* ... in one column */
    const size_t start = out->size;
    size_t used = 0;
    size_t cut_size = start; /* up to where the mark would still fit behind it */
    size_t cut_used = 0;
    text = span_cut(text, SOURCE_MAX);
    while (text.size > 0) {
        char memory[16];
        struct writer form = writer_init(memory, sizeof(memory));
        size_t width;
        const size_t taken = take_character(table, text, &form, &width);
        if (used + width > columns) {
            out->size = cut_size;
            put_bytes(out, CUT);
            used = cut_used + 1;
            break;
        }
        put_bytes(out, writer_span(&form));
        used += width;
        if (used < columns) {
            cut_size = out->size;
            cut_used = used;
        }
        text = span_skip(text, taken);
    }
    CHECK(!out->overflowed);
    return (struct printable){{out->data + start, out->size - start}, used};
}

/* --- rows ---------------------------------------------------------------------------------------
 */

static void set_cell(struct decode_table *table, struct row *row, enum cell cell, struct span text)
{
    const size_t widest = CELLS[cell].widest < table->width ? CELLS[cell].widest : table->width;
    row->cells[cell] = print_into(table, &table->memory, text, widest);
}

static void set_number(struct decode_table *table, struct row *row, enum cell cell, uint64_t number)
{
    char digits[24];
    const int size = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    set_cell(table, row, cell, (struct span){digits, (size_t)size});
}

static struct row *add_row(struct decode_table *table, uint64_t record)
{
    if (table->row_count == ROWS_MAX ||
        table->memory.capacity - table->memory.size < ROW_SIZE_MAX) {
        decode_table_flush(table);
    }
    struct row *row = &table->rows[table->row_count++];
    *row = (struct row){.is_fault = false};
    set_number(table, row, CELL_RECORD, record);
    return row;
}

void decode_table_event(struct decode_table *table, uint64_t record, const struct event *event)
{
    struct row *row = add_row(table, record);
    char status[ENHANCED_TEXT_SIZE];
    set_cell(table, row, CELL_KIND, span_of(kind_name(event->kind)));
    set_cell(table, row, CELL_ORIGIN, span_of(origin_name(event->origin)));
    set_cell(table, row, CELL_RECIPIENT, event->recipient);
    if (event->reply.code != 0) {
        set_number(table, row, CELL_CODE, event->reply.code);
    }
    if (event->reply.enhanced.class_ != 0) {
        const size_t size = enhanced_format(event->reply.enhanced, status);
        set_cell(table, row, CELL_STATUS, (struct span){status, size});
    }
    set_cell(table, row, CELL_TENANT, event->tenant);
    set_cell(table, row, CELL_CAMPAIGN, event->campaign);
    set_cell(table, row, CELL_TEXT,
             event->reply.text.size > 0 ? event->reply.text : event->native_class);
    table->kinds[event->kind]++;
    table->local[event->kind] += event->origin == ORIGIN_LOCAL;
}

static void count_reason(struct decode_table *table, const char *words)
{
    size_t i = 0;
    while (i < table->reason_count &&
           strncmp(table->reasons[i].words, words, REASON_SIZE - 1) != 0) {
        i++;
    }
    if (i == REASONS_MAX) {
        i--;
        (void)snprintf(table->reasons[i].words, REASON_SIZE, "other reasons");
    } else if (i == table->reason_count) {
        (void)snprintf(table->reasons[i].words, REASON_SIZE, "%s", words);
        table->reason_count++;
    }
    table->reasons[i].count++;
    table->faults++;
}

void decode_table_fault(struct decode_table *table,
                        uint64_t record,
                        uint64_t column,
                        const char *reason)
{
    count_reason(table, reason);
    if (record == 0) {
        return;
    }
    struct row *row = add_row(table, record);
    char words[64 + REASON_SIZE];
    const int size = snprintf(words, sizeof(words), "column %" PRIu64 ": %s", column, reason);
    row->is_fault = true;
    set_cell(table, row, CELL_KIND, SPAN("fault"));
    set_cell(table, row, CELL_TEXT,
             (struct span){words, (size_t)size < sizeof(words) ? (size_t)size : sizeof(words) - 1});
}

/* --- columns ------------------------------------------------------------------------------------
 */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* By what the rows in hand need; a column is no narrower than its name. */
static void widen(struct decode_table *table)
{
    for (size_t i = 0; i < table->row_count; i++) {
        for (int c = 0; c < CELL_TEXT; c++) {
            const size_t columns = table->rows[i].cells[c].columns;
            if (columns > 0) {
                table->needed[c] = larger(table->needed[c], larger(columns, strlen(CELLS[c].name)));
            }
        }
    }
}

/* Where the text begins. */
static size_t columns_before_text(const size_t columns[CELL_COUNT])
{
    size_t sum = 0;
    for (int c = 0; c < CELL_TEXT; c++) {
        sum += columns[c] == 0 ? 0 : columns[c] + GAP;
    }
    return sum;
}

static bool has_text_beside(const size_t columns[CELL_COUNT], size_t width)
{
    return columns_before_text(columns) + TEXT_MIN <= width;
}

/* Of the columns that may be cut, always the widest gives, until a line holds them. */
static void make_room(size_t columns[CELL_COUNT], size_t width)
{
    while (columns_before_text(columns) > width + GAP) {
        int widest = -1;
        for (int c = 0; c < CELL_TEXT; c++) {
            if (CELLS[c].least > 0 && columns[c] > CELLS[c].least &&
                (widest < 0 || columns[c] > columns[widest])) {
                widest = c;
            }
        }
        if (widest < 0) {
            return;
        }
        columns[widest]--;
    }
}

/* --- printing -----------------------------------------------------------------------------------
 */

struct line {
    struct writer out;
    size_t used;   /* columns */
    size_t padded; /* up to which the next cell begins */
    char memory[ROW_SIZE_MAX];
};

/* Nothing stands behind the edge of the terminal, and no blanks at the end of a line. */
static void put_cell(const struct decode_table *table,
                     struct line *line,
                     struct span text,
                     size_t columns)
{
    if (text.size > 0 && line->padded < table->width) {
        const size_t left = table->width - line->padded;
        for (; line->used < line->padded; line->used++) {
            put_u8(&line->out, ' ');
        }
        line->used += print_into(table, &line->out, text, columns < left ? columns : left).columns;
    }
    line->padded += columns + GAP;
}

static void end_line(const struct decode_table *table, struct line *line)
{
    put_u8(&line->out, '\n');
    CHECK(!line->out.overflowed);
    fwrite(line->out.data, 1, line->out.size, table->out);
}

static void begin_line(struct line *line)
{
    line->out = writer_init(line->memory, sizeof(line->memory));
    line->used = 0;
    line->padded = 0;
}

/* Behind the others, or below them. */
static void put_text(const struct decode_table *table, struct line *line, struct span text)
{
    if (text.size > 0 && !has_text_beside(table->columns, table->width)) {
        end_line(table, line);
        begin_line(line);
        line->padded = table->columns[CELL_RECORD] + GAP;
    }
    put_cell(table, line, text, table->width);
    end_line(table, line);
}

static void print_heads(const struct decode_table *table)
{
    struct line line;
    begin_line(&line);
    for (int c = 0; c < CELL_TEXT; c++) {
        if (table->columns[c] > 0) {
            put_cell(table, &line, span_of(CELLS[c].name), table->columns[c]);
        }
    }
    put_text(table, &line, span_of(CELLS[CELL_TEXT].name));
}

static void print_row(const struct decode_table *table, const struct row *row)
{
    struct line line;
    const int end = row->is_fault ? CELL_ORIGIN : CELL_TEXT;
    begin_line(&line);
    for (int c = 0; c < end; c++) {
        if (table->columns[c] > 0) {
            put_cell(table, &line, row->cells[c].text, table->columns[c]);
        }
    }
    if (row->is_fault) {
        put_cell(table, &line, row->cells[CELL_TEXT].text, table->width);
        end_line(table, &line);
    } else {
        put_text(table, &line, row->cells[CELL_TEXT].text);
    }
}

void decode_table_flush(struct decode_table *table)
{
    size_t columns[CELL_COUNT];
    widen(table);
    memcpy(columns, table->needed, sizeof(columns));
    make_room(columns, table->width);
    if (memcmp(columns, table->columns, sizeof(columns)) != 0) {
        memcpy(table->columns, columns, sizeof(columns));
        print_heads(table);
    }
    for (size_t i = 0; i < table->row_count; i++) {
        print_row(table, &table->rows[i]);
    }
    table->row_count = 0;
    table->memory.size = 0;
}

void decode_table_file(struct decode_table *table, const char *path)
{
    struct line line;
    decode_table_flush(table);
    begin_line(&line);
    put_cell(table, &line, span_of(path), table->width);
    end_line(table, &line);
}

/* --- counts -------------------------------------------------------------------------------------
 */

/* NULL: such events count for their recipient. */
static const char *why_not(enum kind kind)
{
    switch (kind) {
    case KIND_RECEIVED:
        return "the MTA took the mail, no more";
    case KIND_DROPPED:
        return "not sent: the upstream's own list holds the recipient";
    case KIND_ADMIN:
        return "an operator of the MTA pulled it";
    case KIND_IGNORED:
        return "says nothing of a recipient, or is of a type that nobody knows";
    case KIND_DELIVERED:
    case KIND_DEFERRED:
    case KIND_BOUNCED:
    case KIND_EXPIRED:
    case KIND_LATE_BOUNCE:
    case KIND_COMPLAINT:
    case KIND_UNSUBSCRIBE:
    case KIND_SUPPRESS:
    case KIND_RELEASE:
        return NULL;
    case KIND_COUNT:
        break;
    }
    CHECK(!"a kind without a case");
    return NULL;
}

static void print_kind(const struct decode_table *table, enum kind kind)
{
    const char *why = why_not(kind);
    fprintf(table->out, "  %-11s %9" PRIu64, kind_name(kind), table->kinds[kind]);
    if (why != NULL) {
        fprintf(table->out, "   ignored: %s", why);
    } else if (table->local[kind] > 0) {
        fprintf(table->out, "   %" PRIu64 " of local origin: our own doing", table->local[kind]);
    }
    fprintf(table->out, "\n");
}

void decode_table_end(struct decode_table *table)
{
    uint64_t events = 0;
    decode_table_flush(table);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        events += table->kinds[kind];
    }
    fprintf(table->out, "\nevents        %9" PRIu64 "\n", events);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (table->kinds[kind] > 0) {
            print_kind(table, (enum kind)kind);
        }
    }
    fprintf(table->out, "faults        %9" PRIu64 "\n", table->faults);
    for (size_t i = 0; i < table->reason_count; i++) {
        fprintf(table->out, "              %9" PRIu64 "   %s\n", table->reasons[i].count,
                table->reasons[i].words);
    }
}

/* --- the table ----------------------------------------------------------------------------------
 */

enum err decode_table_create(FILE *out, size_t width, struct decode_table **table)
{
    struct decode_table *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NO_MEMORY;
    }
    t->out = out;
    t->width = width < DECODE_TABLE_WIDTH_MIN   ? DECODE_TABLE_WIDTH_MIN
               : width > DECODE_TABLE_WIDTH_MAX ? DECODE_TABLE_WIDTH_MAX
                                                : width;
    t->memory = writer_init(t->bytes, sizeof(t->bytes));
    t->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (t->locale != (locale_t)0) {
        t->locale_before = uselocale(t->locale);
    }
    *table = t;
    return OK;
}

void decode_table_destroy(struct decode_table **table)
{
    struct decode_table *t = *table;
    *table = NULL;
    if (t != NULL && t->locale != (locale_t)0) {
        (void)uselocale(t->locale_before);
        freelocale(t->locale);
    }
    free(t);
}

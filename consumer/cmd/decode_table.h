/* consumer/cmd/decode_table.h - what `decode --table` prints: a row for each event and each fault, and the counts at the end.
 *
 *     record  kind     origin  recipient        code  status  tenant  campaign  text
 *     1       bounced  remote  gil@example.com  550   5.1.1   acme    spring26  User unknown
 *     2       fault    column 9: not JSON: an unclosed string
 *
 * Rows are kept until decode_table_flush(), or until there are many, so that columns are as wide as they need to be; a column in
 * which nothing stands is left out. Where the others would leave too little of a line, the text stands on the next one. When later
 * rows need other columns, the heads are printed again. Whatever the bytes of a text, the terminal gets neither control characters
 * nor half characters, and no line is wider than it. The text is the reply's; of an event without one, the upstream's class.
 *
 * Owns:    a table its memory, of fixed size. Texts are copied.
 * Thread:  confined to one.
 * Errors:  ERR_NO_MEMORY from decode_table_create(). What cannot be written is left to ferror().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "classify/event.h"

enum { DECODE_TABLE_WIDTH_MIN = 40, DECODE_TABLE_WIDTH_MAX = 1000 };

struct decode_table;

/* `width` in columns; what is outside the bounds is taken as the nearer bound. */
MUST_USE enum err decode_table_create(FILE *out, size_t width, struct decode_table **table);
void decode_table_destroy(struct decode_table **table);

/* A line with the file's name, before its rows. */
void decode_table_file(struct decode_table *table, const char *path);

void decode_table_event(struct decode_table *table, uint64_t record, const struct event *event);

/* `record` 0: counted alone, without a row. */
void decode_table_fault(struct decode_table *table,
                        uint64_t record,
                        uint64_t column,
                        const char *reason);

void decode_table_flush(struct decode_table *table);

/* The rows that are left, then how many events of each kind there were, why some say nothing of a recipient, and the faults. */
void decode_table_end(struct decode_table *table);

/* consumer/cmd/source_file.h - a file (or standard input) in pieces that a decoder takes: whole
 * lines, or all of it.
 *
 * A file that begins with `[` is one JSON array and comes in one piece, so does a mail; every other comes in pieces
 * of whole lines, as soon as they are there, so a pipe is followed as it flows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"

struct format;
struct source_file;

/* "-": standard input. ERR_IO: said on stderr. */
MUST_USE enum err source_file_open(const char *path,
                                   const struct format *format,
                                   struct source_file **out);
void source_file_close(struct source_file **file);

/* The next piece, borrowed until the next call; *first_line is the number of its first line,
 * from 1. ERR_NOT_FOUND at the end; ERR_FULL: a line, or the array, is longer than a record may be
 * (said): call again for what follows; ERR_IO (said). */
MUST_USE enum err source_file_next(struct source_file *file,
                                   struct span *piece,
                                   uint64_t *first_line);

/* For a progress bar: bytes read, and the size of the file, 0 if unknown. */
uint64_t source_file_read(const struct source_file *file);
uint64_t source_file_size(const struct source_file *file);

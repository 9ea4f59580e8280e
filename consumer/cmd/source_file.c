/* consumer/cmd/source_file.c - see source_file.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/cmd/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classify/decode.h"

enum { READ_SIZE = 1024 * 1024, BUFFER_SIZE = DECODE_RECORD_SIZE_MAX + READ_SIZE };

/* Some editors put it in front. */
#define BYTE_ORDER_MARK SPAN("\xef\xbb\xbf")

struct source_file {
    const char *path;
    const struct format *format;
    int fd;
    uint64_t size;
    uint64_t read;
    char *buffer;
    size_t filled;
    size_t given; /* of the buffer, in the piece before */
    uint64_t line;
    bool is_begun;
    bool is_whole;
    bool at_end;
};

enum err source_file_open(const char *path, const struct format *format, struct source_file **out)
{
    struct source_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return ERR_NO_MEMORY;
    }
    const bool is_stdin = strcmp(path, "-") == 0;
    file->path = is_stdin ? "standard input" : path;
    file->line = 1;
    file->format = format;
    file->buffer = malloc(BUFFER_SIZE);
    file->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file->buffer == NULL || file->fd < 0) {
        fprintf(stderr, "suppressd: %s: %s\n", file->path, strerror(errno));
        source_file_close(&file);
        return ERR_IO;
    }
    struct stat about;
    if (fstat(file->fd, &about) == 0 && S_ISREG(about.st_mode)) {
        file->size = (uint64_t)about.st_size;
    }
    *out = file;
    return OK;
}

void source_file_close(struct source_file **file)
{
    struct source_file *f = *file;
    *file = NULL;
    if (f == NULL) {
        return;
    }
    if (f->fd > STDIN_FILENO) {
        close(f->fd);
    }
    free(f->buffer);
    free(f);
}

uint64_t source_file_read(const struct source_file *file)
{
    return file->read;
}

uint64_t source_file_size(const struct source_file *file)
{
    return file->size;
}

static enum err read_more(struct source_file *file)
{
    ssize_t size;
    do {
        size = read(file->fd, file->buffer + file->filled, READ_SIZE);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        fprintf(stderr, "suppressd: %s: %s\n", file->path, strerror(errno));
        return ERR_IO;
    }
    file->at_end = size == 0;
    file->filled += (size_t)size;
    file->read += (uint64_t)size;
    return OK;
}

/* What was given is done with: the rest moves to the front. */
static void forget_given(struct source_file *file)
{
    const char *end = file->buffer + file->given;
    for (const char *at = file->buffer; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        file->line++;
    }
    memmove(file->buffer, file->buffer + file->given, file->filled - file->given);
    file->filled -= file->given;
    file->given = 0;
}

static void look_at_beginning(struct source_file *file)
{
    struct span text = span_trim((struct span){file->buffer, file->filled});
    if (span_starts(text, BYTE_ORDER_MARK)) {
        text = span_trim(
            (struct span){text.data + BYTE_ORDER_MARK.size, text.size - BYTE_ORDER_MARK.size});
    }
    if (text.size > 0) {
        file->is_begun = true;
        file->is_whole = format_wants_whole(file->format, text);
    }
}

/* A small file does: then an event may also stand in several lines. */
static bool comes_whole(const struct source_file *file)
{
    return file->size > 0 && file->size <= DECODE_RECORD_SIZE_MAX;
}

/* The bytes of the buffer that make a piece, 0: more must be read. */
static size_t piece_size(struct source_file *file)
{
    if (!file->is_begun) {
        look_at_beginning(file);
    }
    if (file->at_end) {
        return file->filled;
    }
    if (file->is_whole || !file->is_begun || comes_whole(file)) {
        return 0;
    }
    const char *newline = memrchr(file->buffer, '\n', file->filled);
    return newline == NULL ? 0 : (size_t)(newline - file->buffer) + 1;
}

/* Says so, and forgets the line (the rest of an array): the next call goes on behind it. */
static enum err skip_too_long(struct source_file *file)
{
    fprintf(stderr,
            "suppressd: %s:%llu: longer than a record may be (%d bytes): not taken; split it, one "
            "event a line\n",
            file->path, (unsigned long long)file->line, DECODE_RECORD_SIZE_MAX);
    for (;;) {
        const char *newline = file->is_whole ? NULL : memchr(file->buffer, '\n', file->filled);
        file->given = newline == NULL ? file->filled : (size_t)(newline - file->buffer) + 1;
        if (newline != NULL || file->at_end) {
            return ERR_FULL;
        }
        forget_given(file);
        const enum err err = read_more(file);
        if (err != OK) {
            return err;
        }
    }
}

enum err source_file_next(struct source_file *file, struct span *piece, uint64_t *first_line)
{
    forget_given(file);
    while (!file->at_end || file->filled > 0) {
        const size_t size = piece_size(file);
        if (size > 0 && size <= DECODE_RECORD_SIZE_MAX) {
            file->given = size;
            *piece = (struct span){file->buffer, size};
            *first_line = file->line;
            return OK;
        }
        if (file->filled > DECODE_RECORD_SIZE_MAX) {
            return skip_too_long(file);
        }
        const enum err err = read_more(file);
        if (err != OK) {
            return err;
        }
    }
    return ERR_NOT_FOUND;
}

/* base/log.c - see log.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum { LINE_SIZE_MAX = 2048 };

static enum log_level level_min = LOG_INFO;

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};

static const char *const ERR_NAMES[] = {
    [OK] = "ok",
    [ERR_NO_MEMORY] = "no_memory",
    [ERR_FULL] = "full",
    [ERR_IO] = "io",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_BAD_FORMAT] = "bad_format",
    [ERR_BAD_VERSION] = "bad_version",
    [ERR_BAD_CONFIG] = "bad_config",
    [ERR_TIMEOUT] = "timeout",
    [ERR_REFUSED] = "refused",
};

const char *err_name(enum err err)
{
    return ERR_NAMES[err];
}

void log_set_level(enum log_level level)
{
    level_min = level;
}

static void write_all(const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(STDERR_FILENO, bytes, size);
        if (written <= 0) {
            return; /* nobody is left to be told */
        }
        bytes += written;
        size -= (size_t)written;
    }
}

static void log_valist(enum log_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void log_valist(enum log_level level, const char *format, va_list arguments)
{
    if (level < level_min) {
        return;
    }
    char line[LINE_SIZE_MAX];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    size += (size_t)snprintf(line + size, sizeof(line) - size, ".%03dZ %s ",
                             (int)(now.tv_nsec / 1000000), LEVEL_NAMES[level]);
    const int wanted = vsnprintf(line + size, sizeof(line) - size - 1, format, arguments);
    if (wanted > 0) {
        const size_t room = sizeof(line) - size - 2;
        size += (size_t)wanted < room ? (size_t)wanted : room;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }
    line[size++] = '\n';
    write_all(line, size);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_valist(level, format, arguments);
    va_end(arguments);
}

void log_line_limited(
    enum log_level level, long long *last_mono_ms, long long interval_ms, const char *format, ...)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const long long now_ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
    if (*last_mono_ms != 0 && now_ms - *last_mono_ms < interval_ms) {
        return;
    }
    *last_mono_ms = now_ms;
    va_list arguments;
    va_start(arguments, format);
    log_valist(level, format, arguments);
    va_end(arguments);
}

noreturn void check_failed(const char *condition, const char *file, int line)
{
    log_line(LOG_ERROR, "bug: %s does not hold at %s:%d", condition, file, line);
    abort();
}

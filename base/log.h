/* base/log.h - checks and log lines.
 *
 * CHECK is for our own bugs: always on, also in release builds; it prints the place and aborts.
 * Never for input. Log lines go to stderr, one line each: time, level, message, then what the
 * caller adds as key=value.
 *
 * Thread:  any. Each line is one write(2), so lines of several threads never mix.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdnoreturn.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            check_failed(#condition, __FILE__, __LINE__);                                          \
        }                                                                                          \
    } while (0)

noreturn void check_failed(const char *condition, const char *file, int line);

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below this level are dropped. Default LOG_INFO. Set once, before threads start. */
void log_set_level(enum log_level level);

/* One line: `2026-11-21T10:00:00.000Z info MESSAGE`. The message is what a person reads first;
 * facts follow it in the format as `key=value`. Control characters in the result are replaced by
 * spaces: no input can forge a second line. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, at most once in interval_ms per call site: *last_mono_ms is the site's static memory.
 */
void log_line_limited(enum log_level level,
                      long long *last_mono_ms,
                      long long interval_ms,
                      const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* base/err.h - what the world answered.
 *
 * The one set of results for things that can fail without being our bug: broker, disk, memory, a
 * file of the user's. A function that returns `enum err` leaves its out-parameters untouched unless
 * it returns OK. Whoever stops passing an error up logs it, once. Bad input (a record that cannot
 * be read) is not an error: it is counted and dead-lettered.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))

enum err {
    OK = 0,
    ERR_NO_MEMORY,   /* malloc said no */
    ERR_FULL,        /* a bound of ours is reached; nothing was changed */
    ERR_IO,          /* a file or socket failed; errno was logged with the name */
    ERR_NOT_FOUND,   /* it is not there */
    ERR_BAD_FORMAT,  /* bytes that should be ours and are not */
    ERR_BAD_VERSION, /* ours, but written by a newer program */
    ERR_BAD_CONFIG,  /* the user's words; already explained with file and line */
    ERR_TIMEOUT,     /* no answer in the time given */
    ERR_REFUSED,     /* going on would lose something; already explained */
};

/* The name as in this file, without ERR_ and in lower case: "no_memory". */
const char *err_name(enum err err);

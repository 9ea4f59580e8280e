/* classify/codes.h - the table of codes: what a reply means by its numbers alone (design 4).
 *
 * A perfect hash: a look-up is two multiplications and one comparison, whatever the table holds. It
 * is built when rules load, never changed, and read without a lock.
 *
 * Rows come from the lists `codes` of the rule files, each with an example that it must win. A row
 * of the user's takes the place of ours. A fault is a fault of the file (FILE:LINE), never of a row
 * that is then left out.
 *
 * Limits:  CODES_MAX rows.
 * Thread:  any, once loaded.
 * Sources: RFC 5321 4.2.3, RFC 3463, RFC 5248 and IANA's registry of enhanced status codes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/err.h"
#include "base/yaml.h"
#include "classify/classify.h"
#include "classify/rule_file.h"

enum { CODES_MAX = 4096, CODE_RULE_SIZE = 16 /* 452 4.2.2 and NUL */ };

struct codes;

struct code_match {
    enum category category;
    enum found_by by; /* enhanced or code */
    const char *rule; /* "452 4.2.2", "5.1.1", "5.1" or "550"; lives as long as the table */
    struct rule_place place;
    bool is_shipped;
    uint32_t slot; /* its number: below codes_slots() */
};

/* The rows of all files, the user's first. ERR_BAD_CONFIG: faults were added to the files', and
 * *out is left alone. The trees must live as long as places are asked for. */
MUST_USE enum err codes_load(const struct rule_file *files, size_t count, struct codes **out);
void codes_destroy(struct codes **codes);

size_t codes_count(const struct codes *codes);

/* The rows by number; false: there is none of this number. */
size_t codes_slots(const struct codes *codes);
bool codes_at(const struct codes *codes, size_t slot, struct code_match *out);

/* What the enhanced code says, with the reply code and without: x.y.z, then x.y. False: nothing, or
 * there is none. */
bool codes_find_enhanced(const struct codes *codes,
                         uint16_t reply_code,
                         struct enhanced enhanced,
                         struct code_match *out);

/* What the reply code alone says. */
bool codes_find_reply(const struct codes *codes, uint16_t reply_code, struct code_match *out);

/* classify/codes.h - the table of codes: reply code and enhanced code to category, with fallbacks.
 *
 * A perfect hash: one multiplication, one shift, one comparison for each step of
 *     code and enhanced together -> enhanced x.y.z -> x.y -> code
 * Built when rules load, immutable, read without a lock.
 *
 * Owns:    its rows and their ids.
 * Thread:  any, for reading.
 * Errors:  codes_create(): ERR_NO_MEMORY. Faults of the file are left in it (yaml_fault), each with
 * its line. Sources: RFC 5321 4.2, RFC 3463, IANA "SMTP Enhanced Status Codes",
 * classify/rules/codes.yaml.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/yaml.h"
#include "classify/event.h"

enum { CODE_ID_SIZE = 24 };

struct code_row {
    enum category category;
    bool has_enhanced;
    char id[CODE_ID_SIZE]; /* "codes:452 4.3.1" */
};

struct codes;

/* Reads the list below `codes:`. Every row must find itself; a code that stands twice is a fault.
 */
MUST_USE enum err codes_create(struct yaml *file, struct codes **out);
void codes_destroy(struct codes **codes);

/* Enhanced with class 0: there is none. NULL: no row. */
const struct code_row *codes_find_enhanced(const struct codes *codes,
                                           uint16_t code,
                                           struct enhanced enhanced);
const struct code_row *codes_find_code(const struct codes *codes, uint16_t code);

size_t codes_count(const struct codes *codes);

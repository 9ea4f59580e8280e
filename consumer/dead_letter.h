/* consumer/dead_letter.h - what could not be taken, with its reason and its place, for people and
 * tools.
 *
 * Key: none. Value: the part that could not be taken, as it came, cut at DEAD_LETTER_SIZE_MAX.
 * Headers: suppressd-reason, -topic, -partition, -offset, -part (line or element, from 1;
 * 0: the record as a whole), -position (byte in the record), -format, -cut.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/intake.h"
#include "consumer/outbox.h"

enum { DEAD_LETTER_SIZE_MAX = 256 * 1024 };

/* `topic_index`: of the dead letters, in the io's outputs. `format`: NULL or empty: none. */
void dead_letter_add(struct outbox *outbox,
                     uint16_t topic_index,
                     const struct dead_letter *letter,
                     struct span topic,
                     int32_t partition,
                     int64_t offset,
                     const char *format);

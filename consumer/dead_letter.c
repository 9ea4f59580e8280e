/* consumer/dead_letter.c - see dead_letter.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/dead_letter.h"

#include <inttypes.h>
#include <stdio.h>

static struct span number(struct outbox *outbox, int64_t value)
{
    char text[24];
    const int size = snprintf(text, sizeof(text), "%" PRId64, value);
    return outbox_copy(outbox, (struct span){text, (size_t)size});
}

void dead_letter_add(struct outbox *outbox,
                     uint16_t topic_index,
                     const struct dead_letter *letter,
                     struct span topic,
                     int32_t partition,
                     int64_t offset,
                     const char *format)
{
    const bool is_cut = letter->part.size > DEAD_LETTER_SIZE_MAX;
    const struct span value = {letter->part.data,
                               is_cut ? DEAD_LETTER_SIZE_MAX : letter->part.size};
    const struct io_header headers[] = {
        {"suppressd-reason", outbox_copy(outbox, span_of(letter->reason))},
        {"suppressd-topic", outbox_copy(outbox, topic)},
        {"suppressd-partition", number(outbox, partition)},
        {"suppressd-offset", number(outbox, offset)},
        {"suppressd-part", number(outbox, letter->part_index)},
        {"suppressd-position", number(outbox, (int64_t)letter->position)},
        {"suppressd-format", span_of(format)},
        {"suppressd-cut", is_cut ? SPAN("true") : SPAN("false")},
    };
    const struct io_record record = {
        .topic = topic_index,
        .partition = IO_KEY_ANY,
        .key = SPAN_NONE,
        .is_tombstone = value.data == NULL,
        .value = outbox_copy(outbox, value),
    };
    outbox_add(outbox, &record, headers, sizeof(headers) / sizeof(headers[0]));
}

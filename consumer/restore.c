/* consumer/restore.c - see restore.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/restore.h"

#include <inttypes.h>

#include "base/log.h"
#include "consumer/test_points.h"
#include "consumer/worker.h"

enum {
    COMMITTED_TIMEOUT_MS = 200,
    RANGE_TIMEOUT_MS = 1000,
    READ_TIMEOUT_MS = 50,
    STEP_MS = 100,
    PROGRESS_INTERVAL_MS = 10000,
    READ_MESSAGES_MAX = 1024,
    /* another owner may have gone on while we read: then its newer state and offset follow */
    REREADS_MAX = 5,
};

struct restore restore_begin(struct io_partition events, uint16_t changelog_topic)
{
    return (struct restore){
        .events = events,
        .changelog = {changelog_topic, events.partition},
        .told_ms = mono_ms(),
    };
}

void restore_abandon(struct restore *restore, struct io *io)
{
    if (restore->is_reading) {
        io->ops->log_close(io);
        restore->is_reading = false;
    }
}

static enum err open_log(struct restore *restore, struct io *io)
{
    int64_t begin;
    enum err err =
        io->ops->committed(io, restore->events, &restore->committed, COMMITTED_TIMEOUT_MS);
    if (err != OK) {
        return err;
    }
    err = io->ops->output_range(io, restore->changelog, &begin, &restore->end, RANGE_TIMEOUT_MS);
    if (err != OK) {
        return err;
    }
    if (begin > restore->position) {
        log_error(
            "the changelog was trimmed: what lies below its beginning is lost. Was it ever set to "
            "delete, or were records deleted? Restore it from a backup, or delete the changelog, "
            "the events and the group's offsets to begin anew partition=%" PRId32 " begin=%" PRId64
            " wanted=%" PRId64,
            restore->events.partition, begin, restore->position);
        return ERR_REFUSED;
    }
    err = io->ops->log_open(io, restore->changelog, restore->position);
    if (err != OK) {
        return err;
    }
    restore->is_reading = true;
    return OK;
}

static enum err take(struct restore *restore, struct shard *shard, const struct io_message *message)
{
    const struct span value = message->is_tombstone ? SPAN_NONE : message->value;
    const enum err err = shard_restore(shard, message->key, value);
    if (err == ERR_BAD_FORMAT || err == ERR_BAD_VERSION) {
        log_error("changelog: %s partition=%" PRId32 " offset=%" PRId64,
                  err == ERR_BAD_VERSION
                      ? "written by a newer suppressd: run that version here"
                      : "a record that suppressd did not write: remove what writes to this topic",
                  restore->changelog.partition, message->offset);
        return ERR_REFUSED;
    }
    restore->records++;
    TEST_POINT(RESTORING, "shard-");
    return err;
}

static enum err read_some(struct restore *restore, struct io *io, struct shard *shard)
{
    static _Thread_local struct io_message messages[READ_MESSAGES_MAX];
    size_t count = 0;
    enum err err = io->ops->log_read(io, messages, READ_MESSAGES_MAX, READ_TIMEOUT_MS, &count,
                                     &restore->position);
    if (err != OK) {
        return err;
    }
    for (size_t i = 0; i < count && err == OK; i++) {
        err = take(restore, shard, &messages[i]);
    }
    io->ops->release(io, messages, count);
    return err;
}

static enum err refuse(const struct restore *restore, const struct shard *shard, const char *what)
{
    log_error("state and offsets do not agree: %s partition=%" PRId32 " committed=%" PRId64
              " state=%" PRId64 " changelog_end=%" PRId64,
              what, restore->events.partition, restore->committed,
              shard_progress(shard)->next_offset, restore->end);
    return ERR_REFUSED;
}

/* The events topic must still hold everything from here on. */
static enum err check_events(struct restore *restore,
                             struct io *io,
                             const struct shard *shard,
                             int64_t *next)
{
    int64_t begin;
    int64_t end;
    const enum err err = io->ops->input_range(io, restore->events, &begin, &end, RANGE_TIMEOUT_MS);
    if (err != OK) {
        return err;
    }
    if (restore->committed < 0) {
        *next = begin;
        return OK;
    }
    if (restore->committed < begin) {
        return refuse(restore, shard,
                      "events were deleted before they were read. Give the events topic "
                      "retention.ms=-1; to accept the loss, set the group's offset and restore the "
                      "changelog from a backup");
    }
    if (restore->committed > end) {
        return refuse(restore, shard,
                      "the events topic ends before the committed offset: it was made anew. Delete "
                      "the changelog and the group's offsets as well to begin anew");
    }
    *next = restore->committed;
    return OK;
}

static bool agrees(const struct restore *restore, const struct shard *shard)
{
    const struct progress *progress = shard_progress(shard);
    if (restore->committed < 0) {
        return progress->sequence == 0 && store_count(shard_store(shard)) == 0;
    }
    return progress->sequence > 0 && progress->next_offset == restore->committed;
}

static enum err check_progress(struct restore *restore,
                               struct io *io,
                               struct shard *shard,
                               int64_t *next)
{
    if (agrees(restore, shard) || TEST_HAS_PLANTED(RESTORE_TO_LSO)) {
        const enum err err = check_events(restore, io, shard, next);
        if (err == OK) {
            log_info("restored partition=%" PRId32 " records=%" PRIu64 " keys=%" PRIu64
                     " next_offset=%" PRId64,
                     restore->events.partition, restore->records, store_count(shard_store(shard)),
                     *next);
        }
        return err;
    }
    if (restore->rereads++ < REREADS_MAX) {
        return ERR_TIMEOUT; /* begins with the committed offset again, and reads on */
    }
    if (restore->committed < 0) {
        return refuse(restore, shard,
                      "the changelog has state, but the group has no committed offset. Were its "
                      "offsets deleted? Set the group's offset to the state's");
    }
    if (shard_progress(shard)->sequence == 0) {
        return refuse(restore, shard,
                      "the group has a committed offset, but the changelog holds no state. Was it "
                      "deleted or made anew? Restore it, or delete the group's offsets and the "
                      "events too to begin anew");
    }
    return refuse(restore, shard,
                  "the committed offset is not the one that the state was made with. Was it reset? "
                  "Set the group's offset back to the state's");
}

static void tell_progress(struct restore *restore)
{
    log_line_limited(LOG_INFO, &restore->told_ms, PROGRESS_INTERVAL_MS,
                     "restoring partition=%" PRId32 " records=%" PRIu64 " at=%" PRId64
                     " of=%" PRId64,
                     restore->events.partition, restore->records, restore->position, restore->end);
}

enum err restore_step(struct restore *restore, struct io *io, struct shard *shard, int64_t *next)
{
    if (!restore->is_reading) {
        const enum err err = open_log(restore, io);
        if (err != OK) {
            return err;
        }
    }
    const int64_t until_ms = mono_ms() + STEP_MS;
    while (restore->position < restore->end) {
        const enum err err = read_some(restore, io, shard);
        if (err != OK) {
            return err;
        }
        tell_progress(restore);
        if (mono_ms() >= until_ms && restore->position < restore->end) {
            return ERR_TIMEOUT;
        }
    }
    restore_abandon(restore, io);
    return check_progress(restore, io, shard, next);
}

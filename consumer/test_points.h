/* consumer/test_points.h - named places at which a test may harm the program.
 *
 * Only where the build option SUPPRESSD_TEST_POINTS is on; in what is shipped every macro here is
 * nothing, and the environment is not looked at. A test says in the environment:
 *
 *     SUPPRESSD_CRASH_AT=ROLE.POINT[:N]   SIGKILL at the Nth pass of the point (default 1)
 *     SUPPRESSD_STOP_AT=ROLE.POINT[:N]    SIGSTOP there: a zombie, once it is continued
 *     SUPPRESSD_NAP_AT=ROLE.POINT[:N]     the worker's thread sleeps there for TEST_NAP_S; its client lives on
 *     SUPPRESSD_ABORT_AT=ROLE[:N]         every Nth transaction is taken back instead of committed
 *     SUPPRESSD_PLANT=NAME                a bug, to see that the tests see it
 *
 * ROLE is intake or shard. A pass counts for the process, whichever worker of the role it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Point, its name, and whether the intake passes it too (every shard worker passes all). */
#define TEST_POINTS(POINT)                                                                         \
    POINT(AFTER_POLL, "after_poll", true)                                                          \
    POINT(MID_PROCESS, "mid_process", true)                                                        \
    POINT(AFTER_BEGIN, "after_begin", true)                                                        \
    POINT(AFTER_PRODUCE, "after_produce", true)                                                    \
    POINT(AFTER_FLUSH, "after_flush", true)                                                        \
    POINT(BEFORE_OFFSETS, "before_offsets", true)                                                  \
    POINT(AFTER_OFFSETS, "after_offsets", true)                                                    \
    POINT(BEFORE_COMMIT, "before_commit", true)                                                    \
    POINT(AFTER_COMMIT, "after_commit", true)                                                      \
    POINT(BEFORE_ABORT, "before_abort", true)                                                      \
    POINT(AFTER_ABORT, "after_abort", true)                                                        \
    POINT(IN_REVOKE, "in_revoke", true)                                                            \
    POINT(RESTORING, "restoring", false)

enum { TEST_NAP_S = 25 };

#define TEST_PLANTS(PLANT)                                                                         \
    /* a restore ends at the last stable offset, and trusts what it has read by then */            \
    PLANT(RESTORE_TO_LSO, "restore_to_lso")                                                        \
    /* an abort leaves the shards' memory as the transaction had changed it */                     \
    PLANT(SKIP_UNDO, "skip_undo")                                                                  \
    /* the offset of a shard is not sent if it has not moved: only the sweep changed it */         \
    PLANT(SKIP_OFFSET, "skip_offset")

#define TEST_FIRST(first, ...) first,
enum test_point { TEST_POINTS(TEST_FIRST) TEST_POINT_COUNT };
enum test_plant { TEST_PLANTS(TEST_FIRST) TEST_PLANT_COUNT };

#ifdef SUPPRESSD_TEST_POINTS

/* Takes what the environment says; before any thread starts. ERR_BAD_CONFIG: a word that the tables
 * above do not know; the log says which they know. */
MUST_USE enum err test_points_read(void);
/* worker: its name, which begins with its role. */
void test_point_pass(enum test_point point, const char *worker);
bool test_is_aborting(const char *worker);
bool test_has_planted(enum test_plant plant);

#define TEST_POINT(point, worker) test_point_pass(point, worker)
#define TEST_IS_ABORTING(worker)  test_is_aborting(worker)
#define TEST_HAS_PLANTED(plant)   test_has_planted(plant)

#else

static inline enum err test_points_read(void)
{
    return OK;
}

#define TEST_POINT(point, worker) ((void)0)
#define TEST_IS_ABORTING(worker)  false
#define TEST_HAS_PLANTED(plant)   false

#endif

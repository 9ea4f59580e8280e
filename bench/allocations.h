/* bench/allocations.h - how often this thread has asked for memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* False where malloc() is a sanitizer's: the count stays 0. */
bool allocations_are_counted(void);
size_t allocations_of_thread(void);

/* bench/allocations.c - see allocations.h. The program's own malloc() goes before the C library's,
 * for the libraries that it uses too, and calls it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/allocations.h"

static _Thread_local size_t count;

#ifdef ALLOCATIONS_COUNTED

// glibc's own names
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *memory, size_t size);
void *aligned_alloc(size_t alignment, size_t size);

void *malloc(size_t size)
{
    count++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count++;
    return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    count++;
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count++;
    return __libc_memalign(alignment, size);
}

bool allocations_are_counted(void)
{
    return true;
}

#else

bool allocations_are_counted(void)
{
    return false;
}

#endif

size_t allocations_of_thread(void)
{
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Allocations that fail, those of the tested code and of the test. The test's source says so in a line:
 * "// wrap: malloc calloc realloc reallocarray strdup strndup".
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

static struct {
	atomic_long left; /* allocations until one fails, of all threads; -1: none does */
	atomic_bool all;  /* those behind it fail too */
	atomic_bool failed;
} nomem = {.left = -1};

/* From here on n allocations succeed, and one fails. */
static inline void nomem_once(long n)
{
	atomic_store(&nomem.all, false);
	atomic_store(&nomem.failed, false);
	atomic_store(&nomem.left, n);
}

/* From here on n allocations succeed, and no more. */
static inline void nomem_from(long n)
{
	nomem_once(n);
	atomic_store(&nomem.all, true);
}

/* There is memory again. Has an allocation failed? */
static inline bool nomem_end(void)
{
	atomic_store(&nomem.left, -1);
	return atomic_load(&nomem.failed);
}

static inline bool nomem_fails(void)
{
	long left = atomic_load(&nomem.left);

	do {
		if (left < 0)
			return false;
	} while (!atomic_compare_exchange_weak(
		&nomem.left, &left, left == 0 && atomic_load(&nomem.all) ? 0 : left - 1));
	if (left > 0)
		return false;
	atomic_store(&nomem.failed, true);
	return true;
}

#define NOMEM_WRAP(type, name, params, args)                                                       \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return nomem_fails() ? NULL : __real_##name args;                                  \
	}
NOMEM_WRAP(void *, malloc, (size_t size), (size))
NOMEM_WRAP(void *, calloc, (size_t n, size_t size), (n, size))
NOMEM_WRAP(void *, realloc, (void *p, size_t size), (p, size))
NOMEM_WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
NOMEM_WRAP(char *, strdup, (const char *s), (s))
NOMEM_WRAP(char *, strndup, (const char *s, size_t n), (s, n))

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One copy of each string; equal strings have equal pointers until the pool is freed. */
#pragma once
#include <stddef.h>

struct intern;
int intern_new(struct intern **ret);
struct intern *intern_free(struct intern *p); /* NULL */
/* NULL when out of memory. Borrowed, lives as long as the pool. */
const char *intern_str(struct intern *p, const char *s);
/* The memory that the pool takes. */
size_t intern_bytes(const struct intern *p);
const char *intern_strn(struct intern *p, const char *s, size_t len);

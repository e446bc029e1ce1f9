/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A growing byte buffer. Errors stick: after a failed allocation further adds do nothing and buf_error() says
 * -ENOMEM, so that a writer checks once, at the end. The data is always NUL-terminated.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct buf {
	char *data; /* owned; NULL while empty */
	size_t len;
	size_t cap;
	int error; /* 0 or -ENOMEM */
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) _printf_(2, 3);
void buf_vaddf(struct buf *b, const char *format, va_list ap) _printf_(2, 0);
void buf_reset(struct buf *b); /* keeps the memory */
void buf_free(struct buf *b);
int buf_error(const struct buf *b);
const char *buf_str(const struct buf *b); /* "" when empty; borrowed until the next add */
/* The string, owned by the caller; NULL when out of memory. Leaves b empty. */
char *buf_take(struct buf *b);
#define _buf_ _cleanup_(buf_free)

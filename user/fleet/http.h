/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* POST to one server, again and again over one connection. Everything that comes back has a limit. Within fleet/ only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fleet/fleet.h"

struct http;
/*
 * -EINVAL: the URL is none of http or https; -EACCES, -ENOENT...: a file of the options; *error has one line for all of
 * these.
 */
int http_new(const struct fleet_options *o, struct http **ret, struct buf *error);
struct http *http_free(struct http *h); /* NULL */
static inline void http_freep(struct http **h)
{
	(void)http_free(*h);
}
/* The URL without user, password and query: what messages may show. Borrowed. */
const char *http_shown(const struct http *h);
/* A value of a form, encoded, to b. */
void http_encode(const struct http *h, const char *value, struct buf *b);
/*
 * POSTs a form to URL/path. 0: something was answered, whatever its status; answer is filled from its begin. -ETIMEDOUT, -EFBIG
 * (more than the limit), -EHOSTUNREACH and others: *error says why, without "cannot ask".
 */
int http_post(struct http *h, const char *path, const char *form, struct buf *answer,
	      long *ret_status, struct buf *error);

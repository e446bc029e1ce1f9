/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * An HTTP/1.1 server for the caller's event loop; it knows no page. One thread calls all of it. What takes long runs on a
 * worker thread. A client can be slow or hostile: connections, their age, their memory, and the bytes of unsent answers are
 * bounded, and the one that has kept the server waiting longest goes first when it is full.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct web_config; /* web/config.h */

/* An answer. Counted references: one may serve many requests, also at once. */
struct web_page;
/* body: taken, also on failure. type: a static media type; NULL: text/plain in UTF-8. -ENOMEM. */
int web_page_new(unsigned int status, const char *type, struct buf *body, struct web_page **ret);
/* One line of text, for errors. */
int web_page_text(unsigned int status, struct web_page **ret, const char *format, ...)
	_printf_(3, 4);
/* Before the first use; name and value are copied. A header of that name that all pages have is replaced. -ENOMEM. */
int web_page_header(struct web_page *p, const char *name, const char *value);
struct web_page *web_page_ref(struct web_page *p);
struct web_page *web_page_unref(struct web_page *p); /* NULL */
static inline void web_page_unrefp(struct web_page **p)
{
	(void)web_page_unref(*p);
}

struct web_request;
const char *web_request_path(const struct web_request *r);
/* NULL: none. *ret_len may be more than its strlen(): then there is a NUL in it. Borrowed. */
const char *web_request_query(const struct web_request *r, const char *name, size_t *ret_len);
const char *web_request_header(const struct web_request *r, const char *name); /* NULL; borrowed */

struct web_route {
	const char *path; /* one that ends with '*' stands for all that begin so */
	/* *ret: a reference for the server. Negative errno: it answers 500, or 503 to -ENOMEM. */
	int (*make)(void *arg, const struct web_request *r, struct web_page **ret);
	bool slow; /* make() runs on the worker thread, one at a time; may not touch what the loop's thread has */
	bool open; /* no password is asked for */
};

struct web_options {
	const struct web_route *routes; /* borrowed, as arg */
	size_t n_routes;
	void *arg;
	const int *fds; /* listening sockets; they stay the caller's, and open */
	size_t n_fds;
	unsigned int max_connections; /* of each socket */
	const struct web_config
		*config; /* borrowed until the stop or a reload; NULL: neither TLS nor passwords */
};

struct web;
/* *error: one line that says why. */
int web_start(const struct web_options *options, struct web **ret, struct buf *error);
/* Waits at most wait_ms for the worker; one that does not come keeps its memory. NULL. */
struct web *web_stop(struct web *w, unsigned int wait_ms);
/* Readable: call web_run(). */
int web_fd(const struct web *w);
/* Also when this time is over. UINT64_MAX: never. */
uint64_t web_timeout_ms(struct web *w);
void web_run(struct web *w);
/* New certificates and passwords: open connections end. On failure all stays as it was. */
int web_reload(struct web *w, const struct web_config *config, struct buf *error);

struct web_stats {
	uint64_t requests, evicted, refused; /* refused: 503 since too much waits */
	uint64_t failed_auth;
	unsigned int connections;
};
void web_stats(const struct web *w, struct web_stats *ret);

/*
 * Sockets for "HOST:PORT", "[HOST]:PORT" or ":PORT" (every address); port 0: the kernel chooses. At most max; *ret_n of them.
 * -EINVAL: no such address; else as bind(2) says. *error: one line.
 */
int web_listen(const char *address, int *ret_fds, size_t max, size_t *ret_n, struct buf *error);
/* "http://127.0.0.1:9748/" of a listening socket. */
void web_url(int fd, bool tls, struct buf *ret);

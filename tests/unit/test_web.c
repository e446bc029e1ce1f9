/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup MHD_suspend_connection
/* The web server: routes, methods, passwords, headers, and what it does when it is asked too much. */
#include "web/web.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "unit/has.h"
#include "unit/no_memory.h"
#include "web/config.h"
#include "web/web_int.h"

#define CLIENTS 80
#define SLOW_MOST 8 /* WEB_MAX_SLOW */
/* bcrypt of "open sesame", cheap */
#define HASH "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"
#define ALICE "Authorization: Basic YWxpY2U6b3BlbiBzZXNhbWU=\r\n" /* alice:open sesame */
#define WRONG "Authorization: Basic YWxpY2U6b3BlbiB1cA==\r\n"	  /* alice:open up */
#define NOBODY "Authorization: Basic Ym9iOm9wZW4gc2VzYW1l\r\n"	  /* bob:open sesame */

struct site {
	struct web *web;
	struct web_config *config;
	int fd;
	struct sockaddr_in6 address;
	pthread_mutex_t gate; /* a slow page waits for it */
	atomic_uint slow;     /* pages begun */
};

struct asker {
	int fd;
	size_t len;
	char text[16384];
	bool over;
};

static int make_hello(void *arg, const struct web_request *r, struct web_page **ret)
{
	const char *header = web_request_header(r, "X-Name");
	size_t len;
	const char *query = web_request_query(r, "q", &len);

	(void)arg;
	return web_page_text(200, ret, "path %s query %s of %zu header %s", web_request_path(r),
			     query ? query : "none", len, header ? header : "none");
}

static int make_slow(void *arg, const struct web_request *r, struct web_page **ret)
{
	struct site *s = arg;

	(void)r;
	(void)atomic_fetch_add(&s->slow, 1);
	(void)pthread_mutex_lock(&s->gate);
	(void)pthread_mutex_unlock(&s->gate);
	return web_page_text(200, ret, "slowly");
}

static int make_dressed(void *arg, const struct web_request *r, struct web_page **ret)
{
	struct buf body = {0};
	int e;

	(void)arg;
	(void)r;
	buf_adds(&body, "<p>");
	e = web_page_new(418, "text/html", &body, ret);
	return e ? e : web_page_header(*ret, "Cache-Control", "max-age=5");
}

static int make_nothing(void *arg, const struct web_request *r, struct web_page **ret)
{
	(void)arg;
	(void)ret;
	return strstr(web_request_path(r), "memory") ? -ENOMEM :
	       strstr(web_request_path(r), "busy")   ? -EBUSY :
						       -EIO;
}

static const struct web_route routes[] = {
	{"/", make_hello, false, false},	  {"/open", make_hello, false, true},
	{"/tree/*", make_hello, false, false},	  {"/slow", make_slow, true, false},
	{"/dressed", make_dressed, false, false}, {"/fails/*", make_nothing, false, false},
	{"/late/*", make_nothing, true, false},
};

static struct web_config *config_of(const char *text)
{
	_buf_ struct buf error = {0};
	struct web_config *c = NULL;

	if (text && web_config_parse("/nowhere/w.yml", text, strlen(text), &c, &error))
		fail_msg("%s", buf_str(&error));
	return c;
}

static void site_open(struct site *s, const char *config)
{
	_buf_ struct buf error = {0};
	struct web_options o = {.routes = routes,
				.n_routes = ARRAY_LEN(routes),
				.arg = s,
				.fds = &s->fd,
				.max_connections = CLIENTS};
	socklen_t len = sizeof(s->address);
	size_t n = 0;

	*s = (struct site){.gate = PTHREAD_MUTEX_INITIALIZER, .config = config_of(config)};
	o.config = s->config;
	assert_int_equal(web_listen("localhost:0", &s->fd, 1, &n, &error), 0);
	assert_int_equal(n, 1);
	o.n_fds = n;
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&s->address, &len), 0);
	if (web_start(&o, &s->web, &error))
		fail_msg("%s", buf_str(&error));
}

static void site_close(struct site *s)
{
	s->web = web_stop(s->web, 10000);
	(void)web_config_free(s->config);
	assert_int_equal(close(s->fd), 0);
}

static void asker_begin(const struct site *s, struct asker *a, const char *request)
{
	*a = (struct asker){.fd = socket(s->address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_true(a->fd >= 0);
	assert_int_equal(connect(a->fd, (const struct sockaddr *)&s->address,
				 s->address.sin6_family == AF_INET ? sizeof(struct sockaddr_in) :
								     sizeof(s->address)),
			 0);
	assert_int_equal(send(a->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
}

static void asker_end(struct asker *a)
{
	(void)close(a->fd);
	a->fd = -1;
}

/* The loop, until the asker's connection is closed; or until something is done when it is NULL. */
static void serve(const struct site *s, struct asker *a)
{
	do {
		struct pollfd p[2] = {{.fd = web_fd(s->web), .events = POLLIN},
				      {.fd = a ? a->fd : -1, .events = POLLIN}};
		uint64_t ms = web_timeout_ms(s->web);
		ssize_t n;

		assert_true(poll(p, 2, ms > 1000 ? 1000 : (int)ms) >= 0);
		web_run(s->web);
		if (!a || !(p[1].revents))
			continue;
		n = recv(a->fd, a->text + a->len, sizeof(a->text) - 1 - a->len, MSG_DONTWAIT);
		a->over = n == 0 || (n < 0 && errno != EAGAIN);
		a->len += n > 0 ? (size_t)n : 0;
	} while (a && !a->over);
}

/* The whole answer to METHOD PATH with these headers. Borrowed until the next. */
static const char *asked(const struct site *s, const char *line, const char *headers)
{
	static struct asker a;
	char request[4096];

	(void)snprintf(request, sizeof(request),
		       "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", line, headers);
	asker_begin(s, &a, request);
	serve(s, &a);
	asker_end(&a);
	return a.text;
}

static void assert_status(const char *answer, unsigned int status)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "HTTP/1.1 %u ", status);
	if (strncmp(answer, want, strlen(want)) != 0)
		fail_msg("not %u: %s", status, answer);
}

static void test_routes(void **state)
{
	static const struct {
		const char *line, *headers;
		unsigned int status;
		const char *body;
	} cases[] = {
		{"GET /", "", 200, "path / query none of 0 header none"},
		{"GET /?q=a%20b", "X-Name: me\r\n", 200, "query a b of 3 header me"},
		{"GET /?q", "", 200, "query  of 0"},
		{"GET /?q=a%00b", "", 200, "query a of 3"},
		{"GET /tree/of/life", "", 200, "path /tree/of/life"},
		{"GET /tree/", "", 200, "path /tree/"},
		{"GET /tree", "", 404, "no such page"},
		{"GET /openly", "", 404, "no such page"},
		{"GET /slow", "", 200, "slowly"},
		{"GET /fails/x", "", 500, "could not be made"},
		{"GET /fails/memory", "", 503, "Busy"},
		{"GET /fails/busy", "", 503, "Retry-After: 5"},
		{"GET /late/x", "", 500, "could not be made"},
		{"GET /late/memory", "", 503, "Busy"},
		{"POST /", "Content-Length: 3\r\n", 405, "Allow: GET, HEAD"},
		{"DELETE /nothing", "", 404, "Only GET and HEAD"},
		{"GET /dressed", "", 418, "Cache-Control: max-age=5"},
		{"GET /dressed", "", 418, "Content-Type: text/html"},
		{"GET /", "", 200, "X-Content-Type-Options: nosniff"},
	};
	struct web_stats stats;
	struct site s;

	(void)state;
	site_open(&s, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *answer = asked(&s, cases[i].line, cases[i].headers);

		assert_status(answer, cases[i].status);
		has(answer, cases[i].body);
	}
	assert_status(asked(&s, "HEAD /", ""), 200);
	has_not(asked(&s, "HEAD /", ""), "path /");
	web_stats(s.web, &stats);
	assert_int_equal(stats.requests, ARRAY_LEN(cases) + 2);
	assert_int_equal(stats.refused, 3);
	assert_int_equal(stats.failed_auth, 0);
	site_close(&s);
}

static void test_passwords(void **state)
{
	struct web_stats stats;
	struct site s;

	(void)state;
	site_open(&s, "basic_auth_users:\n  alice: " HASH "\n");
	has(asked(&s, "GET /", ""), "WWW-Authenticate: Basic realm=\"lmmsd\"");
	assert_status(asked(&s, "GET /", WRONG), 401);
	assert_status(asked(&s, "GET /", NOBODY), 401);
	assert_status(asked(&s, "GET /", "Authorization: Bearer x\r\n"), 401);
	assert_status(asked(&s, "GET /none", ""),
		      401); /* what pages there are is nobody's business */
	assert_status(asked(&s, "GET /open", ""), 200);
	for (int i = 0; i < 2; i++) /* checked, then known */
		assert_status(asked(&s, "GET /slow", ALICE), 200);
	assert_status(asked(&s, "GET /none", ALICE), 404);
	assert_status(asked(&s, "GET /", WRONG), 401);
	web_stats(s.web, &stats);
	assert_int_equal(stats.failed_auth, 3);
	site_close(&s);
}

/* Set: a connection is suspended only when the worker that it waits for has done its part. */
static struct web *patient;
void __real_MHD_suspend_connection(struct MHD_Connection *connection);
void __wrap_MHD_suspend_connection(struct MHD_Connection *connection);
void __wrap_MHD_suspend_connection(struct MHD_Connection *connection)
{
	struct pollfd p = {.fd = patient ? patient->event_fd : -1, .events = POLLIN};

	if (patient)
		(void)poll(&p, 1, -1);
	__real_MHD_suspend_connection(connection);
}

/* The worker may be done before the loop's thread goes on: the request is still answered once. */
static void test_quick_worker(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, "basic_auth_users:\n  alice: " HASH "\n");
	patient = s.web;
	assert_status(asked(&s, "GET /slow", ALICE), 200);
	assert_int_equal(atomic_load(&s.slow), 1);
	assert_status(asked(&s, "GET /slow", ALICE), 200);
	assert_status(asked(&s, "GET /", WRONG), 401);
	patient = NULL;
	site_close(&s);
}

static void test_headers(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, "http_server_config:\n  headers:\n    X-Frame-Options: SAMEORIGIN\n");
	has(asked(&s, "GET /", ""), "X-Frame-Options: SAMEORIGIN");
	has(asked(&s, "GET /nothing", ""), "X-Frame-Options: SAMEORIGIN");
	has_not(asked(&s, "GET /", ""), "X-Frame-Options: DENY");
	site_close(&s);
}

static void test_reload(void **state)
{
	struct web_config *with = config_of("basic_auth_users:\n  alice: " HASH "\n");
	struct web_config *without = config_of("");
	_buf_ struct buf error = {0};
	struct asker a;
	struct site s;

	(void)state;
	site_open(&s, NULL);
	assert_status(asked(&s, "GET /", ""), 200);
	assert_int_equal(web_reload(s.web, with, &error), 0);
	assert_status(asked(&s, "GET /", ""), 401);
	assert_status(asked(&s, "GET /", ALICE), 200);
	/* while a page is being made it says to come again, and takes nothing new */
	(void)pthread_mutex_lock(&s.gate);
	asker_begin(&s, &a, "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" ALICE "\r\n");
	while (!atomic_load(&s.slow)) {
		web_run(s.web);
		(void)sched_yield();
	}
	assert_int_equal(web_reload(s.web, without, &error), -EBUSY);
	has(buf_str(&error), "requests are being answered");
	assert_status(asked(&s, "GET /slow", ALICE), 503);
	(void)pthread_mutex_unlock(&s.gate);
	serve(&s, &a);
	assert_status(a.text, 200);
	asker_end(&a);
	assert_int_equal(web_reload(s.web, without, &error), 0);
	assert_status(asked(&s, "GET /", ""), 200);
	site_close(&s);
	(void)web_config_free(with);
	(void)web_config_free(without);
}

/* So many slow pages, and no more: the next one is told to come again. */
static void test_slow_pages_are_bounded(void **state)
{
	static struct asker a[SLOW_MOST];
	struct web_stats stats;
	struct site s;

	(void)state;
	site_open(&s, NULL);
	(void)pthread_mutex_lock(&s.gate);
	for (size_t i = 0; i < SLOW_MOST; i++)
		asker_begin(&s, &a[i],
			    "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	do {
		serve(&s, NULL);
		web_stats(s.web, &stats);
	} while (stats.requests < SLOW_MOST);
	/* the rest of a request comes with the call after its first */
	assert_status(asked(&s, "GET /", ""), 200);
	assert_status(asked(&s, "GET /slow", ""), 503);
	(void)pthread_mutex_unlock(&s.gate);
	for (size_t i = 0; i < SLOW_MOST; i++) {
		serve(&s, &a[i]);
		assert_status(a[i].text, 200);
		asker_end(&a[i]);
	}
	assert_status(asked(&s, "GET /slow", ""), 200);
	web_stats(s.web, &stats);
	assert_int_equal(stats.refused, 1);
	site_close(&s);
}

/* Those that never ask for anything make room for those that do. */
static void test_silent_clients_go_first(void **state)
{
	static struct asker a[CLIENTS];
	struct web_stats stats;
	struct site s;

	(void)state;
	site_open(&s, NULL);
	for (size_t i = 0; i < CLIENTS; i++) {
		asker_begin(&s, &a[i], "");
		serve(&s, NULL);
	}
	assert_status(asked(&s, "GET /", ""), 200);
	web_stats(s.web, &stats);
	assert_true(stats.evicted >= 1);
	assert_true(stats.connections < CLIENTS);
	serve(&s, &a[0]); /* the oldest one is gone */
	assert_int_equal(a[0].len, 0);
	for (size_t i = 0; i < CLIENTS; i++)
		asker_end(&a[i]);
	site_close(&s);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address;
		int r;
		const char *said;
	} cases[] = {
		{"nothing", -EINVAL, "'nothing' is no address: give HOST:PORT"},
		{"host:x", -EINVAL, "is no address"},
		{"host:65536", -EINVAL, "is no address"},
		{"::1:80", -EINVAL, "is no address"},
		{"[::1:80", -EINVAL, "is no address"},
		{"]:80", -EINVAL, "cannot listen on ']:80'"},
		{"[]", -EINVAL, "is no address"},
		{"no.such.host.invalid:80", -EINVAL, "cannot listen on"},
		{"192.0.2.1:0", -EADDRNOTAVAIL, "this host does not have that address"},
		{":0", 0, ""},
		{"127.0.0.1:0", 0, ""},
	};
	int fds[4];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_buf_ struct buf error = {0}, url = {0};
		int r = web_listen(cases[i].address, fds, ARRAY_LEN(fds), &n, &error);

		if (r != cases[i].r)
			fail_msg("%s: %d %s", cases[i].address, r, buf_str(&error));
		has(buf_str(&error), cases[i].said);
		if (r)
			continue;
		assert_true(n >= 1);
		web_url(fds[0], i % 2, &url);
		has(buf_str(&url), i % 2 ? "https://" : "http://");
		for (size_t k = 0; k < n; k++)
			(void)close(fds[k]);
	}
}

/* A second one on the same port: in use. */
static void test_port_in_use(void **state)
{
	_buf_ struct buf error = {0}, url = {0};
	char address[32];
	struct site s;
	size_t n;
	int fd;

	(void)state;
	site_open(&s, NULL);
	(void)snprintf(address, sizeof(address), "localhost:%d", ntohs(s.address.sin6_port));
	assert_int_equal(web_listen(address, &fd, 1, &n, &error), -EADDRINUSE);
	has(buf_str(&error), "'ss -ltnp' shows it");
	web_url(-1, false, &url);
	assert_string_equal(buf_str(&url), "a socket");
	site_close(&s);
}

/* Each allocation fails once: an answer, "busy", or a closed connection, and the next request is as before. */
static void test_out_of_memory(void **state)
{
	static const char *const lines[] = {"GET /", "GET /slow", "GET /dressed", "GET /nothing"};
	struct site s;

	(void)state;
	site_open(&s, "basic_auth_users:\n  alice: " HASH "\n");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		bool failed = true;

		for (long n = 0; failed && n < 200; n++) {
			const char *answer;

			nomem_once(n);
			answer = asked(&s, lines[i], ALICE);
			failed = nomem_end();
			if (*answer && strncmp(answer, "HTTP/1.1 ", 9) != 0)
				fail_msg("%s, %ld: %s", lines[i], n, answer);
		}
		assert_false(failed);
	}
	assert_status(asked(&s, "GET /slow", ALICE), 200);
	site_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_quick_worker),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_slow_pages_are_bounded),
		cmocka_unit_test(test_silent_clients_go_first),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_out_of_memory),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A Prometheus that has an answer for each query of a table, on a thread and a port of its own. */
#pragma once
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FP_REQUEST 16384

/* The first that fits answers; what fits none is answered with no series. */
struct fp_answer {
	const char *query;  /* its begin */
	const char *part;   /* also in it; NULL: anything */
	int64_t time_s;	    /* asked for; 0: any */
	const char *result; /* series, separated by commas */
	bool raw;	    /* result is the whole answer, headers included */
};

struct fp {
	const struct fp_answer *answers; /* borrowed; ends with one without a query */
	char url[64];
	char last[FP_REQUEST]; /* request; read it when no query is under way */
	size_t asked;
	int fd;
	pthread_t thread;
};

static inline void fp_decode(char *s)
{
	char *to = s;

	for (; *s && *s != '&'; s++) {
		char hex[3] = {s[0] == '%' ? s[1] : 0, s[0] == '%' && s[1] ? s[2] : 0};

		if (hex[1]) {
			*to++ = (char)strtoul(hex, NULL, 16);
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Reads a whole request; its body is returned, NULL: the connection is over. */
static inline char *fp_read(int fd, char *text)
{
	size_t len = 0, want = SIZE_MAX;
	char *body = NULL;

	while (len < want) {
		ssize_t n = recv(fd, text + len, FP_REQUEST - 1 - len, 0);
		const char *length;

		if (n <= 0)
			return NULL;
		len += (size_t)n;
		text[len] = '\0';
		body = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length:");
		if (body)
			want = (size_t)(body + 4 - text) +
			       (length ? strtoul(length + 15, NULL, 10) : 0);
	}
	return body + 4;
}

static inline const char *fp_find(const struct fp *f, const char *query, int64_t time_s, bool *raw)
{
	for (const struct fp_answer *a = f->answers; a->query; a++)
		if (!strncmp(query, a->query, strlen(a->query)) &&
		    (!a->part || strstr(query, a->part)) && (!a->time_s || a->time_s == time_s)) {
			*raw = a->raw;
			return a->result;
		}
	*raw = false;
	return "";
}

static inline void fp_serve(struct fp *f, int fd)
{
	static char answer[65536];
	char *body;

	while ((body = fp_read(fd, f->last))) {
		char query[4096];
		const char *result, *at = strstr(body, "&time=");
		bool raw;

		(void)snprintf(query, sizeof(query), "%s", body + strlen("query="));
		fp_decode(query);
		f->asked++;
		result = fp_find(f, query, at ? strtoll(at + 6, NULL, 10) : 0, &raw);
		if (!raw) {
			char json[32768];
			int n = snprintf(json, sizeof(json),
					 "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\","
					 "\"result\":[%s]}}",
					 strchr(query, '[') && *query != 'l' && *query != 'g' &&
							 *query != 'm' ?
						 "matrix" :
						 "vector",
					 result);

			(void)snprintf(answer, sizeof(answer),
				       "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, json);
			result = answer;
		}
		if (send(fd, result, strlen(result), MSG_NOSIGNAL) < 0 || raw)
			return;
	}
}

static inline void *fp_run(void *arg)
{
	struct fp *f = arg;
	int fd;

	while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
		fp_serve(f, fd);
		(void)close(fd);
	}
	return NULL;
}

static inline void fp_open(struct fp *f, const struct fp_answer *answers)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);

	*f = (struct fp){.answers = answers, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->fd, 16), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&f->thread, NULL, fp_run, f), 0);
}

/* Connections of clients must be closed. */
static inline void fp_close(struct fp *f)
{
	(void)shutdown(f->fd, SHUT_RDWR);
	(void)pthread_join(f->thread, NULL);
	(void)close(f->fd);
}

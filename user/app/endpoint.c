/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

#define PATH_BYTES_MAX 4095

static const char host_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

void endpoint_free(struct endpoint *e)
{
	free(e->host);
	free(e->path);
	*e = (struct endpoint){0};
}

static int no_host(const char *text, struct buf *error)
{
	buf_addf(error, "'%s' has no host name or address; an IPv6 one stands in brackets", text);
	return -EINVAL;
}

/* "[ADDRESS]" or a name: where it begins and ends, and what stands behind. */
static int split_host(const char *text, const char *rest, const char **ret, size_t *ret_len,
		      const char **ret_behind, struct buf *error)
{
	size_t len = strspn(rest, host_chars);
	struct in6_addr address;
	char v6[INET6_ADDRSTRLEN];

	if (*rest == '[') {
		rest++;
		len = strcspn(rest, "]");
		if (rest[len] != ']' || len >= sizeof(v6))
			return no_host(text, error);
		memcpy(v6, rest, len);
		v6[len] = '\0';
		if (inet_pton(AF_INET6, v6, &address) != 1)
			return no_host(text, error);
		*ret_behind = rest + len + 1;
	} else {
		*ret_behind = rest + len;
	}
	if (!len || len > ENDPOINT_HOST_MAX)
		return no_host(text, error);
	*ret = rest;
	*ret_len = len;
	return 0;
}

static int parse_socket(const char *text, const char *rest, struct endpoint *e, struct buf *error)
{
	const char *host, *behind;
	uint64_t port = ENDPOINT_DEFAULT_PORT;
	size_t len;
	int r = split_host(text, rest, &host, &len, &behind, error);

	if (r)
		return r;
	if (*behind == ':') {
		_free_ char *digits = strdup(++behind);

		if (!digits)
			return -ENOMEM;
		/* what the libraries of the format write: a URL may end in a slash */
		digits[strcspn(digits, "/")] = '\0';
		if (num_u64(digits, 1, UINT16_MAX, &port) < 0) {
			buf_addf(error, "'%s' has no port from 1 to 65535", text);
			return -EINVAL;
		}
		behind += strlen(digits);
	}
	if (strcmp(behind, "/") != 0 && *behind) {
		buf_addf(error, "'%s' goes on behind host and port", text);
		return -EINVAL;
	}
	e->host = strndup(host, len);
	e->port = (uint16_t)port;
	return e->host ? 0 : -ENOMEM;
}

static int parse_file(const char *text, const char *path, struct endpoint *e, struct buf *error)
{
	if (*path != '/' || strlen(path) > PATH_BYTES_MAX || text_ends_with(path, "/")) {
		buf_addf(error, "'%s' has no absolute path of a file", text);
		return -EINVAL;
	}
	e->path = strdup(path);
	return e->path ? 0 : -ENOMEM;
}

int endpoint_parse(const char *text, struct endpoint *ret, struct buf *error)
{
	_endpoint_ struct endpoint e = {0};
	int r = 0;

	if (text_starts_with(text, "tcp://")) {
		e.kind = ENDPOINT_TCP;
		r = parse_socket(text, text + 6, &e, error);
	} else if (text_starts_with(text, "udp://")) {
		e.kind = ENDPOINT_UDP;
		r = parse_socket(text, text + 6, &e, error);
	} else if (text_starts_with(text, "file://")) {
		e.kind = ENDPOINT_FILE;
		r = parse_file(text, text + 7, &e, error);
	} else if (*text == '/') {
		e.kind = ENDPOINT_FILE;
		r = parse_file(text, text, &e, error);
	} else if (!strcmp(text, "stdout")) {
		e.kind = ENDPOINT_STDOUT;
	} else if (strcmp(text, "off") != 0) {
		buf_addf(error, "'%s' is none of " ENDPOINT_FORMS, text);
		r = -EINVAL;
	}
	if (r)
		return r;
	*ret = e;
	e = (struct endpoint){0};
	return 0;
}

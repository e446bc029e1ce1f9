/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Addresses and listening sockets. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/num.h"
#include "web/web_int.h"

#define BACKLOG 1024
#define HOST_MAX 256

static int split(const char *address, char host[HOST_MAX], char port[8])
{
	const char *colon = strrchr(address, ':'), *begin = address, *end = colon;
	uint64_t number;

	if (!colon || num_u64(colon + 1, 0, 65535, &number) < 0)
		return -EINVAL;
	if (*address == '[') {
		begin = address + 1;
		end = colon - 1;
		if (colon < address + 2 || *end != ']')
			return -EINVAL;
	} else if (memchr(address, ':', (size_t)(colon - address))) {
		return -EINVAL; /* an IPv6 address without brackets */
	}
	if (end - begin >= HOST_MAX)
		return -EINVAL;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	(void)snprintf(port, 8, "%u", (unsigned int)number);
	return 0;
}

static int listen_at(const struct addrinfo *ai, bool both, int *ret)
{
	_close_ int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
				ai->ai_protocol);
	int on = 1, only = !both;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* One socket for every address, if the host has IPv6; else the one that there is. */
static int listen_everywhere(const struct addrinfo *list, int *ret)
{
	int r = -EAFNOSUPPORT;

	for (int pass = 0; pass < 2; pass++) {
		for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
			if ((ai->ai_family == AF_INET6) != (pass == 0))
				continue;
			r = listen_at(ai, true, ret);
			if (r == 0 || r == -EADDRINUSE || r == -EACCES)
				return r;
		}
	}
	return r;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

static int listen_all(const struct addrinfo *list, int *fds, size_t max, size_t *ret_n)
{
	size_t n = 0;
	int r = -EADDRNOTAVAIL;

	for (const struct addrinfo *ai = list; ai && n < max; ai = ai->ai_next) {
		r = listen_at(ai, false, &fds[n]);
		/* localhost may name an address that the host does not have */
		if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
			continue;
		if (r) {
			close_all(fds, n);
			return r;
		}
		n++;
	}
	*ret_n = n;
	return n ? 0 : r;
}

static const char *hint(int r)
{
	return r == -EADDRINUSE ?
		       ": end what uses it ('ss -ltnp' shows it), or choose another" :
	       r == -EACCES ?
		       ": for a port below 1024 use a socket of systemd" :
	       r == -EADDRNOTAVAIL ?
		       ": this host does not have that address" :
	       r == -EAFNOSUPPORT ?
		       ": under systemd lmmsd.socket opens it: 'systemctl status lmmsd.socket' says why it did not" :
		       "";
}

int web_listen(const char *address, int *ret_fds, size_t max, size_t *ret_n, struct buf *error)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char host[HOST_MAX], port[8];
	int r = split(address, host, port);

	if (r) {
		buf_addf(
			error,
			"'%s' is no address: give HOST:PORT, [IPV6]:PORT, :PORT for every address, or off",
			address);
		return r;
	}
	r = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (r) {
		buf_addf(error, "cannot listen on '%s': %s", address, gai_strerror(r));
		return r == EAI_MEMORY ? -ENOMEM : -EINVAL;
	}
	if (*host) {
		r = listen_all(list, ret_fds, max, ret_n);
	} else {
		r = listen_everywhere(list, ret_fds);
		*ret_n = r == 0;
	}
	freeaddrinfo(list);
	if (r)
		buf_addf(error, "cannot listen on '%s': %s%s", address, strerror(-r), hint(r));
	return r;
}

void web_url(int fd, bool tls, struct buf *ret)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char host[HOST_MAX] = "", port[8] = "";

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&a, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV)) {
		buf_adds(ret, "a socket");
		return;
	}
	buf_addf(ret, a.ss_family == AF_INET6 ? "%s://[%s]:%s/" : "%s://%s:%s/",
		 tls ? "https" : "http", host, port);
}

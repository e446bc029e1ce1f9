/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* In the process that reads the files: going where it is sent. Any of these may never return. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/lookup_wire.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "probe/discover.h"

/* fd: goes along; -EBADF: none. */
static int end_answer(const struct lookup_end *end, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	char text[sizeof(uint32_t) + sizeof(*end)] = {0}; /* a length of 0, and the end */
	struct iovec part = {text, sizeof(text)};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	memcpy(text + sizeof(uint32_t), end, sizeof(*end));
	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do
		n = sendmsg(LOOKUP_FD, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return fdio_write_all(LOOKUP_FD, text + n, sizeof(text) - (size_t)n);
}

/* Whatever comes of it: what counts is that it comes. */
static void touch(int path_fd)
{
	_close_ int fd = -EBADF;
	struct stat st;
	char name[32], byte;

	if (path_fd < 0 || fstat(path_fd, &st) || !S_ISREG(st.st_mode))
		return;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		(void)!pread(fd, &byte, 1, 0);
}

int lookup_serve_answers(int path_fd)
{
	const struct lookup_end end = {0};

	touch(path_fd);
	return end_answer(&end, -EBADF);
}

int lookup_serve_open(int root_fd, const char *path)
{
	_close_ int fd = fdio_open_beneath(root_fd, path, 0, 0);
	const struct lookup_end end = {.error = fd < 0 ? (uint32_t)-fd : 0};

	touch(fd);
	return end_answer(&end, fd);
}

struct walk {
	const char *pass_by; /* strings, one after the other */
	size_t len;
};

static int tell(char kind, const char *path)
{
	char text[sizeof(uint32_t) + 1 + LOOKUP_MAX_PATH];
	size_t n = strlen(path);
	uint32_t len = (uint32_t)n + 1;

	if (n == 0 || n > LOOKUP_MAX_PATH)
		return 0;
	memcpy(text, &len, sizeof(len));
	text[sizeof(len)] = kind;
	memcpy(text + sizeof(len) + 1, path, n);
	return fdio_write_all(LOOKUP_FD, text, sizeof(len) + 1 + n);
}

static bool on_at(void *arg, const char *path)
{
	const struct walk *w = arg;
	size_t n;

	for (size_t i = 0; i < w->len; i += n + 1) {
		n = strlen(w->pass_by + i);
		if (strncmp(path, w->pass_by + i, n) == 0 && (!path[n] || path[n] == '/'))
			return false;
	}
	/* Who is not heard of is waited for in vain, which is known then. */
	return tell(LOOKUP_AT, path) == 0;
}

static void on_left(void *arg, const char *path)
{
	(void)arg;
	(void)tell(LOOKUP_LEFT, path);
}

static int on_found(void *arg, const char *path)
{
	(void)arg;
	return tell(LOOKUP_FOUND, path);
}

int lookup_serve_walk(int root_fd, const char *pass_by, size_t len)
{
	struct walk w = {pass_by, len};
	struct discover_walker to = {
		.root_fd = root_fd, .at = on_at, .left = on_left, .found = on_found, .arg = &w};
	int r = discover_walk(&to);
	struct lookup_end end = {.cut = (uint32_t)to.cut};

	return r ? r : end_answer(&end, -EBADF);
}

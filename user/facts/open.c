/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/open.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

int facts_open_path(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (root_fd < 0)
		return -EBADF;
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int facts_stat(int root_fd, const char *path, struct stat *ret)
{
	_close_ int fd = facts_open_path(root_fd, path);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int facts_open_file(int root_fd, const char *path)
{
	_close_ int path_fd = facts_open_path(root_fd, path);
	struct stat st;
	char name[32];
	int fd;

	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int facts_read(int root_fd, const char *path, size_t max, struct buf *b)
{
	_close_ int fd = facts_open_file(root_fd, path);
	char chunk[16384];
	size_t left = max;

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return buf_error(b);
		buf_add(b, chunk, (size_t)n < left ? (size_t)n : left);
		if (buf_error(b))
			return buf_error(b);
		if ((size_t)n > left)
			return -EFBIG;
		left -= (size_t)n;
	}
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/open.h"

#include "base/cleanup.h"
#include "base/fdio.h"

int facts_open_path(int root_fd, const char *path)
{
	return root_fd < 0 ? -EBADF : fdio_open_beneath(root_fd, path, 0, 0);
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

	return path_fd < 0 ? path_fd : fdio_reopen(path_fd);
}

int facts_read(int root_fd, const char *path, size_t max, struct buf *b)
{
	_close_ int fd = facts_open_file(root_fd, path);

	return fd < 0 ? fd : fdio_read_fd(fd, max, b);
}

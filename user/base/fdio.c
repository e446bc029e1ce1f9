/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/fdio.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

int fdio_read_file(int dirfd, const char *path, size_t max, struct buf *b)
{
	_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t start = b->len;
	char chunk[8192];

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return buf_error(b);
		if ((size_t)n > max - (b->len - start))
			return -EFBIG;
		buf_add(b, chunk, (size_t)n);
		if (buf_error(b))
			return buf_error(b);
	}
}

int fdio_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void fdio_fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	closep(&fd);
}

int fdio_readlink(int dirfd, const char *path, struct buf *b)
{
	char target[PATH_MAX + 64]; /* "/proc/PID/exe" may add " (deleted)" to a full path */
	ssize_t n = readlinkat(dirfd, path, target, sizeof(target));

	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	buf_add(b, target, (size_t)n);
	return buf_error(b);
}

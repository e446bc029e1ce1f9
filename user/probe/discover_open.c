/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Opening what others named. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "probe/discover_int.h"

int discover_open_beneath(int root_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int discover_open_in(const struct discover *d, uint32_t pid, const char *path)
{
	_close_ int root = -EBADF;
	char name[32];

	if (pid == 0)
		return discover_open_beneath(d->root_fd, path, 0, 0);
	(void)snprintf(name, sizeof(name), "%u/root", pid);
	root = openat(d->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	return discover_open_beneath(root, path, 0, 0);
}

int discover_reopen(int path_fd)
{
	char name[32];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

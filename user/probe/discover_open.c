/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Opening what others named. */
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "probe/discover_int.h"

static int open_in(const struct discover *d, int root_fd, const char *path)
{
	return d->scout.open ? d->scout.open(d->scout.arg, root_fd, path) :
			       fdio_open_beneath(root_fd, path, 0, 0);
}

int discover_open_in(const struct discover *d, uint32_t pid, const char *path)
{
	_close_ int root = -EBADF;
	char name[32];

	if (pid == 0)
		return open_in(d, d->root_fd, path);
	(void)snprintf(name, sizeof(name), "%u/root", pid);
	root = openat(d->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	return open_in(d, root, path);
}

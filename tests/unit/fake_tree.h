/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A temporary directory that a test fills with files, and takes away. */
#pragma once
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

struct tree {
	char path[64];
	int fd; /* of the directory */
};

static inline int tree_make(struct tree *t)
{
	(void)snprintf(t->path, sizeof(t->path), "/tmp/lmmsd-test.XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->fd < 0 ? -1 : 0;
}

static inline int tree_unlink(const char *path, const struct stat *st _unused_, int flag _unused_,
			      struct FTW *ftw _unused_)
{
	return remove(path);
}

static inline int tree_remove(struct tree *t)
{
	(void)close(t->fd);
	return nftw(t->path, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories above path. */
static inline void tree_parents(const struct tree *t, const char *path)
{
	char part[4096];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		(void)mkdirat(t->fd, part, 0755);
	}
}

static inline void tree_dir(const struct tree *t, const char *path)
{
	tree_parents(t, path);
	assert_int_equal(mkdirat(t->fd, path, 0755), 0);
}

static inline void tree_write(const struct tree *t, const char *path, const void *data, size_t len)
{
	_close_ int fd = -EBADF;

	tree_parents(t, path);
	fd = openat(t->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
}

static inline void tree_text(const struct tree *t, const char *path, const char *text)
{
	tree_write(t, path, text, strlen(text));
}

static inline void tree_link(const struct tree *t, const char *path, const char *target)
{
	tree_parents(t, path);
	assert_int_equal(symlinkat(target, t->fd, path), 0);
}

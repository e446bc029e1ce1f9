/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Files below a root that is not ours. */
#pragma once
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"

/* O_PATH fd of what path names in that root; its links stay inside, "magic" links are refused. -errno. */
int facts_open_path(int root_fd, const char *path);
int facts_stat(int root_fd, const char *path, struct stat *ret);
/* Readable fd of a regular file; -EISDIR: anything else, which is not opened at all. -errno. */
int facts_open_file(int root_fd, const char *path);
/* The first max bytes of a file, added to b. -errno; -EFBIG: there was more (b holds the head). */
int facts_read(int root_fd, const char *path, size_t max, struct buf *b);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Files: bounded whole reads, and outputs that appear complete or not at all. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"

/* Reads to the end, at most max bytes (-EFBIG beyond, with the first max in b). Appends to b. dirfd: AT_FDCWD or a directory. */
int fdio_read_file(int dirfd, const char *path, size_t max, struct buf *b);
/* The same of an open file, from where it stands. */
int fdio_read_fd(int fd, size_t max, struct buf *b);
/*
 * O_PATH fd of what path names below root_fd: no link leads out of the root, "magic" links are refused. -errno.
 * flags: O_DIRECTORY or 0. resolve: RESOLVE_NO_SYMLINKS or 0.
 */
int fdio_open_beneath(int root_fd, const char *path, int flags, uint64_t resolve);
/* A readable fd of an O_PATH one if that is a regular file; -EISDIR: it is a device, a FIFO …, which is not opened. */
int fdio_reopen(int path_fd);
/* Writes all or fails with negative errno. */
int fdio_write_all(int fd, const void *data, size_t len);
/*
 * With stdin, stdout or stderr closed, the next file that is opened would get its number, and what is meant for people
 * would be written into it. Puts something there that can be neither read nor written, until the next exec.
 */
void fdio_fill_standard(void);
/* readlinkat into b. */
int fdio_readlink(int dirfd, const char *path, struct buf *b);

/*
 * An output that is written beside its target and renamed into place by outfile_commit(); outfile_close()
 * without a commit leaves nothing. Path "-" is stdout, and a path that exists and is no regular file (a FIFO, /dev/null,
 * /dev/fd/N) is written directly.
 */
struct outfile;
int outfile_open(const char *path, struct outfile **ret);
/* Could it be opened now? Leaves nothing, and opens no FIFO: its reader would see an end. */
int outfile_check(const char *path);
FILE *outfile_stream(struct outfile *o); /* borrowed */
int outfile_commit(
	struct outfile *o); /* flush, fsync, rename; the error of any earlier write too */
struct outfile *outfile_close(struct outfile *o); /* NULL */
/* Before _exit(), while another thread may still write: takes away what was written. o: NULL: nothing. */
void outfile_forget(const struct outfile *o);
static inline void outfile_closep(struct outfile **o)
{
	(void)outfile_close(*o);
}

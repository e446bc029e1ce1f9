/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the kernel knows of mounts without asking a file system. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Which mount an fd is of. 0: not to be had. */
uint64_t mounts_of(int fd);
/*
 * How much of path leads to the mount that it is on by its text, if that is of a kind that waits for a server (NFS, FUSE …).
 * 0: it is not, or unknown.
 */
size_t mounts_foreign(const char *path);
/* The same, of a mountinfo file's text. */
size_t mounts_foreign_in(const char *mountinfo, const char *path);

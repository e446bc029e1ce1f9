/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by the files of procfs only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* errno as procfs.h words it: negative. */
int procfs_errno(void);
/* At most cap bytes of a file below dir_fd. */
int procfs_read(int dir_fd, const char *path, char *buf, size_t cap, size_t *ret_len);
/* An unsigned number at *p, which moves behind it; false: none, or too large. base: 10 or 16. */
bool procfs_number(const char **p, unsigned int base, uint64_t *ret);
/*
 * Is " (deleted)" at the end of path the kernel's, and not the file's own name? file: the link below pid_fd that
 * leads to the file itself (NULL: the name alone decides).
 */
bool procfs_is_deleted(int pid_fd, const char *path, const char *file);

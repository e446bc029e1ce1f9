/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Root directories of processes, so that a module's file is looked up in the container it came from even after
 * its process has ended. A root is known by its mount namespace and the inode of its directory, which the kernel side
 * sends; one open directory serves all processes that share it.
 */
#pragma once
#include <stdint.h>

struct roots;
int roots_new(struct roots **ret);
struct roots *roots_free(struct roots *r); /* NULL */

/* A process was announced: opens its root if it is a new one and the process still runs. */
void roots_note(struct roots *r, uint32_t tgid, uint64_t start_ns, uint32_t mnt_ns,
		uint64_t root_ino);
void roots_fork(struct roots *r, uint32_t tgid, uint64_t start_ns, uint32_t child,
		uint64_t child_start_ns);
/* An O_PATH fd, borrowed; -EBADF: its root is not known. */
int roots_find(struct roots *r, uint32_t tgid, uint64_t start_ns);
void roots_forget(struct roots *r, uint32_t tgid, uint64_t start_ns);
uint64_t roots_full(const struct roots *r); /* processes for whose root there was no room */
/* Closes the roots of which no process is left: an open one keeps its file system busy. */
void roots_sweep(struct roots *r);

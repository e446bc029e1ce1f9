/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A tree that looks like /proc. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "probe/procfs.h"
#include "unit/fake_tree.h"

static struct tree tree;

static const struct procfs_clock awake = {.mono_ns = 5000000000,
					  .boot_ns = 5000000000,
					  .tick_ns = 10000000};

static inline int make_tree(void **state _unused_)
{
	return tree_make(&tree);
}

static inline int remove_tree(void **state _unused_)
{
	return tree_remove(&tree);
}

/* A process in the tree. comm and what follows as stat has them. */
static inline void add_process(unsigned int pid, unsigned int ppid, const char *comm,
			       unsigned long long ticks)
{
	char path[64], text[1024];

	(void)snprintf(path, sizeof(path), "%u/stat", pid);
	(void)snprintf(
		text, sizeof(text),
		"%u (%s) S %u 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %llu 123456 789 18446744073709551615 1\n",
		pid, comm, ppid, ticks);
	tree_text(&tree, path, text);
	(void)snprintf(path, sizeof(path), "%u/status", pid);
	(void)snprintf(text, sizeof(text),
		       "Name:\tx\\nUid:\\t7\nState:\tS\nUid:\t1000\t1001\t1002\t1003\n");
	tree_text(&tree, path, text);
}

static inline int open_pid(unsigned int pid)
{
	int fd = -EBADF;

	assert_int_equal(procfs_pid_open(tree.fd, pid, &fd), 0);
	return fd;
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_tree, remove_tree)

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A root and a /proc made of files, and what discover finds there. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "probe/discover.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"
#include "unit/fake_tree.h"

static struct tree tree;

static int proc_fd, root_fd;

static struct discover *d;

static inline int set_up(void **state _unused_)
{
	if (tree_make(&tree) < 0)
		return -1;
	(void)mkdirat(tree.fd, "proc", 0755);
	(void)mkdirat(tree.fd, "root", 0755);
	proc_fd = openat(tree.fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	root_fd = openat(tree.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return discover_new(proc_fd, root_fd, &d);
}

static inline int tear_down(void **state _unused_)
{
	d = discover_free(d);
	(void)close(proc_fd);
	(void)close(root_fd);
	return tree_remove(&tree);
}

/* A file large enough to be an ELF file, with its own path as content. */
static inline void add_file(const char *path)
{
	char data[256] = {};

	(void)snprintf(data, sizeof(data), "%s", path);
	tree_write(&tree, path, data, sizeof(data));
}

static inline uint64_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(tree.fd, path, &st, 0), 0);
	return st.st_ino;
}

static inline int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All candidates there are now are these, in any order, and each can be read. */
static inline void expect(const char *const *want, size_t n_want)
{
	struct discover_file f;
	char *found[64];
	size_t n = 0;
	int r;

	while ((r = discover_next(d, &f)) > 0) {
		char data[256];
		struct stat st;

		assert_true(n < ARRAY_LEN(found));
		assert_int_equal(fstat(f.fd, &st), 0);
		assert_int_equal(st.st_ino, f.id.ino);
		assert_int_equal(st.st_size, f.id.size);
		assert_int_equal(pread(f.fd, data, sizeof(data), 0), sizeof(data));
		assert_int_equal(fcntl(f.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		found[n++] = TAKE_PTR(f.path);
		discover_file_done(&f);
	}
	assert_int_equal(r, 0);
	qsort(found, n, sizeof(found[0]), compare_strings);
	for (size_t i = 0; i < n || i < n_want; i++) {
		const char *base = i < n ? strstr(found[i], "/root/") : NULL;

		/* An executable's path is as the kernel shows it, with the tree in front. */
		base = i >= n				   ? "nothing" :
		       base && strstr(found[i], tree.path) ? base + strlen("/root") :
							     found[i];
		assert_string_equal(base, i < n_want ? want[i] : "nothing more");
	}
	for (size_t i = 0; i < n; i++)
		free(found[i]);
}

#define EXPECT(...)                                                                                \
	do {                                                                                       \
		const char *const want_[] = {__VA_ARGS__};                                         \
		expect(want_, ARRAY_LEN(want_));                                                   \
	} while (0)

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

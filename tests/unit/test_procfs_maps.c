/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/procfs: the files that a process has mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "base/buf.h"
#include "probe/procfs.h"
#include "unit/fake_proc.h"
#include "unit/fake_tree.h"

static void maps_of_files(void **state _unused_)
{
	static const char text[] =
		"1000-2000 r--p 00000000 fe:01 100                        /usr/bin/python3.11\n"
		"2000-3000 r-xp 00001000 fe:01 100                        /usr/bin/python3.11\n"
		"3000-4000 r-xp 00002000 fe:01 100                        /usr/bin/python3.11\n"
		"4000-5000 r-xp 00000000 fe:02 100                        /other device\n"
		"5000-6000 rwxp 00000000 00:00 0 \n"
		"6000-7000 r-xp 00000000 fe:01 101                        /a\\012b (deleted)\n"
		"7000-8000 rw-p 00000000 fe:01 102                        /data\n"
		"junk\n"
		"8000 r-xp\n"
		"9000-a000 r-xp 00000000 fe:01 103                        /last\n"
		"fffff000-fffff100 r-xp 00000000 00:00 0                  [vdso]\n";
	struct procfs_maps m;
	_close_ int fd = -EBADF;

	tree_text(&tree, "7/maps", text);
	fd = open_pid(7);
	assert_int_equal(procfs_maps(fd, &m), 0);
	assert_false(m.cut);
	assert_int_equal(m.n, 4);
	assert_string_equal(m.map[0].path, "/usr/bin/python3.11");
	assert_int_equal(m.map[0].start, 0x2000);
	assert_int_equal(m.map[0].end, 0x3000);
	assert_int_equal(m.map[0].ino, 100);
	assert_int_equal(m.map[0].dev, 0xfe << 20 | 1);
	assert_false(m.map[0].deleted);
	assert_string_equal(m.map[1].path, "/other device");
	assert_string_equal(m.map[2].path, "/a\nb");
	assert_true(m.map[2].deleted);
	assert_string_equal(m.map[3].path, "/last");
	procfs_maps_free(&m);
}

/* Each is one character from a line that names a file to run: none of these may be taken for one. */
static void maps_that_are_none(void **state _unused_)
{
	static const char *const lines[] = {
		"",
		"-2000 r-xp 0 fe:01 9 /a",
		"1000 2000 r-xp 0 fe:01 9 /a",
		"1000- r-xp 0 fe:01 9 /a",
		"1000-2000-r-xp 0 fe:01 9 /a",
		"1000-2000 ",
		"1000-2000 r-x",
		"1000-2000 r--p 0 fe:01 9 /a",
		"1000-2000 r-xp-0 fe:01 9 /a",
		"1000-2000 r-xp x fe:01 9 /a",
		"1000-2000 r-xp 0-fe:01 9 /a",
		"1000-2000 r-xp 0 xe:01 9 /a",
		"1000-2000 r-xp 0 fe 01 9 /a",
		"1000-2000 r-xp 0 fe:x1 9 /a",
		"1000-2000 r-xp 0 fe:01-9 /a",
		"1000-2000 r-xp 0 fe:01 x /a",
		"1000-2000 r-xp 0 fe:01 0 /a",
		"1000-2000 r-xp 0 fe:01 9",
		"1000-2000 r-xp 0 fe:01 9 a",
		"1000-2000 r-xp 0 fe:01 9 [vdso]",
	};
	_close_ int fd = -EBADF;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct procfs_maps m;
		char text[200];

		/* what stands behind is read all the same */
		(void)snprintf(text, sizeof(text), "%s\n3000-4000 r-xp 0 fe:01 7 /last\n",
			       lines[i]);
		tree_text(&tree, "7/maps", text);
		fd = open_pid(7);
		assert_int_equal(procfs_maps(fd, &m), 0);
		if (m.n != 1 || strcmp(m.map[0].path, "/last") != 0)
			fail_msg("'%s' was taken for a file's", lines[i]);
		procfs_maps_free(&m);
		(void)close(fd);
		fd = -EBADF;
	}
}

/* More files than the table of seen ones has room for at first, each in two mappings. */
static void maps_of_many_files(void **state _unused_)
{
	_buf_ struct buf text = {0};
	struct procfs_maps m;
	_close_ int fd = -EBADF;
	enum { FILES = 1500 };

	_Static_assert(FILES < PROCFS_MAX_MAPS, "all are listed");
	for (unsigned int half = 0; half < 2; half++)
		for (unsigned int i = 1; i <= FILES; i++)
			buf_addf(&text, "%x000-%x000 r-xp 00000000 %x:%x %u /lib%u\n",
				 i + half * FILES, i + 1 + half * FILES, 8 + i % 3, i % 5, i * 7919,
				 i);
	assert_int_equal(buf_error(&text), 0);
	tree_write(&tree, "7/maps", text.data, text.len);
	fd = open_pid(7);
	assert_int_equal(procfs_maps(fd, &m), 0);
	assert_false(m.cut);
	assert_int_equal(m.n, FILES);
	for (unsigned int i = 1; i <= FILES; i++)
		assert_int_equal(m.map[i - 1].ino, i * 7919);
	procfs_maps_free(&m);
}

static void maps_without_end(void **state _unused_)
{
	struct procfs_maps m;
	_close_ int fd = -EBADF;
	size_t n = 0, len;
	char *text;

	/* More files than anybody has, between lines that are too long to be any. */
	len = (size_t)(PROCFS_MAX_MAPS + 10) * 80 + 100000;
	text = malloc(len + 1);
	assert_non_null(text);
	/* The end of the long line would be a line by itself, wherever it is cut. */
	memset(text, '0', 50000);
	n = 50000;
	n += (size_t)snprintf(text + n, len - n, "1000-2000 r-xp 00000000 fe:01 9 /evil\n");
	for (unsigned int i = 1; i < PROCFS_MAX_MAPS + 10; i++)
		n += (size_t)snprintf(text + n, len - n,
				      "%x000-%x000 r-xp 00000000 fe:01 %u /lib%u\n", i, i + 1, i,
				      i);
	tree_write(&tree, "7/maps", text, n);
	free(text);
	fd = open_pid(7);
	assert_int_equal(procfs_maps(fd, &m), 0);
	assert_int_equal(m.n, PROCFS_MAX_MAPS);
	assert_true(m.cut);
	assert_string_equal(m.map[0].path, "/lib1");
	procfs_maps_free(&m);
}

static void maps_of_this_process(void **state _unused_)
{
	struct procfs_maps m;
	_close_ int proc = -EBADF, fd = -EBADF, file = -EBADF;
	bool self = false, deleted = false;
	struct stat st, exe;
	void *p;

	/* A deleted file, mapped to run. */
	tree_text(&tree, "libpython gone\n.so", "0123456789");
	file = openat(tree.fd, "libpython gone\n.so", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(file, &st), 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	if (p == MAP_FAILED) {
		print_message("the temporary directory is mounted noexec\n");
		skip();
	}
	assert_int_equal(unlinkat(tree.fd, "libpython gone\n.so", 0), 0);
	assert_int_equal(stat("/proc/self/exe", &exe), 0);
	assert_int_equal(procfs_open("/proc", &proc), 0);
	assert_int_equal(procfs_pid_open(proc, (uint32_t)getpid(), &fd), 0);
	assert_int_equal(procfs_maps(fd, &m), 0);
	for (size_t i = 0; i < m.n; i++) {
		self |= m.map[i].ino == exe.st_ino && !m.map[i].deleted;
		if (m.map[i].ino != st.st_ino || !strstr(m.map[i].path, "gone"))
			continue;
		deleted = m.map[i].deleted;
		assert_string_equal(strrchr(m.map[i].path, '/'), "/libpython gone\n.so");
		assert_int_equal(m.map[i].dev, major(st.st_dev) << 20 | minor(st.st_dev));
		assert_ptr_equal((void *)m.map[i].start, p);
	}
	assert_true(self);
	assert_true(deleted);
	procfs_maps_free(&m);
	assert_int_equal(munmap(p, 4096), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(maps_of_files),	 TREE_TEST(maps_that_are_none),
		TREE_TEST(maps_of_many_files),	 TREE_TEST(maps_without_end),
		TREE_TEST(maps_of_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

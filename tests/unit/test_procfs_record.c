/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/procfs: command lines, environments and control groups, and the record of a process that is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "probe/procfs.h"
#include "unit/fake_proc.h"
#include "unit/fake_tree.h"

static void check_cmdline(const char *data, size_t data_len, size_t cap, const char *want,
			  size_t want_len, bool want_cut)
{
	_close_ int fd = -EBADF;
	char buf[64];
	size_t len;
	bool cut;

	tree_write(&tree, "7/cmdline", data, data_len);
	fd = open_pid(7);
	assert_int_equal(procfs_cmdline(fd, buf, cap, &len, &cut), 0);
	assert_int_equal(len, want_len);
	assert_memory_equal(buf, want, want_len);
	assert_int_equal(cut, want_cut);
}

static void cmdlines(void **state _unused_)
{
	check_cmdline("python3\0-c\0a\nb\0", 15, 64, "python3\0-c\0a\nb\0", 15, false);
	check_cmdline("", 0, 64, "", 0, false);
	check_cmdline("title", 5, 64, "title\0", 6, false);
	check_cmdline("title", 5, 6, "title\0", 6, false);
	check_cmdline("title", 5, 5, "titl\0", 5, true);
	check_cmdline("a\0\0b\0", 5, 5, "a\0\0b\0", 5, false);
	check_cmdline("a\0\0bc\0", 6, 5, "a\0\0b\0", 5, true);
	check_cmdline("abc\0def\0", 8, 4, "abc\0", 4, true);
}

static void environment(void **state _unused_)
{
	_close_ int fd = -EBADF;
	char *value;

	tree_write(&tree, "7/environ",
		   "LD_LIBRARY=1\0XLD_LIBRARY_PATH=2\0LD_LIBRARY_PATH=/a:/b\0Z=", 56);
	fd = open_pid(7);
	assert_int_equal(procfs_environ(fd, "LD_LIBRARY_PATH", &value), 0);
	assert_string_equal(value, "/a:/b");
	free(value);
	assert_int_equal(procfs_environ(fd, "Z", &value), 0);
	assert_string_equal(value, "");
	free(value);
	assert_int_equal(procfs_environ(fd, "LD", &value), -ENXIO);
}

static void cgroups(void **state _unused_)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{"0::/system.slice/a.service\n", "/system.slice/a.service"},
		{"0::/\n", "/"},
		{"12:cpu,cpuacct:/x\n1:name=systemd:/system.slice/b.service\n0::/\n",
		 "/system.slice/b.service"},
		{"1:name=systemd:/s\n0::/u:v/w\n", "/u:v/w"},
		{"3:name=systemd:/only\n", "/only"},
		{"0::/gone (deleted)\n", "/gone"},
		{"5:cpu:/x\n", NULL},
		{"0::relative\n", NULL},
		{"", NULL},
	};
	_close_ int fd = -EBADF;

	tree_dir(&tree, "7");
	fd = open_pid(7);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_free_ char *path = NULL;

		tree_text(&tree, "7/cgroup", cases[i].text);
		assert_int_equal(procfs_cgroup(fd, &path), cases[i].path ? 0 : -ENXIO);
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
	}
}

/* The record's strings, one after the other. */
static void check_tail(const char *buf, size_t len, const char *cmdline, size_t cmdline_len,
		       const char *exe, size_t exe_len, const char *cgroup, size_t cgroup_len,
		       const char *cwd, size_t cwd_len)
{
	const struct lmmsd_ev_proc *ev = (const void *)buf;
	const char *tail = buf + sizeof(*ev);

	assert_int_equal(ev->h.size, len);
	assert_int_equal(len, sizeof(*ev) + cmdline_len + exe_len + cgroup_len + cwd_len);
	assert_int_equal(ev->cmdline_len, cmdline_len);
	assert_memory_equal(tail, cmdline, cmdline_len);
	assert_int_equal(ev->exe_len, exe_len);
	assert_memory_equal(tail + cmdline_len, exe, exe_len);
	assert_int_equal(ev->cgroup_len, cgroup_len);
	assert_memory_equal(tail + cmdline_len + exe_len, cgroup, cgroup_len);
	assert_int_equal(ev->cwd_len, cwd_len);
	assert_memory_equal(tail + cmdline_len + exe_len + cgroup_len, cwd, cwd_len);
}

static void record(void **state _unused_)
{
	_Alignas(8) char buf[PROCFS_RECORD_MAX];
	const struct lmmsd_ev_proc *ev = (const void *)buf;
	uint64_t tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	_close_ int cgroup_fd = -EBADF;
	struct stat st;
	size_t len;

	add_process(7, 3, "python3", 250);
	tree_write(&tree, "7/cmdline", "python3\0x.py\0", 13);
	tree_link(&tree, "7/exe", "/usr//bin/python3.11 (deleted)");
	tree_text(&tree, "7/cgroup", "0::/a.slice/b.service\n");
	tree_link(&tree, "7/cwd", "/srv/shop");
	tree_dir(&tree, "cgroup/a.slice/b.service");
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(procfs_proc_record(tree.fd, -EBADF, 7, 0, &awake, buf, &len), 0);
	check_tail(buf, len, "python3\0x.py\0", 13, "python3.11\0bin\0usr\0", 19,
		   "b.service\0a.slice\0", 18, "shop\0srv\0", 9);
	assert_int_equal(ev->h.abi, LMMSD_ABI);
	assert_int_equal(ev->h.kind, LMMSD_EV_PROC);
	assert_int_equal(ev->h.ts_ns, awake.mono_ns);
	assert_int_equal(ev->h.tgid, 7);
	assert_int_equal(ev->h.tid, 7);
	assert_int_equal(ev->h.start_ns, 250 * tick);
	assert_int_equal(ev->flags, LMMSD_PROC_PROCFS);
	assert_int_equal(ev->ppid, 3);
	assert_int_equal(ev->uid, 1000);
	assert_int_equal(ev->interp, 0);
	assert_int_equal(ev->exec_ns, 0);
	assert_int_equal(ev->cgroup_id, 0);
	assert_int_equal(ev->root_ino, 0);
	assert_int_equal(ev->mnt_ns, 0);
	assert_string_equal((const char *)ev->comm, "python3");

	/* With a cgroup file system, a root of its own, and the exact start. */
	cgroup_fd = openat(tree.fd, "cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
	tree_dir(&tree, "container");
	tree_link(&tree, "7/root", "../container");
	tree_text(&tree, "7/ns/mnt", "");
	assert_int_equal(procfs_proc_record(tree.fd, cgroup_fd, 7, 12345, &awake, buf, &len), 0);
	assert_int_equal(ev->h.start_ns, 12345);
	assert_int_equal(fstatat(tree.fd, "container", &st, 0), 0);
	assert_int_equal(ev->root_ino, st.st_ino);
	assert_int_equal(fstatat(tree.fd, "7/ns/mnt", &st, 0), 0);
	assert_int_equal(ev->mnt_ns, st.st_ino);
	assert_int_equal(fstatat(tree.fd, "cgroup/a.slice/b.service", &st, 0), 0);
	assert_int_equal(ev->cgroup_id, st.st_ino);
}

static void record_of_a_hidden_process(void **state _unused_)
{
	_Alignas(8) char buf[PROCFS_RECORD_MAX];
	size_t len;

	/* As a process that may not be traced looks to another user: links and some files refuse. */
	add_process(7, 3, "secret", 250);
	tree_dir(&tree, "7/exe"); /* readlink fails, and not because it is not there */
	tree_text(&tree, "7/cmdline", "");
	tree_text(&tree, "7/cgroup", "0::/\n");
	tree_link(&tree, "7/cwd", "/srv/gone (deleted)");
	assert_int_equal(procfs_proc_record(tree.fd, -EBADF, 7, 0, &awake, buf, &len), 0);
	check_tail(buf, len, "", 0, "", 0, "", 0, "", 0);
}

static void record_of_a_huge_process(void **state _unused_)
{
	_Alignas(8) char buf[PROCFS_RECORD_MAX];
	const struct lmmsd_ev_proc *ev = (const void *)buf;
	char *big = malloc(200000), path[2048] = "";
	const size_t fit = LMMSD_PATH_MAX / 129;
	size_t len;

	assert_non_null(big);
	memset(big, 'a', 200000);
	add_process(7, 3, "x", 250);
	tree_write(&tree, "7/cmdline", big, 200000);
	for (int i = 0; i < 10; i++)
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%0128d", i);
	tree_link(&tree, "7/exe", path);
	tree_link(&tree, "7/cwd", path);
	(void)snprintf(big, 200000, "0::%s\n", path);
	tree_text(&tree, "7/cgroup", big);
	free(big);
	assert_int_equal(procfs_proc_record(tree.fd, -EBADF, 7, 0, &awake, buf, &len), 0);
	assert_true(ev->flags & LMMSD_PROC_CUT);
	assert_int_equal(ev->cmdline_len, LMMSD_CMDLINE_MAX);
	assert_int_equal(buf[sizeof(*ev) + LMMSD_CMDLINE_MAX - 1], 0);
	/* Whole components of 129 bytes from the leaf. */
	assert_int_equal(ev->exe_len, fit * 129);
	assert_int_equal(ev->cgroup_len, fit * 129);
	assert_int_equal(ev->cwd_len, fit * 129);
	assert_int_equal(buf[sizeof(*ev) + LMMSD_CMDLINE_MAX + 127], '9');
	assert_int_equal(len, sizeof(*ev) + LMMSD_CMDLINE_MAX + 3 * fit * 129);
}

/* What the kernel says of this process. */
static void record_of_this_process(void **state _unused_)
{
	_Alignas(8) char buf[PROCFS_RECORD_MAX];
	const struct lmmsd_ev_proc *ev = (const void *)buf;
	struct procfs_clock clock;
	_close_ int proc = -EBADF;
	struct stat st;
	size_t len;

	procfs_clock_now(&clock);
	assert_int_equal(procfs_open("/proc", &proc), 0);
	assert_int_equal(procfs_proc_record(proc, -EBADF, (uint32_t)getpid(), 0, &clock, buf, &len),
			 0);
	assert_int_equal(ev->h.tgid, getpid());
	assert_int_equal(ev->ppid, getppid());
	assert_int_equal(ev->uid, getuid());
	assert_true(ev->h.start_ns < clock.mono_ns);
	assert_memory_equal(buf + sizeof(*ev) + ev->cmdline_len, "test_procfs_record", 19);
	assert_int_equal(stat("/", &st), 0);
	assert_int_equal(ev->root_ino, st.st_ino);
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	assert_int_equal(ev->mnt_ns, st.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(cmdlines),
		TREE_TEST(environment),
		TREE_TEST(cgroups),
		TREE_TEST(record),
		TREE_TEST(record_of_a_hidden_process),
		TREE_TEST(record_of_a_huge_process),
		cmocka_unit_test(record_of_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

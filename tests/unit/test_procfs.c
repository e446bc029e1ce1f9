/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/procfs: against a tree that looks like /proc, and against this very process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fake_tree.h"
#include "probe/procfs.h"

static struct tree tree;
static const struct procfs_clock awake = {.mono_ns = 5000000000,
					  .boot_ns = 5000000000,
					  .tick_ns = 10000000};

static int make_tree(void **state _unused_)
{
	return tree_make(&tree);
}

static int remove_tree(void **state _unused_)
{
	return tree_remove(&tree);
}

/* A process in the tree. comm and what follows as stat has them. */
static void add_process(unsigned int pid, unsigned int ppid, const char *comm,
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

static int open_pid(unsigned int pid)
{
	int fd = -EBADF;

	assert_int_equal(procfs_pid_open(tree.fd, pid, &fd), 0);
	return fd;
}

static void pids_are_numbers(void **state _unused_)
{
	static const char *const others[] = {"self", "1x", "0", "-1", "007", "99999999999", "+5"};
	_free_ uint32_t *pids = NULL;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		tree_dir(&tree, others[i]);
	tree_dir(&tree, "30");
	tree_dir(&tree, "4");
	tree_dir(&tree, "2147483647");
	for (int again = 0; again < 2; again++) {
		free(pids);
		assert_int_equal(procfs_pids(tree.fd, &pids, &n), 0);
		assert_int_equal(n, 3);
		assert_int_equal(pids[0], 4);
		assert_int_equal(pids[1], 30);
		assert_int_equal(pids[2], 2147483647);
	}
}

static void stat_with_hostile_comm(void **state _unused_)
{
	struct procfs_stat st;
	_close_ int fd = -EBADF;

	add_process(7, 3, ") R 1 1\n((", 250);
	fd = open_pid(7);
	assert_int_equal(procfs_stat(fd, &st), 0);
	assert_int_equal(st.ppid, 3);
	assert_int_equal(st.uid, 1000);
	assert_int_equal(st.state, 'S');
	assert_string_equal((const char *)st.comm, ") R 1 1\n((");
	assert_int_equal(st.start_boot_ns, 250 * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK)));
}

static void stat_that_is_none(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"7",
		"7 (x) S",
		"7 (x) S 1 1",
		"7 (x S 1",
		"7 )x( S 1",
		"7 (x) S a 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1\n",
		"7 (x) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99999999999999999999999999 1\n",
		"7 (x) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 18446744073709551615 1\n",
	};
	struct procfs_stat st = {.ppid = 42};
	_close_ int fd = -EBADF;

	add_process(7, 3, "x", 1);
	fd = open_pid(7);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		tree_text(&tree, "7/stat", bad[i]);
		assert_int_equal(procfs_stat(fd, &st), -EBADMSG);
		assert_int_equal(st.ppid, 42);
	}
}

static void process_that_is_gone(void **state _unused_)
{
	char buf[PROCFS_RECORD_MAX], *s;
	_close_ int fd = -EBADF;
	struct procfs_maps maps;
	struct procfs_stat st;
	size_t len;
	bool flag;

	assert_int_equal(procfs_pid_open(tree.fd, 7, &fd), -ESRCH);
	assert_int_equal(procfs_proc_record(tree.fd, -EBADF, 7, 0, &awake, buf, &len), -ESRCH);
	tree_dir(&tree, "7");
	fd = open_pid(7);
	assert_int_equal(unlinkat(tree.fd, "7", AT_REMOVEDIR), 0);
	assert_int_equal(procfs_stat(fd, &st), -ESRCH);
	assert_int_equal(procfs_exe(fd, &s, &flag), -ESRCH);
	assert_int_equal(procfs_cmdline(fd, buf, sizeof(buf), &len, &flag), -ESRCH);
	assert_int_equal(procfs_cgroup(fd, &s), -ESRCH);
	assert_int_equal(procfs_environ(fd, "A", &s), -ESRCH);
	assert_int_equal(procfs_maps(fd, &maps), -ESRCH);
}

/* A child that ended between the open and the read, in the real /proc. */
static void process_that_ends(void **state _unused_)
{
	_close_ int proc = -EBADF, fd = -EBADF;
	char buf[64], *s;
	struct procfs_stat st;
	int hold[2], status;
	size_t len;
	bool flag;
	pid_t pid;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char c;

		(void)close(hold[1]);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(procfs_open("/proc", &proc), 0);
	assert_int_equal(procfs_pid_open(proc, (uint32_t)pid, &fd), 0);
	assert_int_equal(procfs_stat(fd, &st), 0);
	assert_int_equal(st.ppid, getpid());
	(void)close(hold[0]);
	(void)close(hold[1]);
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
	assert_int_equal(procfs_stat(fd, &st), 0); /* a zombie */
	assert_int_equal(st.state, 'Z');
	assert_int_equal(procfs_exe(fd, &s, &flag), -ENOENT);
	assert_int_equal(procfs_cmdline(fd, buf, sizeof(buf), &len, &flag), 0);
	assert_int_equal(len, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(procfs_stat(fd, &st), -ESRCH);
	assert_int_equal(procfs_exe(fd, &s, &flag), -ESRCH);
	assert_int_equal(procfs_cmdline(fd, buf, sizeof(buf), &len, &flag), -ESRCH);
}

static void starts_match_within_a_tick(void **state _unused_)
{
	struct procfs_clock slept = awake;
	uint64_t boot = 1230000000, tick = awake.tick_ns;

	assert_int_equal(procfs_start_mono(&awake, boot), boot);
	assert_true(procfs_start_matches(&awake, boot, boot));
	assert_true(procfs_start_matches(&awake, boot, boot + tick - 1));
	assert_false(procfs_start_matches(&awake, boot, boot + tick));
	assert_false(procfs_start_matches(&awake, boot, boot - 2 * tick));
	/* Two seconds asleep, before the start or after it. */
	slept.boot_ns += 2000000000;
	boot += 2000000000;
	assert_int_equal(procfs_start_mono(&slept, boot), boot - 2000000000);
	assert_true(procfs_start_matches(&slept, boot, boot - 2000000000 + 1));
	assert_true(procfs_start_matches(&slept, boot, boot + 1));
	assert_false(procfs_start_matches(&slept, boot, boot - 2100000000));
	assert_false(procfs_start_matches(&slept, boot, boot + tick));
	/* Reading two clocks takes time: that is no sleep. */
	slept = awake;
	slept.boot_ns += 5000;
	assert_int_equal(procfs_start_mono(&slept, boot), boot);
	assert_int_equal(procfs_start_mono(&slept, 0), 0);
}

static void own_start_is_now(void **state _unused_)
{
	struct procfs_clock before, after;
	_close_ int proc = -EBADF, fd = -EBADF;
	struct procfs_stat st;
	int hold[2];
	pid_t pid;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	procfs_clock_now(&before);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char c;

		(void)close(hold[1]);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	procfs_clock_now(&after);
	assert_int_equal(procfs_open("/proc", &proc), 0);
	assert_int_equal(procfs_pid_open(proc, (uint32_t)pid, &fd), 0);
	assert_int_equal(procfs_stat(fd, &st), 0);
	(void)close(hold[0]);
	(void)close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(st.start_boot_ns + before.tick_ns >= before.boot_ns);
	assert_true(st.start_boot_ns <= after.boot_ns);
}

static void children_of_children(void **state _unused_)
{
	_free_ uint32_t *found = NULL;
	bool cut;
	size_t n;

	add_process(1, 0, "init", 1);
	add_process(10, 1, "a", 1);
	add_process(11, 10, "b", 1);
	add_process(9, 11, "c", 1);
	add_process(12, 10, "d", 1);
	add_process(20, 1, "other", 1);
	tree_dir(&tree, "13"); /* ended while we looked */
	assert_int_equal(procfs_children(tree.fd, 10, 100, &found, &n, &cut), 0);
	assert_int_equal(n, 3);
	assert_int_equal(found[0], 11);
	assert_int_equal(found[1], 12);
	assert_int_equal(found[2], 9);
	assert_false(cut);
	free(TAKE_PTR(found));
	assert_int_equal(procfs_children(tree.fd, 10, 2, &found, &n, &cut), 0);
	assert_int_equal(n, 2);
	assert_true(cut);
	free(TAKE_PTR(found));
	assert_int_equal(procfs_children(tree.fd, 9, 2, &found, &n, &cut), 0);
	assert_int_equal(n, 0);
	assert_null(found);
	/* Read while pids were used again: each is the other's parent. */
	add_process(30, 31, "x", 1);
	add_process(31, 30, "y", 1);
	assert_int_equal(procfs_children(tree.fd, 30, 100, &found, &n, &cut), 0);
	assert_int_equal(n, 1);
	assert_int_equal(found[0], 31);
}

static void exe_is_deleted_or_called_so(void **state _unused_)
{
	_close_ int fd = -EBADF;
	char *path, link[256];
	bool deleted;

	tree_link(&tree, "7/exe", "/usr/bin/gone\n (deleted)");
	fd = open_pid(7);
	assert_int_equal(procfs_exe(fd, &path, &deleted), 0);
	assert_string_equal(path, "/usr/bin/gone\n");
	assert_true(deleted);
	free(path);

	/* A file that has the words in its name, seen through the process's root. */
	tree_text(&tree, "root/bin/odd (deleted)", "x");
	(void)snprintf(link, sizeof(link), "%s/root/bin/odd (deleted)", tree.path);
	assert_int_equal(unlinkat(tree.fd, "7/exe", 0), 0);
	tree_link(&tree, "7/exe", link);
	tree_link(&tree, "7/root", "/");
	assert_int_equal(procfs_exe(fd, &path, &deleted), 0);
	assert_string_equal(path, link);
	assert_false(deleted);
	free(path);

	assert_int_equal(unlinkat(tree.fd, "7/exe", 0), 0);
	tree_text(&tree, "7/stat", "");
	assert_int_equal(procfs_exe(fd, &path, &deleted), -ENOENT);
}

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

/* The record's strings, one after the other. */
static void check_tail(const char *buf, size_t len, const char *cmdline, size_t cmdline_len,
		       const char *exe, size_t exe_len, const char *cgroup, size_t cgroup_len)
{
	const struct lmmsd_ev_proc *ev = (const void *)buf;
	const char *tail = buf + sizeof(*ev);

	assert_int_equal(ev->h.size, len);
	assert_int_equal(len, sizeof(*ev) + cmdline_len + exe_len + cgroup_len);
	assert_int_equal(ev->cmdline_len, cmdline_len);
	assert_memory_equal(tail, cmdline, cmdline_len);
	assert_int_equal(ev->exe_len, exe_len);
	assert_memory_equal(tail + cmdline_len, exe, exe_len);
	assert_int_equal(ev->cgroup_len, cgroup_len);
	assert_memory_equal(tail + cmdline_len + exe_len, cgroup, cgroup_len);
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
	tree_dir(&tree, "cgroup/a.slice/b.service");
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(procfs_proc_record(tree.fd, -EBADF, 7, 0, &awake, buf, &len), 0);
	check_tail(buf, len, "python3\0x.py\0", 13, "python3.11\0bin\0usr\0", 19,
		   "b.service\0a.slice\0", 18);
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
	assert_int_equal(procfs_proc_record(tree.fd, -EBADF, 7, 0, &awake, buf, &len), 0);
	check_tail(buf, len, "", 0, "", 0, "", 0);
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
	assert_int_equal(buf[sizeof(*ev) + LMMSD_CMDLINE_MAX + 127], '9');
	assert_int_equal(len, sizeof(*ev) + LMMSD_CMDLINE_MAX + 2 * fit * 129);
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
	assert_memory_equal(buf + sizeof(*ev) + ev->cmdline_len, "test_procfs", 12);
	assert_int_equal(stat("/", &st), 0);
	assert_int_equal(ev->root_ino, st.st_ino);
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	assert_int_equal(ev->mnt_ns, st.st_ino);
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

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(pids_are_numbers),
		TREE_TEST(stat_with_hostile_comm),
		TREE_TEST(stat_that_is_none),
		TREE_TEST(process_that_is_gone),
		cmocka_unit_test(process_that_ends),
		cmocka_unit_test(starts_match_within_a_tick),
		cmocka_unit_test(own_start_is_now),
		TREE_TEST(children_of_children),
		TREE_TEST(exe_is_deleted_or_called_so),
		TREE_TEST(cmdlines),
		TREE_TEST(environment),
		TREE_TEST(cgroups),
		TREE_TEST(maps_of_files),
		TREE_TEST(maps_without_end),
		TREE_TEST(record),
		TREE_TEST(record_of_a_hidden_process),
		TREE_TEST(record_of_a_huge_process),
		cmocka_unit_test(record_of_this_process),
		TREE_TEST(maps_of_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

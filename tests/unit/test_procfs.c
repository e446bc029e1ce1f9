/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/procfs: pids, starts, parents and executables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "probe/procfs.h"
#include "unit/fake_proc.h"
#include "unit/fake_tree.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/launch: held children, and what they are going to run. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "app/launch.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/text.h"

static char dir[] = "/tmp/lmmsd-test-launch.XXXXXX";

static int make_dir(void **state _unused_)
{
	/* world-readable: a child may be another user */
	return mkdtemp(dir) && chmod(dir, 0777) == 0 ? chdir(dir) : -1;
}

static int remove_dir(void **state _unused_)
{
	_closedir_ DIR *d = opendir("bin");

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)rmdir("bin");
	(void)unlink("fifo");
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

static int wait_for(struct launch *l)
{
	struct pollfd p = {.fd = launch_wait_fd(l), .events = POLLIN};
	int status = -1;

	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(launch_status(l, &status), 0);
	return status;
}

static void expect_out(const char *want)
{
	_buf_ struct buf b = {0};

	assert_int_equal(fdio_read_file(AT_FDCWD, "out", 4096, &b), 0);
	assert_string_equal(buf_str(&b), want);
	assert_int_equal(unlink("out"), 0);
}

static char *const *sh(const char *script)
{
	static char name[] = "sh", option[] = "-c";
	static char *argv[] = {name, option, NULL, NULL};

	argv[2] = (char *)(uintptr_t)script;
	return argv;
}

static void test_held_until_released(void **state _unused_)
{
	_cleanup_(launch_freep) struct launch *l = NULL;
	struct pollfd p = {.events = POLLIN};
	int status;

	assert_int_equal(launch_prepare(sh("echo $$ >out; exit 7"), NULL, &l), 0);
	p.fd = launch_wait_fd(l);
	assert_int_equal(launch_status(l, &status), -EAGAIN);
	assert_int_equal(poll(&p, 1, 50), 0);
	assert_int_equal(access("out", F_OK), -1);
	assert_int_equal(launch_release(l), 0);
	status = wait_for(l);
	assert_true(WIFEXITED(status));
	assert_int_equal(launch_exit_code(status), 7);
	/* asked again it says the same */
	assert_int_equal(launch_status(l, &status), 0);
	assert_int_equal(launch_exit_code(status), 7);
	assert_int_equal(launch_signal(l, SIGTERM), -ESRCH);

	_buf_ struct buf want = {0};
	buf_addf(&want, "%d\n", (int)launch_pid(l));
	expect_out(buf_str(&want));
}

static void test_never_released(void **state _unused_)
{
	struct launch *l = NULL;
	pid_t pid;

	assert_int_equal(launch_prepare(sh("echo ran >out"), NULL, &l), 0);
	pid = launch_pid(l);
	assert_null(launch_free(l));
	/* it was waited for: it is gone, and had not run */
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(access("out", F_OK), -1);
	assert_null(launch_free(NULL));
}

static void test_killed_while_held(void **state _unused_)
{
	_cleanup_(launch_freep) struct launch *l = NULL;
	struct pollfd p = {.events = POLLIN};
	int status;

	assert_int_equal(launch_prepare(sh("true"), NULL, &l), 0);
	assert_int_equal(launch_signal(l, SIGKILL), 0);
	p.fd = launch_wait_fd(l);
	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(launch_release(l), 0);
	status = wait_for(l);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(launch_exit_code(status), 128 + SIGKILL);
}

static void expect_why(int r, int code, const char *has)
{
	const char *why = NULL;

	assert_int_equal(launch_error(r, &why), code);
	assert_non_null(strstr(why, has));
}

/* Known before it is released, and nothing is left of it. */
static void expect_error(const char *command, int r, int code, const char *has)
{
	_cleanup_(launch_freep) struct launch *l = NULL;
	char *argv[] = {(char *)(uintptr_t)command, NULL};

	assert_int_equal(launch_prepare(argv, NULL, &l), r);
	assert_null(l);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	expect_why(r, code, has);
}

/* What only execve() finds out. */
static void expect_late_error(const char *command, int r, int code, const char *has)
{
	_cleanup_(launch_freep) struct launch *l = NULL;
	char *argv[] = {(char *)(uintptr_t)command, NULL};

	assert_int_equal(launch_prepare(argv, NULL, &l), 0);
	assert_int_equal(launch_release(l), r);
	(void)wait_for(l);
	expect_why(r, code, has);
}

static void put(const char *path, const char *text, mode_t mode)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fdio_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void test_cannot_start(void **state _unused_)
{
	expect_error("no-such-program-anywhere", -ENOENT, 2, "PATH");
	expect_error("./no/such", -ENOENT, 2, "check the name");
	put("script", "#!/bin/sh\nexit 0\n", 0644);
	expect_error("./script", -EACCES, 2, "not executable");
	expect_error(".", -EACCES, 2, "not executable");
	put("script", "#!/no/such/interpreter\n", 0755);
	expect_late_error("./script", -ENOENT, 2, "interpreter is missing");
	assert_int_equal(unlink("script"), 0);
}

static void expect_found(const char *path_variable, const char *command, int r)
{
	_cleanup_(launch_freep) struct launch *l = NULL;
	char *argv[] = {(char *)(uintptr_t)command, NULL};
	_free_ char *before = strdup(getenv("PATH"));

	assert_int_equal(setenv("PATH", path_variable, 1), 0);
	assert_int_equal(launch_prepare(argv, NULL, &l), r);
	assert_int_equal(setenv("PATH", before, 1), 0);
}

/* As execvp() does: what may not be executed is passed by, and told when there is nothing else. */
static void test_looked_for_in_path(void **state _unused_)
{
	assert_int_equal(mkdir("closed", 0700), 0);
	assert_int_equal(mkdir("open", 0700), 0);
	put("closed/program", "#!/bin/sh\n", 0600);
	expect_found("none:closed:open", "program", -EACCES);
	put("open/program", "#!/bin/sh\n", 0700);
	expect_found("none:closed:open", "program", 0);
	expect_found("none:closed", "program", -EACCES);
	expect_found("none", "program", -ENOENT);
	expect_found("none", "", -ENOENT);
	assert_int_equal(chdir("open"), 0);
	expect_found("none:", "program", 0); /* the working directory */
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(unlink("closed/program") | unlink("open/program"), 0);
	assert_int_equal(rmdir("closed") | rmdir("open"), 0);
}

/* A signal that is for lmmsd does not wait for the look, and stays for the loop. */
static void test_signal_ends_the_look(void **state _unused_)
{
	struct launch *l = NULL;
	struct launch_origin origin;
	sigset_t pending, before;
	struct timespec none = {0};

	launch_origin_save(&origin);
	(void)sigprocmask(SIG_SETMASK, NULL, &before);
	launch_signals_to_loop();
	assert_int_equal(raise(SIGTERM), 0);
	for (int i = 0; i < 20; i++) { /* whichever comes first */
		int r = launch_prepare(sh("echo ran >out"), &origin, &l);

		assert_true(r == -EINTR || r == 0);
		l = launch_free(l);
	}
	assert_int_equal(access("out", F_OK), -1);
	(void)sigemptyset(&pending);
	(void)sigaddset(&pending, SIGTERM);
	assert_int_equal(sigtimedwait(&pending, NULL, &none), SIGTERM);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
}

/* Our own line of /proc/self/status: some ignored signals glibc itself keeps out of reach. */
static uint64_t ignored_now(void)
{
	_buf_ struct buf b = {0};
	const char *line;

	assert_int_equal(fdio_read_file(AT_FDCWD, "/proc/self/status", 1 << 16, &b), 0);
	line = strstr(buf_str(&b), "\nSigIgn:\t");
	assert_non_null(line);
	return strtoull(line + 9, NULL, 16);
}

/* Signals and limits of the child are those of the origin, whatever we changed since. */
static void test_origin(void **state _unused_)
{
	_cleanup_(launch_freep) struct launch *l = NULL;
	struct launch_origin origin;
	struct rlimit fewer;
	sigset_t all, old;

	assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	launch_origin_save(&origin);
	uint64_t ignored = ignored_now();
	assert_int_equal(ignored & (1 << (SIGUSR1 - 1) | 1 << (SIGPIPE - 1)), 1 << (SIGUSR1 - 1));
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	(void)sigfillset(&all);
	assert_int_equal(sigprocmask(SIG_SETMASK, &all, &old), 0);
	fewer = origin.nofile;
	fewer.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
	int r = launch_prepare(
		sh("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 >out; ulimit -n >>out"),
		&origin, &l);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &origin.nofile), 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	assert_int_equal(r, 0);
	assert_int_equal(launch_release(l), 0);
	assert_int_equal(wait_for(l), 0);
	assert_true(signal(SIGUSR1, SIG_DFL) != SIG_ERR);

	_buf_ struct buf want = {0};
	buf_addf(&want, "%016x\n%016jx\n%ju\n", 0, (uintmax_t)ignored,
		 (uintmax_t)origin.nofile.rlim_cur);
	expect_out(buf_str(&want));
}

static void test_invoking_user(void **state _unused_)
{
	_cleanup_(launch_freep) struct launch *l = NULL;

	if (geteuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	assert_int_equal(setenv("SUDO_UID", "65534", 1) | setenv("SUDO_GID", "65533", 1), 0);
	assert_int_equal(launch_prepare(sh("{ id -u; id -g; id -G; echo ${SUDO_UID-unset} $HOME; } "
					   ">out"),
					NULL, &l),
			 0);
	assert_int_equal(setenv("SUDO_UID", "x", 1), 0);
	struct launch *none = NULL;
	assert_int_equal(launch_prepare(sh("true"), NULL, &none), -EINVAL);
	assert_null(none);
	assert_int_equal(unsetenv("SUDO_UID") | unsetenv("SUDO_GID"), 0);
	assert_int_equal(launch_release(l), 0);
	assert_int_equal(wait_for(l), 0);
	/* Debian's "nobody": no group but the one given, and its home */
	expect_out("65534\n65533\n65533\nunset /nonexistent\n");
}

static void test_root_stays_root(void **state _unused_)
{
	_cleanup_(launch_freep) struct launch *l = NULL;

	assert_int_equal(unsetenv("SUDO_UID") | unsetenv("SUDO_GID"), 0);
	assert_int_equal(launch_prepare(sh("id -u >out"), NULL, &l), 0);
	assert_int_equal(launch_release(l), 0);
	assert_int_equal(wait_for(l), 0);
	_buf_ struct buf want = {0};
	buf_addf(&want, "%u\n", geteuid());
	expect_out(buf_str(&want));
}

/* ---- what a command is going to run */

/* words and want: separated by blanks; want: paths below the test's directory. */
static void expect_paths(const char *words, const char *want)
{
	char text[512], *argv[40], *rest;
	_buf_ struct buf got = {0};
	char **paths;
	size_t n = 0;
	int argc = 0;

	(void)snprintf(text, sizeof(text), "%s", words);
	for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	argv[argc] = NULL;
	assert_int_equal(launch_interpreters(argv, &paths, &n), 0);
	for (size_t i = 0; i < n; i++) {
		const char *path = paths[i];

		if (text_starts_with(path, dir))
			path += strlen(dir) + 1;
		buf_addf(&got, "%s%s", i ? " " : "", path);
	}
	launch_paths_free(paths, n);
	if (strcmp(buf_str(&got), want) != 0)
		fail_msg("%s: found '%s', not '%s'", words, buf_str(&got), want);
}

static void test_interpreters(void **state _unused_)
{
	const char *path_now = getenv("PATH");
	_free_ char *old = strdup(path_now ? path_now : "/usr/bin:/bin");
	char path[64];

	assert_int_equal(mkdir("bin", 0755), 0);
	(void)snprintf(path, sizeof(path), "/no/such::%s/bin", dir);
	assert_int_equal(setenv("PATH", path, 1), 0);
	put("bin/python3.9", "\177ELF and so on", 0755);
	assert_int_equal(symlink("python3.9", "bin/python3"), 0);
	put("bin/timeout", "\177ELF", 0755);
	put("bin/notexec", "\177ELF", 0644);
	put("bin/short", "#", 0755);
	put("bin/plain", "#!/no/such\n", 0755);
	put("bin/abs", "#! bin/python3 -u\n", 0755);
	put("bin/byenv", "#!/usr/bin/env python3\nimport x", 0755);
	put("bin/byenvs", "#!/usr/bin/env -S -u X A=b python3 -u\n", 0755);
	put("bin/byenvglued", "#!/usr/bin/env -Spython3 -u\r\n", 0755);
	put("bin/twice", "#!bin/byenv\n", 0755);
	put("bin/loop", "#!bin/loop\n", 0755);
	put("bin/envalone", "#!/usr/bin/env\n", 0755);
	assert_int_equal(mkfifo("fifo", 0755), 0);

	expect_paths("python3", "bin/python3.9");
	expect_paths("bin/python3 -m x", "bin/python3.9");
	expect_paths("python3.9 bin/python3", "bin/python3.9");
	expect_paths("byenv", "bin/python3.9");
	expect_paths("byenvs", "bin/python3.9");
	expect_paths("byenvglued", "bin/python3.9");
	expect_paths("abs", "bin/python3.9");
	expect_paths("twice", "bin/python3.9");
	expect_paths("timeout -s KILL 5 python3 x.py", "bin/timeout bin/python3.9");
	expect_paths("loop", "");
	expect_paths("envalone", "");
	expect_paths("plain", "");
	expect_paths("short", "");
	expect_paths("notexec", "");
	expect_paths("./fifo", "");
	expect_paths("bin", "");
	expect_paths("nothing-of-that-name", "");
	expect_paths("./nothing --python3", "");
	assert_int_equal(setenv("PATH", old, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_until_released),
		cmocka_unit_test(test_never_released),
		cmocka_unit_test(test_killed_while_held),
		cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_looked_for_in_path),
		cmocka_unit_test(test_signal_ends_the_look),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_invoking_user),
		cmocka_unit_test(test_root_stays_root),
		cmocka_unit_test(test_interpreters),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "app/options.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/num.h"

#define SAY_AFTER_MS 500

struct launch {
	pid_t pid;
	int pidfd; /* owned */
	int hold;  /* owned: a byte releases the child, its end ends it */
	int report; /* owned: two errnos: of the look for the program, of execve(); end of file: it runs */
	bool looked;
	bool reaped;
	int status;
};

/* Whom the child shall be. */
struct user {
	bool change;
	uid_t uid;
	gid_t gid;
	struct passwd pw; /* its strings are borrowed from buffer; pw_name NULL: no such user */
	char buffer[4096];
};

void launch_origin_save(struct launch_origin *ret)
{
	struct sigaction sa;

	(void)sigprocmask(SIG_SETMASK, NULL, &ret->mask);
	(void)sigemptyset(&ret->ignored);
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			(void)sigaddset(&ret->ignored, sig);
	}
	(void)getrlimit(RLIMIT_NOFILE, &ret->nofile);
	(void)getrlimit(RLIMIT_MEMLOCK, &ret->memlock);
}

static void stopping_signals(sigset_t *ret)
{
	(void)sigemptyset(ret);
	(void)sigaddset(ret, SIGINT);
	(void)sigaddset(ret, SIGTERM);
	(void)sigaddset(ret, SIGHUP);
}

void launch_signals_to_loop(void)
{
	sigset_t mask;

	stopping_signals(&mask);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int find_user(struct user *u)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	struct passwd *found;
	uint64_t id;

	if (geteuid() != 0 || !uid || !gid)
		return 0;
	if (num_u64(uid, 0, UINT32_MAX - 1, &id) < 0)
		return -EINVAL;
	u->uid = (uid_t)id;
	if (num_u64(gid, 0, UINT32_MAX - 1, &id) < 0)
		return -EINVAL;
	u->gid = (gid_t)id;
	u->change = true;
	if (getpwuid_r(u->uid, &u->pw, u->buffer, sizeof(u->buffer), &found) != 0 || !found)
		u->pw.pw_name = NULL;
	return 0;
}

/* ---- in the child */

static int become(const struct user *u)
{
	if (!u->change)
		return 0;
	if (u->pw.pw_name) {
		if (initgroups(u->pw.pw_name, u->gid) < 0)
			return -errno;
	} else if (setgroups(1, &u->gid) < 0) {
		return -errno;
	}
	if (setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	/* It runs as if sudo had not been there; HOME decides where a user's packages are. */
	if (u->pw.pw_name) {
		if (setenv("HOME", u->pw.pw_dir, 1) < 0 || setenv("USER", u->pw.pw_name, 1) < 0 ||
		    setenv("LOGNAME", u->pw.pw_name, 1) < 0)
			return -errno;
	}
	(void)unsetenv("SUDO_UID");
	(void)unsetenv("SUDO_GID");
	(void)unsetenv("SUDO_USER");
	(void)unsetenv("SUDO_COMMAND");
	return 0;
}

/* The limits first, while it may still raise them. */
static void restore(const struct launch_origin *origin)
{
	struct sigaction sa = {0};

	for (int sig = 1; sig < NSIG; sig++) {
		bool ignored = origin && sigismember(&origin->ignored, sig) == 1;

		sa.sa_handler = ignored ? SIG_IGN : SIG_DFL;
		(void)sigaction(sig, &sa, NULL);
	}
	if (origin) {
		(void)setrlimit(RLIMIT_NOFILE, &origin->nofile);
		(void)setrlimit(RLIMIT_MEMLOCK, &origin->memlock);
	}
}

static void restore_mask(const struct launch_origin *origin)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, origin ? &origin->mask : &none, NULL);
}

static ssize_t read_again(int fd, void *to, size_t len)
{
	ssize_t n;

	do
		n = read(fd, to, len);
	while (n < 0 && errno == EINTR);
	return n;
}

_Noreturn static void child(char *const argv[], const struct launch_origin *origin,
			    const struct user *u, int hold, int report)
{
	_free_ char *path = NULL;
	char go;
	int r;

	/* Signals stay blocked while it is held: Ctrl-C is for lmmsd then, which takes the child along. */
	restore(origin);
	r = become(u);
	if (r == 0)
		r = launch_resolve(argv[0], &path); /* what only execve() finds out is left to it */
	if (write(report, &r, sizeof(r)) != sizeof(r) || r < 0)
		_exit(EXIT_USAGE);
	if (read_again(hold, &go, 1) != 1)
		_exit(EXIT_DONE);
	restore_mask(origin);
	(void)execvp(argv[0], argv);
	r = -errno;
	(void)!write(report, &r, sizeof(r));
	_exit(EXIT_USAGE);
}

/* ---- in lmmsd */

/* Forks with all signals blocked, so that the child is not interrupted before it is released. */
static pid_t fork_blocked(void)
{
	sigset_t all, old;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid != 0) {
		int saved = errno;

		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		errno = saved;
	}
	return pid;
}

/*
 * What the child found. A file system that does not answer holds it, so a signal that is for us ends the wait; it stays pending.
 */
static int hear_of_look(struct launch *l, const struct launch_origin *origin)
{
	struct pollfd p[2] = {{.fd = l->report, .events = POLLIN}, {.events = POLLIN}};
	sigset_t mask;
	ssize_t n;
	int r;

	stopping_signals(&mask);
	if (origin && sigismember(&origin->ignored, SIGHUP) == 1)
		(void)sigdelset(&mask, SIGHUP);
	_close_ int signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (signals < 0)
		return -errno;
	p[1].fd = signals;
	while (!p[0].revents && !p[1].revents) {
		int ready = poll(p, ARRAY_LEN(p), SAY_AFTER_MS);

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready == 0 && log_max() >= LOG_LEVEL_INFO)
			log_status("looking for the command: its file system does not answer yet");
	}
	log_status(NULL);
	if (!p[0].revents)
		return -EINTR;
	n = read_again(l->report, &r, sizeof(r));
	if (n < 0)
		return -errno;
	l->looked = true;
	return n == (ssize_t)sizeof(r) ? r : 0; /* killed: its end says so */
}

int launch_prepare(char *const argv[], const struct launch_origin *origin, struct launch **ret)
{
	_cleanup_(launch_freep) struct launch *l = calloc(1, sizeof(*l));
	_free_ struct user *u = calloc(1, sizeof(*u));
	int hold[2], report[2], r;

	if (!l || !u)
		return -ENOMEM;
	l->hold = l->report = l->pidfd = -EBADF;
	r = find_user(u);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hold) < 0)
		return -errno;
	_close_ int hold_end = hold[0];
	l->hold = hold[1];
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	_close_ int report_end = report[1];
	l->report = report[0];

	l->pid = fork_blocked();
	if (l->pid < 0)
		return -errno;
	if (l->pid == 0) {
		/* Its own copy of our end would keep it waiting when we die. */
		(void)close(l->hold);
		child(argv, origin, u, hold_end, report_end);
	}
	l->pidfd = pidfd_open(l->pid, 0);
	if (l->pidfd < 0)
		return -errno;
	closep(&report_end); /* its own end says that it is gone */
	report_end = -EBADF;
	r = hear_of_look(l, origin);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

int launch_release(struct launch *l)
{
	int r;
	ssize_t n;

	/* A socket, not a pipe: a child that was killed while held must not cost us a SIGPIPE. */
	(void)send(l->hold, "", 1, MSG_NOSIGNAL);
	closep(&l->hold);
	l->hold = -EBADF;
	n = read_again(l->report, &r, sizeof(r));
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(r) ? r : 0;
}

pid_t launch_pid(const struct launch *l)
{
	return l->pid;
}

int launch_wait_fd(const struct launch *l)
{
	return l->pidfd;
}

int launch_status(struct launch *l, int *ret_status)
{
	pid_t pid;

	if (!l->reaped) {
		do
			pid = waitpid(l->pid, &l->status, WNOHANG);
		while (pid < 0 && errno == EINTR);
		if (pid < 0)
			return -errno;
		if (pid == 0)
			return -EAGAIN;
		l->reaped = true;
	}
	*ret_status = l->status;
	return 0;
}

int launch_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int launch_signal(struct launch *l, int sig)
{
	if (l->reaped)
		return -ESRCH;
	return pidfd_send_signal(l->pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int launch_error(int r, const char **ret_why)
{
	static const struct {
		int error;
		int code;
		const char *why;
	} rows[] = {
		{ENOENT, EXIT_USAGE,
		 "no such program in PATH, or its interpreter is missing; check the name"},
		{ENOTDIR, EXIT_USAGE, "no such program; check its path"},
		{EACCES, EXIT_USAGE,
		 "it is not executable for this user; check its mode and directories"},
		{EISDIR, EXIT_USAGE, "it is a directory; name a program"},
		{ENOEXEC, EXIT_USAGE, "it is no program that this machine can run"},
		{ELOOP, EXIT_USAGE, "its symbolic links go in circles"},
		{E2BIG, EXIT_USAGE, "its arguments and environment are too long"},
		{EPERM, EXIT_NOT_PERMITTED, "not permitted to start it as the invoking user"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].error == -r) {
			*ret_why = rows[i].why;
			return rows[i].code;
		}
	}
	*ret_why = strerrordesc_np(-r);
	if (!*ret_why)
		*ret_why = "unknown error";
	return EXIT_INTERNAL;
}

struct launch *launch_free(struct launch *l)
{
	bool held;

	if (!l)
		return NULL;
	held = l->hold >= 0 && l->pid > 0;
	closep(&l->hold);
	closep(&l->report);
	closep(&l->pidfd);
	/* One that has not found its program yet waits for a file system, and dies when that answers. */
	if (held && !l->looked)
		(void)kill(l->pid, SIGKILL);
	while (held && !l->reaped && waitpid(l->pid, NULL, l->looked ? 0 : WNOHANG) < 0 &&
	       errno == EINTR)
		;
	free(l);
	return NULL;
}

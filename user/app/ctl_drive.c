/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * drive-imports PY MODULE...: what lmmsd watches for profile-imports. Runs one interpreter after the other, and says on stdout
 * how each ended: "STATUS LAST-LINE-OF-STDERR".
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "app/ctl.h"
#include "app/options.h"

extern char **environ;

/* The last line that is not empty. */
static void last_line(int fd, char *ret, size_t cap)
{
	char text[4096];
	off_t end = lseek(fd, 0, SEEK_END),
	      from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
	ssize_t n = end > 0 ? pread(fd, text, sizeof(text) - 1, from) : 0;
	size_t len = n > 0 ? (size_t)n : 0, at;

	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	for (at = len; at && text[at - 1] != '\n'; at--)
		;
	(void)snprintf(ret, cap, "%.*s", (int)(len - at), text + at);
}

/* Wait status; -1: it could not start. */
static int run(const char *python, const char *module, int err)
{
	_buf_ struct buf code = {0};
	char dash_c[] = "-c";
	posix_spawn_file_actions_t fa;
	char *argv[] = {(char *)(uintptr_t)python, dash_c, NULL, NULL};
	int status = -1, r;
	pid_t pid;

	buf_addf(&code, "import %s", module);
	if (buf_error(&code))
		return -1;
	argv[2] = code.data;
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&fa, err, 2);
	r = posix_spawnp(&pid, python, &fa, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&fa);
	if (r) {
		(void)dprintf(err, "%s: %s\n", python, strerror(r));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int ctl_drive(struct ctl *c)
{
	for (size_t i = 1; i < c->n_args; i++) {
		_close_ int err = memfd_create("stderr", MFD_CLOEXEC);
		char line[256] = "";
		int status;

		if (err < 0)
			return EXIT_INTERNAL;
		status = run(c->args[0], c->args[i], err);
		if (status)
			last_line(err, line, sizeof(line));
		if (printf("%d %s\n", status, line) < 0 || fflush(stdout))
			return EXIT_INTERNAL;
	}
	return EXIT_DONE;
}

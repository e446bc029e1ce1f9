/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "app/ctl_imports.h"
#include "app/launch.h"
#include "app/options.h"
#include "base/log.h"
#include "base/text.h"

#define TELL_MS 500

extern char **environ;

/* A running lmmsd and what it drives. */
struct round {
	struct imports *i;
	size_t *order; /* owned: modules of this round */
	size_t n, ended;
	pid_t pid;
	int out, err; /* owned: a pipe from the driver; what lmmsd says */
	struct buf line;
};

static void round_clear(struct round *r)
{
	free(r->order);
	closep(&r->out);
	closep(&r->err);
	buf_free(&r->line);
}

static int spawn(struct round *r, const char *report)
{
	const struct imports *i = r->i;
	const char *head[] = {i->lmmsd, "--format", "json",  "--usage",	      "off", "-o",
			      report,	"--",	    i->self, "drive-imports", "--",  i->python};
	_free_ const char **argv = calloc(ARRAY_LEN(head) + r->n + 1, sizeof(*argv));
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int pipes[2], e;

	if (!argv)
		return -ENOMEM;
	memcpy(argv, head, sizeof(head));
	for (size_t k = 0; k < r->n; k++)
		argv[ARRAY_LEN(head) + k] = i->m[r->order[k]].name;
	r->err = memfd_create("stderr", MFD_CLOEXEC);
	if (r->err < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&fa, pipes[1], 1);
	(void)posix_spawn_file_actions_adddup2(&fa, r->err, 2);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigmask(&attr, &i->mask);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	e = posix_spawnp(&r->pid, i->lmmsd, &fa, &attr, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&attr);
	(void)close(pipes[1]);
	r->out = pipes[0];
	return -e;
}

/* What a module wrote at last, cut where it must be, and made UTF-8. */
static void keep_error(struct imported *m, const char *text)
{
	_buf_ struct buf all = {0}, fits = {0};

	text_utf8(&all, TEXT_UTF8 | TEXT_CUT, text, strlen(text));
	text_utf8(&fits, TEXT_UTF8 | TEXT_CUT, buf_str(&all),
		  all.len < sizeof(m->error) ? all.len : sizeof(m->error) - 1);
	(void)snprintf(m->error, sizeof(m->error), "%s", buf_str(&fits));
}

/* "STATUS TEXT" of the next module. */
static void on_line(struct round *r, char *line)
{
	struct imports *i = r->i;
	char *text = strchr(line, ' ');
	struct imported *m;

	if (r->ended >= r->n || !text)
		return;
	m = &i->m[r->order[r->ended++]];
	i->done++;
	*text++ = '\0';
	if (strcmp(line, "0") && !i->stop) {
		/* it still comes where this lmmsd was asked for it again, but in no later round */
		if (!m->failed)
			i->all -= i->runs + 1 - m->asked;
		m->failed = true;
		keep_error(m, *text ? text : "it ended with an error");
	}
	if (r->ended < r->n)
		i->at = r->order[r->ended];
	imports_progress(i);
}

static void on_text(struct round *r, const char *data, size_t len)
{
	for (size_t k = 0; k < len; k++) {
		if (data[k] != '\n') {
			buf_addc(&r->line, data[k]);
			continue;
		}
		if (r->line.data)
			on_line(r, r->line.data);
		buf_reset(&r->line);
	}
}

/* Until the driver has closed its end. A stop goes on to lmmsd, which then ends the driver and reports. */
static void follow(struct round *r)
{
	struct pollfd p[] = {{.fd = r->out, .events = POLLIN},
			     {.fd = r->i->signals, .events = POLLIN}};
	struct signalfd_siginfo si;
	char data[4096];
	ssize_t n;

	while (true) {
		if (poll(p, ARRAY_LEN(p), TELL_MS) <= 0) {
			imports_progress(r->i);
			continue;
		}
		if ((p[1].revents & POLLIN) && read(p[1].fd, &si, sizeof(si)) == sizeof(si)) {
			/* From a terminal lmmsd and the driver have it already. */
			if (!r->i->stop && si.ssi_code != SI_KERNEL)
				(void)kill(r->pid, SIGINT);
			r->i->stop = true;
		}
		if (!p[0].revents)
			continue;
		n = read(r->out, data, sizeof(data));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0)
			on_text(r, data, (size_t)n);
	}
}

/* What lmmsd said at last, which is why it failed. */
static void pass_on(const struct round *r, int code)
{
	char text[2048], *line;
	ssize_t n = pread(r->err, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (!strncmp(line, "lmmsd: ", 7))
		line += 7;
	log_error("lmmsd could not watch: %s", *line ? line : "it said nothing");
	if (!*line)
		log_info("its exit status was %d", code);
}

/* "not watching 'FILE': ..." of one of these files. */
static bool names_any(const char *line, char *const *paths, size_t n)
{
	const char *file = strchr(line, '\'') + 1;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(paths[i]);

		if (!strncmp(file, paths[i], len) && file[len] == '\'')
			return true;
	}
	return false;
}

/* Why no run may count: the last line on the interpreter's own file, else on any that lmmsd refused. */
static void find_reason(struct imports *i, char *text, char *const *paths, size_t n_paths)
{
	bool own = false, mine;
	char *next;

	for (char *line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!text_starts_with(line, "lmmsd: not watching '") &&
		    !text_starts_with(line, "lmmsd: cannot attach to '"))
			continue;
		mine = names_any(line, paths, n_paths);
		if (own && !mine)
			continue;
		own = mine;
		(void)snprintf(i->reason, sizeof(i->reason), "%s", line + strlen("lmmsd: "));
	}
}

static void keep_reason(const struct round *r)
{
	char *argv[] = {(char *)(uintptr_t)r->i->python, NULL}, **paths = NULL;
	char text[16384];
	const off_t most = sizeof(text) - 1;
	size_t n_paths = 0;
	struct stat st;
	ssize_t n = -1;

	if (fstat(r->err, &st) == 0)
		n = pread(r->err, text, sizeof(text) - 1,
			  st.st_size > most ? st.st_size - most : 0);
	text[n > 0 ? n : 0] = '\0';
	if (launch_interpreters(argv, &paths, &n_paths) < 0)
		n_paths = 0;
	find_reason(r->i, text, paths, n_paths);
	launch_paths_free(paths, n_paths);
}

static int finish(struct round *r, const char *report, bool counted)
{
	int status, code, e;

	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	keep_reason(r);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INTERNAL;
	if (r->ended < r->n && !r->i->stop) {
		pass_on(r, code);
		return code ? code : EXIT_INTERNAL;
	}
	if (!counted)
		return 0;
	e = imports_read(r->i, report);
	if (e && r->i->stop)
		return 0; /* stopped before there was a report */
	if (e)
		log_error("cannot read lmmsd's report: %s", strerror(-e));
	return e ? EXIT_INTERNAL : 0;
}

int imports_rounds(struct imports *i, size_t first, size_t rounds, bool counted)
{
	_cleanup_(round_clear) struct round r = {.i = i, .out = -EBADF, .err = -EBADF};
	char report[128];
	int e;

	r.order = calloc(i->n * rounds, sizeof(*r.order));
	if (!r.order)
		return EXIT_INTERNAL;
	/* Each round begins with another module. */
	for (size_t k = 0; k < i->n * rounds; k++) {
		size_t at = (first + k / i->n + k) % i->n;

		if (i->m[at].failed)
			continue;
		r.order[r.n++] = at;
		i->m[at].asked++;
	}
	if (!r.n)
		return 0;
	i->at = r.order[0];
	(void)snprintf(report, sizeof(report), "%s/report.json", i->dir);
	e = spawn(&r, report);
	if (e) {
		log_error("cannot start '%s': %s", i->lmmsd, strerror(-e));
		return e == -ENOENT ? EXIT_NOT_FOUND : EXIT_INTERNAL;
	}
	follow(&r);
	e = finish(&r, report, counted);
	(void)unlink(report);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which ELF files a command is going to run, read from the files alone. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "app/launch.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#define MAX_DEPTH 4  /* as many "#!" as the kernel follows */
#define MAX_WORDS 32 /* of the command line that are looked at */
#define MAX_PATHS 16
#define HEAD_SIZE 256		     /* BINPRM_BUF_SIZE */
#define DEFAULT_PATH "/bin:/usr/bin" /* glibc's, when PATH is not set */

struct found {
	char **paths; /* owned */
	size_t n;
};

void launch_paths_free(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

static void found_done(struct found *f)
{
	launch_paths_free(f->paths, f->n);
}

/* What execve() would say of it at once. */
static int judge_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -EACCES;
	return 0;
}

static int resolve_in_path(const char *name, char **ret)
{
	const char *path = getenv("PATH");
	int r = -ENOENT;

	for (path = path ? path : DEFAULT_PATH;; path++) {
		size_t len = strcspn(path, ":");
		_buf_ struct buf full = {0};
		int one;

		/* An empty part is the working directory. */
		buf_add(&full, len ? path : ".", len ? len : 1);
		buf_addc(&full, '/');
		buf_adds(&full, name);
		if (buf_error(&full))
			return -ENOMEM;
		one = judge_program(buf_str(&full));
		if (one == 0) {
			*ret = buf_take(&full);
			return 0;
		}
		if (one == -EACCES)
			r = one;
		path += len;
		if (!*path)
			return r;
	}
}

int launch_resolve(const char *name, char **ret)
{
	int r;

	if (!*name)
		return -ENOENT;
	if (!strchr(name, '/'))
		return resolve_in_path(name, ret);
	r = judge_program(name);
	if (r)
		return r;
	*ret = strdup(name);
	return *ret ? 0 : -ENOMEM;
}

/* The first bytes of the file, NUL-terminated; never blocks on a FIFO. */
static int read_head(const char *path, char head[HEAD_SIZE + 1])
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, head, HEAD_SIZE, 0);
	if (n < 0)
		return -errno;
	head[n] = '\0';
	return 0;
}

static int keep(struct found *f, const char *path)
{
	char *real = realpath(path, NULL);
	char **paths;

	if (!real)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (size_t i = 0; i < f->n; i++) {
		if (!strcmp(f->paths[i], real)) {
			free(real);
			return 0;
		}
	}
	paths = f->n < MAX_PATHS ? reallocarray(f->paths, f->n + 1, sizeof(*paths)) : NULL;
	if (!paths) {
		free(real);
		return f->n < MAX_PATHS ? -ENOMEM : 0;
	}
	f->paths = paths;
	f->paths[f->n++] = real;
	return 0;
}

/* Cuts the next word off the text; NULL: there is none. */
static char *next_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	size_t len = strcspn(word, " \t");

	if (!len)
		return NULL;
	*text = word + len;
	if (**text)
		*(*text)++ = '\0';
	return word;
}

static bool is_env(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "env");
}

/* The program that env runs for these words: behind its options and assignments. */
static char *env_program(char *words)
{
	char *word;

	while ((word = next_word(&words))) {
		if (!strcmp(word, "-u") || !strcmp(word, "-C") || !strcmp(word, "--unset") ||
		    !strcmp(word, "--chdir"))
			(void)next_word(&words);
		else if (text_starts_with(word, "-S") && word[2])
			return word + 2;
		else if (*word != '-' && !strchr(word, '='))
			return word;
	}
	return NULL;
}

/*
 * One program: kept if it is ELF; else what its "#!" names is put into *ret_next (owned) to be looked at, or NULL.
 */
static int follow(struct found *f, const char *path, char **ret_next)
{
	char head[HEAD_SIZE + 1] = {0};
	char *text = head + 2, *interpreter, *program;
	int r;

	*ret_next = NULL;
	if (read_head(path, head) < 0)
		return 0;
	if (!memcmp(head, "\177ELF", 4))
		return keep(f, path);
	if (head[0] != '#' || head[1] != '!')
		return 0;
	head[strcspn(head, "\r\n")] = '\0';
	interpreter = next_word(&text);
	if (!interpreter)
		return 0;
	program = is_env(interpreter) ? env_program(text) : interpreter;
	if (!program)
		return 0;
	r = launch_resolve(program, ret_next);
	return r == -ENOMEM ? r : 0;
}

static int look_at(struct found *f, const char *name)
{
	_free_ char *path = NULL;
	int r = launch_resolve(name, &path);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (int depth = 0; path && depth <= MAX_DEPTH; depth++) {
		char *next;

		r = follow(f, path, &next);
		if (r < 0)
			return r;
		free(path);
		path = next;
	}
	return 0;
}

int launch_interpreters(char *const argv[], char ***ret, size_t *ret_n)
{
	_cleanup_(found_done) struct found f = {0};

	for (size_t i = 0; argv[i] && i < MAX_WORDS; i++) {
		int r;

		/* Options are no programs, even if a file is named so. */
		if (i > 0 && argv[i][0] == '-')
			continue;
		r = look_at(&f, argv[i]);
		if (r < 0)
			return r;
	}
	*ret_n = f.n;
	*ret = TAKE_PTR(f.paths);
	f.n = 0;
	return 0;
}

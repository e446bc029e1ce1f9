/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Finds a program's libpython where ld.so would; glibc's ld.so.cache in both formats, musl by its directories. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"

#define MAX_DIRS 64  /* of a run path */
#define MAX_CACHED 4 /* entries of one name: hwcaps variants */
#define MAX_NAMES                                                                                  \
	4 /* looked up for one file: each may cost a search of a cache that somebody made for this */
#define MAX_CACHE_FILE (16u << 20)

#if defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#define PLATFORM "aarch64"
#else
#define TRIPLET "x86_64-linux-gnu"
#define PLATFORM "x86_64"
#endif
#define LIB_TRIPLET "lib/" TRIPLET

static const char *const usual_dirs[] = {
	"/" LIB_TRIPLET, "/usr/" LIB_TRIPLET, "/lib64",		"/usr/lib64",
	"/lib",		 "/usr/lib",	      "/usr/local/lib",
};

struct finder {
	struct discover *d;
	const struct discover_file *file;
	const char *name;
	uint8_t *cache; /* owned; read when a name is first looked for in it */
	size_t cache_len;
	bool cache_read;
};

/* Queues path if there is a regular file. 1: queued. 0: not there. */
static int try_path(const struct finder *f, const char *path)
{
	struct discover_job job = {.kind = DISCOVER_FOUND, .pid = f->file->pid};
	_close_ int fd = discover_open_in(f->d, job.pid, path);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = discover_push(f->d, &job, path);
	return r < 0 ? r : 1;
}

static int try_dir(const struct finder *f, const char *dir)
{
	_buf_ struct buf path = {};

	buf_addf(&path, "%s/%s", dir, f->name);
	if (buf_error(&path))
		return buf_error(&path);
	return try_path(f, buf_str(&path));
}

/* $ORIGIN, $LIB and $PLATFORM, with or without braces. */
static void expand(struct buf *out, const char *s, size_t len, const char *origin, const char *lib)
{
	const struct {
		const char *token, *value;
	} tokens[] = {
		{"$ORIGIN", origin}, {"${ORIGIN}", origin},   {"$LIB", lib},
		{"${LIB}", lib},     {"$PLATFORM", PLATFORM}, {"${PLATFORM}", PLATFORM},
	};

	for (size_t i = 0; i < len;) {
		size_t used = 0;

		for (size_t t = 0; s[i] == '$' && t < ARRAY_LEN(tokens) && !used; t++) {
			size_t n = strlen(tokens[t].token);

			if (n <= len - i && strncmp(s + i, tokens[t].token, n) == 0) {
				buf_adds(out, tokens[t].value);
				used = n;
			}
		}
		if (!used) {
			buf_addc(out, s[i]);
			used = 1;
		}
		i += used;
	}
}

/* A colon-separated list, first hit only. 1: found. */
static int try_list(const struct finder *f, const char *list, const char *separators)
{
	static const char *const libs[] = {LIB_TRIPLET, "lib64", "lib"};
	const char *slash = strrchr(f->file->path, '/');
	_free_ char *origin = strndup(f->file->path, slash ? (size_t)(slash - f->file->path) : 0);

	if (!origin)
		return -ENOMEM;
	for (size_t dirs = 0;; dirs++) {
		size_t len = strcspn(list, separators);
		bool has_lib = memmem(list, len, "LIB", 3) != NULL;

		if (dirs == MAX_DIRS) {
			f->d->stats.cut++;
			break;
		}

		/* An empty entry is the working directory, which we do not have. */
		for (size_t i = 0; len > 0 && i < (has_lib ? ARRAY_LEN(libs) : 1); i++) {
			_buf_ struct buf dir = {};
			int r;

			expand(&dir, list, len, origin, libs[i]);
			if (buf_error(&dir))
				return buf_error(&dir);
			r = buf_str(&dir)[0] == '/' ? try_dir(f, buf_str(&dir)) : 0;
			if (r != 0)
				return r;
		}
		list += len;
		if (!*list++)
			break;
	}
	return 0;
}

static int read_cache(const struct finder *f, uint8_t **ret, size_t *ret_len)
{
	_close_ int path_fd = discover_open_in(f->d, f->file->pid, "/etc/ld.so.cache");
	_close_ int fd = path_fd < 0 ? path_fd : fdio_reopen(path_fd);
	_free_ uint8_t *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	f->d->stats.cut += st.st_size > MAX_CACHE_FILE;
	if (st.st_size <= 0 || st.st_size > MAX_CACHE_FILE)
		return -EFBIG;
	data = malloc((size_t)st.st_size);
	if (!data)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = pread(fd, data + len, (size_t)st.st_size - len, (off_t)len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
	}
	*ret = TAKE_PTR(data);
	*ret_len = len;
	return 0;
}

static int try_cache(struct finder *f)
{
	const char *found[MAX_CACHED];
	size_t n;
	int any = 0, r = 0;

	if (!f->cache_read)
		r = read_cache(f, &f->cache, &f->cache_len);
	if (r == -ENOMEM)
		return r;
	f->cache_read = true;
	if (!f->cache)
		return 0;
	n = discover_ldcache(f->cache, f->cache_len, f->name, found, MAX_CACHED);
	for (size_t i = 0; i < n; i++) {
		r = found[i][0] == '/' ? try_path(f, found[i]) : 0;
		if (r < 0)
			return r;
		any |= r;
	}
	return any;
}

static int find_one(struct finder *f, const char *library_path, const char *runpath)
{
	int from_env = 0, from_file = 0, r;

	if (strchr(f->name, '/'))
		return f->name[0] == '/' ? try_path(f, f->name) : 0;
	/* DT_RPATH goes before LD_LIBRARY_PATH, DT_RUNPATH after it: either may hold, so both are looked at. */
	if (library_path)
		from_env = try_list(f, library_path, ":;");
	if (from_env < 0)
		return from_env;
	if (runpath)
		from_file = try_list(f, runpath, ":");
	if (from_file < 0)
		return from_file;
	if (from_env || from_file)
		return 1;
	r = try_cache(f);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(usual_dirs); i++)
		r = try_dir(f, usual_dirs[i]);
	return r;
}

int discover_add_needed(struct discover *d, const struct discover_file *file,
			const char *const *needed, size_t n_needed, const char *runpath,
			const char *library_path)
{
	struct finder f = {.d = d, .file = file};
	_free_ char *from_process = NULL;
	size_t names = 0;
	int r = 0;

	if (!library_path && file->pid) {
		_close_ int pid_fd = -EBADF;

		if (procfs_pid_open(d->proc_fd, file->pid, &pid_fd) == 0)
			(void)procfs_environ(pid_fd, "LD_LIBRARY_PATH", &from_process);
		library_path = from_process;
	}
	for (size_t i = 0; r >= 0 && i < n_needed; i++) {
		if (!discover_mapped_name(needed[i]))
			continue;
		if (names++ == MAX_NAMES) {
			d->stats.cut++;
			break;
		}
		f.name = needed[i];
		r = find_one(&f, library_path, runpath);
	}
	free(f.cache);
	return r < 0 ? r : 0;
}

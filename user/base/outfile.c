/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fdio.h"
#include "base/num.h"
#include "base/text.h"

struct outfile {
	FILE *stream; /* owned */
	char *path;   /* owned: where it goes at last; NULL: written directly */
	char *temp;   /* owned: where it is now; NULL: nothing to take away */
};

/* The descriptor that the path stands for; -1: none. Opening such a path anew would lose the offset. */
static int named_fd(const char *path)
{
	static const char *const prefixes[] = {"/dev/fd/", "/proc/self/fd/"};
	uint64_t fd;

	if (!strcmp(path, "-") || !strcmp(path, "/dev/stdout"))
		return STDOUT_FILENO;
	if (!strcmp(path, "/dev/stderr"))
		return STDERR_FILENO;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (text_starts_with(path, prefixes[i]) &&
		    num_u64(path + strlen(prefixes[i]), 0, INT_MAX, &fd) == 0)
			return (int)fd;
	}
	return -1;
}

static int open_direct(const char *path, int *ret_fd)
{
	int named = named_fd(path);
	int fd = named >= 0 ? fcntl(named, F_DUPFD_CLOEXEC, 3) :
			      open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* A new file beside o->path, as o->temp. like: the file to be replaced, for its mode and owner; may be NULL. */
static int open_beside(struct outfile *o, const struct stat *like, int *ret_fd)
{
	const char *slash = strrchr(o->path, '/');
	int dir_len = slash ? (int)(slash + 1 - o->path) : 0;
	int fd, r;

	for (int tries = 0; tries < 16; tries++) {
		_buf_ struct buf name = {0};
		uint64_t salt = 0;

		if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) < 0)
			salt = (uint64_t)getpid() << 8 | (uint64_t)tries;
		buf_addf(&name, "%.*s.%s.%016jx", dir_len, o->path, o->path + dir_len,
			 (uintmax_t)salt);
		if (buf_error(&name))
			return -ENOMEM;
		fd = open(buf_str(&name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			  0666);
		r = -errno;
		if (fd >= 0) {
			o->temp = buf_take(&name);
			break;
		}
		if (r != -EEXIST)
			return r;
	}
	if (fd < 0)
		return -EEXIST;
	if (like) {
		/* Best effort: a file that may not be given away is still a complete one. */
		if (fchown(fd, like->st_uid, like->st_gid) == 0)
			(void)fchmod(fd, like->st_mode & 0777);
	}
	*ret_fd = fd;
	return 0;
}

/* Through a symbolic link to the file itself, which is what shall be replaced. NULL: see errno. */
static char *resolve(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return realpath(path, NULL);
	return strdup(path);
}

static int open_target(struct outfile *o, const char *path, int *ret_fd)
{
	bool exists;
	struct stat st;

	if (named_fd(path) >= 0)
		return open_direct(path, ret_fd);
	exists = stat(path, &st) == 0;
	if (!exists && errno != ENOENT)
		return -errno;
	if (exists && S_ISDIR(st.st_mode))
		return -EISDIR;
	if (exists && !S_ISREG(st.st_mode))
		return open_direct(path, ret_fd);
	if (exists && access(path, W_OK) < 0)
		return -errno;
	o->path = resolve(path);
	if (!o->path)
		return -errno;
	return open_beside(o, exists ? &st : NULL, ret_fd);
}

int outfile_open(const char *path, struct outfile **ret)
{
	_cleanup_(outfile_closep) struct outfile *o = calloc(1, sizeof(*o));
	_close_ int fd = -EBADF;
	int r;

	if (!o)
		return -ENOMEM;
	r = open_target(o, path, &fd);
	if (r < 0)
		return r;
	o->stream = fdopen(fd, "w");
	if (!o->stream)
		return -errno;
	(void)TAKE_FD(fd);
	*ret = TAKE_PTR(o);
	return 0;
}

int outfile_check(const char *path)
{
	_cleanup_(outfile_closep) struct outfile *o = NULL;
	struct stat st;

	if (named_fd(path) < 0 && stat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISDIR(st.st_mode))
		return access(path, W_OK) < 0 ? -errno : 0;
	return outfile_open(path, &o);
}

FILE *outfile_stream(struct outfile *o)
{
	return o->stream;
}

int outfile_commit(struct outfile *o)
{
	bool failed = ferror(o->stream);

	errno = 0;
	if (fflush(o->stream) != 0 || failed)
		return errno ? -errno : -EIO;
	if (!o->temp)
		return 0;
	if (fsync(fileno(o->stream)) < 0 || rename(o->temp, o->path) < 0)
		return -errno;
	free(o->temp);
	o->temp = NULL;
	return 0;
}

void outfile_forget(const struct outfile *o)
{
	if (o && o->temp)
		(void)unlink(o->temp);
}

struct outfile *outfile_close(struct outfile *o)
{
	if (!o)
		return NULL;
	if (o->stream)
		(void)fclose(o->stream);
	if (o->temp)
		(void)unlink(o->temp);
	free(o->temp);
	free(o->path);
	free(o);
	return NULL;
}

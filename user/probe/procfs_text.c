/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Executable, command line, environment, cgroup. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "probe/procfs.h"
#include "probe/procfs_read.h"

#define DELETED " (deleted)"
#define ENVIRON_MAX (128u << 10)
#define CGROUP_MAX (32u << 10)
#define CGROUP2_MAGIC 0x63677270

/* The file of that name as the process would find it. */
static int stat_in_root(int pid_fd, const char *path, struct stat *ret)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_close_ int root = openat(pid_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = -EBADF;

	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, ret) < 0)
		return -errno;
	return 0;
}

bool procfs_is_deleted(int pid_fd, const char *path, const char *file)
{
	size_t len = strlen(path), suffix = strlen(DELETED);
	struct stat real, named;

	if (len <= suffix || strcmp(path + len - suffix, DELETED) != 0)
		return false;
	if (!file || fstatat(pid_fd, file, &real, 0) < 0 || real.st_nlink == 0)
		return true;
	return stat_in_root(pid_fd, path, &named) < 0 || named.st_ino != real.st_ino;
}

int procfs_exe(int pid_fd, char **ret_path, bool *ret_deleted)
{
	char path[4096 + sizeof(DELETED)];
	ssize_t n;
	bool deleted;
	char *s;

	n = readlinkat(pid_fd, "exe", path, sizeof(path) - 1);
	if (n < 0) {
		/* The directory still there tells a zombie from a process that is gone. */
		if (errno == ENOENT)
			return faccessat(pid_fd, "stat", F_OK, 0) == 0 ? -ENOENT : -ESRCH;
		return procfs_errno();
	}
	path[n] = '\0';
	deleted = procfs_is_deleted(pid_fd, path, "exe");
	if (deleted)
		n -= (ssize_t)strlen(DELETED);
	s = strndup(path, (size_t)n);
	if (!s)
		return -ENOMEM;
	*ret_path = s;
	*ret_deleted = deleted;
	return 0;
}

int procfs_cmdline(int pid_fd, char *buf, size_t cap, size_t *ret_len, bool *ret_cut)
{
	_free_ char *text = NULL;
	bool cut = false;
	size_t len;
	int r;

	if (cap == 0)
		return -EINVAL;
	text = malloc(cap + 1);
	if (!text)
		return -ENOMEM;
	r = procfs_read(pid_fd, "cmdline", text, cap + 1, &len);
	if (r < 0)
		return r;
	if (len > cap) {
		cut = true;
		len = cap;
	}
	if (len > 0 && text[len - 1] != '\0') { /* cut, or the process wrote over its arguments */
		if (len == cap) {
			cut = true;
			len--;
		}
		text[len++] = '\0';
	}
	memcpy(buf, text, len);
	*ret_len = len;
	*ret_cut = cut;
	return 0;
}

int procfs_environ(int pid_fd, const char *name, char **ret)
{
	_free_ char *text = malloc(ENVIRON_MAX + 1);
	size_t len, name_len = strlen(name);
	int r;

	if (!text)
		return -ENOMEM;
	r = procfs_read(pid_fd, "environ", text, ENVIRON_MAX, &len);
	if (r < 0)
		return r;
	text[len] = '\0';
	for (const char *p = text; p < text + len; p += strlen(p) + 1) {
		char *value;

		if (strncmp(p, name, name_len) != 0 || p[name_len] != '=')
			continue;
		if (p + strlen(p) == text + ENVIRON_MAX)
			return -ENXIO; /* cut in the middle */
		value = strdup(p + name_len + 1);
		if (!value)
			return -ENOMEM;
		*ret = value;
		return 0;
	}
	return -ENXIO;
}

/* The path of a line "id:controllers:path" if it is of that hierarchy. */
static const char *cgroup_line(char *line, const char *prefix)
{
	if (strncmp(line, prefix, strlen(prefix)) == 0)
		return line + strlen(prefix);
	if (strcmp(prefix, "0::") != 0) { /* any id */
		char *colon = strchr(line, ':');

		if (colon && strncmp(colon, prefix, strlen(prefix)) == 0)
			return colon + strlen(prefix);
	}
	return NULL;
}

int procfs_cgroup(int pid_fd, char **ret)
{
	_free_ char *text = malloc(CGROUP_MAX + 1);
	const char *v2 = NULL, *v1 = NULL, *path;
	char *rest, *line, *s;
	size_t len;
	int r;

	if (!text)
		return -ENOMEM;
	r = procfs_read(pid_fd, "cgroup", text, CGROUP_MAX, &len);
	if (r < 0)
		return r;
	text[len] = '\0';
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (!v2)
			v2 = cgroup_line(line, "0::");
		if (!v1)
			v1 = cgroup_line(line, ":name=systemd:");
	}
	/* A v2 hierarchy that nothing manages has everything in its root. */
	path = v2 && strcmp(v2, "/") != 0 ? v2 : v1 ? v1 : v2;
	if (!path || path[0] != '/')
		return -ENXIO;
	len = strlen(path);
	if (procfs_is_deleted(pid_fd, path, NULL))
		len -= strlen(DELETED);
	s = strndup(path, len);
	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

int procfs_cgroup_root(int *ret_fd)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_close_ int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_MAGIC)
			continue;
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	return -ENOENT;
}

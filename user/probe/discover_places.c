/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Where Pythons lie on disk. Directories of users are hostile: below a home no directory link is followed, every
 * listing is bounded, and what is found is only queued, to be opened as a regular file or not at all.
 */
#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "probe/discover_int.h"

#define MAX_ENTRIES 65536 /* of one directory */
#define MAX_HOME_ENTRIES 4096
#define MAX_DIRS 8192 /* opened for one place */

/* Directories with wildcards by component. "~" is every home. Slow ones last. */
static const char *const places[] = {
	"/usr/bin",
	"/usr/local/bin",
	"/bin",
	"/usr/sbin",
	"/usr/libexec", /* platform-python of RHEL 8 */
	"/usr/lib",
	"/usr/lib64",
	"/usr/lib/*-linux-*",
	"/usr/local/lib",
	"/usr/local/lib64",
	"/usr/local/*python*/bin",
	"/usr/local/*python*/lib",
	"/opt/*/bin",
	"/opt/*/lib",
	"/opt/*/lib64",
	"/opt/python/*/bin",
	"/opt/python/*/lib",
	"/opt/rh/*/root/usr/bin",
	"/opt/rh/*/root/usr/lib64",
	"/opt/*/envs/*/bin",
	"/opt/*/envs/*/lib",
	"/opt/pyenv/versions/*/bin",
	"/opt/pyenv/versions/*/lib",
	"/usr/local/pyenv/versions/*/bin",
	"/usr/local/pyenv/versions/*/lib",
	"/srv/*/bin",
	"/var/lang/bin",
	"/var/lang/lib",
	"/snap/*/current/usr/bin",
	"/snap/*/current/bin",
	"/home/linuxbrew/.linuxbrew/bin",
	"/home/linuxbrew/.linuxbrew/Cellar/python*/*/bin",
	"/home/linuxbrew/.linuxbrew/Cellar/python*/*/lib",
	"~/.pyenv/versions/*/bin",
	"~/.pyenv/versions/*/lib",
	"~/.local/bin",
	"~/.local/share/uv/python/*/bin",
	"~/.local/share/uv/python/*/lib",
	"~/.local/share/mise/installs/python/*/bin",
	"~/.local/share/mise/installs/python/*/lib",
	"~/.local/share/hatch/env/virtual/.pythons/*/python/bin",
	"~/.asdf/installs/python/*/bin",
	"~/.asdf/installs/python/*/lib",
	"~/.rye/py/*/bin",
	"~/*conda*/bin",
	"~/*conda*/lib",
	"~/*conda*/envs/*/bin",
	"~/*conda*/envs/*/lib",
	"~/*forge*/bin",
	"~/*forge*/lib",
	"~/*forge*/envs/*/bin",
	"~/*forge*/envs/*/lib",
	"~/.conda/envs/*/bin",
	"~/.conda/envs/*/lib",
	"~/micromamba/envs/*/bin",
	"~/micromamba/envs/*/lib",
	"/nix/store/*-python3-*/bin",
	"/nix/store/*-python3-*/lib",
	"/gnu/store/*-python-3*/bin",
};

struct walk {
	struct discover_walker *to;
	size_t dirs;	 /* opened so far */
	int home_fd;	 /* below this home no directory link is followed; -EBADF: in no home */
	size_t home_len; /* of the home's own path */
	char path[4096];
};

/* "3.11", "3.13t", "" … with ABI flags, of which none is in the name of another tool. */
static bool version_like(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && (isdigit((unsigned char)s[i]) || s[i] == '.'))
		i++;
	while (i < len && strchr("dmtu", s[i]) && s[i])
		i++;
	return i == len;
}

/* python, python3, python3.11, python3.13t, libpython3.11.so.1.0, platform-python3.6: not python3.11-config. */
static bool place_name(const char *name)
{
	static const char *const programs[] = {"python", "platform-python"};
	const char *so;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		size_t n = strlen(programs[i]);

		if (strncmp(name, programs[i], n) == 0)
			return version_like(name + n, strlen(name + n));
	}
	if (strncmp(name, "libpython", 9) != 0)
		return false;
	so = strstr(name, ".so");
	return so && version_like(name + 9, (size_t)(so - name - 9)) &&
	       strspn(so + 3, "0123456789.") == strlen(so + 3);
}

bool discover_mapped_name(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	/* "cpython-311" is in the name of every extension module. */
	return strstr(name, "libpypy") || (strstr(name, "python") && !strstr(name, "cpython-"));
}

/* Appends "/name"; 0: it does not fit. */
static size_t append(struct walk *w, size_t len, const char *name, size_t name_len)
{
	if (len + 1 + name_len + 1 > sizeof(w->path))
		return 0;
	w->path[len] = '/';
	memcpy(w->path + len + 1, name, name_len);
	w->path[len + 1 + name_len] = '\0';
	return len + 1 + name_len;
}

/* May the directory at w->path be touched? */
static bool go_to(struct walk *w)
{
	return !w->to->at || w->to->at(w->to->arg, w->path);
}

/* The directory at w->path, open for listing; NULL: there is none that we may list. */
static DIR *open_dir(struct walk *w)
{
	_close_ int path_fd = -EBADF, fd = -EBADF;
	const char *below;
	DIR *dir;

	if (w->dirs++ >= MAX_DIRS) {
		w->to->cut++;
		return NULL;
	}
	if (!go_to(w))
		return NULL;
	below = w->path + w->home_len;
	if (w->home_fd >= 0)
		path_fd = fdio_open_beneath(w->home_fd, *below ? below : ".", O_DIRECTORY,
					    RESOLVE_NO_SYMLINKS);
	else
		path_fd = fdio_open_beneath(w->to->root_fd, w->path, O_DIRECTORY, 0);
	if (path_fd < 0)
		return NULL;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (dir)
		fd = -EBADF; /* dir has it */
	return dir;
}

static const struct dirent *next_entry(struct walk *w, DIR *dir, size_t *n)
{
	if ((*n)++ >= (w->home_fd >= 0 ? MAX_HOME_ENTRIES : MAX_ENTRIES)) {
		w->to->cut++;
		return NULL;
	}
	return readdir(dir);
}

/*
 * Can we go on below w->path? To open an automounter's directory for listing, or a name in it, is to ask for a mount; to open it
 * like this is not.
 */
static bool enter(struct walk *w)
{
	_close_ int fd = -EBADF;
	struct statfs fs;

	if (w->home_fd >= 0 || !w->path[0])
		return true;
	if (!go_to(w))
		return false;
	fd = fdio_open_beneath(w->to->root_fd, w->path, 0, 0);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return false;
	if (fs.f_type == AUTOFS_SUPER_MAGIC && w->to->left)
		w->to->left(w->to->arg, w->path);
	return fs.f_type != AUTOFS_SUPER_MAGIC;
}

/* The Pythons in the directory at w->path. */
static int list_files(struct walk *w, size_t len)
{
	_closedir_ DIR *dir = open_dir(w);
	const struct dirent *de;
	size_t n = 0;

	while (dir && (de = next_entry(w, dir, &n))) {
		int r;

		if (!place_name(de->d_name) || !append(w, len, de->d_name, strlen(de->d_name)))
			continue;
		r = w->to->found(w->to->arg, w->path);
		w->path[len] = '\0';
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk(struct walk *w, size_t len, const char *pattern);

/* Each directory in w->path that matches, and what is below. */
static int walk_matches(struct walk *w, size_t len, const char *part, const char *rest)
{
	_closedir_ DIR *dir = open_dir(w);
	const struct dirent *de;
	size_t entries = 0;

	while (dir && (de = next_entry(w, dir, &entries))) {
		size_t deeper;
		int r = 0;

		if (de->d_type != DT_DIR && de->d_type != DT_LNK && de->d_type != DT_UNKNOWN)
			continue;
		if (fnmatch(part, de->d_name, FNM_PERIOD) != 0)
			continue;
		deeper = append(w, len, de->d_name, strlen(de->d_name));
		if (deeper)
			r = walk(w, deeper, rest);
		w->path[len] = '\0';
		if (r < 0)
			return r;
	}
	return 0;
}

/* Recursion is as deep as the pattern, which is one of ours. */
static int walk(struct walk *w, size_t len, const char *pattern)
{
	const char *rest;
	char part[64];
	size_t n;

	if (!enter(w))
		return 0;
	if (!*pattern)
		return list_files(w, len);
	n = strcspn(pattern + 1, "/");
	rest = pattern + 1 + n;
	if (n >= sizeof(part))
		return 0;
	memcpy(part, pattern + 1, n);
	part[n] = '\0';
	if (strpbrk(part, "*?["))
		return walk_matches(w, len, part, rest);
	len = append(w, len, part, n);
	return len ? walk(w, len, rest) : 0;
}

/* A place below one home. path: of the home. */
static int walk_home(struct discover_walker *to, const char *path, const char *pattern)
{
	_close_ int home_fd = -EBADF;
	struct walk w = {.to = to, .home_fd = -EBADF};

	w.home_len = append(&w, 0, path + 1, strlen(path + 1));
	if (!w.home_len || !enter(&w))
		return 0;
	home_fd = fdio_open_beneath(to->root_fd, path, O_DIRECTORY, 0);
	if (home_fd < 0)
		return 0;
	w.home_fd = home_fd;
	return walk(&w, w.home_len, pattern);
}

static int walk_homes(struct discover_walker *to, const char *pattern)
{
	struct walk w = {.to = to, .home_fd = -EBADF};
	_closedir_ DIR *dir = NULL;
	const struct dirent *de;
	size_t n = 0;
	int r;

	r = walk_home(to, "/root", pattern);
	if (r < 0)
		return r;
	(void)append(&w, 0, "home", 4);
	dir = enter(&w) ? open_dir(&w) : NULL;
	while (dir && (de = next_entry(&w, dir, &n))) {
		if (de->d_name[0] == '.')
			continue;
		(void)append(&w, strlen("/home"), de->d_name, strlen(de->d_name));
		r = walk_home(to, w.path, pattern);
		if (r < 0)
			return r;
	}
	return 0;
}

int discover_walk(struct discover_walker *to)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(places); i++) {
		struct walk w = {.to = to, .home_fd = -EBADF};

		r = places[i][0] == '~' ? walk_homes(to, places[i] + 1) : walk(&w, 0, places[i]);
	}
	return r;
}

int discover_add_places(struct discover *d)
{
	struct discover_job job = {.kind = DISCOVER_PLACES};

	return discover_push(d, &job, NULL);
}

static int on_found(void *arg, const char *path)
{
	struct discover_job job = {.kind = DISCOVER_FOUND};

	return discover_push(arg, &job, path);
}

int discover_places(struct discover *d)
{
	struct discover_walker w = {.root_fd = d->root_fd, .found = on_found, .arg = d};
	int r;

	if (d->scout.walk)
		return d->scout.walk(d->scout.arg, d->root_fd, on_found, d, &d->stats.cut);
	r = discover_walk(&w);
	d->stats.cut += w.cut;
	return r;
}

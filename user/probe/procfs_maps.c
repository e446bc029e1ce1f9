/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The files that a process has mapped to run. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "probe/procfs.h"
#include "probe/procfs_read.h"

/* A path is at most a page, its newlines four bytes each. */
#define LINE_MAX_BYTES (4 * 4096 + 256)
#define MAX_LINES (1u << 20) /* sixteen times the kernel's default for mappings */

struct file_key {
	uint64_t ino;
	uint64_t dev;
};

struct file_seen {
	struct file_key key;
	UT_hash_handle hh;
};

static void seen_freep(struct file_seen **head)
{
	struct file_seen *s, *tmp;

	HASH_ITER (hh, *head, s, tmp) {
		HASH_DEL(*head, s);
		free(s);
	}
}

/* 1: new. 0: known. */
static int seen_add(struct file_seen **head, uint64_t ino, uint32_t dev)
{
	struct file_key key = {.ino = ino, .dev = dev};
	struct file_seen *s;

	HASH_FIND(hh, *head, &key, sizeof(key), s);
	if (s)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->key = key;
	HASH_ADD(hh, *head, key, sizeof(key), s);
	if (!s->hh.tbl) { /* HASH_NONFATAL_OOM leaves it out */
		free(s);
		return -ENOMEM;
	}
	return 1;
}

/* The kernel writes a newline of a path as \012. */
static void unescape_newlines(char *s)
{
	char *out = s;

	while (*s) {
		if (strncmp(s, "\\012", 4) == 0) {
			*out++ = '\n';
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* "start-end perms offset major:minor inode   path". false: not a line that we want. */
static bool parse_line(char *line, struct procfs_map *ret)
{
	const char *p = line, *perms;
	uint64_t skip, major, minor;

	if (!procfs_number(&p, 16, &ret->start) || *p++ != '-')
		return false;
	if (!procfs_number(&p, 16, &ret->end) || *p++ != ' ')
		return false;
	perms = p;
	for (int i = 0; i < 4; i++)
		if (!*p++)
			return false;
	if (perms[2] != 'x' || *p++ != ' ')
		return false;
	if (!procfs_number(&p, 16, &skip) || *p++ != ' ')
		return false;
	if (!procfs_number(&p, 16, &major) || *p++ != ':')
		return false;
	if (!procfs_number(&p, 16, &minor) || *p++ != ' ')
		return false;
	if (!procfs_number(&p, 10, &ret->ino) || ret->ino == 0)
		return false;
	while (*p == ' ')
		p++;
	if (*p != '/')
		return false;
	ret->dev = (uint32_t)(major << 20 | (minor & 0xfffff));
	ret->path = line + (p - line);
	unescape_newlines(ret->path);
	return true;
}

/* What becomes of the mappings that are read. */
struct listing {
	struct procfs_maps maps;
	size_t cap;
	struct file_seen *seen;
	int pid_fd;
};

static int list(void *arg, struct procfs_map *map)
{
	struct listing *l = arg;
	struct procfs_maps *m = &l->maps;
	char link[64];
	int r = seen_add(&l->seen, map->ino, map->dev);

	if (r <= 0)
		return r;
	if (m->n == PROCFS_MAX_MAPS) {
		m->cut = true;
		return 1;
	}
	if (ARRAY_ROOM(m->map, m->n, l->cap) < 0)
		return -ENOMEM;
	map->path = strdup(map->path);
	if (!map->path)
		return -ENOMEM;
	(void)snprintf(link, sizeof(link), "map_files/%llx-%llx", (unsigned long long)map->start,
		       (unsigned long long)map->end);
	map->deleted = procfs_is_deleted(l->pid_fd, map->path, link);
	if (map->deleted)
		map->path[strlen(map->path) - strlen(PROCFS_DELETED)] = '\0';
	m->map[m->n++] = *map;
	return 0;
}

/* One line without its newline. 1: one; 0: the end; a line that does not fit is skipped. */
static int next_line(FILE *f, char *buf, size_t cap)
{
	bool whole = true;

	while (fgets(buf, (int)cap, f)) {
		size_t len = strlen(buf);
		bool ends = len > 0 && buf[len - 1] == '\n';

		if (ends)
			buf[len - 1] = '\0';
		if (whole && (ends || len + 1 < cap))
			return 1;
		whole = ends; /* the rest of a long line is no line */
	}
	return ferror(f) ? procfs_errno() : 0;
}

static int each_map(FILE *f, int (*fn)(void *arg, struct procfs_map *map), void *arg, bool *cut)
{
	_free_ char *line = malloc(LINE_MAX_BYTES);
	size_t lines = 0;
	int r;

	if (!line)
		return -ENOMEM;
	while ((r = next_line(f, line, LINE_MAX_BYTES)) > 0) {
		struct procfs_map map = {};

		if (lines++ == MAX_LINES) {
			*cut = true;
			return 0;
		}
		if (!parse_line(line, &map))
			continue;
		r = fn(arg, &map);
		if (r)
			return r;
	}
	return r;
}

int procfs_each_map(int pid_fd, int (*fn)(void *arg, struct procfs_map *map), void *arg,
		    bool *ret_cut)
{
	_close_ int fd = openat(pid_fd, "maps", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_fclose_ FILE *f = NULL;

	*ret_cut = false;
	if (fd < 0)
		return procfs_errno();
	f = fdopen(fd, "re");
	if (!f)
		return -errno;
	fd = -EBADF; /* f has it */
	return each_map(f, fn, arg, ret_cut);
}

int procfs_maps(int pid_fd, struct procfs_maps *ret)
{
	struct listing l = {.pid_fd = pid_fd};
	bool cut;
	int r = procfs_each_map(pid_fd, list, &l, &cut);

	seen_freep(&l.seen);
	if (r < 0) {
		procfs_maps_free(&l.maps);
		return r;
	}
	l.maps.cut |= cut;
	*ret = l.maps;
	return 0;
}

void procfs_maps_free(struct procfs_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->map[i].path);
	free(m->map);
	*m = (struct procfs_maps){};
}

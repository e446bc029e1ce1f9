/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The index of a site directory: making it, and its keys. */
#include "facts/site.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/open.h"
#include "facts/site_int.h"

#define MAX_ENTRIES 200000 /* of the directory */

struct site *site_free(struct site *s)
{
	struct site_key *k, *tmp;

	if (!s)
		return NULL;
	HASH_ITER (hh, s->keys, k, tmp) {
		HASH_DEL(s->keys, k);
		free(k->owner);
		free(k);
	}
	for (size_t i = 0; i < s->n_dists; i++) {
		free(s->dist[i].entry);
		free(s->dist[i].name);
		free(s->dist[i].version);
		free(s->dist[i].project);
	}
	free(s->dist);
	free(s->path);
	free(s);
	return NULL;
}

size_t site_bytes(const struct site *s)
{
	return s->bytes;
}

const struct site_key *site_get_key(const struct site *s, const char *key, size_t len)
{
	struct site_key *k;

	HASH_FIND(hh, s->keys, key, len, k);
	return k;
}

static int new_key(struct site *s, const char *key, size_t len, struct site_key **ret)
{
	struct site_key *k = calloc(1, sizeof(*k) + len + 1);

	if (!k)
		return -ENOMEM;
	memcpy(k->key, key, len);
	HASH_ADD_KEYPTR(hh, s->keys, k->key, len, k);
	if (!k->hh.tbl) {
		free(k);
		return -ENOMEM;
	}
	s->bytes += sizeof(*k) + len + 1;
	*ret = k;
	return 0;
}

int site_add_key(struct site *s, const char *key, size_t len, size_t owner)
{
	struct site_key *k;
	uint32_t *p;

	if (len == 0 || len > SITE_MAX_KEY || s->bytes > SITE_MAX_BYTES) {
		s->cut += len > 0;
		return 0;
	}
	HASH_FIND(hh, s->keys, key, len, k);
	if (!k) {
		int r = new_key(s, key, len, &k);

		if (r < 0)
			return r;
	}
	/* Distributions are read one after the other. */
	if (k->n > 0 && k->owner[k->n - 1] == owner)
		return 0;
	if (k->n == SITE_MAX_OWNERS) {
		s->cut++;
		return 0;
	}
	p = reallocarray(k->owner, k->n + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	k->owner = p;
	k->owner[k->n++] = (uint32_t)owner;
	s->bytes += sizeof(*p);
	return 0;
}

size_t site_entry_name(const char *entry)
{
	size_t len = strlen(entry);
	const char *dash;

	if (text_ends_with(entry, ".dist-info"))
		len -= strlen(".dist-info");
	else if (text_ends_with(entry, ".egg-info") || text_ends_with(entry, ".egg-link"))
		len -= strlen(".egg-info");
	else if (text_ends_with(entry, ".egg"))
		len -= strlen(".egg");
	/* Dashes of the name itself are written as underscores. */
	dash = memchr(entry, '-', len);
	return dash ? (size_t)(dash - entry) : len;
}

size_t site_name_key(const char *name, size_t len, char *buf, size_t cap)
{
	size_t n = 0;

	if (cap == 0)
		return 0;
	buf[n++] = '?';
	for (size_t i = 0; i < len && n < cap; i++) {
		bool dash = strchr("-_.", name[i]) != NULL && name[i];

		if (dash && n > 1 && buf[n - 1] == '-')
			continue;
		buf[n++] = dash ? '-' : (char)tolower((unsigned char)name[i]);
	}
	return n;
}

void site_path(const struct site *s, const struct site_dist *d, const char *file, struct buf *ret)
{
	buf_adds(ret, s->path);
	buf_addc(ret, '/');
	buf_adds(ret, d->entry[0] ? d->entry : "EGG-INFO");
	if (file) {
		buf_addc(ret, '/');
		buf_adds(ret, file);
	}
}

static int add_dist(struct site *s, const char *entry)
{
	char *copy;

	if (s->n_dists == SITE_MAX_DISTS) {
		s->cut++;
		return 0;
	}
	if (ARRAY_ROOM(s->dist, s->n_dists, s->cap) < 0)
		return -ENOMEM;
	copy = strdup(entry);
	if (!copy)
		return -ENOMEM;
	s->dist[s->n_dists++] = (struct site_dist){.entry = copy};
	s->bytes += sizeof(struct site_dist) + strlen(entry) + 1;
	return 0;
}

static int compare_dists(const void *a, const void *b)
{
	const struct site_dist *x = a, *y = b;

	return strcmp(x->entry, y->entry);
}

/* The directory's entries that describe distributions, in an order that does not depend on the file system. */
static int list_dists(struct site *s, DIR *dir)
{
	static const char *const suffixes[] = {".dist-info", ".egg-info", ".egg-link"};
	const struct dirent *de;
	size_t n = 0;

	while ((de = readdir(dir))) {
		bool wanted = strcmp(de->d_name, "EGG-INFO") == 0;
		int r = 0;

		if (n++ == MAX_ENTRIES) {
			s->cut++;
			break;
		}
		for (size_t i = 0; i < ARRAY_LEN(suffixes) && !wanted; i++)
			wanted = text_ends_with(de->d_name, suffixes[i]);
		if (wanted)
			r = add_dist(s, strcmp(de->d_name, "EGG-INFO") == 0 ? "" : de->d_name);
		if (r < 0)
			return r;
	}
	if (s->n_dists)
		qsort(s->dist, s->n_dists, sizeof(*s->dist), compare_dists);
	return 0;
}

static int open_site(int root_fd, const char *path, DIR **ret)
{
	_close_ int path_fd = facts_open_path(root_fd, path);
	_close_ int fd = -EBADF;

	if (path_fd < 0)
		return path_fd;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (!*ret)
		return -errno;
	fd = -EBADF; /* *ret has it */
	return 0;
}

int site_new(int root_fd, const char *path, struct site **ret, uint64_t *ret_cut)
{
	_cleanup_(site_freep) struct site *s = calloc(1, sizeof(*s));
	_closedir_ DIR *dir = NULL;
	int r;

	if (!s)
		return -ENOMEM;
	s->path = strdup(path);
	if (!s->path)
		return -ENOMEM;
	s->bytes = sizeof(*s) + strlen(path);
	r = open_site(root_fd, path, &dir);
	if (r < 0)
		return r;
	r = list_dists(s, dir);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_dists; i++) {
		r = site_scan_dist(s, root_fd, i);
		if (r < 0)
			return r;
	}
	*ret_cut += s->cut;
	*ret = TAKE_PTR(s);
	return 0;
}

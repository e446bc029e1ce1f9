/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The cache of site directories, and the search through it. */
#include "facts/dist.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/cache.h"
#include "facts/dist_int.h"
#include "facts/open.h"
#include "facts/place.h"
#include "facts/site.h"

#define MAX_SITES 64
#define MAX_BYTES (64u << 20)
#define CHECK_NS 1000000000 /* how long a directory is taken for unchanged */

struct entry {
	char *path; /* owned */
	struct site *
		site; /* owned; NULL: a directory without distributions or one that cannot be read */
	struct stat st;
	struct stat root; /* of whose file system it is */
	uint64_t used;	  /* clock of dist.uses */
	uint64_t checked_ns;
};

struct dist {
	struct entry entry[MAX_SITES];
	size_t n;
	struct cache *cache; /* owned */
	uint64_t uses;
	uint64_t cut;
	char *egg_name, *egg_version; /* owned: the last answer that came from an egg's name */
};

int dist_new(struct dist **ret)
{
	struct dist *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = cache_new(&d->cache);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct cache *dist_cache(struct dist *d)
{
	return d->cache;
}

static void drop(struct dist *d, size_t i)
{
	free(d->entry[i].path);
	(void)site_free(d->entry[i].site);
	d->entry[i] = d->entry[--d->n];
	d->entry[d->n] = (struct entry){};
}

struct dist *dist_free(struct dist *d)
{
	if (!d)
		return NULL;
	while (d->n > 0)
		drop(d, d->n - 1);
	(void)cache_free(d->cache);
	free(d->egg_name);
	free(d->egg_version);
	free(d);
	return NULL;
}

static size_t total_bytes(const struct dist *d)
{
	size_t sum = 0;

	for (size_t i = 0; i < d->n; i++)
		sum += d->entry[i].site ? site_bytes(d->entry[i].site) : 0;
	return sum;
}

/* Makes room for one more; those used longest ago go first. */
static void evict(struct dist *d)
{
	while (d->n > 0 && (d->n == MAX_SITES || total_bytes(d) > MAX_BYTES)) {
		size_t oldest = 0;

		for (size_t i = 1; i < d->n; i++)
			if (d->entry[i].used < d->entry[oldest].used)
				oldest = i;
		drop(d, oldest);
	}
}

static bool same_directory(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static uint64_t now_ns(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct site *use(struct dist *d, struct entry *e)
{
	e->used = ++d->uses;
	return e->site;
}

static struct entry *find_entry(struct dist *d, const struct stat *root, const char *path)
{
	for (size_t i = 0; i < d->n; i++) {
		struct entry *e = &d->entry[i];

		if (e->root.st_dev == root->st_dev && e->root.st_ino == root->st_ino &&
		    strcmp(e->path, path) == 0)
			return e;
	}
	return NULL;
}

static int add_site(struct dist *d, int root_fd, const char *path, const struct stat *st,
		    const struct stat *root, struct site **ret)
{
	_cleanup_(site_freep) struct site *site = NULL;
	_free_ char *copy = strdup(path);
	struct entry *e;
	int r;

	if (!copy)
		return -ENOMEM;
	if (S_ISDIR(st->st_mode)) {
		r = site_new(root_fd, path, &site, &d->cut);
		if (r == -ENOMEM)
			return r;
	}
	evict(d);
	e = &d->entry[d->n++];
	*e = (struct entry){
		.path = TAKE_PTR(copy),
		.site = TAKE_PTR(site),
		.st = *st,
		.root = *root,
		.checked_ns = now_ns(),
	};
	*ret = use(d, e);
	return 0;
}

/* The index of a directory. 0 and NULL: nothing there. */
static int get_site(struct dist *d, int root_fd, const char *path, struct site **ret)
{
	struct stat st, root;
	struct entry *e;
	int r;

	if (fstat(root_fd, &root) < 0)
		return -EBADF;
	e = find_entry(d, &root, path);
	if (e && now_ns() - e->checked_ns < CHECK_NS) {
		*ret = use(d, e);
		return 0;
	}
	r = facts_stat(root_fd, path, &st);
	if (r < 0) {
		*ret = NULL;
		return r == -ENOMEM ? r : 0;
	}
	if (e && same_directory(&e->st, &st)) {
		e->checked_ns = now_ns();
		*ret = use(d, e);
		return 0;
	}
	if (e)
		drop(d, (size_t)(e - d->entry)); /* something was installed or removed */
	return add_site(d, root_fd, path, &st, &root, ret);
}

/* The site directory of a module, and where the file stands in it. -ENODATA: none that could have distributions. */
static int find_site(struct dist *d, int root_fd, const char *module, const char *file,
		     struct place *place, char **ret_dir, struct site **ret)
{
	_free_ char *dir = NULL;
	int r;

	if (!place_find(module, file, place) || place_is_stdlib(file, place->site_len))
		return -ENODATA;
	dir = strndup(place->site_len ? file : "/", place->site_len ? place->site_len : 1);
	if (!dir)
		return -ENOMEM;
	r = get_site(d, root_fd, dir, ret);
	if (r < 0)
		return r;
	*ret_dir = TAKE_PTR(dir);
	return 0;
}

int dist_prepare(struct dist *d, int root_fd, const char *module, const char *file)
{
	_free_ char *dir = NULL;
	struct place place;
	struct site *site;
	int r;

	r = find_site(d, root_fd, module, file, &place, &dir, &site);
	return r == -ENODATA ? 0 : r;
}

/* Editable installs are registered in another site directory. */
static int find_editable(struct dist *d, int root_fd, const char *file, struct site **ret_site,
			 size_t *ret_index)
{
	struct stat root;

	if (fstat(root_fd, &root) < 0)
		return -EBADF;
	for (size_t i = 0; i < d->n; i++) {
		const struct entry *e = &d->entry[i];

		if (!e->site || e->root.st_dev != root.st_dev || e->root.st_ino != root.st_ino)
			continue;
		if (site_editable_owner(e->site, file, ret_index) < 0)
			continue;
		*ret_site = e->site;
		return 0;
	}
	return -ENODATA;
}

/* "/x/foo-1.0-py3.11.egg": its name says it; inside a zip there is no more to be had. */
static int from_egg_name(struct dist *d, const char *dir, struct dist_found *ret)
{
	const char *base = strrchr(dir, '/') + 1, *dash, *version_end;
	size_t len = strlen(base);

	if (!text_ends_with(base, ".egg") || len > 255)
		return -ENODATA;
	len -= strlen(".egg");
	dash = memchr(base, '-', len);
	free(d->egg_name);
	free(d->egg_version);
	d->egg_version = NULL;
	d->egg_name = strndup(base, dash ? (size_t)(dash - base) : len);
	if (!d->egg_name)
		return -ENOMEM;
	if (dash) {
		version_end = memchr(dash + 1, '-', len - (size_t)(dash + 1 - base));
		d->egg_version = strndup(dash + 1, version_end ? (size_t)(version_end - dash - 1) :
								 len - (size_t)(dash + 1 - base));
		if (!d->egg_version)
			return -ENOMEM;
	}
	*ret = (struct dist_found){.name = d->egg_name, .version = d->egg_version};
	return 0;
}

int dist_find(struct dist *d, int root_fd, const char *module, const char *file,
	      struct dist_found *ret)
{
	_free_ char *dir = NULL;
	struct dist_found found;
	struct place place;
	struct site *site;
	size_t index;
	int r;

	r = find_site(d, root_fd, module, file, &place, &dir, &site);
	if (r < 0)
		return r;
	r = site ? site_owner(site, root_fd, module, place.rel, &index) : -ENODATA;
	if (r == -ENODATA)
		r = find_editable(d, root_fd, file, &site, &index);
	if (r == -ENODATA)
		return from_egg_name(d, dir, ret);
	if (r < 0)
		return r;
	r = site_describe(site, root_fd, index, &found.name, &found.version);
	if (r == -ENODATA)
		return from_egg_name(d, dir, ret);
	if (r < 0)
		return r;
	*ret = found;
	return 0;
}

void dist_stats(const struct dist *d, struct dist_stats *ret)
{
	*ret = (struct dist_stats){.sites = d->n, .bytes = total_bytes(d), .cut = d->cut};
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/answer.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/open.h"
#include "facts/place.h"
#include "facts/record.h"

static bool is_file(int root_fd, const char *path)
{
	struct stat st;

	return facts_stat(root_fd, path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_dir(int root_fd, const char *path)
{
	struct stat st;

	return facts_stat(root_fd, path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "mod.so", "mod.abi3.so", "mod.cpython-311-x86_64-linux-gnu.so" */
static bool is_extension(const char *file)
{
	return text_ends_with(file, ".so");
}

/* The kind of a module by its file; *ret_there: it is on disk. */
static int look_at_file(int root_fd, const struct facts_query *q, const char *file,
			struct answer *a, bool *ret_there)
{
	int r;

	*ret_there = false;
	if (text_starts_with(file, "<frozen "))
		a->kind = LMMSD_KIND_FROZEN;
	else if (is_extension(file))
		a->kind = LMMSD_KIND_EXTENSION;
	else if (text_ends_with(file, ".pyc"))
		a->kind = LMMSD_KIND_BYTECODE;
	if (file[0] != '/')
		return 0;
	if (q->version && text_ends_with(file, ".py")) {
		r = pyc_look(root_fd, file, q->version, &a->look);
		a->by_pyc = *ret_there = r == 0;
		return r == -ENOMEM ? r : 0;
	}
	*ret_there = is_file(root_fd, file);
	return 0;
}

/* Where the module would be, seen from a neighbour: "/site/a/b" of a.b. Empty: not to be said. */
static void place_by_neighbour(const struct facts_query *q, struct buf *ret)
{
	size_t top = strcspn(q->module, ".");
	struct place place;

	if (!q->near || !q->near_file || strncmp(q->near, q->module, top) != 0 ||
	    strcspn(q->near, ".") != top)
		return;
	if (!place_find(q->near, q->near_file, &place))
		return;
	/* A neighbour that is not where its name says tells nothing. */
	if (strncmp(place.rel, q->module, top) != 0 || !strchr("/.", place.rel[top]))
		return;
	buf_add(ret, q->near_file, place.site_len);
	buf_addc(ret, '/');
	for (const char *p = q->module; *p; p++)
		buf_addc(ret, *p == '.' ? '/' : *p);
}

/*
 * A package whose file nobody named: with __init__.py it has one, without it is a namespace. path: its directory, becomes
 * the file. *ret_there: there is one.
 */
static int look_for_package(int root_fd, const struct facts_query *q, struct buf *path,
			    struct answer *a, bool *ret_there)
{
	size_t len = strlen(q->module);
	int r;

	*ret_there = false;
	if (strncmp(q->near, q->module, len) != 0 || q->near[len] != '.' || strstr(q->module, ".."))
		return 0; /* a neighbour, no part of it */
	if (!is_dir(root_fd, buf_str(path)))
		return 0;
	buf_adds(path, "/__init__.py");
	if (buf_error(path))
		return -ENOMEM;
	r = look_at_file(root_fd, q, buf_str(path), a, ret_there);
	if (r < 0 || *ret_there)
		return r;
	buf_addc(path, 'c');
	if (buf_error(path))
		return -ENOMEM;
	*ret_there = is_file(root_fd, buf_str(path));
	a->kind = *ret_there ? LMMSD_KIND_BYTECODE : LMMSD_KIND_NAMESPACE;
	return 0;
}

/* Adds the distribution, in copies. */
static int look_for_dist(struct dist *d, int root_fd, const char *module, const char *file,
			 struct answer *a)
{
	struct dist_found found;
	int r;

	r = dist_find(d, root_fd, module, file, &found);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	a->dist = strdup(found.name);
	a->version = found.version ? strdup(found.version) : NULL;
	return a->dist && (a->version || !found.version) ? 0 : -ENOMEM;
}

static int find_without_file(struct dist *d, int root_fd, const struct facts_query *q,
			     struct answer *a)
{
	_buf_ struct buf path = {};
	bool there;
	int r;

	place_by_neighbour(q, &path);
	if (buf_error(&path))
		return -ENOMEM;
	if (path.len == 0)
		return 0;
	r = look_for_package(root_fd, q, &path, a, &there);
	if (r < 0 || a->kind == LMMSD_KIND_NAMESPACE)
		return r; /* a namespace belongs to nobody */
	if (!there)
		buf_adds(&path, ".py"); /* as good as any name in that directory */
	if (buf_error(&path))
		return -ENOMEM;
	r = look_for_dist(d, root_fd, q->module, buf_str(&path), a);
	if (r < 0 || !there)
		return r;
	a->file = buf_take(&path);
	return a->file ? 0 : -ENOMEM;
}

static int find_with_file(struct dist *d, int root_fd, const struct facts_query *q,
			  struct answer *a)
{
	bool there;
	int r;

	r = look_at_file(root_fd, q, q->file, a, &there);
	if (r < 0 || q->file[0] != '/')
		return r;
	if (there) {
		a->file = strdup(q->file);
		if (!a->file)
			return -ENOMEM;
	}
	return look_for_dist(d, root_fd, q->module, q->file, a);
}

int answer_find(struct dist *d, int root_fd, const struct facts_query *q, struct answer *ret)
{
	struct answer a = {};
	int r;

	r = q->file && q->file[0] ? find_with_file(d, root_fd, q, &a) :
				    find_without_file(d, root_fd, q, &a);
	if (r < 0) {
		answer_done(&a);
		return r;
	}
	*ret = a;
	return 0;
}

void answer_done(struct answer *a)
{
	free(a->dist);
	free(a->version);
	free(a->file);
	*a = (struct answer){};
}

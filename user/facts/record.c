/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/record.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/dist.h"
#include "facts/open.h"
#include "facts/place.h"
#include "facts/pyc.h"

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

static int file_kind(int root_fd, const struct facts_query *q, const char *file, uint8_t *ret)
{
	int r;

	*ret = LMMSD_KIND_UNKNOWN;
	if (text_starts_with(file, "<frozen "))
		*ret = LMMSD_KIND_FROZEN;
	else if (is_extension(file))
		*ret = LMMSD_KIND_EXTENSION;
	else if (text_ends_with(file, ".pyc"))
		*ret = LMMSD_KIND_BYTECODE;
	else if (q->version && file[0] == '/' && text_ends_with(file, ".py")) {
		r = pyc_kind(root_fd, file, q->version, q->started_ns, ret);
		if (r == -ENOMEM)
			return r;
	}
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

/* A package whose file nobody named: with __init__.py it has one, without it is a namespace. */
static int look_for_package(int root_fd, const struct facts_query *q, struct buf *path,
			    uint8_t *ret_kind, bool *ret_found)
{
	size_t len = strlen(q->module), dir_len = path->len;
	bool parent = strncmp(q->near, q->module, len) == 0 && q->near[len] == '.';

	*ret_found = false;
	*ret_kind = LMMSD_KIND_UNKNOWN;
	if (!parent || strstr(q->module, "..") || !is_dir(root_fd, buf_str(path)))
		return 0;
	buf_adds(path, "/__init__.py");
	if (buf_error(path))
		return -ENOMEM;
	if (is_file(root_fd, buf_str(path))) {
		*ret_found = true;
		return file_kind(root_fd, q, buf_str(path), ret_kind);
	}
	buf_addc(path, 'c');
	if (buf_error(path))
		return -ENOMEM;
	*ret_kind = is_file(root_fd, buf_str(path)) ? LMMSD_KIND_BYTECODE : LMMSD_KIND_NAMESPACE;
	*ret_found = *ret_kind == LMMSD_KIND_BYTECODE;
	if (!*ret_found) {
		path->len = dir_len;
		path->data[dir_len] = '\0';
	}
	return 0;
}

struct answer {
	struct dist_found dist;
	struct buf file; /* owned */
	bool on_disk;	 /* file is there */
	uint8_t kind;
};

static void answer_done(struct answer *a)
{
	buf_free(&a->file);
}

static int answer_without_file(struct dist *d, int root_fd, const struct facts_query *q,
			       struct answer *a)
{
	int r;

	place_by_neighbour(q, &a->file);
	if (buf_error(&a->file))
		return -ENOMEM;
	if (a->file.len == 0)
		return 0;
	r = look_for_package(root_fd, q, &a->file, &a->kind, &a->on_disk);
	if (r < 0)
		return r;
	if (a->kind == LMMSD_KIND_NAMESPACE)
		return 0; /* belongs to nobody */
	if (!a->on_disk)
		buf_adds(&a->file, ".py"); /* as good as any name in that directory */
	if (buf_error(&a->file))
		return -ENOMEM;
	r = dist_find(d, root_fd, q->module, buf_str(&a->file), &a->dist);
	return r == -ENOMEM ? r : 0;
}

static int answer_with_file(struct dist *d, int root_fd, const struct facts_query *q,
			    struct answer *a)
{
	int r;

	r = file_kind(root_fd, q, q->file, &a->kind);
	if (r < 0 || q->file[0] != '/')
		return r;
	buf_adds(&a->file, q->file);
	if (buf_error(&a->file))
		return -ENOMEM;
	a->on_disk = is_file(root_fd, q->file);
	r = dist_find(d, root_fd, q->module, q->file, &a->dist);
	return r == -ENOMEM ? r : 0;
}

static uint16_t put(char **at, const char *s, size_t max)
{
	size_t len = s ? strlen(s) : 0;

	if (len > max)
		len = max;
	if (len)
		memcpy(*at, s, len);
	*at += len;
	return (uint16_t)len;
}

int facts_record(struct dist *d, int root_fd, const struct facts_query *q, void *buf,
		 size_t *ret_len)
{
	_cleanup_(answer_done) struct answer a = {};
	bool with_file = q->file && q->file[0];
	struct lmmsd_ev_dist ev = {};
	char *tail = (char *)buf + sizeof(ev);
	int r;

	r = with_file ? answer_with_file(d, root_fd, q, &a) :
			answer_without_file(d, root_fd, q, &a);
	if (r < 0)
		return r;
	/* A name or a path that was cut would be another one: nothing is said then. */
	if (strlen(q->module) > LMMSD_NAME_MAX)
		return -ENODATA;
	if (a.file.len > LMMSD_PATH_MAX)
		a.on_disk = false;
	if (!a.dist.name && !a.on_disk && a.kind == LMMSD_KIND_UNKNOWN)
		return -ENODATA;
	ev.kind = a.kind;
	ev.name_len = put(&tail, q->module, LMMSD_NAME_MAX);
	ev.dist_len = put(&tail, a.dist.name, FACTS_MAX_DIST);
	ev.version_len = put(&tail, a.dist.name ? a.dist.version : NULL, FACTS_MAX_DIST);
	ev.file_len = put(&tail, a.on_disk ? buf_str(&a.file) : NULL, LMMSD_PATH_MAX);
	ev.h = (struct lmmsd_hdr){
		.abi = LMMSD_ABI,
		.kind = LMMSD_EV_DIST,
		.size = (uint32_t)(tail - (char *)buf),
		.ts_ns = q->ts_ns,
		.tgid = q->tgid,
		.tid = q->tgid,
		.start_ns = q->start_ns,
	};
	memcpy(buf, &ev, sizeof(ev));
	*ret_len = ev.h.size;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "app/lookup.h"
#include "app/watch_int.h"
#include "base/fdio.h"
#include "base/log.h"
#include "probe/procfs.h"

int watch_new(struct probe *probe, struct sink *sink, enum target_want want, size_t max_attached,
	      struct watch **ret)
{
	_cleanup_(watch_freep) struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->probe = probe;
	w->sink = sink;
	w->want = want;
	w->max_attached = max_attached;
	w->proc_fd = w->root_fd = -EBADF;
	w->proc_fd = open("/proc", O_DIRECTORY | O_CLOEXEC);
	if (w->proc_fd < 0)
		return -errno;
	w->root_fd = open("/", O_DIRECTORY | O_CLOEXEC);
	if (w->root_fd < 0)
		return -errno;
	r = discover_new(w->proc_fd, w->root_fd, &w->discover);
	if (r)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

void watch_ask_first(struct watch *w, struct lookup *lookup)
{
	const struct discover_scout scout = {
		.answers = lookup_answers, .open = lookup_open, .walk = lookup_walk, .arg = lookup};

	w->lookup = lookup;
	discover_send(w->discover, &scout);
}

void watch_item_done(struct watch_item *it)
{
	closep(&it->fd);
	free(it->path);
	(void)target_free(it->target);
	memset(it, 0, sizeof(*it));
	it->fd = -EBADF;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < w->n_items; i++)
		watch_item_done(&w->items[i]);
	free(w->items);
	(void)discover_free(w->discover);
	closep(&w->proc_fd);
	closep(&w->root_fd);
	free(w);
	return NULL;
}

static void drop(struct watch *w, size_t i)
{
	struct watch_item *it = &w->items[i];

	watch_forget(w, &it->file_id);
	discover_unpin(w->discover, &it->file_id);
	probe_detach(w->probe, it->id);
	watch_item_done(it);
	w->attached--;
	w->n_items--;
	memmove(it, it + 1, (w->n_items - i) * sizeof(*it));
}

int watch_add_all(struct watch *w)
{
	int r = discover_add_places(w->discover);

	return r ? r : discover_add_processes(w->discover);
}

int watch_add_pid(struct watch *w, uint32_t pid)
{
	return discover_add_pid(w->discover, pid);
}

int watch_add_path(struct watch *w, const char *path)
{
	return discover_add_path(w->discover, path);
}

/*
 * A file that was met again under a new ctime: the kernel side knows programs by it. Linked or renamed; or written to, and its
 * time set back.
 */
static void take_renewed(struct watch *w)
{
	struct discover_id id;

	while (discover_take_renewed(w->discover, &id))
		for (size_t i = 0; i < w->n_items; i++) {
			struct watch_item *it = &w->items[i];

			if (!it->id || !discover_same(&it->file_id, &id))
				continue;
			if (watch_still_fits(w, it)) {
				it->file_id = id;
				watch_verdict(w, &id, true);
			} else {
				watch_forget(w, &id);
				drop(w, i--);
			}
		}
}

void watch_drop_rewritten(struct watch *w, const struct discover_id *id)
{
	for (size_t i = 0; i < w->n_items; i++)
		if (w->items[i].id && discover_rewritten(&w->items[i].file_id, id))
			drop(w, i--);
}

void watch_check(struct watch *w)
{
	struct discover_id now;

	for (size_t i = 0; i < w->n_items; i++) {
		const struct watch_item *it = &w->items[i];

		if (!it->id || discover_peek(it->fd, &now) < 0 ||
		    !discover_rewritten(&it->file_id, &now))
			continue;
		log_debug("'%s' was written to: detached", it->path);
		drop(w, i--);
	}
}

int watch_run(struct watch *w, size_t max)
{
	int n = 0;

	while (!max || (size_t)n < max) {
		struct discover_file f = DISCOVER_FILE_INIT;
		int r = discover_next(w->discover, &f);

		if (r <= 0) {
			watch_settle(w);
			take_renewed(w);
			return r < 0 ? r : n;
		}
		r = watch_look(w, &f);
		if (r)
			discover_unpin(w->discover, &f.id); /* not looked at, then */
		discover_file_done(&f);
		if (r)
			return r;
		n++;
	}
	return n;
}

bool watch_interp(const struct watch *w, size_t i, struct watch_interp *ret)
{
	const struct watch_item *it;

	if (i >= w->n_items)
		return false;
	it = &w->items[i];
	*ret = (struct watch_interp){
		.id = it->id,
		.version = it->target ? it->target->version : 0,
		.version_text = it->target ? it->target->version_text : "",
		.probe = it->target && !it->target->refused ? it->target->probe : 0,
		.path = it->path,
		.refused = it->error  ? strerror(-it->error) :
			   it->target ? it->target->refused :
					"gone",
		.degraded = it->target ? it->target->degraded : NULL,
		.flags = it->flags,
	};
	return true;
}

size_t watch_attached(const struct watch *w)
{
	return w->attached;
}

uint64_t watch_search_cut(const struct watch *w)
{
	struct discover_stats st;

	discover_stats(w->discover, &st);
	return st.cut + w->programs_cut;
}

uint64_t watch_no_room(const struct watch *w)
{
	return w->no_room;
}

uint64_t watch_unreadable(const struct watch *w)
{
	struct discover_stats st;

	discover_stats(w->discover, &st);
	return st.unreadable;
}

int watch_statx(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_NLINK, ret) ?
		       -errno :
		       0;
}

/* Does the process map the file? By inode and base name: device numbers differ through overlayfs. */
static bool maps_file(const struct procfs_maps *maps, const struct watch_item *it)
{
	const char *name = strrchr(it->path, '/');

	name = name ? name + 1 : it->path;
	for (size_t i = 0; i < maps->n; i++) {
		const char *other = strrchr(maps->map[i].path, '/');

		if (maps->map[i].ino == it->file_id.ino &&
		    strcmp(other ? other + 1 : maps->map[i].path, name) == 0)
			return true;
	}
	return false;
}

static int read_maps(struct watch *w, uint32_t pid, struct procfs_maps *ret)
{
	_close_ int fd = -EBADF;
	int r = procfs_pid_open(w->proc_fd, pid, &fd);

	return r ? r : procfs_maps(fd, ret);
}

int watch_is_python(struct watch *w, uint32_t pid)
{
	struct procfs_maps maps = {0};
	int r = read_maps(w, pid, &maps), found = 0;

	if (r)
		return r;
	for (size_t i = 0; i < w->n_items && !found; i++)
		found = w->items[i].id && maps_file(&maps, &w->items[i]);
	procfs_maps_free(&maps);
	return found;
}

/* Which of the files that may go are still mapped by somebody. */
static void mark_mapped(struct watch *w)
{
	_free_ uint32_t *pids = NULL;
	size_t n = 0;

	for (size_t k = 0; k < w->n_items; k++)
		w->items[k].mapped = false;
	if (procfs_pids(w->proc_fd, &pids, &n)) {
		for (size_t k = 0; k < w->n_items; k++)
			w->items[k].mapped = true; /* unknown: keep */
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct procfs_maps maps = {0};

		if (read_maps(w, pids[i], &maps))
			continue;
		for (size_t k = 0; k < w->n_items; k++)
			w->items[k].mapped |= w->items[k].id &&
					      (maps.cut || maps_file(&maps, &w->items[k]));
		procfs_maps_free(&maps);
	}
}

/*
 * Gone from disk, or seen only inside another mount namespace: our link would keep that file system busy after its
 * container has ended.
 */
static bool may_go(const struct watch *w, const struct watch_item *it)
{
	struct statx file, here;
	_close_ int fd = -EBADF;

	if (!it->id || watch_statx(it->fd, &file))
		return false;
	if (file.stx_nlink == 0)
		return true;
	if (!it->pid)
		return false;
	fd = w->lookup ? lookup_open(w->lookup, w->root_fd, it->path) :
			 fdio_open_beneath(w->root_fd, it->path, 0, 0);
	return fd < 0 || watch_statx(fd, &here) || here.stx_ino != file.stx_ino;
}

void watch_sweep(struct watch *w)
{
	bool any = false;

	for (size_t i = 0; i < w->n_items; i++)
		any |= may_go(w, &w->items[i]);
	if (any)
		mark_mapped(w);
	for (size_t i = 0; any && i < w->n_items; i++) {
		struct watch_item *it = &w->items[i];

		if (!may_go(w, it) || it->mapped) {
			it->idle_sweeps = 0;
			continue;
		}
		if (++it->idle_sweeps < 2)
			continue; /* a process may be about to start */
		log_debug("'%s' is gone and unused: detached", it->path);
		watch_forget(w, &it->file_id);
		discover_unpin(w->discover, &it->file_id);
		w->attached--;
		probe_detach(w->probe, it->id);
		watch_item_done(it);
		*it = w->items[--w->n_items];
		i--;
	}
	discover_prune(w->discover);
}

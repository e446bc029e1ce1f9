/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Files that are let go: gone and unused; or unused, when one that is used has no room. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "app/lookup.h"
#include "app/records.h"
#include "app/watch_int.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "lmmsd/interp.h"
#include "probe/procfs.h"

#define ROUND_NS                                                                                   \
	30000000000ull /* in older marks what started since is missing, and here one round decides */
#define ROOM_PAUSE_NS                                                                              \
	1000000000ull /* between two searches for room: everybody can start programs */
#define ROOM_FILES 4  /* that make room at a time: to detach takes some 25 ms */

int watch_statx(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_NLINK, ret) ?
		       -errno :
		       0;
}

/* Is this mapping one of the file? By base name where the device differs, as through overlayfs; links have others. */
static bool is_of(const struct procfs_map *map, const struct watch_item *it)
{
	const char *name, *other;
	size_t len;

	if (!it->id || map->ino != it->file_id.ino)
		return false;
	if (makedev(map->dev >> 20, map->dev & 0xfffff) == it->file_id.dev)
		return true;
	name = strrchr(it->path, '/');
	name = name ? name + 1 : it->path;
	other = strrchr(map->path, '/') + 1;
	len = strlen(name);
	return strncmp(other, name, len) == 0 &&
	       (!other[len] || strcmp(other + len, PROCFS_DELETED) == 0);
}

/* How many files a process maps is its own choice, so each mapping is compared as it comes, and none is kept. */
static int each_map(struct watch *w, uint32_t pid, int (*fn)(void *arg, struct procfs_map *map))
{
	_close_ int fd = -EBADF;
	bool cut = false;
	int r = procfs_pid_open(w->proc_fd, pid, &fd);

	if (!r)
		r = procfs_each_map(fd, fn, w, &cut);
	w->programs_cut += cut;
	return r;
}

static int note_python(void *arg, struct procfs_map *map)
{
	const struct watch *w = arg;

	for (size_t i = 0; i < w->n_items; i++)
		if (is_of(map, &w->items[i]))
			return 1;
	return 0;
}

int watch_is_python(struct watch *w, uint32_t pid)
{
	return each_map(w, pid, note_python);
}

static int note_mapped(void *arg, struct procfs_map *map)
{
	struct watch *w = arg;

	for (size_t i = 0; i < w->n_items; i++)
		w->items[i].mapped |= is_of(map, &w->items[i]);
	return 0;
}

/*
 * Which files are mapped by somebody. True: every process was looked at since the marks were cleared. Else there was no
 * time, and the next call goes on there: none can keep the others from being looked at.
 */
static bool mark_mapped(struct watch *w)
{
	uint64_t now = records_now(), until = now + w->maps_ns;
	_free_ uint32_t *pids = NULL;
	size_t n = 0;

	if (procfs_pids(w->proc_fd, &pids, &n))
		return false;
	if (!w->next_pid)
		w->round_ns = now;
	for (size_t k = 0; !w->next_pid && k < w->n_items; k++)
		w->items[k].mapped = false;
	for (size_t i = 0; i < n; i++) {
		if (pids[i] < w->next_pid)
			continue;
		(void)each_map(w, pids[i], note_mapped);
		if (i + 1 < n && records_now() > until) {
			w->next_pid = pids[i + 1];
			return false;
		}
	}
	w->next_pid = 0;
	return true;
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

static void let_go(struct watch *w)
{
	for (size_t i = 0; i < w->n_items; i++) {
		struct watch_item *it = &w->items[i];

		if (!may_go(w, it) || it->mapped) {
			it->idle_sweeps = 0;
			continue;
		}
		if (++it->idle_sweeps < 2)
			continue; /* a process may be about to start */
		log_debug("'%s' is gone and unused: detached", it->path);
		watch_drop(w, i--);
	}
}

void watch_sweep(struct watch *w)
{
	bool any = false;

	for (size_t i = 0; i < w->n_items && !any; i++)
		any = may_go(w, &w->items[i]);
	if (any && mark_mapped(w))
		let_go(w);
	discover_prune(w->discover);
}

bool watch_full(const struct watch *w)
{
	size_t n = w->attached + w->held;

	return n >= w->max_attached || n >= LMMSD_MAX_INTERPS - 1;
}

/* The last that was found goes first: users' places are looked through last, and what they start comes later still. */
void watch_make_room(struct watch *w)
{
	uint64_t now = records_now();
	size_t gone = 0;

	if (w->room_ns && now - w->room_ns < ROOM_PAUSE_NS)
		return;
	w->room_ns = now;
	if (now - w->round_ns > ROUND_NS)
		w->next_pid = 0;
	if (!mark_mapped(w))
		return;
	for (size_t i = w->n_items; i-- > 0 && gone < ROOM_FILES;) {
		const struct watch_item *it = &w->items[i];

		if (!it->id || it->mapped || it->named)
			continue;
		log_debug("'%s' is unused, and another one has no room: detached", it->path);
		watch_drop(w, i);
		gone++;
	}
}

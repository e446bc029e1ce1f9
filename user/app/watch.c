/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "app/lookup.h"
#include "app/watch_int.h"
#include "base/log.h"

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
	w->maps_ns = WATCH_MAPS_NS;
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

void watch_drop(struct watch *w, size_t i)
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

void watch_hold(struct watch *w)
{
	w->hold = true;
}

void watch_use(struct watch *w, struct probe *probe)
{
	w->probe = probe;
	w->hold = false;
	if (!w->held)
		watch_decide_needs(w, w->n_needs);
}

size_t watch_held(const struct watch *w)
{
	return w->held;
}

size_t watch_first(struct watch *w)
{
	w->first_needs = w->n_needs;
	w->first = w->held;
	return w->first;
}

bool watch_attach_next(struct watch *w)
{
	for (size_t i = 0; w->held && i < w->n_items; i++)
		if (w->items[i].held) {
			watch_attach_held(w, i);
			if (w->first && --w->first == 0)
				watch_decide_needs(w, w->first_needs);
			return true;
		}
	return false;
}

int watch_add_places(struct watch *w)
{
	return discover_add_places(w->discover);
}

int watch_add_processes(struct watch *w)
{
	return discover_add_processes(w->discover);
}

int watch_add_all(struct watch *w)
{
	int r = watch_add_places(w);

	return r ? r : watch_add_processes(w);
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
				watch_drop(w, i--);
			}
		}
}

void watch_drop_rewritten(struct watch *w, const struct discover_id *id)
{
	for (size_t i = 0; i < w->n_items; i++)
		if (w->items[i].id && discover_rewritten(&w->items[i].file_id, id))
			watch_drop(w, i--);
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
		watch_drop(w, i--);
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

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What becomes of one file: attached to, refused, or of no interest. Everybody can make files: how many are kept, and said, is limited. */
#include <errno.h>
#include <string.h>

#include "app/records.h"
#include "app/watch_int.h"
#include "base/array.h"
#include "base/log.h"

#define MAX_REFUSALS_SAID 32

static bool needs_python(const struct target *t)
{
	for (size_t i = 0; i < t->n_needed; i++)
		if (strncmp(t->needed[i], "libpython", 9) == 0)
			return true;
	return false;
}

static struct watch_item *item_new(struct watch *w)
{
	if (ARRAY_ROOM(w->items, w->n_items, w->cap_items) < 0)
		return NULL;
	memset(&w->items[w->n_items], 0, sizeof(*w->items));
	w->items[w->n_items].fd = -EBADF;
	return &w->items[w->n_items++];
}

static void announce(struct watch *w, const struct watch_item *it)
{
	uint8_t rec[RECORDS_MAX];
	size_t n = records_interp(rec, sizeof(rec), it->id, it->target->version, it->target->probe,
				  it->flags, it->path);

	if (n && w->sink)
		(void)sink_put(w->sink, rec, n);
}

/* Each of them could be one of thousands that somebody made for this. */
static void say_refused(struct watch *w, enum log_level level, const char *path, const char *verb,
			const char *why)
{
	if (w->n_said < MAX_REFUSALS_SAID)
		log_line(level, "%s '%s': %s", verb, path, why);
	else
		log_debug("%s '%s': %s", verb, path, why);
	if (w->n_said == MAX_REFUSALS_SAID)
		log_line(level, "more files are not watched: -v names them");
	if (w->n_said <= MAX_REFUSALS_SAID)
		w->n_said++;
}

static const char *attach_error(int r)
{
	return r == -ENOSPC ?
		       "as many interpreters are watched already as max_interpreters allows" :
	       r == -EMFILE ? "no file descriptors are left: raise the limit (ulimit -n)" :
	       r == -ESTALE ? "it was written to meanwhile" :
			      strerror(-r);
}

/* Full now, perhaps not at its next start. */
static bool no_room(int r)
{
	return r == -ENOSPC || r == -EMFILE || r == -ENFILE;
}

static bool may_work_later(int r)
{
	return no_room(r) || r == -ESTALE;
}

/* Between the look and the attach anybody who may write to it could. */
static bool still_as_examined(const struct watch_item *it)
{
	struct discover_id now;

	return discover_peek(it->fd, &now) == 0 && now.size == it->file_id.size &&
	       now.mtime_ns == it->file_id.mtime_ns && now.ctime_ns == it->file_id.ctime_ns;
}

static bool was_refused(const struct watch *w, const struct discover_id *id)
{
	for (size_t i = 0; i < w->n_refusals && i < WATCH_MAX_REFUSALS; i++)
		if (w->refusals[i].ino == id->ino && w->refusals[i].dev == id->dev &&
		    w->refusals[i].ctime_ns == id->ctime_ns)
			return true;
	return false;
}

/* Each file is counted and said once, not at every search that meets it. */
static void found_no_room(struct watch *w, struct watch_item *it)
{
	it->again = was_refused(w, &it->file_id);
	if (it->again)
		return;
	w->refusals[w->n_refusals++ % WATCH_MAX_REFUSALS] =
		(struct watch_refusal){it->file_id.ino, it->file_id.dev, it->file_id.ctime_ns};
	w->no_room++;
}

static void attach(struct watch *w, struct watch_item *it)
{
	int r;

	if (!w->probe && !w->hold)
		return;
	r = watch_full(w) ? -ENOSPC : 0;
	if (!r && w->hold) {
		it->held = true;
		w->held++;
		return;
	}
	if (!r)
		r = probe_attach(w->probe, it->fd, it->target, &it->id);
	if (!r && !still_as_examined(it)) {
		probe_detach(w->probe, it->id);
		it->id = 0;
		r = -ESTALE;
	}
	if (r) {
		it->error = r;
		if (no_room(r))
			found_no_room(w, it);
		if (!it->again)
			say_refused(w, LOG_LEVEL_WARNING, it->path, "cannot attach to",
				    attach_error(r));
		return;
	}
	(void)discover_pin(w->discover, &it->file_id);
	w->attached++;
	announce(w, it);
}

/* Not attached: remembered without its file, for --check and messages, as long as there is room. */
static void keep_refused(struct watch *w, size_t i)
{
	struct watch_item *it = &w->items[i];

	closep(&it->fd);
	it->fd = -EBADF;
	if (may_work_later(it->error)) {
		discover_unpin(w->discover, &it->file_id);
		watch_forget(w, &it->file_id);
	} else {
		watch_verdict(w, &it->file_id, false);
	}
	if (!it->again && w->n_refused < WATCH_MAX_REFUSED) {
		w->n_refused++;
		return;
	}
	watch_item_done(it);
	w->n_items--;
	memmove(it, it + 1, (w->n_items - i) * sizeof(*it));
}

void watch_attach_held(struct watch *w, size_t i)
{
	struct watch_item *it = &w->items[i];

	it->held = false;
	w->held--;
	if (still_as_examined(it))
		attach(w, it);
	else
		it->error = -ESTALE;
	if (it->id)
		watch_verdict(w, &it->file_id, true);
	else
		keep_refused(w, i);
	if (!w->held)
		watch_decide_needs(w, w->n_needs);
}

/* A CPython, accepted or refused. */
static int keep(struct watch *w, struct discover_file *f, struct target **t)
{
	struct watch_item *it;

	if (w->probe && f->pid && !(*t)->refused && watch_full(w))
		watch_make_room(w);
	it = item_new(w);
	if (!it)
		return -ENOMEM;
	it->mapped = true; /* until all were looked at */
	it->named = f->named;
	it->target = TAKE_PTR(*t);
	it->path = TAKE_PTR(f->path);
	it->fd = TAKE_FD(f->fd);
	it->file_id = f->id;
	it->pid = f->pid;
	it->flags = it->target->interp_flags;
	if (it->target->refused)
		say_refused(w, LOG_LEVEL_INFO, it->path, "not watching", it->target->refused);
	else
		attach(w, it);
	if (it->id) {
		watch_verdict(w, &it->file_id, true);
		return 0;
	}
	if (it->error || it->target->refused) {
		keep_refused(w, w->n_items - 1);
	} else if (!it->held) { /* only looked at */
		closep(&it->fd);
		it->fd = -EBADF;
	}
	return 0;
}

bool watch_still_fits(const struct watch *w, const struct watch_item *it)
{
	_cleanup_(target_freep) struct target *t = NULL;

	return target_open(it->fd, it->path, w->want, &t) == 0 && !t->refused &&
	       t->version == it->target->version && t->n_sites == it->target->n_sites &&
	       memcmp(t->site, it->target->site, t->n_sites * sizeof(*t->site)) == 0;
}

int watch_look(struct watch *w, struct discover_file *f)
{
	_cleanup_(target_freep) struct target *t = NULL;
	int r;

	watch_drop_rewritten(w, &f->id); /* whatever it is now */
	if (w->probe && !f->pid && !f->named && watch_full(w) && was_refused(w, &f->id)) {
		discover_unpin(w->discover, &f->id); /* perhaps there is room the next time */
		return 0;
	}
	r = target_open(f->fd, f->path, w->want, &t);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		watch_verdict(w, &f->id, false);
		return 0;
	}
	if (t->is_python || t->refused)
		return keep(w, f, &t);
	if (!needs_python(t))
		watch_verdict(w, &f->id, false);
	else if (!watch_remember_need(w, &f->id) || !w->held)
		watch_verdict(w, &f->id, true); /* else with what waits */
	if (t->n_needed)
		return discover_add_needed(w->discover, f, (const char *const *)t->needed,
					   t->n_needed, t->runpath, NULL);
	return 0;
}

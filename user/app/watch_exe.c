/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Programs that the kernel side saw for the first time. It holds each for undecided, and says no more of it, until it
 * is told; so each must be decided, or forgotten when its process was gone before it could be looked at.
 */
#include <errno.h>

#include "app/watch_int.h"

static uint32_t seconds(const struct discover_id *id)
{
	return (uint32_t)(id->ctime_ns / 1000000000);
}

static uint32_t nanoseconds(const struct discover_id *id)
{
	return (uint32_t)(id->ctime_ns % 1000000000);
}

void watch_forget(struct watch *w, const struct discover_id *id)
{
	if (w->probe)
		probe_exe_forget(w->probe, id->ino, seconds(id), nanoseconds(id));
}

bool watch_remember_need(struct watch *w, const struct discover_id *id)
{
	if (w->n_needs == WATCH_MAX_NEEDS) {
		w->programs_cut++;
		return false;
	}
	w->needs[w->n_needs++] = (struct watch_program){
		.ino = id->ino, .ctime_s = seconds(id), .ctime_ns = nanoseconds(id)};
	return true;
}

static bool known_need(const struct watch *w, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns)
{
	for (size_t i = 0; i < w->n_needs; i++)
		if (w->needs[i].ino == ino && w->needs[i].ctime_s == ctime_s &&
		    w->needs[i].ctime_ns == ctime_ns)
			return true;
	return false;
}

/* What was decided here before; discover gives no file out twice. */
static bool known_python(const struct watch *w, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns)
{
	for (size_t i = 0; i < w->n_items; i++) {
		const struct discover_id *id = &w->items[i].file_id;

		if (w->items[i].id && id->ino == ino && seconds(id) == ctime_s &&
		    nanoseconds(id) == ctime_ns)
			return true;
	}
	return known_need(w, ino, ctime_s, ctime_ns);
}

/* The kernel side knows no devices: a look-alike on another one must not hide a Python. */
static int decide(struct watch *w, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns, bool python)
{
	return probe_exe_verdict(w->probe, ino, ctime_s, ctime_ns,
				 python || known_python(w, ino, ctime_s, ctime_ns));
}

void watch_verdict(struct watch *w, const struct discover_id *id, bool python)
{
	if (w->probe)
		(void)decide(w, id->ino, seconds(id), nanoseconds(id), python);
}

void watch_decide_needs(struct watch *w, size_t n)
{
	for (size_t i = 0; w->probe && i < n; i++)
		(void)probe_exe_verdict(w->probe, w->needs[i].ino, w->needs[i].ctime_s,
					w->needs[i].ctime_ns, true);
}

/* What waits to be attached to does not wait for its turn then; of a program's library it is not known which it is. */
static void attach_executed(struct watch *w, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns)
{
	for (size_t i = 0; w->held && i < w->n_items; i++) {
		const struct watch_item *it = &w->items[i];

		if (it->held && it->file_id.ino == ino && seconds(&it->file_id) == ctime_s &&
		    nanoseconds(&it->file_id) == ctime_ns)
			watch_attach_held(w, i--);
	}
	while (w->held && known_need(w, ino, ctime_s, ctime_ns))
		(void)watch_attach_next(w);
}

int watch_exe(struct watch *w, uint32_t pid, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns)
{
	attach_executed(w, ino, ctime_s, ctime_ns);
	if (known_python(w, ino, ctime_s, ctime_ns))
		return probe_exe_verdict(w->probe, ino, ctime_s, ctime_ns, true);
	if (w->n_programs == WATCH_MAX_PROGRAMS) {
		probe_exe_forget(w->probe, ino, ctime_s,
				 ctime_ns); /* its next start says it again */
		w->programs_cut++;
		return 0;
	}
	w->programs[w->n_programs++] =
		(struct watch_program){.ino = ino, .ctime_s = ctime_s, .ctime_ns = ctime_ns};
	return discover_add_pid(w->discover, pid);
}

void watch_settle(struct watch *w)
{
	for (size_t i = 0; i < w->n_programs; i++) {
		const struct watch_program *p = &w->programs[i];

		if (!probe_exe_undecided(w->probe, p->ino, p->ctime_s, p->ctime_ns))
			continue;
		/* Not given out now: looked at long ago, and no Python; or it could not be looked at. */
		if (discover_examined(w->discover, p->ino,
				      (int64_t)p->ctime_s * 1000000000 + p->ctime_ns))
			(void)decide(w, p->ino, p->ctime_s, p->ctime_ns, false);
		else
			probe_exe_forget(w->probe, p->ino, p->ctime_s, p->ctime_ns);
	}
	w->n_programs = 0;
}

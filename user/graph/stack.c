/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The open loads of a thread: which start belongs to which done, what is nested in what, who gets the time.
 *
 * A start and its done have the same stack pointer and the same current frame. The C stack grows down, so on a
 * plain thread a load is nested in those with a greater sp, dones come in reverse order, and two things prove that
 * a load without a done is dead, its done lost: a done of a load below it, or a start at or above its sp.
 *
 * Greenlets break this. They copy slices of one C stack away and back: a suspended load may have any sp, the same
 * as another's included, and may end long after what looks nested in it, or before. Only the frame tells such loads
 * apart: a frame that waits for an import cannot ask for another one, and its address is not used again while it
 * lives. So:
 *  - Pairing is by sp and frame, whatever stands in between. That alone never pairs wrongly.
 *  - A start from a frame that is seen waiting proves that wait over, and with it all that is nested in it.
 *  - Open loads form groups, one for each C stack that we believe in; exactly one is at work. A start goes to the
 *    group at work when the sp fits; to another when module-level code asks that can only run inside that group's
 *    innermost load.
 *  - What the rules of the plain thread prove dead is dead if it is certainly nested in what is over (OPEN_SURE:
 *    importlib asked for a parent package, or the module-level code of the load below asked). Otherwise it is
 *    parked in a group of its own. In a process that is known to switch stacks (it loaded greenlet, or a parked load
 *    came back) a parked load is merely suspended: it is as good as any. In others it is out of the game and gets
 *    no time; it counts as lost at the process's end, or when its frame asks again, or when too many are parked.
 *  - A load that outlives the one it was thought to be nested in moves to that one's parent.
 *
 * Times: at each moment the innermost load of the group at work has the time. So the self times of a thread add up
 * to the time that it spent with open loads, whatever the groups do, and on a plain thread self = total - nested.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "graph/state.h"

static uint32_t new_group(struct thread *t)
{
	if (++t->groups == 0)
		t->groups = 1;
	return t->groups;
}

static struct open *group_top(struct thread *t, uint32_t group)
{
	for (size_t i = t->n; i-- > 0;)
		if (t->open[i].group == group)
			return &t->open[i];
	return NULL;
}

struct open *graph_stack_top(struct thread *t)
{
	return t->current ? group_top(t, t->current) : NULL;
}

struct open *graph_stack_below(struct thread *t, const struct open *o)
{
	for (size_t i = (size_t)(o - t->open); i-- > 0;)
		if (t->open[i].group == o->group)
			return &t->open[i];
	return NULL;
}

/* The thread's clock never goes back, whatever the events say: so no self time can exceed what was covered. */
static void advance(struct thread *t, uint64_t ts_ns)
{
	struct open *top = graph_stack_top(t);

	if (ts_ns <= t->last_ns)
		return;
	if (top)
		top->self_ns += ts_ns - t->last_ns;
	t->last_ns = ts_ns;
}

/* The group that worked last, of those that are not out of the game; 0: none. */
static uint32_t recent_group(const struct thread *t)
{
	const struct open *best = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct open *o = &t->open[i];

		if (!(o->flags & OPEN_PARKED) && (!best || o->seq > best->seq))
			best = o;
	}
	return best ? best->group : 0;
}

/* Ends load i, done or lost. */
static void close_at(struct graph *g, struct proc *p, struct thread *t, size_t i, uint64_t end_ns,
		     int32_t found, bool lost)
{
	struct open o = t->open[i];
	struct mdl_load *row = o.load < 0 ? NULL : &p->loads[o.load].m;

	memmove(&t->open[i], &t->open[i + 1], (t->n - i - 1) * sizeof(o));
	t->n--;
	if (lost && !(o.flags & OPEN_INHERITED))
		graph_lose(g, p, LMMSD_LOST_START_WITHOUT_DONE);
	if (!row)
		return;
	for (size_t j = 0; j < t->n; j++) {
		struct mdl_load *other = t->open[j].load < 0 ? NULL : &p->loads[t->open[j].load].m;

		if (other && other->parent == o.load)
			other->parent = row->parent;
	}
	if (o.flags & OPEN_INHERITED)
		return;
	row->total_ns = end_ns > o.start_ns ? end_ns - o.start_ns : 0;
	row->self_ns = o.self_ns < row->total_ns ? o.self_ns : row->total_ns;
	row->spent_ns = o.spent_ns < row->self_ns ? o.spent_ns : row->self_ns;
	if ((o.flags & OPEN_IN_BODY) && end_ns > o.body_ns)
		row->exec_ns = end_ns - o.body_ns;
	row->status = found == 0 ? MDL_FAILED : MDL_LOADED;
	if (lost)
		row->flags |= MDL_LOAD_OPEN;
	else
		row->flags &= (uint8_t)~MDL_LOAD_OPEN;
	p->closed[t->tid % GRAPH_RECENT].tid = t->tid;
	p->closed[t->tid % GRAPH_RECENT].load = o.load + 1;
	p->closed[t->tid % GRAPH_RECENT].sp = o.sp;
	p->closed[t->tid % GRAPH_RECENT].frame = o.frame;
}

static void lose_at(struct graph *g, struct proc *p, struct thread *t, size_t i)
{
	const struct open *o = &t->open[i];

	close_at(g, p, t, i, o->flags & OPEN_PARKED ? o->parked_ns : t->last_ns, -1, true);
}

static void park(const struct proc *p, struct open *o, uint32_t group, uint64_t ts_ns)
{
	o->group = group;
	if (p->greenlets || (o->flags & OPEN_PARKED))
		return;
	o->flags |= OPEN_PARKED;
	o->parked_ns = ts_ns;
}

/* All of a parked group is back, and with it the proof that stacks are switched here. */
static void unpark(struct proc *p, struct thread *t, uint32_t group)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->open[i].group != group || !(t->open[i].flags & OPEN_PARKED))
			continue;
		t->open[i].flags &= ~(uint32_t)OPEN_PARKED;
		p->greenlets = true;
	}
}

static void limit_parked(struct graph *g, struct proc *p, struct thread *t)
{
	size_t n = 0, oldest = t->n;

	for (size_t i = t->n; i-- > 0;) {
		if (!(t->open[i].flags & OPEN_PARKED))
			continue;
		n++;
		oldest = i;
	}
	if (n > GRAPH_PARKED_MAX)
		lose_at(g, p, t, oldest);
}

/* Load i is over: so is what was certainly nested in it; what is above that may run on another stack. */
static void cut_above(struct graph *g, struct proc *p, struct thread *t, size_t i)
{
	uint32_t group = t->open[i].group, fresh = 0;

	for (size_t j = i + 1; j < t->n;) {
		struct open *o = &t->open[j];

		if (o->group != group) {
			j++;
		} else if (fresh == 0 && (o->flags & (OPEN_SURE | OPEN_INHERITED))) {
			lose_at(g, p, t, j);
		} else {
			fresh = fresh ? fresh : new_group(t);
			park(p, o, fresh, t->last_ns);
			j++;
		}
	}
}

/* A frame that asks again does not wait any more. Returns the group in which it runs; 0: not known. */
static uint32_t end_waits(struct graph *g, struct proc *p, struct thread *t,
			  const struct nest *nest)
{
	uint32_t group = 0;

	if (nest->frame == 0)
		return 0;
	/* What is taken out lies at i or above. */
	for (size_t i = t->n; i-- > 0;) {
		const struct open *o = &t->open[i];

		if (o->frame != nest->frame || o->sp > nest->sp)
			continue;
		group = o->group;
		cut_above(g, p, t, i);
		lose_at(g, p, t, i);
	}
	limit_parked(g, p, t);
	return group;
}

/* Can only the innermost load o be what runs the code that asks? */
static bool proves(const struct open *o, const struct nest *nest)
{
	if (o->sp <= nest->sp)
		return false;
	if (nest->internal && graph_is_parent(nest->name, o->name))
		return true;
	return nest->module_code && nest->importer == o->name;
}

/* The group whose innermost load proves that it is at work; 0: none. */
static uint32_t proven_group(struct thread *t, const struct nest *nest)
{
	for (size_t i = t->n; i-- > 0;) {
		const struct open *o = &t->open[i];

		if (proves(o, nest) && group_top(t, o->group) == o)
			return o->group;
	}
	return 0;
}

/* No proof: the group at work, if the stack pointer fits. */
static void settle_by_sp(struct graph *g, struct proc *p, struct thread *t, const struct nest *nest)
{
	for (;;) {
		const struct open *top = graph_stack_top(t);
		uint32_t fresh;

		if (top && top->sp > nest->sp)
			return;
		fresh = new_group(t);
		if (!top || p->greenlets) {
			t->current = fresh;
			return;
		}
		for (size_t i = 0; i < t->n; i++)
			if (t->open[i].group == t->current && t->open[i].sp <= nest->sp)
				park(p, &t->open[i], fresh, t->last_ns);
		limit_parked(g, p, t);
		if (!graph_stack_top(t))
			t->current = recent_group(t);
	}
}

bool graph_stack_settle(struct graph *g, struct proc *p, struct thread *t, uint64_t ts_ns,
			const struct nest *nest)
{
	const struct open *top;
	uint32_t group;

	advance(t, ts_ns);
	group = end_waits(g, p, t, nest);
	top = group ? group_top(t, group) : NULL;
	if (top && top->sp > nest->sp) {
		unpark(p, t, group);
		t->current = group;
	} else if (!graph_stack_top(t)) {
		t->current = recent_group(t);
	}
	top = graph_stack_top(t);
	if (top && proves(top, nest))
		return true;
	group = proven_group(t, nest);
	if (group) {
		unpark(p, t, group);
		t->current = group;
		return true;
	}
	settle_by_sp(g, p, t, nest);
	return false;
}

/* Room for one more: parked and suspended loads give way before a new one does. */
static int reserve(struct graph *g, struct proc *p, struct thread *t)
{
	int r;

	for (size_t i = 0; t->n >= g->limits.depth && i < t->n; i++) {
		if (t->open[i].group != t->current) {
			lose_at(g, p, t, i);
			break;
		}
	}
	if (t->n >= g->limits.depth)
		return -ENOSPC;
	/* The first ones belong to what the thread itself was let in for. */
	if (t->n >= t->cap && t->cap > 0 && !graph_may_grow(p))
		return -ENOSPC;
	p->thread_bytes -= t->cap * sizeof(*t->open);
	r = ARRAY_ROOM(t->open, t->n, t->cap);
	p->thread_bytes += t->cap * sizeof(*t->open);
	graph_charge(p);
	return r;
}

int graph_stack_push(struct graph *g, struct proc *p, struct thread *t, const struct open *o)
{
	int r = reserve(g, p, t);

	if (r < 0) {
		t->unkept++;
		if (r == -ENOSPC)
			graph_lose(g, p, LMMSD_LOST_LIMIT_DEPTH);
		return r;
	}
	t->open[t->n] = *o;
	t->open[t->n].group = t->current;
	t->open[t->n].seq = ++t->seq;
	t->n++;
	return 0;
}

void graph_stack_resume(struct proc *p, struct thread *t, struct open *o, uint64_t ts_ns)
{
	advance(t, ts_ns);
	unpark(p, t, o->group);
	t->current = o->group;
	o->seq = ++t->seq;
}

void graph_stack_pop(struct graph *g, struct proc *p, struct thread *t, struct open *o,
		     uint64_t ts_ns, int32_t found)
{
	size_t i = (size_t)(o - t->open);

	graph_stack_resume(p, t, o, ts_ns);
	cut_above(g, p, t, i);
	close_at(g, p, t, i, t->last_ns, found, false);
	limit_parked(g, p, t);
	o = graph_stack_top(t);
	if (o)
		o->seq = ++t->seq;
	else
		t->current = recent_group(t);
}

void graph_stack_end(struct graph *g, struct proc *p, struct thread *t)
{
	for (size_t i = t->n; i-- > 0;)
		if (t->open[i].flags & OPEN_PARKED)
			lose_at(g, p, t, i);
}

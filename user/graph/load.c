/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Loads: who asked for them and from where; start and done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "graph/state.h"

bool graph_is_parent(const char *parent, const char *name)
{
	size_t len = strlen(parent);

	return strncmp(name, parent, len) == 0 && name[len] == '.';
}

uint8_t graph_place(uint32_t where_flags)
{
	if (where_flags & LMMSD_WHERE_DYNAMIC)
		return LMMSD_PLACE_DYNAMIC;
	if (!(where_flags & LMMSD_WHERE_FRAME))
		return LMMSD_PLACE_UNKNOWN;
	if (!(where_flags & (LMMSD_WHERE_STMT | LMMSD_WHERE_INTERNAL | LMMSD_WHERE_CAPI)))
		return LMMSD_PLACE_DYNAMIC;
	if (where_flags & LMMSD_WHERE_FUNC)
		return LMMSD_PLACE_FUNCTION;
	if (where_flags & LMMSD_WHERE_MODBODY)
		return LMMSD_PLACE_MODULE;
	return where_flags & LMMSD_WHERE_CLASS ? LMMSD_PLACE_CLASS : LMMSD_PLACE_UNKNOWN;
}

void graph_lazy(struct proc *p, const struct ev *ev)
{
	size_t i = ev->tid % GRAPH_RECENT;

	p->lazy[i].tid = ev->tid;
	p->lazy[i].sp = ev->load.sp;
	p->lazy[i].frame = ev->load.where.frame;
}

/* A wake-up is over as soon as its frame runs an import statement, or another import above it on the stack. */
bool graph_lazy_woke(const struct proc *p, uint32_t tid, uint64_t frame, uint64_t sp,
		     uint32_t flags)
{
	size_t i = tid % GRAPH_RECENT;

	if (p->lazy[i].sp == 0 || p->lazy[i].tid != tid || sp > p->lazy[i].sp)
		return false;
	if (flags & (LMMSD_WHERE_STMT | LMMSD_WHERE_DYNAMIC))
		return false;
	return frame == 0 || p->lazy[i].frame == 0 || frame == p->lazy[i].frame;
}

/*
 * C code has no frame: the walk ends at the frame that asked for the module whose initialisation imports. Parent
 * packages are asked for from there too, but by importlib.
 */
bool graph_asked_by_c(const struct open *o, const struct ev_where *w, const char *name)
{
	return o && (w->flags & LMMSD_WHERE_INTERNAL) && (w->flags & LMMSD_WHERE_FRAME) &&
	       !(w->flags & LMMSD_WHERE_DYNAMIC) && !(o->flags & OPEN_HAS_BODY) && o->code != 0 &&
	       o->code == w->code && o->instr == w->instr && !graph_is_parent(name, o->name) &&
	       !graph_is_parent(o->name, name);
}

int graph_row_add(struct graph *g, struct proc *p, const struct mdl_load *m, int32_t *ret)
{
	int r;

	*ret = -1;
	if (p->n_loads >= g->limits.loads || !graph_may_grow(p)) {
		graph_lose(g, p, LMMSD_LOST_LIMIT_MODULES);
		return 0;
	}
	r = ARRAY_ROOM(p->loads, p->n_loads, p->cap_loads);
	graph_charge(p);
	if (r < 0)
		return r;
	p->loads[p->n_loads] = (struct load){.m = *m};
	*ret = (int32_t)p->n_loads++;
	return 0;
}

/* A parent package or a submodule of a fromlist: the one that asked for the module it belongs to asked for it. */
static const struct mdl_load *relative(const struct proc *p, uint32_t tid, const struct open *top,
				       const char *name)
{
	size_t i = tid % GRAPH_RECENT;
	const struct mdl_load *last;

	if (top && top->load >= 0 && graph_is_parent(name, top->name))
		return &p->loads[top->load].m;
	if (p->closed[i].load == 0 || p->closed[i].tid != tid)
		return NULL;
	last = &p->loads[p->closed[i].load - 1].m;
	return graph_is_parent(last->name, name) ? last : NULL;
}

static bool woke_body(const struct proc *p, const struct ev *ev, const struct open *top)
{
	size_t i = ev->tid % GRAPH_RECENT;

	return graph_lazy_woke(p, ev->tid, 0, ev->load.sp, ev->load.where.flags) &&
	       (!top || top->sp > p->lazy[i].sp);
}

/* Importer, its file and line, place. */
static void row_origin(const struct proc *p, const struct ev *ev, const struct open *top,
		       bool body_only, struct mdl_load *m)
{
	const struct ev_where *w = &ev->load.where;
	const struct mdl_load *other = NULL;
	bool internal = w->flags & LMMSD_WHERE_INTERNAL;

	m->place = graph_place(w->flags);
	m->line = m->importer ? w->line : 0;
	if (internal && !body_only)
		other = relative(p, ev->tid, top, m->name);
	if (body_only)
		m->place = woke_body(p, ev, top) ? LMMSD_PLACE_LAZY : LMMSD_PLACE_DYNAMIC;
	else if (!internal && graph_lazy_woke(p, ev->tid, w->frame, ev->load.sp, w->flags))
		m->place = LMMSD_PLACE_LAZY;
	else if (other && (!m->importer || other->place == LMMSD_PLACE_LAZY))
		m->place = other->place;
	if (m->place == LMMSD_PLACE_LAZY)
		m->flags |= MDL_LOAD_LAZY;
	if (!m->importer && other) {
		m->importer = other->importer;
		m->importer_file = other->importer_file;
		m->line = other->line;
	}
	if (!body_only && graph_asked_by_c(top, w, m->name)) {
		m->importer = top->name;
		m->importer_file = top->load < 0 ? NULL : p->loads[top->load].m.file;
		m->line = 0;
		m->place = LMMSD_PLACE_MODULE;
	}
}

/* The nearest enclosing load that has a row and is this process's own. */
static int32_t row_parent(struct thread *t, const struct open *top)
{
	while (top && top->load < 0)
		top = graph_stack_below(t, top);
	return top && !(top->flags & OPEN_INHERITED) ? top->load : -1;
}

/* Strings first: what fails after them leaves nothing behind. */
static int row_strings(struct proc *p, const struct ev *ev, const char *file, struct mdl_load *m)
{
	const struct ev_where *w = &ev->load.where;
	bool known = w->flags & LMMSD_WHERE_FRAME;
	int r = graph_proc_str(p, ev->load.name[0] ? ev->load.name : "?", &m->name);

	if (r == 0)
		r = graph_proc_str(p, known ? w->importer : "", &m->importer);
	if (r == 0)
		r = graph_proc_str(p, m->importer ? w->file : "", &m->importer_file);
	if (r == 0)
		r = graph_proc_str(p, file, &m->file);
	return r;
}

/* C stacks are switched in programs that have greenlet. */
static void note_greenlet(struct proc *p, const char *name)
{
	if (strcmp(name, "greenlet") == 0 || strcmp(name, "_greenlet") == 0 ||
	    graph_is_parent("greenlet", name))
		p->greenlets = true;
}

static int push_row(struct graph *g, struct proc *p, struct thread *t, const struct ev *ev,
		    struct mdl_load *m, bool body_only, int32_t *ret)
{
	const struct ev_where *w = &ev->load.where;
	const struct open *top = graph_stack_top(t);
	bool by_c = !body_only && graph_asked_by_c(top, w, m->name);
	struct load *l;
	int r;

	m->start_ns = t->last_ns;
	m->parent = row_parent(t, top);
	row_origin(p, ev, top, body_only, m);
	r = graph_row_add(g, p, m, ret);
	if (r < 0 || *ret < 0)
		return r;
	l = &p->loads[*ret];
	l->uncounted = body_only || (w->flags & LMMSD_WHERE_INTERNAL && !by_c);
	l->call = !body_only && m->place == LMMSD_PLACE_DYNAMIC &&
		  !(w->flags & LMMSD_WHERE_DYNAMIC);
	l->body = body_only;
	return 0;
}

/* m NULL: no row is kept, only the time is taken out of the load below. */
static int push(struct graph *g, struct proc *p, struct thread *t, const struct ev *ev,
		struct mdl_load *m, bool body_only)
{
	const struct ev_where *w = &ev->load.where;
	struct nest nest = {
		.sp = ev->load.sp,
		.frame = w->frame,
		.importer = m ? m->importer : NULL,
		.name = m ? m->name : "",
		.module_code = w->flags & (LMMSD_WHERE_MODBODY | LMMSD_WHERE_CLASS),
		.internal = m && (w->flags & LMMSD_WHERE_INTERNAL),
	};
	struct open o = {.load = -1,
			 .name = nest.name,
			 .sp = nest.sp,
			 .frame = nest.frame,
			 .code = w->code,
			 .instr = w->instr,
			 .body_sp = nest.sp,
			 .body_frame = nest.frame,
			 .flags = body_only ? OPEN_BODY_ONLY | OPEN_HAS_BODY | OPEN_IN_BODY : 0};
	int r;

	if (ev->load.unsure)
		o.flags |= OPEN_UNSURE;
	if (graph_stack_settle(g, p, t, ev->ts_ns, &nest))
		o.flags |= OPEN_SURE;
	o.start_ns = o.body_ns = t->last_ns;
	r = m ? push_row(g, p, t, ev, m, body_only, &o.load) : 0;
	if (r < 0)
		return r;
	r = graph_stack_push(g, p, t, &o);
	if (r < 0 && o.load >= 0)
		p->n_loads--;
	return r == -ENOSPC ? 0 : r;
}

/* file: of a load of which only the body is seen; "" when it is not known. */
int graph_open(struct graph *g, struct proc *p, const struct ev *ev, bool body_only,
	       const char *file)
{
	struct mdl_load m = {.tid = ev->tid,
			     .parent = -1,
			     .status = MDL_LOADED,
			     .flags = MDL_LOAD_OPEN | (body_only ? MDL_LOAD_BODY_ONLY : 0)};
	int r = p->n_loads < g->limits.loads ? row_strings(p, ev, file, &m) : -ENOSPC;
	bool keep = r == 0;
	struct thread *t;

	if (r < 0 && r != -ENOSPC)
		return r;
	r = graph_thread_need(g, p, ev->tid, ev->ts_ns, &t);
	if (!keep || r == -ENOSPC)
		graph_lose(g, p, LMMSD_LOST_LIMIT_MODULES);
	if (r < 0 || !t)
		return r == -ENOSPC ? 0 : r;
	r = push(g, p, t, ev, keep ? &m : NULL, body_only);
	if (t->n == 0)
		(void)graph_thread_free(p, t);
	if (r == 0)
		g->counts.loads++;
	return r;
}

bool graph_entry_probe(const struct graph *g, uint32_t interp)
{
	const struct interp *in;

	HASH_FIND(hh, g->interps, &interp, sizeof(interp), in);
	return in && in->probe == LMMSD_PROBE_ENTRY;
}

static bool loaded_before(const struct proc *p, const char *name)
{
	for (size_t i = 0; i < p->n_loads; i++)
		if (p->loads[i].m.status == MDL_LOADED && strcmp(p->loads[i].m.name, name) == 0)
			return true;
	return false;
}

int graph_load_start(struct graph *g, struct proc *p, const struct ev *ev)
{
	if (ev->load.unsure && loaded_before(p, ev->load.name))
		return 0;
	return graph_open(g, p, ev, false, "");
}

static struct open *find(struct thread *t, uint64_t sp, uint64_t frame)
{
	struct open *near = NULL;

	for (size_t i = t->n; i-- > 0;) {
		struct open *o = &t->open[i];

		if ((o->flags & OPEN_BODY_ONLY) || o->sp != sp)
			continue;
		if (o->frame == frame)
			return o;
		/* One of the two was not read. */
		if (!near && (o->frame == 0 || frame == 0))
			near = o;
	}
	return near;
}

/*
 * Call site builds under -X importtime: the path that prints the row flows into the other one's probe, so one load has
 * two dones. The first one is the right one.
 */
static bool done_again(const struct proc *p, const struct ev *ev)
{
	size_t i = ev->tid % GRAPH_RECENT;

	return p->closed[i].tid == ev->tid && p->closed[i].sp == ev->done.sp &&
	       p->closed[i].frame == ev->done.frame;
}

/*
 * Where the failure of such a row is kept, or would be: open addressing, so that two modules that a server tries by
 * turns do not take each other's place. When all places are taken the first one is given up.
 */
static int32_t *failed_place(struct proc *p, const struct mdl_load *m)
{
	uint32_t i = index_hash((uintptr_t)m->name, (uintptr_t)m->importer, m->place);

	for (uint32_t k = 0; k < GRAPH_RECENT; k++) {
		int32_t *place = &p->failed[(i + k) % GRAPH_RECENT];
		const struct mdl_load *seen = *place ? &p->loads[*place - 1].m : NULL;

		if (!seen || (seen->name == m->name && seen->importer == m->importer &&
			      seen->place == m->place))
			return place;
	}
	i %= GRAPH_RECENT;
	p->failed[i] = 0;
	return &p->failed[i];
}

/*
 * A server may try an optional module with each request and fail each time. When rows become scarce, the same failure
 * as one that has a row is only counted there.
 */
static void fold(const struct graph *g, struct proc *p, uint32_t tid, int32_t row)
{
	int32_t *place = failed_place(p, &p->loads[row].m);
	int32_t before = *place - 1;

	if (before < 0) {
		*place = row + 1;
		return;
	}
	/* Only a row that nobody refers to can go. */
	if ((size_t)row + 1 != p->n_loads || p->n_loads <= g->limits.loads / 2)
		return;
	p->loads[before].repeats++;
	p->closed[tid % GRAPH_RECENT].load = before + 1;
	p->n_loads--;
}

/* Nothing ran in it and nothing was loaded: it was in sys.modules. Only the last row can be taken back. */
static void drop_cached(struct graph *g, struct proc *p, int32_t row)
{
	if ((size_t)row + 1 != p->n_loads || p->loads[row].body || p->loads[row].ext)
		return;
	p->n_loads--;
	g->counts.loads--;
	for (size_t i = 0; i < GRAPH_RECENT; i++)
		if (p->closed[i].load == row + 1)
			p->closed[i].load = 0;
}

void graph_load_done(struct graph *g, struct proc *p, const struct ev *ev)
{
	struct thread *t = graph_thread_find(p, ev->tid);
	struct open *o = t ? find(t, ev->done.sp, ev->done.frame) : NULL;
	bool unsure;
	int32_t row;

	if (o) {
		unsure = o->flags & OPEN_UNSURE;
		row = o->flags & OPEN_INHERITED ? -1 : o->load;
		if (ev->done.found != 0)
			note_greenlet(p, o->name);
		graph_stack_pop(g, p, t, o, ev->ts_ns, ev->done.found);
		if (row >= 0 && ev->done.found == 0)
			fold(g, p, ev->tid, row);
		else if (row >= 0 && unsure)
			drop_cached(g, p, row);
		if (t->n == 0)
			(void)graph_thread_free(p, t);
	} else if (t && t->unkept > 0) {
		t->unkept--;
	} else if (p->from_start && !(p->threads_full && !t) && !done_again(p, ev) &&
		   !graph_entry_probe(g, ev->interp) /* every import has a return, few a start */) {
		graph_lose(g, p, LMMSD_LOST_DONE_WITHOUT_START);
	}
}

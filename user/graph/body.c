/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What runs inside a load: module-level code, a C module's exec slot, a compilation. A body that belongs to no open
 * load is a load of its own when importlib asked for it: import_module, reload and runpy never reach the probed
 * code, and exec() of other things is none of our business.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "graph/state.h"

#define FROZEN "<frozen "

/*
 * The load whose body this may be. It need not be the innermost one of its stack if dones were lost, and on another
 * stack only when that one is at work again.
 */
static struct open *find_load(struct thread *t, const char *name, uint64_t sp)
{
	for (int own = 1; own >= 0; own--) {
		for (size_t i = t->n; i-- > 0;) {
			struct open *o = &t->open[i];

			if ((o->group == t->current) == own && o->sp > sp &&
			    !(o->flags & (OPEN_HAS_BODY | OPEN_BODY_ONLY)) &&
			    strcmp(o->name, name) == 0)
				return o;
		}
	}
	return NULL;
}

/* Kind and file of a row from the file of its body. source: it was compiled just before. */
static void set_body(struct load *l, const char *file, bool source)
{
	l->body = true;
	l->frozen = file && text_starts_with(file, FROZEN);
	if (l->frozen) {
		l->m.kind = LMMSD_KIND_FROZEN;
		l->m.file = NULL;
		return;
	}
	l->m.kind = source ? LMMSD_KIND_SOURCE : LMMSD_KIND_UNKNOWN;
	l->m.file = file;
}

/* Programs may compile a new name each second: these are not kept. FNV-1a. */
static uint64_t file_hash(const char *file)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *file; file++)
		h = (h ^ (uint8_t)*file) * 0x100000001b3u;
	return h;
}

static bool compiled(const struct proc *p, uint32_t tid, const char *file)
{
	size_t i = tid % GRAPH_RECENT;

	return file && p->compiled[i].tid == tid && p->compiled[i].file == file_hash(file);
}

/* The main program: no load, but its times are kept in a row that is nobody's parent. */
static int main_start(struct graph *g, struct proc *p, const struct ev *ev, const char *file)
{
	struct mdl_load m = {.start_ns = ev->ts_ns,
			     .tid = ev->tid,
			     .parent = -1,
			     .place = LMMSD_PLACE_UNKNOWN,
			     .flags = MDL_LOAD_MAIN | MDL_LOAD_OPEN,
			     .file = file};
	int r = graph_proc_str(p, ev->load.name, &m.name);

	if (r == -ENOSPC)
		graph_lose(g, p, LMMSD_LOST_LIMIT_MODULES);
	if (r < 0)
		return r == -ENOSPC ? 0 : r;
	r = graph_row_add(g, p, &m, &p->main.load);
	if (r < 0)
		return r;
	p->main_seen = true;
	p->main_ns = ev->ts_ns;
	if (p->main.load < 0)
		return 0;
	set_body(&p->loads[p->main.load], file, compiled(p, ev->tid, file));
	p->main.open = true;
	p->main.tid = ev->tid;
	p->main.sp = ev->load.sp;
	p->main.frame = ev->load.where.frame;
	return 0;
}

static void attach(struct proc *p, struct thread *t, struct open *o, const struct ev *ev,
		   const char *file)
{
	graph_stack_resume(p, t, o, ev->ts_ns);
	o->flags |= OPEN_HAS_BODY | OPEN_IN_BODY;
	o->body_sp = ev->load.sp;
	o->body_frame = ev->load.where.frame;
	o->body_ns = t->last_ns;
	if (o->load >= 0 && !(o->flags & OPEN_INHERITED))
		set_body(&p->loads[o->load], file, compiled(p, ev->tid, file));
}

/*
 * A body that runs for an import statement is that of a load, and each load passes its probe, unless the interpreter has a
 * way there that is not probed: another copy of its code, say. Then rows are missing, which nobody else would notice.
 * import_module and whatever else calls importlib by itself never comes there. (builtins.__import__ may be replaced by
 * importlib's own; then a statement calls that, and its loads are seen by their bodies only, too.)
 */
static void notice_silence(struct graph *g, struct proc *p, const struct thread *t,
			   const struct ev *ev)
{
	uint32_t flags = ev->load.where.flags;

	if (!p->from_start || !(flags & LMMSD_WHERE_ASKS) || (flags & LMMSD_WHERE_DYNAMIC))
		return;
	/* Its load may have been lost, or left out, on its way to here. */
	if (g->host.lost[LMMSD_LOST_RING_FULL] || g->host.lost[LMMSD_LOST_QUEUE_FULL] ||
	    p->threads_full || p->greenlets || (t && t->unkept > 0))
		return;
	graph_lose(g, p, LMMSD_LOST_PROBE_SILENT);
}

int graph_body_start(struct graph *g, struct proc *p, const struct ev *ev)
{
	const struct ev_where *w = &ev->load.where;
	struct thread *t = graph_thread_find(p, ev->tid);
	bool is_main = strcmp(ev->load.name, "__main__") == 0;
	bool asked = w->flags & (LMMSD_WHERE_DYNAMIC | LMMSD_WHERE_INTERNAL);
	bool first = p->from_start && !p->main_seen &&
		     !text_starts_with(ev->load.body_file, FROZEN);
	struct open *o = t && !is_main ? find_load(t, ev->load.name, ev->load.sp) : NULL;
	const char *file;
	size_t rows = p->n_loads;
	int r;

	if (ev->load.name[0] == '\0' || (is_main ? !first : !o && !asked))
		return 0;
	r = graph_proc_str(p, ev->load.body_file, &file);
	if (r == -ENOSPC)
		file = NULL;
	else if (r < 0)
		return r;
	if (is_main)
		return main_start(g, p, ev, file);
	if (o) {
		attach(p, t, o, ev, file);
		return 0;
	}
	notice_silence(g, p, t, ev);
	r = graph_open(g, p, ev, true, "");
	if (r == 0 && p->n_loads > rows)
		set_body(&p->loads[rows], file, compiled(p, ev->tid, file));
	return r;
}

static struct open *find_body(struct thread *t, uint64_t sp, uint64_t frame)
{
	struct open *near = NULL;

	for (size_t i = t->n; i-- > 0;) {
		struct open *o = &t->open[i];

		if (!(o->flags & OPEN_IN_BODY) || o->body_sp != sp)
			continue;
		if (o->body_frame == frame)
			return o;
		if (!near && (o->body_frame == 0 || frame == 0))
			near = o;
	}
	return near;
}

static bool main_done(struct proc *p, const struct ev *ev)
{
	struct mdl_load *m;

	if (!p->main.open || p->main.tid != ev->tid || p->main.sp != ev->done.sp ||
	    (p->main.frame != ev->done.frame && p->main.frame != 0 && ev->done.frame != 0))
		return false;
	p->main.open = false;
	m = &p->loads[p->main.load].m;
	m->total_ns = m->exec_ns = ev->ts_ns > m->start_ns ? ev->ts_ns - m->start_ns : 0;
	m->flags &= (uint8_t)~MDL_LOAD_OPEN;
	m->status = ev->done.found == 0 ? MDL_FAILED : MDL_LOADED;
	return true;
}

/* Most bodies are exec() and the like, so that a done that nobody waits for is no loss. */
void graph_body_done(struct graph *g, struct proc *p, const struct ev *ev)
{
	struct thread *t = graph_thread_find(p, ev->tid);
	struct open *o;
	struct mdl_load *m;

	if (main_done(p, ev) || !t)
		return;
	o = find_body(t, ev->done.sp, ev->done.frame);
	if (!o)
		return;
	if (o->flags & OPEN_BODY_ONLY) {
		graph_stack_pop(g, p, t, o, ev->ts_ns, ev->done.found);
		if (t->n == 0)
			(void)graph_thread_free(p, t);
		return;
	}
	graph_stack_resume(p, t, o, ev->ts_ns);
	o->flags &= ~(uint32_t)OPEN_IN_BODY;
	if (o->load < 0 || (o->flags & OPEN_INHERITED))
		return;
	m = &p->loads[o->load].m;
	m->exec_ns = t->last_ns - o->body_ns;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* md_name may lack the package, and `_io` may say that it is `io`. */
static bool ext_fits(const char *load, const char *md_name)
{
	const char *a = last_part(load), *b = last_part(md_name);

	return strcmp(a + (a[0] == '_'), b + (b[0] == '_')) == 0;
}

/* 1: a load was open that it belongs to; 0: none. -ENOMEM. */
static int ext_attach(struct proc *p, uint32_t tid, const char *name, const char *path)
{
	struct thread *t = graph_thread_find(p, tid);
	struct open *top = t ? graph_stack_top(t) : NULL, *o = top;
	struct load *l;
	const char *file;
	int r;

	while (o && (o->load < 0 || p->loads[o->load].ext || (o->flags & OPEN_HAS_BODY) ||
		     !ext_fits(o->name, name)))
		o = graph_stack_below(t, o);
	if (!o)
		o = top;
	if (!o || o->load < 0 || (o->flags & (OPEN_HAS_BODY | OPEN_INHERITED)) ||
	    p->loads[o->load].ext)
		return 0;
	r = graph_proc_str(p, path, &file);
	if (r < 0)
		return r == -ENOMEM ? r : 1;
	l = &p->loads[o->load];
	l->ext = true;
	l->m.file = file;
	l->m.kind = file ? LMMSD_KIND_EXTENSION : LMMSD_KIND_BUILTIN;
	return 1;
}

int graph_ext(struct proc *p, const struct ev *ev)
{
	int r = ext_attach(p, ev->tid, ev->ext.name, ev->ext.file);

	return r < 0 ? r : 0;
}

/* importlib.import_module of a C module: no probe sees its end, so the row says only that it was loaded, and by whom. */
int graph_ext_asked(struct graph *g, struct proc *p, const struct ev *ev)
{
	size_t rows = p->n_loads;
	struct thread *t;
	struct open *o;
	int r = ext_attach(p, ev->tid, ev->load.name, ev->load.body_file);

	if (r == 0)
		notice_silence(g, p, graph_thread_find(p, ev->tid), ev);
	if (r != 0 || !(ev->load.where.flags & LMMSD_WHERE_DYNAMIC) || ev->load.name[0] == '\0')
		return r < 0 ? r : 0;
	r = graph_open(g, p, ev, true, ev->load.body_file);
	if (r < 0 || p->n_loads == rows)
		return r;
	p->loads[rows].ext = true;
	p->loads[rows].m.flags |= MDL_LOAD_UNTIMED;
	p->loads[rows].m.kind = ev->load.body_file[0] ? LMMSD_KIND_EXTENSION : LMMSD_KIND_BUILTIN;
	t = graph_thread_find(p, ev->tid);
	o = t ? graph_stack_top(t) : NULL;
	if (o && o->load == (int32_t)rows)
		graph_stack_pop(g, p, t, o, ev->ts_ns, 1);
	if (t && t->n == 0)
		(void)graph_thread_free(p, t);
	return 0;
}

void graph_compile(struct proc *p, const struct ev *ev)
{
	size_t i = ev->tid % GRAPH_RECENT;

	p->compiled[i].tid = ev->tid;
	p->compiled[i].file = file_hash(ev->compile.file);
}

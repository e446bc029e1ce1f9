/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * From a process's state to the plain data that others read. One way for the ended and for the live: the state is
 * not changed, except that an ended one gives its strings away.
 *
 * cold_start_ns: only of processes that were seen from their start. The program's start-up ends with the last load
 * that module-level or class-level code of __main__ asked for by a statement; the outermost loads of all threads
 * that began before its end count, with their whole time. If __main__ loaded nothing, those that began before
 * __main__ did. If there is no __main__ (an embedding program), all. A forked process starts in the middle of its
 * parent's program: it has a cold start only if __main__'s code goes on importing in it, else 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "graph/state.h"

struct mdl_process *graph_process_free(struct mdl_process *m)
{
	if (!m)
		return NULL;
	free(m->app);
	free(m->comm);
	free(m->exe);
	free(m->cgroup);
	free(m->cwd);
	free(m->cmdline);
	free(m->loads);
	free(m->modules);
	free(m->edges);
	(void)intern_free(m->strings);
	free(m);
	return NULL;
}

static void process_freep(struct mdl_process **m)
{
	(void)graph_process_free(*m);
}

int graph_result_str(struct result *r, const char *s, const char **ret)
{
	const char *own = s;

	if (s && !r->final)
		own = intern_str(r->m->strings, s);
	if (s && !own)
		return -ENOMEM;
	*ret = own;
	return 0;
}

void graph_result_lose(struct result *r, unsigned int reason)
{
	r->m->lost[reason]++;
	/* What a look at a live process leaves out is counted when it ends. */
	if (r->final)
		r->g->lost[reason]++;
}

static int copy_bytes(const char *s, size_t len, char **ret)
{
	char *own = malloc(len + 1);

	if (!own)
		return -ENOMEM;
	if (len > 0)
		memcpy(own, s, len);
	own[len] = '\0';
	*ret = own;
	return 0;
}

static int copy_str(const char *s, char **ret)
{
	return copy_bytes(s, s ? strlen(s) : 0, ret);
}

static int facts(struct result *r, uint64_t now_ns)
{
	struct mdl_process *m = r->m;
	const struct proc *p = r->p;
	const struct interp *in;

	HASH_FIND(hh, r->g->interps, &p->interp, sizeof(p->interp), in);
	if (in) {
		m->py_version = in->version;
		m->probe = in->probe;
		m->interp_flags = r->interp_flags = in->flags;
	}
	m->pid = p->key.tgid;
	m->ppid = p->ppid;
	m->uid = p->uid;
	m->from_start = p->from_start && p->lost[LMMSD_LOST_PROBE_SILENT] == 0;
	m->ended = p->ended;
	m->end_unseen = p->end_unseen;
	m->forked = p->forked;
	m->usage = p->usage;
	m->exit_status = p->exit_status;
	m->start_ns = p->key.start_ns;
	m->begin_ns = p->begin_ns;
	m->end_ns = now_ns;
	m->main_ns = p->main_ns;
	if (p->main_ns != 0 && p->exec_ns != 0 && p->main_ns > p->exec_ns)
		m->interpreter_ns = p->main_ns - p->exec_ns;
	memcpy(m->lost, p->lost, sizeof(m->lost));
	m->cmdline_len = p->cmdline_len;
	if (copy_str("", &m->app) < 0 || copy_str(p->comm, &m->comm) < 0 ||
	    copy_str(p->exe, &m->exe) < 0 || copy_str(p->cgroup, &m->cgroup) < 0 ||
	    copy_str(p->cwd, &m->cwd) < 0 ||
	    copy_bytes(p->cmdline, p->cmdline_len, &m->cmdline) < 0)
		return -ENOMEM;
	return 0;
}

/* Kinds as far as events tell them; DIST events fill the gaps. */
static void load_kind(const struct result *r, const struct load *from, struct mdl_load *m)
{
	const struct fact *f = graph_fact(r->p, from->m.name);

	if (m->kind == LMMSD_KIND_UNKNOWN && from->body && !from->frozen &&
	    (r->interp_flags & LMMSD_INTERP_COMPILE))
		m->kind = LMMSD_KIND_BYTECODE;
	if (!f || (m->flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)))
		return;
	if (m->kind == LMMSD_KIND_UNKNOWN)
		m->kind = f->kind;
	if (!m->file)
		m->file = f->file;
}

static int loads(struct result *r)
{
	const struct proc *p = r->p;

	r->m->loads = calloc(p->n_loads + 1, sizeof(*r->m->loads));
	if (!r->m->loads)
		return -ENOMEM;
	r->m->n_loads = p->n_loads;
	for (size_t i = 0; i < p->n_loads; i++) {
		struct mdl_load *m = &r->m->loads[i];

		*m = p->loads[i].m;
		load_kind(r, &p->loads[i], m);
		/* An enclosing load has the lower index, whatever became of the nesting. */
		if (m->parent >= (int32_t)i)
			m->parent = -1;
		m->depth = m->parent < 0 ? 0 : r->m->loads[m->parent].depth + 1;
		if (graph_result_str(r, m->name, &m->name) < 0 ||
		    graph_result_str(r, m->importer, &m->importer) < 0 ||
		    graph_result_str(r, m->importer_file, &m->importer_file) < 0 ||
		    graph_result_str(r, m->file, &m->file) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Times of what is still open, up to now_ns. */
static void open_load(struct result *r, struct thread *t, const struct open *o, uint64_t now_ns)
{
	struct mdl_load *m = o->load < 0 ? NULL : &r->m->loads[o->load];
	uint64_t now = now_ns > t->last_ns ? now_ns : t->last_ns;
	uint64_t until = o->flags & OPEN_PARKED ? o->parked_ns : now;

	if (!m || (o->flags & OPEN_INHERITED))
		return;
	m->total_ns = until > o->start_ns ? until - o->start_ns : 0;
	m->self_ns = o->self_ns;
	if (o == graph_stack_top(t))
		m->self_ns += now - t->last_ns;
	if (m->self_ns > m->total_ns)
		m->self_ns = m->total_ns;
	m->spent_ns = o->spent_ns < m->self_ns ? o->spent_ns : m->self_ns;
	if ((o->flags & OPEN_IN_BODY) && until > o->body_ns)
		m->exec_ns = until - o->body_ns;
}

static void open_loads(struct result *r, uint64_t now_ns)
{
	struct thread *t, *next;

	HASH_ITER (hh, r->p->threads, t, next) {
		for (size_t i = 0; i < t->n; i++)
			open_load(r, t, &t->open[i], now_ns);
	}
	if (r->p->main.open) {
		struct mdl_load *m = &r->m->loads[r->p->main.load];

		m->total_ns = m->exec_ns = now_ns > m->start_ns ? now_ns - m->start_ns : 0;
	}
}

static bool by_main(const struct mdl_load *m)
{
	return m->importer && strcmp(m->importer, "__main__") == 0 &&
	       (m->place == LMMSD_PLACE_MODULE || m->place == LMMSD_PLACE_CLASS);
}

static void cold_start(struct mdl_process *m)
{
	uint64_t until = 0;
	bool all = m->main_ns == 0 && !m->forked;

	if (!m->from_start)
		return;
	for (size_t i = 0; i < m->n_loads; i++) {
		const struct mdl_load *l = &m->loads[i];

		if (!(l->flags & MDL_LOAD_INHERITED) && by_main(l) &&
		    l->start_ns + l->total_ns > until)
			until = l->start_ns + l->total_ns;
	}
	if (until == 0 && !all)
		until = m->main_ns;
	for (size_t i = 0; i < m->n_loads; i++) {
		const struct mdl_load *l = &m->loads[i];

		if (l->parent < 0 && !(l->flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)) &&
		    (l->start_ns < until || (until == 0 && all)))
			m->cold_start_ns += l->total_ns;
	}
}

static int build(struct result *r, uint64_t now_ns)
{
	int res = facts(r, now_ns);

	if (res == 0)
		res = loads(r);
	if (res < 0)
		return res;
	open_loads(r, now_ns);
	cold_start(r->m);
	res = graph_result_modules(r);
	if (res == 0)
		res = graph_result_namespaces(r);
	return res < 0 ? res : graph_result_edges(r);
}

int graph_result(struct graph *g, struct proc *p, uint64_t now_ns, bool final,
		 struct mdl_process **ret)
{
	_cleanup_(process_freep) struct mdl_process *m = calloc(1, sizeof(*m));
	struct result r = {.g = g, .p = p, .m = m, .final = final, .limits = &g->limits};
	struct intern *pool;
	int res;

	if (!m)
		return -ENOMEM;
	if (final)
		m->strings = TAKE_PTR(p->strings);
	else if (intern_new(&pool) < 0)
		return -ENOMEM;
	else
		m->strings = pool;
	res = build(&r, now_ns);
	index_free(&r.modules);
	index_free(&r.edges);
	if (res < 0)
		return res;
	*ret = TAKE_PTR(m);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The processes: born by exec, fork or first event; ended by exit, exec or the end of the observation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/state.h"

void graph_lose(struct graph *g, struct proc *p, unsigned int reason)
{
	g->lost[reason]++;
	if (p)
		p->lost[reason]++;
}

static int proc_strn(struct proc *p, const char *s, size_t len, const char **ret)
{
	const char *own;
	if (len == 0) {
		*ret = NULL;
		return 0;
	}
	if (intern_bytes(p->strings) > GRAPH_STRINGS_MAX || !graph_may_grow(p))
		return -ENOSPC;
	own = intern_strn(p->strings, s, len);
	graph_charge(p);
	if (!own)
		return -ENOMEM;
	*ret = own;
	return 0;
}

int graph_proc_str(struct proc *p, const char *s, const char **ret)
{
	return proc_strn(p, s, strlen(s), ret);
}

void graph_proc_drop(struct proc *p)
{
	struct thread *t, *next;

	if (!p)
		return;
	HASH_ITER (hh, p->threads, t, next) {
		(void)graph_thread_free(p, t);
	}
	index_free(&p->use_index);
	index_free(&p->fact_index);
	free(p->loads);
	free(p->uses);
	free(p->keys);
	free(p->facts);
	(void)intern_free(p->strings);
	p->budget->used -= p->bytes;
	free(p);
}

struct proc *graph_proc_find(const struct graph *g, uint32_t tgid, uint64_t start_ns)
{
	struct proc_key key = {.start_ns = start_ns, .tgid = tgid};
	struct proc *p;

	HASH_FIND(hh, g->live, &key, sizeof(key), p);
	return p;
}

static struct proc *find_in(struct proc *list, uint32_t tgid, uint64_t start_ns)
{
	struct proc *p = list;

	while (p && (p->key.tgid != tgid || p->key.start_ns != start_ns))
		p = p->next;
	return p;
}

struct proc *graph_proc_next(const struct graph *g, uint32_t tgid, uint64_t start_ns,
			     const struct proc *prev)
{
	struct proc *p = NULL;

	if (!prev || prev->state == PROC_PENDING)
		p = find_in(prev ? prev->next : g->pending, tgid, start_ns);
	if (!p && (!prev || prev->state == PROC_PENDING))
		p = graph_proc_find(g, tgid, start_ns);
	if (!p)
		p = find_in(prev && prev->state == PROC_READY ? prev->next : g->ready, tgid,
			    start_ns);
	return p;
}

static int proc_new(struct graph *g, uint32_t tgid, uint64_t start_ns, struct proc **ret)
{
	struct proc *p;

	*ret = NULL;
	if (HASH_COUNT(g->live) >= g->limits.processes || !graph_may_begin(&g->budget)) {
		graph_lose(g, NULL, LMMSD_LOST_LIMIT_PROCESSES);
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->budget = &g->budget;
	p->key.tgid = tgid;
	p->key.start_ns = start_ns;
	p->begin_ns = start_ns;
	p->usage = g->host.usage;
	p->main.load = -1;
	if (intern_new(&p->strings) < 0) {
		free(p);
		return -ENOMEM;
	}
	graph_charge(p);
	HASH_ADD(hh, g->live, key, sizeof(p->key), p);
	if (p->refused) {
		graph_proc_drop(p);
		return -ENOMEM;
	}
	g->counts.processes_live++;
	*ret = p;
	return 0;
}

int graph_proc_need(struct graph *g, const struct ev *ev, struct proc **ret)
{
	*ret = graph_proc_find(g, ev->tgid, ev->start_ns);
	/* After its end nothing comes of a process, unless it became another program, which is announced. */
	if (*ret || graph_proc_next(g, ev->tgid, ev->start_ns, NULL))
		return 0;
	return proc_new(g, ev->tgid, ev->start_ns, ret);
}

static int set_facts(struct proc *p, const struct ev *ev)
{
	const char *comm, *exe, *cgroup, *cwd, *cmdline;
	int r = graph_proc_str(p, ev->proc.comm, &comm);

	if (r == 0)
		r = graph_proc_str(p, ev->proc.exe, &exe);
	if (r == 0)
		r = graph_proc_str(p, ev->proc.cgroup, &cgroup);
	if (r == 0)
		r = graph_proc_str(p, ev->proc.cwd, &cwd);
	if (r == 0)
		r = proc_strn(p, ev->proc.cmdline, ev->proc.cmdline_len, &cmdline);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	p->comm = comm;
	p->exe = exe ? exe : p->exe;
	p->cgroup = cgroup ? cgroup : p->cgroup;
	p->cwd = cwd ? cwd : p->cwd;
	if (cmdline) {
		p->cmdline = cmdline;
		p->cmdline_len = ev->proc.cmdline_len;
	}
	p->ppid = ev->proc.ppid;
	p->uid = ev->proc.uid;
	return 0;
}

/* A process that is seen the first time counts from its start only if its exec was seen. */
static bool is_from_start(const struct ev *ev)
{
	if (ev->proc.flags & LMMSD_PROC_PROCFS)
		return false;
	if (ev->proc.flags & LMMSD_PROC_EXEC)
		return true;
	return (ev->proc.flags & LMMSD_PROC_FIRST) && ev->proc.exec_ns != 0;
}

int graph_proc_event(struct graph *g, const struct ev *ev)
{
	struct proc *p = graph_proc_find(g, ev->tgid, ev->start_ns);
	uint64_t exec_ns = ev->proc.exec_ns;
	int r;

	if (exec_ns == 0 && (ev->proc.flags & LMMSD_PROC_EXEC))
		exec_ns = ev->ts_ns;
	if (ev->proc.flags & LMMSD_PROC_PROCFS)
		exec_ns = 0; /* a guess at best */
	/* Another program: the end of the one before was not seen. */
	if (p && (p->known || p->forked) && exec_ns != 0 && exec_ns != p->exec_ns) {
		graph_proc_end(g, p, ev->ts_ns);
		p = NULL;
	}
	if (!p) {
		r = proc_new(g, ev->tgid, ev->start_ns, &p);
		if (r < 0 || !p)
			return r;
	}
	if (!p->known && !p->forked)
		p->from_start = p->n_loads == 0 && p->n_uses == 0 && is_from_start(ev);
	p->forked |= (ev->proc.flags & LMMSD_PROC_FORKED) != 0;
	p->known = true;
	if (exec_ns != 0) {
		p->exec_ns = exec_ns;
		p->begin_ns = exec_ns;
	}
	if (ev->interp != 0)
		p->interp = ev->interp;
	return set_facts(p, ev);
}

static void append(struct proc ***tail, struct proc *p)
{
	p->next = NULL;
	**tail = p;
	*tail = &p->next;
}

void graph_proc_end(struct graph *g, struct proc *p, uint64_t ts_ns)
{
	struct thread *t, *next;

	HASH_ITER (hh, p->threads, t, next) {
		graph_stack_end(g, p, t);
		if (t->n == 0)
			(void)graph_thread_free(p, t);
	}
	HASH_DEL(g->live, p);
	g->counts.processes_live--;
	g->counts.processes_ended++;
	p->end_ns = ts_ns;
	p->state = PROC_PENDING;
	if (g->n_waiting >= g->limits.processes && !g->finished) {
		graph_lose(g, NULL, LMMSD_LOST_LIMIT_PROCESSES);
		graph_proc_drop(p);
		return;
	}
	g->n_waiting++;
	append(&g->pending_tail, p);
}

/* Between fork and exec a child is no program of its own; most live only for that. */
static bool is_passage(const struct proc *p)
{
	if (!p->forked || p->n_uses > 0)
		return false;
	for (size_t i = 0; i < p->n_loads; i++)
		if (!(p->loads[i].m.flags & MDL_LOAD_INHERITED))
			return false;
	return true;
}

void graph_proc_exit(struct graph *g, const struct ev *ev)
{
	struct proc *p = graph_proc_find(g, ev->tgid, ev->start_ns);

	if (!p)
		return;
	if ((ev->exit.flags & LMMSD_EXIT_EXEC) && is_passage(p)) {
		HASH_DEL(g->live, p);
		g->counts.processes_live--;
		graph_proc_drop(p);
		return;
	}
	p->ended = true;
	p->end_unseen = ev->exit.flags & LMMSD_EXIT_UNSEEN;
	p->exit_status = ev->exit.status;
	graph_proc_end(g, p, ev->ts_ns);
}

/* The child has a copy of the forking thread's stack: its dones will come there, and are not its own. */
static int inherit_stack(struct graph *g, struct proc *p, struct proc *parent,
			 const struct thread *from)
{
	struct thread *t;
	int r = graph_thread_need(g, p, p->key.tgid, from->last_ns, &t);

	if (r == -ENOSPC)
		graph_lose(g, p, LMMSD_LOST_LIMIT_MODULES);
	if (r < 0 || !t)
		return r == -ENOSPC ? 0 : r;
	for (size_t i = 0; i < from->n && r == 0; i++) {
		struct open o = from->open[i];
		struct mdl_load m = {0};

		r = graph_proc_str(p, o.name, &o.name);
		if (!o.name)
			o.name = "";
		if (r == 0 && o.load >= 0) {
			const struct mdl_load *src = &parent->loads[o.load].m;

			m = *src;
			m.name = o.name;
			m.flags |= MDL_LOAD_INHERITED | MDL_LOAD_OPEN;
			m.importer = m.importer_file = m.file = NULL;
			m.total_ns = m.self_ns = m.spent_ns = m.exec_ns = 0;
			m.parent = -1;
			m.tid = p->key.tgid;
			r = graph_row_add(g, p, &m, &o.load);
		}
		o.flags |= OPEN_INHERITED;
		t->current = o.group;
		if (r == 0)
			r = graph_stack_push(g, p, t, &o);
	}
	t->current = from->current;
	t->groups = from->groups;
	if (t->n == 0)
		(void)graph_thread_free(p, t);
	return r == -ENOSPC ? 0 : r;
}

static int inherit_facts(struct proc *p, const struct proc *parent)
{
	int r = 0;

	p->comm = p->exe = p->cgroup = p->cwd = p->cmdline = NULL;
	if (parent->comm)
		r = graph_proc_str(p, parent->comm, &p->comm);
	if (r == 0 && parent->exe)
		r = graph_proc_str(p, parent->exe, &p->exe);
	if (r == 0 && parent->cgroup)
		r = graph_proc_str(p, parent->cgroup, &p->cgroup);
	if (r == 0 && parent->cwd)
		r = graph_proc_str(p, parent->cwd, &p->cwd);
	if (r == 0 && parent->cmdline)
		r = proc_strn(p, parent->cmdline, parent->cmdline_len, &p->cmdline);
	p->cmdline_len = p->cmdline ? parent->cmdline_len : 0;
	return r == -ENOMEM ? r : 0;
}

int graph_proc_fork(struct graph *g, const struct ev *ev)
{
	struct proc *parent = graph_proc_find(g, ev->tgid, ev->start_ns), *p;
	struct thread *t;
	int r;

	if (!parent || graph_proc_find(g, ev->fork.child_tgid, ev->fork.child_start_ns) == parent)
		return 0;
	p = graph_proc_find(g, ev->fork.child_tgid, ev->fork.child_start_ns);
	if (!p) {
		r = proc_new(g, ev->fork.child_tgid, ev->fork.child_start_ns, &p);
		if (r < 0 || !p)
			return r;
	} else if (p->n_loads > 0 || p->exec_ns != 0) {
		return 0; /* late: it goes its own way already */
	}
	p->forked = true;
	p->main_seen = true;
	p->from_start = parent->from_start;
	p->greenlets = parent->greenlets;
	p->interp = parent->interp;
	p->usage = parent->usage;
	if (!p->known) {
		p->ppid = parent->key.tgid;
		p->uid = parent->uid;
		r = inherit_facts(p, parent);
		if (r < 0)
			return r;
	}
	t = graph_thread_find(parent, ev->tid);
	return t && t->n > 0 ? inherit_stack(g, p, parent, t) : 0;
}

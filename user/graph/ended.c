/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The way out: processes that ended wait for their counters, then to be taken; live ones can be looked at. */
#include <errno.h>
#include <stdlib.h>

#include "graph/state.h"

int graph_use_keys(struct graph *g, uint32_t tgid, uint64_t start_ns,
		   const struct lmmsd_use_key **ret, size_t *ret_n)
{
	static const struct lmmsd_use_key none;
	const struct proc *p = graph_proc_next(g, tgid, start_ns, NULL);

	if (!p)
		return -ESRCH;
	*ret = p->keys ? p->keys : &none;
	*ret_n = p->n_uses;
	return 0;
}

bool graph_next_pending(struct graph *g, uint32_t *ret_tgid, uint64_t *ret_start_ns)
{
	if (!g->pending)
		return false;
	*ret_tgid = g->pending->key.tgid;
	*ret_start_ns = g->pending->key.start_ns;
	return true;
}

/* *at is an element of the list that ends at *tail. */
static struct proc *unlink_proc(struct proc ***tail, struct proc **at)
{
	struct proc *p = *at;

	*at = p->next;
	p->next = NULL;
	if (*tail == &p->next)
		*tail = at;
	return p;
}

void graph_uses_done(struct graph *g, uint32_t tgid, uint64_t start_ns)
{
	struct proc **at = &g->pending, *p;

	while (*at && ((*at)->key.tgid != tgid || (*at)->key.start_ns != start_ns))
		at = &(*at)->next;
	if (!*at)
		return;
	p = unlink_proc(&g->pending_tail, at);
	p->state = PROC_READY;
	*g->ready_tail = p;
	g->ready_tail = &p->next;
}

struct mdl_process *graph_take_ended(struct graph *g)
{
	struct mdl_process *m = NULL;

	while (!m && (g->ready || (g->finished && g->pending))) {
		struct proc *p;

		if (g->ready)
			p = unlink_proc(&g->ready_tail, &g->ready);
		else
			p = unlink_proc(&g->pending_tail, &g->pending);
		g->n_waiting--;
		if (graph_result(g, p, p->end_ns, true, &m) < 0)
			graph_lose(g, NULL, LMMSD_LOST_NO_MEMORY);
		graph_proc_drop(p);
	}
	return m;
}

void graph_each_live(struct graph *g, void (*fn)(uint32_t tgid, uint64_t start_ns, void *arg),
		     void *arg)
{
	struct proc *p, *next;

	HASH_ITER (hh, g->live, p, next) {
		fn(p->key.tgid, p->key.start_ns, arg);
	}
}

size_t graph_rows(const struct graph *g, uint32_t tgid, uint64_t start_ns)
{
	const struct proc *p = graph_proc_find(g, tgid, start_ns);

	return p ? p->n_loads + p->n_uses : 0;
}

int graph_snapshot(struct graph *g, uint32_t tgid, uint64_t start_ns, uint64_t now_ns,
		   struct mdl_process **ret)
{
	struct proc *p = graph_proc_next(g, tgid, start_ns, NULL);

	if (!p)
		return -ESRCH;
	return graph_result(g, p, p->end_ns ? p->end_ns : now_ns, false, ret);
}

int graph_finish(struct graph *g, uint64_t now_ns)
{
	struct proc *p, *next;

	g->finished = true; /* all of them may wait now, whatever the limit */
	HASH_ITER (hh, g->live, p, next) {
		graph_proc_end(g, p, now_ns);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Threads with open loads: made at the first, gone with the last. */
#include <errno.h>
#include <stdlib.h>

#include "graph/state.h"

struct thread *graph_thread_find(struct proc *p, uint32_t tid)
{
	struct thread *t;

	HASH_FIND(hh, p->threads, &tid, sizeof(tid), t);
	return t;
}

int graph_thread_need(struct graph *g, struct proc *p, uint32_t tid, uint64_t ts_ns,
		      struct thread **ret)
{
	struct thread *t = graph_thread_find(p, tid);

	*ret = t;
	if (t)
		return 0;
	if (HASH_COUNT(p->threads) >= g->limits.threads) {
		p->threads_full = true;
		graph_lose(g, p, LMMSD_LOST_LIMIT_THREADS);
		return 0;
	}
	if (!graph_may_grow(p)) {
		p->threads_full = true;
		return -ENOSPC;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->tid = tid;
	t->last_ns = ts_ns;
	HASH_ADD(hh, p->threads, tid, sizeof(tid), t);
	if (t->refused) {
		free(t);
		return -ENOMEM;
	}
	p->thread_bytes += sizeof(*t);
	graph_charge(p);
	*ret = t;
	return 0;
}

struct thread *graph_thread_free(struct proc *p, struct thread *t)
{
	p->thread_bytes -= sizeof(*t) + t->cap * sizeof(*t->open);
	graph_charge(p);
	HASH_DEL(p->threads, t);
	free(t->open);
	free(t);
	return NULL;
}

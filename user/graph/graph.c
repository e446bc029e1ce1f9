/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "graph/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "graph/state.h"

#define INTERPS_MAX 4096

const struct graph_limits graph_default_limits = {
	.processes = 4096,
	.loads = 20000,
	.modules = 20000,
	.edges = 50000,
	.depth = 1000,
	.threads = 512,
	.bytes = 160u << 20,
};

int graph_new(const struct graph_limits *limits, struct graph **ret)
{
	_cleanup_(graph_freep) struct graph *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->limits = *limits;
	g->budget.max = limits->bytes;
	/* Rows and edges are counted with 32 bits. */
	if (g->limits.loads > INT32_MAX)
		g->limits.loads = INT32_MAX;
	if (g->limits.edges > INT32_MAX)
		g->limits.edges = INT32_MAX;
	if (g->limits.modules > INT32_MAX)
		g->limits.modules = INT32_MAX;
	g->pending_tail = &g->pending;
	g->ready_tail = &g->ready;
	g->host.name = g->host.kernel = g->host.arch = g->host.boot_id = g->host.version = "";
	if (intern_new(&g->strings) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(g);
	return 0;
}

static void drop_list(struct proc *p)
{
	while (p) {
		struct proc *next = p->next;

		graph_proc_drop(p);
		p = next;
	}
}

struct graph *graph_free(struct graph *g)
{
	struct proc *p, *next;
	struct interp *in, *after;

	if (!g)
		return NULL;
	HASH_ITER (hh, g->live, p, next) {
		HASH_DEL(g->live, p);
		graph_proc_drop(p);
	}
	HASH_ITER (hh, g->interps, in, after) {
		HASH_DEL(g->interps, in);
		free(in);
	}
	drop_list(g->pending);
	drop_list(g->ready);
	(void)intern_free(g->strings);
	free(g);
	return NULL;
}

/* A stream has one host: what a second record says is not taken, so that names do not pile up. */
static int host(struct graph *g, const struct ev *ev)
{
	const char *from[] = {ev->host.name, ev->host.kernel, ev->host.arch, ev->host.boot_id,
			      ev->host.version};
	const char **to[] = {&g->host.name, &g->host.kernel, &g->host.arch, &g->host.boot_id,
			     &g->host.version};
	bool known = g->host.first_ns != 0;

	g->host.realtime_offset_ns = ev->host.realtime_offset_ns;
	g->host.usage = ev->host.usage != 0;
	if (known)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		const char *s = intern_str(g->strings, from[i]);

		if (!s)
			return -ENOMEM;
		*to[i] = s;
	}
	g->host.first_ns = ev->ts_ns;
	return 0;
}

static int interp(struct graph *g, const struct ev *ev)
{
	struct interp *in;
	uint32_t id = ev->interp;

	HASH_FIND(hh, g->interps, &id, sizeof(id), in);
	if (!in) {
		if (HASH_COUNT(g->interps) >= INTERPS_MAX) {
			graph_lose(g, NULL, LMMSD_LOST_LIMIT_INTERPRETERS);
			return 0;
		}
		in = calloc(1, sizeof(*in));
		if (!in)
			return -ENOMEM;
		in->id = id;
		HASH_ADD(hh, g->interps, id, sizeof(id), in);
		if (in->refused) {
			free(in);
			return -ENOMEM;
		}
	}
	in->version = ev->interp_info.version;
	in->probe = ev->interp_info.probe;
	in->flags = ev->interp_info.flags;
	return 0;
}

/* Events that mean nothing without their process's earlier ones. */
static int known_event(struct graph *g, const struct ev *ev)
{
	struct proc *p = graph_proc_find(g, ev->tgid, ev->start_ns);

	if (!p)
		return 0;
	switch (ev->kind) {
	case LMMSD_EV_LOAD_DONE:
		graph_load_done(g, p, ev);
		return 0;
	case LMMSD_EV_BODY_DONE:
		graph_body_done(g, p, ev);
		return 0;
	case LMMSD_EV_EXT_EXEC:
		return graph_ext(p, ev);
	case LMMSD_EV_EXT_ASKED:
		return graph_ext_asked(g, p, ev);
	case LMMSD_EV_COMPILE:
		graph_compile(p, ev);
		return 0;
	default:
		graph_lazy(p, ev);
		return 0;
	}
}

/* Events that show a process which may not have been seen before. */
static int first_event(struct graph *g, const struct ev *ev)
{
	struct proc *p;
	int r = graph_proc_need(g, ev, &p);

	if (r < 0 || !p)
		return r;
	if (ev->interp != 0)
		p->interp = ev->interp;
	switch (ev->kind) {
	case LMMSD_EV_LOAD_START:
		return graph_load_start(g, p, ev);
	case LMMSD_EV_BODY_START:
		return graph_body_start(g, p, ev);
	default:
		return graph_use(g, p, ev);
	}
}

static int facts_event(struct graph *g, const struct ev *ev)
{
	switch (ev->kind) {
	case LMMSD_EV_HOST:
		return host(g, ev);
	case LMMSD_EV_INTERP:
		return interp(g, ev);
	case LMMSD_EV_LOST:
		memcpy(g->host.lost, ev->lost.count, sizeof(g->host.lost));
		return 0;
	case LMMSD_EV_DIST:
		return graph_dist(g, ev);
	default:
		return 0; /* EXE is the probes' business, END says nothing more */
	}
}

static int event(struct graph *g, const struct ev *ev)
{
	switch (ev->kind) {
	case LMMSD_EV_PROC:
		return graph_proc_event(g, ev);
	case LMMSD_EV_FORK:
		return graph_proc_fork(g, ev);
	case LMMSD_EV_EXIT:
		graph_proc_exit(g, ev);
		return 0;
	case LMMSD_EV_LOAD_START:
	case LMMSD_EV_BODY_START:
	case LMMSD_EV_USE:
		return first_event(g, ev);
	case LMMSD_EV_LOAD_DONE:
	case LMMSD_EV_BODY_DONE:
	case LMMSD_EV_EXT_EXEC:
	case LMMSD_EV_EXT_ASKED:
	case LMMSD_EV_COMPILE:
	case LMMSD_EV_LAZY:
		return known_event(g, ev);
	case LMMSD_EV_USES:
		graph_uses(g, ev);
		return 0;
	default:
		return facts_event(g, ev);
	}
}

_Static_assert(LMMSD_LOST_MAX <= LMMSD_LOST_SLOTS, "reasons outgrew the record");

/* What probes took since the thread's last event, they took of the load that was the innermost since then. */
static void spent(struct graph *g, const struct ev *ev)
{
	struct proc *p = ev->spent_ns ? graph_proc_find(g, ev->tgid, ev->start_ns) : NULL;
	struct thread *t = p ? graph_thread_find(p, ev->tid) : NULL;
	struct open *top = t ? graph_stack_top(t) : NULL;

	if (top)
		top->spent_ns += ev->spent_ns;
}

int graph_event(struct graph *g, const struct ev *ev)
{
	int r;

	spent(g, ev);
	r = event(g, ev);

	g->counts.events++;
	if (r == -ENOMEM)
		graph_lose(g, NULL, LMMSD_LOST_NO_MEMORY);
	return r;
}

const uint64_t *graph_lost(const struct graph *g)
{
	return g->lost;
}

void graph_counts(const struct graph *g, struct graph_counts *ret)
{
	*ret = g->counts;
	ret->bytes = g->budget.used;
}

const struct graph_host *graph_host(const struct graph *g)
{
	return &g->host;
}

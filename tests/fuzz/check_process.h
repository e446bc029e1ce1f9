/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What holds for every process that graph/ hands out, however hostile the events were. */
#pragma once
#include "base/cleanup.h"
#include "graph/graph.h"

static inline void check_loads(const struct mdl_process *m)
{
	for (size_t i = 0; i < m->n_loads; i++) {
		const struct mdl_load *l = &m->loads[i];
		unsigned __int128 covered = 0, self = 0;

		if (!l->name || l->parent < -1 || l->parent >= (int32_t)i ||
		    l->self_ns > l->total_ns || l->exec_ns > l->total_ns ||
		    l->place >= LMMSD_PLACE_MAX || l->kind >= LMMSD_KIND_MAX)
			__builtin_trap();
		/* Self times of a thread fit in the time that its outermost loads cover. */
		for (size_t k = 0; k < m->n_loads; k++) {
			const struct mdl_load *o = &m->loads[k];

			if (o->tid != l->tid || (o->flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)))
				continue;
			self += o->self_ns;
			covered += o->parent < 0 ? o->total_ns : 0;
		}
		if (self > covered)
			__builtin_trap();
	}
}

/* Takes m. */
static inline void check_process(struct mdl_process *m)
{
	uint64_t uses = 0, edges = 0;

	check_loads(m);
	for (size_t i = 0; i < m->n_modules; i++) {
		uint64_t places = 0;

		for (int k = 0; k < LMMSD_PLACE_MAX; k++)
			places += m->modules[i].uses_by_place[k];
		if (places != m->modules[i].uses || m->modules[i].load >= (int32_t)m->n_loads)
			__builtin_trap();
		uses += places;
	}
	for (size_t i = 0; i < m->n_edges; i++)
		edges += m->edges[i].count;
	/* Each use is on one edge, as long as there is room for all. */
	if (uses != edges && !m->lost[LMMSD_LOST_LIMIT_EDGES] && !m->lost[LMMSD_LOST_LIMIT_MODULES])
		__builtin_trap();
	(void)graph_process_free(m);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A synthetic run as the graph would hand it on: for what goes through store_put(). */
#pragma once
#include <inttypes.h>

#include "base/intern.h"
#include "shape.h"

/* The shape as a measured process, its times from r. */
static inline void to_process(const struct shape *s, const struct sto_run *r, struct mdl_process *p,
			      const char *const *names)
{
	uint64_t at = p->begin_ns;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct sto_mod *m = &r->mods[i];

		p->modules[i].saving_ns = m->saving_ns;
		p->modules[i].uses = 0;
		for (int k = 0; k < LMMSD_PLACE_MAX; k++)
			p->modules[i].uses += p->modules[i].uses_by_place[k] = m->uses[k];
		p->loads[i] = (struct mdl_load){
			.name = names[i],
			.start_ns = at++,
			.total_ns = m->total_ns,
			.self_ns = m->self_ns,
			.parent = i && !s->used_pct[i] ? (int32_t)s->parent[i] : -1,
			.place = m->place,
			.kind = LMMSD_KIND_BYTECODE,
			.status = MDL_LOADED,
		};
	}
	p->cold_start_ns = r->cold_start_ns;
	p->interpreter_ns = r->interpreter_ns;
}

static inline void process_make(const struct shape *s, struct intern *pool, struct mdl_process *p,
				const char **names)
{
	char text[128];

	*p = (struct mdl_process){.from_start = true,
				  .ended = true,
				  .usage = true,
				  .py_version = 0x030b02f0,
				  .n_loads = s->n,
				  .n_modules = s->n,
				  .n_edges = 2 * s->n};
	p->loads = must(calloc(p->n_loads, sizeof(*p->loads)));
	p->modules = must(calloc(p->n_modules, sizeof(*p->modules)));
	p->edges = must(calloc(p->n_edges, sizeof(*p->edges)));
	for (uint32_t i = 0; i < s->n; i++) {
		(void)snprintf(text, sizeof(text), "pkg%02u.module%03u", i / 20, i);
		p->modules[i].name = names[i] = must((void *)(uintptr_t)intern_str(pool, text));
		(void)snprintf(text, sizeof(text),
			       "/usr/lib/python3/dist-packages/pkg%02u/module%03u.py", i / 20, i);
		p->modules[i].file = intern_str(pool, text);
		(void)snprintf(text, sizeof(text), "pkg%02u", i / 20);
		p->modules[i].distribution = intern_str(pool, text);
		p->modules[i].version = intern_str(pool, "1.0");
	}
	for (uint32_t i = 0; i < p->n_edges; i++) {
		uint32_t to = i / 2, from = i % 2 ? s->other[to] : s->parent[to];

		p->edges[i] = (struct mdl_edge){
			.importer = to ? names[from] : intern_str(pool, "__main__"),
			.module = names[to],
			.file = p->modules[from].file,
			.count = 1,
			.line = (int32_t)(to % 50 + 1 + i % 2),
			.place = s->used_pct[to] ? LMMSD_PLACE_FUNCTION : LMMSD_PLACE_MODULE,
			.loaded = i % 2 == 0,
		};
	}
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A made-up run as a line of JSON: what exporter.py counts a second time. */
#pragma once
#include <inttypes.h>
#include <stdio.h>

#include "prom/programs.h"

static inline void text_json(const char *s)
{
	putchar('"');
	for (; s && *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static inline void numbers_json(const uint64_t v[LMMSD_PLACE_MAX])
{
	for (int i = 0; i < LMMSD_PLACE_MAX; i++)
		printf("%s%" PRIu64, i ? "," : "[", v[i]);
	putchar(']');
}

static inline void module_json(const struct making *m, const struct mdl_module *mod)
{
	const struct mdl_process *p = m->f.p;
	const struct mdl_load *l = mod->load < 0 ? NULL : &p->loads[mod->load];
	bool loaded = l && l->status == MDL_LOADED;

	printf("{\"name\":");
	text_json(mod->name);
	printf(",\"distribution\":");
	text_json(mod->distribution);
	printf(",\"version\":");
	text_json(mod->version);
	printf(",\"file\":");
	text_json(mod->file);
	printf(",\"loaded\":%d,\"failed\":%d,\"start\":%d", loaded, l && !loaded,
	       loaded && (size_t)mod->load < m->start_loads);
	printf(",\"total\":%" PRIu64 ",\"self\":%" PRIu64 ",\"saving\":%" PRIu64
	       ",\"place\":%d,\"uses\":",
	       loaded ? l->total_ns : 0, loaded ? l->self_ns : 0, mod->saving_ns,
	       loaded ? l->place : 0);
	numbers_json(mod->uses_by_place);
	putchar('}');
}

static inline void run_json(const struct making *m)
{
	const struct mdl_process *p = m->f.p;

	printf("{\"t\":%" PRId64 ",\"pid\":%" PRIu32 ",\"app\":", m->at_s, p->pid);
	text_json(p->app);
	printf(",\"cold_start\":%" PRIu64 ",\"interpreter\":%" PRIu64 ",\"modules\":[",
	       p->cold_start_ns, p->interpreter_ns);
	for (size_t i = 0; i < p->n_modules; i++) {
		printf("%s", i ? "," : "");
		module_json(m, &p->modules[i]);
	}
	printf("],\"edges\":[");
	for (size_t i = 0; i < p->n_edges; i++) {
		printf("%s[", i ? "," : "");
		text_json(p->edges[i].importer);
		putchar(',');
		text_json(p->edges[i].module);
		printf(",%d,%d]", p->edges[i].place, p->edges[i].loaded);
	}
	printf("]}\n");
}

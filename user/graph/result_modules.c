/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Modules and edges. A use that a key counts is an edge from the key. A load is a use too: one that a statement or
 * call asked for is in its key's count already, and only marks the edge; those that no key counts (parent packages
 * and submodules that importlib asks for, bodies without a search, all when uses are not counted) add one.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "graph/state.h"

static uint32_t module_hash(const char *name)
{
	return index_hash((uintptr_t)name, 0, 0);
}

struct mdl_module *graph_result_module(struct result *r, const char *name)
{
	uint32_t pos = 0, i, hash = module_hash(name);

	while ((i = index_next(&r->modules, hash, &pos)) != INDEX_NONE)
		if (r->m->modules[i].name == name)
			return &r->m->modules[i];
	return NULL;
}

/* *ret = NULL: too many. */
static int need_module(struct result *r, const char *name, struct mdl_module **ret)
{
	struct mdl_process *m = r->m;
	int res;

	*ret = graph_result_module(r, name);
	if (*ret)
		return 0;
	if (m->n_modules >= r->limits->modules) {
		graph_result_lose(r, LMMSD_LOST_LIMIT_MODULES);
		return 0;
	}
	res = ARRAY_ROOM(m->modules, m->n_modules, r->cap_modules);
	if (res == 0)
		res = index_add(&r->modules, module_hash(name), (uint32_t)m->n_modules);
	if (res < 0)
		return res;
	*ret = &m->modules[m->n_modules++];
	**ret = (struct mdl_module){.name = name, .load = -1, .status = MDL_SEEN};
	return 0;
}

/* A load that succeeded stands for the module before one that did not, then the first. */
static void add_load(struct mdl_module *mod, const struct mdl_process *m, int32_t i,
		     uint32_t repeats)
{
	const struct mdl_load *l = &m->loads[i];

	mod->n_loads += 1 + repeats;
	if (mod->load >= 0 && (mod->status == MDL_LOADED || l->status != MDL_LOADED))
		return;
	mod->load = i;
	mod->status = l->status;
	mod->file = l->file;
	mod->kind = l->kind;
}

static int module_facts(struct result *r, struct mdl_module *mod, const char *name)
{
	const struct fact *f = graph_fact(r->p, name);
	const char *file;

	if (!f)
		return 0;
	if (graph_result_str(r, f->dist, &mod->distribution) < 0 ||
	    graph_result_str(r, f->version, &mod->version) < 0 ||
	    graph_result_str(r, f->file, &file) < 0)
		return -ENOMEM;
	if (!mod->file)
		mod->file = file;
	if (mod->kind == LMMSD_KIND_UNKNOWN)
		mod->kind = f->kind;
	return 0;
}

static int modules_of_loads(struct result *r)
{
	struct mdl_module *mod;
	int res = 0;

	for (size_t i = 0; i < r->m->n_loads && res == 0; i++) {
		const struct mdl_load *l = &r->m->loads[i];

		if (l->flags & MDL_LOAD_MAIN)
			continue;
		res = need_module(r, l->name, &mod);
		if (res < 0 || !mod)
			continue;
		if (!(l->flags & MDL_LOAD_INHERITED))
			add_load(mod, r->m, (int32_t)i, r->p->loads[i].repeats);
		res = module_facts(r, mod, r->p->loads[i].m.name);
	}
	return res;
}

int graph_result_modules(struct result *r)
{
	struct mdl_module *mod;
	int res = modules_of_loads(r);

	for (size_t i = 0; i < r->p->n_uses && res == 0; i++) {
		const struct use *u = &r->p->uses[i];
		const char *name;

		if (graph_result_str(r, u->module, &name) < 0)
			return -ENOMEM;
		res = need_module(r, name, &mod);
		if (res < 0 || !mod)
			continue;
		mod->uses += u->count;
		mod->uses_by_place[u->place] += u->count;
		if (mod->load < 0)
			res = module_facts(r, mod, u->module);
	}
	return res;
}

static uint32_t edge_hash(const char *importer, const char *module)
{
	return index_hash((uintptr_t)importer, (uintptr_t)module, 2);
}

/* Of the first n edges. place LMMSD_PLACE_MAX: any. */
static struct mdl_edge *find_edge(struct result *r, size_t n, const char *importer,
				  const char *module, uint8_t place)
{
	uint32_t pos = 0, i, hash = edge_hash(importer, module);

	while ((i = index_next(&r->edges, hash, &pos)) != INDEX_NONE) {
		struct mdl_edge *e = &r->m->edges[i];

		if (i < n && e->importer == importer && e->module == module &&
		    (e->place == place || place == LMMSD_PLACE_MAX))
			return e;
	}
	return NULL;
}

/* Adds to the edge with the same ends and place, and makes it if need be; *ret = NULL: too many. */
static int add_edge(struct result *r, const struct mdl_edge *e, struct mdl_edge **ret)
{
	struct mdl_process *m = r->m;
	int res;

	*ret = find_edge(r, m->n_edges, e->importer, e->module, e->place);
	if (*ret) {
		(*ret)->count += e->count;
		(*ret)->loaded |= e->loaded;
		return 0;
	}
	if (m->n_edges >= r->limits->edges) {
		graph_result_lose(r, LMMSD_LOST_LIMIT_EDGES);
		return 0;
	}
	res = ARRAY_ROOM(m->edges, m->n_edges, r->cap_edges);
	if (res == 0)
		res = index_add(&r->edges, edge_hash(e->importer, e->module), (uint32_t)m->n_edges);
	if (res < 0)
		return res;
	*ret = &m->edges[m->n_edges++];
	**ret = *e;
	return 0;
}

static int edges_of_uses(struct result *r)
{
	struct mdl_edge *made;
	int res = 0;

	for (size_t i = 0; i < r->p->n_uses && res == 0; i++) {
		const struct use *u = &r->p->uses[i];
		struct mdl_edge e = {.count = u->count, .line = u->line, .place = u->place};

		if (graph_result_str(r, u->importer, &e.importer) < 0 ||
		    graph_result_str(r, u->module, &e.module) < 0 ||
		    graph_result_str(r, u->file, &e.file) < 0)
			return -ENOMEM;
		res = add_edge(r, &e, &made);
	}
	return res;
}

/* The use that a key counted and that caused load l; NULL: none did. */
static struct mdl_edge *counted(struct result *r, const struct load *from, struct mdl_load *l)
{
	struct mdl_edge *e;

	if (from->uncounted)
		return NULL;
	e = find_edge(r, r->n_key_edges, l->importer, l->name, l->place);
	if (e)
		return e;
	e = find_edge(r, r->n_key_edges, l->importer, l->name, LMMSD_PLACE_MAX);
	/* A call through the C API and __import__() look alike at the load; the key's arguments tell them apart. */
	if (e && from->call)
		l->place = e->place;
	return e;
}

static int edge_of_load(struct result *r, size_t i)
{
	struct mdl_load *l = &r->m->loads[i];
	struct mdl_edge e = {.importer = l->importer,
			     .module = l->name,
			     .file = l->importer_file,
			     .line = l->line,
			     .place = l->place,
			     .count = 1 + (uint64_t)r->p->loads[i].repeats,
			     .loaded = true};
	struct mdl_edge *made = counted(r, &r->p->loads[i], l);
	struct mdl_module *mod;

	if (made) {
		made->loaded = true;
		return 0;
	}
	mod = graph_result_module(r, l->name);
	/* Its importer was not read, but some key has counted it. */
	if (!l->importer && !r->p->loads[i].uncounted && mod && mod->uses > 0 && r->p->usage)
		return 0;
	if (mod) {
		mod->uses += e.count;
		mod->uses_by_place[l->place] += e.count;
	}
	return add_edge(r, &e, &made);
}

int graph_result_edges(struct result *r)
{
	int res = edges_of_uses(r);

	r->n_key_edges = r->m->n_edges;
	for (size_t i = 0; i < r->m->n_loads && res == 0; i++)
		if (!(r->m->loads[i].flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)))
			res = edge_of_load(r, i);
	return res;
}

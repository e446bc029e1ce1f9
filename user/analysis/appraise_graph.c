/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a history's modules and edges to the import graph of a typical start. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "analysis/statements.h"
#include "base/cleanup.h"
#include "base/installed.h"
#include "base/text.h"

#define EDGE_SHARE 0.05 /* of the runs: what happens more rarely does not shape the typical start */

int32_t appraise_find(const struct mdl_history *h, const char *name)
{
	size_t low = 0, high = h->n_modules;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = strcmp(name, h->modules[mid].name);

		if (!r)
			return (int32_t)mid;
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return -1;
}

/* First dotted part of the module is what the app is called: "shop.db" of "shop/manage.py", "black.main" of "black". */
static bool named_like_app(const struct mdl_history *h, const char *module)
{
	size_t len = strcspn(module, ".");

	return len && !strncmp(h->app, module, len) && strchr("./:-", h->app[len]);
}

bool appraise_is_own(const struct mdl_history *h, const struct mdl_hist_module *m)
{
	if (m->kind == LMMSD_KIND_BUILTIN || m->kind == LMMSD_KIND_FROZEN)
		return false;
	if (named_like_app(h, m->name))
		return true;
	if (m->origin != MDL_ORIGIN_BY_FILE)
		return m->origin == MDL_ORIGIN_APP;
	return m->file && *m->file && !m->distribution && !installed_file(m->file);
}

/* Imports on behalf of others: the statement is somewhere else. */
static bool is_machinery(const char *name)
{
	return !strcmp(name, "importlib") || text_starts_with(name, "importlib._bootstrap") ||
	       text_starts_with(name, "_frozen_importlib") || !strcmp(name, "runpy") ||
	       !strcmp(name, "site");
}

static bool is_program(const char *name)
{
	return !strcmp(name, "__main__") || !strcmp(name, "__mp_main__");
}

static uint32_t importer_of(const struct appraise_graph *g, const struct mdl_hist_edge *e)
{
	if (e->importer >= 0 && (size_t)e->importer < g->h->n_modules &&
	    !is_machinery(g->h->modules[e->importer].name))
		return (uint32_t)e->importer + 1;
	if (e->importer_name && is_program(e->importer_name))
		return 0;
	return (uint32_t)g->n - 1;
}

/* Whether the statement usually runs while the program starts. */
static bool runs_at_start(const struct appraise_graph *g, const struct mdl_hist_edge *e,
			  uint32_t from)
{
	const struct mdl_history *h = g->h;
	const struct mdl_hist_module *m = &h->modules[e->module];

	if (!g->node[from].at_start || (double)e->runs < EDGE_SHARE * (double)h->runs_plain)
		return false;
	if (e->place != LMMSD_PLACE_FUNCTION && e->place != LMMSD_PLACE_LAZY)
		return true;
	/* Inside a function it may run at any time; it did at start if it is what loads the module, and that is there. */
	return e->loads * 2 >= m->runs_loaded && m->runs_start * 2 >= m->runs_loaded && e->loads;
}

static void fill_nodes(struct appraise_graph *g, double share)
{
	const struct mdl_history *h = g->h;
	double least = share * (double)h->runs_plain;

	g->node[0] = (struct chains_node){.name = "__main__", .own = true, .at_start = true};
	for (size_t i = 0; i < h->n_modules; i++) {
		const struct mdl_hist_module *m = &h->modules[i];
		bool at_start = m->runs_start && (double)m->runs_start >= least &&
				!is_program(m->name);

		g->node[i + 1] = (struct chains_node){
			.name = m->name,
			.distribution = m->distribution,
			.self_ms = at_start ?
					   (double)sketch_rank(&m->self, (m->self.count + 1) / 2) /
						   NS_PER_MS :
					   0,
			.own = appraise_is_own(h, m),
			.at_start = at_start,
		};
	}
	g->node[g->n - 1] = (struct chains_node){.name = OUTSIDE, .at_start = true};
}

static int fill_implied(struct appraise_graph *g)
{
	const struct mdl_history *h = g->h;
	_free_ struct statement *statements = calloc(h->n_edges + 1, sizeof(*statements));
	int r;

	if (!statements)
		return -ENOMEM;
	for (size_t i = 0; i < h->n_edges; i++) {
		const struct mdl_hist_edge *e = &h->edges[i];

		statements[i] = (struct statement){.importer = g->site[i].from,
						   .module = h->modules[e->module].name,
						   .file = e->file,
						   .line = e->line,
						   .once = e->loads && e->count <= e->runs};
	}
	r = statements_imply(statements, h->n_edges);
	for (size_t i = 0; r == 0 && i < h->n_edges; i++)
		g->site[i].implied = statements[i].implied;
	return r;
}

static int fill_sites(struct appraise_graph *g)
{
	const struct mdl_history *h = g->h;

	for (size_t i = 0; i < h->n_edges; i++) {
		const struct mdl_hist_edge *e = &h->edges[i];
		uint32_t from;

		if (e->module >= h->n_modules)
			return -EINVAL;
		from = importer_of(g, e);
		g->site[i] = (struct chains_site){
			.from = from,
			.to = e->module + 1,
			.file = e->file,
			.line = e->line,
			.place = e->place,
			.starts = runs_at_start(g, e, from),
			.cached = !e->loads,
			.runs = e->runs,
		};
		g->first_edge[e->module + 1]++;
	}
	for (size_t i = 0; i < h->n_modules; i++)
		g->first_edge[i + 1] += g->first_edge[i];
	return fill_implied(g);
}

int appraise_graph_init(struct appraise_graph *g, const struct mdl_history *h, double share)
{
	int r;

	*g = (struct appraise_graph){.h = h, .n = h->n_modules + 2};
	g->node = calloc(g->n, sizeof(*g->node));
	g->site = calloc(h->n_edges + 1, sizeof(*g->site));
	g->first_edge = calloc(h->n_modules + 2, sizeof(*g->first_edge));
	if (!g->node || !g->site || !g->first_edge)
		return -ENOMEM;
	fill_nodes(g, share);
	r = fill_sites(g);
	return r < 0 ? r : chains_new(g->node, g->n, g->site, h->n_edges, &g->chains);
}

void appraise_graph_clear(struct appraise_graph *g)
{
	free(g->node);
	free(g->site);
	free(g->first_edge);
	(void)chains_free(g->chains);
	*g = (struct appraise_graph){0};
}

int appraise_keep(struct intern *strings, const char *s, const char **ret)
{
	*ret = s ? intern_str(strings, s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

int appraise_site(const struct appraise_graph *g, uint32_t site, struct intern *strings,
		  struct rv_site *ret)
{
	const struct chains_site *s = &g->site[site];
	const struct mdl_hist_edge *e = &g->h->edges[site];
	const char *importer = s->from + 1 == g->n && e->importer_name ? e->importer_name :
									 g->node[s->from].name;

	*ret = (struct rv_site){
		.line = s->line,
		.place = s->place,
		.own = g->node[s->from].own,
		.cached = s->cached,
		.runs = s->runs,
	};
	if (appraise_keep(strings, importer, &ret->importer) < 0 ||
	    appraise_keep(strings, g->node[s->to].name, &ret->module) < 0 ||
	    appraise_keep(strings, s->file, &ret->file) < 0)
		return -ENOMEM;
	return 0;
}

struct ranked {
	uint32_t site;
	bool starts, cached, own;
	uint64_t runs;
};

static int by_importance(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->starts != y->starts)
		return x->starts ? -1 : 1;
	if (x->cached != y->cached)
		return x->cached ? 1 : -1;
	if (x->own != y->own)
		return x->own ? -1 : 1;
	if (x->runs != y->runs)
		return x->runs > y->runs ? -1 : 1;
	return (x->site > y->site) - (x->site < y->site);
}

int appraise_sites(const struct appraise_graph *g, size_t module, struct intern *strings,
		   struct rv_site **ret, size_t *ret_n, uint32_t *ret_index)
{
	uint32_t first = g->first_edge[module];
	size_t n = g->first_edge[module + 1] - first, keep = n < SITES_MOST ? n : SITES_MOST;
	_free_ struct ranked *ranked = calloc(n + 1, sizeof(*ranked));
	_free_ struct rv_site *sites = calloc(keep + 1, sizeof(*sites));

	if (!ranked || !sites)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct chains_site *s = &g->site[first + i];

		ranked[i] = (struct ranked){.site = first + (uint32_t)i,
					    .starts = s->starts,
					    .cached = s->cached,
					    .own = g->node[s->from].own,
					    .runs = s->runs};
	}
	qsort(ranked, n, sizeof(*ranked), by_importance);
	for (size_t i = 0; i < keep; i++) {
		int r = appraise_site(g, ranked[i].site, strings, &sites[i]);

		if (r < 0)
			return r;
		if (ret_index)
			ret_index[i] = ranked[i].site;
	}
	*ret = TAKE_PTR(sites);
	*ret_n = keep;
	return 0;
}

int appraise_cut_sites(const struct appraise_graph *g, const struct chains_cut *cut,
		       struct intern *strings, struct rv_site **ret)
{
	_free_ struct rv_site *sites = calloc(cut->n + 1, sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	for (size_t i = 0; i < cut->n; i++) {
		int r = appraise_site(g, cut->site[i], strings, &sites[i]);

		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(sites);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a history's modules and edges to the import graph of a typical start. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "analysis/known.h"
#include "analysis/statements.h"
#include "base/cleanup.h"
#include "base/text.h"

#define TYPICAL_PART                                                                               \
	10 /* one start in so many: what is there more rarely is no part of the typical one */
#define SKEWED 1.05 /* mean to median; sketches do not tell less */

/* Imports on behalf of others: the statement is somewhere else. */
static bool is_machinery(const char *name)
{
	return !strcmp(name, "importlib") || text_starts_with(name, "importlib._bootstrap") ||
	       text_starts_with(name, "_frozen_importlib") || !strcmp(name, "runpy") ||
	       !strcmp(name, "site");
}

static uint32_t importer_of(const struct appraise_graph *g, const struct mdl_hist_edge *e)
{
	/* first: who says "import __main__" makes a module of that name */
	if (e->importer_name && appraise_is_program(e->importer_name))
		return 0;
	if (e->importer >= 0 && (size_t)e->importer < g->h->n_modules &&
	    !is_machinery(g->h->modules[e->importer].name))
		return (uint32_t)e->importer + 1;
	return (uint32_t)g->n - 1;
}

/* Whether the statement usually runs while the program starts; in a whole graph: at all. */
static bool runs_at_start(const struct appraise_graph *g, const struct mdl_hist_edge *e,
			  uint32_t from)
{
	const struct mdl_history *h = g->h;
	const struct mdl_hist_module *m = &h->modules[e->module];

	if (!g->node[from].at_start || e->runs < g->least_edge)
		return false;
	if (g->whole || (e->place != LMMSD_PLACE_FUNCTION && e->place != LMMSD_PLACE_LAZY))
		return true;
	/* Inside a function it may run at any time; it did at start if it is what loads the module, and that is there. */
	return e->loads * 2 >= m->runs_loaded && m->runs_start * 2 >= m->runs_loaded && e->loads;
}

double appraise_scale(const struct mdl_history *h, const struct mdl_hist_module *m)
{
	double mean = sketch_mean(&h->cold_start);
	double median = (double)sketch_rank(&h->cold_start, (h->cold_start.count + 1) / 2);

	/* a median that is not known: only what it is less than the mean for certain */
	if (h->rebuilt) {
		mean = h->rebuilt->sum_ms * NS_PER_MS / (double)h->cold_start.count;
		median = fmin(mean, known_median(h->rebuilt).hi * NS_PER_MS);
	}

	return m->runs_start * 2 >= h->runs_plain && mean > SKEWED * median ? median / mean : 1;
}

/* Runs that loaded it; those of forked workers are no plain ones, but each of their loads has its time. */
static uint64_t loaded_in(const struct mdl_hist_module *m)
{
	return m->runs_loaded > m->total.count ? m->runs_loaded : m->total.count;
}

/*
 * Means, since these are added up: on a busy host each module is late in other runs, and the medians of all of them come
 * to much less than a median start.
 */
static void fill_nodes(struct appraise_graph *g)
{
	const struct mdl_history *h = g->h;
	const char *distribution = appraise_own_distribution(h);

	g->node[0] = (struct chains_node){.name = "__main__", .own = true, .at_start = true};
	for (size_t i = 0; i < h->n_modules; i++) {
		const struct mdl_hist_module *m = &h->modules[i];
		uint64_t runs = g->whole ? loaded_in(m) : m->runs_start;
		bool at_start = runs && runs >= g->least && !appraise_is_program(m->name);

		g->node[i + 1] = (struct chains_node){
			.name = m->name,
			.distribution = m->distribution,
			.self_ms = at_start ? sketch_mean(&m->self) * appraise_scale(h, m) /
						      NS_PER_MS :
					      0,
			.own = appraise_is_own(h, m, distribution),
			.at_start = at_start,
			.more_ways = m->more_ways,
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

static int init(struct appraise_graph *g, const struct mdl_history *h, uint64_t least, bool whole)
{
	int r;

	*g = (struct appraise_graph){.h = h,
				     .n = h->n_modules + 2,
				     .least = least,
				     .least_edge = least / 2 + least % 2,
				     .whole = whole};
	g->node = calloc(g->n, sizeof(*g->node));
	g->site = calloc(h->n_edges + 1, sizeof(*g->site));
	g->first_edge = calloc(h->n_modules + 2, sizeof(*g->first_edge));
	if (!g->node || !g->site || !g->first_edge)
		return -ENOMEM;
	fill_nodes(g);
	r = fill_sites(g);
	return r < 0 ? r : chains_new(g->node, g->n, g->site, h->n_edges, &g->chains);
}

uint64_t appraise_typical(const struct mdl_history *h)
{
	return h->runs_plain / TYPICAL_PART + (h->runs_plain % TYPICAL_PART != 0);
}

int appraise_graph_init(struct appraise_graph *g, const struct mdl_history *h, uint64_t least)
{
	return init(g, h, least, false);
}

static bool is_led_to(const struct appraise_graph *g, size_t module)
{
	for (uint32_t i = g->first_edge[module]; i < g->first_edge[module + 1]; i++)
		if (g->site[i].starts && !g->site[i].implied)
			return true;
	return false;
}

static int again(struct appraise_graph *g, uint64_t least)
{
	const struct mdl_history *h = g->h;
	bool whole = g->whole;

	appraise_graph_clear(g);
	return init(g, h, least, whole);
}

int appraise_graph_for(struct appraise_graph *g, const struct mdl_history *h, size_t module)
{
	const struct mdl_hist_module *m = &h->modules[module];
	uint64_t typical = appraise_typical(h), runs = m->runs_start ? m->runs_start : loaded_in(m);
	uint64_t least = runs < typical ? runs : typical;
	int r = init(g, h, least, !m->runs_start);

	/* Several importers, each of them in fewer starts than what they share. */
	for (uint64_t less = least / 2; r == 0 && less && !is_led_to(g, module); less /= 2)
		r = again(g, less);
	return r == 0 && !is_led_to(g, module) ? again(g, least) : r;
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

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* `deps` and `why`. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "analysis/stats.h"
#include "base/cleanup.h"

#define PATHS_MOST 20
#define PATH_LENGTH 24

struct rv_deps *appraise_deps_free(struct rv_deps *d)
{
	if (!d)
		return NULL;
	free(d->rows);
	free(d->rollups);
	(void)intern_free(d->strings);
	free(d);
	return NULL;
}

static void deps_freep(struct rv_deps **d)
{
	(void)appraise_deps_free(*d);
}

struct branch {
	uint32_t dep, via; /* positions in the breadth-first list */
	double total_ms;
};

static int by_branch(const void *a, const void *b)
{
	const struct branch *x = a, *y = b;

	if (x->via != y->via)
		return x->via < y->via ? -1 : 1;
	if (x->total_ms != y->total_ms)
		return x->total_ms < y->total_ms ? 1 : -1;
	return (x->dep > y->dep) - (x->dep < y->dep);
}

static double total_of(const struct appraise_graph *g, uint32_t node)
{
	return node >= 1 && node + 1 < g->n ?
		       stats_median_of_sketch(&g->h->modules[node - 1].total).p50 :
		       NAN;
}

static int fill_row(const struct appraise_graph *g, const struct chains_dep *dep, int32_t via,
		    struct rv_deps *d)
{
	const struct chains_node *node = &g->node[dep->node];
	struct rv_dep *row = &d->rows[d->n++];

	*row = (struct rv_dep){
		.via = via,
		.depth = dep->depth,
		.self_ms = node->self_ms,
		.total_ms = total_of(g, dep->node),
		.only = dep->only,
	};
	if (appraise_keep(d->strings, node->name, &row->name) < 0 ||
	    appraise_keep(d->strings, node->distribution, &row->distribution) < 0)
		return -ENOMEM;
	return 0;
}

/*
 * From breadth-first to the order of a walk. branch[]: by parent, the dearest first; first[]: of each parent. The stack
 * never holds more than all of them.
 */
static int fill_rows(const struct appraise_graph *g, const struct chains_deps *deps,
		     struct rv_deps *d)
{
	_free_ uint32_t *position = calloc(g->n, sizeof(*position));
	_free_ struct branch *branch = calloc(deps->n + 1, sizeof(*branch));
	_free_ uint32_t *first = calloc(deps->n + 2, sizeof(*first));
	_free_ uint32_t *stack = calloc(deps->n + 1, sizeof(*stack));
	_free_ int32_t *row = calloc(deps->n + 1, sizeof(*row));
	size_t depth = 0;

	d->rows = calloc(deps->n + 1, sizeof(*d->rows));
	if (!position || !branch || !first || !stack || !row || !d->rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < deps->n; i++)
		position[deps->dep[i].node] = i;
	for (uint32_t i = 1; i < deps->n; i++) {
		branch[i - 1] = (struct branch){.dep = i,
						.via = position[deps->dep[i].via],
						.total_ms = total_of(g, deps->dep[i].node)};
		if (!isfinite(branch[i - 1].total_ms))
			branch[i - 1].total_ms = 0;
		first[branch[i - 1].via + 1]++;
	}
	for (size_t i = 0; i < deps->n; i++)
		first[i + 1] += first[i];
	qsort(branch, deps->n - 1, sizeof(*branch), by_branch);
	stack[depth++] = 0;
	while (depth) {
		uint32_t at = stack[--depth];

		row[at] = (int32_t)d->n;
		if (fill_row(g, &deps->dep[at], at ? row[position[deps->dep[at].via]] : -1, d) < 0)
			return -ENOMEM;
		for (uint32_t i = first[at + 1]; i > first[at]; i--)
			stack[depth++] = branch[i - 1].dep;
	}
	return 0;
}

/* Distributions that the rows name. */
static int fill_rollups(const struct appraise_graph *g, struct rv_deps *d)
{
	_free_ struct chains_rollup *all = NULL;
	size_t n = 0;
	int r = chains_rollups(g->chains, &all, &n);

	if (r < 0)
		return r;
	d->rollups = calloc(n + 1, sizeof(*d->rollups));
	if (!d->rollups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct rv_rollup *to = &d->rollups[d->n_rollups];
		bool named = false;

		for (size_t k = 0; k < d->n && !named; k++)
			named = d->rows[k].distribution &&
				!strcmp(d->rows[k].distribution, all[i].distribution);
		if (!named)
			continue;
		*to = (struct rv_rollup){.modules = all[i].modules,
					 .self_ms = all[i].self_ms,
					 .saving_ms = all[i].saving_ms};
		if (appraise_keep(d->strings, all[i].distribution, &to->distribution) < 0)
			return -ENOMEM;
		d->n_rollups++;
	}
	return 0;
}

int appraise_deps(const struct mdl_history *h, const char *module, struct rv_deps **ret)
{
	_cleanup_(deps_freep) struct rv_deps *d = calloc(1, sizeof(*d));
	_cleanup_(appraise_graph_clear) struct appraise_graph g = {0};
	_cleanup_(chains_deps_clear) struct chains_deps deps = {0};
	int32_t at = mdl_history_find(h, module);
	struct intern *strings;
	int r;

	if (at < 0)
		return -ENOENT;
	if (!d || intern_new(&strings) < 0)
		return -ENOMEM;
	d->strings = strings;
	r = appraise_graph_for(&g, h, (size_t)at);
	if (r == 0)
		r = chains_deps(g.chains, (uint32_t)at + 1, &deps);
	if (r == 0)
		r = fill_rows(&g, &deps, d);
	if (r == 0 && !g.whole)
		r = fill_rollups(&g, d);
	if (r == 0)
		r = appraise_keep(strings, h->app, &d->app);
	if (r == 0)
		r = appraise_keep(strings, module, &d->module);
	if (r < 0)
		return r;
	d->total_ms = total_of(&g, (uint32_t)at + 1);
	d->only_ms = g.whole ? NAN : deps.only_ms;
	d->shared_ms = g.whole ? NAN : deps.shared_ms;
	*ret = TAKE_PTR(d);
	return 0;
}

struct rv_reasons *appraise_reasons_free(struct rv_reasons *r)
{
	if (!r)
		return NULL;
	free(r->sites);
	free(r->alone_ms);
	free(r->step);
	free(r->path);
	free(r->cut);
	(void)intern_free(r->strings);
	free(r);
	return NULL;
}

static void reasons_freep(struct rv_reasons **r)
{
	(void)appraise_reasons_free(*r);
}

/* What the module brings in itself is no reason for it to be there. */
static int mark_inside(const struct appraise_graph *g, size_t module, const uint32_t *index,
		       struct rv_reasons *ret)
{
	_cleanup_(chains_deps_clear) struct chains_deps deps = {0};
	_free_ bool *only = calloc(g->n, sizeof(*only));
	int r;

	if (!only)
		return -ENOMEM;
	r = chains_deps(g->chains, (uint32_t)module + 1, &deps);
	for (size_t i = 0; i < deps.n && r == 0; i++)
		only[deps.dep[i].node] = deps.dep[i].only;
	for (size_t i = 0; i < ret->n_sites && r == 0; i++)
		ret->sites[i].inside = only[g->site[index[i]].from];
	return r;
}

static int fill_sites(const struct appraise_graph *g, size_t module, struct rv_reasons *ret)
{
	uint32_t node = (uint32_t)module + 1, only = CHAINS_NONE;
	_free_ uint32_t *index = NULL;
	double saving_ms = 0;
	size_t n = 0;
	int r = appraise_rank(g, module, &index, &n);

	if (r == 0)
		r = appraise_sites(g, index, n, ret->strings, &ret->sites);
	if (r == 0)
		r = chains_only_site(g->chains, node, &only);
	if (r == 0)
		r = chains_saving_of(g->chains, &node, 1, &saving_ms);
	if (r < 0)
		return r;
	ret->n_sites = n;
	ret->alone_ms = calloc(ret->n_sites + 1, sizeof(*ret->alone_ms));
	if (!ret->alone_ms)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ret->alone_ms[i] = !g->site[index[i]].starts || g->whole ? NAN :
				   index[i] == only			 ? saving_ms :
									   0;
	return mark_inside(g, module, index, ret);
}

static int fill_paths(const struct appraise_graph *g, uint32_t node, struct rv_reasons *ret)
{
	_cleanup_(chains_paths_clear) struct chains_paths paths = {0};
	int r = chains_paths(g->chains, node, PATHS_MOST, PATH_LENGTH, &paths);

	if (r < 0)
		return r;
	ret->step = calloc(paths.start[paths.n] + 1, sizeof(*ret->step));
	ret->path = TAKE_PTR(paths.start);
	ret->n_paths = paths.n;
	ret->more_paths = paths.more;
	if (!ret->step)
		return -ENOMEM;
	for (size_t i = 0; i < ret->path[ret->n_paths]; i++)
		if (appraise_keep(ret->strings, g->node[paths.node[i]].name, &ret->step[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int fill_cut(const struct appraise_graph *g, uint32_t node, struct rv_reasons *ret)
{
	_cleanup_(chains_cut_clear) struct chains_cut cut = {0};
	int r;

	if (g->whole || !g->node[node].at_start)
		return 0;
	r = chains_cut(g->chains, node, &cut);
	if (r < 0)
		return r;
	r = appraise_sites(g, cut.site, cut.n, ret->strings, &ret->cut);
	if (r < 0)
		return r;
	ret->n_cut = cut.n;
	ret->cut_possible = cut.possible;
	ret->cut_direct = cut.direct;
	ret->cut_ms = cut.saving_ms;
	return 0;
}

int appraise_reasons(const struct mdl_history *h, const char *module, struct rv_reasons **ret)
{
	_cleanup_(reasons_freep) struct rv_reasons *reasons = calloc(1, sizeof(*reasons));
	_cleanup_(appraise_graph_clear) struct appraise_graph g = {0};
	int32_t at = mdl_history_find(h, module);
	struct intern *strings;
	uint32_t node;
	int r;

	if (at < 0)
		return -ENOENT;
	if (!reasons || intern_new(&strings) < 0)
		return -ENOMEM;
	node = (uint32_t)at + 1;
	reasons->strings = strings;
	reasons->runs = h->runs_plain;
	reasons->saving_ms = NAN;
	r = appraise_graph_for(&g, h, (size_t)at);
	if (r == 0)
		r = fill_sites(&g, (size_t)at, reasons);
	if (r == 0)
		r = fill_paths(&g, node, reasons);
	if (r == 0)
		r = fill_cut(&g, node, reasons);
	if (r == 0 && g.node[node].at_start && !g.whole)
		r = chains_saving_of(g.chains, &node, 1, &reasons->saving_ms);
	if (r == 0)
		r = appraise_keep(strings, h->app, &reasons->app);
	if (r == 0)
		r = appraise_keep(strings, module, &reasons->module);
	if (r < 0)
		return r;
	reasons->total_ms = total_of(&g, node);
	*ret = TAKE_PTR(reasons);
	return 0;
}

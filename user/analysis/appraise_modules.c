/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The modules of an app: numbers, tier, and how they get there. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "analysis/classify.h"
#include "analysis/stats.h"
#include "base/cleanup.h"

#define MODULES_MOST 3000 /* rows of an app; what costs least is left out */
#define PLANS_MOST 256	  /* modules of an app for which it is found out what to change */
#define DOUBTFUL_MOST 32  /* and of those that only their usage keeps at the top */
#define CHAIN_MOST 32
#define MIXED_SHARE 0.05

struct pick {
	uint32_t module;
	double weight;
};

/* What follows from the graph as a whole, by node. */
struct ways {
	uint32_t *idom;	   /* owned */
	double *saving_ms; /* owned */
	uint32_t *via;	   /* owned; on a shortest way from the program; CHAINS_NONE: none */
	struct appraise_tops tops;
};

static void ways_clear(struct ways *w)
{
	free(w->idom);
	free(w->saving_ms);
	free(w->via);
	appraise_tops_clear(&w->tops);
}

static int ways_init(struct ways *w, const struct appraise_graph *g)
{
	_cleanup_(chains_deps_clear) struct chains_deps all = {0};
	int r;

	w->idom = calloc(g->n, sizeof(*w->idom));
	w->saving_ms = calloc(g->n, sizeof(*w->saving_ms));
	w->via = calloc(g->n, sizeof(*w->via));
	if (!w->idom || !w->saving_ms || !w->via)
		return -ENOMEM;
	r = chains_dominators(g->chains, w->idom, w->saving_ms);
	if (r == 0)
		r = chains_deps(g->chains, 0, &all);
	if (r == 0)
		r = appraise_tops_init(&w->tops, g);
	if (r < 0)
		return r;
	for (size_t i = 0; i < g->n; i++)
		w->via[i] = CHAINS_NONE;
	for (size_t i = 0; i < all.n; i++)
		w->via[all.dep[i].node] = all.dep[i].via;
	return 0;
}

static double pct(double part, double whole)
{
	return whole > 0 ? part / whole * 100 : NAN;
}

static void fill_usage(const struct appraise_input *in, const struct mdl_hist_module *m,
		       struct rv_module *ret)
{
	const struct mdl_history *h = in->now;
	bool functions_only = !m->runs_by_place[LMMSD_PLACE_MODULE] &&
			      !m->runs_by_place[LMMSD_PLACE_CLASS] &&
			      !m->runs_by_place[LMMSD_PLACE_DYNAMIC] &&
			      !m->runs_by_place[LMMSD_PLACE_UNKNOWN];

	ret->share_pct = h->usage ? pct((double)m->uses, (double)h->uses) : NAN;
	ret->run_pct = pct((double)m->runs_imported, (double)h->runs_plain);
	ret->used_pct = pct((double)m->runs_used, (double)h->runs_plain);
	/* What is imported where it is needed is used when it is imported; a plugin by its name, at any time. */
	ret->evidence = functions_only ? RV_EVIDENCE_IN_USE : RV_EVIDENCE_IMPORTED;
	ret->usage_pct = in->basis == RV_BASIS_SHARE && isfinite(ret->share_pct) ? ret->share_pct :
										   ret->run_pct;
}

static void fill_placement(const struct appraise_input *in, const struct mdl_hist_module *m,
			   struct rv_module *ret)
{
	ret->placement = m->place;
	for (uint8_t i = 1; i < LMMSD_PLACE_MAX; i++)
		if (i != m->place &&
		    (double)m->runs_by_place[i] > MIXED_SHARE * (double)in->now->runs_plain)
			ret->placement_mixed = true;
	ret->start_pct = pct((double)m->runs_start, (double)in->now->runs_plain);
	ret->at_start = m->runs_start && m->runs_start * 2 >= in->now->runs_plain;
}

static enum mdl_tier tier_of(const struct rv_thresholds *t, double ms, double usage)
{
	struct classify_policy policy = {
		.fast_ms = t->fast_ms, .slow_ms = t->slow_ms, .usage_pct = t->usage_pct};

	return classify(&policy, ms, usage);
}

static int by_module(const void *name, const void *verdict)
{
	return strcmp(name, ((const struct mdl_verdict *)verdict)->module);
}

static enum mdl_tier tier_before(const struct appraise_input *in, const char *name)
{
	const struct mdl_history *h = in->before;
	struct mdl_hist_module *m;
	double usage;
	int32_t i;

	if (in->n_verdicts) {
		const struct mdl_verdict *v = bsearch(name, in->verdicts, in->n_verdicts,
						      sizeof(*in->verdicts), by_module);

		if (v)
			return v->tier;
	}
	i = h ? mdl_history_find(h, name) : -1;
	if (i < 0)
		return MDL_TIER_NONE;
	m = &h->modules[i];
	usage = in->basis == RV_BASIS_SHARE && h->usage ?
			pct((double)m->uses, (double)h->uses) :
			pct((double)m->runs_imported, (double)h->runs_plain);
	return tier_of(in->thresholds, stats_median_of_sketch(&m->total).p50, usage);
}

/* No flapping: while the interval leaves the tier open, last month's stands. */
static void fill_tier(const struct appraise_input *in, const struct mdl_hist_module *m,
		      struct rv_module *ret)
{
	const struct rv_thresholds *t = in->thresholds;
	/* The sketch may be that far off, unless all its values are one. */
	double off = m->total.min_ns == m->total.max_ns ? 0 : SKETCH_ACCURACY;

	ret->tier_now = tier_of(t, ret->ms.p50, ret->usage_pct);
	ret->tier_before = tier_before(in, m->name);
	ret->spans = tier_of(t, ret->ms.lo * (1 - off), ret->usage_pct) !=
		     tier_of(t, ret->ms.hi * (1 + off), ret->usage_pct);
	ret->kept = ret->spans && ret->tier_before != MDL_TIER_NONE &&
		    ret->tier_before != ret->tier_now;
	ret->tier = ret->kept ? ret->tier_before : ret->tier_now;
	ret->slow = ret->ms.p50 > t->warn_ms;
}

static int fill_chain(const struct appraise_graph *g, const struct ways *w, uint32_t node,
		      struct intern *strings, struct rv_module *ret)
{
	uint32_t at = node;
	size_t n = 1;

	if (node != 0 && w->via[node] == CHAINS_NONE)
		return 0;
	while (w->via[at] != CHAINS_NONE && n < CHAIN_MOST) {
		at = w->via[at];
		n++;
	}
	ret->chain = calloc(n, sizeof(*ret->chain));
	if (!ret->chain)
		return -ENOMEM;
	ret->n_chain = n;
	for (at = node; n-- > 0; at = w->via[at])
		if (appraise_keep(strings, g->node[at].name, &ret->chain[n]) < 0)
			return -ENOMEM;
	return 0;
}

/* How many more modules get a plan. */
struct plans {
	size_t wanted;	 /* the rule would move them */
	size_t doubtful; /* only their usage keeps them at the top */
};

static size_t *plans_for(struct plans *p, const struct appraise_input *in,
			 const struct rv_module *m)
{
	if (m->tier == MDL_FUNCTION_LEVEL)
		return &p->wanted;
	return m->tier == MDL_MODULE_LEVEL && m->ms.p50 >= in->thresholds->fast_ms ? &p->doubtful :
										     NULL;
}

static int fill_plan(const struct appraise_graph *g, uint32_t node, struct intern *strings,
		     struct rv_module *ret)
{
	struct chains_cut cut;
	int r = chains_cut(g->chains, node, &cut);

	if (r < 0)
		return r;
	if (cut.possible && cut.n) {
		size_t keep = cut.n < SITES_MOST ? cut.n : SITES_MOST;

		r = appraise_sites(g, cut.site, keep, strings, &ret->cut);
		if (r == 0)
			ret->n_cut = keep;
		ret->more_cut = cut.n - keep;
		ret->cut_own = true;
		ret->cut_ms = cut.saving_ms;
		ret->cut_direct = cut.direct;
	}
	ret->more_ways = cut.more_ways;
	chains_cut_clear(&cut);
	return r;
}

static bool stands_too_deep(const struct rv_module *m)
{
	return m->tier == MDL_MODULE_LEVEL &&
	       (m->placement == LMMSD_PLACE_FUNCTION || m->placement == LMMSD_PLACE_LAZY);
}

static int fill_sites(const struct appraise_graph *g, struct ways *w, size_t module,
		      struct intern *strings, struct rv_module *ret)
{
	_free_ uint32_t *index = NULL;
	size_t n = 0;
	int r = appraise_rank(g, module, &index, &n);

	if (r < 0)
		return r;
	ret->n_sites = n < SITES_MOST ? n : SITES_MOST;
	r = appraise_sites(g, index, ret->n_sites, strings, &ret->sites);
	if (r < 0)
		ret->n_sites = 0;
	ret->more_sites = n - ret->n_sites;
	return r == 0 && stands_too_deep(ret) ?
		       appraise_hoist(&w->tops, index, n, strings, &ret->hoist) :
		       r;
}

static int fill_ways(const struct appraise_input *in, const struct appraise_graph *g,
		     struct ways *w, size_t module, struct plans *plans, struct intern *strings,
		     struct rv_module *ret)
{
	uint32_t node = (uint32_t)module + 1, idom = w->idom[node];
	size_t *left = g->node[node].at_start ? plans_for(plans, in, ret) : NULL;
	int r = fill_sites(g, w, module, strings, ret);

	if (r == 0)
		r = fill_chain(g, w, node, strings, ret);
	if (r == 0 && idom != CHAINS_NONE && idom != 0)
		r = appraise_keep(strings, g->node[idom].name, &ret->brought_by);
	ret->unplanned = left == &plans->wanted && !*left;
	if (r < 0 || !left || !*left)
		return r;
	--*left;
	return fill_plan(g, node, strings, ret);
}

/* A mean over the runs, since a run without the module saves nothing. */
static double saving_ms(const struct mdl_history *h, const struct mdl_hist_module *m)
{
	if (!h->runs[MDL_RUN_WARM])
		return NAN;
	return m->saving.sum / (double)h->runs[MDL_RUN_WARM] / NS_PER_MS * appraise_scale(h, m);
}

static int fill_module(const struct appraise_input *in, const struct appraise_graph *g,
		       struct ways *w, size_t module, struct plans *plans, struct intern *strings,
		       struct rv_module *ret)
{
	const struct mdl_history *h = in->now;
	const struct mdl_hist_module *m = &h->modules[module];

	ret->ms = appraise_times(&m->total);
	ret->self_ms = stats_median_of_sketch(&m->self).p50;
	ret->saving_ms = saving_ms(h, m);
	ret->runs = m->runs_loaded;
	ret->kind = m->kind;
	ret->own = g->node[module + 1].own;
	fill_usage(in, m, ret);
	fill_placement(in, m, ret);
	fill_tier(in, m, ret);
	if (appraise_keep(strings, m->name, &ret->name) < 0 ||
	    appraise_keep(strings, m->distribution, &ret->distribution) < 0 ||
	    appraise_keep(strings, m->version, &ret->version) < 0 ||
	    appraise_keep(strings, m->file, &ret->file) < 0)
		return -ENOMEM;
	return fill_ways(in, g, w, module, plans, strings, ret);
}

static int by_weight(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return (x->module > y->module) - (x->module < y->module);
}

int appraise_modules(const struct appraise_input *in, const struct appraise_graph *g,
		     struct rv_app *app)
{
	const struct mdl_history *h = in->now;
	_cleanup_(ways_clear) struct ways w = {0};
	_free_ struct pick *picks = calloc(h->n_modules + 1, sizeof(*picks));
	struct plans plans = {.wanted = PLANS_MOST, .doubtful = DOUBTFUL_MOST};
	size_t n = 0;
	int r;

	if (!picks)
		return -ENOMEM;
	r = ways_init(&w, g);
	if (r < 0)
		return r;
	for (size_t i = 0; i < h->n_modules; i++)
		if (strcmp(h->modules[i].name, "__main__") != 0)
			picks[n++] = (struct pick){.module = (uint32_t)i,
						   .weight = sketch_mean(&h->modules[i].total)};
	qsort(picks, n, sizeof(*picks), by_weight);
	app->cut_modules = n > MODULES_MOST ? n - MODULES_MOST : 0;
	n -= app->cut_modules;
	app->modules = calloc(n + 1, sizeof(*app->modules));
	if (!app->modules)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		app->n_modules = i + 1;
		r = fill_module(in, g, &w, picks[i].module, &plans, app->strings, &app->modules[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

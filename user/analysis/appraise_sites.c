/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Import statements as people are told of them. */
#include <errno.h>
#include <stdlib.h>

#include "analysis/appraise_int.h"
#include "base/cleanup.h"

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

int appraise_rank(const struct appraise_graph *g, size_t module, uint32_t **ret, size_t *ret_n)
{
	uint32_t first = g->first_edge[module];
	size_t n = g->first_edge[module + 1] - first;
	_free_ struct ranked *ranked = calloc(n + 1, sizeof(*ranked));
	uint32_t *index = calloc(n + 1, sizeof(*index));

	if (!ranked || !index) {
		free(index);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		const struct chains_site *s = &g->site[first + i];

		ranked[i] = (struct ranked){.site = first + (uint32_t)i,
					    .starts = s->starts,
					    .cached = s->cached,
					    .own = g->node[s->from].own,
					    .runs = s->runs};
	}
	qsort(ranked, n, sizeof(*ranked), by_importance);
	for (size_t i = 0; i < n; i++)
		index[i] = ranked[i].site;
	*ret = index;
	*ret_n = n;
	return 0;
}

int appraise_sites(const struct appraise_graph *g, const uint32_t *index, size_t n,
		   struct intern *strings, struct rv_site **ret)
{
	_free_ struct rv_site *sites = calloc(n + 1, sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = appraise_site(g, index[i], strings, &sites[i]);

		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(sites);
	return 0;
}

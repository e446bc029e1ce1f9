/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The graph itself, and what is gone without a part of it. */
#include "analysis/chains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/chains_int.h"
#include "analysis/savings.h"
#include "base/cleanup.h"

#define NS_PER_MS 1e6

struct name_node {
	const char *name; /* borrowed */
	uint32_t node;
};

static int by_name(const void *a, const void *b)
{
	const struct name_node *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_name_part(const void *key, const void *item)
{
	const char *const *part = key; /* begin and end */
	const struct name_node *node = item;
	size_t len = (size_t)(part[1] - part[0]);
	int r = strncmp(part[0], node->name, len);

	return r ? r : node->name[len] ? -1 : 0;
}

static int sort_edges(const struct chains *c, bool incoming, uint32_t **ret_item,
		      uint32_t **ret_start)
{
	_free_ uint32_t *start = calloc(c->n + 2, sizeof(*start));
	uint32_t *item = calloc(c->n_edges + 1, sizeof(*item));

	if (!start || !item) {
		free(item);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->n_edges; i++)
		start[(incoming ? c->edge[i].to : c->edge[i].from) + 2]++;
	for (size_t i = 2; i < c->n + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < c->n_edges; i++)
		item[start[(incoming ? c->edge[i].to : c->edge[i].from) + 1]++] = (uint32_t)i;
	*ret_item = item;
	*ret_start = TAKE_PTR(start);
	return 0;
}

static int index_edges(struct chains *c)
{
	int r;

	free(c->out);
	free(c->out_start);
	free(c->in);
	free(c->in_start);
	c->out = c->out_start = c->in = c->in_start = NULL;
	r = sort_edges(c, false, &c->out, &c->out_start);
	return r < 0 ? r : sort_edges(c, true, &c->in, &c->in_start);
}

static void add_edge(struct chains *c, uint32_t from, uint32_t to, uint32_t site)
{
	if (from != to && to != 0)
		c->edge[c->n_edges++] = (struct chains_edge){.from = from, .to = to, .site = site};
}

/* Importing a.b imports a. */
static int add_packages(struct chains *c)
{
	_free_ struct name_node *names = calloc(c->n, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		names[i] = (struct name_node){.name = c->node[i].name, .node = (uint32_t)i};
	qsort(names, c->n, sizeof(*names), by_name);
	for (size_t i = 1; i < c->n; i++) {
		const char *name = c->node[i].name, *dot = strrchr(name, '.');
		const char *part[] = {name, dot};
		const struct name_node *package;

		if (!dot || !c->node[i].at_start)
			continue;
		package = bsearch(part, names, c->n, sizeof(*names), by_name_part);
		if (package)
			add_edge(c, (uint32_t)i, package->node, CHAINS_NONE);
	}
	return 0;
}

/* What is reached without the edges. Returns how many. */
static size_t begin(const struct chains *c, uint32_t from, const bool *gone, bool *reached,
		    uint32_t *stack)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		bool root = i == from || (c->settled && from == 0 && c->node[i].more_ways &&
					  c->node[i].at_start);

		reached[i] = root && !(gone && gone[i]);
		if (reached[i])
			stack[n++] = i;
	}
	return n;
}

int chains_reach(const struct chains *c, uint32_t from, const bool *gone_nodes,
		 const bool *gone_edges, bool *ret)
{
	_free_ uint32_t *stack = calloc(c->n, sizeof(*stack));
	size_t depth;

	if (!stack)
		return -ENOMEM;
	depth = begin(c, from, gone_nodes, ret, stack);
	while (depth) {
		uint32_t at = stack[--depth];

		for (uint32_t i = c->out_start[at]; i < c->out_start[at + 1]; i++) {
			uint32_t edge = c->out[i], to = c->edge[edge].to;

			if (ret[to] || (gone_edges && gone_edges[edge]) ||
			    (gone_nodes && gone_nodes[to]))
				continue;
			ret[to] = true;
			stack[depth++] = to;
		}
	}
	return 0;
}

/* What is loaded at start, and nothing known leads to it, is the program's. */
static int tie_islands(struct chains *c)
{
	_free_ bool *reached = calloc(c->n, sizeof(*reached));
	_free_ bool *more = calloc(c->n, sizeof(*more));
	size_t n = c->n_edges;
	int r;

	if (!reached || !more)
		return -ENOMEM;
	r = chains_reach(c, 0, NULL, NULL, reached);
	for (uint32_t i = 1; r == 0 && i < c->n; i++) {
		if (reached[i] || !c->node[i].at_start)
			continue;
		/* the adjacency is made anew below; until then the edge is not needed to go on from its end */
		c->edge[n++] = (struct chains_edge){.from = 0, .to = i, .site = CHAINS_NONE};
		/* what is there already ends the walk, so all islands together cost no more than the graph */
		r = chains_reach(c, i, reached, NULL, more);
		for (size_t k = 0; k < c->n; k++)
			reached[k] |= more[k];
	}
	c->n_edges = n;
	return r < 0 ? r : index_edges(c);
}

static int build(struct chains *c)
{
	int r;

	/* One a site, one a module to its package, and one to the program. */
	c->edge = calloc(c->n_sites + 2 * c->n, sizeof(*c->edge));
	c->reached = calloc(c->n, sizeof(*c->reached));
	if (!c->edge || !c->reached)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_sites; i++) {
		const struct chains_site *s = &c->site[i];

		if (s->from >= c->n || s->to >= c->n)
			return -EINVAL;
		if (s->starts && !s->implied && c->node[s->to].at_start)
			add_edge(c, s->from, s->to, (uint32_t)i);
	}
	r = add_packages(c);
	if (r == 0)
		r = index_edges(c);
	if (r == 0)
		r = tie_islands(c);
	if (r == 0)
		r = chains_reach(c, 0, NULL, NULL, c->reached);
	c->settled = true;
	return r;
}

int chains_new(const struct chains_node *nodes, size_t n, const struct chains_site *sites,
	       size_t n_sites, struct chains **ret)
{
	_cleanup_(chains_freep) struct chains *c = NULL;
	int r;

	if (!n || n >= CHAINS_NONE / 4 || n_sites >= CHAINS_NONE / 4)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->node = nodes;
	c->n = n;
	c->site = sites;
	c->n_sites = n_sites;
	r = build(c);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct chains *chains_free(struct chains *c)
{
	if (!c)
		return NULL;
	free(c->edge);
	free(c->out);
	free(c->out_start);
	free(c->in);
	free(c->in_start);
	free(c->reached);
	free(c);
	return NULL;
}

int chains_dominators(const struct chains *c, uint32_t *ret_idom, double *ret_saving_ms)
{
	_free_ uint64_t *weight = calloc(c->n, sizeof(*weight));
	_free_ uint64_t *saving = calloc(c->n, sizeof(*saving));
	_free_ struct savings_edge *edges = calloc(c->n_edges + c->n, sizeof(*edges));
	size_t n = c->n_edges;
	int r;

	if (!weight || !saving || !edges)
		return -ENOMEM;
	for (size_t i = 1; i < c->n; i++)
		if (c->node[i].self_ms > 0)
			weight[i] = (uint64_t)(c->node[i].self_ms * NS_PER_MS + 0.5);
	for (size_t i = 0; i < c->n_edges; i++)
		edges[i] = (struct savings_edge){.from = c->edge[i].from, .to = c->edge[i].to};
	for (uint32_t i = 1; i < c->n; i++)
		if (c->node[i].more_ways && c->node[i].at_start)
			edges[n++] = (struct savings_edge){.from = 0, .to = i};
	r = savings_dominators(c->n, weight, edges, n, ret_idom, saving);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n; i++)
		ret_saving_ms[i] = (double)saving[i] / NS_PER_MS;
	return 0;
}

double chains_lost_ms(const struct chains *c, const bool *left)
{
	double sum = 0;

	for (size_t i = 1; i < c->n; i++)
		if (c->reached[i] && !left[i])
			sum += c->node[i].self_ms;
	return sum;
}

int chains_saving_of(const struct chains *c, const uint32_t *nodes, size_t n, double *ret_ms)
{
	_free_ bool *gone = calloc(c->n, sizeof(*gone));
	_free_ bool *left = calloc(c->n, sizeof(*left));
	int r;

	if (!gone || !left)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (nodes[i] > 0 && nodes[i] < c->n)
			gone[nodes[i]] = true;
	r = chains_reach(c, 0, gone, NULL, left);
	if (r < 0)
		return r;
	*ret_ms = chains_lost_ms(c, left);
	return 0;
}

int chains_saving_of_sites(const struct chains *c, const uint32_t *sites, size_t n, double *ret_ms)
{
	_free_ bool *gone_site = calloc(c->n_sites + 1, sizeof(*gone_site));
	_free_ bool *gone = calloc(c->n_edges + 1, sizeof(*gone));
	_free_ bool *left = calloc(c->n, sizeof(*left));
	int r;

	if (!gone_site || !gone || !left)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (sites[i] < c->n_sites)
			gone_site[sites[i]] = true;
	for (size_t i = 0; i < c->n_edges; i++)
		gone[i] = c->edge[i].site != CHAINS_NONE && gone_site[c->edge[i].site];
	r = chains_reach(c, 0, NULL, gone, left);
	if (r < 0)
		return r;
	*ret_ms = chains_lost_ms(c, left);
	return 0;
}

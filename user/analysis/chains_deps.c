/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What a module pulls in, and what a distribution's modules cost together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/chains.h"
#include "analysis/chains_int.h"
#include "base/cleanup.h"

/* Breadth first: dep[] is the queue. */
static void walk(const struct chains *c, uint32_t node, bool *seen, struct chains_deps *d)
{
	d->dep[d->n++] = (struct chains_dep){.node = node, .via = CHAINS_NONE};
	seen[node] = true;
	for (size_t at = 0; at < d->n; at++) {
		uint32_t from = d->dep[at].node;

		for (uint32_t i = c->out_start[from]; i < c->out_start[from + 1]; i++) {
			uint32_t to = c->edge[c->out[i]].to;

			if (seen[to])
				continue;
			seen[to] = true;
			d->dep[d->n++] = (struct chains_dep){
				.node = to, .via = from, .depth = d->dep[at].depth + 1};
		}
	}
}

int chains_deps(const struct chains *c, uint32_t node, struct chains_deps *ret)
{
	_cleanup_(chains_deps_clear) struct chains_deps d = {0};
	_free_ bool *seen = calloc(c->n, sizeof(*seen));
	_free_ bool *gone = calloc(c->n, sizeof(*gone));
	_free_ bool *left = calloc(c->n, sizeof(*left));
	int r;

	d.dep = calloc(c->n, sizeof(*d.dep));
	if (!seen || !gone || !left || !d.dep)
		return -ENOMEM;
	if (node >= c->n)
		return -EINVAL;
	walk(c, node, seen, &d);
	gone[node] = node != 0;
	r = chains_reach(c, 0, gone, NULL, left);
	if (r < 0)
		return r;
	for (size_t i = 0; i < d.n; i++) {
		struct chains_dep *dep = &d.dep[i];

		dep->only = c->reached[dep->node] && !left[dep->node];
		if (dep->only)
			d.only_ms += c->node[dep->node].self_ms;
		else
			d.shared_ms += c->node[dep->node].self_ms;
	}
	*ret = d;
	d = (struct chains_deps){0};
	return 0;
}

void chains_deps_clear(struct chains_deps *d)
{
	free(d->dep);
	*d = (struct chains_deps){0};
}

static int by_distribution(const void *a, const void *b)
{
	const struct chains_node *const *x = a, *const *y = b;
	int r = strcmp((*x)->distribution, (*y)->distribution);

	return r ? r : (*x > *y) - (*x < *y);
}

static int by_saving(const void *a, const void *b)
{
	const struct chains_rollup *x = a, *y = b;

	if (x->saving_ms != y->saving_ms)
		return x->saving_ms < y->saving_ms ? 1 : -1;
	return strcmp(x->distribution, y->distribution);
}

/* Of nodes that are sorted by distribution: those of the same one as the first. */
static int roll_up(const struct chains *c, const struct chains_node **nodes, size_t n,
		   struct chains_rollup *ret)
{
	_free_ uint32_t *group = calloc(n, sizeof(*group));

	if (!group)
		return -ENOMEM;
	*ret = (struct chains_rollup){.distribution = nodes[0]->distribution};
	for (size_t i = 0; i < n && !strcmp(nodes[i]->distribution, nodes[0]->distribution); i++) {
		group[ret->modules++] = (uint32_t)(nodes[i] - c->node);
		ret->self_ms += nodes[i]->self_ms;
	}
	return chains_saving_of(c, group, ret->modules, &ret->saving_ms);
}

int chains_rollups(const struct chains *c, struct chains_rollup **ret, size_t *ret_n)
{
	_free_ const struct chains_node **nodes = calloc(c->n, sizeof(struct chains_node *));
	_free_ struct chains_rollup *rollups = calloc(c->n, sizeof(*rollups));
	size_t n = 0, n_rollups = 0;

	if (!nodes || !rollups)
		return -ENOMEM;
	for (size_t i = 1; i < c->n; i++)
		if (c->reached[i] && c->node[i].distribution)
			nodes[n++] = &c->node[i];
	qsort(nodes, n, sizeof(struct chains_node *), by_distribution);
	for (size_t i = 0; i < n; i += rollups[n_rollups++].modules) {
		int r = roll_up(c, nodes + i, n - i, &rollups[n_rollups]);

		if (r < 0)
			return r;
	}
	qsort(rollups, n_rollups, sizeof(*rollups), by_saving);
	*ret = TAKE_PTR(rollups);
	*ret_n = n_rollups;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The picture of a typical start: each module below the one that most often loads it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "base/cleanup.h"

#define NODES_MOST 1200
#define DEPTH_MOST 40
#define LEAST_PART 0.0008 /* of the start: narrower than a pixel */
#define NONE UINT32_MAX

struct tree {
	const struct appraise_graph *g; /* borrowed */
	uint32_t *
		parent; /* owned; by node; 0: outermost, also of the program itself; NONE: not in the tree */
	uint32_t *child; /* owned; nodes by parent, the widest first */
	uint32_t *start; /* owned; children of i are child[start[i]] .. child[start[i + 1] - 1] */
	uint32_t *order; /* owned; parents first */
	size_t n_order;
	double *total_ms; /* owned */
};

static void tree_clear(struct tree *t)
{
	free(t->parent);
	free(t->child);
	free(t->start);
	free(t->order);
	free(t->total_ms);
}

static int tree_init(struct tree *t, const struct appraise_graph *g)
{
	t->g = g;
	t->parent = malloc(g->n * sizeof(*t->parent));
	t->child = calloc(g->n, sizeof(*t->child));
	t->start = calloc(g->n + 2, sizeof(*t->start));
	t->order = calloc(g->n, sizeof(*t->order));
	t->total_ms = calloc(g->n, sizeof(*t->total_ms));
	if (!t->parent || !t->child || !t->start || !t->order || !t->total_ms)
		return -ENOMEM;
	memset(t->parent, 0xff, g->n * sizeof(*t->parent));
	return 0;
}

/* The importer that caused the load most often. */
static void find_parents(struct tree *t)
{
	const struct appraise_graph *g = t->g;

	t->parent[0] = 0;
	for (size_t i = 1; i + 1 < g->n; i++) {
		uint64_t most = 0;

		if (!g->node[i].at_start)
			continue;
		t->parent[i] = 0;
		for (uint32_t e = g->first_edge[i - 1]; e < g->first_edge[i]; e++) {
			const struct chains_site *s = &g->site[e];

			if (!s->starts || g->h->edges[e].loads <= most || s->from == i)
				continue;
			most = g->h->edges[e].loads;
			t->parent[i] = s->from + 1 == g->n ? 0 : s->from;
		}
	}
}

/* Children by parent: a counting sort. */
static void find_children(struct tree *t)
{
	size_t n = t->g->n;

	memset(t->start, 0, (n + 2) * sizeof(*t->start));
	for (size_t i = 1; i < n; i++)
		if (t->parent[i] != NONE)
			t->start[t->parent[i] + 2]++;
	for (size_t i = 2; i < n + 2; i++)
		t->start[i] += t->start[i - 1];
	for (size_t i = 1; i < n; i++)
		if (t->parent[i] != NONE)
			t->child[t->start[t->parent[i] + 1]++] = (uint32_t)i;
}

static void visit(struct tree *t, uint32_t node, bool *seen)
{
	/* order[] is the queue: breadth first, so parents come first */
	size_t at = t->n_order;

	seen[node] = true;
	t->order[t->n_order++] = node;
	for (; at < t->n_order; at++) {
		uint32_t from = t->order[at];

		for (uint32_t i = t->start[from]; i < t->start[from + 1]; i++) {
			if (seen[t->child[i]])
				continue;
			seen[t->child[i]] = true;
			t->order[t->n_order++] = t->child[i];
		}
	}
}

/* Two modules may load each other in different runs: a circle hangs off the program. */
static int break_circles(struct tree *t)
{
	_free_ bool *seen = calloc(t->g->n, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	visit(t, 0, seen);
	for (uint32_t i = 1; i < t->g->n; i++) {
		if (t->parent[i] == NONE || seen[i])
			continue;
		t->parent[i] = 0;
		visit(t, i, seen);
	}
	find_children(t);
	return 0;
}

struct wide {
	uint32_t node;
	double total_ms;
};

static int by_width(const void *a, const void *b)
{
	const struct wide *x = a, *y = b;

	if (x->total_ms != y->total_ms)
		return x->total_ms < y->total_ms ? 1 : -1;
	return (x->node > y->node) - (x->node < y->node);
}

static int sort_children(struct tree *t)
{
	_free_ struct wide *wide = calloc(t->g->n, sizeof(*wide));

	if (!wide)
		return -ENOMEM;
	for (size_t i = 0; i < t->g->n; i++) {
		uint32_t first = t->start[i], n = t->start[i + 1] - first;

		for (uint32_t k = 0; k < n; k++)
			wide[k] = (struct wide){.node = t->child[first + k],
						.total_ms = t->total_ms[t->child[first + k]]};
		qsort(wide, n, sizeof(*wide), by_width);
		for (uint32_t k = 0; k < n; k++)
			t->child[first + k] = wide[k].node;
	}
	return 0;
}

static void add_up(struct tree *t)
{
	for (size_t i = 0; i < t->g->n; i++)
		t->total_ms[i] = isfinite(t->g->node[i].self_ms) ? t->g->node[i].self_ms : 0;
	for (size_t i = t->n_order; i-- > 0;)
		if (t->order[i] != 0)
			t->total_ms[t->parent[t->order[i]]] += t->total_ms[t->order[i]];
}

/* Depth first, without what would not be seen. cursor[depth]: next child; row[depth]: its node in the picture. */
static int draw(const struct tree *t, struct rv_app *app)
{
	double least = t->total_ms[0] * LEAST_PART;
	uint32_t cursor[DEPTH_MOST + 1], at[DEPTH_MOST + 1];
	int32_t row[DEPTH_MOST + 1];
	size_t depth = 0;

	at[0] = 0;
	row[0] = -1;
	cursor[0] = t->start[0];
	for (;;) {
		uint32_t node;

		if (cursor[depth] == t->start[at[depth] + 1] || app->n_nodes == NODES_MOST) {
			if (!depth--)
				return 0;
			continue;
		}
		node = t->child[cursor[depth]++];
		if (!(t->total_ms[node] > least))
			continue;
		app->nodes[app->n_nodes] = (struct rv_node){
			.parent = row[depth],
			.self_ms = t->g->node[node].self_ms,
			.total_ms = t->total_ms[node],
			.depth = (uint32_t)depth,
		};
		if (appraise_keep(app->strings, t->g->node[node].name,
				  &app->nodes[app->n_nodes].name) < 0)
			return -ENOMEM;
		app->n_nodes++;
		if (depth == DEPTH_MOST)
			continue;
		depth++;
		at[depth] = node;
		row[depth] = (int32_t)app->n_nodes - 1;
		cursor[depth] = t->start[node];
	}
}

int appraise_icicle(const struct appraise_graph *g, struct rv_app *app)
{
	_cleanup_(tree_clear) struct tree t = {0};
	int r = tree_init(&t, g);

	app->nodes = calloc(NODES_MOST, sizeof(*app->nodes));
	if (r < 0 || !app->nodes)
		return -ENOMEM;
	find_parents(&t);
	find_children(&t);
	r = break_circles(&t);
	if (r < 0)
		return r;
	add_up(&t);
	r = sort_children(&t);
	return r < 0 ? r : draw(&t, app);
}

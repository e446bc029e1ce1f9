/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Lengauer and Tarjan's dominators with path compression: O(m log n) whatever the graph, since a target can shape
 * its import graph as it likes. Everything below works on preorder numbers, not on the caller's node numbers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/savings.h"
#include "base/cleanup.h"

#define NONE UINT32_MAX

/* Neighbours of a node: item[start[n]] .. item[start[n + 1] - 1]. */
struct adjacency {
	uint32_t *start; /* owned, n + 1 */
	uint32_t *item;	 /* owned */
};

struct work {
	size_t n_reached;
	uint32_t *number;   /* owned; by node: preorder number; NONE: not reached */
	uint32_t *node;	    /* owned; by number from here on */
	uint32_t *parent;   /* owned; in the spanning tree */
	uint32_t *semi;	    /* owned */
	uint32_t *label;    /* owned; number with the least semi on the compressed path */
	uint32_t *ancestor; /* owned; NONE: not linked yet */
	uint32_t *idom;	    /* owned */
	uint32_t *bucket;   /* owned; head of the list of numbers whose semidominator this is */
	uint32_t *next;	    /* owned; in that list */
	uint32_t *stack;    /* owned */
};

static void adjacency_clear(struct adjacency *a)
{
	free(a->start);
	free(a->item);
}

static void work_clear(struct work *w)
{
	free(w->number);
	free(w->node);
	free(w->parent);
	free(w->semi);
	free(w->label);
	free(w->ancestor);
	free(w->idom);
	free(w->bucket);
	free(w->next);
	free(w->stack);
}

static uint32_t *new_array(size_t n)
{
	uint32_t *a = malloc((n ? n : 1) * sizeof(*a));

	if (a)
		memset(a, 0xff, (n ? n : 1) * sizeof(*a)); /* all NONE */
	return a;
}

static int work_init(struct work *w, size_t n)
{
	w->number = new_array(n);
	w->node = new_array(n);
	w->parent = new_array(n);
	w->semi = new_array(n);
	w->label = new_array(n);
	w->ancestor = new_array(n);
	w->idom = new_array(n);
	w->bucket = new_array(n);
	w->next = new_array(n);
	w->stack = new_array(n);
	if (!w->number || !w->node || !w->parent || !w->semi || !w->label || !w->ancestor ||
	    !w->idom || !w->bucket || !w->next || !w->stack)
		return -ENOMEM;
	return 0;
}

/* Counting sort of the edges by one end; reverse: predecessors instead of successors. */
static int adjacency_init(struct adjacency *a, size_t n, const struct savings_edge *edges,
			  size_t n_edges, bool reverse)
{
	a->start = calloc(n + 2, sizeof(*a->start));
	a->item = malloc((n_edges ? n_edges : 1) * sizeof(*a->item));
	if (!a->start || !a->item)
		return -ENOMEM;
	for (size_t i = 0; i < n_edges; i++)
		a->start[(reverse ? edges[i].to : edges[i].from) + 2]++;
	for (size_t i = 2; i < n + 2; i++)
		a->start[i] += a->start[i - 1];
	for (size_t i = 0; i < n_edges; i++) {
		uint32_t key = reverse ? edges[i].to : edges[i].from;

		a->item[a->start[key + 1]++] = reverse ? edges[i].from : edges[i].to;
	}
	return 0;
}

static void enter(struct work *w, uint32_t node, uint32_t parent)
{
	uint32_t number = (uint32_t)w->n_reached++;

	w->number[node] = number;
	w->node[number] = node;
	w->parent[number] = parent;
	w->semi[number] = number;
	w->label[number] = number;
}

/* Depth first from node 0; cursor[node] is the next successor to look at. */
static void number_nodes(struct work *w, const struct adjacency *succ, uint32_t *cursor)
{
	size_t depth = 0;

	enter(w, 0, NONE);
	cursor[0] = succ->start[0];
	w->stack[depth++] = 0;
	while (depth) {
		uint32_t node = w->stack[depth - 1], to;

		if (cursor[node] == succ->start[node + 1]) {
			depth--;
			continue;
		}
		to = succ->item[cursor[node]++];
		if (w->number[to] != NONE)
			continue;
		enter(w, to, w->number[node]);
		cursor[to] = succ->start[to];
		w->stack[depth++] = to;
	}
}

/* The number with the least semi from v up to, not including, the root of its linked tree. */
static uint32_t eval(struct work *w, uint32_t v)
{
	size_t depth = 0;

	if (w->ancestor[v] == NONE)
		return v;
	for (uint32_t u = v; w->ancestor[w->ancestor[u]] != NONE; u = w->ancestor[u])
		w->stack[depth++] = u;
	while (depth) {
		uint32_t u = w->stack[--depth], a = w->ancestor[u];

		if (w->semi[w->label[a]] < w->semi[w->label[u]])
			w->label[u] = w->label[a];
		w->ancestor[u] = w->ancestor[a];
	}
	return w->label[v];
}

static void empty_bucket(struct work *w, uint32_t parent)
{
	uint32_t v = w->bucket[parent];

	while (v != NONE) {
		uint32_t next = w->next[v], u = eval(w, v);

		w->idom[v] = w->semi[u] < w->semi[v] ? u : parent;
		v = next;
	}
	w->bucket[parent] = NONE;
}

static void find_dominators(struct work *w, const struct adjacency *pred)
{
	for (uint32_t v = (uint32_t)w->n_reached - 1; v > 0; v--) {
		uint32_t node = w->node[v];

		for (uint32_t i = pred->start[node]; i < pred->start[node + 1]; i++) {
			uint32_t from = w->number[pred->item[i]], u;

			if (from == NONE)
				continue;
			u = eval(w, from);
			if (w->semi[u] < w->semi[v])
				w->semi[v] = w->semi[u];
		}
		w->next[v] = w->bucket[w->semi[v]];
		w->bucket[w->semi[v]] = v;
		w->ancestor[v] = w->parent[v];
		empty_bucket(w, w->parent[v]);
	}
	w->idom[0] = 0;
	for (uint32_t v = 1; v < w->n_reached; v++)
		if (w->idom[v] != w->semi[v])
			w->idom[v] = w->idom[w->idom[v]];
}

static void add_up(const struct work *w, size_t n, const uint64_t *weight_ns, uint32_t *ret_idom,
		   uint64_t *ret_saving_ns)
{
	for (size_t i = 0; i < n; i++) {
		bool reached = w->number[i] != NONE;

		ret_idom[i] = reached ? w->node[w->idom[w->number[i]]] : NONE;
		ret_saving_ns[i] = reached ? weight_ns[i] : 0;
	}
	/* A dominator has a lower number than what it dominates: from the end each sum is complete when it is added. */
	for (size_t v = w->n_reached; v-- > 1;) {
		uint64_t *sum = &ret_saving_ns[w->node[w->idom[v]]];

		if (__builtin_add_overflow(*sum, ret_saving_ns[w->node[v]], sum))
			*sum = UINT64_MAX;
	}
}

int savings_dominators(size_t n, const uint64_t *weight_ns, const struct savings_edge *edges,
		       size_t n_edges, uint32_t *ret_idom, uint64_t *ret_saving_ns)
{
	_cleanup_(adjacency_clear) struct adjacency succ = {0}, pred = {0};
	_cleanup_(work_clear) struct work w = {0};
	_free_ uint32_t *cursor = NULL;

	if (!n || n >= NONE || n_edges >= NONE)
		return -EINVAL;
	for (size_t i = 0; i < n_edges; i++)
		if (edges[i].from >= n || edges[i].to >= n)
			return -EINVAL;
	cursor = new_array(n);
	if (!cursor || work_init(&w, n) < 0 ||
	    adjacency_init(&succ, n, edges, n_edges, false) < 0 ||
	    adjacency_init(&pred, n, edges, n_edges, true) < 0)
		return -ENOMEM;
	number_nodes(&w, &succ, cursor);
	find_dominators(&w, &pred);
	add_up(&w, n, weight_ns, ret_idom, ret_saving_ns);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Why a module is there: the ways to it, and what would have to change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/chains.h"
#include "analysis/chains_int.h"
#include "base/cleanup.h"

#define WORK_MOST 500000 /* steps of the search for paths */
#define PRUNE_MOST 32	 /* sites of a cut up to which each is tried alone */
#define FAR UINT32_MAX

struct search {
	const struct chains *c;
	uint32_t *far;	  /* owned; by node: imports from it to the target; FAR: no way */
	uint32_t *path;	  /* owned */
	uint32_t *cursor; /* owned; by position: next edge to try */
	bool *on_path;	  /* owned; by node */
	size_t work;
	size_t cap_nodes;
};

static void search_clear(struct search *s)
{
	free(s->far);
	free(s->path);
	free(s->cursor);
	free(s->on_path);
}

void chains_paths_clear(struct chains_paths *p)
{
	free(p->node);
	free(p->start);
	*p = (struct chains_paths){0};
}

/* Breadth first against the edges; path[] is the queue here. */
static void measure(struct search *s, uint32_t target)
{
	size_t n = 0;

	memset(s->far, 0xff, s->c->n * sizeof(*s->far));
	s->far[target] = 0;
	s->path[n++] = target;
	for (size_t at = 0; at < n; at++) {
		uint32_t to = s->path[at];

		for (uint32_t i = s->c->in_start[to]; i < s->c->in_start[to + 1]; i++) {
			uint32_t from = s->c->edge[s->c->in[i]].from;

			if (s->far[from] != FAR)
				continue;
			s->far[from] = s->far[to] + 1;
			s->path[n++] = from;
		}
	}
}

static int keep_path(struct search *s, size_t length, struct chains_paths *p)
{
	size_t used = p->start[p->n];

	if (!p->node || used + length > s->cap_nodes) {
		size_t cap = (used + length) * 2;
		uint32_t *node = realloc(p->node, cap * sizeof(*node));

		if (!node)
			return -ENOMEM;
		p->node = node;
		s->cap_nodes = cap;
	}
	memcpy(p->node + used, s->path, length * sizeof(*s->path));
	p->start[++p->n] = used + length;
	return 0;
}

/* The next node after path[at] with which the target can still be met in time; FAR: none is left. */
static uint32_t next_node(struct search *s, size_t at, size_t length)
{
	const struct chains *c = s->c;
	uint32_t from = s->path[at];

	while (s->cursor[at] < c->out_start[from + 1]) {
		uint32_t i = s->cursor[at]++, to = c->edge[c->out[i]].to;
		bool again = false;

		s->work++;
		if (s->on_path[to] || s->far[to] == FAR || at + 2 + s->far[to] > length)
			continue;
		/* the target ends a path: as a step on the way it would be a circle */
		if (s->far[to] == 0 && at + 2 != length)
			continue;
		/* two statements of one pair are one step */
		for (uint32_t k = c->out_start[from]; k < i && !again; k++)
			again = c->edge[c->out[k]].to == to;
		if (!again)
			return to;
	}
	return FAR;
}

/* All simple paths of exactly `length` nodes. */
static int search_length(struct search *s, size_t length, size_t max_paths, struct chains_paths *p)
{
	size_t at = 0;

	s->path[0] = 0;
	s->cursor[0] = s->c->out_start[0];
	s->on_path[0] = true;
	for (;;) {
		uint32_t to = next_node(s, at, length);

		if (s->work > WORK_MOST || p->n == max_paths) {
			p->more = true;
			return 0;
		}
		if (to == FAR) {
			s->on_path[s->path[at]] = false;
			if (!at--)
				return 0;
			continue;
		}
		s->path[at + 1] = to;
		if (s->far[to] == 0) {
			int r = keep_path(s, length, p);

			if (r < 0)
				return r;
			continue;
		}
		at++;
		s->cursor[at] = s->c->out_start[to];
		s->on_path[to] = true;
	}
}

/* Modules that a way can lead over: no way is longer. */
static size_t count_between(const struct search *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->c->n; i++)
		n += s->c->reached[i] && s->far[i] != FAR;
	return n;
}

int chains_paths(const struct chains *c, uint32_t node, size_t max_paths, size_t max_length,
		 struct chains_paths *ret)
{
	_cleanup_(search_clear) struct search s = {.c = c};
	_cleanup_(chains_paths_clear) struct chains_paths p = {0};
	size_t longest;
	int r = 0;

	if (node == 0 || node >= c->n)
		return -EINVAL;
	s.far = calloc(c->n, sizeof(*s.far));
	s.path = calloc(c->n + 1, sizeof(*s.path));
	s.cursor = calloc(c->n + 1, sizeof(*s.cursor));
	s.on_path = calloc(c->n, sizeof(*s.on_path));
	p.start = calloc(max_paths + 2, sizeof(*p.start));
	if (!s.far || !s.path || !s.cursor || !s.on_path || !p.start)
		return -ENOMEM;
	measure(&s, node);
	longest = count_between(&s);
	if (max_length > longest)
		max_length = longest;
	for (size_t length = s.far[0] == FAR ? FAR : (size_t)s.far[0] + 1;
	     r == 0 && length <= max_length && !p.more; length++)
		r = search_length(&s, length, max_paths, &p);
	if (r < 0)
		return r;
	if (s.far[0] != FAR && max_length < longest)
		p.more = true;
	*ret = p;
	p = (struct chains_paths){0};
	return 0;
}

void chains_cut_clear(struct chains_cut *cut)
{
	free(cut->site);
	*cut = (struct chains_cut){0};
}

/* The nearest editable imports above the module; others: what is there without it. */
static int find_cut(const struct chains *c, uint32_t node, const bool *others,
		    struct chains_cut *cut)
{
	_free_ uint32_t *stack = calloc(c->n, sizeof(*stack));
	_free_ bool *seen = calloc(c->n, sizeof(*seen));
	size_t depth = 0;

	if (!stack || !seen)
		return -ENOMEM;
	stack[depth++] = node;
	seen[node] = true;
	while (depth) {
		uint32_t to = stack[--depth];

		cut->more_ways |= c->node[to].more_ways;
		for (uint32_t i = c->in_start[to]; i < c->in_start[to + 1]; i++) {
			const struct chains_edge *e = &c->edge[c->in[i]];

			if (!others[e->from])
				continue;
			if (e->site != CHAINS_NONE && c->node[e->from].own) {
				cut->site[cut->n++] = e->site;
			} else if (e->from == 0) {
				cut->possible = false;
			} else if (!seen[e->from]) {
				seen[e->from] = true;
				stack[depth++] = e->from;
			}
		}
	}
	return 0;
}

int chains_only_site(const struct chains *c, uint32_t node, uint32_t *ret_site)
{
	_free_ bool *gone = calloc(c->n, sizeof(*gone));
	_free_ bool *others = calloc(c->n, sizeof(*others));
	size_t ways = 0;
	int r;

	if (node == 0 || node >= c->n)
		return -EINVAL;
	if (!gone || !others)
		return -ENOMEM;
	*ret_site = CHAINS_NONE;
	gone[node] = true;
	r = chains_reach(c, 0, gone, NULL, others);
	for (uint32_t i = c->in_start[node]; r == 0 && i < c->in_start[node + 1]; i++) {
		const struct chains_edge *e = &c->edge[c->in[i]];

		/* what is there only because of it is no way to it */
		if (others[e->from])
			*ret_site = ways++ ? CHAINS_NONE : e->site;
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Whether the module is still loaded without these sites. */
static int still_there(const struct chains *c, uint32_t node, const bool *gone_site, bool *gone,
		       bool *left)
{
	int r;

	for (size_t i = 0; i < c->n_edges; i++)
		gone[i] = c->edge[i].site != CHAINS_NONE && gone_site[c->edge[i].site];
	r = chains_reach(c, 0, NULL, gone, left);
	return r < 0 ? r : left[node];
}

/* Leaves out what is not needed: an importer may itself be there only through another import of the cut. */
static int prune_cut(const struct chains *c, uint32_t node, struct chains_cut *cut)
{
	_free_ bool *gone_site = calloc(c->n_sites + 1, sizeof(*gone_site));
	_free_ bool *gone = calloc(c->n_edges + 1, sizeof(*gone));
	_free_ bool *left = calloc(c->n, sizeof(*left));

	if (!gone_site || !gone || !left)
		return -ENOMEM;
	for (size_t i = 0; i < cut->n; i++)
		gone_site[cut->site[i]] = true;
	for (size_t i = cut->n; i-- > 0 && cut->n > 1;) {
		int r;

		gone_site[cut->site[i]] = false;
		r = still_there(c, node, gone_site, gone, left);
		if (r < 0)
			return r;
		if (r)
			gone_site[cut->site[i]] = true;
		else
			memmove(cut->site + i, cut->site + i + 1,
				(--cut->n - i) * sizeof(*cut->site));
	}
	return 0;
}

int chains_cut(const struct chains *c, uint32_t node, struct chains_cut *ret)
{
	_cleanup_(chains_cut_clear) struct chains_cut cut = {.possible = true, .direct = true};
	_free_ bool *gone = calloc(c->n, sizeof(*gone));
	_free_ bool *others = calloc(c->n, sizeof(*others));
	int r;

	if (node == 0 || node >= c->n)
		return -EINVAL;
	cut.site = calloc(c->n_sites + 1, sizeof(*cut.site));
	if (!cut.site || !gone || !others)
		return -ENOMEM;
	gone[node] = true;
	r = chains_reach(c, 0, gone, NULL, others);
	if (r == 0)
		r = find_cut(c, node, others, &cut);
	if (r < 0)
		return r;
	cut.possible &= !cut.more_ways;
	qsort(cut.site, cut.n, sizeof(*cut.site), by_number);
	if (cut.possible && cut.n > 1 && cut.n <= PRUNE_MOST)
		r = prune_cut(c, node, &cut);
	for (size_t i = 0; i < cut.n; i++)
		cut.direct &= c->site[cut.site[i]].to == node;
	if (r == 0 && cut.possible)
		r = chains_saving_of_sites(c, cut.site, cut.n, &cut.saving_ms);
	if (r < 0)
		return r;
	*ret = cut;
	cut = (struct chains_cut){0};
	return 0;
}

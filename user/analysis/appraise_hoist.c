/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Where an import inside a function could stand at the top, and where it cannot: Python would meet a half-made module. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "base/cleanup.h"

#define IMPORTERS_TRIED 8	 /* of a module */
#define EDGES_WALKED (16u << 20) /* of an app: a second's work at most */

static int by_name_part(const void *key, const void *item)
{
	const char *const *part = key; /* begin and end */
	const struct mdl_hist_module *m = item;
	size_t len = (size_t)(part[1] - part[0]);
	int r = strncmp(part[0], m->name, len);

	return r ? r : m->name[len] ? -1 : 0;
}

static uint32_t package_of(const struct mdl_history *h, const char *name)
{
	const char *part[] = {name, strrchr(name, '.')};
	const struct mdl_hist_module *m =
		part[1] ? bsearch(part, h->modules, h->n_modules, sizeof(*m), by_name_part) : NULL;

	return m ? (uint32_t)(m - h->modules) + 1 : CHAINS_NONE;
}

static bool is_inside(uint8_t place)
{
	return place == LMMSD_PLACE_FUNCTION || place == LMMSD_PLACE_LAZY;
}

int appraise_tops_init(struct appraise_tops *t, const struct appraise_graph *g)
{
	const struct mdl_history *h = g->h;

	*t = (struct appraise_tops){.g = g, .left = EDGES_WALKED};
	t->first = calloc(g->n + 2, sizeof(*t->first));
	t->to = calloc(h->n_edges + 1, sizeof(*t->to));
	t->package = calloc(g->n, sizeof(*t->package));
	t->seen = calloc(g->n, sizeof(*t->seen));
	t->stack = calloc(g->n, sizeof(*t->stack));
	if (!t->first || !t->to || !t->package || !t->seen || !t->stack)
		return -ENOMEM;
	for (size_t i = 0; i < g->n; i++)
		t->package[i] = package_of(h, g->node[i].name);
	for (size_t i = 0; i < h->n_edges; i++)
		t->first[g->site[i].from + 2] += !is_inside(g->site[i].place);
	for (size_t i = 2; i < g->n + 2; i++)
		t->first[i] += t->first[i - 1];
	for (size_t i = 0; i < h->n_edges; i++)
		if (!is_inside(g->site[i].place))
			t->to[t->first[g->site[i].from + 1]++] =
				appraise_is_program(g->node[g->site[i].to].name) ? 0 :
										   g->site[i].to;
	return 0;
}

void appraise_tops_clear(struct appraise_tops *t)
{
	free(t->first);
	free(t->to);
	free(t->package);
	free(t->seen);
	free(t->stack);
	*t = (struct appraise_tops){0};
}

/* a.b imports a first; who is in a itself has that already. */
static bool has_begun(const char *package, const char *importer)
{
	size_t len = strlen(package);

	return !strncmp(package, importer, len) && (!importer[len] || importer[len] == '.');
}

static void push(struct appraise_tops *t, uint32_t node, size_t *depth)
{
	if (t->seen[node] == t->walk)
		return;
	t->seen[node] = t->walk;
	t->stack[(*depth)++] = node;
}

/* Whether to import the module, anywhere and at any time, is to import the other; when the work is too much, yes. */
static bool leads_to(struct appraise_tops *t, uint32_t module, uint32_t other)
{
	const char *name = t->g->node[other].name;
	size_t depth = 0;

	t->walk++;
	push(t, module, &depth);
	while (depth) {
		uint32_t at = t->stack[--depth], package = t->package[at];
		size_t edges = t->first[at + 1] - t->first[at] + 1;

		if (at == other || edges > t->left)
			return true;
		t->left -= edges;
		if (package != CHAINS_NONE && !has_begun(t->g->node[package].name, name))
			push(t, package, &depth);
		for (uint32_t i = t->first[at]; i < t->first[at + 1]; i++)
			push(t, t->to[i], &depth);
	}
	return false;
}

/* The app's own import of it that is not inside a function, if any, at the top of a module before others. */
static uint32_t find_other(const struct appraise_graph *g, const uint32_t *index, size_t n)
{
	uint32_t found = CHAINS_NONE;

	for (size_t i = 0; i < n; i++) {
		const struct chains_site *s = &g->site[index[i]];

		if (!g->node[s->from].own || is_inside(s->place))
			continue;
		if (s->place == LMMSD_PLACE_MODULE)
			return index[i];
		if (found == CHAINS_NONE)
			found = index[i];
	}
	return found;
}

/* Marks who has it at the top: nothing is left to do there. */
static void mark_tops(struct appraise_tops *t, const uint32_t *index, size_t n)
{
	t->walk++;
	for (size_t i = 0; i < n; i++)
		if (t->g->site[index[i]].place == LMMSD_PLACE_MODULE)
			t->seen[t->g->site[index[i]].from] = t->walk;
}

/* The app's own imports of it inside functions, one of a module, most important first. */
static size_t find_inside(struct appraise_tops *t, const uint32_t *index, size_t n,
			  uint32_t ret[IMPORTERS_TRIED])
{
	const struct appraise_graph *g = t->g;
	size_t found = 0;

	mark_tops(t, index, n);
	for (size_t i = 0; i < n && found < IMPORTERS_TRIED; i++) {
		const struct chains_site *s = &g->site[index[i]];

		if (!g->node[s->from].own || !is_inside(s->place) || t->seen[s->from] == t->walk)
			continue;
		t->seen[s->from] = t->walk;
		ret[found++] = index[i];
	}
	return found;
}

int appraise_hoist(struct appraise_tops *t, const uint32_t *index, size_t n, struct intern *strings,
		   struct rv_hoist *ret)
{
	uint32_t inside[IMPORTERS_TRIED], other = find_other(t->g, index, n);
	size_t found = find_inside(t, index, n, inside), free_at = 0;
	int r = 0;

	*ret = (struct rv_hoist){0};
	while (free_at < found &&
	       leads_to(t, t->g->site[inside[free_at]].to, t->g->site[inside[free_at]].from))
		free_at++;
	ret->circle = found && free_at == found;
	if (found)
		r = appraise_site(t->g, inside[ret->circle ? 0 : free_at], strings, &ret->inside);
	if (r == 0 && other != CHAINS_NONE)
		r = appraise_site(t->g, other, strings, &ret->other);
	return r;
}

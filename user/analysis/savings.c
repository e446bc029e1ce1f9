/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * From a process to the graph of its start. Node 0 is the program, node i + 1 is module i. What an import that did
 * run during the start led to is an edge; what ran only later is not, or it would keep alive what the start alone needs.
 */
#include "analysis/savings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statements.h"
#include "base/cleanup.h"
#include "base/text.h"

#define ROOT 0U
#define NOT_COUNTED (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)

struct name_node {
	const char *name; /* borrowed */
	uint32_t node;
};

struct start {
	const struct mdl_process *p; /* borrowed */
	size_t n;		     /* nodes */
	struct name_node *names;     /* owned, sorted by name */
	uint32_t *load_node;	     /* owned; by load: its module's node; ROOT: none */
	bool *in_start;		     /* owned; by load */
	uint8_t *seen;		     /* owned; by node: SEEN_* */
	uint64_t *weight_ns;	     /* owned; by node */
	struct savings_edge *edges;  /* owned */
	size_t n_edges;
	size_t cap_edges;
};
#define SEEN_START 0x1 /* loaded during the start */
#define SEEN_LATER 0x2 /* loaded, but after it */

static void start_clear(struct start *s)
{
	free(s->names);
	free(s->load_node);
	free(s->in_start);
	free(s->seen);
	free(s->weight_ns);
	free(s->edges);
}

static int by_name(const void *a, const void *b)
{
	const struct name_node *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->node > y->node) - (x->node < y->node);
}

/* ROOT for the program itself and for names that are no module of the process. */
static uint32_t node_of(const struct start *s, const char *name)
{
	size_t low = 0, high = s->n - 1;

	if (!name || !strcmp(name, "__main__") || !strcmp(name, "__mp_main__"))
		return ROOT;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = strcmp(name, s->names[mid].name);

		if (!r)
			return s->names[mid].node;
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return ROOT;
}

static int start_init(struct start *s, const struct mdl_process *p)
{
	s->p = p;
	s->n = p->n_modules + 1;
	if (s->n >= UINT32_MAX || p->n_loads >= INT32_MAX)
		return -EINVAL;
	/* At most one edge an edge, two a load, one a module to its package, and one a node to the root. */
	s->cap_edges = p->n_edges + 2 * p->n_loads + 2 * s->n;
	s->names = calloc(s->n, sizeof(*s->names));
	s->load_node = calloc(p->n_loads + 1, sizeof(*s->load_node));
	s->in_start = calloc(p->n_loads + 1, sizeof(*s->in_start));
	s->seen = calloc(s->n, sizeof(*s->seen));
	s->weight_ns = calloc(s->n, sizeof(*s->weight_ns));
	s->edges = calloc(s->cap_edges, sizeof(*s->edges));
	if (!s->names || !s->load_node || !s->in_start || !s->seen || !s->weight_ns || !s->edges)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_modules; i++)
		s->names[i] = (struct name_node){.name = p->modules[i].name,
						 .node = (uint32_t)i + 1};
	qsort(s->names, p->n_modules, sizeof(*s->names), by_name);
	return 0;
}

static void add_edge(struct start *s, uint32_t from, uint32_t to)
{
	if (from != to && to != ROOT && s->n_edges < s->cap_edges)
		s->edges[s->n_edges++] = (struct savings_edge){.from = from, .to = to};
}

/* The load that encloses this one and is counted; -1: none. */
static int32_t parent_of(const struct mdl_process *p, size_t load)
{
	int32_t parent = p->loads[load].parent;

	/* A parent starts before its child; anything else is damage and ends the walk. */
	if (parent < 0 || (size_t)parent >= load || p->loads[parent].flags & NOT_COUNTED)
		return -1;
	return parent;
}

/* What a fork goes on with is not part of the child's own start. */
static bool in_inherited(const struct mdl_process *p, size_t load)
{
	int32_t parent = p->loads[load].parent;

	return parent >= 0 && (size_t)parent < load && p->loads[parent].flags & MDL_LOAD_INHERITED;
}

/* The start is the outermost loads that cold_start_ns was summed from: the first ones, until it is used up. */
static void find_start(struct start *s)
{
	const struct mdl_process *p = s->p;
	uint64_t sum_ns = 0;

	for (size_t i = 0; i < p->n_loads; i++) {
		const struct mdl_load *l = &p->loads[i];
		int32_t parent = parent_of(p, i);

		if (l->flags & NOT_COUNTED)
			continue;
		s->load_node[i] = node_of(s, l->name);
		if (parent >= 0) {
			s->in_start[i] = s->in_start[parent];
		} else if (!in_inherited(p, i)) {
			s->in_start[i] = sum_ns < p->cold_start_ns;
			sum_ns += l->total_ns;
		}
		s->seen[s->load_node[i]] |= s->in_start[i] ? SEEN_START : SEEN_LATER;
		if (s->in_start[i])
			s->weight_ns[s->load_node[i]] += l->self_ns - l->spent_ns;
	}
	s->weight_ns[ROOT] = 0;
}

/* What the interpreter starts for itself: no import statement of the program leads to it. */
static bool is_machinery(const char *name)
{
	static const char *const prefixes[] = {"encodings.", "importlib.", "_frozen_importlib"};
	static const char *const names[] = {"site", "encodings", "importlib", "zipimport", "runpy"};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (text_starts_with(name, prefixes[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* It was loaded only as the package of what the same statement asked for. */
static bool load_implied(const struct mdl_process *p, size_t load, int32_t parent)
{
	const struct mdl_load *l = &p->loads[load];
	const struct mdl_load *in = parent < 0 ? NULL : &p->loads[parent];
	size_t len = strlen(l->name);

	return in && l->line > 0 && in->line == l->line && in->importer == l->importer &&
	       in->importer_file == l->importer_file && strncmp(in->name, l->name, len) == 0 &&
	       in->name[len] == '.';
}

static void add_load_edges(struct start *s)
{
	const struct mdl_process *p = s->p;

	for (size_t i = 0; i < p->n_loads; i++) {
		const struct mdl_load *l = &p->loads[i];
		int32_t parent = parent_of(p, i);

		if (!s->in_start[i])
			continue;
		if (l->start_ns < p->main_ns && l->importer && is_machinery(l->importer))
			add_edge(s, ROOT, s->load_node[i]);
		if (l->importer && !load_implied(p, i, parent))
			add_edge(s, node_of(s, l->importer), s->load_node[i]);
		else if (!l->importer)
			add_edge(s, parent < 0 ? ROOT : s->load_node[parent], s->load_node[i]);
	}
}

/* Code that was loaded only after the start cannot have imported anything during it. */
static bool only_later(const struct start *s, uint32_t node)
{
	return node != ROOT && s->seen[node] == SEEN_LATER;
}

static int add_import_edges(struct start *s)
{
	const struct mdl_process *p = s->p;
	_free_ struct statement *statements = calloc(p->n_edges + 1, sizeof(*statements));
	int r;

	if (!statements)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_edges; i++) {
		const struct mdl_edge *e = &p->edges[i];

		statements[i] = (struct statement){.importer = (uintptr_t)e->importer,
						   .module = e->module,
						   .file = e->file,
						   .line = e->line,
						   .once = e->loaded && e->count == 1};
	}
	r = statements_imply(statements, p->n_edges);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n_edges; i++) {
		const struct mdl_edge *e = &p->edges[i];
		uint32_t from = node_of(s, e->importer), to = node_of(s, e->module);

		/* Not known to have run at start, unless it was what loaded. */
		if (e->place == LMMSD_PLACE_FUNCTION && !e->loaded)
			continue;
		/* Without an importer the enclosing load knows better, where there is one: see add_load_edges(). */
		if (!e->importer && s->seen[to])
			continue;
		if (!statements[i].implied && !only_later(s, from) && !only_later(s, to))
			add_edge(s, from, to);
	}
	return 0;
}

/* Importing a.b imports a. */
static int add_package_edges(struct start *s)
{
	for (size_t i = 0; i < s->p->n_modules; i++) {
		const char *name = s->p->modules[i].name, *dot = strrchr(name, '.');
		_free_ char *package = NULL;

		if (!dot || only_later(s, (uint32_t)i + 1))
			continue;
		package = strndup(name, (size_t)(dot - name));
		if (!package)
			return -ENOMEM;
		if (node_of(s, package) != ROOT)
			add_edge(s, (uint32_t)i + 1, node_of(s, package));
	}
	return 0;
}

/* What is reached so far, grown edge by edge. */
struct reach {
	uint32_t *head;	 /* owned; by node: its first edge; UINT32_MAX: none */
	uint32_t *next;	 /* owned; by edge: the next of the same node */
	uint32_t *stack; /* owned; by node */
	bool *done;	 /* owned; by node */
};

static void reach_clear(struct reach *r)
{
	free(r->head);
	free(r->next);
	free(r->stack);
	free(r->done);
}

static int reach_init(struct reach *r, const struct start *s)
{
	r->head = malloc(s->n * sizeof(*r->head));
	r->next = calloc(s->n_edges + 1, sizeof(*r->next));
	r->stack = calloc(s->n, sizeof(*r->stack));
	r->done = calloc(s->n, sizeof(*r->done));
	if (!r->head || !r->next || !r->stack || !r->done)
		return -ENOMEM;
	memset(r->head, 0xff, s->n * sizeof(*r->head));
	for (size_t i = 0; i < s->n_edges; i++) {
		r->next[i] = r->head[s->edges[i].from];
		r->head[s->edges[i].from] = (uint32_t)i;
	}
	return 0;
}

static void reach_from(struct reach *r, const struct start *s, uint32_t node)
{
	size_t depth = 0;

	if (r->done[node])
		return;
	r->done[node] = true;
	r->stack[depth++] = node;
	while (depth) {
		uint32_t from = r->stack[--depth];

		for (uint32_t i = r->head[from]; i != UINT32_MAX; i = r->next[i]) {
			uint32_t to = s->edges[i].to;

			if (r->done[to])
				continue;
			r->done[to] = true;
			r->stack[depth++] = to;
		}
	}
}

/*
 * Hangs off the root what nothing known leads to: importers that were there before anything was seen, then start-up
 * loads in order, so that of an island only the one that came first is tied to the program.
 */
static int tie_islands(struct start *s)
{
	_cleanup_(reach_clear) struct reach reach = {0};
	int r = reach_init(&reach, s);

	if (r < 0)
		return r;
	reach_from(&reach, s, ROOT);
	for (uint32_t i = 1; i < s->n; i++) {
		if (reach.done[i] || s->seen[i] || reach.head[i] == UINT32_MAX)
			continue;
		add_edge(s, ROOT, i);
		reach_from(&reach, s, i);
	}
	for (size_t i = 0; i < s->p->n_loads; i++) {
		if (!s->in_start[i] || reach.done[s->load_node[i]])
			continue;
		add_edge(s, ROOT, s->load_node[i]);
		reach_from(&reach, s, s->load_node[i]);
	}
	return 0;
}

int savings_process(struct mdl_process *p)
{
	_cleanup_(start_clear) struct start s = {0};
	_free_ uint64_t *saving_ns = NULL;
	_free_ uint32_t *idom = NULL;
	int r;

	r = start_init(&s, p);
	if (r < 0)
		return r;
	saving_ns = calloc(s.n, sizeof(*saving_ns));
	idom = calloc(s.n, sizeof(*idom));
	if (!saving_ns || !idom)
		return -ENOMEM;
	/* Of a process whose start was not seen nothing can be said. */
	if (p->from_start) {
		find_start(&s);
		add_load_edges(&s);
		r = add_import_edges(&s);
		if (r == 0)
			r = add_package_edges(&s);
		if (r == 0)
			r = tie_islands(&s);
		if (r == 0)
			r = savings_dominators(s.n, s.weight_ns, s.edges, s.n_edges, idom,
					       saving_ns);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < p->n_modules; i++)
		p->modules[i].saving_ns = saving_ns[i + 1];
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* All apps' histories, and who imports whom in them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/history.h"
#include "model/metrics.h"

#define NS_PER_S 1000000000

/* Cells are in order of module, importer, placement, loaded: "false" comes right before "true". */
static int add_edge(struct mdl_history *h, const struct cell *c)
{
	struct mdl_hist_edge *e = h->n_edges ? &h->edges[h->n_edges - 1] : NULL;
	int32_t module = mdl_history_find(h, c->label[1]);
	uint64_t runs = history_count(c->value);
	uint8_t place = history_place(c->label[3]);
	const char *importer;
	int r;

	if (module < 0 || !runs)
		return 0;
	r = history_keep(h, c->label[2], &importer);
	if (r < 0)
		return r;
	if (!e || e->module != (uint32_t)module || e->importer_name != importer ||
	    e->place != place) {
		e = &h->edges[h->n_edges++];
		*e = (struct mdl_hist_edge){
			.importer = importer ? mdl_history_find(h, importer) : -1,
			.importer_name = importer,
			.module = (uint32_t)module,
			.place = place,
			.last_day = h->until_day - 1,
		};
	}
	e->runs += runs;
	e->count += runs;
	e->loads += strcmp(c->label[4], "true") ? 0 : runs;
	return 0;
}

/* Where edges are not told: the one importer of which it is known. */
static int add_known(struct mdl_history *h, uint32_t module, struct range info)
{
	struct mdl_hist_module *m = &h->modules[module];
	struct mdl_hist_edge *e = &h->edges[h->n_edges];
	const struct cell *best = NULL;
	int r;

	for (size_t i = 0; i < info.n; i++)
		if (*info.cell[i].label[4] && (!best || info.cell[i].value > best->value))
			best = &info.cell[i];
	if (!best || !m->runs_loaded)
		return 0;
	m->more_ways = true;
	*e = (struct mdl_hist_edge){
		.importer = mdl_history_find(h, best->label[4]),
		.module = module,
		.place = m->place,
		.runs = m->runs_loaded,
		.count = m->runs_loaded,
		.loads = m->runs_loaded,
		.last_day = h->until_day - 1,
	};
	r = history_keep(h, best->label[4], &e->importer_name);
	h->n_edges += r == 0;
	return r;
}

static int fill_edges(struct mdl_history *h, const struct range *family)
{
	struct range edges = family[FAM_IMPORTERS];
	int r = 0;

	h->edges = calloc(edges.n + h->n_modules + 1, sizeof(*h->edges));
	if (!h->edges)
		return -ENOMEM;
	for (size_t i = 0; i < h->n_modules && r == 0; i++) {
		struct range own = history_module_in(edges, h->modules[i].name);
		size_t before = h->n_edges;

		/* a daemon tells that many apart and leaves out the rest; if all together have fewer, none did */
		h->modules[i].more_ways = own.n >= MDL_IMPORTERS;
		for (size_t k = 0; k < own.n && r == 0; k++)
			r = add_edge(h, &own.cell[k]);
		if (r == 0 && h->n_edges == before)
			r = add_known(h, (uint32_t)i,
				      history_module_in(family[FAM_INFO], h->modules[i].name));
	}
	return r;
}

static int build(const struct range *family, const char *app, const struct fleet_period *p,
		 struct mdl_history **ret)
{
	struct mdl_history *h = calloc(1, sizeof(*h));
	struct intern *strings = NULL;
	int r = h ? intern_new(&strings) : -ENOMEM;

	if (r < 0) {
		free(h);
		return r;
	}
	h->strings = strings;
	h->since_day = h->first_day = p->since_day;
	h->until_day = p->until_day;
	h->last_day = p->until_day - 1;
	h->first_ns = p->since_s * NS_PER_S;
	h->last_ns = p->until_s * NS_PER_S;
	h->app = intern_str(strings, app);
	r = h->app ? history_whole(h, family) : -ENOMEM;
	if (r == 0)
		r = history_modules(h, family);
	if (r == 0)
		r = fill_edges(h, family);
	if (r < 0)
		h = history_free(h);
	*ret = h;
	return r;
}

static uint64_t all_runs(const struct mdl_history *h)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < MDL_RUN_CLASSES; i++)
		sum += h->runs[i];
	return sum;
}

static int add_app(const struct range *family, const char *app, const struct fleet_period *p,
		   struct fleet_answer *ret)
{
	struct mdl_history *h = NULL;
	int r = build(family, app, p, &h);

	if (r < 0)
		return r;
	if (all_runs(h))
		ret->history[ret->n++] = h;
	else
		(void)history_free(h);
	return 0;
}

static void add_lost(const struct cell *c, struct fleet_answer *ret)
{
#define NAME(id, name, cure) name,
	static const char *const names[] = { LMMSD_REASONS(NAME) };
#undef NAME

	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		if (!strcmp(c->label[0], names[i]))
			ret->lost[i] += history_count(c->value);
}

static void add_bound(const struct cell *c, struct fleet_answer *ret)
{
	double ms = strtod(c->label[2], NULL) * 1000;
	size_t at = 0;

	while (at < ret->n_bounds && ret->bounds_ms[at] < ms)
		at++;
	/* also what is no number at all */
	if (!isfinite(ms) || ms <= 0 || ret->n_bounds == ARRAY_LEN(ret->bounds_ms) ||
	    (at < ret->n_bounds && ret->bounds_ms[at] == ms))
		return;
	memmove(&ret->bounds_ms[at + 1], &ret->bounds_ms[at],
		(ret->n_bounds - at) * sizeof(*ret->bounds_ms));
	ret->bounds_ms[at] = ms;
	ret->n_bounds++;
}

/* The cells of one app: n from there on. Losses are no app's. */
static size_t next_app(const struct cells *c, size_t from, struct range family[FAM_MAX])
{
	size_t n = 0;

	memset(family, 0, FAM_MAX * sizeof(*family));
	for (; from + n < c->n; n++) {
		const struct cell *cell = &c->cell[from + n];
		struct range *r = &family[cell->family];

		if (cell->label[0] != c->cell[from].label[0])
			break;
		if (!r->n++)
			r->cell = cell;
	}
	return n;
}

int histories_build(const struct cells *c, const struct fleet_period *p, struct fleet_answer *ret)
{
	struct range family[FAM_MAX];
	size_t n;
	int r = 0;

	ret->history = calloc(c->n + 1, sizeof(struct mdl_history *));
	if (!ret->history)
		return -ENOMEM;
	for (size_t i = 0; i < c->n && r == 0; i += n) {
		n = next_app(c, i, family);
		for (size_t k = 0; k < family[FAM_LOST].n; k++)
			add_lost(&family[FAM_LOST].cell[k], ret);
		for (size_t k = 0; k < family[FAM_IMPORT_BUCKET].n; k++)
			add_bound(&family[FAM_IMPORT_BUCKET].cell[k], ret);
		r = add_app(family, c->cell[i].label[0], p, ret);
	}
	return r;
}

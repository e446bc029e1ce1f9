/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Aggregates in numbers to the history that others read: rows of one module in several versions become one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_int.h"

struct building {
	struct agg *a;	       /* borrowed; its sketches move to the history */
	struct mdl_history *h; /* borrowed */
	struct texts texts;
};

static int add_day(struct mdl_history *h, struct agg_day *from, struct agg_day *sum)
{
	struct mdl_day *to = &h->days[h->n_days];
	int r = agg_day_merge(sum, from);

	if (r < 0)
		return r;
	h->n_days++;
	to->day = from->day;
	memcpy(to->runs, from->runs, sizeof(to->runs));
	to->cold_start = from->cold_start;
	to->interpreter = from->interpreter;
	from->cold_start = from->interpreter = (struct sketch){0};
	return 0;
}

static int by_runs(const void *a, const void *b)
{
	const struct agg_python *x = a, *y = b;

	return (x->runs < y->runs) - (x->runs > y->runs);
}

static void take_sum(struct mdl_history *h, struct agg_day *sum)
{
	memcpy(h->runs, sum->runs, sizeof(h->runs));
	memcpy(h->lost, sum->lost, sizeof(h->lost));
	h->runs_plain = h->runs[MDL_RUN_WARM] + h->runs[MDL_RUN_COLD] + h->runs[MDL_RUN_COMPILED];
	h->uses = sum->uses;
	h->usage = sum->usage;
	h->first_ns = sum->first_ns;
	h->last_ns = sum->last_ns;
	h->cold_start = sum->cold_start;
	h->interpreter = sum->interpreter;
	h->cold_cache = sum->cold_cache;
	h->compiled = sum->compiled;
	qsort(sum->pythons, AGG_PYTHONS, sizeof(*sum->pythons), by_runs);
	for (size_t i = 0; i < AGG_PYTHONS && sum->pythons[i].runs; i++) {
		h->pythons[i].version = sum->pythons[i].version;
		h->pythons[i].runs = sum->pythons[i].runs;
		h->n_pythons++;
	}
}

static int build_days(struct building *b)
{
	struct mdl_history *h = b->h;
	struct agg_day sum = {0};
	int r = 0;

	h->first_day = INT32_MAX;
	h->last_day = INT32_MIN;
	h->days = calloc(b->a->n_days + 1, sizeof(*h->days));
	if (!h->days)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->a->n_days && r == 0; i++)
		r = add_day(h, &b->a->days[i], &sum);
	take_sum(h, &sum);
	if (h->n_days) {
		h->first_day = h->days[0].day;
		h->last_day = h->days[h->n_days - 1].day;
	}
	return r;
}

/* Those of one name together, the latest last. */
static int by_name(const void *a, const void *b)
{
	const struct agg_mod *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	if (x->last_day != y->last_day)
		return x->last_day < y->last_day ? -1 : 1;
	if (x->first_day != y->first_day)
		return x->first_day < y->first_day ? -1 : 1;
	return (x->pkg > y->pkg) - (x->pkg < y->pkg);
}

static int merge_times(struct mdl_hist_module *to, struct agg_mod *from)
{
	int r;

	if (to->total.count == 0 && to->self.count == 0) {
		sketch_free(&to->total);
		sketch_free(&to->self);
		to->total = from->total;
		to->self = from->self;
		from->total = from->self = (struct sketch){0};
		return 0;
	}
	r = sketch_merge(&to->total, &from->total);
	return r < 0 ? r : sketch_merge(&to->self, &from->self);
}

static void merge_counts(struct mdl_hist_module *to, const struct agg_mod *from)
{
	to->first_day = from->first_day < to->first_day ? from->first_day : to->first_day;
	to->last_day = from->last_day > to->last_day ? from->last_day : to->last_day;
	to->kind = from->kind ? from->kind : to->kind;
	to->saving.n += from->saving.n;
	to->saving.sum += from->saving.sum;
	to->saving.sum_sq += from->saving.sum_sq;
	to->runs_loaded += from->runs_loaded;
	to->runs_start += from->runs_start;
	to->runs_imported += from->runs_imported;
	to->runs_used += from->runs_used;
	to->imported_other += from->imported_other;
	to->used_other += from->used_other;
	to->failures += from->failures;
	to->loads_compiled += from->loads_compiled;
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++) {
		to->runs_by_place[i] += from->runs_by_place[i];
		to->loads_by_place[i] += from->loads_by_place[i];
		to->uses_by_place[i] += from->uses_by_place[i];
		to->uses += from->uses_by_place[i];
	}
}

static int add_version(struct building *b, const struct agg_mod *from, struct mdl_version *v)
{
	int r = texts_pkg(&b->texts, from->pkg, &v->distribution, &v->version);

	v->runs = from->runs_loaded;
	v->first_day = from->first_day;
	v->last_day = from->last_day;
	return r;
}

static uint8_t dominant(const uint64_t loads[LMMSD_PLACE_MAX])
{
	uint8_t best = 0;

	for (uint8_t i = 1; i < LMMSD_PLACE_MAX; i++)
		if (loads[i] > loads[best])
			best = i;
	return loads[best] ? best : LMMSD_PLACE_UNKNOWN;
}

/* One name: n rows of it from there on. */
static int add_module(struct building *b, struct agg_mod *from, uint32_t n,
		      struct mdl_version *versions)
{
	struct mdl_hist_module *to = &b->h->modules[b->h->n_modules];
	struct agg_mod place = {.place_day = INT32_MIN};
	const struct mdl_version *latest;
	int r = 0;

	*to = (struct mdl_hist_module){.first_day = INT32_MAX, .last_day = INT32_MIN};
	b->h->n_modules++;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		r = merge_times(to, &from[i]);
		merge_counts(to, &from[i]);
		agg_mod_place(&place, from[i].place_day, from[i].place_loads);
		if (r == 0)
			r = add_version(b, &from[i], &versions[i]);
		if (r == 0 && from[i].file)
			r = texts_get(&b->texts, from[i].file, &to->file);
	}
	if (r == 0)
		r = texts_get(&b->texts, from->name, &to->name);
	if (r < 0)
		return r;
	latest = &versions[n - 1];
	if (!to->name)
		to->name = "?";
	to->versions = versions;
	to->n_versions = n;
	to->distribution = latest->distribution;
	to->version = latest->version;
	to->place = dominant(place.place_loads);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const struct mdl_hist_module *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int build_modules(struct building *b)
{
	struct mdl_history *h = b->h;
	struct agg *a = b->a;
	struct mdl_version *versions = calloc(a->n_mods + 1, sizeof(*versions));
	int r = 0;

	h->arrays = versions;
	h->modules = calloc(a->n_mods + 1, sizeof(*h->modules));
	if (!versions || !h->modules)
		return -ENOMEM;
	sto_map_free(&a->by_mod);
	if (a->n_mods)
		qsort(a->mods, a->n_mods, sizeof(*a->mods), by_name);
	for (uint32_t i = 0, n; i < a->n_mods && r == 0; i += n) {
		for (n = 1; i + n < a->n_mods && a->mods[i + n].name == a->mods[i].name;)
			n++;
		r = add_module(b, &a->mods[i], n, &versions[i]);
	}
	if (r == 0 && h->n_modules)
		qsort(h->modules, h->n_modules, sizeof(*h->modules), by_text);
	return r;
}

static int32_t index_of(const struct mdl_history *h, const char *name)
{
	const struct mdl_hist_module key = {.name = name};
	const struct mdl_hist_module *m = NULL;

	if (name && h->n_modules)
		m = bsearch(&key, h->modules, h->n_modules, sizeof(key), by_text);
	return m ? (int32_t)(m - h->modules) : -1;
}

static int add_edge(struct building *b, const struct agg_edge *from)
{
	struct mdl_history *h = b->h;
	struct mdl_hist_edge *to = &h->edges[h->n_edges];
	const char *module = NULL;
	int32_t i;
	int r = texts_get(&b->texts, from->module, &module);

	if (r == 0)
		r = texts_get(&b->texts, from->importer, &to->importer_name);
	if (r == 0)
		r = texts_get(&b->texts, from->file, &to->file);
	if (r < 0)
		return r;
	i = index_of(h, module);
	if (i < 0)
		return 0; /* its module went to MDL_OTHER */
	to->importer = index_of(h, to->importer_name);
	to->module = (uint32_t)i;
	to->line = from->line;
	to->place = from->place;
	to->runs = from->runs;
	to->count = from->count;
	to->loads = from->loads;
	to->last_day = from->last_day;
	h->n_edges++;
	return 0;
}

static int by_edge(const void *a, const void *b)
{
	const struct mdl_hist_edge *x = a, *y = b;
	int c;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	c = strcmp(x->importer_name ? x->importer_name : "",
		   y->importer_name ? y->importer_name : "");
	if (c)
		return c;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static int build_edges(struct building *b)
{
	struct mdl_history *h = b->h;
	int r = 0;

	h->edges = calloc(b->a->n_edges + 1, sizeof(*h->edges));
	if (!h->edges)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->a->n_edges && r == 0; i++)
		r = add_edge(b, &b->a->edges[i]);
	if (r == 0 && h->n_edges)
		qsort(h->edges, h->n_edges, sizeof(*h->edges), by_edge);
	return r;
}

int store_build(struct store *s, struct agg *a, struct mdl_history *h)
{
	struct building b = {.a = a, .h = h, .texts = {.db = &s->db, .pool = h->strings}};
	int r = build_days(&b);

	if (r == 0)
		r = build_modules(&b);
	if (r == 0)
		r = build_edges(&b);
	texts_free(&b.texts);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* An app's history made by hand, as the store would give it. Modules and edges may come in any order; fh_done() sorts. */
#pragma once
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "model/history.h"

#define FH_MODULES 512
#define FH_EDGES 1024

struct fh {
	struct mdl_history h;
	struct mdl_hist_module modules[FH_MODULES];
	struct mdl_hist_edge edges[FH_EDGES];
	const char *edge_module[FH_EDGES];
	struct mdl_version versions[FH_MODULES];
	struct mdl_day days[64];
	struct mdl_run recent[MDL_HIST_RECENT];
	uint64_t values[MDL_HIST_VALUES];
};

/* runs: warm ones, which are all plain runs. */
static inline struct fh *fh_new(const char *app, int32_t since, int32_t until, uint64_t runs)
{
	struct fh *f = calloc(1, sizeof(*f));

	assert(f);
	f->h = (struct mdl_history){.app = app,
				    .since_day = since,
				    .until_day = until,
				    .first_day = since,
				    .last_day = until - 1,
				    .runs_plain = runs,
				    .usage = true,
				    .days = f->days,
				    .modules = f->modules,
				    .edges = f->edges,
				    .values = f->values,
				    .recent = f->recent,
				    .values_exact = true};
	f->h.runs[MDL_RUN_WARM] = runs;
	return f;
}

static inline void fh_free(struct fh *f)
{
	for (size_t i = 0; i < f->h.n_modules; i++) {
		sketch_free(&f->modules[i].total);
		sketch_free(&f->modules[i].self);
	}
	for (size_t i = 0; i < f->h.n_days; i++) {
		sketch_free(&f->days[i].cold_start);
		sketch_free(&f->days[i].interpreter);
	}
	sketch_free(&f->h.cold_start);
	sketch_free(&f->h.interpreter);
	sketch_free(&f->h.cold_cache);
	sketch_free(&f->h.compiled);
	free(f);
}

static inline uint64_t fh_ns(double ms)
{
	return (uint64_t)(ms * 1e6 + 0.5);
}

static inline void fh_add(struct sketch *s, double ms, uint64_t n)
{
	if (sketch_add_n(s, fh_ns(ms), n) < 0)
		abort();
}

/* Warm cold starts of n runs, of which the first n_values have values of their own. */
static inline void fh_cold(struct fh *f, double ms, uint64_t n)
{
	fh_add(&f->h.cold_start, ms, n);
	for (uint64_t i = 0; i < n && f->h.n_values < MDL_HIST_VALUES; i++)
		f->values[f->h.n_values++] = fh_ns(ms);
}

/* A day with n runs that took as long. */
static inline void fh_day(struct fh *f, int32_t day, double ms, uint64_t n)
{
	struct mdl_day *d = &f->days[f->h.n_days++];

	d->day = day;
	d->runs[MDL_RUN_WARM] = n;
	fh_add(&d->cold_start, ms, n);
	fh_cold(f, ms, n);
}

static inline struct mdl_hist_module *fh_find(struct fh *f, const char *name)
{
	for (size_t i = 0; i < f->h.n_modules; i++)
		if (!strcmp(f->modules[i].name, name))
			return &f->modules[i];
	return NULL;
}

/* A module that every run loads at start, at module level, once. saving: as measured. */
static inline struct mdl_hist_module *fh_module(struct fh *f, const char *name, double total_ms,
						double self_ms, double saving_ms)
{
	struct mdl_hist_module *m = &f->modules[f->h.n_modules++];
	uint64_t n = f->h.runs_plain;

	assert(f->h.n_modules <= FH_MODULES);
	*m = (struct mdl_hist_module){.name = name,
				      .kind = LMMSD_KIND_BYTECODE,
				      .place = LMMSD_PLACE_MODULE,
				      .first_day = f->h.since_day,
				      .last_day = f->h.until_day - 1,
				      .runs_loaded = n,
				      .runs_start = n,
				      .runs_imported = n,
				      .uses = n};
	if (n) {
		fh_add(&m->total, total_ms, n);
		fh_add(&m->self, self_ms, n);
	}
	m->saving = (struct mdl_moments){.n = n, .sum = saving_ms * 1e6 * (double)n};
	m->runs_by_place[LMMSD_PLACE_MODULE] = n;
	m->loads_by_place[LMMSD_PLACE_MODULE] = n;
	m->uses_by_place[LMMSD_PLACE_MODULE] = n;
	return m;
}

/* Moves a module into functions: used in that many runs, and no part of the start. */
static inline void fh_in_function(struct fh *f, struct mdl_hist_module *m, uint64_t runs)
{
	(void)f;
	m->place = LMMSD_PLACE_FUNCTION;
	m->runs_start = 0;
	m->runs_loaded = m->runs_imported = m->runs_used = m->uses = runs;
	memset(m->runs_by_place, 0, sizeof(m->runs_by_place));
	memset(m->uses_by_place, 0, sizeof(m->uses_by_place));
	m->runs_by_place[LMMSD_PLACE_FUNCTION] = runs;
	m->uses_by_place[LMMSD_PLACE_FUNCTION] = runs;
	m->saving.sum = 0;
}

static inline void fh_installed(struct fh *f, struct mdl_hist_module *m, const char *file,
				const char *distribution, const char *version)
{
	size_t i = (size_t)(m - f->modules);

	m->file = file;
	m->distribution = distribution;
	m->version = version;
	f->versions[i] = (struct mdl_version){.distribution = distribution,
					      .version = version,
					      .runs = m->runs_loaded,
					      .first_day = m->first_day,
					      .last_day = m->last_day};
	m->versions = &f->versions[i];
	m->n_versions = 1;
}

/* An import that runs in each run; loads: it is what loads the module. */
static inline struct mdl_hist_edge *fh_edge(struct fh *f, const char *importer, const char *module,
					    const char *file, int32_t line, uint8_t place,
					    bool loads)
{
	size_t i = f->h.n_edges++;

	assert(i < FH_EDGES);
	f->edge_module[i] = module;
	f->edges[i] = (struct mdl_hist_edge){.importer_name = importer,
					     .importer = -1,
					     .file = file,
					     .line = line,
					     .place = place,
					     .runs = f->h.runs_plain,
					     .count = f->h.runs_plain,
					     .loads = loads ? f->h.runs_plain : 0};
	return &f->edges[i];
}

static inline int fh_by_name(const void *a, const void *b)
{
	return strcmp(((const struct mdl_hist_module *)a)->name,
		      ((const struct mdl_hist_module *)b)->name);
}

static inline int fh_by_edge(const void *a, const void *b)
{
	const struct mdl_hist_edge *x = a, *y = b;
	int r;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	r = strcmp(x->importer_name ? x->importer_name : "",
		   y->importer_name ? y->importer_name : "");
	return r ? r : (x->line > y->line) - (x->line < y->line);
}

/* Versions keep their place: modules point at them. */
static inline struct mdl_history *fh_done(struct fh *f)
{
	struct mdl_history *h = &f->h;

	qsort(f->modules, h->n_modules, sizeof(f->modules[0]), fh_by_name);
	h->uses = 0;
	for (size_t i = 0; i < h->n_modules; i++)
		h->uses += f->modules[i].uses;
	for (size_t i = 0; i < h->n_edges; i++) {
		struct mdl_hist_module *m = fh_find(f, f->edge_module[i]);
		struct mdl_hist_module *by = f->edges[i].importer_name ?
						     fh_find(f, f->edges[i].importer_name) :
						     NULL;

		assert(m);
		f->edges[i].module = (uint32_t)(m - f->modules);
		f->edges[i].importer = by ? (int32_t)(by - f->modules) : -1;
	}
	qsort(f->edges, h->n_edges, sizeof(f->edges[0]), fh_by_edge);
	for (size_t i = 0; i < h->n_edges; i++)
		f->edge_module[i] = f->modules[f->edges[i].module].name;
	return h;
}

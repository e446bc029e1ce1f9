/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "metrics/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/state.h"

#define NS_PER_S 1e9
#define OPEN_BYTES ((size_t)8 << 20)
#define COST_WEIGHT 8 /* of the loads before, to one */

static const double start_bounds[MDL_START_BOUNDS] = METRICS_START_BOUNDS;

static int by_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Thresholds that meet the fixed bounds would make two of a kind, which no format allows. */
static double apart(double bound, const double *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fabs(bound - others[i]) < 1e-9)
			return bound * 1.0001;
	return bound;
}

static void set_bounds(struct metrics *m)
{
	double *b = m->import_bounds;

	b[0] = 0.001;
	b[1] = 0.5;
	b[2] = apart(m->options.fast_ms / 1000, b, 2);
	b[3] = apart(m->options.slow_ms / 1000, b, 3);
	qsort(b, MDL_IMPORT_BOUNDS, sizeof(*b), by_double);
}

int metrics_new(const struct metrics_options *options, int64_t now_s, struct metrics **ret)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->options = *options;
	if (!m->options.open_bytes)
		m->options.open_bytes = OPEN_BYTES;
	m->app_changes = (struct budget){.left = 10, .max = 10, .per_s = 30. / 3600, .at_s = now_s};
	m->module_changes =
		(struct budget){.left = 50, .max = 50, .per_s = 100. / 3600, .at_s = now_s};
	m->decayed_s = now_s;
	set_bounds(m);
	slots_app_init(&m->other, MDL_OTHER, now_s);
	*ret = m;
	return 0;
}

struct metrics *metrics_free(struct metrics *m)
{
	if (!m)
		return NULL;
	slots_free(m);
	open_free(m);
	free(m);
	return NULL;
}

static size_t bucket(const double *bounds, size_t n, double s)
{
	size_t i = 0;

	while (i < n && s > bounds[i])
		i++;
	return i;
}

static bool is_plain(const struct mdl_stored *r)
{
	return r->class == MDL_RUN_WARM || r->class == MDL_RUN_COLD || r->class == MDL_RUN_COMPILED;
}

static void count_start(struct app *a, const struct mdl_stored *run)
{
	double s = (double)run->cold_start_ns / NS_PER_S;

	a->cost_ns += (double)run->cold_start_ns;
	a->v.usage |= run->usage;
	a->v.runs += is_plain(run);
	if (run->class != MDL_RUN_WARM) {
		if (run->class < MDL_RUN_CLASSES)
			a->v.other_runs[run->class]++;
		return;
	}
	a->v.warm_runs++;
	a->v.cold_start[bucket(start_bounds, MDL_START_BOUNDS, s)]++;
	a->v.cold_start_s += s;
	a->v.cold_start_squared += s * s;
	if (!run->interpreter_ns)
		return;
	s = (double)run->interpreter_ns / NS_PER_S;
	a->v.interpreter[bucket(start_bounds, MDL_START_BOUNDS, s)]++;
	a->v.interpreter_s += s;
}

/* Who causes it most often: the one that holds a majority, if any does. */
static int vote(struct module *to, const char *importer)
{
	if (!importer)
		return 0;
	if (to->importer && !strncmp(to->importer, importer, METRICS_NAME_MAX)) {
		to->importer_votes++;
		return 0;
	}
	if (to->importer_votes) {
		to->importer_votes--;
		return 0;
	}
	if (slots_set_string(&to->importer, importer) < 0)
		return -ENOMEM;
	to->v.importer = to->importer;
	to->importer_votes = 1;
	return 0;
}

static int describe(struct module *to, const struct mdl_stored_module *from)
{
	int r = vote(to, from->importer);

	if (!r)
		r = slots_set_string(&to->distribution, from->distribution);
	if (!r)
		r = slots_set_string(&to->version, from->version);
	to->v.origin = from->origin;
	to->v.distribution = to->distribution;
	to->v.version = to->version;
	return r;
}

static void count_load(struct metrics *m, struct module *to, const struct mdl_stored *run,
		       const struct mdl_stored_module *from)
{
	double s = (double)from->total_ns / NS_PER_S;

	if (is_plain(run)) {
		to->v.loads[from->place < LMMSD_PLACE_MAX ? from->place : LMMSD_PLACE_UNKNOWN]++;
		to->v.start_runs += from->at_start;
	}
	if (!from->timed)
		return;
	to->cost_ns += ((double)from->total_ns - to->cost_ns) / (to->cost_ns > 0 ? COST_WEIGHT : 1);
	/* as the store's medians */
	if (run->class == MDL_RUN_COLD || run->class == MDL_RUN_COMPILED)
		return;
	to->v.import[bucket(m->import_bounds, MDL_IMPORT_BOUNDS, s)]++;
	to->v.import_s += s;
	to->v.self_s += (double)from->self_ns / NS_PER_S;
	if (run->class == MDL_RUN_WARM)
		to->v.deferrable_s += (double)from->saving_ns / NS_PER_S;
}

static int count_module(struct metrics *m, struct app *a, const struct mdl_stored *run,
			const struct mdl_stored_module *from, const struct news *n, int64_t now_s)
{
	struct module *to = slots_module(m, a, from, now_s);

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < LMMSD_PLACE_MAX; i++) {
		to->v.uses[i] += n->uses[i];
		a->v.uses += n->uses[i];
	}
	to->v.failures += n->failures;
	if (n->imported && is_plain(run))
		to->v.runs_using++;
	if (n->in_function && is_plain(run))
		to->v.runs_using_in_function++;
	if (!n->load)
		return 0;
	count_load(m, to, run, from);
	return to == &a->other ? 0 : describe(to, from);
}

static int by_cost(const void *a, const void *b)
{
	const struct mdl_stored_module *x = *(const struct mdl_stored_module *const *)a;
	const struct mdl_stored_module *y = *(const struct mdl_stored_module *const *)b;

	if (x->total_ns != y->total_ns)
		return x->total_ns < y->total_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* The dearest first: they are to get the series that are free. */
static int count_modules(struct metrics *m, struct app *a, const struct mdl_stored *run,
			 const struct open_run *open, int64_t now_s)
{
	_free_ const struct mdl_stored_module **order = calloc(run->n_modules + 1, sizeof(void *));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < run->n_modules; i++)
		order[i] = &run->modules[i];
	qsort(order, run->n_modules, sizeof(*order), by_cost);
	for (size_t i = 0; i < run->n_modules; i++) {
		struct news n;
		int r;

		open_news(open, order[i], &n);
		r = count_module(m, a, run, order[i], &n, now_s);
		if (r < 0)
			return r;
	}
	return 0;
}

static int count_importer(struct module *to, const struct mdl_stored_edge *e, uint64_t run)
{
	const char *importer = e->importer ? e->importer : "";
	size_t i;

	for (i = 0; i < to->v.n_importers; i++) {
		const struct mdl_metrics_importer *x = &to->v.importers[i];

		if (x->place != e->place || strncmp(x->importer, importer, METRICS_NAME_MAX) != 0)
			continue;
		if (x->loaded == e->loaded)
			break;
		/* one that loads it in a run says all of that run */
		if (x->loaded && to->importer_run[i] == run)
			return 0;
	}
	if (i == MDL_IMPORTERS)
		return 0;
	if (i == to->v.n_importers) {
		if (slots_set_string(&to->importers[i], importer) < 0)
			return -ENOMEM;
		to->v.importers[i] = (struct mdl_metrics_importer){
			.importer = to->importers[i], .place = e->place, .loaded = e->loaded};
		to->importer_run[i] = 0;
		to->v.n_importers++;
	}
	to->v.importers[i].runs += to->importer_run[i] != run;
	to->importer_run[i] = run;
	return 0;
}

/* Each way in once a run, whatever lines it has; those that load first. Of a run that goes on: what it had when it was counted. */
static int count_importers(struct metrics *m, struct app *a, const struct mdl_stored *run)
{
	int r = 0;

	m->runs++;
	for (size_t i = 0; i < 2 * run->n_edges && r == 0; i++) {
		const struct mdl_stored_edge *e = &run->edges[i % run->n_edges];
		struct module *to;

		if (e->loaded != (i < run->n_edges) || e->module >= run->n_modules)
			continue;
		to = slots_find_module(a, run->modules[e->module].name);
		if (to)
			r = count_importer(to, e, m->runs);
	}
	return r;
}

int metrics_add(struct metrics *m, const struct mdl_stored *run, int64_t now_s)
{
	struct open_run *open;
	struct app *a;
	bool due = true;
	int r = run->ended ? 0 : open_due(m, run, &due);

	if (r < 0 || !due)
		return r;
	open = open_find(m, run->key);
	if (open && !open_counted(open))
		open = NULL;
	a = slots_app(m, run, now_s);
	if (!a)
		return -ENOMEM;
	if (!open)
		count_start(a, run);
	r = count_modules(m, a, run, open, now_s);
	if (!open && r == 0)
		r = count_importers(m, a, run);
	if (run->ended) {
		open_forget(m, run->key);
	} else {
		int r2 = open_remember(m, run);

		r = r ? r : r2;
	}
	slots_trim(m);
	return r;
}

double metrics_median_ms(const struct mdl_metrics *s, const struct mdl_metrics_module *m)
{
	uint64_t n = 0, rank, at = 0;

	for (size_t i = 0; i <= MDL_IMPORT_BOUNDS; i++)
		n += m->import[i];
	rank = (n + 1) / 2;
	for (size_t i = 0; i <= MDL_IMPORT_BOUNDS && n; i++) {
		at += m->import[i];
		if (at < rank)
			continue;
		if (i == MDL_IMPORT_BOUNDS)
			return s->import_bounds[i - 1] * 2000;
		return (s->import_bounds[i] + (i ? s->import_bounds[i - 1] : 0)) * 500;
	}
	return NAN;
}

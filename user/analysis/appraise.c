/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* An app as a whole, and the short answers. */
#include "analysis/appraise.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "analysis/stats.h"
#include "analysis/verify.h"
#include "base/cleanup.h"

#define NOISE_SHARE 0.01 /* of the start: no two runs are more alike */

struct rv_times appraise_times(const struct sketch *s)
{
	struct stats_median m = stats_median_of_sketch(s);

	return (struct rv_times){
		.p50 = m.p50, .p95 = m.p95, .lo = m.lo, .hi = m.hi, .n = m.n, .full = m.full};
}

struct rv_app *appraise_app_free(struct rv_app *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < a->n_modules; i++) {
		free(a->modules[i].sites);
		free(a->modules[i].chain);
		free(a->modules[i].cut);
	}
	free(a->modules);
	free(a->days);
	free(a->changes);
	free(a->checklist);
	free(a->nodes);
	(void)verify_free(a->verify);
	(void)intern_free(a->strings);
	free(a);
	return NULL;
}

static uint64_t all_runs(const uint64_t *runs)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < MDL_RUN_CLASSES; i++)
		sum += runs[i];
	return sum;
}

static int fill_days(const struct mdl_history *h, struct rv_app *app)
{
	app->days = calloc(h->n_days + 1, sizeof(*app->days));
	if (!app->days)
		return -ENOMEM;
	for (size_t i = 0; i < h->n_days; i++)
		if (h->days[i].cold_start.count)
			app->days[app->n_days++] = (struct rv_day){
				.day = h->days[i].day,
				.p50_ms = appraise_times(&h->days[i].cold_start).p50,
				.n = h->days[i].cold_start.count,
			};
	return 0;
}

/* What is smaller cannot be told from the scatter of the runs, or would not be noticed: half the interval of the median. */
static double noise_of(const struct mdl_history *h, const struct rv_times *t, double least)
{
	/* of rebuilt values the scatter is made up: a few slow starts would widen it for all */
	double scatter = h->rebuilt ? 0 : (t->hi - t->lo) / 2;
	double half = fmax(scatter, NOISE_SHARE * t->p50);

	return isfinite(half) && half > least ? half : least;
}

static int fill_whole(const struct appraise_input *in, struct rv_app *app)
{
	const struct mdl_history *h = in->now;
	const struct sketch none = {0};

	app->runs = all_runs(h->runs);
	app->warm = h->runs[MDL_RUN_WARM];
	app->cold = h->runs[MDL_RUN_COLD];
	app->after_change = h->runs[MDL_RUN_COMPILED];
	app->unfit = h->runs[MDL_RUN_FORKED] + h->runs[MDL_RUN_PARTIAL];
	app->cold_start = appraise_times(&h->cold_start);
	app->interpreter = appraise_times(&h->interpreter);
	app->before = appraise_times(in->before ? &in->before->cold_start : &none);
	app->uses_counted = h->usage || !h->runs_plain;
	app->imports_known = app->uses_counted && !h->rebuilt;
	app->noise_ms = noise_of(h, &app->cold_start, in->thresholds->noise_ms);
	return fill_days(h, app);
}

/* Only when something left the start since: otherwise there is nothing to verify. */
static int fill_verify(const struct appraise_input *in, struct rv_app *app)
{
	struct rv_verify *v;
	int r;

	if (!in->baseline)
		return 0;
	r = verify_baseline(in->baseline, in->now, in->thresholds->expect_pct, &v);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (v->n_moved)
		app->verify = v;
	else
		(void)verify_free(v);
	return 0;
}

int appraise_app(const struct appraise_input *in, struct rv_app **ret)
{
	_cleanup_(appraise_app_freep) struct rv_app *app = calloc(1, sizeof(*app));
	_cleanup_(appraise_graph_clear) struct appraise_graph g = {0};
	struct intern *strings;
	int r;

	if (!app || intern_new(&strings) < 0)
		return -ENOMEM;
	app->strings = strings;
	r = appraise_keep(strings, in->now->app, &app->app);
	if (r == 0)
		r = fill_whole(in, app);
	if (r == 0)
		r = appraise_graph_init(&g, in->now, appraise_typical(in->now));
	if (r == 0)
		r = appraise_modules(in, &g, app);
	if (r == 0)
		r = appraise_icicle(&g, app);
	if (r == 0)
		r = appraise_changes(in, app);
	if (r == 0)
		r = fill_verify(in, app);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(app);
	return 0;
}

int appraise_apps(const struct mdl_app *apps, size_t n, struct rv_app_line **ret)
{
	struct rv_app_line *lines = calloc(n + 1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		lines[i] = (struct rv_app_line){
			.app = apps[i].name,
			.runs = all_runs(apps[i].runs),
			.cold_start = appraise_times(&apps[i].cold_start),
			.last_seen_s = apps[i].last_ns / 1000000000,
		};
	*ret = lines;
	return 0;
}

int appraise_baselines(const struct mdl_baseline *baselines, size_t n,
		       struct rv_baseline_line **ret)
{
	struct rv_baseline_line *lines = calloc(n + 1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		lines[i] = (struct rv_baseline_line){
			.name = baselines[i].name,
			.app = baselines[i].app,
			.saved_s = baselines[i].saved_ns / 1000000000,
			.runs = baselines[i].runs,
			.cold_start = appraise_times(&baselines[i].cold_start),
		};
	*ret = lines;
	return 0;
}

static int by_ms(const void *a, const void *b)
{
	const struct rv_slow *x = a, *y = b;
	int r;

	if (x->ms != y->ms)
		return x->ms < y->ms ? 1 : -1;
	r = strcmp(x->app, y->app);
	return r ? r : strcmp(x->module, y->module);
}

static void add_slow(const struct rv_app *app, struct rv_slow_list *list)
{
	for (size_t i = 0; i < app->n_modules; i++) {
		const struct rv_module *m = &app->modules[i];
		const struct rv_site *site = m->n_cut	? &m->cut[0] :
					     m->n_sites ? &m->sites[0] :
							  NULL;

		if (!(m->ms.p50 > list->max_ms))
			continue;
		list->slow[list->n++] = (struct rv_slow){
			.app = app->app,
			.module = m->name,
			.ms = m->ms.p50,
			.n = m->ms.n,
			.file = site ? site->file : NULL,
			.line = site ? site->line : 0,
			.own_file = m->file,
			.advice = m->reason,
		};
	}
}

bool appraise_measured(const struct rv_app *app)
{
	for (size_t i = 0; i < app->n_modules; i++)
		if (app->modules[i].ms.n)
			return true;
	return app->warm && !app->n_modules;
}

int appraise_slow(struct rv_app *const *apps, size_t n, double max_ms, struct rv_slow_list *ret)
{
	struct rv_slow_list list = {.max_ms = max_ms};

	for (size_t i = 0; i < n; i++) {
		bool measured = appraise_measured(apps[i]);

		list.n_apps += measured;
		list.n_unmeasured += !measured;
		for (size_t k = 0; k < apps[i]->n_modules; k++)
			list.n_modules += apps[i]->modules[k].ms.n > 0;
	}
	list.slow = calloc(list.n_modules + 1, sizeof(*list.slow));
	if (!list.slow)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		add_slow(apps[i], &list);
	qsort(list.slow, list.n, sizeof(*list.slow), by_ms);
	*ret = list;
	return 0;
}

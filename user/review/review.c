/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What to change first. */
#include "review/review.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/intern.h"
#include "review/checklist.h"
#include "review/rules.h"

#define STEPS_MOST 50
#define STEPS_OF_APP 10

const struct rv_thresholds review_default_thresholds = {
	.fast_ms = 10,
	.slow_ms = 100,
	.usage_pct = 80,
	.warn_ms = 500,
	.expect_pct = 40,
	.often_pct = 90,
	.noise_ms = 1,
	.min_runs = 3,
};

const char *review_action_name(enum rv_action action)
{
	static const char *const names[] = {
		[RV_NONE] = "none", [RV_KEEP] = "keep", [RV_DEFER] = "defer", [RV_HOIST] = "hoist"};

	return action <= RV_HOIST ? names[action] : names[RV_NONE];
}

static double known(double x)
{
	return isfinite(x) ? x : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct rv_module *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What saves comes first, then what only moves, then what may go to the top, then the rest. */
static int rank(const struct rv_module *m)
{
	if (m->action == RV_DEFER)
		return m->why == RV_WHY_MOVES ? 1 : 0;
	return m->action == RV_HOIST ? 2 : 3;
}

static int by_rank(const void *a, const void *b)
{
	const struct rv_module *x = a, *y = b;
	double wx = rank(x) < 2 ? known(x->saving_ms) : known(x->ms.p50);
	double wy = rank(y) < 2 ? known(y->saving_ms) : known(y->ms.p50);

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	if (wx != wy)
		return wx < wy ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void mark_nodes(struct rv_app *app)
{
	for (size_t i = 0; i < app->n_modules && app->modules[i].action == RV_DEFER; i++)
		for (size_t k = 0; k < app->n_nodes; k++)
			if (!strcmp(app->nodes[k].name, app->modules[i].name))
				app->nodes[k].action = RV_DEFER;
}

int review_app(const struct rv_thresholds *thresholds, struct rv_app *app)
{
	const struct rv_thresholds *t = thresholds ? thresholds : &review_default_thresholds;
	_buf_ struct buf b = {0};

	int r;

	qsort(app->modules, app->n_modules, sizeof(*app->modules), by_name);
	for (size_t i = 0; i < app->n_modules; i++)
		rules_decide(t, app, &app->modules[i]);
	r = rules_settle(app);
	if (r < 0)
		return r;
	for (size_t i = 0; i < app->n_modules; i++) {
		struct rv_module *m = &app->modules[i];

		buf_reset(&b);
		rules_say(t, app, m, &b);
		m->reason = buf_error(&b) ? NULL : intern_str(app->strings, buf_str(&b));
		if (!m->reason)
			return -ENOMEM;
	}
	qsort(app->modules, app->n_modules, sizeof(*app->modules), by_rank);
	app->can_save_ms = 0;
	for (size_t i = 0; i < app->n_modules && rank(&app->modules[i]) == 0; i++)
		if (!app->modules[i].covered)
			app->can_save_ms += known(app->modules[i].saving_ms);
	mark_nodes(app);
	return 0;
}

static double weight(const struct rv_app *app)
{
	return app->can_save_ms * (double)rv_starts(app);
}

static int by_weight(const void *a, const void *b)
{
	const struct rv_app *x = *(const struct rv_app *const *)a;
	const struct rv_app *y = *(const struct rv_app *const *)b;
	double cx = known(x->cold_start.p50), cy = known(y->cold_start.p50);

	if (weight(x) != weight(y))
		return weight(x) < weight(y) ? 1 : -1;
	if (cx != cy)
		return cx < cy ? 1 : -1;
	return strcmp(x->app, y->app);
}

static int add_step(struct rv_review *r, const struct rv_app *app, const struct rv_module *m)
{
	struct rv_step *s = &r->steps[r->n_steps];
	_buf_ struct buf b = {0};

	*s = (struct rv_step){
		.app = app->app,
		.module = m->name,
		.action = m->action,
		.saving_ms = m->action == RV_DEFER ? known(m->saving_ms) : 0,
		.sites = m->action == RV_DEFER ? m->cut : &m->hoist.inside,
		.n_sites = m->action == RV_DEFER ? m->n_cut : 1,
		.more_sites = m->action == RV_DEFER ? m->more_cut : 0,
	};
	s->saving_pct = app->cold_start.p50 > 0 ? s->saving_ms / app->cold_start.p50 * 100 : 0;
	s->month_s = m->why == RV_WHY_MOVES ? 0 : s->saving_ms * (double)rv_starts(app) / 1000;
	rules_say_step(&r->thresholds, app, m, s->saving_ms, &b);
	s->text = buf_error(&b) ? NULL : intern_str(r->strings, buf_str(&b));
	if (!s->text)
		return -ENOMEM;
	r->n_steps++;
	return 0;
}

static int step_rank(const struct rv_step *s)
{
	return s->action == RV_HOIST ? 2 : s->month_s > 0 ? 0 : 1;
}

static int by_step(const void *a, const void *b)
{
	const struct rv_step *x = a, *y = b;
	int r;

	if (step_rank(x) != step_rank(y))
		return step_rank(x) - step_rank(y);
	if (x->month_s != y->month_s)
		return x->month_s < y->month_s ? 1 : -1;
	if (x->saving_ms != y->saving_ms)
		return x->saving_ms < y->saving_ms ? 1 : -1;
	r = strcmp(x->app, y->app);
	return r ? r : strcmp(x->module, y->module);
}

static int fill_steps(struct rv_review *r)
{
	r->steps = calloc(r->n_apps * STEPS_OF_APP + 1, sizeof(*r->steps));
	if (!r->steps)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_apps; i++) {
		const struct rv_app *app = r->apps[i];
		size_t first = r->n_steps;

		for (size_t k = 0; k < app->n_modules && rank(&app->modules[k]) < 3 &&
				   r->n_steps - first < STEPS_OF_APP;
		     k++)
			if (!app->modules[k].covered && add_step(r, app, &app->modules[k]) < 0)
				return -ENOMEM;
	}
	qsort(r->steps, r->n_steps, sizeof(*r->steps), by_step);
	if (r->n_steps > STEPS_MOST)
		r->n_steps = STEPS_MOST;
	return 0;
}

static int keep(struct rv_review *r, const char *s, const char **ret)
{
	*ret = s ? intern_str(r->strings, s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

static int fill(const struct review_input *in, struct rv_review *r)
{
	const struct rv_thresholds *t = in->thresholds ? in->thresholds :
							 &review_default_thresholds;
	int e = keep(r, in->host, &r->host);

	r->version = in->version;
	r->since_s = in->since_s;
	r->until_s = in->until_s;
	r->basis = in->basis;
	r->thresholds = *t;
	if (in->lost)
		memcpy(r->lost, in->lost, sizeof(r->lost));
	if (e == 0)
		e = keep(r, in->label, &r->label);
	if (e == 0)
		e = keep(r, in->note, &r->note);
	for (size_t i = 0; i < r->n_apps && e == 0; i++) {
		e = review_app(t, r->apps[i]);
		if (e == 0)
			e = checklist_fill(in, t, r->apps[i]);
	}
	if (e < 0)
		return e;
	qsort(r->apps, r->n_apps, sizeof(struct rv_app *), by_weight);
	return fill_steps(r);
}

int review_new(const struct review_input *in, struct rv_app **apps, size_t n,
	       struct rv_app *(*app_free)(struct rv_app *), struct rv_review **ret)
{
	struct rv_review *r = calloc(1, sizeof(*r));
	struct intern *strings = NULL;
	int e = -ENOMEM;

	if (r)
		e = intern_new(&strings);
	if (e == 0) {
		r->strings = strings;
		r->apps = calloc(n + 1, sizeof(struct rv_app *));
		e = r->apps ? 0 : -ENOMEM;
	}
	if (e == 0) {
		if (n)
			memcpy(r->apps, apps, n * sizeof(struct rv_app *));
		r->n_apps = n;
		e = fill(in, r);
	}
	if (e < 0) {
		/* the apps stay the caller's */
		if (r)
			r->n_apps = 0;
		(void)review_free(r, app_free);
		return e;
	}
	*ret = r;
	return 0;
}

struct rv_review *review_free(struct rv_review *r, struct rv_app *(*app_free)(struct rv_app *))
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_apps; i++)
		(void)app_free(r->apps[i]);
	free(r->apps);
	free(r->steps);
	(void)intern_free(r->strings);
	free(r);
	return NULL;
}

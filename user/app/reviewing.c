/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/reviewing.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/appraise.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "review/review.h"

#define NS_PER_S 1000000000
#define DAEMON_SILENT_S (2 * 86400)
#define EARLIER_MAX 240 /* months that are looked at for earlier reviews */

struct rv_thresholds reviewing_thresholds(const struct config *c)
{
	struct rv_thresholds t = c->review;

	t.fast_ms = c->policy.fast_ms;
	t.slow_ms = c->policy.slow_ms;
	t.usage_pct = c->policy.usage_pct;
	return t;
}

enum rv_basis reviewing_basis(const struct config *c)
{
	return c->basis == CONFIG_BASIS_SHARE ? RV_BASIS_SHARE : RV_BASIS_RUN;
}

/* All that an app's appraisal reads. */
struct material {
	struct mdl_history *now, *before; /* owned */
	struct mdl_baseline baseline;	  /* its modules: owned */
	bool has_baseline;
	struct store_verdicts verdicts;
	struct store_triggers triggers;
};

static void material_clear(struct material *m)
{
	(void)store_history_free(m->now);
	(void)store_history_free(m->before);
	if (m->has_baseline)
		free((void *)(uintptr_t)m->baseline.modules);
	store_verdicts_free(&m->verdicts);
	store_triggers_free(&m->triggers);
}

static int gather(const struct reviewing *in, const char *app, const char *label,
		  struct material *m)
{
	const struct reviewing_period *p = &in->period, before = reviewing_before(p);
	/* Verdicts are those of the calendar month before the one in which the period ends. */
	int32_t month = p->month != REVIEWING_NO_MONTH ? p->month :
							 reviewing_month_of(p->until - 1);
	int r = store_history(in->store, app, p->since, p->until, &m->now);

	if (!r)
		r = store_history(in->store, app, before.since, before.until, &m->before);
	if (!r && m->before->runs[MDL_RUN_WARM]) {
		r = store_baseline_of(m->before, label, &m->baseline);
		m->has_baseline = !r;
	}
	if (!r)
		r = store_verdicts(in->store, app, month - 1, &m->verdicts);
	if (!r)
		r = store_triggers(in->store, app, store_day_start(p->since),
				   store_day_start(p->until), &m->triggers);
	return r;
}

static int appraise(const struct reviewing *in, const char *app, struct rv_app **ret)
{
	_cleanup_(material_clear) struct material m = {0};
	const struct reviewing_period before = reviewing_before(&in->period);
	struct appraise_input a;
	char label[64];
	int r;

	reviewing_label(&before, label, sizeof(label));
	r = gather(in, app, label, &m);
	if (r)
		return r;
	a = (struct appraise_input){
		.now = m.now,
		.before = m.before->first_day <= m.before->last_day ? m.before : NULL,
		.baseline = m.has_baseline ? &m.baseline : NULL,
		.verdicts = m.verdicts.verdicts,
		.n_verdicts = m.verdicts.n,
		.triggers = m.triggers.triggers,
		.n_triggers = m.triggers.n,
		.day_of = store_day_of,
		.thresholds = &in->thresholds,
		.basis = in->basis,
	};
	return appraise_app(&a, ret);
}

int reviewing_app(const struct reviewing *in, const char *app, struct rv_app **ret)
{
	_cleanup_(appraise_app_freep) struct rv_app *a = NULL;
	int r = appraise(in, app, &a);

	if (!r)
		r = review_app(&in->thresholds, a);
	if (r)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

struct apps {
	struct rv_app **app; /* owned, as what it points to */
	size_t n;
	size_t left_out;
};

static void apps_clear(struct apps *a)
{
	for (size_t i = 0; i < a->n; i++)
		(void)appraise_app_free(a->app[i]);
	free(a->app);
}

static double starts_cost(const struct mdl_app *a)
{
	double runs = (double)a->runs[MDL_RUN_WARM];

	return a->cold_start.count ? runs * (double)sketch_quantile(&a->cold_start, 0.5) : 0;
}

static int by_cost(const void *a, const void *b)
{
	double x = starts_cost(a), y = starts_cost(b);

	return x < y ? 1 :
	       x > y ? -1 :
		       strcmp(((const struct mdl_app *)a)->name, ((const struct mdl_app *)b)->name);
}

static int appraise_all(const struct reviewing *in, struct apps *ret)
{
	_cleanup_(store_apps_free) struct store_apps names = {0};
	size_t modules = 0;
	int r = 0;

	if (in->app) {
		ret->app = calloc(1, sizeof(struct rv_app *));
		r = ret->app ? appraise(in, in->app, &ret->app[0]) : -ENOMEM;
		ret->n = r == 0;
		return r;
	}
	r = store_apps(in->store, in->period.since, in->period.until, &names);
	if (r)
		return r;
	ret->app = calloc(names.n ? names.n : 1, sizeof(struct rv_app *));
	if (!ret->app)
		return -ENOMEM;
	/* Anyone can make apps: a daemon keeps to the dearest. */
	if (in->max_modules && names.n)
		qsort(names.apps, names.n, sizeof(*names.apps), by_cost);
	for (size_t i = 0; !r && i < names.n; i++) {
		if (in->stop && atomic_load(in->stop))
			return -ECANCELED;
		if (in->max_modules && modules >= in->max_modules) {
			ret->left_out = names.n - i;
			break;
		}
		r = appraise(in, names.apps[i].name, &ret->app[ret->n]);
		if (!r)
			modules += ret->app[ret->n++]->n_modules;
	}
	return r;
}

static uint64_t earlier_reviews(struct store *s, const struct reviewing_period *p)
{
	int32_t end = p->month != REVIEWING_NO_MONTH ? p->month :
						       reviewing_month_of(p->until - 1) + 1;
	int32_t first, last, month;
	uint64_t n = 0;

	if (store_span(s, &first, &last))
		return 0;
	month = reviewing_month_of(first);
	if (month < end - EARLIER_MAX)
		month = end - EARLIER_MAX;
	for (; month < end; month++) {
		char mark[32], value[16];

		reviewing_mark(month, mark, sizeof(mark));
		n += store_mark_get(s, mark, value, sizeof(value)) == 0 && !strcmp(value, "done");
	}
	return n;
}

/* A daemon looked for triggers until the end of the period, or not long ago. */
static bool daemon_watches(struct store *s, const struct reviewing_period *p)
{
	int64_t end = store_day_start(p->until) / NS_PER_S, now = (int64_t)time(NULL);
	char value[32];
	uint64_t at;

	if (store_mark_get(s, REVIEWING_MARK_EVALUATED, value, sizeof(value)) ||
	    num_u64(value, 0, INT64_MAX, &at))
		return false;
	return (int64_t)at >= (end < now ? end : now) - DAEMON_SILENT_S;
}

int reviewing_make(const struct reviewing *in, struct rv_review **ret)
{
	_cleanup_(apps_clear) struct apps apps = {0};
	uint64_t lost[LMMSD_LOST_MAX] = {0};
	char label[64], host[256] = "", note[160];
	struct review_input ri = {
		.version = LMMSD_VERSION,
		.label = label,
		.since_s = store_day_start(in->period.since) / NS_PER_S,
		.until_s = store_day_start(in->period.until) / NS_PER_S,
		.basis = in->basis,
		.thresholds = &in->thresholds,
		.lost = lost,
		.monthly = in->monthly,
	};
	int r = appraise_all(in, &apps);

	if (!r)
		r = store_losses(in->store, in->period.since, in->period.until, lost);
	if (r)
		return r;
	reviewing_label(&in->period, label, sizeof(label));
	(void)gethostname(host, sizeof(host) - 1);
	ri.host = *host ? host : NULL;
	ri.daemon = in->monthly || daemon_watches(in->store, &in->period);
	ri.n_earlier = earlier_reviews(in->store, &in->period);
	if (apps.left_out) {
		(void)snprintf(note, sizeof(note),
			       "%zu more apps are left out, those whose starts cost least: "
			       "'lmmsctl review' has all of them, 'lmmsctl review --app APP' one.",
			       apps.left_out);
		ri.note = note;
	}
	r = review_new(&ri, apps.app, apps.n, appraise_app_free, ret);
	if (!r)
		apps.n = 0; /* they are the review's */
	return r;
}

struct rv_review *reviewing_free(struct rv_review *r)
{
	return review_free(r, appraise_app_free);
}

/* The store has no word for "not known". */
static double known(double v)
{
	return isfinite(v) ? v : 0;
}

static int keep_app(struct store *s, int32_t month, const struct rv_app *app)
{
	_free_ struct mdl_verdict *v = calloc(app->n_modules ? app->n_modules : 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < app->n_modules; i++) {
		const struct rv_module *m = &app->modules[i];

		v[i] = (struct mdl_verdict){
			.module = m->name,
			.tier = m->tier,
			.place = m->placement,
			.action = review_action_name(m->action),
			.ms = known(m->ms.p50),
			.usage_pct = known(m->usage_pct),
			.saving_ms = known(m->saving_ms),
		};
	}
	return store_verdicts_save(s, app->app, month, v, app->n_modules);
}

int reviewing_keep(struct store *s, int32_t month, const struct rv_review *r)
{
	for (size_t i = 0; i < r->n_apps; i++) {
		int e = keep_app(s, month, r->apps[i]);

		if (e)
			return e;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What changed since the period before: what was noticed as it happened, and what the two periods show. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/appraise_int.h"
#include "analysis/known.h"
#include "analysis/stats.h"
#include "analysis/trigger.h"
#include "base/buf.h"
#include "base/cleanup.h"

#define CHANGES_MOST 200
#define CHANGES_HELD 4000 /* of which these are chosen */
#define TIME_P 1e-6	  /* of a module's times */
#define TIME_PCT 20
#define WHOLE_PCT 10 /* of the cold start */
#define TIME_LEAST_MS 2

struct changes {
	const struct appraise_input *in; /* borrowed */
	struct rv_app *app;		 /* borrowed */
};

/* NULL: it is there, there are enough, or out of memory (then *r says so). */
static struct rv_change *add(struct changes *c, enum rv_change_kind kind, const char *module,
			     int *r)
{
	struct rv_change *change;

	for (size_t i = 0; i < c->app->n_changes; i++) {
		const char *other = c->app->changes[i].module;

		if (c->app->changes[i].kind == kind &&
		    (other == module || (other && module && !strcmp(other, module))))
			return NULL;
	}
	if (c->app->n_changes == CHANGES_HELD) {
		c->app->cut_changes++;
		return NULL;
	}
	change = &c->app->changes[c->app->n_changes];
	*change = (struct rv_change){
		.kind = kind, .before_value = NAN, .after_value = NAN, .day = INT64_MIN};
	if (appraise_keep(c->app->strings, module, &change->module) < 0) {
		*r = -ENOMEM;
		return NULL;
	}
	c->app->n_changes++;
	return change;
}

static int put(struct changes *c, const char **ret, const char *format, ...) _printf_(3, 4);
static int put(struct changes *c, const char **ret, const char *format, ...)
{
	_buf_ struct buf b = {0};
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&b, format, ap);
	va_end(ap);
	return buf_error(&b) ? -ENOMEM : appraise_keep(c->app->strings, buf_str(&b), ret);
}

static int from_triggers(struct changes *c)
{
	const struct appraise_input *in = c->in;
	int r = 0;

	for (size_t i = in->n_triggers; i-- > 0 && r == 0;) {
		const struct mdl_trigger *t = &in->triggers[i];
		const char *module = t->module && *t->module ? t->module : NULL;
		enum rv_change_kind kind;
		struct rv_change *change;

		if (strcmp(t->app, c->app->app) != 0 || trigger_kind_from_name(t->kind, &kind) < 0)
			continue;
		change = add(c, kind, module, &r);
		if (!change)
			continue;
		if (in->day_of)
			change->day = in->day_of(t->at_ns);
		if (appraise_keep(c->app->strings, t->before, &change->before) < 0 ||
		    appraise_keep(c->app->strings, t->after, &change->after) < 0 ||
		    appraise_keep(c->app->strings, t->why, &change->why) < 0)
			r = -ENOMEM;
	}
	return r;
}

/* Then there are no times to compare but those of the start. */
static bool is_rebuilt(const struct changes *c)
{
	return c->in->now->rebuilt || c->in->before->rebuilt;
}

static int compare_times(struct changes *c, const char *module, const struct sketch *before,
			 const struct sketch *after, double least_pct)
{
	_cleanup_(stats_dist_clear) struct stats_dist b = {0}, a = {0};
	struct stats_median mb = stats_median_of_sketch(before), ma = stats_median_of_sketch(after);
	struct rv_change *change;
	double u, p = 1, ratio = ma.p50 / mb.p50;
	int r = 0;

	if (!(mb.p50 > 0) || !(ma.p50 >= 0) || fabs(ma.p50 - mb.p50) < TIME_LEAST_MS ||
	    fabs(ratio - 1) * 100 < least_pct || (mb.lo <= ma.hi && ma.lo <= mb.hi))
		return 0;
	r = stats_dist_from_sketch(before, &b);
	if (r == 0)
		r = stats_dist_from_sketch(after, &a);
	if (r == 0)
		r = stats_mann_whitney(&b, &a, &u, &p);
	if (r < 0 || p > TIME_P)
		return r;
	change = add(c, ratio > 1 ? RV_REGRESSION : RV_IMPROVEMENT, module, &r);
	if (!change)
		return r;
	change->before_value = mb.p50;
	change->after_value = ma.p50;
	r = put(c, &change->before, "%.1f ms", mb.p50);
	if (r == 0)
		r = put(c, &change->after, "%.1f ms", ma.p50);
	if (r == 0)
		r = put(c, &change->why, "median of %llu runs against %llu before: %+.0f %%",
			(unsigned long long)ma.n, (unsigned long long)mb.n, (ratio - 1) * 100);
	return r;
}

/* Of histograms only what their buckets leave no doubt of. */
static int compare_known(struct changes *c)
{
	const struct mdl_history *before = c->in->before, *now = c->in->now;
	struct rv_change *change;
	double b, a,
		ratio = known_ratio(known_median(before->rebuilt), known_median(now->rebuilt), &b,
				    &a);
	const char *most = ratio > 1 ? "at most" : "at least";
	const char *least = ratio > 1 ? "at least" : "at most";
	int r = 0;

	if (fabs(ratio - 1) * 100 < WHOLE_PCT || !(fabs(a - b) >= TIME_LEAST_MS))
		return 0;
	change = add(c, ratio > 1 ? RV_REGRESSION : RV_IMPROVEMENT, NULL, &r);
	if (!change)
		return r;
	change->before_value = b;
	change->after_value = a;
	r = put(c, &change->before, "%s %.1f ms", most, b);
	if (r == 0)
		r = put(c, &change->after, "%s %.1f ms", least, a);
	if (r == 0)
		r = put(c, &change->why,
			"median of %llu runs against %llu before: %s by %.0f %% or more, as far as "
			"histograms tell",
			(unsigned long long)now->cold_start.count,
			(unsigned long long)before->cold_start.count,
			ratio > 1 ? "longer" : "shorter", fabs(ratio - 1) * 100);
	return r;
}

static int compare_usage(struct changes *c, uint32_t before, uint32_t after)
{
	const struct mdl_history *b = c->in->before, *n = c->in->now;
	const char *module = n->modules[after].name;
	struct appraise_shift shift;
	struct rv_change *change;
	int r = 0;

	if (!appraise_shifted(b, n, module, &shift) ||
	    (shift.after > shift.before ? appraise_shifted_along(b, n, after) :
					  appraise_shifted_along(n, b, before)))
		return 0;
	change = add(c, RV_USAGE_SHIFT, module, &r);
	if (!change)
		return r;
	change->before_value = shift.before * 100;
	change->after_value = shift.after * 100;
	r = put(c, &change->before, "%.0f %%", change->before_value);
	if (r == 0)
		r = put(c, &change->after, "%.0f %%", change->after_value);
	if (r == 0)
		r = put(c, &change->why, "share of the runs that import it");
	return r;
}

static int compare_version(struct changes *c, const struct mdl_hist_module *before,
			   const struct mdl_hist_module *after)
{
	struct rv_change *change;
	int r = 0;

	if (!after->distribution || !after->version || !before->version ||
	    !strcmp(before->version, after->version))
		return 0;
	change = add(c, RV_DEPENDENCY_UPDATE, after->distribution, &r);
	if (!change)
		return r;
	r = appraise_keep(c->app->strings, before->version, &change->before);
	if (r == 0)
		r = appraise_keep(c->app->strings, after->version, &change->after);
	if (!is_rebuilt(c)) {
		change->before_value = stats_median_of_sketch(&before->total).p50;
		change->after_value = stats_median_of_sketch(&after->total).p50;
	}
	if (r == 0 && isfinite(change->before_value) && isfinite(change->after_value))
		r = put(c, &change->why, "importing %s takes %.1f ms, before %.1f ms", after->name,
			change->after_value, change->before_value);
	else if (r == 0)
		r = put(c, &change->why, "seen in the version of its module %s", after->name);
	return r;
}

static int find_new(struct changes *c, uint32_t module)
{
	const struct mdl_history *h = c->in->now, *b = c->in->before;
	const struct mdl_hist_module *m = &h->modules[module];
	int32_t k = mdl_history_find(b, m->name);
	struct rv_change *change;
	int r = 0;

	if (!appraise_came(b, h, m) || appraise_came_along(b, h, module))
		return 0;
	change = add(c, RV_NEW_MODULE, m->name, &r);
	if (!change)
		return r;
	change->after_value = stats_median_of_sketch(&m->total).p50;
	change->day = m->first_day == INT32_MIN ? INT64_MIN : m->first_day;
	if (isfinite(change->after_value))
		r = put(c, &change->after, "%.1f ms", change->after_value);
	if (r == 0)
		r = put(c, &change->why, "part of the start in %.0f %% of the runs, before in %s",
			(double)m->runs_start / (double)h->runs_plain * 100,
			k >= 0 && b->modules[k].runs_start ? "hardly any" : "none");
	return r;
}

/* module: of the period before. */
static int find_gone(struct changes *c, uint32_t module)
{
	const struct mdl_history *b = c->in->before, *h = c->in->now;
	const struct mdl_hist_module *m = &b->modules[module];
	int32_t k = mdl_history_find(h, m->name);
	struct rv_change *change;
	int r = 0;

	if (!appraise_came(h, b, m) || appraise_came_along(h, b, module))
		return 0;
	change = add(c, RV_GONE, m->name, &r);
	if (!change)
		return r;
	change->before_value = stats_median_of_sketch(&m->total).p50;
	if (isfinite(change->before_value))
		r = put(c, &change->before, "%.1f ms", change->before_value);
	if (r == 0)
		r = put(c, &change->why, "was part of the start in %.0f %% of the runs, now of %s",
			(double)m->runs_start / (double)b->runs_plain * 100,
			k >= 0 && h->modules[k].runs_start ? "hardly any" : "none");
	return r;
}

/* Of both periods. */
static int compare_module(struct changes *c, uint32_t before, uint32_t after)
{
	const struct mdl_history *bh = c->in->before, *nh = c->in->now;
	const struct mdl_hist_module *b = &bh->modules[before], *m = &nh->modules[after];
	/* own time: a module is not slower because what it imports is */
	int r = is_rebuilt(c) ? 0 : compare_times(c, m->name, &b->self, &m->self, TIME_PCT);

	if (r == 0)
		r = find_new(c, after);
	if (r == 0)
		r = find_gone(c, before);
	/* what came or went has another usage, of course */
	if (r == 0 && !appraise_came(bh, nh, m) && !appraise_came(nh, bh, b))
		r = compare_usage(c, before, after);
	return r < 0 ? r : compare_version(c, b, m);
}

static int compare(struct changes *c)
{
	const struct mdl_history *now = c->in->now, *before = c->in->before;
	int r = is_rebuilt(c) ?
			compare_known(c) :
			compare_times(c, NULL, &before->cold_start, &now->cold_start, WHOLE_PCT);

	for (size_t i = 0; i < now->n_modules && r == 0; i++) {
		int32_t k = mdl_history_find(before, now->modules[i].name);

		r = k < 0 ? find_new(c, (uint32_t)i) : compare_module(c, (uint32_t)k, (uint32_t)i);
	}
	for (size_t i = 0; i < before->n_modules && r == 0; i++)
		if (mdl_history_find(now, before->modules[i].name) < 0)
			r = find_gone(c, (uint32_t)i);
	return r;
}

static double weight_of(const struct rv_change *c)
{
	double before = isfinite(c->before_value) ? c->before_value : 0;
	double after = isfinite(c->after_value) ? c->after_value : 0;

	return fabs(after - before);
}

/* The whole start before its parts, then by kind, then what changed most. */
static int by_order(const void *a, const void *b)
{
	const struct rv_change *x = a, *y = b;
	double wx = weight_of(x), wy = weight_of(y);

	if (!x->module != !y->module)
		return x->module ? 1 : -1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (wx != wy)
		return wx < wy ? 1 : -1;
	return x->module && y->module ? strcmp(x->module, y->module) : 0;
}

/* They are in order: of each kind the first ones stay. */
static void cut(struct rv_app *app)
{
	size_t n[RV_CHANGE_KINDS] = {0}, room[RV_CHANGE_KINDS], kept = 0;

	for (size_t i = 0; i < app->n_changes; i++)
		n[app->changes[i].kind]++;
	rv_change_room(n, CHANGES_MOST, room);
	for (size_t i = 0; i < app->n_changes; i++) {
		size_t *left = &room[app->changes[i].kind];

		if (!*left)
			continue;
		--*left;
		app->changes[kept++] = app->changes[i];
	}
	app->cut_changes += app->n_changes - kept;
	app->n_changes = kept;
}

int appraise_changes(const struct appraise_input *in, struct rv_app *app)
{
	struct changes c = {.in = in, .app = app};
	struct rv_change *less;
	int r;

	app->changes = calloc(CHANGES_HELD, sizeof(*app->changes));
	if (!app->changes)
		return -ENOMEM;
	r = from_triggers(&c);
	if (r == 0 && in->before && in->before->runs_plain && in->now->runs_plain)
		r = compare(&c);
	qsort(app->changes, app->n_changes, sizeof(*app->changes), by_order);
	cut(app);
	less = realloc(app->changes, (app->n_changes + 1) * sizeof(*app->changes));
	if (less)
		app->changes = less;
	return r;
}

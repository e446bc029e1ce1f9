/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "analysis/verify.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/known.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/intern.h"

#define NS_PER_MS 1e6
#define MOVED_MOST 20
#define AT_START_PCT 50 /* of the runs: the module belongs to the start */
#define GONE_PCT 10	/* ... and below this no longer */

/* A verdict and the pool that its strings live in. */
struct owned_verify {
	struct rv_verify verify; /* first: what the caller holds */
	struct intern *strings;	 /* owned */
};

struct rv_verify *verify_free(struct rv_verify *v)
{
	struct owned_verify *o = (struct owned_verify *)v;

	if (!o)
		return NULL;
	free(o->verify.moved);
	(void)intern_free(o->strings);
	free(o);
	return NULL;
}

int verify_numbers(const struct stats_dist *before, const struct stats_dist *after,
		   double expected_pct, struct rv_verify *ret)
{
	struct stats_ratio ratio;
	double u, p = 1;
	int r;

	if (!before->total || !after->total)
		return -ENODATA;
	r = stats_improvement(before, after, &ratio);
	if (r == 0)
		r = stats_mann_whitney(before, after, &u, &p);
	if (r < 0)
		return r;
	ret->baseline_ms = stats_dist_median(before);
	ret->current_ms = stats_dist_median(after);
	ret->baseline_n = before->total;
	ret->current_n = after->total;
	ret->improvement_pct = ratio.value * 100;
	ret->lo_pct = ratio.lo * 100;
	ret->hi_pct = ratio.hi * 100;
	ret->full = ratio.full;
	ret->p_value = p;
	ret->expected_pct = expected_pct;
	ret->holds = isfinite(ratio.value) && ret->improvement_pct >= expected_pct && p < VERIFY_P;
	ret->real_ms = ret->baseline_ms - ret->current_ms;
	return 0;
}

/* Of two histograms: between what the improvement is for certain. Their medians are made up, within that. */
static void verify_known(const struct mdl_baseline *baseline, const struct mdl_history *now,
			 struct rv_verify *v)
{
	struct known b = known_median(baseline->rebuilt), a = known_median(now->rebuilt);
	bool told = b.lo > a.hi || a.lo > b.hi;

	v->lo_pct = (1 - a.hi / b.lo) * 100;
	v->hi_pct = (1 - a.lo / b.hi) * 100;
	v->p_value = told ? KNOWN_P : 1;
	v->holds = v->lo_pct >= v->expected_pct;
}

static bool is_since(const struct mdl_baseline *b, const struct mdl_run *run)
{
	return run->started_ns > b->saved_ns;
}

/* The warm runs' cold starts that began after the baseline was saved. */
static int runs_since(const struct mdl_baseline *b, const struct mdl_history *now,
		      struct stats_dist *ret)
{
	_free_ uint64_t *values = calloc(now->n_recent + 1, sizeof(*values));
	size_t n = 0;

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < now->n_recent; i++)
		if (now->recent[i].class == MDL_RUN_WARM && is_since(b, &now->recent[i]))
			values[n++] = now->recent[i].cold_start_ns;
	/* Of days that are all later, every run counts; and more of them are in the sketch. */
	if (now->since_day >= b->until_day && now->n_values > n)
		return stats_dist_from_ns(now->values, now->n_values, ret);
	return stats_dist_from_ns(values, n, ret);
}

static int values_before(const struct mdl_baseline *b, struct stats_dist *ret)
{
	if (b->n_values)
		return stats_dist_from_ns(b->values, b->n_values, ret);
	return stats_dist_from_sketch(&b->cold_start, ret);
}

static const struct mdl_hist_module *find(const struct mdl_history *h, const char *name)
{
	size_t low = 0, high = h->n_modules;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = strcmp(name, h->modules[mid].name);

		if (!r)
			return &h->modules[mid];
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/*
 * The baseline's own plain runs, of which it knows the warm ones only: all of its days but those that began after it was
 * saved, as long as all of these are still there by themselves.
 */
static uint64_t runs_of_baseline(const struct mdl_baseline *b, const struct mdl_history *now)
{
	uint64_t runs = 0, later = 0;

	for (size_t i = 0; i < now->n_days && now->days[i].day < b->until_day; i++)
		for (size_t k = MDL_RUN_WARM; k <= MDL_RUN_COMPILED; k++)
			runs += now->days[i].runs[k];
	for (size_t i = 0; i < now->n_recent; i++)
		later += is_since(b, &now->recent[i]) && now->recent[i].day < b->until_day;
	if (!now->n_recent || is_since(b, &now->recent[now->n_recent - 1]) ||
	    runs < b->runs + later)
		return b->runs;
	return runs - later;
}

/*
 * Share of the runs since the baseline that had the module in their start. own: the baseline's runs among those of
 * `now`.
 */
static double start_pct_since(const struct mdl_baseline_module *m, const struct mdl_history *now,
			      uint64_t own)
{
	const struct mdl_hist_module *at = find(now, m->name);
	double runs = (double)now->runs_plain - (double)own;
	double starts = (at ? (double)at->runs_start : 0) - (double)own * m->start_pct / 100;

	return runs >= 1 ? fmin(100, fmax(0, starts / runs * 100)) : 100;
}

static int by_saving(const void *a, const void *b)
{
	const struct rv_moved *x = a, *y = b;

	if (x->predicted_ms != y->predicted_ms)
		return x->predicted_ms < y->predicted_ms ? 1 : -1;
	return strcmp(x->module, y->module);
}

/*
 * What left the start. Their savings lie within one another, so what was promised for all of them together is the sum
 * of their own times.
 */
static int find_moved(const struct mdl_baseline *b, const struct mdl_history *now,
		      struct intern *strings, struct rv_verify *v)
{
	uint64_t own = now->since_day < b->until_day ? runs_of_baseline(b, now) : 0;
	double sum = 0;

	v->predicted_ms = NAN;
	v->moved = calloc(b->n_modules + 1, sizeof(*v->moved));
	if (!v->moved)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_modules; i++) {
		const struct mdl_baseline_module *m = &b->modules[i];
		struct rv_moved *moved = &v->moved[v->n_moved];

		if (m->start_pct < AT_START_PCT || start_pct_since(m, now, own) > GONE_PCT)
			continue;
		moved->module = intern_str(strings, m->name);
		if (!moved->module)
			return -ENOMEM;
		moved->predicted_ms = (double)m->saving_ns / NS_PER_MS;
		sum += (double)m->self_ns / NS_PER_MS * m->start_pct / 100;
		v->n_moved++;
	}
	if (v->n_moved)
		v->predicted_ms = sum;
	qsort(v->moved, v->n_moved, sizeof(*v->moved), by_saving);
	if (v->n_moved > MOVED_MOST)
		v->n_moved = MOVED_MOST;
	return 0;
}

static void say_known(const struct rv_verify *v, struct buf *b)
{
	bool shorter = v->lo_pct > 0, left_open = v->lo_pct < v->expected_pct;

	if (v->p_value >= VERIFY_P) {
		buf_adds(b, "no difference that histograms could show");
		return;
	}
	buf_addf(b, "cold start is %.1f %% %s or more, as far as histograms tell",
		 shorter ? v->lo_pct : -v->hi_pct, shorter ? "shorter" : "longer");
	left_open = left_open && v->hi_pct >= v->expected_pct;
	buf_addf(b, "; expected at least %g %%: %s", v->expected_pct,
		 v->holds  ? "holds" :
		 left_open ? "they leave it open" :
			     "does not hold");
}

static void say_tested(const struct rv_verify *v, struct buf *b)
{
	double pct = v->improvement_pct;

	if (!isfinite(pct))
		buf_adds(b, "the baseline's cold start is 0: nothing to compare with");
	else if (v->p_value >= VERIFY_P)
		buf_addf(b, "no difference that could not be chance (p = %.2g)%s", v->p_value,
			 v->full ? "" : "; more runs would tell");
	else
		buf_addf(b, "cold start is %.1f %% %s (95 %% interval %.1f to %.1f %%), p %s %.1g",
			 fabs(pct), pct >= 0 ? "shorter" : "longer", v->lo_pct, v->hi_pct,
			 v->p_value < 1e-4 ? "<" : "=", v->p_value < 1e-4 ? 1e-4 : v->p_value);
	if (isfinite(pct) && v->p_value < VERIFY_P) {
		buf_addf(b, "; expected at least %g %%: %s", v->expected_pct,
			 v->holds ? "holds" : "does not hold");
		if (v->full && v->lo_pct < v->expected_pct && v->hi_pct > v->expected_pct)
			buf_adds(b, ", though the interval leaves it open");
	}
}

static int say(struct rv_verify *v, bool known, struct intern *strings)
{
	_buf_ struct buf b = {0};

	(known ? say_known : say_tested)(v, &b);
	if (isfinite(v->predicted_ms))
		buf_addf(&b, "; predicted %.1f ms, really %s%.1f ms", v->predicted_ms,
			 known ? "about " : "", v->real_ms);
	if (buf_error(&b))
		return -ENOMEM;
	v->text = intern_str(strings, buf_str(&b));
	return v->text ? 0 : -ENOMEM;
}

int verify_baseline(const struct mdl_baseline *baseline, const struct mdl_history *now,
		    double expected_pct, struct rv_verify **ret)
{
	_cleanup_(stats_dist_clear) struct stats_dist before = {0}, after = {0};
	_cleanup_(verify_freep) struct rv_verify *v = NULL;
	bool known = baseline->rebuilt && now->rebuilt;
	struct owned_verify *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	v = &o->verify;
	r = intern_new(&o->strings);
	if (r == 0)
		r = values_before(baseline, &before);
	if (r == 0)
		r = runs_since(baseline, now, &after);
	if (r == 0)
		r = verify_numbers(&before, &after, expected_pct, v);
	if (r == 0)
		r = find_moved(baseline, now, o->strings, v);
	if (r == 0 && known)
		verify_known(baseline, now, v);
	if (r == 0)
		r = say(v, known, o->strings);
	if (r < 0)
		return r;
	v->baseline = intern_str(o->strings, baseline->name ? baseline->name : "");
	if (!v->baseline)
		return -ENOMEM;
	*ret = TAKE_PTR(v);
	return 0;
}

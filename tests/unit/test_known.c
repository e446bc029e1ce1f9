/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Histories that were rebuilt from histograms: what their made-up values show is not told, what is certain is. */
#include <math.h>

#include "analysis/known.h"
#include "analysis/verify.h"
#include "fleet/rebuild.h"
#include "unit/lognormal.h"
#include "unit/reviewed.h"

static const double bounds[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, INFINITY};
#define BOUNDS ARRAY_LEN(bounds)
#define MOST 2000

struct histogram {
	struct rebuild_bucket bucket[BOUNDS];
	double sum, squares; /* s, s^2 */
};

static struct histogram histogram(const double *ms, size_t n)
{
	struct histogram h = {0};

	for (size_t k = 0; k < BOUNDS; k++)
		h.bucket[k].le_s = bounds[k];
	for (size_t i = 0; i < n; i++) {
		double s = ms[i] / 1000;

		h.sum += s;
		h.squares += s * s;
		for (size_t k = 0; k < BOUNDS; k++)
			h.bucket[k].count += s <= bounds[k];
	}
	return h;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Whatever the values are: the median is where it is said to be. */
static void test_certain(void **state)
{
	double values[MOST];

	(void)state;
	for (int round = 0; round < 400; round++) {
		size_t n = 1 + (size_t)(rng() * (MOST - 1));
		double a = pow(10, 1 + rng() * 2.5), b = pow(10, 1 + rng() * 2.5), both = rng();
		double median;
		struct histogram h;
		struct mdl_buckets *known;
		struct known m;

		for (size_t i = 0; i < n; i++)
			values[i] = value(rng() < both ? a : b, round % 3 ? 0.05 : 0.6);
		h = histogram(values, n);
		qsort(values, n, sizeof(*values), by_value);
		median = (values[(n - 1) / 2] + values[n / 2]) / 2;
		assert_int_equal(rebuild_known(h.bucket, BOUNDS, round % 5 ? h.sum : NAN, &known),
				 0);
		m = known_median(known);
		assert_true(m.lo <= median * (1 + 1e-9) && median <= m.hi * (1 + 1e-9));
		free(known);
	}
}

/* A sum that half of the values far from the mean would not fit narrows a bucket down. */
static void test_sum(void **state)
{
	struct mdl_buckets *known;
	double values[MOST];
	struct histogram h;
	struct known m;

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		values[i] = value(400, 0.03);
	h = histogram(values, MOST);
	assert_int_equal(rebuild_known(h.bucket, BOUNDS, h.sum, &known), 0);
	m = known_median(known);
	assert_true(m.lo > 280 && m.lo < 400 && m.hi == 500);
	free(known);
	/* what does not fit the counts is no sum */
	assert_int_equal(rebuild_known(h.bucket, BOUNDS, h.sum * 3, &known), 0);
	m = known_median(known);
	assert_true(m.lo == 200 && m.hi == 500);
	free(known);
	m = known_median(NULL);
	assert_true(m.lo == 0 && isinf(m.hi));
}

/* n starts of about `ms`, and `bad` of them of bad_ms; "lib" of lib_ms own time. */
static struct fh *rebuilt(int32_t since, size_t n, double ms, size_t bad, double bad_ms,
			  double lib_ms)
{
	struct fh *f = fh_new("app.py", since, since + 30, n);
	double values[MOST];
	struct histogram h;

	for (size_t i = 0; i < n; i++)
		values[i] = value(i < bad ? bad_ms : ms, 0.04);
	h = histogram(values, n);
	assert_int_equal(rebuild_known(h.bucket, BOUNDS, h.sum, &f->h.rebuilt), 0);
	assert_int_equal(rebuild_sketch(h.bucket, BOUNDS, h.sum, h.squares, &f->h.cold_start), 0);
	f->h.n_values = n;
	sketch_sample(&f->h.cold_start, f->h.values, n);
	(void)fh_module(f, "lib", lib_ms, lib_ms, lib_ms);
	fh_installed(f, &f->modules[0], "/x.py", "lib", since > 100 ? "2.0" : "1.0");
	(void)fh_edge(f, "__main__", "lib", "/x.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	return f;
}

static struct rv_app *changed(struct fh *before, struct fh *now)
{
	struct appraise_input in = {
		.now = &now->h, .before = &before->h, .thresholds = &review_default_thresholds};

	return reviewed(&in);
}

static void done(struct fh *f)
{
	free(f->h.rebuilt);
	fh_free(f);
}

static void test_hiccups(void **state)
{
	struct fh *before = rebuilt(100, 200, 180, 0, 0, 10);
	/* the mean of the module's own times, which is all that is known, has 400 ms twice in it */
	struct fh *now = rebuilt(130, 200, 180, 2, 1800, 13.9);
	struct rv_app *app = changed(before, now);

	(void)state;
	assert_int_equal(app->n_changes, 1);
	assert_int_equal(app->changes[0].kind, RV_DEPENDENCY_UPDATE);
	assert_true(isnan(app->changes[0].before_value));
	assert_string_equal(app->changes[0].why, "seen in the version of its module lib");
	/* savings are not made less by a median that nobody knows */
	assert_float_equal(find(app, "lib")->saving_ms, 13.9, 1e-6);
	/* nor are they noise beside a scatter that is made up */
	assert_true(app->noise_ms < 3);
	(void)appraise_app_free(app);
	done(before);
	done(now);
}

static void assert_start(double was, double is, size_t n, enum rv_change_kind kind)
{
	struct fh *before = rebuilt(100, n, was, 0, 0, 10), *now = rebuilt(130, n, is, 0, 0, 10);
	struct rv_app *app = changed(before, now);
	const struct rv_change *c = &app->changes[0];

	assert_int_equal(c->kind, kind);
	if (kind != RV_DEPENDENCY_UPDATE) {
		assert_null(c->module);
		assert_true(kind == RV_REGRESSION ? c->before_value > was && c->after_value < is :
						    c->before_value < was && c->after_value > is);
		assert_non_null(strstr(c->before, kind == RV_REGRESSION ? "at most" : "at least"));
		assert_non_null(strstr(c->why, kind == RV_REGRESSION ? "longer by" : "shorter by"));
	}
	(void)appraise_app_free(app);
	done(before);
	done(now);
}

static void test_start(void **state)
{
	(void)state;
	assert_start(180, 1500, 200, RV_REGRESSION);
	assert_start(180, 400, 200, RV_REGRESSION);
	assert_start(400, 180, 200, RV_IMPROVEMENT);
	assert_start(112, 180, 2000, RV_REGRESSION);
	/* they may lie on both sides of a bound */
	assert_start(190, 215, 200, RV_DEPENDENCY_UPDATE);
	assert_start(120, 150, 200, RV_DEPENDENCY_UPDATE);
	/* too few */
	assert_start(180, 1500, 10, RV_DEPENDENCY_UPDATE);
}

static void verified(double was, double is, struct rv_verify **ret)
{
	struct fh *before = rebuilt(100, 200, was, 0, 0, 10),
		  *now = rebuilt(130, 200, is, 2, 1800, 10);
	const struct mdl_baseline b = {.name = "before",
				       .app = "app.py",
				       .since_day = 100,
				       .until_day = 130,
				       .runs = 200,
				       .cold_start = before->h.cold_start,
				       .rebuilt = before->h.rebuilt,
				       .values = before->h.values,
				       .n_values = before->h.n_values};

	assert_int_equal(verify_baseline(&b, &now->h, 40, ret), 0);
	done(before);
	done(now);
}

static void test_verify(void **state)
{
	struct rv_verify *v;

	(void)state;
	verified(180, 180, &v);
	assert_false(v->holds);
	assert_float_equal(v->p_value, 1, 0);
	assert_true(v->lo_pct < 0 && v->hi_pct > 0);
	assert_string_equal(v->text, "no difference that histograms could show");
	(void)verify_free(v);
	verified(900, 150, &v);
	assert_true(v->holds && v->p_value < VERIFY_P);
	assert_true(v->lo_pct > 40 && v->lo_pct < 100 * (1 - 150. / 900));
	assert_non_null(strstr(v->text, "shorter or more, as far as histograms tell; expected"));
	assert_non_null(strstr(v->text, "at least 40 %: holds"));
	(void)verify_free(v);
	verified(150, 700, &v);
	assert_false(v->holds);
	assert_non_null(strstr(v->text, "longer or more"));
	assert_non_null(strstr(v->text, "does not hold"));
	(void)verify_free(v);
	verified(400, 180, &v);
	assert_false(v->holds);
	assert_non_null(strstr(v->text, "they leave it open"));
	(void)verify_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certain), cmocka_unit_test(test_sum),
		cmocka_unit_test(test_hiccups), cmocka_unit_test(test_start),
		cmocka_unit_test(test_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

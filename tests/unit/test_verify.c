/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/verify.h"
#include "unit/fake_history.h"

#define SAVED_NS 1700000000000000000
#define S 1000000000

static void numbers(double before, double after, size_t n, double expect, struct rv_verify *v)
{
	_cleanup_(stats_dist_clear) struct stats_dist b = {0}, a = {0};
	double values[32] = {0};

	for (size_t i = 0; i < n; i++)
		values[i] = before * (1 + 0.001 * (double)i);
	assert_int_equal(stats_dist_from_samples(values, n, &b), 0);
	for (size_t i = 0; i < n; i++)
		values[i] = after * (1 + 0.001 * (double)i);
	assert_int_equal(stats_dist_from_samples(values, n, &a), 0);
	assert_int_equal(verify_numbers(&b, &a, expect, v), 0);
}

static void test_numbers(void **state)
{
	struct rv_verify v = {0};

	(void)state;
	numbers(1000, 500, 10, 40, &v);
	assert_float_equal(v.improvement_pct, 50, 1e-6);
	assert_true(v.holds);
	assert_true(v.p_value < 0.001);
	assert_true(v.lo_pct < 50 && v.hi_pct > 50);
	assert_float_equal(v.real_ms, v.baseline_ms - v.current_ms, 1e-9);
	numbers(1000, 601, 10, 40, &v);
	assert_false(v.holds);
	numbers(1000, 600, 10, 40, &v);
	assert_true(v.holds);
	/* as it was: no difference, whatever is expected */
	numbers(1000, 1000, 10, 0, &v);
	assert_false(v.holds);
	/* slower */
	numbers(500, 1000, 10, 40, &v);
	assert_float_equal(v.improvement_pct, -100, 1e-6);
	assert_false(v.holds);
	/* large, but 2 runs a side can be chance */
	numbers(1000, 100, 2, 40, &v);
	assert_false(v.holds);
	assert_false(v.full);
}

static void test_empty(void **state)
{
	_cleanup_(stats_dist_clear) struct stats_dist none = {0}, one = {0};
	const double value = 3;
	struct rv_verify v;

	(void)state;
	assert_int_equal(stats_dist_from_samples(&value, 1, &one), 0);
	assert_int_equal(verify_numbers(&none, &one, 40, &v), -ENODATA);
	assert_int_equal(verify_numbers(&one, &none, 40, &v), -ENODATA);
}

/* A day with 10 runs before the baseline was saved, and 12 after it: shop.db left the start. */
static struct fh *day_of_saving(struct mdl_baseline *b, struct mdl_baseline_module *modules)
{
	static uint64_t before[10];
	struct fh *f = fh_new("shop", 100, 101, 22);
	struct mdl_hist_module *m;

	for (size_t i = 0; i < 10; i++)
		before[i] = fh_ns(200 + (double)i);
	modules[0] = (struct mdl_baseline_module){
		.name = "json", .self_ns = fh_ns(5), .saving_ns = fh_ns(5), .start_pct = 100};
	modules[1] = (struct mdl_baseline_module){
		.name = "shop.db", .self_ns = fh_ns(95), .saving_ns = fh_ns(98), .start_pct = 100};
	modules[2] = (struct mdl_baseline_module){.name = "shop.db.ext",
						  .self_ns = fh_ns(3),
						  .saving_ns = fh_ns(3),
						  .start_pct = 100};
	*b = (struct mdl_baseline){.name = "before",
				   .app = "shop",
				   .saved_ns = SAVED_NS,
				   .since_day = 100,
				   .until_day = 101,
				   .runs = 10,
				   .values = before,
				   .n_values = 10,
				   .modules = modules,
				   .n_modules = 3};
	(void)fh_module(f, "json", 5, 5, 5);
	m = fh_module(f, "shop.db", 98, 95, 98);
	m->runs_start = 10;
	m = fh_module(f, "shop.db.ext", 3, 3, 3);
	m->runs_start = 10;
	for (size_t i = 0; i < 22; i++) {
		bool later = i < 12;

		f->recent[i] = (struct mdl_run){
			.class = MDL_RUN_WARM,
			.started_ns = SAVED_NS + (later ? 1 : -1) * (int64_t)(i + 1) * S,
			.cold_start_ns = fh_ns((later ? 101 : 200) + (double)i * 0.1)};
	}
	f->recent[3].class = MDL_RUN_COLD;
	f->recent[3].cold_start_ns = fh_ns(5000);
	f->h.n_recent = 22;
	return f;
}

static void test_baseline(void **state)
{
	struct mdl_baseline_module modules[3];
	struct mdl_baseline b;
	struct fh *f = day_of_saving(&b, modules);
	struct rv_verify *v = NULL;

	(void)state;
	assert_int_equal(verify_baseline(&b, fh_done(f), 40, &v), 0);
	assert_int_equal(v->baseline_n, 10);
	assert_int_equal(v->current_n, 11); /* not the cold one, and none from before */
	assert_true(v->holds);
	assert_int_equal(v->n_moved, 2);
	assert_string_equal(v->moved[0].module, "shop.db");
	/* not 98 + 3: what shop.db saves has the 3 in it */
	assert_float_equal(v->predicted_ms, 98, 1e-6);
	assert_true(fabs(v->real_ms - 103) < 1);
	assert_non_null(strstr(v->text, "holds"));
	assert_non_null(strstr(v->text, "predicted 98.0 ms"));
	v = verify_free(v);
	/* nothing ran since */
	b.saved_ns += 1000 * (int64_t)S;
	assert_int_equal(verify_baseline(&b, &f->h, 40, &v), -ENODATA);
	/* the runs themselves are gone, but the days are all later */
	f->h.n_recent = 0;
	b.until_day = 100;
	fh_cold(f, 50, 30);
	assert_int_equal(verify_baseline(&b, &f->h, 40, &v), 0);
	assert_int_equal(v->current_n, 30);
	(void)verify_free(v);
	fh_free(f);
}

static void test_nothing_moved(void **state)
{
	struct mdl_baseline_module modules[3];
	struct mdl_baseline b;
	struct fh *f = day_of_saving(&b, modules);
	struct rv_verify *v = NULL;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		f->modules[i].runs_start = 22;
	assert_int_equal(verify_baseline(&b, fh_done(f), 40, &v), 0);
	assert_int_equal(v->n_moved, 0);
	assert_true(isnan(v->predicted_ms));
	(void)verify_free(v);
	assert_null(verify_free(NULL));
	fh_free(f);
}

/*
 * Of the baseline's own runs two were cold and three compiled something: they had the module, too, and say nothing of the
 * runs since. n_recent: how many of the runs are still stored.
 */
static void with_other_classes(size_t n_recent)
{
	struct mdl_baseline_module modules[3];
	struct mdl_baseline b;
	struct fh *f = day_of_saving(&b, modules);
	struct rv_verify *v = NULL;
	struct mdl_day *d = &f->days[f->h.n_days++];

	*d = (struct mdl_day){.day = 100, .runs = {21, 3, 3}};
	f->h.runs_plain = 27;
	f->h.runs[MDL_RUN_WARM] = 21;
	f->h.runs[MDL_RUN_COLD] = f->h.runs[MDL_RUN_COMPILED] = 3;
	f->modules[0].runs_start = 27;
	f->modules[1].runs_start = f->modules[2].runs_start = 15;
	for (size_t i = 22; i < 27; i++)
		f->recent[i] = (struct mdl_run){.class = i < 24 ? MDL_RUN_COLD : MDL_RUN_COMPILED,
						.started_ns = SAVED_NS - (int64_t)(i + 1) * S,
						.cold_start_ns = fh_ns(900)};
	for (size_t i = 0; i < 27; i++)
		f->recent[i].day = 100;
	f->h.n_recent = n_recent;
	assert_int_equal(verify_baseline(&b, fh_done(f), 40, &v), 0);
	assert_int_equal(v->current_n, 11);
	assert_int_equal(v->n_moved, 2);
	assert_float_equal(v->predicted_ms, 98, 1e-6);
	(void)verify_free(v);
	fh_free(f);
}

static void test_the_baselines_day_had_other_classes(void **state)
{
	(void)state;
	with_other_classes(27);
	with_other_classes(13);
}

/* Later days' runs are all later: whatever the module's share was on the baseline's day, in these it is 1 of 12. */
static void test_later_days(void **state)
{
	struct mdl_baseline_module modules[3];
	struct mdl_baseline b;
	struct fh *f = day_of_saving(&b, modules);
	struct rv_verify *v = NULL;

	(void)state;
	f->h.until_day = 102;
	f->days[f->h.n_days++] = (struct mdl_day){.day = 100, .runs = {10, 2, 3}};
	f->days[f->h.n_days++] = (struct mdl_day){.day = 101, .runs = {11, 1, 0}};
	f->h.runs_plain = 27;
	f->modules[1].runs_start = 15;
	f->modules[2].runs_start = 15 + 12;
	for (size_t i = 0; i < 22; i++)
		f->recent[i].day = i < 12 ? 101 : 100;
	assert_int_equal(verify_baseline(&b, fh_done(f), 40, &v), 0);
	assert_int_equal(v->n_moved, 1);
	assert_string_equal(v->moved[0].module, "shop.db");
	(void)verify_free(v);
	fh_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_baseline),
		cmocka_unit_test(test_nothing_moved),
		cmocka_unit_test(test_the_baselines_day_had_other_classes),
		cmocka_unit_test(test_later_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

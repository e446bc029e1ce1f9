/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/stats.h"
#include "base/cleanup.h"

static void close_to(double got, double want, double off)
{
	if (!(fabs(got - want) <= off))
		fail_msg("%.12g is not %.12g", got, want);
}

static struct stats_dist dist_of(const double *values, size_t n)
{
	struct stats_dist d;

	assert_int_equal(stats_dist_from_samples(values, n, &d), 0);
	return d;
}

#define DIST(...)                                                                                  \
	dist_of((const double[]){__VA_ARGS__},                                                     \
		sizeof((const double[]){__VA_ARGS__}) / sizeof(double))
#define _dist_ _cleanup_(stats_dist_clear)

static void test_dist(void **state)
{
	const struct stats_point points[] = {{5, 2}, {1, 1}, {5, 1}, {9, 0}, {NAN, 3}};
	_dist_ struct stats_dist d = {0}, empty = {0}, few = DIST(3, INFINITY, 1, 2, NAN);

	(void)state;
	assert_int_equal(stats_dist_from_points(points, ARRAY_LEN(points), &d), 0);
	assert_int_equal(d.total, 4);
	assert_int_equal(d.n, 2);
	close_to(stats_dist_rank(&d, 1), 1, 0);
	close_to(stats_dist_rank(&d, 2), 5, 0);
	close_to(stats_dist_rank(&d, 0), 1, 0);
	close_to(stats_dist_rank(&d, 99), 5, 0);
	assert_int_equal(few.total, 3);
	close_to(stats_dist_median(&few), 2, 0);
	close_to(stats_dist_quantile(&few, 0.25), 1.5, 1e-12);
	close_to(stats_dist_quantile(&few, 7), 3, 0);
	assert_true(isnan(stats_dist_median(&empty)));
	assert_true(isnan(stats_spread(&empty)));
	assert_true(isnan(stats_median(&empty).p50));
	assert_int_equal(stats_median(&empty).n, 0);
}

/* Ranks as in tables of the sign test. */
static void test_ranks(void **state)
{
	static const struct {
		uint64_t n, low, high;
		bool full;
	} cases[] = {
		{1, 1, 1, false},    {5, 1, 5, false},	     {6, 1, 6, true},
		{8, 1, 8, true},     {9, 2, 8, true},	     {10, 2, 9, true},
		{20, 6, 15, true},   {25, 8, 18, true},	     {50, 18, 33, true},
		{100, 40, 61, true}, {1000, 469, 532, true}, {1000000, 499020, 500981, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t low, high;
		bool full;

		stats_median_ranks(cases[i].n, &low, &high, &full);
		assert_int_equal(full, cases[i].full);
		assert_int_equal(low, cases[i].low);
		assert_int_equal(high, cases[i].high);
	}
}

static void test_median(void **state)
{
	_dist_ struct stats_dist d = DIST(1, 2, 3, 4, 5, 6, 7, 8, 9, 1000);
	struct stats_median m = stats_median(&d);
	_sketch_ struct sketch s = {0};

	(void)state;
	close_to(m.p50, 5.5, 1e-12);
	close_to(m.lo, 2, 0);
	close_to(m.hi, 9, 0);
	assert_true(m.full);
	/* the outlier does not count */
	close_to(stats_spread(&d), 1.4826 * 2.5, 1e-9);
	for (uint64_t i = 1; i <= 9; i++)
		assert_int_equal(sketch_add(&s, i * 1000000), 0);
	m = stats_median_of_sketch(&s);
	assert_int_equal(m.n, 9);
	close_to(m.p50, 5, 5 * SKETCH_ACCURACY);
	close_to(m.lo, 2, 2 * SKETCH_ACCURACY);
	close_to(m.hi, 8, 8 * SKETCH_ACCURACY);
	sketch_free(&s);
	assert_true(isnan(stats_median_of_sketch(&s).p50));
}

static void test_sketch_points(void **state)
{
	_sketch_ struct sketch s = {0};
	_dist_ struct stats_dist d = {0};

	(void)state;
	assert_int_equal(sketch_add_n(&s, 1000000, 3000), 0);
	assert_int_equal(sketch_add_n(&s, 9000000, 7001), 0);
	assert_int_equal(stats_dist_from_sketch(&s, &d), 0);
	assert_int_equal(d.total, 10001);
	close_to(stats_dist_rank(&d, 2980), 1, 0.01);
	close_to(stats_dist_rank(&d, 3020), 9, 0.05);
}

static void test_mann_whitney(void **state)
{
	_dist_ struct stats_dist a = DIST(1, 2, 3), b = DIST(4, 5, 6), c = DIST(1, 2, 3, 4, 5);
	_dist_ struct stats_dist d = DIST(6, 7, 8, 9, 10), e = DIST(1, 1, 1, 2),
				 f = DIST(2, 2, 3, 3);
	_dist_ struct stats_dist g = DIST(1.5, 3.5, 5.5), empty = {0}, same = DIST(5, 5, 5, 5);
	double u, p;

	(void)state;
	assert_int_equal(stats_mann_whitney(&a, &b, &u, &p), 0);
	close_to(u, 0, 0);
	close_to(p, 0.1, 1e-12); /* 2 / C(6, 3) */
	assert_int_equal(stats_mann_whitney(&b, &a, &u, &p), 0);
	close_to(u, 9, 0);
	close_to(p, 0.1, 1e-12);
	assert_int_equal(stats_mann_whitney(&c, &d, &u, &p), 0);
	close_to(p, 2.0 / 252, 1e-12);
	assert_int_equal(stats_mann_whitney(&a, &g, &u, &p), 0);
	close_to(u, 2, 0);
	close_to(p, 0.4, 1e-9); /* 4 of the 20 orders have U <= 2 */
	assert_int_equal(stats_mann_whitney(&e, &f, &u, &p), 0);
	close_to(u, 1, 0);
	close_to(p, 0.0470, 0.0002); /* normal, with ties and continuity */
	assert_int_equal(stats_mann_whitney(&a, &empty, &u, &p), 0);
	close_to(p, 1, 0);
	assert_int_equal(stats_mann_whitney(&same, &same, &u, &p), 0);
	close_to(p, 1, 0);
}

/* 50 against 50 without overlap: the exact tail is far below what rounding could hide. */
static void test_exact_tail(void **state)
{
	double low[50], high[50], u, p;
	_dist_ struct stats_dist a = {0}, b = {0};

	(void)state;
	for (int i = 0; i < 50; i++) {
		low[i] = i;
		high[i] = 100 + i;
	}
	a = dist_of(low, 50);
	b = dist_of(high, 50);
	assert_int_equal(stats_mann_whitney(&a, &b, &u, &p), 0);
	close_to(log10(p), log10(2) - 29.0038, 0.001); /* C(100, 50) = 1.0089e29 */
}

static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
	return (double)(next(state) >> 11) / 9007199254740992.0;
}

/* Log-normal about a median, now and then far above it. */
static double time_of(uint64_t *state, double median)
{
	double z = sqrt(-2 * log(1 - uniform(state))) * cos(2 * M_PI * uniform(state));

	return median * exp(0.1 * z) * (uniform(state) < 0.05 ? 1 + 5 * uniform(state) : 1);
}

/* Does the interval hold the true improvement as often as it says? */
static void test_coverage(void **state)
{
	static const size_t sizes[] = {6, 10, 30};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		uint64_t seed = 42 + k;
		size_t n = sizes[k], held = 0, tries = 300;
		double before[30], after[30];

		for (size_t i = 0; i < tries; i++) {
			_dist_ struct stats_dist b = {0}, a = {0};
			struct stats_ratio r;

			for (size_t j = 0; j < n; j++) {
				before[j] = time_of(&seed, 100);
				after[j] = time_of(&seed, 60);
			}
			b = dist_of(before, n);
			a = dist_of(after, n);
			assert_int_equal(stats_improvement(&b, &a, &r), 0);
			assert_true(r.lo <= r.value && r.value <= r.hi);
			held += r.lo <= 0.4 && r.hi >= 0.4;
		}
		print_message("n %zu: %zu of %zu\n", n, held, tries);
		assert_true(held * 1000 >= tries * 925);
	}
}

static void test_improvement(void **state)
{
	_dist_ struct stats_dist b = DIST(100, 100, 100, 100, 100, 100),
				 a = DIST(60, 60, 60, 60, 60, 60);
	_dist_ struct stats_dist zero = DIST(0, 0, 0), one = DIST(50), empty = {0};
	struct stats_ratio r;

	(void)state;
	assert_int_equal(stats_improvement(&b, &a, &r), 0);
	close_to(r.value, 0.4, 1e-12);
	close_to(r.lo, 0.4, 1e-12);
	close_to(r.hi, 0.4, 1e-12);
	assert_true(r.full);
	assert_int_equal(stats_improvement(&a, &b, &r), 0);
	close_to(r.value, -2.0 / 3, 1e-12);
	assert_int_equal(stats_improvement(&b, &one, &r), 0);
	close_to(r.value, 0.5, 1e-12);
	assert_false(r.full);
	assert_int_equal(stats_improvement(&zero, &a, &r), 0);
	assert_true(isnan(r.value));
	assert_int_equal(stats_improvement(&b, &empty, &r), 0);
	assert_true(isnan(r.value));
}

static void test_fisher(void **state)
{
	(void)state;
	/* the lady tasting tea */
	close_to(stats_fisher_upper(4, 4, 0, 4), 1.0 / 70, 1e-12);
	close_to(stats_fisher_upper(3, 4, 1, 4), 17.0 / 70, 1e-12);
	close_to(stats_fisher_upper(0, 4, 1, 4), 1, 1e-12);
	close_to(stats_fisher_upper(3, 3, 0, 100), 1.0 / 176851, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dist),	     cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_median),	     cmocka_unit_test(test_sketch_points),
		cmocka_unit_test(test_mann_whitney), cmocka_unit_test(test_exact_tail),
		cmocka_unit_test(test_coverage),     cmocka_unit_test(test_improvement),
		cmocka_unit_test(test_fisher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Sketches from histograms: every rank on the right side of every bound, whatever the values were. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fleet/rebuild.h"
#include "unit/lognormal.h"

static const double bounds[] = {0.001, 0.01, 0.1, 0.5, INFINITY};
#define BOUNDS ARRAY_LEN(bounds)
#define MOST 2000

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t bucket_of(double s)
{
	size_t i = 0;

	while (s > bounds[i])
		i++;
	return i;
}

/* values: sorted. */
static void histogram(const double *values, size_t n, struct rebuild_bucket ret[BOUNDS],
		      double *sum, double *squares)
{
	*sum = *squares = 0;
	for (size_t i = 0; i < BOUNDS; i++)
		ret[i] = (struct rebuild_bucket){.le_s = bounds[i]};
	for (size_t i = 0; i < n; i++) {
		*sum += values[i];
		*squares += values[i] * values[i];
		for (size_t k = bucket_of(values[i]); k < BOUNDS; k++)
			ret[k].count++;
	}
}

static void rebuild(double *values, size_t n, bool squares, struct sketch *ret)
{
	struct rebuild_bucket bucket[BOUNDS];
	double sum, sum_sq;

	qsort(values, n, sizeof(*values), by_value);
	histogram(values, n, bucket, &sum, &sum_sq);
	assert_int_equal(rebuild_sketch(bucket, BOUNDS, sum, squares ? sum_sq : NAN, ret), 0);
	assert_int_equal(ret->count, n);
	/* with what a reader allows for */
	for (size_t i = 0; i < n; i++) {
		double s = (double)sketch_rank(ret, i + 1) / 1e9;

		assert_int_equal(bucket_of(s * (1 - SKETCH_ACCURACY)), bucket_of(values[i]));
		assert_int_equal(bucket_of(s * (1 + SKETCH_ACCURACY)), bucket_of(values[i]));
	}
}

static void test_every_rank(void **state)
{
	double values[MOST];

	(void)state;
	for (int round = 0; round < 300; round++) {
		_sketch_ struct sketch s = {0};
		size_t n = 1 + (size_t)(rng() * (MOST - 1));
		double a = pow(10, rng() * 5 - 4), b = pow(10, rng() * 5 - 4), both = rng();

		for (size_t i = 0; i < n; i++)
			values[i] = value(rng() < both ? a : b, round % 3 ? 0.05 : 0.6);
		rebuild(values, n, round % 2, &s);
	}
}

/* Just beside a bound on either side: what tiers hang on. */
static void test_near_a_bound(void **state)
{
	static const double at[] = {0.01, 0.1, 0.5};
	double values[101];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		_sketch_ struct sketch below = {0}, above = {0};

		for (int k = 0; k < 101; k++)
			values[k] = at[i] * (k < 51 ? 0.99999 : 1.00001);
		rebuild(values, 101, false, &below);
		assert_true((double)sketch_quantile(&below, 0.5) < at[i] * 1e9);
		for (int k = 0; k < 101; k++)
			values[k] = at[i] * (k < 50 ? 0.99999 : 1.00001);
		rebuild(values, 101, false, &above);
		assert_true((double)sketch_quantile(&above, 0.5) > at[i] * 1e9);
	}
}

/* What is alike, as imports are, comes out near where it was. */
static void test_values(void **state)
{
	static const double medians[] = {0.0095, 0.03, 0.0985, 0.104, 0.25, 0.6};
	double values[MOST];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(medians); i++) {
		_sketch_ struct sketch s = {0}, squared = {0};

		for (size_t k = 0; k < MOST; k++)
			values[k] = value(medians[i], 0.06);
		rebuild(values, MOST, false, &s);
		assert_true(fabs((double)sketch_quantile(&s, 0.5) / 1e9 / medians[i] - 1) < 0.08);
		rebuild(values, MOST, true, &squared);
		assert_true(fabs((double)sketch_quantile(&squared, 0.5) / 1e9 / medians[i] - 1) <
			    0.03);
	}
}

static void test_nonsense(void **state)
{
	static const struct rebuild_bucket none[] = {{NAN, 5}, {0.1, NAN}, {-1, 3}, {INFINITY, -3}};
	static const struct rebuild_bucket falls[] = {{0.01, 10}, {0.02, 4}, {INFINITY, 12}};
	static const struct rebuild_bucket open[] = {{INFINITY, 3}};
	static const struct rebuild_bucket huge[] = {{0.1, 1e300}, {INFINITY, INFINITY}};
	static const double sums[] = {NAN, -1, 0, 1e-30, 1, 1e300, INFINITY};
	_sketch_ struct sketch s = {0};

	(void)state;
	assert_int_equal(rebuild_sketch(none, ARRAY_LEN(none), 1, 1, &s), 0);
	assert_int_equal(s.count, 0);
	assert_int_equal(rebuild_sketch(huge, ARRAY_LEN(huge), 1, 1, &s), 0);
	assert_int_equal(s.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sums); k++) {
			_sketch_ struct sketch a = {0}, b = {0};

			assert_int_equal(
				rebuild_sketch(falls, ARRAY_LEN(falls), sums[i], sums[k], &a), 0);
			assert_int_equal(a.count, 12);
			assert_true(sketch_rank(&a, 10) <= 10000000);
			assert_true(sketch_rank(&a, 11) > 10000000);
			assert_int_equal(rebuild_sketch(open, 1, sums[i], sums[k], &b), 0);
			assert_int_equal(b.count, 3);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_rank),
		cmocka_unit_test(test_near_a_bound),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

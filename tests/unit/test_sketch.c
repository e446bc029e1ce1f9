/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The sketch: its accuracy over its whole range, exact merging, and bytes that anyone may have written. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sketch.h"

static uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* From 1 us to an hour, evenly on a logarithmic scale. */
static uint64_t rng_ns(uint64_t *state)
{
	double u = (double)(rng_next(state) >> 11) / 9007199254740992.0;

	return (uint64_t)(SKETCH_MIN_NS * pow((double)SKETCH_MAX_NS / SKETCH_MIN_NS, u));
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void assert_near(uint64_t got, uint64_t want)
{
	double error = fabs((double)got - (double)want) / (double)want;

	if (error > SKETCH_ACCURACY)
		fail_msg("%llu for %llu: off by %f", (unsigned long long)got,
			 (unsigned long long)want, error);
}

/* The middle of three far-apart values is seen through its bucket alone. */
static void check_value(uint64_t ns)
{
	_sketch_ struct sketch s = {0};

	assert_int_equal(sketch_add(&s, 0), 0);
	assert_int_equal(sketch_add(&s, ns), 0);
	assert_int_equal(sketch_add(&s, UINT64_MAX), 0);
	assert_near(sketch_quantile(&s, 0.5), ns);
}

static void test_every_value_is_within_half_a_percent(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint64_t ns = SKETCH_MIN_NS; ns < 70000; ns++)
		check_value(ns);
	for (int i = 0; i < 100000; i++)
		check_value(rng_ns(&seed));
	check_value(SKETCH_MAX_NS);
	for (int octave = 10; octave < 41; octave++) {
		check_value(1ULL << octave);
		check_value((1ULL << octave) - 1);
	}
}

static void test_quantiles_against_sorted_values(void **state)
{
	enum { N = 20001 };
	uint64_t *values = calloc(N, sizeof(*values)), seed = 7, sum = 0;
	_sketch_ struct sketch s = {0};

	(void)state;
	assert_non_null(values);
	for (int i = 0; i < N; i++) {
		values[i] = rng_ns(&seed);
		sum += values[i];
		assert_int_equal(sketch_add(&s, values[i]), 0);
	}
	qsort(values, N, sizeof(*values), by_value);
	assert_int_equal(s.count, N);
	assert_int_equal(s.sum_ns, sum);
	assert_int_equal(s.min_ns, values[0]);
	assert_int_equal(s.max_ns, values[N - 1]);
	assert_true(s.n <= SKETCH_BUCKETS);
	for (int i = 0; i <= 1000; i++) {
		int rank = (int)ceil(i / 1000.0 * N);

		assert_near(sketch_quantile(&s, i / 1000.0), values[rank > 0 ? rank - 1 : 0]);
	}
	for (int rank = 1; rank <= N; rank += 13)
		assert_near(sketch_rank(&s, (uint64_t)rank), values[rank - 1]);
	free(values);
}

static void test_no_value_and_one_value(void **state)
{
	_sketch_ struct sketch s = {0};

	(void)state;
	assert_int_equal(sketch_quantile(&s, 0.5), 0);
	assert_int_equal(sketch_rank(&s, 1), 0);
	assert_true(sketch_mean(&s) == 0);
	assert_int_equal(sketch_add_n(&s, 5, 0), 0);
	assert_int_equal(s.count, 0);
	assert_int_equal(sketch_add(&s, 123456789), 0);
	for (double q = 0; q <= 1; q += 0.25)
		assert_int_equal(sketch_quantile(&s, q), 123456789);
	assert_true(sketch_quantile(&s, NAN) == 123456789);
}

static void test_extremes_are_kept_exactly(void **state)
{
	_sketch_ struct sketch s = {0};

	(void)state;
	assert_int_equal(sketch_add(&s, 3), 0);
	assert_int_equal(sketch_add(&s, 999), 0);
	assert_int_equal(sketch_add(&s, UINT64_MAX), 0);
	assert_int_equal(sketch_add(&s, UINT64_MAX), 0);
	assert_int_equal(s.sum_ns, UINT64_MAX);
	assert_int_equal(sketch_quantile(&s, 0), 3);
	assert_int_equal(sketch_quantile(&s, 1), UINT64_MAX);
	assert_int_equal(s.n, 2);
}

static void fill(struct sketch *s, uint64_t seed, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(sketch_add(s, rng_ns(&seed)), 0);
}

static void test_merge_is_associative_and_commutative(void **state)
{
	_sketch_ struct sketch a = {0}, b = {0}, c = {0}, left = {0}, right = {0}, all = {0};

	(void)state;
	fill(&a, 1, 500);
	fill(&b, 2, 3);
	fill(&c, 3, 4000);
	fill(&all, 3, 4000);
	fill(&all, 1, 500);
	fill(&all, 2, 3);
	assert_int_equal(sketch_copy(&a, &left), 0);
	assert_int_equal(sketch_merge(&left, &b), 0);
	assert_int_equal(sketch_merge(&left, &c), 0);
	assert_int_equal(sketch_copy(&c, &right), 0);
	assert_int_equal(sketch_merge(&right, &b), 0);
	assert_int_equal(sketch_merge(&right, &a), 0);
	assert_true(sketch_equal(&left, &right));
	assert_true(sketch_equal(&left, &all));
	assert_false(sketch_equal(&left, &c));
}

static void test_merge_with_empty_ones(void **state)
{
	_sketch_ struct sketch a = {0}, none = {0}, copy = {0};

	(void)state;
	fill(&a, 9, 10);
	assert_int_equal(sketch_copy(&a, &copy), 0);
	assert_int_equal(sketch_merge(&a, &none), 0);
	assert_true(sketch_equal(&a, &copy));
	assert_int_equal(sketch_merge(&none, &a), 0);
	assert_true(sketch_equal(&none, &copy));
}

static void test_bytes_and_back(void **state)
{
	static const int sizes[] = {0, 1, 15, 16, 1000, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		_sketch_ struct sketch s = {0}, back = {0};
		_buf_ struct buf b = {0};

		fill(&s, 11, sizes[i]);
		sketch_write(&s, &b);
		assert_int_equal(buf_error(&b), 0);
		assert_true(b.len <= SKETCH_BYTES_MAX);
		assert_int_equal(sketch_merge_bytes(&back, b.data, b.len), 0);
		assert_true(sketch_equal(&s, &back));
		assert_int_equal(sketch_merge_bytes(&back, b.data, b.len), 0);
		assert_int_equal(back.count, 2 * s.count);
	}
}

/* The bytes of version 1 are for ever: other hosts and old databases have them. */
static void test_the_form_is_fixed(void **state)
{
	static const uint8_t want[] = {1,    3,	   0xf0, 0xb8, 0x98, 1, 0xe8, 7, 0xb8,
				       0xfd, 0x97, 1,	 2,    0x21, 0, 0xf9, 5, 2};
	_sketch_ struct sketch s = {0};
	_buf_ struct buf b = {0};

	(void)state;
	assert_int_equal(sketch_add(&s, 1000), 0);
	assert_int_equal(sketch_add_n(&s, 1250000, 2), 0);
	s.max_ns = 2491040;
	s.sum_ns = 2497648;
	sketch_write(&s, &b);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
}

static void test_bad_bytes_change_nothing(void **state)
{
	_sketch_ struct sketch s = {0}, to = {0}, before = {0};
	_buf_ struct buf b = {0};
	uint64_t seed = 5;
	char newer[] = {2, 0};

	(void)state;
	fill(&s, 21, 300);
	sketch_write(&s, &b);
	fill(&to, 22, 30);
	assert_int_equal(sketch_copy(&to, &before), 0);
	assert_int_equal(sketch_merge_bytes(&to, "", 0), -EBADMSG);
	assert_int_equal(sketch_merge_bytes(&to, newer, 2), -EPROTO);
	for (size_t len = 1; len < b.len; len++)
		assert_int_equal(sketch_merge_bytes(&to, b.data, len), -EBADMSG);
	assert_true(sketch_equal(&to, &before));
	for (int i = 0; i < 20000; i++) {
		_sketch_ struct sketch any = {0};
		size_t at = rng_next(&seed) % b.len;
		char was = b.data[at];

		b.data[at] = (char)rng_next(&seed);
		if (sketch_merge_bytes(&any, b.data, b.len) == 0) {
			assert_true(any.n <= SKETCH_BUCKETS);
			(void)sketch_quantile(&any, 0.5);
		}
		b.data[at] = was;
	}
}

static void test_the_sample_follows_the_values(void **state)
{
	_sketch_ struct sketch s = {0};
	uint64_t sample[100];

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(sketch_add(&s, i * 1000000), 0);
	sketch_sample(&s, sample, 100);
	for (uint64_t i = 0; i < 100; i++)
		assert_near(sample[i], (i * 10 + 6) * 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_value_is_within_half_a_percent),
		cmocka_unit_test(test_quantiles_against_sorted_values),
		cmocka_unit_test(test_no_value_and_one_value),
		cmocka_unit_test(test_extremes_are_kept_exactly),
		cmocka_unit_test(test_merge_is_associative_and_commutative),
		cmocka_unit_test(test_merge_with_empty_ones),
		cmocka_unit_test(test_bytes_and_back),
		cmocka_unit_test(test_the_form_is_fixed),
		cmocka_unit_test(test_bad_bytes_change_nothing),
		cmocka_unit_test(test_the_sample_follows_the_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

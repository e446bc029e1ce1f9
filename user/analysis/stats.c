/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Distributions and their medians. */
#include "analysis/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define MAD_TO_SIGMA 1.4826
#define NS_PER_MS 1e6
#define SAMPLE_MOST 2000
#define EXACT_RANKS                                                                                \
	1000 /* beyond, the normal approximation of the binomial is off by less than a rank */
#define Z_95 1.959963984540054

static int by_value(const void *a, const void *b)
{
	const struct stats_point *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts, and makes one of equal values. */
static void settle(struct stats_dist *d)
{
	size_t n = 0;

	qsort(d->point, d->n, sizeof(*d->point), by_value);
	for (size_t i = 0; i < d->n; i++) {
		if (n && d->point[n - 1].value == d->point[i].value)
			d->point[n - 1].count += d->point[i].count;
		else
			d->point[n++] = d->point[i];
		d->total += d->point[i].count;
	}
	d->n = n;
}

int stats_dist_from_points(const struct stats_point *points, size_t n, struct stats_dist *ret)
{
	struct stats_dist d = {.point = calloc(n + 1, sizeof(*d.point))};

	if (!d.point)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (points[i].count && isfinite(points[i].value))
			d.point[d.n++] = points[i];
	settle(&d);
	*ret = d;
	return 0;
}

int stats_dist_from_samples(const double *values, size_t n, struct stats_dist *ret)
{
	struct stats_dist d = {.point = calloc(n + 1, sizeof(*d.point))};

	if (!d.point)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (isfinite(values[i]))
			d.point[d.n++] = (struct stats_point){.value = values[i], .count = 1};
	settle(&d);
	*ret = d;
	return 0;
}

int stats_dist_from_ns(const uint64_t *values, size_t n, struct stats_dist *ret)
{
	struct stats_dist d = {.point = calloc(n + 1, sizeof(*d.point))};

	if (!d.point)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		d.point[d.n++] = (struct stats_point){.value = (double)values[i] / NS_PER_MS,
						      .count = 1};
	settle(&d);
	*ret = d;
	return 0;
}

int stats_dist_from_sketch(const struct sketch *s, struct stats_dist *ret)
{
	size_t n = s->count < SAMPLE_MOST ? (size_t)s->count : SAMPLE_MOST;
	uint64_t *values = calloc(n + 1, sizeof(*values));
	struct stats_dist d = {.point = calloc(n + 1, sizeof(*d.point))};

	if (!values || !d.point) {
		free(values);
		free(d.point);
		return -ENOMEM;
	}
	if (n)
		sketch_sample(s, values, n);
	/* Each stands for a share of all; rounding spreads what does not divide. */
	for (size_t i = 0; i < n; i++)
		d.point[d.n++] =
			(struct stats_point){.value = (double)values[i] / NS_PER_MS,
					     .count = (i + 1) * s->count / n - i * s->count / n};
	free(values);
	settle(&d);
	*ret = d;
	return 0;
}

void stats_dist_clear(struct stats_dist *d)
{
	free(d->point);
	*d = (struct stats_dist){0};
}

double stats_dist_rank(const struct stats_dist *d, uint64_t k)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < d->n; i++) {
		seen += d->point[i].count;
		if (seen >= k)
			return d->point[i].value;
	}
	return d->n ? d->point[d->n - 1].value : NAN;
}

double stats_dist_quantile(const struct stats_dist *d, double q)
{
	double at, low, high;
	uint64_t k;

	if (!d->total)
		return NAN;
	at = (double)(d->total - 1) * (q < 0 ? 0 : q > 1 ? 1 : q);
	k = (uint64_t)at;
	low = stats_dist_rank(d, k + 1);
	high = stats_dist_rank(d, k + 2);
	return low + (high - low) * (at - (double)k);
}

double stats_dist_median(const struct stats_dist *d)
{
	return stats_dist_quantile(d, 0.5);
}

/* The largest k with P(Bin(n, 1/2) < k) <= 2.5 %; 0: even the smallest value is not low enough. */
static uint64_t low_rank(uint64_t n)
{
	double at, term, sum = 0;

	if (n > EXACT_RANKS) {
		at = floor(((double)n - Z_95 * sqrt((double)n)) / 2);
		return at < 1 ? 1 : (uint64_t)at;
	}
	for (uint64_t k = 0; k <= n; k++) {
		term = lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
		       (double)n * M_LN2;
		sum += exp(term);
		if (sum > 0.025)
			return k;
	}
	return 0;
}

void stats_median_ranks(uint64_t n, uint64_t *ret_low, uint64_t *ret_high, bool *ret_full)
{
	uint64_t k = low_rank(n);

	*ret_full = k >= 1;
	*ret_low = k >= 1 ? k : 1;
	*ret_high = n + 1 - *ret_low;
}

struct stats_median stats_median(const struct stats_dist *d)
{
	struct stats_median m = {.p50 = NAN, .p95 = NAN, .lo = NAN, .hi = NAN};
	uint64_t low, high;

	if (!d->total)
		return m;
	m.n = d->total;
	m.p50 = stats_dist_median(d);
	m.p95 = stats_dist_quantile(d, 0.95);
	stats_median_ranks(d->total, &low, &high, &m.full);
	m.lo = stats_dist_rank(d, low);
	m.hi = stats_dist_rank(d, high);
	return m;
}

struct stats_median stats_median_of_sketch(const struct sketch *s)
{
	struct stats_median m = {.p50 = NAN, .p95 = NAN, .lo = NAN, .hi = NAN};
	uint64_t low, high;

	if (!s->count)
		return m;
	m.n = s->count;
	m.p50 = ((double)sketch_rank(s, (m.n + 1) / 2) + (double)sketch_rank(s, m.n / 2 + 1)) / 2 /
		NS_PER_MS;
	m.p95 = (double)sketch_quantile(s, 0.95) / NS_PER_MS;
	stats_median_ranks(m.n, &low, &high, &m.full);
	m.lo = (double)sketch_rank(s, low) / NS_PER_MS;
	m.hi = (double)sketch_rank(s, high) / NS_PER_MS;
	return m;
}

double stats_median_of(double *values, size_t n)
{
	if (!n)
		return NAN;
	qsort(values, n, sizeof(*values), by_double);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double stats_spread_of(double *values, size_t n)
{
	double median = stats_median_of(values, n);

	for (size_t i = 0; i < n; i++)
		values[i] = fabs(values[i] - median);
	return MAD_TO_SIGMA * stats_median_of(values, n);
}

double stats_spread(const struct stats_dist *d)
{
	double median = stats_dist_median(d), spread;
	struct stats_dist off;
	struct stats_point *point;

	if (!d->total)
		return NAN;
	point = calloc(d->n, sizeof(*point));
	if (!point)
		return NAN;
	for (size_t i = 0; i < d->n; i++)
		point[i] = (struct stats_point){.value = fabs(d->point[i].value - median),
						.count = d->point[i].count};
	if (stats_dist_from_points(point, d->n, &off) < 0) {
		free(point);
		return NAN;
	}
	spread = MAD_TO_SIGMA * stats_dist_median(&off);
	stats_dist_clear(&off);
	free(point);
	return spread;
}

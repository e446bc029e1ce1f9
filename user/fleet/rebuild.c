/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "fleet/rebuild.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define NS_PER_S 1e9
#define MS_PER_S 1e3
#define KEEP_OFF                                                                                   \
	0.015 /* of a bound: a bucket of the sketch is 0.0094 wide, and readers allow for 0.005 */
#define POINTS_MOST 200 /* of a bucket */
#define COUNT_MOST 1e15
#define TAIL 1000 /* times the last bound: no value is above that */
#define SIGMA_LEAST 1e-4
#define SIGMA_MOST 3.0
#define Z_MOST 8.0

/* A bucket with values. */
struct part {
	double from, to; /* s; to: INFINITY for the last one */
	double count;
};

/* Logarithms of the values: their mean and deviation. */
struct shape {
	double mu, sigma;
};

static int by_bound(const void *a, const void *b)
{
	const struct rebuild_bucket *x = a, *y = b;

	return (x->le_s > y->le_s) - (x->le_s < y->le_s);
}

/* Counts of each bucket alone. Hosts with other bounds can make the sums fall: then what is missing is in the next. */
static size_t split(const struct rebuild_bucket *bucket, size_t n, struct part *part)
{
	struct rebuild_bucket sorted[REBUILD_BUCKETS_MOST];
	double from = 0, seen = 0;
	size_t parts = 0, m = 0;

	for (size_t i = 0; i < n && m < REBUILD_BUCKETS_MOST; i++)
		if (bucket[i].le_s > 0 && isfinite(bucket[i].count))
			sorted[m++] = bucket[i];
	qsort(sorted, m, sizeof(*sorted), by_bound);
	for (size_t i = 0; i < m; i++) {
		double count = floor(sorted[i].count + 0.5);

		if (count > seen && count < COUNT_MOST) {
			part[parts++] = (struct part){
				.from = from, .to = sorted[i].le_s, .count = count - seen};
			seen = count;
		}
		from = sorted[i].le_s;
	}
	return parts;
}

static double within(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

static double lowest(const struct part *p)
{
	if (p->from > 0)
		return p->from * (1 + KEEP_OFF);
	return isfinite(p->to) ? p->to / TAIL : 1 / NS_PER_S;
}

static double highest(const struct part *p)
{
	if (isfinite(p->to))
		return p->to * (1 - KEEP_OFF);
	return p->from > 0 ? p->from * TAIL : TAIL;
}

/* Share of the normal distribution below z. */
static double normal(double z)
{
	return erfc(-z * M_SQRT1_2) / 2;
}

/* Its inverse. */
static double normal_z(double p)
{
	double low = -Z_MOST, high = Z_MOST;

	for (int i = 0; i < 60; i++) {
		double mid = (low + high) / 2;

		*(normal(mid) < p ? &low : &high) = mid;
	}
	return (low + high) / 2;
}

/* Of the bounds between values, the one nearest the median. *ret_share: how many values are below. 0: there is none. */
static double cut_of(const struct part *part, size_t n, double total, double *ret_share)
{
	double below = 0, best = 0;

	*ret_share = 0;
	for (size_t i = 0; i + 1 < n; i++) {
		below += part[i].count;
		if (best > 0 && fabs(below / total - 0.5) >= fabs(*ret_share - 0.5))
			continue;
		best = part[i].to;
		*ret_share = below / total;
	}
	return best;
}

/* All in one bucket: as wide as it may be without one of so many values outside of it. */
static double widest(const struct part *p, double total, double mean)
{
	double room = isfinite(p->to) ? log(p->to / mean) : INFINITY;

	if (p->from > 0)
		room = fmin(room, log(mean / p->from));
	return isfinite(room) ? fmax(room, 0) / normal_z(1 - 1 / (2 * total + 2)) : 1;
}

static struct shape fit(const struct part *part, size_t n, double sum, double sum_sq)
{
	double total = 0, share, cut, mean, sigma;

	for (size_t i = 0; i < n; i++)
		total += part[i].count;
	mean = sum / total;
	cut = cut_of(part, n, total, &share);
	if (!(mean > 0) || !isfinite(mean)) /* nothing but the counts */
		return (struct shape){.mu = log(cut > 0 ? cut : sqrt(lowest(part) * highest(part))),
				      .sigma = 1};
	mean = within(mean, lowest(&part[0]), highest(&part[n - 1]));
	if (isfinite(sum_sq)) {
		sigma = sqrt(log1p(fmax(sum_sq / total / mean / mean - 1, 0)));
	} else if (cut > 0) {
		/* mu + z sigma = log(cut), mu + sigma^2 / 2 = log(mean) */
		double z = normal_z(share), d = z * z - 2 * log(cut / mean);
		double root = d > 0 ? sqrt(d) : 0;

		sigma = z > root ? z - root : z + root;
	} else {
		sigma = widest(&part[0], total, mean);
	}
	sigma = within(sigma, SIGMA_LEAST, SIGMA_MOST);
	return (struct shape){.mu = log(mean) - sigma * sigma / 2, .sigma = sigma};
}

static int fill(const struct part *p, const struct shape *shape, struct sketch *s)
{
	uint64_t count = (uint64_t)p->count;
	uint64_t points = count < POINTS_MOST ? count : POINTS_MOST;
	double low = p->from > 0 ? normal((log(p->from) - shape->mu) / shape->sigma) : 0;
	double high = isfinite(p->to) ? normal((log(p->to) - shape->mu) / shape->sigma) : 1;

	for (uint64_t i = 0; i < points; i++) {
		double at = low + (high - low) * ((double)i + 0.5) / (double)points;
		double value = within(exp(shape->mu + shape->sigma * normal_z(at)), lowest(p),
				      highest(p));
		/* in doubles: counts times points may be large */
		uint64_t to = (uint64_t)((double)count * (double)(i + 1) / (double)points);
		uint64_t from = (uint64_t)((double)count * (double)i / (double)points);
		int r = sketch_add_n(s, (uint64_t)(value * NS_PER_S), to - from);

		if (r < 0)
			return r;
	}
	return 0;
}

int rebuild_sketch(const struct rebuild_bucket *bucket, size_t n, double sum_s, double sum_sq,
		   struct sketch *ret)
{
	struct part part[REBUILD_BUCKETS_MOST];
	size_t parts = split(bucket, n, part);
	struct shape shape;
	int r = 0;

	if (!parts)
		return 0;
	shape = fit(part, parts, sum_s, sum_sq);
	for (size_t i = 0; i < parts && r == 0; i++)
		r = fill(&part[i], &shape, ret);
	if (r < 0)
		sketch_free(ret);
	return r;
}

int rebuild_known(const struct rebuild_bucket *bucket, size_t n, double sum_s,
		  struct mdl_buckets **ret)
{
	struct part part[REBUILD_BUCKETS_MOST];
	size_t parts = split(bucket, n, part);
	struct mdl_buckets *b = calloc(1, sizeof(*b) + parts * sizeof(b->bucket[0]));

	if (!b)
		return -ENOMEM;
	b->sum_ms = sum_s > 0 ? sum_s * MS_PER_S : NAN;
	b->n = parts;
	for (size_t i = 0; i < parts; i++)
		b->bucket[i] = (struct mdl_bucket){.from_ms = part[i].from * MS_PER_S,
						   .to_ms = part[i].to * MS_PER_S,
						   .count = (uint64_t)part[i].count};
	*ret = b;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Statistics that hold for import times: few runs, long tails, ties. No normal distribution is assumed, nothing is
 * drawn at random: the same input gives the same output. Pure.
 *
 * A distribution is a list of values with counts, so that samples and a sketch's buckets are handled alike.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sketch.h"

struct stats_point {
	double value;
	uint64_t count;
};

/* Sorted by value, each value once, counts > 0. Zero is the empty one. */
struct stats_dist {
	struct stats_point *point; /* owned */
	size_t n;
	uint64_t total; /* sum of counts */
};

/* Values that are not finite are left out. 0, -ENOMEM. */
int stats_dist_from_samples(const double *values, size_t n, struct stats_dist *ret);
/* Of points in any order; counts of 0 and values that are not finite are left out. 0, -ENOMEM. */
int stats_dist_from_points(const struct stats_point *points, size_t n, struct stats_dist *ret);
/* In ms; of more than 2000 values that many evenly spaced ranks stand for all. */
int stats_dist_from_sketch(const struct sketch *s, struct stats_dist *ret);
int stats_dist_from_ns(const uint64_t *values, size_t n, struct stats_dist *ret); /* in ms, too */
void stats_dist_clear(struct stats_dist *d);
/* The k-th smallest value, 1 <= k <= total; outside it the nearest. Of nothing: NAN. */
double stats_dist_rank(const struct stats_dist *d, uint64_t k);
/* Interpolated as usual (type 7); q in 0..1. Of nothing: NAN. */
double stats_dist_quantile(const struct stats_dist *d, double q);
double stats_dist_median(const struct stats_dist *d);

/* Of n sorted values the ranks (from 1) whose values enclose the median with 95 % confidence or, when even the
 * outermost cannot (n < 6), those; *ret_full: it is 95 %. n > 0. */
void stats_median_ranks(uint64_t n, uint64_t *ret_low, uint64_t *ret_high, bool *ret_full);

struct stats_median {
	double p50, p95;
	double lo, hi; /* 95 % interval of p50; the range of the values when !full */
	uint64_t n;
	bool full; /* the interval has its 95 %; false for n < 6 */
};

/* Of nothing: all NAN, n 0. */
struct stats_median stats_median(const struct stats_dist *d);

/* The same in ms, by the sketch's own ranks. */
struct stats_median stats_median_of_sketch(const struct sketch *s);

/* Median absolute deviation times 1.4826: comparable to a standard deviation, and blind to outliers. NAN: empty. */
double stats_spread(const struct stats_dist *d);
/* The same of plain values; values is sorted in place. */
double stats_spread_of(double *values, size_t n);
double stats_median_of(double *values, size_t n); /* sorts values; NAN: empty */

/*
 * Mann-Whitney's U: *ret_u counts the pairs in which a > b, ties half. *ret_p: two-sided, that both come from one
 * distribution; exact for small samples without ties, else by the normal approximation with the correction for ties
 * and continuity. 1 when one is empty. 0, -ENOMEM.
 */
int stats_mann_whitney(const struct stats_dist *a, const struct stats_dist *b, double *ret_u,
		       double *ret_p);

/* 1 - median(after) / median(before), e.g. 0.4: 40 % shorter. */
struct stats_ratio {
	double value;  /* NAN: one is empty, or the median before is not above 0 */
	double lo, hi; /* 95 %, from the order statistics of both medians */
	bool full; /* both have at least 6 values; else lo..hi is the range that the values leave open */
};

/* 0, -ENOMEM. */
int stats_improvement(const struct stats_dist *before, const struct stats_dist *after,
		      struct stats_ratio *ret);

double stats_normal_tail(double z); /* P(Z > z) */
/* Fisher, one-sided: that k or more of n are marked if the n are drawn from n + other_n with k + other_k marked. */
double stats_fisher_upper(uint64_t k, uint64_t n, uint64_t other_k, uint64_t other_n);

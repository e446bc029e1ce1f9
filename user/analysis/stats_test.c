/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Comparing two distributions. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/stats.h"
#include "base/cleanup.h"

#define EXACT_MOST 50	   /* values of each for the exact distribution of U */
#define GRID ((size_t)200) /* quantiles of each median that are combined */

double stats_normal_tail(double z)
{
	return 0.5 * erfc(z / M_SQRT2);
}

/* U of a, and the sum of t^3 - t over the ties. */
static double count_pairs(const struct stats_dist *a, const struct stats_dist *b, double *ret_ties)
{
	double u = 0, ties = 0, below = 0;
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		bool take_a = k == b->n || (i < a->n && a->point[i].value <= b->point[k].value);
		bool take_b = i == a->n || (k < b->n && b->point[k].value <= a->point[i].value);
		double na = take_a ? (double)a->point[i++].count : 0;
		double nb = take_b ? (double)b->point[k++].count : 0;
		double t = na + nb;

		u += na * (below + nb / 2);
		below += nb;
		ties += t * t * t - t;
	}
	*ret_ties = ties;
	return u;
}

/*
 * P(U <= u) without ties. The number of ways to reach a sum is the coefficient of the Gaussian binomial, which is built
 * up by multiplying with (1 - q^(n+i)) and dividing by (1 - q^i); scaled to probabilities as it goes.
 */
static int exact_lower(uint64_t na, uint64_t nb, double u, double *ret)
{
	size_t most = (size_t)(na * nb), size = most + 1;
	_free_ double *ways = calloc(size, sizeof(*ways));
	double sum = 0;

	if (!ways)
		return -ENOMEM;
	ways[0] = 1;
	for (uint64_t i = 1; i <= na; i++) {
		for (size_t s = size; s-- > nb + i;)
			ways[s] -= ways[s - nb - i];
		for (size_t s = i; s < size; s++)
			ways[s] += ways[s - i];
		for (size_t s = 0; s < size; s++)
			ways[s] *= (double)i / (double)(nb + i);
	}
	for (size_t s = 0; s < size && (double)s <= u; s++)
		sum += ways[s];
	*ret = sum < 0 ? 0 : sum > 1 ? 1 : sum;
	return 0;
}

int stats_mann_whitney(const struct stats_dist *a, const struct stats_dist *b, double *ret_u,
		       double *ret_p)
{
	double na = (double)a->total, nb = (double)b->total, n = na + nb;
	double ties, u = count_pairs(a, b, &ties), p = 1, var, off;
	int r;

	if (a->total && b->total && ties == 0 && a->total <= EXACT_MOST && b->total <= EXACT_MOST) {
		r = exact_lower(a->total, b->total, fmin(u, na * nb - u), &p);
		if (r < 0)
			return r;
		p = fmin(1, 2 * p);
	} else if (a->total && b->total) {
		var = na * nb / 12 * (n + 1 - ties / (n * (n - 1)));
		off = fmax(0, fabs(u - na * nb / 2) - 0.5);
		p = var > 0 ? fmin(1, 2 * stats_normal_tail(off / sqrt(var))) : 1;
	}
	*ret_u = u;
	*ret_p = p;
	return 0;
}

/*
 * What is known of a median after n runs: it lies between the k-th and the next smallest value with the probability
 * of k heads in n throws (beyond the outermost: at them). These are GRID equally likely values of that.
 */
static void median_grid(const struct stats_dist *d, double *grid)
{
	double n = (double)d->total, sigma = sqrt(n) / 2, sum = 0, heads, at;
	uint64_t k = 0;

	for (size_t i = 0; i < GRID; i++) {
		double p = ((double)i + 0.5) / GRID;

		if (d->total > 1000) {
			/* the normal approximation, by bisection of its tail */
			double low = -8, high = 8;

			for (int step = 0; step < 50; step++) {
				double mid = (low + high) / 2;

				if (1 - stats_normal_tail(mid) < p)
					low = mid;
				else
					high = mid;
			}
			at = n / 2 + low * sigma;
			k = (uint64_t)at;
			at -= (double)k;
		} else {
			heads = exp(lgamma(n + 1) - lgamma((double)k + 1) -
				    lgamma(n - (double)k + 1) - n * M_LN2);
			while (sum + heads < p && k < d->total) {
				sum += heads;
				k++;
				heads = exp(lgamma(n + 1) - lgamma((double)k + 1) -
					    lgamma(n - (double)k + 1) - n * M_LN2);
			}
			at = fmin(1, (p - sum) / heads);
		}
		grid[i] = stats_dist_rank(d, k) +
			  at * (stats_dist_rank(d, k + 1) - stats_dist_rank(d, k));
	}
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int stats_improvement(const struct stats_dist *before, const struct stats_dist *after,
		      struct stats_ratio *ret)
{
	double b = stats_dist_median(before), a = stats_dist_median(after);
	_free_ double *grid = NULL, *ratio = NULL;

	if (!(b > 0) || !isfinite(a)) {
		*ret = (struct stats_ratio){.value = NAN, .lo = NAN, .hi = NAN};
		return 0;
	}
	grid = calloc(2 * GRID, sizeof(*grid));
	ratio = calloc(GRID * GRID, sizeof(*ratio));
	if (!grid || !ratio)
		return -ENOMEM;
	median_grid(before, grid);
	median_grid(after, grid + GRID);
	for (size_t i = 0; i < GRID; i++)
		for (size_t k = 0; k < GRID; k++)
			ratio[i * GRID + k] = grid[i] > 0 ? 1 - grid[GRID + k] / grid[i] :
							    -INFINITY;
	qsort(ratio, GRID * GRID, sizeof(*ratio), by_double);
	*ret = (struct stats_ratio){
		.value = 1 - a / b,
		.lo = ratio[(size_t)(0.025 * GRID * GRID)],
		.hi = ratio[(size_t)(0.975 * GRID * GRID) - 1],
		.full = before->total >= 6 && after->total >= 6,
	};
	return 0;
}

static double ln_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double stats_fisher_upper(uint64_t k, uint64_t n, uint64_t other_k, uint64_t other_n)
{
	double marked = (double)k + (double)other_k, all = (double)n + (double)other_n, sum = 0;
	uint64_t most = k + other_k < n ? k + other_k : n;

	for (uint64_t i = k; i <= most; i++) {
		double term = exp(ln_choose(marked, (double)i) +
				  ln_choose(all - marked, (double)(n - i)) -
				  ln_choose(all, (double)n));

		sum += term;
		/* past the middle of the distribution the rest adds nothing */
		if (term < sum * 1e-12)
			break;
	}
	return fmin(1, sum);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "analysis/known.h"

#include <math.h>

#define Z_KNOWN                                                                                    \
	3.5 /* of each of two medians: that both are off so far, in opposite directions, is 1e-6 */

/* The sum of a bucket's values: what the others leave. false: the sum does not fit the counts. */
static bool rest_of_sum(const struct mdl_buckets *b, size_t own, double *ret_lo, double *ret_hi)
{
	const struct mdl_bucket *o = &b->bucket[own];
	double n = (double)o->count, lo = b->sum_ms, hi = b->sum_ms;

	for (size_t i = 0; i < b->n; i++) {
		lo -= i == own ? 0 : (double)b->bucket[i].count * b->bucket[i].to_ms;
		hi -= i == own ? 0 : (double)b->bucket[i].count * b->bucket[i].from_ms;
	}
	*ret_lo = fmax(lo, n * o->from_ms);
	*ret_hi = fmin(hi, n * o->to_ms);
	return *ret_lo <= *ret_hi;
}

/* Where the value of a rank of all may be. */
static struct known value_at(const struct mdl_buckets *b, uint64_t rank)
{
	double lo, hi, n, k, more;
	struct known v;
	size_t i = 0;

	while (i + 1 < b->n && rank > b->bucket[i].count)
		rank -= b->bucket[i++].count;
	v = (struct known){.lo = b->bucket[i].from_ms, .hi = b->bucket[i].to_ms};
	if (!isfinite(b->sum_ms) || !rest_of_sum(b, i, &lo, &hi))
		return v;
	n = (double)b->bucket[i].count;
	k = (double)rank;
	more = n - k;
	/* at most k are as small, the others at the upper bound; at least n - k + 1 as large, the others at the lower */
	if (isfinite(v.hi))
		v.lo = fmax(v.lo, (lo - more * v.hi) / k);
	v.hi = fmin(v.hi, (hi - (k - 1) * b->bucket[i].from_ms) / (more + 1));
	return v;
}

struct known known_median(const struct mdl_buckets *b)
{
	struct known anything = {.lo = 0, .hi = INFINITY};
	uint64_t n = 0, low;
	double at;

	for (size_t i = 0; b && i < b->n; i++)
		n += b->bucket[i].count;
	at = ((double)n - Z_KNOWN * sqrt((double)n)) / 2;
	if (!(at >= 1))
		return anything;
	low = (uint64_t)at;
	return (struct known){.lo = value_at(b, low).lo, .hi = value_at(b, n + 1 - low).hi};
}

double known_ratio(struct known before, struct known after, double *ret_before, double *ret_after)
{
	bool longer = after.lo > before.hi, shorter = after.hi < before.lo;

	*ret_before = longer ? before.hi : before.lo;
	*ret_after = longer ? after.lo : after.hi;
	return longer || shorter ? *ret_after / *ret_before : 1;
}

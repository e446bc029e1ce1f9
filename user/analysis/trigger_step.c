/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Whether a series has a new level. The latest k days with data are compared with the weeks before, weekends with weekends. A
 * day is as uncertain as its runs scatter and as the days before scatter among one another (median absolute
 * deviation: a few bad days do not widen it). The last k days must all be off in one direction, and their mean by Z_ALL
 * standard errors. For that the two that are most off count as the third does: one or two bad days are no new level, whatever
 * their height. And days hang together: what they have in common does not shrink with sqrt(k).
 */
#include <math.h>
#include <string.h>

#include "analysis/stats.h"
#include "analysis/trigger_int.h"

#define REFERENCE_MOST 64
#define REFERENCE_LEAST 7 /* days with data */
#define REFERENCE_RUNS 10
#define RECENT_LEAST 3
#define RECENT_MOST 10
#define RECENT_RUNS 15
#define RECENT_SPAN 16 /* calendar days that the recent ones may reach back */
#define CLASS_LEAST 2  /* weekend days to compare a weekend day with */
#define Z_ALL 6.0
#define Z_FEW 8.0
#define Z_EACH 0.5
#define SPARED 2	 /* days that may be bad by chance */
#define ALIKE_DAY 0.5	 /* correlation of a day with the next */
#define SIGMA_LEAST 0.01 /* nothing repeats better than to 1 % from day to day */
#define SHIFT_Z 5.0
#define SHIFT_MARGIN 0.25 /* of the range before, to be left by that much */

static bool is_weekend(int32_t day)
{
	int32_t weekday = ((day % 7) + 7 + 4) % 7; /* 1970-01-01 was a Thursday; 0: Sunday */

	return weekday == 0 || weekday == 6;
}

struct reference {
	double centre[2]; /* of weekdays, weekends */
	uint32_t count[2];
	double spread;	  /* from day to day, about the centres */
	double low, high; /* extreme residuals */
	double sigma;	  /* of single runs; NAN */
	double error;	  /* typical, of a day's median */
	uint64_t runs;
	uint32_t days;
};

/* Standard error of a median of n. */
static double error_of(double sigma, double n)
{
	return n > 0 ? 1.2533 * sigma / sqrt(n) : INFINITY;
}

static void find_centres(struct reference *ref, const struct tr_point *points, uint32_t begin,
			 uint32_t end)
{
	double all[REFERENCE_MOST], class[2][REFERENCE_MOST];
	uint32_t n = 0, counts[2] = {0};
	double centre;

	for (uint32_t i = begin; i < end; i++) {
		bool weekend = is_weekend(points[i].day);

		all[n++] = points[i].value;
		class[weekend][counts[weekend]++] = points[i].value;
	}
	centre = stats_median_of(all, n);
	for (int c = 0; c < 2; c++) {
		ref->count[c] = counts[c];
		ref->centre[c] = counts[c] >= CLASS_LEAST ? stats_median_of(class[c], counts[c]) :
							    centre;
	}
	ref->days = n;
}

static void measure(struct reference *ref, const struct tr_point *points, uint32_t begin,
		    uint32_t end)
{
	double residual[REFERENCE_MOST], sigma[REFERENCE_MOST], error[REFERENCE_MOST];
	uint32_t n_sigma = 0, n = 0;

	*ref = (struct reference){.low = INFINITY, .high = -INFINITY};
	find_centres(ref, points, begin, end);
	for (uint32_t i = begin; i < end; i++) {
		double r = points[i].value - ref->centre[is_weekend(points[i].day)];

		ref->low = fmin(ref->low, r);
		ref->high = fmax(ref->high, r);
		ref->runs += points[i].runs;
		residual[n++] = fabs(r);
		if (isfinite(points[i].sigma))
			sigma[n_sigma++] = points[i].sigma;
	}
	/* Of few days the deviation may be small by chance. */
	ref->spread = 1.4826 * stats_median_of(residual, n) * (1 + 4.0 / n);
	ref->sigma = stats_median_of(sigma, n_sigma);
	n = 0;
	for (uint32_t i = begin; i < end && isfinite(ref->sigma); i++)
		error[n++] = error_of(ref->sigma, points[i].runs);
	ref->error = n ? stats_median_of(error, n) : 0;
}

/* Variance of a day's value: what its runs leave open. */
static double own_variance(const struct reference *ref, const struct tr_point *p)
{
	double error = 0;

	if (isfinite(ref->sigma))
		error = error_of(fmax(ref->sigma, isfinite(p->sigma) ? p->sigma : 0), p->runs);
	return error * error;
}

/* ... and what is between days. */
static double day_variance(const struct reference *ref)
{
	double between = ref->spread * ref->spread;

	if (isfinite(ref->sigma))
		between = fmax(0, between - ref->error * ref->error);
	return between + SIGMA_LEAST * SIGMA_LEAST;
}

/* How much more than 1 / k the variance of the mean of k days in a row is. */
static double inflation(uint32_t k)
{
	double sum = 1, alike = 1;

	for (uint32_t j = 1; j < k; j++) {
		alike *= ALIKE_DAY;
		sum += 2 * (1 - (double)j / k) * alike;
	}
	return sum;
}

/* The points from `begin` to `at` whose kind of day the reference knows. Returns how many. */
static uint32_t pick(const struct reference *ref, const struct tr_point *points, uint32_t begin,
		     uint32_t at, uint32_t *picked)
{
	uint32_t k = 0;

	for (uint32_t i = begin; i <= at; i++)
		if (ref->count[is_weekend(points[i].day)] >= CLASS_LEAST)
			picked[k++] = i;
	return k;
}

static uint32_t reference_begin(const struct trigger_policy *policy, const struct tr_point *points,
				uint32_t reset, uint32_t end)
{
	uint32_t begin = end;

	while (begin > reset && end - begin < REFERENCE_MOST &&
	       points[end - 1].day - points[begin - 1].day < (int32_t)policy->reference_days)
		begin--;
	return begin;
}

/* Measures what was before `begin`, and picks what to compare with it. 0: one of the two is too little. */
static uint32_t refer(struct reference *ref, const struct trigger_policy *policy,
		      const struct tr_point *points, uint32_t reset, uint32_t begin, uint32_t at,
		      uint32_t *picked)
{
	uint32_t first = reference_begin(policy, points, reset, begin), k;

	if (begin - first < REFERENCE_LEAST)
		return 0;
	measure(ref, points, first, begin);
	k = pick(ref, points, begin, at, picked);
	return k < RECENT_LEAST || ref->runs < REFERENCE_RUNS || picked[k - 1] != at ? 0 : k;
}

static bool enough(const struct tr_least *least, double before, double after)
{
	if (fabs(after - before) < least->value)
		return false;
	return fabs(exp(after) - exp(before)) / 1e6 >= least->ms;
}

/* residual[] is sorted here, off in the direction of the sign; variance: of their own runs, summed. */
static bool is_off(const struct reference *ref, double *residual, uint32_t k, double variance,
		   uint32_t compared_with, double *ret_middle)
{
	double between = day_variance(ref), all, mean = 0;

	(void)stats_median_of(residual, k);
	for (uint32_t i = 0; i < k; i++)
		mean += residual[i < k - SPARED ? i : k - SPARED - 1] / k;
	all = (between * inflation(k) + variance / k) / k +
	      between * inflation(compared_with) / compared_with;
	/* the cautious one of the two in the middle */
	*ret_middle = residual[(k - 1) / 2];
	/* Without many runs a day nothing is known of their tails. */
	return mean >= (isfinite(ref->sigma) ? Z_ALL : Z_FEW) * sqrt(all);
}

/* Whether the points from `begin` to `at` are a new level. */
static bool is_step(const struct trigger_policy *policy, const struct tr_point *points,
		    uint32_t begin, uint32_t at, uint32_t reset, const struct tr_least *least,
		    struct tr_step *ret)
{
	uint32_t picked[RECENT_MOST + 1], k;
	double residual[RECENT_MOST + 1], variance = 0, sign = 0, centre, middle;
	struct reference ref;
	uint64_t runs = 0;

	k = refer(&ref, policy, points, reset, begin, at, picked);
	if (!k)
		return false;
	for (uint32_t i = 0; i < k; i++) {
		const struct tr_point *p = &points[picked[i]];
		double off = p->value - ref.centre[is_weekend(p->day)], own = own_variance(&ref, p);

		if (i == 0)
			sign = off < 0 ? -1 : 1;
		residual[i] = off * sign;
		if (residual[i] < Z_EACH * sqrt(own + day_variance(&ref)))
			return false;
		variance += own;
		runs += p->runs;
	}
	if (runs < RECENT_RUNS || !is_off(&ref, residual, k, variance, ref.days, &middle))
		return false;
	centre = ref.centre[is_weekend(points[at].day)];
	if (!enough(least, centre, centre + sign * middle))
		return false;
	*ret = (struct tr_step){
		.at = at, .since = begin, .before = centre, .after = centre + sign * middle};
	return true;
}

bool tr_find_step(const struct trigger_policy *policy, const struct tr_point *points, uint32_t n,
		  const struct tr_least *least, uint32_t *from, uint32_t *reset,
		  struct tr_step *ret)
{
	for (; *from < n; ++*from)
		for (uint32_t k = RECENT_LEAST; k <= RECENT_MOST && k <= *from + 1; k++) {
			uint32_t begin = *from + 1 - k;

			if (begin < *reset || points[*from].day - points[begin].day > RECENT_SPAN)
				break;
			if (!is_step(policy, points, begin, *from, *reset, least, ret))
				continue;
			*reset = begin;
			++*from;
			return true;
		}
	return false;
}

static bool is_shift(const struct trigger_policy *policy, const struct tr_point *points,
		     uint32_t begin, uint32_t at, uint32_t reset, struct tr_step *ret)
{
	uint32_t picked[RECENT_MOST + 1], k;
	double sum = 0, runs = 0, centre = 0, sign = 0, p, scatter, off, margin;
	struct reference ref;

	k = refer(&ref, policy, points, reset, begin, at, picked);
	if (!k)
		return false;
	margin = 0.02 + SHIFT_MARGIN * (ref.high - ref.low);
	for (uint32_t i = 0; i < k; i++) {
		const struct tr_point *now = &points[picked[i]];
		double r = now->value - ref.centre[is_weekend(now->day)];

		if (i == 0)
			sign = r < 0 ? -1 : 1;
		/* clearly beyond what any day before showed */
		if (sign > 0 ? r < ref.high + margin : r > ref.low - margin)
			return false;
		sum += now->value * now->runs;
		centre += ref.centre[is_weekend(now->day)] * now->runs;
		runs += now->runs;
	}
	if (runs < RECENT_RUNS)
		return false;
	off = (sum - centre) / runs;
	p = (sum + centre + 1) / (2 * runs + 2);
	scatter = sqrt(p * (1 - p) * (1 / runs + 1 / (double)ref.runs));
	if (fabs(off) * 100 < policy->usage_points || fabs(off) < SHIFT_Z * scatter)
		return false;
	*ret = (struct tr_step){
		.at = at, .since = begin, .before = centre / runs, .after = sum / runs};
	return true;
}

bool tr_find_shift(const struct trigger_policy *policy, const struct tr_point *points, uint32_t n,
		   uint32_t *from, uint32_t *reset, struct tr_step *ret)
{
	for (; *from < n; ++*from)
		for (uint32_t k = RECENT_LEAST; k <= RECENT_MOST && k <= *from + 1; k++) {
			uint32_t begin = *from + 1 - k;

			if (begin < *reset || points[*from].day - points[begin].day > RECENT_SPAN)
				break;
			if (!is_shift(policy, points, begin, *from, *reset, ret))
				continue;
			*reset = begin;
			++*from;
			return true;
		}
	return false;
}

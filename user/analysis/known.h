/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What is certain of a median where only a histogram is known, whatever lies where within its buckets: from the counts, and
 * from the sum, which does not let half of the values be far from the mean. Pure.
 */
#pragma once
#include "model/history.h"

#define KNOWN_P                                                                                    \
	5e-4 /* that the median of what the values are a sample of is outside, with two of them */

struct known {
	double lo, hi; /* ms; 0 and INFINITY: anything */
};

/* NULL or too few values: anything. */
struct known known_median(const struct mdl_buckets *b);
/*
 * From one period to the next: by what factor the median became longer or shorter at least; 1: it may be the same.
 * *ret_before, *ret_after: the ends that are nearest, in ms.
 */
double known_ratio(struct known before, struct known after, double *ret_before, double *ret_after);

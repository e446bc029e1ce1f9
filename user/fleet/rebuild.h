/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A sketch from a histogram. How many values are in each bucket is exact, and so is their sum. Where they are within a bucket is
 * not known; they are put where a log-normal distribution has them that fits what is known: the mean, and the share of values below
 * the bound that is nearest the median (or, where it is known, the sum of squares). Import times are about that: many alike, a tail to
 * the right. Where they are not, the value is off by as much as its bucket is wide, and no more.
 *
 * No value comes nearer to a bound than a sketch can tell apart, so each quantile is on the right side of every bound. The one
 * exception: of an even number of values with exactly half of them below a bound the median lies between two values, and where is
 * not known.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/sketch.h"
#include "model/history.h"

struct rebuild_bucket {
	double le_s;  /* upper bound; INFINITY for the last */
	double count; /* cumulative, as in the exposition */
};
#define REBUILD_BUCKETS_MOST 64

/* Buckets in any order. sum_s: NAN when it is not known; sum_sq: in s^2, likewise. *ret must be empty. 0, -ENOMEM. */
int rebuild_sketch(const struct rebuild_bucket *bucket, size_t n, double sum_s, double sum_sq,
		   struct sketch *ret);
/* What is known, without anything made up: free() it. 0, -ENOMEM. */
int rebuild_known(const struct rebuild_bucket *bucket, size_t n, double sum_s,
		  struct mdl_buckets **ret);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Counters for monitoring, bounded whatever runs on the host: the apps that cost most have series of their own, and in them
 * the modules that cost most; the rest is counted as MDL_OTHER. What lost its series to something dearer ends there; what gains
 * one begins at 0, so sums over series are right. How many may change is bounded as well: a hostile user can neither fill a
 * page nor the memory of who scrapes it.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/metrics.h"
#include "model/stored.h"

struct metrics_options {
	size_t max_apps;	 /* with series of their own */
	size_t max_modules;	 /* of an app, likewise */
	size_t max_series;	 /* of the whole host; what lmmsd says of itself is in it */
	double fast_ms, slow_ms; /* bounds of the histogram of imports */
	size_t open_bytes; /* what may be remembered of processes that go on; 0: the default, 8 MiB */
};

struct metrics;
/* now_s: Unix time. */
int metrics_new(const struct metrics_options *options, int64_t now_s, struct metrics **ret);
struct metrics *metrics_free(struct metrics *m); /* NULL */
static inline void metrics_freep(struct metrics **m)
{
	(void)metrics_free(*m);
}

/*
 * Counts a run. One that goes on is counted when its start is over: the second copy with the same cold start, or the one with
 * which it ends; later copies add what came since. -ENOMEM: it may be counted in part.
 */
int metrics_add(struct metrics *m, const struct mdl_stored *run, int64_t now_s);

/* Fills the apps and the bounds of *ret; the rest is the caller's. Free before the next metrics_add(). */
int metrics_snapshot(struct metrics *m, struct mdl_metrics *ret);
void metrics_snapshot_free(struct mdl_metrics *s);

/* A value in the bucket of the median of the imports, in ms: fits the policy whose thresholds are the bounds. NAN: none. */
double metrics_median_ms(const struct mdl_metrics *s, const struct mdl_metrics_module *m);

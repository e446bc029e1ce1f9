/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Did the change do what it promised: an app's cold start against a baseline. Pure. */
#pragma once
#include "analysis/stats.h"
#include "model/history.h"
#include "model/review.h"

#define VERIFY_EXPECT_PCT 40
#define VERIFY_P 0.05 /* above, a difference may be chance, and does not hold */

/*
 * The warm runs of `now` that began after the baseline was saved. Its days should begin at the baseline's since_day, so that runs of
 * the day of saving are told apart; when the runs themselves are no longer stored, at its until_day.
 * -ENODATA: there is no such run, or the baseline has none. -ENOMEM.
 */
int verify_baseline(const struct mdl_baseline *baseline, const struct mdl_history *now,
		    double expected_pct, struct rv_verify **ret);
/* The numbers only, from cold starts in ms. -ENODATA: one is empty. */
int verify_numbers(const struct stats_dist *before, const struct stats_dist *after,
		   double expected_pct, struct rv_verify *ret);
struct rv_verify *verify_free(struct rv_verify *v); /* NULL */
static inline void verify_freep(struct rv_verify **v)
{
	(void)verify_free(*v);
}

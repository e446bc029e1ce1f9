/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Adds runs up over an interval, for exporters that push and are paid by the name (CloudWatch). Bounded whatever runs: at
 * most so many apps, and modules of each, have a name; the rest is MDL_OTHER. Names go to what cost most so far, older costs
 * counting less, and change hands once an hour at most, so that the number of names over a day stays near the bound too.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/interval.h"

/* No more values of one kind are kept of an app, and of a module, in one interval. */
#define INTERVAL_APP_VALUES 1000
#define INTERVAL_MODULE_VALUES 100
/* A process that goes on counts when it has run for so long, rather than in the middle of its start. */
#define INTERVAL_LIVE_NS (30ull * 1000000000)

struct interval_limits {
	size_t max_apps;    /* with a name, MDL_OTHER apart */
	size_t max_modules; /* of each app, likewise */
	uint64_t slow_ns;   /* a load that takes longer is slow */
};

struct interval;
int interval_new(const struct interval_limits *limits, int64_t now_ns, struct interval **ret);
struct interval *interval_free(struct interval *i); /* NULL */
static inline void interval_freep(struct interval **i)
{
	(void)interval_free(*i);
}

/*
 * A run that ended, or one that goes on as it is now: each counts once, however often it comes. p->app and the savings are
 * filled. -ENOMEM: it is not in, or only in part.
 */
int interval_add(struct interval *i, const struct mdl_process *p);
/*
 * What came since the last call; the next interval begins at now_ns (Unix time). lost: what was lost in between. *ret is the
 * caller's. -ENOMEM: all stays for the next call.
 */
int interval_take(struct interval *i, int64_t now_ns, const uint64_t lost[LMMSD_LOST_MAX],
		  struct mdl_interval **ret);
struct mdl_interval *interval_free_taken(struct mdl_interval *t); /* NULL */
static inline void interval_free_takenp(struct mdl_interval **t)
{
	(void)interval_free_taken(*t);
}

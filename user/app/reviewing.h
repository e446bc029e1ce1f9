/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * From the database to a review: what the daemon writes each month and what lmmsctl prints are made here. Waits for
 * the disk: never on the thread that reads events.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/config.h"
#include "model/history.h"
#include "model/review.h"
#include "store/store.h"

#define REVIEWING_NO_MONTH INT32_MIN
#define REVIEWING_MARK_EVALUATED "triggers/evaluated" /* Unix time in s, as decimal text */

/* Local days, [since, until). */
struct reviewing_period {
	int32_t since, until;
	int32_t month; /* year * 12 + month - 1; REVIEWING_NO_MONTH */
};
struct reviewing_period reviewing_month(int32_t month);
int32_t reviewing_month_of(int32_t day);
/* The month before, or as many days as these. */
struct reviewing_period reviewing_before(const struct reviewing_period *p);
/* "November 2026", or "2026-11-01 to 2026-11-08" (both included); cap should be 64. */
void reviewing_label(const struct reviewing_period *p, char *ret, size_t cap);
/* Name of the mark of a month's review: "review/2026-11". */
void reviewing_mark(int32_t month, char *ret, size_t cap);
#define REVIEWING_MARK_END "review0" /* after the marks of all months, in order of bytes */

/* What a daemon holds in memory at once: some 20 MB, and as much again while they are written. */
#define REVIEWING_MODULES_MOST 20000

struct reviewing {
	struct store *store; /* borrowed */
	struct reviewing_period period;
	struct rv_thresholds thresholds;
	enum rv_basis basis;
	const char *app; /* borrowed; NULL: all */
	size_t max_modules; /* of all apps: those whose starts cost least are left out, and that is said; 0: any */
	bool monthly;		 /* by the daemon by itself */
	const atomic_bool *stop; /* borrowed; NULL. Set: the work ends with -ECANCELED. */
};

/* The configuration's thresholds for reviews. */
struct rv_thresholds reviewing_thresholds(const struct config *c);
enum rv_basis reviewing_basis(const struct config *c);

/* The numbers of one app, decided: action and reason are there. -ENOENT: the app was never seen. Free with appraise_app_free(). */
int reviewing_app(const struct reviewing *in, const char *app, struct rv_app **ret);
/* All apps with runs in the period, or in->app. Free with reviewing_free(). An app never seen: -ENOENT. */
int reviewing_make(const struct reviewing *in, struct rv_review **ret);
struct rv_review *reviewing_free(struct rv_review *r); /* NULL */
static inline void reviewing_freep(struct rv_review **r)
{
	(void)reviewing_free(*r);
}
/* Keeps what the review of a month decided, as next month's starting point. */
int reviewing_keep(struct store *s, int32_t month, const struct rv_review *r);

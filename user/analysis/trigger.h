/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What asks for a new profile of an app, as it happens: fed one day after the other, it says what changed and when that
 * could be told from noise. Calm data with long tails, weekends, few runs and modules that come and go gives fewer than one false
 * alarm in 100 app-months (tests/unit/test_trigger_noise.c). Pure and deterministic: the same days give the same triggers.
 */
#pragma once
#include "model/history.h"
#include "model/review.h"

struct trigger_policy {
	unsigned int reference_days; /* that a day is compared with; default 28 */
	double slower_pct;	     /* regression: the median rose by that much; default 15 */
	double least_ms;	     /* ... and by that much; default 2 */
	double usage_points;	     /* usage shift: percent of the runs; default 20 */
	enum rv_basis basis;
};
extern const struct trigger_policy trigger_default_policy;

/* Within so many days a new module must show, and what it brings along comes; later it is another change. */
#define TRIGGER_NEW_DAYS 7

struct trigger;
int trigger_new(const struct trigger_policy *policy, struct trigger **ret); /* NULL: the default */
struct trigger *trigger_free(struct trigger *t);			    /* NULL */
static inline void trigger_freep(struct trigger **t)
{
	(void)trigger_free(*t);
}

/*
 * One day of the app: store_history(app, day, day + 1). Days rise; the last may be a day that is not over yet. For what
 * is new today give at least reference_days + 10 before it. 0, -EINVAL (not after the last one), -ENOMEM.
 */
int trigger_add_day(struct trigger *t, const struct mdl_history *day);

/*
 * Changes that were noticed on one of the days [since_day, ...), the oldest first; day says which. *ret: owned array, NULL when there are none,
 * whose strings live as long as t. module is NULL for the app's cold start.
 */
int trigger_changes(struct trigger *t, int32_t since_day, struct rv_change **ret, size_t *ret_n);

/* "new_module", ... as in interface.md. Static. */
const char *trigger_kind_name(enum rv_change_kind kind);
int trigger_kind_from_name(const char *name, enum rv_change_kind *ret); /* -EINVAL */
/*
 * Whether one of these stored triggers already says it: same kind and module, not more than a week before or after the
 * day. What was noticed on a day that was not over may be noticed a day off when all of it is known. Of a dependency's
 * update the same version, and not more than three days: it may have come, gone and come again within a week.
 */
bool trigger_known(const struct mdl_trigger *stored, size_t n, const struct rv_change *change,
		   int32_t (*day_of)(int64_t unix_ns));

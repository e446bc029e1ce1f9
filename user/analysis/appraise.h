/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * From an app's history to the numbers that a review and lmmsctl's verbs show. What to make of them is decided in
 * review/. Pure.
 */
#pragma once
#include "model/answers.h"
#include "model/history.h"
#include "model/review.h"

struct appraise_input {
	const struct mdl_history *now;	  /* the period */
	const struct mdl_history *before; /* the period before; NULL */
	const struct mdl_baseline
		*baseline; /* of the period before (store_baseline_of()), to verify against; NULL */
	const struct mdl_verdict *verdicts; /* last month's, by module; NULL */
	size_t n_verdicts;
	const struct mdl_trigger *triggers; /* noticed in the period; NULL */
	size_t n_triggers;
	int32_t (*day_of)(
		int64_t unix_ns); /* of a trigger's time: store_day_of; may be NULL without triggers */
	const struct rv_thresholds *thresholds;
	enum rv_basis basis;
};

/* All of struct rv_app but action, why, reason, checklist and can_save_ms. 0, -ENOMEM. */
int appraise_app(const struct appraise_input *in, struct rv_app **ret);
struct rv_app *appraise_app_free(struct rv_app *a); /* NULL */
static inline void appraise_app_freep(struct rv_app **a)
{
	(void)appraise_app_free(*a);
}

/* -ENOENT: the app never imported such a module in the period. */
int appraise_deps(const struct mdl_history *h, const char *module, struct rv_deps **ret);
struct rv_deps *appraise_deps_free(struct rv_deps *d);
int appraise_reasons(const struct mdl_history *h, const char *module, struct rv_reasons **ret);
struct rv_reasons *appraise_reasons_free(struct rv_reasons *r);

/* Median, 95th percentile and interval in ms. */
struct rv_times appraise_times(const struct sketch *s);
/* Owned arrays; names are borrowed. Apps: as given. */
int appraise_apps(const struct mdl_app *apps, size_t n, struct rv_app_line **ret);
int appraise_baselines(const struct mdl_baseline *baselines, size_t n,
		       struct rv_baseline_line **ret);

/* A warm run was timed: what it imports has medians, or it imports nothing. */
bool appraise_measured(const struct rv_app *app);
/* Modules of appraised (and reviewed) apps whose median is above max_ms. slow[]: owned array, names borrowed from the apps. */
int appraise_slow(struct rv_app *const *apps, size_t n, double max_ms, struct rv_slow_list *ret);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a person should look at, and why: decides on each module of apps whose numbers are known, and puts what to change
 * first at the top. Pure.
 */
#pragma once
#include "model/review.h"

extern const struct rv_thresholds review_default_thresholds;

struct review_input {
	const char *version, *host; /* version is borrowed */
	const char *label;	    /* "November 2026" */
	const char *note;	    /* a sentence; NULL */
	int64_t since_s, until_s;
	enum rv_basis basis;
	const struct rv_thresholds *thresholds; /* NULL: the default */
	const uint64_t *lost;			/* [LMMSD_LOST_MAX]; NULL: nothing */
	/* Evidence for the checklist. */
	bool monthly;	    /* made by the daemon by itself; else on demand */
	bool daemon;	    /* a daemon stores runs and watches for triggers */
	uint64_t n_earlier; /* reviews that were made before */
};

/*
 * Takes the apps over on success (appraise_app(); app_free is called on each when the review is freed). An app's
 * decisions and checklist come from its own numbers, so one app alone gives the same as all together. 0, -ENOMEM.
 */
int review_new(const struct review_input *in, struct rv_app **apps, size_t n,
	       struct rv_app *(*app_free)(struct rv_app *), struct rv_review **ret);
struct rv_review *review_free(struct rv_review *r,
			      struct rv_app *(*app_free)(struct rv_app *)); /* NULL */

/* Only the decisions on one app's modules (action, why, reason, order, can_save_ms), without a review around it. */
int review_app(const struct rv_thresholds *thresholds, struct rv_app *app);

/* "keep|defer|hoist|none". Static. */
const char *review_action_name(enum rv_action action);

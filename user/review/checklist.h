/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The decision record's profiling checklist, with evidence from the app's numbers. Within review/ only. */
#pragma once
#include "review/review.h"

/* Fills app->checklist. 0, -ENOMEM. */
int checklist_fill(const struct review_input *in, const struct rv_thresholds *t,
		   struct rv_app *app);

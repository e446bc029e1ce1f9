/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What to do about one module, and the words for it. Within review/ only. */
#pragma once
#include "base/buf.h"
#include "model/review.h"

/* Sets action and why. app->modules must be sorted by name for all of these. */
void rules_decide(const struct rv_thresholds *t, const struct rv_app *app, struct rv_module *m);
/*
 * Once all are decided: an own module that is dear only for what it imports gives way to those imports, and what goes
 * along with another is marked as covered. 0, -ENOMEM.
 */
int rules_settle(struct rv_app *app);
/* The reason, from action and why. */
void rules_say(const struct rv_thresholds *t, const struct rv_app *app, const struct rv_module *m,
	       struct buf *b);
/* The sentence of a step. */
void rules_say_step(const struct rv_thresholds *t, const struct rv_app *app,
		    const struct rv_module *m, double saving_ms, struct buf *b);
/* "shop/report.py:3", or "in shop.report" where the file is not known. */
void rules_say_site(const struct rv_site *site, struct buf *b);
/* A duration as a person would say it. */
void rules_say_ms(double ms, struct buf *b);
const struct rv_module *rules_find(const struct rv_app *app, const char *name);

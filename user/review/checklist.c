/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "review/checklist.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/intern.h"
#include "review/rules.h"

#define ITEMS 10

struct facts {
	size_t timed, used, chained, function_level, module_level, open, slow;
	const struct rv_module *first_open, *slowest;
};

static struct facts facts_of(const struct rv_app *app)
{
	struct facts f = {0};

	for (size_t i = 0; i < app->n_modules; i++) {
		const struct rv_module *m = &app->modules[i];

		f.timed += m->ms.n > 0;
		f.used += isfinite(m->share_pct);
		f.chained += m->n_chain > 0;
		f.function_level += m->tier == MDL_FUNCTION_LEVEL;
		f.module_level += m->tier == MDL_MODULE_LEVEL;
		if (m->action == RV_DEFER && m->why != RV_WHY_MOVES && !f.open++)
			f.first_open = m;
		if (m->slow && (!f.slow++ || m->ms.p50 > f.slowest->ms.p50))
			f.slowest = m;
	}
	return f;
}

static uint64_t total_lost(const struct review_input *in)
{
	uint64_t sum = 0;

	for (size_t i = 0; in->lost && i < LMMSD_LOST_MAX; i++)
		sum += in->lost[i];
	return sum;
}

static int put(struct rv_app *app, const char *item, bool done, struct buf *evidence)
{
	struct rv_check *c = &app->checklist[app->n_checklist++];

	*c = (struct rv_check){.item = item, .done = done};
	if (!buf_error(evidence))
		c->evidence = intern_str(app->strings, buf_str(evidence));
	buf_reset(evidence);
	return c->evidence ? 0 : -ENOMEM;
}

static int measured(const struct review_input *in, const struct facts *f, struct rv_app *app,
		    struct buf *b)
{
	uint64_t lost = total_lost(in);
	int r;

	buf_addf(b, "%zu modules timed in %" PRIu64 " warm runs", f->timed, app->warm);
	if (app->cold + app->after_change)
		buf_addf(b,
			 "; %" PRIu64 " runs with a cold cache and %" PRIu64
			 " after a recompilation are kept apart",
			 app->cold, app->after_change);
	if (lost)
		buf_addf(b, "; %" PRIu64 " events or runs were lost", lost);
	r = put(app, "Collect each import's time", f->timed > 0, b);
	if (r < 0)
		return r;
	if (f->used)
		buf_addf(b, "uses of %zu modules counted over %" PRIu64 " runs", f->used,
			 app->runs);
	else
		buf_adds(b, "uses were not counted (usage = off), so savings are upper bounds");
	r = put(app, "Measure usage frequency", f->used > 0, b);
	if (r < 0)
		return r;
	buf_addf(b, "the way from the program is known for %zu of %zu modules", f->chained,
		 app->n_modules);
	r = put(app, "Map dependency chains", f->chained > 0, b);
	if (r < 0)
		return r;
	if (app->cold_start.n) {
		buf_addf(b, "median %.1f ms (%s%.1f to %.1f) over %" PRIu64 " warm runs",
			 app->cold_start.p50, app->cold_start.full ? "95 % " : "",
			 app->cold_start.lo, app->cold_start.hi, app->cold_start.n);
		if (app->before.n)
			buf_addf(b, "; the period before: %.1f ms", app->before.p50);
	} else {
		buf_adds(b, "no warm run was seen from its start");
	}
	return put(app, "Record the cold-start baseline", app->cold_start.n > 0, b);
}

static int acted(const struct rv_thresholds *t, const struct facts *f, struct rv_app *app,
		 struct buf *b)
{
	_buf_ struct buf item = {0};
	const char *text;
	int r;

	buf_addf(b, "%zu MODULE_LEVEL, %zu FUNCTION_LEVEL (%g and %g ms, %g %%)", f->module_level,
		 f->function_level, t->fast_ms, t->slow_ms, t->usage_pct);
	r = put(app, "Classify each module", f->module_level + f->function_level > 0, b);
	if (r < 0)
		return r;
	if (f->open)
		buf_addf(b, "%zu import%s to defer, first %s", f->open, f->open == 1 ? "" : "s",
			 f->first_open->name);
	else if (app->warm < t->min_runs)
		buf_adds(b, "too few warm runs to advise a change");
	else
		buf_adds(b, "no import is left that is worth moving");
	r = put(app, "Change: move FUNCTION_LEVEL imports", !f->open && app->warm >= t->min_runs,
		b);
	if (r < 0)
		return r;
	if (app->verify)
		buf_adds(b, app->verify->text ? app->verify->text : "");
	else
		buf_adds(b, "nothing left the start since the period before: nothing to verify");
	buf_addf(&item, "Verify the improvement (> %g %%)", t->expect_pct);
	text = buf_error(&item) ? NULL : intern_str(app->strings, buf_str(&item));
	return text ? put(app, text, app->verify && app->verify->holds, b) : -ENOMEM;
}

static int kept_up(const struct review_input *in, const struct rv_thresholds *t,
		   const struct facts *f, struct rv_app *app, struct buf *b)
{
	int r;

	buf_adds(b, in->monthly ? "made by the daemon by itself" : "made on demand");
	if (in->n_earlier)
		buf_addf(b, "; %" PRIu64 " earlier monthly review%s", in->n_earlier,
			 in->n_earlier == 1 ? "" : "s");
	r = put(app, "Review monthly", in->monthly || in->n_earlier > 0, b);
	if (r < 0)
		return r;
	buf_addf(b, "%" PRIu64 " change%s noticed in the period", app->n_changes + app->cut_changes,
		 app->n_changes == 1 ? "" : "s");
	buf_adds(b, in->daemon ? "; the daemon watches for new ones" : "; no daemon watches");
	r = put(app, "Re-profile on triggers", in->daemon, b);
	if (r < 0)
		return r;
	if (f->slow)
		buf_addf(b, "lmmsctl check fails: %zu import%s above %g ms, slowest %s (%.0f ms)",
			 f->slow, f->slow == 1 ? "" : "s", t->warn_ms, f->slowest->name,
			 f->slowest->ms.p50);
	else
		buf_addf(b, "lmmsctl check passes: no import above %g ms", t->warn_ms);
	return put(app, "Warn of slow imports in CI", !f->slow && f->timed, b);
}

int checklist_fill(const struct review_input *in, const struct rv_thresholds *t, struct rv_app *app)
{
	struct facts f = facts_of(app);
	_buf_ struct buf b = {0};
	int r;

	free(app->checklist);
	app->n_checklist = 0;
	app->checklist = calloc(ITEMS, sizeof(*app->checklist));
	if (!app->checklist)
		return -ENOMEM;
	r = measured(in, &f, app, &b);
	if (r == 0)
		r = acted(t, &f, app, &b);
	return r < 0 ? r : kept_up(in, t, &f, app, &b);
}

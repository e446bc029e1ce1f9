/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Tier against present placement, and what stands in the way of a change. */
#include "review/rules.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define UMBRELLA 0.2 /* of the saving in its own code: less, and it is what it imports that costs */
#define WHOLE                                                                                      \
	0.8 /* of the start: what saves as much, and stands in the program's own file, is the program */
#define PARTS 0.5	   /* of the saving that the parts must account for */
#define DOUBT 0.05	   /* of the start: less is not worth a look */
#define DOMINATORS_MOST 64 /* steps up a chain of modules that bring each other */

static int by_name(const void *name, const void *module)
{
	return strcmp(name, ((const struct rv_module *)module)->name);
}

const struct rv_module *rules_find(const struct rv_app *app, const char *name)
{
	return name && app->n_modules ?
		       bsearch(name, app->modules, app->n_modules, sizeof(*app->modules), by_name) :
		       NULL;
}

static bool in_function(const struct rv_module *m)
{
	return m->placement == LMMSD_PLACE_FUNCTION || m->placement == LMMSD_PLACE_LAZY;
}

static void set(struct rv_module *m, enum rv_action action, enum rv_why why)
{
	m->action = action;
	m->covered = false;
	m->why = why;
}

static void decide_hoist(const struct rv_app *app, struct rv_module *m)
{
	if (!m->hoist.inside.importer && m->hoist.other.importer)
		set(m, RV_KEEP, RV_WHY_FITS);
	else if (!m->hoist.inside.importer)
		set(m, RV_NONE, RV_WHY_FOREIGN);
	else if (m->hoist.circle)
		set(m, RV_KEEP, RV_WHY_CYCLE);
	else if (m->own && !app->imports_known)
		set(m, RV_NONE, RV_WHY_UNSEEN);
	else
		set(m, RV_HOIST, RV_WHY_CHEAP);
}

static void decide_defer(const struct rv_thresholds *t, const struct rv_app *app,
			 struct rv_module *m)
{
	if (!m->at_start)
		set(m, RV_KEEP, RV_WHY_FITS);
	else if (!(m->saving_ms >= app->noise_ms))
		set(m, RV_NONE, RV_WHY_NOISE);
	else if (m->unplanned)
		set(m, RV_NONE, RV_WHY_NONE);
	else if (m->more_ways)
		set(m, RV_NONE, RV_WHY_WAYS);
	else if (!m->cut_own || !m->cut_direct)
		set(m, RV_NONE, RV_WHY_FOREIGN);
	else if (m->used_pct >= t->often_pct ||
		 (m->evidence == RV_EVIDENCE_IN_USE && m->run_pct >= t->often_pct))
		set(m, RV_DEFER, RV_WHY_MOVES);
	else
		set(m, RV_DEFER, m->n_cut > 1 ? RV_WHY_TOGETHER : RV_WHY_SAVES);
}

/*
 * Between the thresholds usage decides, and without evidence of use an import at the top counts as used in each run that
 * makes it: what it would save is worth a look by who knows the program.
 */
static bool is_doubtful(const struct rv_thresholds *t, const struct rv_app *app,
			const struct rv_module *m)
{
	return m->action == RV_KEEP && m->tier == MDL_MODULE_LEVEL && m->at_start &&
	       m->ms.p50 >= t->fast_ms && m->evidence == RV_EVIDENCE_IMPORTED &&
	       m->used_pct < t->often_pct && m->saving_ms >= app->noise_ms &&
	       m->saving_ms >= DOUBT * app->cold_start.p50 && m->cut_own && m->cut_direct;
}

static void decide(const struct rv_thresholds *t, const struct rv_app *app, struct rv_module *m)
{
	if (!m->ms.n)
		set(m, RV_NONE, RV_WHY_NO_TIME);
	else if (app->warm < t->min_runs || m->ms.n < t->min_runs || m->tier == MDL_TIER_NONE)
		set(m, RV_NONE, RV_WHY_FEW_RUNS);
	else if (in_function(m) == (m->tier == MDL_FUNCTION_LEVEL))
		set(m, RV_KEEP, RV_WHY_FITS);
	else if (in_function(m))
		decide_hoist(app, m);
	else
		decide_defer(t, app, m);
}

void rules_decide(const struct rv_thresholds *t, const struct rv_app *app, struct rv_module *m)
{
	decide(t, app, m);
	m->doubt = is_doubtful(t, app, m);
}

static bool is_umbrella(const struct rv_module *m)
{
	return m->action == RV_DEFER && m->own && m->self_ms < UMBRELLA * m->saving_ms;
}

/* What a thin script starts: "from shop.main import main; main()". */
static bool is_whole_program(const struct rv_app *app, const struct rv_module *m)
{
	return is_umbrella(m) && m->n_cut == 1 && !strcmp(m->cut[0].importer, "__main__") &&
	       m->saving_ms >= WHOLE * app->cold_start.p50;
}

/* Without it its parts are no matter of their own. */
static bool is_part(const struct rv_module *above, const struct rv_module *m)
{
	(void)m;
	return above->action == RV_DEFER && !is_umbrella(above);
}

/* Where deferring only moves the cost, what saves below it still does. */
static bool takes_along(const struct rv_module *above, const struct rv_module *m)
{
	return above->action == RV_DEFER &&
	       (above->why != RV_WHY_MOVES || (m->action == RV_DEFER && m->why == RV_WHY_MOVES));
}

/* Whether one on the way up to `top` is such. */
static bool any_above(const struct rv_app *app, const int32_t *up, int32_t module, int32_t top,
		      bool (*is)(const struct rv_module *above, const struct rv_module *m))
{
	int32_t at = up[module];

	for (int steps = 0; at >= 0 && at != top && steps < DOMINATORS_MOST; steps++) {
		if (is(&app->modules[at], &app->modules[module]))
			return true;
		at = up[at];
	}
	return false;
}

static bool is_below(const int32_t *up, int32_t at, int32_t top)
{
	for (int steps = 0; at >= 0 && steps < DOMINATORS_MOST; steps++) {
		at = up[at];
		if (at == top)
			return true;
	}
	return false;
}

/* What deferring the parts of an umbrella saves: each once, not what another of them takes along. */
static double parts_of(const struct rv_app *app, const int32_t *up, const int32_t *deferred,
		       size_t n, int32_t top)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_umbrella(&app->modules[deferred[i]]) && is_below(up, deferred[i], top) &&
		    !any_above(app, up, deferred[i], top, is_part))
			sum += app->modules[deferred[i]].saving_ms;
	return sum;
}

int rules_settle(struct rv_app *app)
{
	_free_ int32_t *up = calloc(app->n_modules + 1, sizeof(*up));
	_free_ int32_t *deferred = calloc(app->n_modules + 1, sizeof(*deferred));
	_free_ bool *yields = calloc(app->n_modules + 1, sizeof(*yields));
	size_t n = 0;

	if (!up || !deferred || !yields)
		return -ENOMEM;
	for (size_t i = 0; i < app->n_modules; i++) {
		const struct rv_module *by = rules_find(app, app->modules[i].brought_by);

		up[i] = by ? (int32_t)(by - app->modules) : -1;
		if (app->modules[i].action == RV_DEFER)
			deferred[n++] = (int32_t)i;
	}
	for (size_t i = 0; i < n; i++) {
		const struct rv_module *m = &app->modules[deferred[i]];

		yields[i] = is_umbrella(m) &&
			    parts_of(app, up, deferred, n, deferred[i]) >= PARTS * m->saving_ms;
	}
	for (size_t i = 0; i < n; i++)
		if (yields[i])
			set(&app->modules[deferred[i]], RV_NONE, RV_WHY_PARTS);
		else if (is_whole_program(app, &app->modules[deferred[i]]))
			set(&app->modules[deferred[i]], RV_NONE, RV_WHY_PROGRAM);
	for (size_t i = 0; i < app->n_modules; i++)
		if (app->modules[i].doubt && any_above(app, up, (int32_t)i, -1, takes_along))
			app->modules[i].doubt = false;
	for (size_t i = 0; i < n; i++)
		app->modules[deferred[i]].covered = any_above(app, up, deferred[i], -1,
							      takes_along);
	return 0;
}

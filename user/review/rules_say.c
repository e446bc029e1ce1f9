/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The words for a decision. Names are as they are: who shows them escapes them. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "review/rules.h"

#define SITES_SAID 4

void rules_say_ms(double ms, struct buf *b)
{
	if (!isfinite(ms))
		buf_adds(b, "an unknown time");
	else if (ms >= 10000)
		buf_addf(b, "%.1f s", ms / 1000);
	else if (ms >= 100)
		buf_addf(b, "%.0f ms", ms);
	else if (ms >= 10)
		buf_addf(b, "%.1f ms", ms);
	else
		buf_addf(b, "%.2f ms", ms);
}

/* The end of a path that tells files apart: the file and its directory; of a package's own file one more. */
static const char *short_path(const char *path)
{
	const char *p = path + strlen(path), *file = strrchr(path, '/');
	int parts = file && !strncmp(file, "/__", 3) ? 3 : 2;

	for (int slashes = 0; p > path; p--)
		if (p[-1] == '/' && ++slashes == parts)
			break;
	return p;
}

void rules_say_site(const struct rv_site *site, struct buf *b)
{
	if (site->file)
		buf_adds(b, short_path(site->file));
	else
		buf_addf(b, "in %s", site->importer ? site->importer : "an unknown module");
	if (site->file && site->line > 0)
		buf_addf(b, ":%" PRId32, site->line);
}

/* "66.2 ms", or "up to 66.2 ms" where cached imports were not seen. */
static void say_saving(const struct rv_app *app, double ms, struct buf *b)
{
	buf_adds(b, app->uses_counted ? "" : "up to ");
	rules_say_ms(ms, b);
}

static size_t cut_size(const struct rv_module *m)
{
	return m->n_cut + m->more_cut;
}

static void say_cut(const struct rv_module *m, struct buf *b)
{
	size_t n = cut_size(m);

	for (size_t i = 0; i < m->n_cut && i < SITES_SAID; i++) {
		if (i)
			buf_adds(b, i + 1 == n ? " and " : ", ");
		rules_say_site(&m->cut[i], b);
	}
	if (n > SITES_SAID)
		buf_addf(b, " and %zu more", n - SITES_SAID);
}

static void say_usage(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	if (m->why == RV_WHY_MOVES) {
		buf_addf(b,
			 "; but it is used in nearly every run (%.0f %%): deferring only moves the "
			 "cost from the start to its first use",
			 fmax(m->used_pct, m->evidence == RV_EVIDENCE_IN_USE ? m->run_pct : 0));
	} else if (m->run_pct >= t->often_pct) {
		buf_addf(
			b,
			"; imported in %.0f %% of the runs, and whether they go on to use it is not "
			"measured: where nearly every run does, deferring only moves the cost",
			m->run_pct);
	} else {
		buf_addf(b, "; %.0f %% of the runs import it", m->run_pct);
	}
}

static void say_defer(const struct rv_thresholds *t, const struct rv_app *app,
		      const struct rv_module *m, struct buf *b)
{
	buf_adds(b, "without it the start is ");
	say_saving(app, m->saving_ms, b);
	buf_adds(b, " shorter");
	if (app->cold_start.p50 > 0)
		buf_addf(b, " (%.0f %%)", m->saving_ms / app->cold_start.p50 * 100);
	if (m->n_cut > 1) {
		buf_addf(b, ", if these %zu imports are deferred together: ", cut_size(m));
		say_cut(m, b);
		buf_adds(b, "; deferring only one of them saves nothing");
	} else if (m->n_cut == 1) {
		buf_adds(b, ": move its import ");
		buf_adds(b, m->cut[0].file ? "at " : "");
		rules_say_site(&m->cut[0], b);
		buf_adds(b, " into the function that needs it");
	}
	if (m->covered)
		buf_adds(b, "; deferring what brings it in takes it along");
	say_usage(t, m, b);
}

static void say_noise(const struct rv_app *app, const struct rv_module *m, struct buf *b)
{
	if (m->saving_ms < app->noise_ms / 10 || m->saving_ms < 0.01)
		buf_adds(b, "deferring it saves nothing");
	else {
		buf_adds(b, "deferring it saves ");
		rules_say_ms(m->saving_ms, b);
	}
	buf_adds(b, ", which is below the noise of this start (");
	rules_say_ms(app->noise_ms, b);
	buf_adds(b, ")");
	if (m->self_ms > app->noise_ms || m->ms.p50 > 10 * app->noise_ms)
		buf_adds(b, ": what it loads is needed by others, too");
}

static void say_foreign(const struct rv_module *m, struct buf *b)
{
	if (m->cut_own && m->n_cut) {
		const struct rv_site *site = &m->cut[0];

		buf_addf(b, "it comes with %s", site->module);
		if (m->n_cut > 1)
			buf_addf(b, " and %zu more import%s", cut_size(m) - 1,
				 m->n_cut > 2 ? "s" : "");
		buf_adds(b, " and goes with it: what can be changed is ");
		say_cut(m, b);
	} else if (m->n_sites) {
		buf_addf(b, "no import of it stands in the app's own code: %s brings it in",
			 m->sites[0].importer ? m->sites[0].importer : "the interpreter");
	} else {
		buf_adds(b, "what imports it is not known");
	}
}

static const char *tier_name(uint8_t tier)
{
	return tier == MDL_MODULE_LEVEL ? "MODULE_LEVEL" : "FUNCTION_LEVEL";
}

static void say_tier(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	rules_say_ms(m->ms.p50, b);
	if (m->kept)
		buf_addf(b, " and usage %.1f %%, by last month's tier %s", m->usage_pct,
			 tier_name(m->tier));
	else if (m->ms.p50 < t->fast_ms)
		buf_addf(b, ", below %g ms", t->fast_ms);
	else if (m->ms.p50 > t->slow_ms)
		buf_addf(b, ", above %g ms", t->slow_ms);
	else
		buf_addf(b, ", between %g and %g ms, usage %.1f %% (%s %g %%)", t->fast_ms,
			 t->slow_ms, m->usage_pct,
			 m->usage_pct > t->usage_pct ? "above" : "not above", t->usage_pct);
}

/* At which of the two the tiers part is for usage to say. */
static double threshold_near(const struct rv_thresholds *t, const struct rv_module *m)
{
	if (isfinite(m->usage_pct))
		return m->usage_pct > t->usage_pct ? t->slow_ms : t->fast_ms;
	return m->ms.lo < t->fast_ms ? t->fast_ms : t->slow_ms;
}

static void say_interval(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	double at = threshold_near(t, m);

	buf_addf(b, "its interval (%.2f to %.2f ms) ", m->ms.lo, m->ms.hi);
	if (m->ms.lo <= at && m->ms.hi >= at)
		buf_addf(b, "spans the threshold of %g ms", at);
	else
		buf_addf(b, "is too near the threshold of %g ms to tell", at);
}

static void say_spans(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	if (!m->spans)
		return;
	buf_adds(b, "; ");
	say_interval(t, m, b);
	if (m->kept)
		buf_adds(b, ": last month's tier is kept");
	else if (m->tier_before != MDL_TIER_NONE)
		buf_adds(b, "; the tier is last month's, too");
}

static void say_few_runs(const struct rv_thresholds *t, const struct rv_app *app,
			 const struct rv_module *m, struct buf *b)
{
	bool timed = app->warm >= t->min_runs;
	uint64_t n = timed ? m->ms.n : app->warm;

	buf_addf(b, "only %" PRIu64 " %srun%s%s: too few to advise", n, timed ? "" : "warm ",
		 n == 1 ? "" : "s", timed ? " timed it" : "");
}

static void say_hoist(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	say_tier(t, m, b);
	buf_addf(b, ": it can stand at the top of %s; %.0f %% of the runs import it",
		 m->hoist.inside.importer, m->run_pct);
}

static void say_doubt(const struct rv_app *app, const struct rv_module *m, struct buf *b)
{
	buf_adds(b,
		 "; that counts imports, and whether the runs use it is not measured: if few do, "
		 "deferring it ");
	buf_adds(b, m->n_cut > 1 ? "together " : "");
	/* a site without a file begins with "in" */
	buf_adds(b, m->n_cut && m->cut[0].file ? "at " : "");
	say_cut(m, b);
	buf_adds(b, " saves ");
	say_saving(app, m->saving_ms, b);
	if (app->cold_start.p50 > 0)
		buf_addf(b, " (%.0f %%)", m->saving_ms / app->cold_start.p50 * 100);
}

static void say_fits(const struct rv_thresholds *t, const struct rv_app *app,
		     const struct rv_module *m, struct buf *b)
{
	say_tier(t, m, b);
	if (m->doubt)
		say_doubt(app, m, b);
	else if (m->hoist.other.place == LMMSD_PLACE_MODULE)
		buf_addf(b, "; %s imports it at its top already", m->hoist.other.importer);
	else if (m->hoist.other.importer)
		buf_addf(b, "; %s imports it, and not by an import statement inside a function",
			 m->hoist.other.importer);
	else if (m->placement == LMMSD_PLACE_FUNCTION)
		buf_adds(b, "; it is imported inside a function already");
	else if (m->placement == LMMSD_PLACE_LAZY)
		buf_adds(b, "; it is imported lazily already");
	else if (m->tier == MDL_FUNCTION_LEVEL && m->start_pct > 0)
		buf_addf(b, "; it is part of the start in only %.3g %% of the runs", m->start_pct);
	else if (m->tier == MDL_FUNCTION_LEVEL)
		buf_adds(b, "; it is no part of the start");
	else
		buf_adds(b, "; it stands where it belongs");
}

static void say_unseen(const struct rv_thresholds *t, const struct rv_app *app,
		       const struct rv_module *m, struct buf *b)
{
	say_tier(t, m, b);
	buf_addf(b,
		 "; but %s, so it is not known whether at the top of %s the two would "
		 "import each other",
		 app->uses_counted ? "metrics do not tell all imports" : "uses were not counted",
		 m->hoist.inside.importer);
}

void rules_say(const struct rv_thresholds *t, const struct rv_app *app, const struct rv_module *m,
	       struct buf *b)
{
	switch (m->why) {
	case RV_WHY_SAVES:
	case RV_WHY_TOGETHER:
	case RV_WHY_MOVES:
		say_defer(t, app, m, b);
		break;
	case RV_WHY_NOISE:
		say_noise(app, m, b);
		break;
	case RV_WHY_FOREIGN:
		say_foreign(m, b);
		break;
	case RV_WHY_WAYS:
		buf_adds(b, "more may import it than the metrics tell apart: what to defer with it "
			    "is not known; lmmsctl why on a host tells");
		break;
	case RV_WHY_PARTS:
		buf_adds(b, "its own code takes ");
		rules_say_ms(m->self_ms, b);
		buf_adds(b, " of ");
		rules_say_ms(m->ms.p50, b);
		buf_adds(b, ": what it imports costs, and can be deferred itself");
		break;
	case RV_WHY_PROGRAM:
		buf_adds(b, "it is the program itself, of which its own code takes ");
		rules_say_ms(m->self_ms, b);
		buf_adds(b, ": what it imports costs");
		break;
	case RV_WHY_CHEAP:
		say_hoist(t, m, b);
		break;
	case RV_WHY_CYCLE:
		say_tier(t, m, b);
		buf_addf(b,
			 "; but what it imports leads to %s: at the top of that the two could "
			 "import each other",
			 m->hoist.inside.importer);
		break;
	case RV_WHY_UNSEEN:
		say_unseen(t, app, m, b);
		break;
	case RV_WHY_FEW_RUNS:
		say_few_runs(t, app, m, b);
		break;
	case RV_WHY_NONE:
		buf_adds(b, "many others cost more: change those first");
		break;
	case RV_WHY_NO_TIME:
		buf_adds(b, "no warm run loaded it: there is no time to judge by");
		break;
	default:
		say_fits(t, app, m, b);
	}
	say_spans(t, m, b);
}

static void say_step_hoist(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	buf_addf(b, "Import %s at the top of %s: ", m->name, m->hoist.inside.importer);
	if (m->kept) {
		say_interval(t, m, b);
		buf_adds(b, ", and last month's tier is kept");
		return;
	}
	buf_adds(b, "its ");
	rules_say_ms(m->ms.p50, b);
	buf_adds(b, m->ms.p50 < t->fast_ms ? " are no reason to hide it in a function" :
					     " come in most runs anyway");
}

static void say_step_rule(const struct rv_thresholds *t, const struct rv_module *m, struct buf *b)
{
	buf_adds(b, ". It takes ");
	rules_say_ms(m->ms.p50, b);
	buf_adds(b, " to import");
	if (m->kept) {
		buf_adds(b, "; ");
		say_interval(t, m, b);
		buf_adds(b, ", and last month's tier is kept");
	} else if (m->ms.p50 > t->slow_ms) {
		buf_addf(b, ", above %g ms", t->slow_ms);
	} else {
		buf_addf(b, " and its usage of %.1f %% is not above %g %%", m->usage_pct,
			 t->usage_pct);
	}
	buf_addf(b, "; %.0f %% of the runs import it", m->run_pct);
}

void rules_say_step(const struct rv_thresholds *t, const struct rv_app *app,
		    const struct rv_module *m, double saving_ms, struct buf *b)
{
	if (m->action == RV_HOIST) {
		say_step_hoist(t, m, b);
		return;
	}
	buf_addf(b, "Import %s inside the function%s", m->name,
		 m->n_cut > 1 ? "s that need it, all together " : " that needs it, not ");
	/* a site without a file begins with "in" */
	buf_adds(b, m->n_cut && m->cut[0].file ? "at " : "");
	say_cut(m, b);
	buf_adds(b, ": the start gets ");
	say_saving(app, saving_ms, b);
	buf_adds(b, " shorter");
	if (app->cold_start.p50 > 0) {
		buf_addf(b, ", %.0f %% of ", saving_ms / app->cold_start.p50 * 100);
		rules_say_ms(app->cold_start.p50, b);
	}
	if (m->why == RV_WHY_MOVES)
		buf_adds(b, "; nearly every run uses it, so this only moves the cost");
	say_step_rule(t, m, b);
}

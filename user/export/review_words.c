/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Numbers and names of a review, as people read them. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/screen.h"

#define ROW_MS 5 /* a module that takes this long is shown, whatever is to be done about it */

const char *words_action(enum rv_action action)
{
	static const char *const names[] = {
		[RV_NONE] = "none", [RV_KEEP] = "keep", [RV_DEFER] = "defer", [RV_HOIST] = "hoist"};

	return action <= RV_HOIST ? names[action] : "none";
}

const char *words_change(enum rv_change_kind kind)
{
	static const char *const names[] = {
		[RV_NEW_MODULE] = "new_module",	  [RV_GONE] = "gone",
		[RV_USAGE_SHIFT] = "usage_shift", [RV_REGRESSION] = "regression",
		[RV_IMPROVEMENT] = "improvement", [RV_DEPENDENCY_UPDATE] = "dependency_update",
	};

	return kind <= RV_DEPENDENCY_UPDATE ? names[kind] : "";
}

const char *words_tier(uint8_t tier)
{
	return tier == MDL_MODULE_LEVEL ? "MODULE" : tier == MDL_FUNCTION_LEVEL ? "FUNCTION" : "-";
}

void words_ms(struct buf *b, double ms)
{
	if (!isfinite(ms))
		buf_addc(b, '-');
	else
		buf_addf(b, "%.*f", fabs(ms) >= 1000 ? 0 : fabs(ms) >= 10 ? 1 : 2, ms);
}

void words_pct(struct buf *b, double pct)
{
	if (!isfinite(pct))
		buf_addc(b, '-');
	else
		buf_addf(b, "%.*f", pct > 0 && pct < 1 ? 2 : 1, pct);
}

void words_time(struct buf *b, int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	char text[40];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year > 8099 ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm))
		buf_addc(b, '-');
	else
		buf_adds(b, text);
}

void words_day(struct buf *b, int64_t day)
{
	time_t t;
	char text[40];
	struct tm tm;

	if (day > 2932896 || day < -719162) { /* 9999-12-31, 0001-01-01 */
		buf_addc(b, '-');
		return;
	}
	t = (time_t)day * 86400;
	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d", &tm))
		buf_addc(b, '-');
	else
		buf_adds(b, text);
}

void words_times(struct buf *b, const struct rv_times *t)
{
	if (!t->n) {
		buf_adds(b, "not measured: no warm run was seen from its start");
		return;
	}
	words_ms(b, t->p50);
	buf_adds(b, " ms (");
	if (t->full)
		buf_adds(b, "95 % ");
	words_ms(b, t->lo);
	buf_adds(b, " to ");
	words_ms(b, t->hi);
	buf_addf(b, ", %" PRIu64 " warm run%s%s)", t->n, t->n == 1 ? "" : "s",
		 t->full ? "" : ": too few for an interval, this is their range");
}

void words_against(struct buf *b, const struct rv_app *a)
{
	if (a->cold_start.n && a->before.n && a->before.p50 > 0)
		buf_addf(b, "; the period before %.1f ms, %+.0f %%", a->before.p50,
			 (a->cold_start.p50 / a->before.p50 - 1) * 100);
}

void words_runs(struct buf *b, const struct rv_app *a)
{
	buf_addf(b,
		 "%" PRIu64 " warm, %" PRIu64 " cold cache, %" PRIu64 " after a change, %" PRIu64
		 " not seen from their start",
		 a->warm, a->cold, a->after_change, a->unfit);
}

void words_tiers(struct buf *b, const struct rv_review *r)
{
	buf_addf(b,
		 "Tier: below %g ms MODULE, above %g ms FUNCTION, else MODULE where %s is above "
		 "%g %%.",
		 r->thresholds.fast_ms, r->thresholds.slow_ms,
		 r->basis == RV_BASIS_SHARE ? "share %" : "run %", r->thresholds.usage_pct);
}

const char *words_short_path(const char *path)
{
	return screen_short_path(path);
}

void words_site(struct buf *b, const struct rv_site *site)
{
	if (site->file) {
		buf_adds(b, words_short_path(site->file));
		if (site->line > 0)
			buf_addf(b, ":%" PRId32, site->line);
	} else {
		buf_addf(b, "in %s", site->importer ? site->importer : "an unknown module");
	}
}

void words_lost(struct buf *b, const uint64_t *lost)
{
#define NAME_(id, name, cure) [LMMSD_LOST_##id] = {name, cure},
	static const struct {
		const char *name, *cure;
	} reasons[LMMSD_LOST_MAX] = { LMMSD_REASONS(NAME_) };
#undef NAME_
	bool any = false;

	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		if (!lost[i])
			continue;
		buf_addf(b, "%s%s %" PRIu64 " (%s)",
			 any ? ", " : "Lost, so numbers may be too low: ", reasons[i].name, lost[i],
			 reasons[i].cure);
		any = true;
	}
}

bool words_saves(const struct rv_review *r)
{
	return r->n_steps && r->steps[0].action == RV_DEFER;
}

void words_look(struct buf *b, const struct rv_review *r)
{
	const struct rv_module *most = NULL;
	const struct rv_app *of = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->n_apps; i++) {
		const struct rv_app *a = r->apps[i];

		for (size_t k = 0; k < a->n_modules; k++) {
			const struct rv_module *m = &a->modules[k];

			if (!m->doubt)
				continue;
			n++;
			if (most && m->saving_ms * (double)rv_starts(a) <=
					    most->saving_ms * (double)rv_starts(of))
				continue;
			most = m;
			of = a;
		}
	}
	if (!most)
		return;
	buf_addf(b, "%s: %s takes %s", of->app, most->name, most->reason);
	if (n > 1)
		buf_addf(b, ". And %zu more like it, below", n - 1);
	buf_addc(b, '.');
}

void words_headline(struct buf *b, const struct rv_review *r)
{
	uint64_t warm = 0, runs = 0, most = 0;

	for (size_t i = 0; i < r->n_apps; i++) {
		warm += r->apps[i]->warm;
		runs += r->apps[i]->runs;
		if (r->apps[i]->warm > most)
			most = r->apps[i]->warm;
	}
	if (words_saves(r)) {
		buf_addf(b, "%s: %s.", r->steps[0].app, r->steps[0].text);
	} else if (!runs) {
		buf_adds(b, "No runs in this period: there is nothing to review.");
	} else if (!warm) {
		buf_adds(b, "No warm run was seen from its start: there is nothing to advise yet.");
	} else if (most < r->thresholds.min_runs) {
		buf_addf(b, "Nothing to advise yet: no app has %" PRIu64 " warm runs.",
			 r->thresholds.min_runs);
	} else if (r->n_steps) {
		buf_adds(
			b,
			"No start can be made shorter: by the thresholds below, no import is left that is "
			"worth deferring.");
	} else {
		buf_adds(
			b,
			"Nothing to change: by the thresholds below, no import is left that is worth moving.");
	}
}

const char *words_place(const struct rv_module *m)
{
	static const char *const names[LMMSD_PLACE_MAX] = {
		[LMMSD_PLACE_UNKNOWN] = "unknown",   [LMMSD_PLACE_MODULE] = "module",
		[LMMSD_PLACE_FUNCTION] = "function", [LMMSD_PLACE_CLASS] = "class",
		[LMMSD_PLACE_DYNAMIC] = "dynamic",   [LMMSD_PLACE_LAZY] = "lazy",
	};

	return m->placement < LMMSD_PLACE_MAX ? names[m->placement] : names[0];
}

bool words_is_worth_a_row(const struct rv_module *m)
{
	return m->action == RV_DEFER || m->action == RV_HOIST || m->tier == MDL_FUNCTION_LEVEL ||
	       m->ms.p50 >= ROW_MS;
}

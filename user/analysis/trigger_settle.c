/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One cause, one change: what several changes have in common is told once. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/trigger_int.h"
#include "base/cleanup.h"

#define ALIKE_SHARE 0.3 /* of the timed modules: when so many change at once, it is not them */
#define ALIKE_LEAST 4
#define NEAR_DAYS 3
#define COMING_DAYS 16 /* as late as a shift may be noticed */
#define SAME_DAYS 10   /* a step of the whole and of its parts may be noticed so far apart */

static int32_t days_between(const struct tr_scan *s, size_t a, size_t b)
{
	int32_t days = s->t->days[s->at[a]].day - s->t->days[s->at[b]].day;

	return days < 0 ? -days : days;
}

void tr_drop(struct tr_scan *s, size_t i)
{
	memmove(&s->change[i], &s->change[i + 1], (s->n - i - 1) * sizeof(*s->change));
	memmove(&s->at[i], &s->at[i + 1], (s->n - i - 1) * sizeof(*s->at));
	s->n--;
}

static bool is_time(const struct rv_change *c)
{
	return c->kind == RV_REGRESSION || c->kind == RV_IMPROVEMENT;
}

static double by_factor(const struct rv_change *c)
{
	return fabs(log(c->after_value / c->before_value));
}

/* A module that changed with the whole app and as much as that. */
static bool goes_along(const struct tr_scan *s, size_t app, size_t module)
{
	const struct rv_change *a = &s->change[app], *m = &s->change[module];
	double ratio = by_factor(m) / by_factor(a);

	return m->module && m->kind == a->kind && days_between(s, app, module) <= SAME_DAYS &&
	       ratio > 0.5 && ratio < 2;
}

/* How many modules changed the same way within days, and which of them most; *ret_most is set if there is one. */
static size_t alike(const struct tr_scan *s, size_t i, int32_t days, size_t *ret_most)
{
	double most = -1;
	size_t n = 0;

	for (size_t k = 0; k < s->n; k++) {
		double by = fabs(s->change[k].after_value - s->change[k].before_value);

		if (s->change[k].kind != s->change[i].kind || !s->change[k].module ||
		    days_between(s, i, k) > days)
			continue;
		n++;
		if (by > most) {
			most = by;
			*ret_most = k;
		}
	}
	return n;
}

static int settle_app(struct tr_scan *s, size_t app, bool *gone)
{
	struct rv_change *c = &s->change[app];
	size_t n = 0, most = 0;

	for (size_t k = 0; k < s->n; k++)
		n += goes_along(s, app, k);
	if (n < ALIKE_LEAST && !alike(s, app, NEAR_DAYS, &most))
		return 0;
	if (n < ALIKE_LEAST)
		return tr_put(s, &c->why, "%s; most of it is %s (%s to %s)", c->why,
			      s->change[most].module, s->change[most].before,
			      s->change[most].after);
	for (size_t k = 0; k < s->n; k++)
		gone[k] |= goes_along(s, app, k);
	return tr_put(s, &c->why,
		      "%s: %zu modules changed alike, so it is the machine, its load or the Python "
		      "rather than one of them",
		      c->why, n);
}

int tr_settle_times(struct tr_scan *s)
{
	double least = fmax(ALIKE_LEAST, ALIKE_SHARE * (double)s->timed);
	_free_ bool *gone = calloc(s->n + 1, sizeof(*gone));
	int r = 0;

	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		size_t most;

		if (!is_time(&s->change[i]))
			continue;
		if (!s->change[i].module)
			r = settle_app(s, i, gone);
		else if ((double)alike(s, i, NEAR_DAYS, &most) >= least)
			gone[i] = true;
	}
	for (size_t i = s->n; i-- > 0 && r == 0;)
		if (gone[i])
			tr_drop(s, i);
	return r;
}

/* Of a shift: what loaded the module most often in the days until it was noticed, if that tells as much; SIZE_MAX. */
static size_t brought_by(const struct tr_scan *s, size_t i)
{
	const struct rv_change *c = &s->change[i];
	const struct tr_module *m = tr_find_module(s->t, c->module);
	double by = c->after_value - c->before_value;

	for (uint32_t k = m ? m->n : 0; k-- > 0;) {
		if (m->seen[k].at > s->at[i] || !m->seen[k].parent)
			continue;
		if (s->t->days[s->at[i]].day - s->t->days[m->seen[k].at].day > SAME_DAYS)
			break;
		for (size_t o = 0; o < s->n; o++) {
			double more = s->change[o].after_value - s->change[o].before_value;

			if (s->change[o].kind == RV_USAGE_SHIFT && o != i &&
			    s->change[o].module == m->seen[k].parent &&
			    days_between(s, i, o) <= NEAR_DAYS && more * by > 0 &&
			    fabs(by) <= fabs(more) + s->t->policy.usage_points)
				return o;
		}
	}
	return SIZE_MAX;
}

/* A package that is used more is one change, not two hundred. Where some load each other by turns the first is told. */
static bool goes_with(const struct tr_scan *s, const size_t *by, size_t i)
{
	bool first = true;

	for (size_t at = by[i], n = 0; at != SIZE_MAX && n < s->n; at = by[at], n++) {
		if (at == i)
			return !first;
		first = first && i < at;
	}
	return by[i] != SIZE_MAX;
}

/* A module that has just come has no shifted usage; and of two shifts at once the first is told. */
static bool is_told(const struct tr_scan *s, size_t i)
{
	const struct rv_change *c = &s->change[i];

	for (size_t k = 0; k < s->n; k++) {
		const struct rv_change *o = &s->change[k];

		if (i != k && o->module == c->module &&
		    ((o->kind == RV_NEW_MODULE && days_between(s, i, k) <= COMING_DAYS) ||
		     (o->kind == RV_USAGE_SHIFT && k < i && days_between(s, i, k) <= NEAR_DAYS)))
			return true;
	}
	return false;
}

int tr_settle_shifts(struct tr_scan *s)
{
	_free_ bool *gone = calloc(s->n + 1, sizeof(*gone));
	_free_ size_t *by = calloc(s->n + 1, sizeof(*by));

	if (!gone || !by)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		by[i] = s->change[i].kind == RV_USAGE_SHIFT ? brought_by(s, i) : SIZE_MAX;
	for (size_t i = 0; i < s->n; i++)
		gone[i] = s->change[i].kind == RV_USAGE_SHIFT &&
			  (goes_with(s, by, i) || is_told(s, i));
	for (size_t i = s->n; i-- > 0;)
		if (gone[i])
			tr_drop(s, i);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From the days to the changes. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "analysis/trigger_int.h"
#include "base/buf.h"
#include "base/cleanup.h"

#define MODULE_EXTRA_PCT 5 /* own times of modules scatter more than the whole */
#define NEW_P 3e-6
#define NEW_SHARE 0.5
#define RARE_SHARE 0.02
#define TIMED_MS 1.0

static void scan_clear(struct tr_scan *s)
{
	free(s->change);
	free(s->at);
	free(s->points);
}

static struct rv_change *add(struct tr_scan *s, enum rv_change_kind kind, const char *module,
			     uint32_t at)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct rv_change *change = realloc(s->change, cap * sizeof(*change));
		uint32_t *days;

		if (!change)
			return NULL;
		s->change = change;
		days = realloc(s->at, cap * sizeof(*days));
		if (!days)
			return NULL;
		s->at = days;
		s->cap = cap;
	}
	s->at[s->n] = at;
	s->change[s->n] = (struct rv_change){
		.kind = kind,
		.module = module,
		.before_value = NAN,
		.after_value = NAN,
		.day = s->t->days[at].day,
	};
	return &s->change[s->n++];
}

int tr_put(struct tr_scan *s, const char **ret, const char *format, ...)
{
	_buf_ struct buf b = {0};
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&b, format, ap);
	va_end(ap);
	if (buf_error(&b))
		return -ENOMEM;
	*ret = intern_str(s->t->strings, buf_str(&b));
	return *ret ? 0 : -ENOMEM;
}

/* Steps of one series of times; at[]: index of the day of each point. */
static int find_steps(struct tr_scan *s, const char *module, const uint32_t *at, uint32_t n)
{
	const struct trigger_policy *policy = &s->t->policy;
	double least_pct = policy->slower_pct + (module ? MODULE_EXTRA_PCT : 0);
	struct tr_least least = {.value = log(1 + least_pct / 100), .ms = policy->least_ms};
	uint32_t from = 0, reset = 0;
	struct tr_step step;
	int r = 0;

	while (r == 0 && tr_find_step(policy, s->points, n, &least, &from, &reset, &step)) {
		bool slower = step.after > step.before;
		struct rv_change *c = add(s, slower ? RV_REGRESSION : RV_IMPROVEMENT, module,
					  at[step.at]);

		if (!c)
			return -ENOMEM;
		c->before_value = exp(step.before) / 1e6;
		c->after_value = exp(step.after) / 1e6;
		r = tr_put(s, &c->before, "%.1f ms", c->before_value);
		if (r == 0)
			r = tr_put(s, &c->after, "%.1f ms", c->after_value);
		if (r == 0)
			r = tr_put(s, &c->why, "%s %+.0f %% since %" PRId32 " days with runs",
				   module ? "its own time" : "cold start",
				   (exp(step.after - step.before) - 1) * 100,
				   (int32_t)(step.at - step.since + 1));
	}
	return r;
}

static int scan_cold(struct tr_scan *s)
{
	_free_ uint32_t *at = calloc(s->t->n_days + 1, sizeof(*at));
	uint32_t n = 0;

	if (!at)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->t->n_days; i++)
		if (s->t->days[i].cold.runs) {
			at[n] = i;
			s->points[n++] = s->t->days[i].cold;
		}
	return find_steps(s, NULL, at, n);
}

static int scan_times(struct tr_scan *s, const struct tr_module *m)
{
	_free_ uint32_t *at = calloc(m->n + 1, sizeof(*at));
	uint32_t n = 0;
	bool timed = false;

	if (!at)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n; i++)
		if (m->seen[i].self.runs) {
			at[n] = m->seen[i].at;
			s->points[n++] = m->seen[i].self;
			timed |= exp((double)m->seen[i].self.value) / 1e6 >= TIMED_MS;
		}
	s->timed += timed;
	return timed ? find_steps(s, m->name, at, n) : 0;
}

enum what { WHAT_IMPORTED, WHAT_USED, WHAT_SHARE };

/* The share on every day, also those on which the module was not seen. */
static void fill_shares(struct tr_scan *s, const struct tr_module *m, enum what what)
{
	const struct trigger *t = s->t;

	for (uint32_t i = 0, k = 0; i < t->n_days; i++) {
		const struct tr_seen *seen = NULL;
		double part = 0, whole = t->days[i].plain;

		if (k < m->n && m->seen[k].at == i)
			seen = &m->seen[k++];
		if (what == WHAT_SHARE)
			whole = (double)t->days[i].uses;
		if (seen)
			part = what == WHAT_IMPORTED ? seen->imported :
			       what == WHAT_USED     ? seen->used :
						       (double)seen->uses;
		s->points[i] = (struct tr_point){
			.day = t->days[i].day,
			.value = whole > 0 ? (float)(part / whole) : 0,
			.sigma = NAN,
			.runs = t->days[i].plain,
		};
	}
}

static int find_shifts(struct tr_scan *s, const struct tr_module *m, enum what what)
{
	static const char *const words[] = {
		[WHAT_IMPORTED] = "share of the runs that import it",
		[WHAT_USED] = "share of the runs that import it inside a function",
		[WHAT_SHARE] = "share of all imports that run",
	};
	uint32_t from = 0, reset = 0;
	struct tr_step step;
	int r = 0;

	fill_shares(s, m, what);
	while (r == 0 &&
	       tr_find_shift(&s->t->policy, s->points, s->t->n_days, &from, &reset, &step)) {
		struct rv_change *c = add(s, RV_USAGE_SHIFT, m->name, step.at);

		if (!c)
			return -ENOMEM;
		c->before_value = step.before * 100;
		c->after_value = step.after * 100;
		r = tr_put(s, &c->before, "%.0f %%", c->before_value);
		if (r == 0)
			r = tr_put(s, &c->after, "%.0f %%", c->after_value);
		if (r == 0)
			r = tr_put(s, &c->why, "%s", words[what]);
	}
	return r;
}

/* Index of the day on which it showed that the module is new in the start; UINT32_MAX: it is not. */
static uint32_t new_at(const struct trigger *t, const struct tr_module *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		uint32_t first = m->seen[i].at, begin;
		uint64_t runs = 0, starts = 0, other_runs = 0, other_starts = 0;

		if (!m->seen[i].starts)
			continue;
		/* the days from `begin` on against all before */
		for (begin = i;
		     begin > 0 &&
		     t->days[first].day - t->days[m->seen[begin - 1].at].day < TRIGGER_NEW_DAYS;)
			begin--;
		while (begin < i && !m->seen[begin].starts)
			begin++;
		for (uint32_t k = 0, d = 0; d <= first; d++) {
			bool recent = d >= m->seen[begin].at;
			uint32_t s = 0;

			if (k < m->n && m->seen[k].at == d)
				s = m->seen[k++].starts;
			*(recent ? &runs : &other_runs) += t->days[d].plain;
			*(recent ? &starts : &other_starts) += s;
		}
		if ((double)starts >= NEW_SHARE * (double)runs &&
		    (double)other_starts <= RARE_SHARE * (double)other_runs &&
		    stats_fisher_upper(starts, runs, other_starts, other_runs) <= NEW_P)
			return first;
	}
	return UINT32_MAX;
}

const struct tr_module *tr_find_module(const struct trigger *t, const char *name)
{
	size_t low = 0, high = t->n_modules;

	while (name && low < high) {
		size_t mid = low + (high - low) / 2;
		int r = strcmp(name, t->modules[mid].name);

		if (!r)
			return &t->modules[mid];
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* A new package is one change, not two hundred: what a new module brings along is not told. at: by module. */
static bool came_along(const struct trigger *t, const uint32_t *at, size_t module,
		       const struct tr_module *by)
{
	size_t k = by ? (size_t)(by - t->modules) : module;

	return k != module && at[k] != UINT32_MAX &&
	       t->days[at[module]].day - t->days[at[k]].day < TRIGGER_NEW_DAYS;
}

static int scan_new(struct tr_scan *s)
{
	const struct trigger *t = s->t;
	_free_ uint32_t *at = calloc(t->n_modules + 1, sizeof(*at));

	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_modules; i++)
		at[i] = new_at(t, &t->modules[i]);
	for (size_t i = 0; i < t->n_modules; i++) {
		const struct tr_seen *seen = NULL;
		struct rv_change *c;

		for (uint32_t k = 0; k < t->modules[i].n; k++)
			if (t->modules[i].seen[k].at == at[i])
				seen = &t->modules[i].seen[k];
		if (!seen || came_along(t, at, i, tr_find_module(t, seen->parent)))
			continue;
		c = add(s, RV_NEW_MODULE, t->modules[i].name, at[i]);
		if (!c)
			return -ENOMEM;
		if (isfinite(seen->total_ms)) {
			c->after_value = (double)seen->total_ms;
			if (tr_put(s, &c->after, "%.1f ms", c->after_value) < 0)
				return -ENOMEM;
		}
		if (tr_put(s, &c->why, "new in the start%s%s", seen->parent ? ", imported by " : "",
			   seen->parent ? seen->parent : "") < 0)
			return -ENOMEM;
	}
	return 0;
}

static int scan_updates(struct tr_scan *s)
{
	for (size_t i = 0; i < s->t->n_updates; i++) {
		const struct tr_update *u = &s->t->updates[i];
		struct rv_change *c = add(s, RV_DEPENDENCY_UPDATE, u->distribution, u->at);
		const struct tr_module *m = tr_find_module(s->t, u->module);

		if (!c)
			return -ENOMEM;
		c->before = u->before;
		c->after = u->after;
		c->after_value = u->after_ms > 0 ? (double)u->after_ms : NAN;
		for (uint32_t k = 0; m && k < m->n && m->seen[k].at < u->at; k++)
			if (isfinite(m->seen[k].total_ms))
				c->before_value = (double)m->seen[k].total_ms;
		if (isfinite(c->before_value) && isfinite(c->after_value)) {
			if (tr_put(s, &c->why, "importing %s takes %.1f ms, before %.1f ms",
				   u->module, c->after_value, c->before_value) < 0)
				return -ENOMEM;
		} else if (tr_put(s, &c->why, "seen in the version of its module %s", u->module) <
			   0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int by_day(const void *a, const void *b)
{
	const struct rv_change *x = a, *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->module ? x->module : "", y->module ? y->module : "");
}

static int scan_modules(struct tr_scan *s)
{
	int r = 0;

	for (size_t i = 0; i < s->t->n_modules && r == 0; i++) {
		const struct tr_module *m = &s->t->modules[i];

		r = scan_times(s, m);
		if (r == 0)
			r = find_shifts(s, m,
					s->t->policy.basis == RV_BASIS_SHARE ? WHAT_SHARE :
									       WHAT_IMPORTED);
		if (r == 0 && s->t->policy.basis != RV_BASIS_SHARE)
			r = find_shifts(s, m, WHAT_USED);
	}
	return r;
}

int trigger_changes(struct trigger *t, int32_t since_day, struct rv_change **ret, size_t *ret_n)
{
	_cleanup_(scan_clear) struct tr_scan s = {.t = t};
	int r;

	s.points = calloc(t->n_days + 1, sizeof(*s.points));
	if (!s.points)
		return -ENOMEM;
	r = scan_new(&s);
	if (r == 0)
		r = scan_updates(&s);
	if (r == 0)
		r = scan_modules(&s);
	if (r == 0)
		r = scan_cold(&s);
	if (r == 0)
		r = tr_settle_times(&s);
	if (r == 0)
		r = tr_settle_shifts(&s);
	if (r < 0)
		return r;
	for (size_t i = s.n; i-- > 0;)
		if (s.change[i].day < since_day)
			tr_drop(&s, i);
	if (s.n)
		qsort(s.change, s.n, sizeof(*s.change), by_day);
	*ret = TAKE_PTR(s.change); /* NULL when there is none */
	*ret_n = s.n;
	return 0;
}

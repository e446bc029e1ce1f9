/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Versions that come, and those that come back. What runs from two environments by turns has two versions for ever: a
 * version has come back only if it was alone for days, then the other was, and it is not one of many times.
 */
#include <errno.h>

#include "analysis/trigger_int.h"

#define ALONE_DAYS 3	 /* on which the distribution was seen in one version only */
#define STRETCHES_MOST 4 /* of days in one version, before: else they take turns */

/* Latest of the other versions that were seen; NULL. */
static const struct tr_version *latest_but(const struct trigger *t, const char *distribution,
					   const char *version)
{
	const struct tr_version *latest = NULL;

	for (size_t i = 0; i < t->n_versions; i++) {
		const struct tr_version *v = &t->versions[i];

		if (v->distribution == distribution && v->version != version &&
		    v->first != t->n_days && (!latest || v->last >= latest->last))
			latest = v;
	}
	return latest;
}

static struct tr_version *find_version(struct trigger *t, const char *distribution,
				       const char *version)
{
	for (size_t i = 0; i < t->n_versions; i++)
		if (t->versions[i].distribution == distribution &&
		    t->versions[i].version == version)
			return &t->versions[i];
	return NULL;
}

/* The first of the distribution holds what is of all its versions. */
static size_t head_of(const struct trigger *t, const char *distribution)
{
	size_t i = 0;

	while (i < t->n_versions && t->versions[i].distribution != distribution)
		i++;
	return i;
}

static bool is_back(const struct trigger *t, const struct tr_version *v)
{
	const struct tr_course *c = &t->versions[v->head].course;

	return v->last != t->n_days && c->alone && c->alone != v->version &&
	       c->days >= ALONE_DAYS && v->alone_days >= ALONE_DAYS &&
	       c->stretches <= STRETCHES_MOST;
}

static int add_version(struct trigger *t, const char *distribution, const char *version)
{
	size_t head = head_of(t, distribution);

	if (tr_grow(&t->versions, sizeof(*t->versions), t->n_versions, &t->cap_versions) < 0)
		return -ENOMEM;
	t->versions[t->n_versions++] = (struct tr_version){.distribution = distribution,
							   .version = version,
							   .head = head,
							   .first = t->n_days,
							   .last = t->n_days};
	return 0;
}

static int add_update(struct trigger *t, const char *distribution, const char *before,
		      const char *after, const char *module, float ms)
{
	if (tr_grow(&t->updates, sizeof(*t->updates), t->n_updates, &t->cap_updates) < 0)
		return -ENOMEM;
	t->updates[t->n_updates++] = (struct tr_update){.distribution = distribution,
							.before = before,
							.after = after,
							.module = module,
							.after_ms = ms,
							.at = t->n_days};
	return 0;
}

static int note_version(struct trigger *t, const struct mdl_hist_module *m,
			const struct mdl_version *v, float ms)
{
	const char *distribution = intern_str(t->strings, v->distribution);
	const char *version = intern_str(t->strings, v->version);
	const char *module = intern_str(t->strings, m->name), *before = NULL;
	const struct tr_version *latest;
	struct tr_version *known;
	int r = 0;

	if (!distribution || !version || !module)
		return -ENOMEM;
	known = find_version(t, distribution, version);
	latest = latest_but(t, distribution, version);
	if (latest && (!known || is_back(t, known)))
		before = latest->version;
	if (known)
		known->last = t->n_days;
	else
		r = add_version(t, distribution, version);
	if (r == 0 && before)
		r = add_update(t, distribution, before, version, module, ms);
	/* the dearest module of the day of the change speaks for all */
	for (size_t i = t->n_updates; i-- > 0 && t->updates[i].at == t->n_days;)
		if (t->updates[i].distribution == distribution && t->updates[i].after == version &&
		    ms > t->updates[i].after_ms) {
			t->updates[i].module = module;
			t->updates[i].after_ms = ms;
		}
	return r;
}

static void go_on(struct tr_course *c, struct tr_version *v)
{
	c->mixed = 0;
	if (c->alone != v->version) {
		c->alone = v->version;
		c->days = 0;
		c->stretches++;
	}
	v->alone_days = ++c->days;
}

/* A change may take a day or two; what runs in two versions for longer goes on to. */
static void mix(struct tr_course *c)
{
	c->alone = NULL;
	if (++c->mixed == ALONE_DAYS)
		c->stretches += STRETCHES_MOST;
}

/* Once all versions of the day are known. */
static void end_day(struct trigger *t)
{
	for (size_t i = 0; i < t->n_versions; i++)
		if (t->versions[i].last == t->n_days)
			t->versions[t->versions[i].head].course.today++;
	for (size_t i = 0; i < t->n_versions; i++) {
		struct tr_version *v = &t->versions[i];

		if (v->last == t->n_days && t->versions[v->head].course.today == 1)
			go_on(&t->versions[v->head].course, v);
	}
	for (size_t i = 0; i < t->n_versions; i++) {
		struct tr_course *c = &t->versions[i].course;

		if (c->today > 1)
			mix(c);
		c->today = 0;
	}
}

int tr_note_versions(struct trigger *t, const struct mdl_history *h)
{
	for (size_t i = 0; i < h->n_modules; i++) {
		const struct mdl_hist_module *m = &h->modules[i];
		float ms = m->total.count ? (float)((double)sketch_quantile(&m->total, 0.5) / 1e6) :
					    0;

		for (size_t k = 0; k < m->n_versions; k++) {
			int r = 0;

			if (m->versions[k].distribution && m->versions[k].version)
				r = note_version(t, m, &m->versions[k], ms);
			if (r < 0)
				return r;
		}
	}
	end_day(t);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What an interval had: who gets a name, what is handed out, who is forgotten. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/interval_int.h"

#define KEEP 0.95 /* of the score, from one interval to the next */
#define RANK_NS 3600000000000LL

/* What is ranked: an app or a module, by the members that both have. */
struct entry {
	void *of; /* borrowed */
	bool *named;
	double score;
};

static int by_score(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->score < y->score) - (x->score > y->score);
}

/* The best max get names: all anew, or only those that are free. e is sorted then. */
static void give_names(struct entry *e, size_t n, size_t max, bool anew)
{
	size_t taken = 0;

	qsort(e, n, sizeof(*e), by_score);
	for (size_t k = 0; k < n; k++) {
		*e[k].named = *e[k].named && !anew;
		taken += *e[k].named;
	}
	for (size_t k = 0; k < n && taken < max; k++) {
		if (!*e[k].named && e[k].score > 0) {
			*e[k].named = true;
			taken++;
		}
	}
}

static double sum(const struct mdl_values *v)
{
	double s = 0;

	for (size_t k = 0; k < v->n; k++)
		s += (double)v->ns[k];
	return v->n ? s / (double)v->n * (double)v->seen : 0;
}

static int rank_modules(struct app *a, size_t max, bool anew)
{
	_free_ struct entry *e = calloc(HASH_COUNT(a->modules) + 1, sizeof(*e));
	struct module *m, *next;
	size_t n = 0;

	if (!e)
		return -ENOMEM;
	HASH_ITER (hh, a->modules, m, next)
		e[n++] = (struct entry){m, &m->named, m->score + module_cost(m)};
	give_names(e, n, max, anew);
	return 0;
}

static int rank(struct interval *i, bool anew)
{
	_free_ struct entry *e = calloc(HASH_COUNT(i->apps) + 1, sizeof(*e));
	struct app *a, *next;
	size_t n = 0;
	int r = 0;

	if (!e)
		return -ENOMEM;
	HASH_ITER (hh, i->apps, a, next) {
		e[n++] = (struct entry){a, &a->named, a->score + a->cost};
		r = rank_modules(a, i->limits.max_modules, anew);
		if (r)
			return r;
	}
	give_names(e, n, i->limits.max_apps, anew);
	return 0;
}

/* ---- handing out */

static int copy_values(struct mdl_values *to, const struct mdl_values *from)
{
	if (!from->n)
		return 0;
	to->ns = malloc(from->n * sizeof(*to->ns));
	if (!to->ns)
		return -ENOMEM;
	memcpy(to->ns, from->ns, from->n * sizeof(*to->ns));
	to->n = to->cap = from->n;
	to->seen = from->seen;
	return 0;
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static bool module_has_news(const struct module *m)
{
	return m->runs_using || m->failures;
}

static int copy_module(struct mdl_interval_module *to, const struct module *m)
{
	int r = copy_text(&to->name, m->name);

	to->self_ns = m->self_ns;
	to->saving_ns = m->saving_ns;
	to->runs_using = m->runs_using;
	to->failures = m->failures;
	if (!r)
		r = copy_text(&to->distribution, m->distribution);
	if (!r)
		r = copy_text(&to->version, m->version);
	return r ? r : copy_values(&to->total, &m->total);
}

static int by_cost(const void *a, const void *b)
{
	const struct mdl_interval_module *x = a, *y = b;
	uint64_t p = x->self_ns + x->saving_ns, q = y->self_ns + y->saving_ns;

	return p != q ? (p < q) - (p > q) : strcmp(x->name, y->name);
}

static int copy_modules(struct mdl_interval_app *to, const struct app *a)
{
	struct mdl_interval_module other = {.self_ns = a->other_self_ns,
					    .failures = a->other_failures};
	struct module *m, *next;
	int r = 0;

	to->modules = calloc(HASH_COUNT(a->modules) + 1, sizeof(*to->modules));
	if (!to->modules)
		return -ENOMEM;
	HASH_ITER (hh, a->modules, m, next) {
		if (m->named && module_has_news(m)) {
			r = copy_module(&to->modules[to->n_modules++], m);
			if (r)
				return r;
		} else {
			other.self_ns += m->self_ns;
			other.failures += m->failures;
		}
	}
	qsort(to->modules, to->n_modules, sizeof(*to->modules), by_cost);
	if (!other.self_ns && !other.failures)
		return 0;
	to->modules[to->n_modules] = other;
	return copy_text(&to->modules[to->n_modules++].name, MDL_OTHER);
}

static int copy_app(struct mdl_interval_app *to, const struct app *a)
{
	int r = copy_text(&to->name, a->name);

	to->runs = a->runs;
	to->slow_imports = a->slow_imports;
	if (!r)
		r = copy_values(&to->cold_start, &a->cold_start);
	if (!r)
		r = copy_values(&to->interpreter, &a->interpreter);
	return r ? r : copy_modules(to, a);
}

static int by_app_cost(const void *a, const void *b)
{
	const struct mdl_interval_app *x = a, *y = b;
	double p = sum(&x->cold_start), q = sum(&y->cold_start);

	return p < q ? 1 : p > q ? -1 : strcmp(x->name, y->name);
}

/* All that has no name. */
static int copy_other(struct interval *i, struct mdl_interval_app *to)
{
	struct app all = {0}, *a, *next;
	int r = interval_merge(i, &all, &i->other);

	HASH_ITER (hh, i->apps, a, next) {
		if (!r && !a->named && a->runs)
			r = interval_merge(i, &all, a);
	}
	to->runs = all.runs;
	to->slow_imports = all.slow_imports;
	to->cold_start = all.cold_start;
	to->interpreter = all.interpreter;
	return r ? r : copy_text(&to->name, MDL_OTHER);
}

static int copy_apps(struct interval *i, struct mdl_interval *t)
{
	struct app *a, *next;
	size_t n = 0;
	int r = 0;

	t->apps = calloc(HASH_COUNT(i->apps) + 1, sizeof(*t->apps));
	if (!t->apps)
		return -ENOMEM;
	HASH_ITER (hh, i->apps, a, next) {
		if (!r && a->named && a->runs)
			r = copy_app(&t->apps[t->n_apps++], a);
	}
	if (r)
		return r;
	n = t->n_apps;
	qsort(t->apps, n, sizeof(*t->apps), by_app_cost);
	r = copy_other(i, &t->apps[t->n_apps++]);
	if (!r && !t->apps[n].runs) {
		free(t->apps[n].name);
		t->n_apps = n;
	}
	return r;
}

/* ---- the next interval */

static void renew_values(struct mdl_values *v)
{
	free(v->ns);
	*v = (struct mdl_values){0};
}

static void renew_module(struct module *m)
{
	m->score = m->score * KEEP + module_cost(m);
	renew_values(&m->total);
	m->self_ns = m->saving_ns = m->runs_using = m->failures = 0;
}

static void renew_app(struct app *a)
{
	struct module *m, *next;

	a->score = a->score * KEEP + a->cost;
	a->cost = a->floor = 0;
	a->runs = a->slow_imports = a->other_self_ns = a->other_failures = 0;
	renew_values(&a->cold_start);
	renew_values(&a->interpreter);
	HASH_ITER (hh, a->modules, m, next)
		renew_module(m);
}

static void renew(struct interval *i, int64_t now_ns)
{
	struct app *a, *next;

	HASH_ITER (hh, i->apps, a, next)
		renew_app(a);
	renew_app(&i->other);
	i->runs = 0;
	i->floor = 0;
	i->since_ns = now_ns;
}

int interval_take(struct interval *i, int64_t now_ns, const uint64_t lost[LMMSD_LOST_MAX],
		  struct mdl_interval **ret)
{
	_cleanup_(interval_free_takenp) struct mdl_interval *t = calloc(1, sizeof(*t));
	/* also when the clock was set back */
	bool anew = now_ns - i->ranked_ns >= RANK_NS || now_ns < i->ranked_ns;
	int r = t ? rank(i, anew) : -ENOMEM;

	if (r)
		return r;
	t->since_ns = i->since_ns;
	t->until_ns = now_ns;
	t->runs = i->runs;
	memcpy(t->lost, lost, sizeof(t->lost));
	r = copy_apps(i, t);
	if (r)
		return r;
	if (anew)
		i->ranked_ns = now_ns;
	renew(i, now_ns);
	*ret = TAKE_PTR(t);
	return 0;
}

struct mdl_interval *interval_free_taken(struct mdl_interval *t)
{
	if (!t)
		return NULL;
	for (size_t k = 0; t->apps && k < t->n_apps; k++) {
		struct mdl_interval_app *a = &t->apps[k];

		for (size_t j = 0; a->modules && j < a->n_modules; j++) {
			free(a->modules[j].name);
			free(a->modules[j].distribution);
			free(a->modules[j].version);
			free(a->modules[j].total.ns);
		}
		free(a->modules);
		free(a->name);
		free(a->cold_start.ns);
		free(a->interpreter.ns);
	}
	free(t->apps);
	free(t);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The counters as they are now, in order of name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/state.h"

static const double start_bounds[MDL_START_BOUNDS] = METRICS_START_BOUNDS;

static int by_app(const void *a, const void *b)
{
	const struct mdl_metrics_app *x = a, *y = b;

	return strcmp(x->app, y->app);
}

static int by_module(const void *a, const void *b)
{
	const struct mdl_metrics_module *const *x = a, *const *y = b;

	return strcmp((*x)->module, (*y)->module);
}

static bool is_empty(const struct mdl_metrics_module *v)
{
	return slots_module_series(v) == 1; /* only the facts */
}

static size_t total(const struct metrics *m)
{
	size_t n = 1;

	for (const struct app *a = m->apps; a; a = a->hh.next)
		n += HASH_COUNT(a->modules) + 1;
	return n;
}

static void fill_app(struct app *a, struct mdl_metrics_app *to, struct mdl_metrics_module **at)
{
	size_t n = 0;

	*to = a->v;
	for (struct module *x = a->modules; x; x = x->hh.next)
		at[n++] = &x->v;
	if (!is_empty(&a->other.v))
		at[n++] = &a->other.v;
	if (n)
		qsort(at, n, sizeof(*at), by_module);
	to->modules = at;
	to->n_modules = n;
}

int metrics_snapshot(struct metrics *m, struct mdl_metrics *ret)
{
	size_t n = HASH_COUNT(m->apps) + 1, used = 0;
	struct mdl_metrics_app *apps = calloc(n, sizeof(*apps));
	struct mdl_metrics_module **modules = calloc(total(m), sizeof(void *));

	if (!apps || !modules) {
		free(apps);
		free(modules);
		return -ENOMEM;
	}
	n = 0;
	for (struct app *a = m->apps; a; a = a->hh.next) {
		fill_app(a, &apps[n], modules + used);
		used += apps[n++].n_modules;
	}
	if (m->other.v.runs || !is_empty(&m->other.other.v))
		fill_app(&m->other, &apps[n++], modules + used);
	qsort(apps, n, sizeof(*apps), by_app);
	memcpy(ret->import_bounds, m->import_bounds, sizeof(ret->import_bounds));
	memcpy(ret->start_bounds, start_bounds, sizeof(ret->start_bounds));
	ret->apps = apps;
	ret->n_apps = n;
	ret->arrays = modules;
	ret->refused_modules = m->refused_modules;
	ret->refused_apps = m->refused_apps;
	return 0;
}

void metrics_snapshot_free(struct mdl_metrics *s)
{
	free(s->apps);
	free(s->arrays);
	s->apps = NULL;
	s->arrays = NULL;
	s->n_apps = 0;
}

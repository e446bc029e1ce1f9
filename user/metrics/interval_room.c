/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Names by the thousand, from whoever wants the others to be forgotten: what costs more stays. */
#include "metrics/interval_int.h"

int interval_merge(struct interval *i, struct app *to, const struct app *from)
{
	int r = 0;

	to->runs += from->runs;
	to->slow_imports += from->slow_imports;
	for (size_t k = 0; !r && k < from->cold_start.n; k++)
		r = interval_value(&to->cold_start, from->cold_start.ns[k], INTERVAL_APP_VALUES,
				   &i->random);
	for (size_t k = 0; !r && k < from->interpreter.n; k++)
		r = interval_value(&to->interpreter, from->interpreter.ns[k], INTERVAL_APP_VALUES,
				   &i->random);
	to->cold_start.seen += from->cold_start.seen - from->cold_start.n;
	to->interpreter.seen += from->interpreter.seen - from->interpreter.n;
	return r;
}

bool interval_app_room(struct interval *i, double cost)
{
	struct app *a, *next, *least = NULL;

	if (HASH_COUNT(i->apps) < APPS_MAX)
		return true;
	if (cost <= i->floor)
		return false;
	HASH_ITER (hh, i->apps, a, next)
		if (!a->named && (!least || a->cost + a->score < least->cost + least->score))
			least = a;
	if (!least)
		return false;
	i->floor = least->cost + least->score;
	if (cost <= i->floor || interval_merge(i, &i->other, least))
		return false;
	HASH_DEL(i->apps, least);
	interval_app_free(least);
	return true;
}

bool interval_module_room(struct app *a, double cost)
{
	struct module *m, *next, *least = NULL;

	if (HASH_COUNT(a->modules) < APP_MODULES_MAX)
		return true;
	if (cost <= a->floor)
		return false;
	HASH_ITER (hh, a->modules, m, next)
		if (!m->named &&
		    (!least || module_cost(m) + m->score < module_cost(least) + least->score))
			least = m;
	if (!least)
		return false;
	a->floor = module_cost(least) + least->score;
	if (cost <= a->floor)
		return false;
	a->other_self_ns += least->self_ns;
	a->other_failures += least->failures;
	HASH_DEL(a->modules, least);
	interval_module_free(least);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A package that comes, goes, or is used more is one change, not two hundred: which modules only go along with another. */
#include <math.h>

#include "analysis/appraise_int.h"
#include "analysis/stats.h"
#include "analysis/trigger.h"

#define RARE_P 1e-4 /* new and gone: by chance less often than this */
#define USAGE_POINTS 20
#define USAGE_Z 5

bool appraise_came(const struct mdl_history *from, const struct mdl_history *to,
		   const struct mdl_hist_module *m)
{
	int32_t k = mdl_history_find(from, m->name);
	uint64_t starts = k < 0 ? 0 : from->modules[k].runs_start;

	return m->runs_start && m->runs_start * 2 >= to->runs_plain &&
	       starts * 50 <= from->runs_plain &&
	       stats_fisher_upper(m->runs_start, to->runs_plain, starts, from->runs_plain) <=
		       RARE_P;
}

/* Edges are in the order of their modules. */
static size_t first_edge(const struct mdl_history *h, uint32_t module)
{
	size_t low = 0, high = h->n_edges;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (h->edges[mid].module < module)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * What a module imports only from its second week on, or up to a week before it went, came or went by itself. Where the
 * days are not known it did not.
 */
static bool by_itself(const struct mdl_history *from, const struct mdl_history *to,
		      const struct mdl_hist_module *m, const struct mdl_hist_module *importer)
{
	bool went = from->since_day > to->since_day;
	int64_t late = went ? importer->last_day : m->first_day;
	int64_t early = went ? m->last_day : importer->first_day;

	return late != INT32_MIN && early != INT32_MIN && late - early >= TRIGGER_NEW_DAYS;
}

bool appraise_came_along(const struct mdl_history *from, const struct mdl_history *to,
			 uint32_t module)
{
	bool any = false;

	for (size_t i = first_edge(to, module); i < to->n_edges && to->edges[i].module == module;
	     i++) {
		const struct mdl_hist_edge *e = &to->edges[i];

		if (!e->loads)
			continue;
		if (e->importer < 0 || appraise_is_program(to->modules[e->importer].name) ||
		    !appraise_came(from, to, &to->modules[e->importer]) ||
		    by_itself(from, to, &to->modules[module], &to->modules[e->importer]))
			return false;
		any = true;
	}
	return any;
}

bool appraise_shifted(const struct mdl_history *before, const struct mdl_history *now,
		      const char *module, struct appraise_shift *ret)
{
	int32_t kb = mdl_history_find(before, module), ka = mdl_history_find(now, module);
	double nb = (double)before->runs_plain, na = (double)now->runs_plain, both, scatter;

	*ret = (struct appraise_shift){
		.before = kb < 0 ? 0 : (double)before->modules[kb].runs_imported / nb,
		.after = ka < 0 ? 0 : (double)now->modules[ka].runs_imported / na,
	};
	both = (ret->before * nb + ret->after * na) / (nb + na);
	scatter = sqrt(both * (1 - both) * (1 / nb + 1 / na));
	return fabs(ret->after - ret->before) * 100 >= USAGE_POINTS && scatter > 0 &&
	       fabs(ret->after - ret->before) / scatter >= USAGE_Z;
}

/* What loads it most often; -1: no module. */
static int32_t loaded_by(const struct mdl_history *h, uint32_t module)
{
	const struct mdl_hist_edge *most = NULL;

	for (size_t i = first_edge(h, module); i < h->n_edges && h->edges[i].module == module; i++)
		if (h->edges[i].loads > (most ? most->loads : 0))
			most = &h->edges[i];
	return most ? most->importer : -1;
}

/*
 * What brought the module's shift about: the main importer, where the module is imported in more runs, if it shifted as
 * much and is told of, as shifted or as new or gone. -1: nothing.
 */
static int32_t shifted_by(const struct mdl_history *from, const struct mdl_history *to,
			  uint32_t module)
{
	int32_t by = loaded_by(to, module);
	struct appraise_shift m, p;

	if (by < 0 || appraise_is_program(to->modules[by].name))
		return -1;
	(void)appraise_shifted(from, to, to->modules[module].name, &m);
	if (!appraise_shifted(from, to, to->modules[by].name, &p) || p.after < p.before ||
	    (m.after - m.before - p.after + p.before) * 100 > USAGE_POINTS)
		return -1;
	return appraise_came(from, to, &to->modules[by]) ||
			       mdl_history_find(from, to->modules[by].name) >= 0 ?
		       by :
		       -1;
}

bool appraise_shifted_along(const struct mdl_history *from, const struct mdl_history *to,
			    uint32_t module)
{
	int32_t by = shifted_by(from, to, module);
	bool first = true;

	/* Where some load each other, by turns, the first of them is told. */
	for (size_t n = 0; by >= 0 && n < to->n_modules; n++) {
		if ((uint32_t)by == module)
			return !first;
		first = first && module < (uint32_t)by;
		by = shifted_by(from, to, (uint32_t)by);
		if (by < 0)
			return true;
	}
	return by >= 0;
}

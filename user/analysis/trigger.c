/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is kept of each day. */
#include "analysis/trigger.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/trigger_int.h"
#include "base/cleanup.h"

#define SIGMA_RUNS 5 /* from which the scatter of single runs can be told */
#define NS_LEAST 1000.0
#define KNOWN_DAYS 7
#define KNOWN_UPDATE_DAYS                                                                          \
	3 /* the day of a version is sure: it can come again sooner than that of a step */

const struct trigger_policy trigger_default_policy = {
	.reference_days = 28,
	.slower_pct = 15,
	.least_ms = 2,
	.usage_points = 20,
	.basis = RV_BASIS_RUN,
};

static const char *const kind_names[] = {
	[RV_NEW_MODULE] = "new_module",	  [RV_GONE] = "gone",
	[RV_USAGE_SHIFT] = "usage_shift", [RV_REGRESSION] = "regression",
	[RV_IMPROVEMENT] = "improvement", [RV_DEPENDENCY_UPDATE] = "dependency_update",
};

const char *trigger_kind_name(enum rv_change_kind kind)
{
	return kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "";
}

int trigger_kind_from_name(const char *name, enum rv_change_kind *ret)
{
	for (size_t i = 0; name && i < ARRAY_LEN(kind_names); i++)
		if (!strcmp(name, kind_names[i])) {
			*ret = (enum rv_change_kind)i;
			return 0;
		}
	return -EINVAL;
}

/* A version may go and come back: of an update the version counts, too. */
static bool is_after(const struct mdl_trigger *stored, const struct rv_change *change)
{
	return change->kind != RV_DEPENDENCY_UPDATE || !stored->after || !change->after ||
	       !strcmp(stored->after, change->after);
}

bool trigger_known(const struct mdl_trigger *stored, size_t n, const struct rv_change *change,
		   int32_t (*day_of)(int64_t unix_ns))
{
	int64_t most = change->kind == RV_DEPENDENCY_UPDATE ? KNOWN_UPDATE_DAYS : KNOWN_DAYS;

	for (size_t i = 0; i < n; i++) {
		const char *module = stored[i].module ? stored[i].module : "";
		int64_t days = change->day - day_of(stored[i].at_ns);

		if (!strcmp(stored[i].kind, trigger_kind_name(change->kind)) &&
		    !strcmp(module, change->module ? change->module : "") &&
		    is_after(&stored[i], change) && days <= most && days >= -most)
			return true;
	}
	return false;
}

int trigger_new(const struct trigger_policy *policy, struct trigger **ret)
{
	_cleanup_(trigger_freep) struct trigger *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->policy = policy ? *policy : trigger_default_policy;
	r = intern_new(&t->strings);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

struct trigger *trigger_free(struct trigger *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_modules; i++)
		free(t->modules[i].seen);
	free(t->modules);
	free(t->days);
	free(t->versions);
	free(t->updates);
	(void)intern_free(t->strings);
	free(t);
	return NULL;
}

int tr_grow(void *array, size_t size, size_t n, size_t *cap)
{
	void **p = array, *more;
	size_t want = n ? 2 * n : 8;

	if (n < *cap)
		return 0;
	more = realloc(*p, want * size);
	if (!more)
		return -ENOMEM;
	*p = more;
	*cap = want;
	return 0;
}

static uint32_t cut32(uint64_t n)
{
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static struct tr_point point_of(int32_t day, const struct sketch *s)
{
	uint64_t low = sketch_rank(s, (s->count + 1) / 2), high = sketch_rank(s, s->count / 2 + 1);
	struct tr_point p = {
		.day = day,
		.value = (float)log(fmax(NS_LEAST, ((double)low + (double)high) / 2)),
		.sigma = NAN,
		.runs = cut32(s->count),
	};

	if (s->count >= SIGMA_RUNS)
		p.sigma = (float)(log(fmax(NS_LEAST, (double)sketch_quantile(s, 0.75)) /
				      fmax(NS_LEAST, (double)sketch_quantile(s, 0.25))) /
				  1.349);
	return p;
}

/* What loaded it most often on that day. */
static int find_parent(struct trigger *t, const struct mdl_history *h, size_t module, size_t *edge,
		       const char **ret)
{
	uint64_t most = 0;
	const char *name = NULL;

	*ret = NULL;
	while (*edge < h->n_edges && h->edges[*edge].module < module)
		++*edge;
	for (; *edge < h->n_edges && h->edges[*edge].module == module; ++*edge)
		if (h->edges[*edge].loads > most) {
			most = h->edges[*edge].loads;
			name = h->edges[*edge].importer_name;
		}
	if (name) {
		*ret = intern_str(t->strings, name);
		return *ret ? 0 : -ENOMEM;
	}
	return 0;
}

static int add_seen(struct trigger *t, struct tr_module *to, const struct mdl_history *h,
		    size_t module, size_t *edge)
{
	const struct mdl_hist_module *m = &h->modules[module];
	size_t cap = to->cap;
	struct tr_seen *seen;
	const char *parent;

	if (tr_grow(&to->seen, sizeof(*to->seen), to->n, &cap) < 0 ||
	    find_parent(t, h, module, edge, &parent) < 0)
		return -ENOMEM;
	to->cap = (uint32_t)cap;
	seen = &to->seen[to->n++];
	*seen = (struct tr_seen){
		.at = t->n_days,
		.starts = cut32(m->runs_start),
		.imported = cut32(m->runs_imported),
		.used = cut32(m->runs_used),
		.uses = m->uses,
		.total_ms = m->total.count ?
				    (float)((double)sketch_quantile(&m->total, 0.5) / 1e6) :
				    NAN,
		.parent = parent,
	};
	if (m->self.count)
		seen->self = point_of(h->since_day, &m->self);
	return 0;
}

/* Both are sorted by name: one pass, and the new list takes over the old one's series. */
static int merge_modules(struct trigger *t, const struct mdl_history *h)
{
	struct tr_module *all = calloc(t->n_modules + h->n_modules + 1, sizeof(*all));
	size_t n = 0, i = 0, k = 0, edge = 0;
	int r = 0;

	if (!all)
		return -ENOMEM;
	while (i < t->n_modules || k < h->n_modules) {
		int c = i == t->n_modules ? 1 :
			k == h->n_modules ? -1 :
					    strcmp(t->modules[i].name, h->modules[k].name);

		if (c <= 0)
			all[n] = t->modules[i++];
		else if (r == 0)
			all[n] = (struct tr_module){
				.name = intern_str(t->strings, h->modules[k].name)};
		if (c > 0 && !all[n].name) {
			/* short of memory: what is left of the old list is still taken over */
			r = -ENOMEM;
			k = h->n_modules;
			continue;
		}
		if (c >= 0 && r == 0)
			r = add_seen(t, &all[n], h, k, &edge);
		if (c >= 0)
			k++;
		n++;
	}
	free(t->modules);
	t->modules = all;
	t->n_modules = n;
	return r;
}

int trigger_add_day(struct trigger *t, const struct mdl_history *day)
{
	size_t cap = t->cap_days;
	int r;

	if (t->n_days && day->since_day <= t->days[t->n_days - 1].day)
		return -EINVAL;
	if (!day->runs_plain)
		return 0;
	if (tr_grow(&t->days, sizeof(*t->days), t->n_days, &cap) < 0)
		return -ENOMEM;
	t->cap_days = (uint32_t)cap;
	t->days[t->n_days] = (struct tr_day){
		.day = day->since_day, .plain = cut32(day->runs_plain), .uses = day->uses};
	if (day->cold_start.count)
		t->days[t->n_days].cold = point_of(day->since_day, &day->cold_start);
	r = tr_note_versions(t, day);
	if (r == 0)
		r = merge_modules(t, day);
	if (r < 0)
		return r;
	t->n_days++;
	return 0;
}

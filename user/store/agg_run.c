/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>

#include "store/agg.h"

static bool is_plain(const struct sto_run *r)
{
	return r->class == MDL_RUN_WARM || r->class == MDL_RUN_COLD || r->class == MDL_RUN_COMPILED;
}

/* What a warm start costs; and loads of processes whose start says nothing. */
static bool is_timed(const struct sto_run *r)
{
	return r->class != MDL_RUN_COLD && r->class != MDL_RUN_COMPILED;
}

static int add_times(struct agg_mod *m, const struct sto_run *r, const struct sto_mod *from)
{
	double saving = (double)from->saving_ns;
	int res;

	if (!(from->flags & STO_MOD_TIMED) || !is_timed(r))
		return 0;
	res = sketch_add(&m->total, from->total_ns);
	if (res == 0)
		res = sketch_add(&m->self, from->self_ns);
	if (res == 0 && r->class == MDL_RUN_WARM) {
		m->saving.n++;
		m->saving.sum += saving;
		m->saving.sum_sq += saving * saving;
	}
	return res;
}

static void add_load(struct agg_mod *m, const struct sto_run *r, const struct sto_mod *from)
{
	uint64_t at[LMMSD_PLACE_MAX] = {0};

	if (from->flags & STO_MOD_SOURCE)
		m->loads_compiled++;
	m->kind = from->kind;
	if (!is_plain(r))
		return;
	m->runs_loaded++;
	m->runs_start += from->flags & STO_MOD_START ? 1 : 0;
	m->loads_by_place[from->place]++;
	at[from->place] = 1;
	agg_mod_place(m, r->day, at);
}

static uint64_t add_uses(struct agg_mod *m, const struct sto_run *r, const struct sto_mod *from)
{
	bool used = from->uses[LMMSD_PLACE_FUNCTION] || from->uses[LMMSD_PLACE_LAZY];
	uint64_t sum = 0;

	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++) {
		if (from->uses[i] == 0)
			continue;
		sum += from->uses[i];
		m->uses_by_place[i] += from->uses[i];
		m->runs_by_place[i] += is_plain(r);
	}
	if (is_plain(r)) {
		m->runs_imported += sum > 0;
		m->runs_used += used;
	} else {
		m->imported_other += sum > 0;
		m->used_other += used;
	}
	return sum;
}

static int add_mods(struct agg *a, const struct sto_run *r, uint64_t *ret_uses)
{
	uint64_t uses = 0;

	for (uint32_t i = 0; i < r->n_mods; i++) {
		const struct sto_mod *from = &r->mods[i];
		struct agg_mod *m = agg_mod(a, from->name, from->pkg);

		if (!m || add_times(m, r, from) < 0)
			return -ENOMEM;
		m->dirty = true;
		if (from->flags & STO_MOD_LOAD)
			add_load(m, r, from);
		uses += add_uses(m, r, from);
		m->failures += from->failures;
		if (r->day >= m->last_day && from->file)
			m->file = from->file;
		m->last_day = r->day > m->last_day ? r->day : m->last_day;
		m->first_day = r->day < m->first_day ? r->day : m->first_day;
	}
	*ret_uses = uses;
	return 0;
}

static int add_edges(struct agg *a, const struct sto_run *r)
{
	for (uint32_t i = 0; i < r->n_edges; i++) {
		const struct sto_edge *from = &r->edges[i];
		const struct agg_edge key = {.importer = from->importer,
					     .module = from->module,
					     .line = from->line,
					     .place = from->place};
		int error;
		struct agg_edge *e = agg_edge(a, &key, &error);

		if (error < 0)
			return error;
		if (!e)
			continue;
		e->runs++;
		e->count += from->count;
		e->loads += from->loaded;
		if (r->day >= e->last_day && from->file)
			e->file = from->file;
		e->last_day = r->day > e->last_day ? r->day : e->last_day;
	}
	return 0;
}

static int add_start(struct agg_day *d, const struct sto_run *r)
{
	switch (r->class) {
	case MDL_RUN_COLD:
		return sketch_add(&d->cold_cache, r->cold_start_ns);
	case MDL_RUN_COMPILED:
		return sketch_add(&d->compiled, r->cold_start_ns);
	case MDL_RUN_WARM:
		if (r->interpreter_ns && sketch_add(&d->interpreter, r->interpreter_ns) < 0)
			return -ENOMEM;
		return sketch_add(&d->cold_start, r->cold_start_ns);
	default:
		return 0;
	}
}

int agg_add_run(struct agg *a, const struct sto_run *r)
{
	struct agg_day *d;
	uint64_t uses = 0;
	int res = add_mods(a, r, &uses);

	if (res == 0)
		res = add_edges(a, r);
	if (res < 0)
		return res;
	d = agg_day(a, r->day);
	if (!d || add_start(d, r) < 0)
		return -ENOMEM;
	if (r->class < MDL_RUN_CLASSES)
		d->runs[r->class]++;
	d->uses += uses;
	d->usage |= r->usage;
	agg_day_seen(d, r->started_ns, r->started_ns);
	agg_day_python(d, r->py_version, 1);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		d->lost[i] += r->lost[i];
	return 0;
}

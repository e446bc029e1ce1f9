/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/agg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void agg_free(struct agg *a)
{
	for (uint32_t i = 0; i < a->n_mods; i++) {
		sketch_free(&a->mods[i].total);
		sketch_free(&a->mods[i].self);
	}
	for (uint32_t i = 0; i < a->n_days; i++) {
		sketch_free(&a->days[i].cold_start);
		sketch_free(&a->days[i].interpreter);
		sketch_free(&a->days[i].cold_cache);
		sketch_free(&a->days[i].compiled);
	}
	free(a->mods);
	free(a->edges);
	free(a->days);
	sto_map_free(&a->by_mod);
	sto_map_free(&a->by_edge);
	*a = (struct agg){.max_mods = a->max_mods, .max_edges = a->max_edges};
}

struct agg_day *agg_day(struct agg *a, int32_t day)
{
	uint32_t i = a->n_days;

	while (i > 0 && a->days[i - 1].day > day)
		i--;
	if (i > 0 && a->days[i - 1].day == day)
		return &a->days[i - 1];
	if (ARRAY_ROOM(a->days, a->n_days, a->cap_days) < 0)
		return NULL;
	memmove(&a->days[i + 1], &a->days[i], (a->n_days - i) * sizeof(*a->days));
	a->days[i] = (struct agg_day){.day = day};
	a->n_days++;
	return &a->days[i];
}

struct agg_mod *agg_mod(struct agg *a, uint32_t name, uint32_t pkg)
{
	uint32_t i = sto_map_get(&a->by_mod, name, pkg);

	if (i != STO_NONE)
		return &a->mods[i];
	if (a->max_mods && a->n_mods >= a->max_mods && name != AGG_OTHER_NAME) {
		a->over_mods++;
		return agg_mod(a, AGG_OTHER_NAME, 0);
	}
	if (ARRAY_ROOM(a->mods, a->n_mods, a->cap_mods) < 0 ||
	    sto_map_put(&a->by_mod, name, pkg, a->n_mods) < 0)
		return NULL;
	a->mods[a->n_mods] = (struct agg_mod){
		.name = name,
		.pkg = pkg,
		.first_day = INT32_MAX,
		.last_day = INT32_MIN,
		.place_day = INT32_MIN,
	};
	return &a->mods[a->n_mods++];
}

struct agg_edge *agg_edge(struct agg *a, const struct agg_edge *key, int *error)
{
	uint64_t names = (uint64_t)key->importer << 32 | key->module;
	uint64_t place = (uint64_t)(uint32_t)key->line << 8 | key->place;
	uint32_t i = sto_map_get(&a->by_edge, names, place);

	*error = 0;
	if (i != STO_NONE)
		return &a->edges[i];
	if (a->max_edges && a->n_edges >= a->max_edges) {
		a->over_edges++;
		return NULL;
	}
	*error = -ENOMEM;
	if (ARRAY_ROOM(a->edges, a->n_edges, a->cap_edges) < 0 ||
	    sto_map_put(&a->by_edge, names, place, a->n_edges) < 0)
		return NULL;
	*error = 0;
	a->edges[a->n_edges] = (struct agg_edge){
		.importer = key->importer,
		.module = key->module,
		.line = key->line,
		.place = key->place,
		.last_day = INT32_MIN,
	};
	return &a->edges[a->n_edges++];
}

void agg_mod_place(struct agg_mod *m, int32_t day, const uint64_t loads[LMMSD_PLACE_MAX])
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		sum += loads[i];
	if (sum == 0 || day < m->place_day)
		return;
	if (day > m->place_day)
		memset(m->place_loads, 0, sizeof(m->place_loads));
	m->place_day = day;
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		m->place_loads[i] += loads[i];
}

void agg_day_seen(struct agg_day *d, int64_t first_ns, int64_t last_ns)
{
	if (d->first_ns == 0 || first_ns < d->first_ns)
		d->first_ns = first_ns;
	if (d->last_ns == 0 || last_ns > d->last_ns)
		d->last_ns = last_ns;
}

void agg_day_python(struct agg_day *d, uint32_t version, uint64_t runs)
{
	struct agg_python *least = &d->pythons[0];

	if (version == 0 || runs == 0)
		return;
	for (unsigned int i = 0; i < AGG_PYTHONS; i++) {
		if (d->pythons[i].version == version) {
			d->pythons[i].runs += runs;
			return;
		}
		if (d->pythons[i].runs < least->runs)
			least = &d->pythons[i];
	}
	if (least->runs < runs)
		*least = (struct agg_python){version, runs};
}

int agg_day_merge(struct agg_day *to, const struct agg_day *from)
{
	int r = sketch_merge(&to->cold_start, &from->cold_start);

	if (r == 0)
		r = sketch_merge(&to->interpreter, &from->interpreter);
	if (r == 0)
		r = sketch_merge(&to->cold_cache, &from->cold_cache);
	if (r == 0)
		r = sketch_merge(&to->compiled, &from->compiled);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < MDL_RUN_CLASSES; i++)
		to->runs[i] += from->runs[i];
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		to->lost[i] += from->lost[i];
	for (unsigned int i = 0; i < AGG_PYTHONS; i++)
		agg_day_python(to, from->pythons[i].version, from->pythons[i].runs);
	to->uses += from->uses;
	to->usage |= from->usage;
	if (from->last_ns)
		agg_day_seen(to, from->first_ns, from->last_ns);
	return 0;
}

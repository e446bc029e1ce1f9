/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The parts of aggregates that are columns of bytes. Each begins with its version. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/varint.h"
#include "store/agg.h"

#define VERSION 1

static int begin(struct varint_in *in, const void *data, size_t len)
{
	*in = (struct varint_in){.at = data, .end = (const uint8_t *)data + len};
	if (len == 0)
		return -EBADMSG;
	if (*in->at == VERSION) {
		in->at++;
		return 0;
	}
	return *in->at > VERSION ? -EPROTO : -EBADMSG;
}

static int by_module(const void *a, const void *b)
{
	const struct agg_edge *x = a, *y = b;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	if (x->importer != y->importer)
		return x->importer < y->importer ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* In order, so that equal edges give equal bytes, and small ones. The map of edges is of no use afterwards. */
void agg_edges_write(struct agg *a, struct buf *b)
{
	uint32_t last = 0;

	sto_map_free(&a->by_edge);
	if (a->n_edges)
		qsort(a->edges, a->n_edges, sizeof(*a->edges), by_module);
	buf_addc(b, VERSION);
	varint_put(b, a->n_edges);
	for (uint32_t i = 0; i < a->n_edges; i++) {
		const struct agg_edge *e = &a->edges[i];

		varint_put(b, e->module - last);
		varint_put(b, e->importer);
		/* most ran once a run */
		varint_put(b,
			   (uint64_t)e->place | (e->count == e->runs) << 3 | (e->loads > 0) << 4);
		varint_put_signed(b, e->line);
		varint_put(b, e->file);
		varint_put(b, e->runs);
		if (e->count != e->runs)
			varint_put(b, e->count);
		if (e->loads)
			varint_put(b, e->loads);
		last = e->module;
	}
}

int agg_edges_read(struct agg *a, int32_t day, const void *data, size_t len)
{
	struct agg_edge got = {0};
	struct varint_in in;
	int r = begin(&in, data, len);
	uint64_t n = r < 0 ? 0 : varint_get(&in);

	for (uint64_t i = 0; i < n && r == 0; i++) {
		struct agg_edge *e;
		unsigned int flags;

		got.module += (uint32_t)varint_get_max(&in, UINT32_MAX);
		got.importer = (uint32_t)varint_get_max(&in, UINT32_MAX);
		flags = (unsigned int)varint_get_max(&in, 31);
		got.place = flags & 7;
		got.line = (int32_t)varint_get_signed(&in);
		got.file = (uint32_t)varint_get_max(&in, UINT32_MAX);
		got.runs = varint_get(&in);
		got.count = flags & 8 ? got.runs : varint_get(&in);
		got.loads = flags & 16 ? varint_get(&in) : 0;
		if (in.error || got.place >= LMMSD_PLACE_MAX)
			return -EBADMSG;
		e = agg_edge(a, &got, &r);
		if (!e)
			continue;
		e->runs += got.runs;
		e->count += got.count;
		e->loads += got.loads;
		if (day >= e->last_day) {
			e->file = got.file;
			e->last_day = day;
		}
	}
	return r < 0 ? r : in.error;
}

static void put_counts(struct buf *b, const uint64_t counts[LMMSD_PLACE_MAX])
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		mask |= (unsigned int)(counts[i] > 0) << i;
	buf_addc(b, (char)mask);
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		if (counts[i])
			varint_put(b, counts[i]);
}

static void get_counts(struct varint_in *in, uint64_t counts[LMMSD_PLACE_MAX])
{
	unsigned int mask = (unsigned int)varint_get_max(in, (1 << LMMSD_PLACE_MAX) - 1);

	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		counts[i] = mask >> i & 1 ? varint_get(in) : 0;
}

void agg_places_write(const struct agg_mod *m, struct buf *b)
{
	buf_addc(b, VERSION);
	put_counts(b, m->runs_by_place);
	put_counts(b, m->loads_by_place);
	put_counts(b, m->uses_by_place);
}

int agg_places_read(struct agg_mod *m, int32_t day, const void *data, size_t len)
{
	uint64_t runs[LMMSD_PLACE_MAX], loads[LMMSD_PLACE_MAX], uses[LMMSD_PLACE_MAX];
	struct varint_in in;
	int r = begin(&in, data, len);

	if (r < 0)
		return r;
	get_counts(&in, runs);
	get_counts(&in, loads);
	get_counts(&in, uses);
	if (in.error)
		return in.error;
	agg_mod_place(m, day, loads);
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++) {
		m->runs_by_place[i] += runs[i];
		m->loads_by_place[i] += loads[i];
		m->uses_by_place[i] += uses[i];
	}
	return 0;
}

void agg_extra_write(const struct agg_day *d, struct buf *b)
{
	unsigned int n = 0;

	buf_addc(b, VERSION);
	for (unsigned int i = 0; i < AGG_PYTHONS; i++)
		n += d->pythons[i].runs > 0;
	varint_put(b, n);
	for (unsigned int i = 0; i < AGG_PYTHONS; i++) {
		if (d->pythons[i].runs) {
			varint_put(b, d->pythons[i].version);
			varint_put(b, d->pythons[i].runs);
		}
	}
	n = 0;
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		n += d->lost[i] > 0;
	varint_put(b, n);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++) {
		if (d->lost[i]) {
			varint_put(b, i);
			varint_put(b, d->lost[i]);
		}
	}
}

int agg_extra_read(struct agg_day *d, const void *data, size_t len)
{
	struct varint_in in;
	int r = begin(&in, data, len);
	uint64_t n = r < 0 ? 0 : varint_get_max(&in, AGG_PYTHONS);

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < n && !in.error; i++) {
		uint32_t version = (uint32_t)varint_get_max(&in, UINT32_MAX);

		agg_day_python(d, version, varint_get(&in));
	}
	n = varint_get_max(&in, LMMSD_LOST_MAX);
	for (uint64_t i = 0; i < n && !in.error; i++) {
		uint64_t reason = varint_get_max(&in, LMMSD_LOST_MAX - 1);

		d->lost[reason] += varint_get(&in);
	}
	return in.error;
}

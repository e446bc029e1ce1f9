/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/run.h"

#include <errno.h>
#include <stdlib.h>

#include "base/varint.h"

#define VERSION 1
#define MODS_MAX 1000000
#define EDGES_MAX 4000000

/* Beside STO_MOD_*: what can be left out. The frequent ones fit the first byte of a varint. */
#define PACK_SELF_IS_TOTAL 0x10
#define PACK_SAVING_IS_SELF 0x20
#define PACK_PKG 0x40
#define PACK_SAVING 0x80
#define PACK_FAILURES 0x100
#define PACK_FILE 0x200
#define MOD_FLAGS 0xf

#define EDGE_LOADED 0x8
#define EDGE_OWN_FILE 0x10 /* the file is that of the importer's module */
#define EDGE_ONCE 0x20
#define EDGE_PLACE 0x7

void sto_run_free(struct sto_run *r)
{
	free(r->mods);
	free(r->edges);
	r->mods = NULL;
	r->edges = NULL;
	r->n_mods = r->n_edges = 0;
}

static int by_name(const void *a, const void *b)
{
	const struct sto_mod *x = a, *y = b;

	return (x->name > y->name) - (x->name < y->name);
}

static int by_module(const void *a, const void *b)
{
	const struct sto_edge *x = a, *y = b;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	if (x->importer != y->importer)
		return x->importer < y->importer ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static uint32_t file_of(const struct sto_run *r, uint32_t name)
{
	const struct sto_mod key = {.name = name};
	const struct sto_mod *m = NULL;

	if (r->n_mods)
		m = bsearch(&key, r->mods, r->n_mods, sizeof(key), by_name);
	return m ? m->file : 0;
}

static void put_uses(struct buf *b, const uint64_t uses[LMMSD_PLACE_MAX])
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		mask |= (unsigned int)(uses[i] > 0) << i;
	buf_addc(b, (char)mask);
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		if (uses[i])
			varint_put(b, uses[i]);
}

static void put_mod(struct buf *b, const struct sto_mod *m, uint32_t last)
{
	unsigned int flags = m->flags & MOD_FLAGS;

	flags |= m->self_ns == m->total_ns ? PACK_SELF_IS_TOTAL : 0;
	flags |= m->saving_ns == m->self_ns ? PACK_SAVING_IS_SELF : 0;
	flags |= m->saving_ns && m->saving_ns != m->self_ns ? PACK_SAVING : 0;
	flags |= m->pkg ? PACK_PKG : 0;
	flags |= m->failures ? PACK_FAILURES : 0;
	flags |= m->file ? PACK_FILE : 0;
	varint_put(b, m->name - last);
	varint_put(b, flags);
	buf_addc(b, (char)(m->kind | m->place << 4));
	if (flags & STO_MOD_TIMED)
		varint_put(b, m->total_ns);
	if ((flags & STO_MOD_TIMED) && !(flags & PACK_SELF_IS_TOTAL))
		varint_put(b, m->self_ns);
	if (flags & PACK_SAVING)
		varint_put(b, m->saving_ns);
	if (flags & PACK_PKG)
		varint_put(b, m->pkg);
	if (flags & PACK_FAILURES)
		varint_put(b, m->failures);
	if (flags & PACK_FILE)
		varint_put(b, m->file);
	put_uses(b, m->uses);
}

static void put_edge(struct buf *b, const struct sto_run *r, const struct sto_edge *e,
		     uint32_t last)
{
	unsigned int flags = e->place & EDGE_PLACE;

	flags |= e->loaded ? EDGE_LOADED : 0;
	flags |= e->file == file_of(r, e->importer) ? EDGE_OWN_FILE : 0;
	flags |= e->count == 1 ? EDGE_ONCE : 0;
	varint_put(b, e->module - last);
	varint_put(b, e->importer);
	buf_addc(b, (char)flags);
	varint_put_signed(b, e->line);
	if (!(flags & EDGE_OWN_FILE))
		varint_put(b, e->file);
	if (!(flags & EDGE_ONCE))
		varint_put(b, e->count);
}

void sto_run_encode(struct sto_run *r, struct buf *b)
{
	uint32_t last = 0, n_lost = 0;

	if (r->n_mods)
		qsort(r->mods, r->n_mods, sizeof(*r->mods), by_name);
	if (r->n_edges)
		qsort(r->edges, r->n_edges, sizeof(*r->edges), by_module);
	buf_addc(b, VERSION);
	buf_addc(b, (char)r->usage);
	varint_put(b, r->n_mods);
	for (uint32_t i = 0; i < r->n_mods; i++) {
		put_mod(b, &r->mods[i], last);
		last = r->mods[i].name;
	}
	varint_put(b, r->n_edges);
	last = 0;
	for (uint32_t i = 0; i < r->n_edges; i++) {
		put_edge(b, r, &r->edges[i], last);
		last = r->edges[i].module;
	}
	for (uint32_t i = 0; i < LMMSD_LOST_MAX; i++)
		n_lost += r->lost[i] > 0;
	varint_put(b, n_lost);
	for (uint32_t i = 0; i < LMMSD_LOST_MAX; i++) {
		if (r->lost[i]) {
			varint_put(b, i);
			varint_put(b, r->lost[i]);
		}
	}
}

static uint32_t get_id(struct varint_in *in)
{
	return (uint32_t)varint_get_max(in, UINT32_MAX - 1);
}

static uint8_t get_byte(struct varint_in *in)
{
	if (!in->error && in->at < in->end)
		return *in->at++;
	in->error = -EBADMSG;
	return 0;
}

static void get_mod(struct varint_in *in, struct sto_mod *m, uint32_t last)
{
	unsigned int flags, mask;

	m->name = last + get_id(in);
	flags = (unsigned int)varint_get_max(in, 0x3ff);
	m->flags = flags & MOD_FLAGS;
	m->kind = get_byte(in);
	m->place = m->kind >> 4;
	m->kind &= 0xf;
	if (m->place >= LMMSD_PLACE_MAX || m->kind >= LMMSD_KIND_MAX)
		in->error = -EBADMSG;
	if (flags & STO_MOD_TIMED)
		m->total_ns = m->self_ns = varint_get(in);
	if ((flags & STO_MOD_TIMED) && !(flags & PACK_SELF_IS_TOTAL))
		m->self_ns = varint_get(in);
	if (flags & PACK_SAVING)
		m->saving_ns = varint_get(in);
	else if (flags & PACK_SAVING_IS_SELF)
		m->saving_ns = m->self_ns;
	m->pkg = flags & PACK_PKG ? get_id(in) : 0;
	m->failures = flags & PACK_FAILURES ? get_id(in) : 0;
	m->file = flags & PACK_FILE ? get_id(in) : 0;
	mask = get_byte(in);
	if (mask >> LMMSD_PLACE_MAX)
		in->error = -EBADMSG;
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++)
		m->uses[i] = mask >> i & 1 ? varint_get(in) : 0;
}

static void get_edge(struct varint_in *in, const struct sto_run *r, struct sto_edge *e,
		     uint32_t last)
{
	unsigned int flags;

	e->module = last + get_id(in);
	e->importer = get_id(in);
	flags = get_byte(in);
	e->place = flags & EDGE_PLACE;
	if (e->place >= LMMSD_PLACE_MAX)
		in->error = -EBADMSG;
	e->loaded = flags & EDGE_LOADED;
	e->line = (int32_t)varint_get_signed(in);
	e->file = flags & EDGE_OWN_FILE ? file_of(r, e->importer) : get_id(in);
	e->count = flags & EDGE_ONCE ? 1 : varint_get(in);
}

static int get_mods(struct varint_in *in, struct sto_run *r)
{
	uint32_t n = (uint32_t)varint_get_max(in, MODS_MAX), last = 0;

	/* each has more than one byte: no allocation beyond what came */
	if (in->error || n > (size_t)(in->end - in->at))
		return -EBADMSG;
	r->mods = calloc(n ? n : 1, sizeof(*r->mods));
	if (!r->mods)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !in->error; i++) {
		get_mod(in, &r->mods[i], last);
		last = r->mods[i].name;
	}
	r->n_mods = in->error ? 0 : n;
	return in->error;
}

static int get_edges(struct varint_in *in, struct sto_run *r)
{
	uint32_t n = (uint32_t)varint_get_max(in, EDGES_MAX), last = 0;

	if (in->error || n > (size_t)(in->end - in->at))
		return -EBADMSG;
	r->edges = calloc(n ? n : 1, sizeof(*r->edges));
	if (!r->edges)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !in->error; i++) {
		get_edge(in, r, &r->edges[i], last);
		last = r->edges[i].module;
	}
	r->n_edges = in->error ? 0 : n;
	return in->error;
}

int sto_run_decode(struct sto_run *r, const void *data, size_t len)
{
	struct varint_in in = {.at = data, .end = (const uint8_t *)data + len};
	uint8_t version = get_byte(&in);
	uint32_t n_lost;
	int res;

	if (version != VERSION)
		return version > VERSION ? -EPROTO : -EBADMSG;
	r->usage = get_byte(&in);
	res = get_mods(&in, r);
	if (res == 0)
		res = get_edges(&in, r);
	if (res == 0) {
		n_lost = (uint32_t)varint_get_max(&in, LMMSD_LOST_MAX);
		for (uint32_t i = 0; i < n_lost && !in.error; i++) {
			/* first the reason: within one expression the order is the compiler's */
			uint64_t reason = varint_get_max(&in, LMMSD_LOST_MAX - 1);

			r->lost[reason] = varint_get(&in);
		}
		res = in.error;
	}
	if (res < 0)
		sto_run_free(r);
	return res;
}

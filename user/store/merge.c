/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Another host's database into this one: its ids become ours, its aggregates are added to ours, its runs come along. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store_int.h"

struct merging {
	struct store *to;		  /* borrowed */
	struct store *from;		  /* owned */
	struct names names;		  /* of to */
	struct intern *pool;		  /* owned: strings of from */
	struct texts texts;		  /* of from */
	struct sto_map names_of, pkgs_of; /* ids of from to ids of to; files with 1 */
};

static void merging_clear(struct merging *m)
{
	names_clear(&m->names);
	texts_free(&m->texts);
	sto_map_free(&m->names_of);
	sto_map_free(&m->pkgs_of);
	m->pool = intern_free(m->pool);
	m->from = store_close(m->from);
}

static int id_of(struct merging *m, bool file, uint32_t *id)
{
	uint32_t to = sto_map_get(&m->names_of, *id, file);
	const char *s = NULL;
	int r = 0;

	if (to == STO_NONE) {
		r = texts_get(&m->texts, *id, &s);
		if (r == 0)
			r = (file ? names_put_file : names_put)(&m->names, s ? s : "", &to);
		if (r == 0)
			r = sto_map_put(&m->names_of, *id, file, to);
	}
	if (r == 0)
		*id = to;
	return r;
}

static int name_of(struct merging *m, uint32_t *id)
{
	return id_of(m, false, id);
}

static int file_of(struct merging *m, uint32_t *id)
{
	return id_of(m, true, id);
}

static int pkg_of(struct merging *m, uint32_t *pkg)
{
	uint32_t to = sto_map_get(&m->pkgs_of, *pkg, 0), ids[2];
	const char *distribution = NULL, *version = NULL;
	int r = 0;

	if (to == STO_NONE) {
		r = texts_pkg(&m->texts, *pkg, &distribution, &version);
		if (r == 0)
			r = names_put(&m->names, distribution ? distribution : "", &ids[0]);
		if (r == 0)
			r = names_put(&m->names, version ? version : "", &ids[1]);
		if (r == 0)
			r = names_put_pkg(&m->names, ids[0], ids[1], &to);
		if (r == 0)
			r = sto_map_put(&m->pkgs_of, *pkg, 0, to);
	}
	if (r == 0)
		*pkg = to;
	return r;
}

/* The aggregate of one day, with our ids: its maps are made anew. */
static int translate(struct merging *m, struct agg *a)
{
	int r = 0;

	sto_map_free(&a->by_mod);
	sto_map_free(&a->by_edge);
	for (uint32_t i = 0; i < a->n_mods && r == 0; i++) {
		r = name_of(m, &a->mods[i].name);
		if (r == 0)
			r = file_of(m, &a->mods[i].file);
		if (r == 0)
			r = pkg_of(m, &a->mods[i].pkg);
	}
	for (uint32_t i = 0; i < a->n_edges && r == 0; i++) {
		r = name_of(m, &a->edges[i].importer);
		if (r == 0)
			r = name_of(m, &a->edges[i].module);
		if (r == 0)
			r = file_of(m, &a->edges[i].file);
	}
	return r;
}

static int merge_mod(struct agg *to, const struct agg_mod *from)
{
	struct agg_mod *m = agg_mod(to, from->name, from->pkg);
	int r;

	if (!m || sketch_merge(&m->total, &from->total) < 0 ||
	    sketch_merge(&m->self, &from->self) < 0)
		return -ENOMEM;
	r = from->last_day >= m->last_day;
	m->file = r && from->file ? from->file : m->file;
	m->kind = r && from->kind ? from->kind : m->kind;
	m->last_day = r ? from->last_day : m->last_day;
	m->first_day = from->first_day < m->first_day ? from->first_day : m->first_day;
	m->saving.n += from->saving.n;
	m->saving.sum += from->saving.sum;
	m->saving.sum_sq += from->saving.sum_sq;
	m->runs_loaded += from->runs_loaded;
	m->runs_start += from->runs_start;
	m->runs_imported += from->runs_imported;
	m->runs_used += from->runs_used;
	m->imported_other += from->imported_other;
	m->used_other += from->used_other;
	m->failures += from->failures;
	m->loads_compiled += from->loads_compiled;
	for (unsigned int i = 0; i < LMMSD_PLACE_MAX; i++) {
		m->runs_by_place[i] += from->runs_by_place[i];
		m->loads_by_place[i] += from->loads_by_place[i];
		m->uses_by_place[i] += from->uses_by_place[i];
	}
	m->dirty = true;
	return 0;
}

static int merge_agg(struct agg *to, const struct agg *from)
{
	for (uint32_t i = 0; i < from->n_mods; i++)
		if (merge_mod(to, &from->mods[i]) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < from->n_edges; i++) {
		const struct agg_edge *f = &from->edges[i];
		int error;
		struct agg_edge *e = agg_edge(to, f, &error);

		if (!e)
			return error;
		e->runs += f->runs;
		e->count += f->count;
		e->loads += f->loads;
		if (f->last_day >= e->last_day) {
			e->last_day = f->last_day;
			e->file = f->file ? f->file : e->file;
		}
	}
	for (uint32_t i = 0; i < from->n_days; i++) {
		struct agg_day *d = agg_day(to, from->days[i].day);

		if (!d || agg_day_merge(d, &from->days[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int merge_day(struct merging *m, uint32_t app, int32_t day)
{
	_agg_ struct agg theirs = {0}, ours = {0};
	uint32_t to = app;
	int r = rows_load(&m->from->db, app, day, day + 1, &theirs);

	if (r == 0)
		r = translate(m, &theirs);
	if (r == 0)
		r = name_of(m, &to);
	if (r == 0)
		r = rows_load(&m->to->db, to, day, day + 1, &ours);
	if (r == 0)
		r = merge_agg(&ours, &theirs);
	return r < 0 ? r : rows_save(&m->to->db, to, day, &ours);
}

static int merge_days(struct merging *m)
{
	static const char sql[] = "SELECT app, day FROM app_day ORDER BY app, day";
	sqlite3_stmt *st;
	int r = db_prepare(&m->from->db, sql, &st);

	if (r < 0)
		return r;
	while ((r = db_step(&m->from->db, st)) > 0) {
		r = merge_day(m, (uint32_t)db_u64(st, 0), sqlite3_column_int(st, 1));
		if (r < 0)
			break;
	}
	(void)sqlite3_reset(st);
	return r;
}

static int merge_run(struct merging *m, uint64_t id, int state)
{
	_sto_run_ struct sto_run run = {0};
	uint64_t ours = 0, bytes;
	int r = rows_get_run(&m->from->db, id, &run);

	if (r == -EBADMSG || r == -EPROTO)
		return 0; /* damaged there */
	if (r == 0)
		r = name_of(m, &run.app);
	for (uint32_t i = 0; i < run.n_mods && r == 0; i++) {
		r = name_of(m, &run.mods[i].name);
		if (r == 0)
			r = file_of(m, &run.mods[i].file);
		if (r == 0)
			r = pkg_of(m, &run.mods[i].pkg);
	}
	for (uint32_t i = 0; i < run.n_edges && r == 0; i++) {
		r = name_of(m, &run.edges[i].importer);
		if (r == 0)
			r = name_of(m, &run.edges[i].module);
		if (r == 0)
			r = file_of(m, &run.edges[i].file);
	}
	/* one that goes on there is over here */
	if (r == 0)
		r = rows_put_run(&m->to->db, &run, state == RUN_FOLDED ? RUN_FOLDED : RUN_OVER,
				 &ours, &bytes);
	return r;
}

static int merge_runs(struct merging *m)
{
	static const char sql[] = "SELECT id, state FROM run ORDER BY id";
	sqlite3_stmt *st;
	int r = db_prepare(&m->from->db, sql, &st);

	if (r < 0)
		return r;
	while ((r = db_step(&m->from->db, st)) > 0) {
		r = merge_run(m, db_u64(st, 0), sqlite3_column_int(st, 1));
		if (r < 0)
			break;
	}
	(void)sqlite3_reset(st);
	return r;
}

static int merge_lost(struct merging *m)
{
	static const char read[] = "SELECT day, reason, count FROM lost_day";
	static const char write[] = "INSERT INTO lost_day(day, reason, count) VALUES(?1, ?2, ?3)"
				    " ON CONFLICT(day, reason) DO UPDATE SET count = count + ?3";
	sqlite3_stmt *st, *to;
	int r = db_prepare(&m->from->db, read, &st);

	if (r < 0)
		return r;
	while ((r = db_step(&m->from->db, st)) > 0) {
		r = db_prepare(&m->to->db, write, &to);
		if (r == 0) {
			db_bind_i64(to, 1, sqlite3_column_int(st, 0));
			db_bind_text(to, 2, db_text(st, 1));
			db_bind_u64(to, 3, db_u64(st, 2));
			r = db_run(&m->to->db, to);
		}
		if (r < 0)
			break;
	}
	(void)sqlite3_reset(st);
	return r;
}

static int merge_all(struct merging *m)
{
	int r = store_begin(m->from);

	if (r < 0)
		return r;
	r = store_begin_edit(m->to);
	if (r == 0) {
		r = merge_days(m);
		if (r == 0)
			r = merge_runs(m);
		if (r == 0)
			r = merge_lost(m);
		r = store_end(m->to, r);
	}
	return store_end(m->from, r);
}

int store_merge(struct store *s, const char *path)
{
	_cleanup_(merging_clear) struct merging m = {.to = s};
	int r = store_open(path, STORE_READ, &m.from, s->db.error);

	if (r == 0)
		r = intern_new(&m.pool);
	if (r < 0)
		return r;
	names_init(&m.names, &s->db);
	m.texts = (struct texts){.db = &m.from->db, .pool = m.pool};
	r = merge_all(&m);
	if (r < 0 && m.from->db.error[0])
		(void)snprintf(s->db.error, sizeof(s->db.error), "%s", m.from->db.error);
	return r;
}

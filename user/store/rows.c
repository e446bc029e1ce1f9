/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/rows.h"

#include <errno.h>

static int load_day(sqlite3_stmt *st, struct agg *a)
{
	struct agg_day *d = agg_day(a, sqlite3_column_int(st, 0));
	const void *extra = sqlite3_column_blob(st, 14);
	int r;

	if (!d)
		return -ENOMEM;
	for (int i = 0; i < MDL_RUN_CLASSES; i++)
		d->runs[i] += db_u64(st, 1 + i);
	d->uses += db_u64(st, 6);
	d->usage |= sqlite3_column_int(st, 7) != 0;
	agg_day_seen(d, sqlite3_column_int64(st, 8), sqlite3_column_int64(st, 9));
	r = db_sketch(st, 10, &d->cold_start);
	if (r == 0)
		r = db_sketch(st, 11, &d->interpreter);
	if (r == 0)
		r = db_sketch(st, 12, &d->cold_cache);
	if (r == 0)
		r = db_sketch(st, 13, &d->compiled);
	return r < 0 ? r : agg_extra_read(d, extra, (size_t)sqlite3_column_bytes(st, 14));
}

static int load_mod(sqlite3_stmt *st, struct agg *a)
{
	struct agg_mod *m = agg_mod(a, (uint32_t)db_u64(st, 1), (uint32_t)db_u64(st, 2));
	int32_t day = sqlite3_column_int(st, 0);
	const void *places = sqlite3_column_blob(st, 16);
	int r;

	if (!m)
		return -ENOMEM;
	if (day >= m->last_day) {
		m->last_day = day;
		if (sqlite3_column_int(st, 4))
			m->kind = (uint8_t)sqlite3_column_int(st, 4);
		if (sqlite3_column_int(st, 3))
			m->file = (uint32_t)db_u64(st, 3);
	}
	m->first_day = day < m->first_day ? day : m->first_day;
	m->runs_loaded += db_u64(st, 5);
	m->runs_start += db_u64(st, 6);
	m->runs_imported += db_u64(st, 7);
	m->runs_used += db_u64(st, 8);
	m->imported_other += db_u64(st, 9);
	m->used_other += db_u64(st, 10);
	m->failures += db_u64(st, 11);
	m->loads_compiled += db_u64(st, 12);
	m->saving.n += db_u64(st, 13);
	m->saving.sum += sqlite3_column_double(st, 14);
	m->saving.sum_sq += sqlite3_column_double(st, 15);
	r = agg_places_read(m, day, places, (size_t)sqlite3_column_bytes(st, 16));
	if (r == 0)
		r = db_sketch(st, 17, &m->total);
	/* a null self beside a total: they are the same */
	if (r == 0)
		r = db_sketch(st, sqlite3_column_type(st, 18) == SQLITE_NULL ? 17 : 18, &m->self);
	return r;
}

static int load_edges(sqlite3_stmt *st, struct agg *a)
{
	const void *data = sqlite3_column_blob(st, 1);

	return agg_edges_read(a, sqlite3_column_int(st, 0), data,
			      (size_t)sqlite3_column_bytes(st, 1));
}

static int each_row(struct db *db, const char *sql, uint32_t app, const int32_t days[2],
		    struct agg *a, int (*add)(sqlite3_stmt *st, struct agg *a))
{
	sqlite3_stmt *st;
	int r = db_prepare_i64(db, sql, (int64_t[]){app, days[0], days[1]}, 3, &st);

	if (r < 0)
		return r;
	while ((r = db_step(db, st)) > 0) {
		r = add(st, a);
		/* a damaged part is as if it were not there: it must not stand in the way of the rest */
		if (r < 0 && r != -EBADMSG && r != -EPROTO) {
			(void)sqlite3_reset(st);
			return r;
		}
	}
	return r;
}

int rows_load(struct db *db, uint32_t app, int32_t since_day, int32_t until_day, struct agg *a)
{
	static const char days_sql[] =
		"SELECT day, warm, cold, compiled, forked, partial, uses, usage, first, last, cold_start,"
		" interpreter, start_cold, start_compiled, extra"
		" FROM app_day WHERE app = ?1 AND day >= ?2 AND day < ?3";
	static const char mods_sql[] =
		"SELECT day, module, pkg, file, kind, loaded, start, imported, used, imported_other,"
		" used_other, failures, compiled, saving_n, saving, saving_sq, places, total, self"
		" FROM module_day WHERE app = ?1 AND day >= ?2 AND day < ?3 ORDER BY day";
	static const char edges_sql[] = "SELECT day, edges FROM edge_day"
					" WHERE app = ?1 AND day >= ?2 AND day < ?3 ORDER BY day";
	const int32_t days[2] = {since_day, until_day};
	int r = each_row(db, days_sql, app, days, a, load_day);

	if (r == 0)
		r = each_row(db, mods_sql, app, days, a, load_mod);
	return r < 0 ? r : each_row(db, edges_sql, app, days, a, load_edges);
}

static int save_mod(struct db *db, uint32_t app, int32_t day, const struct agg_mod *m,
		    struct buf scratch[3])
{
	static const char sql[] =
		"INSERT OR REPLACE INTO module_day(app, day, module, pkg, file, kind, loaded, start, imported,"
		" used, imported_other, used_other, failures, compiled, saving_n, saving, saving_sq,"
		" places, total, self)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
	const uint64_t numbers[] = {
		m->name,	   m->pkg,	  m->file,	    m->kind,
		m->runs_loaded,	   m->runs_start, m->runs_imported, m->runs_used,
		m->imported_other, m->used_other, m->failures,	    m->loads_compiled,
		m->saving.n,
	};
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	buf_reset(&scratch[0]);
	agg_places_write(m, &scratch[0]);
	db_bind_u64(st, 1, app);
	db_bind_i64(st, 2, day);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		db_bind_u64(st, 3 + (int)i, numbers[i]);
	(void)sqlite3_bind_double(st, 16, m->saving.sum);
	(void)sqlite3_bind_double(st, 17, m->saving.sum_sq);
	db_bind_blob(st, 18, &scratch[0]);
	db_bind_sketch(st, 19, &m->total, &scratch[1]);
	if (!sketch_equal(&m->total, &m->self))
		db_bind_sketch(st, 20, &m->self, &scratch[2]);
	for (int i = 0; i < 3; i++)
		if (buf_error(&scratch[i]) < 0)
			return -ENOMEM;
	return db_run(db, st);
}

static int save_day(struct db *db, uint32_t app, const struct agg_day *d)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO app_day(app, day, warm, cold, compiled, forked, partial, uses, usage,"
		" first, last, cold_start, interpreter, start_cold, start_compiled, extra)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
	_buf_ struct buf extra = {0}, b1 = {0}, b2 = {0}, b3 = {0}, b4 = {0};
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	agg_extra_write(d, &extra);
	db_bind_u64(st, 1, app);
	db_bind_i64(st, 2, d->day);
	for (int i = 0; i < MDL_RUN_CLASSES; i++)
		db_bind_u64(st, 3 + i, d->runs[i]);
	db_bind_u64(st, 8, d->uses);
	db_bind_u64(st, 9, d->usage);
	db_bind_i64(st, 10, d->first_ns);
	db_bind_i64(st, 11, d->last_ns);
	db_bind_sketch(st, 12, &d->cold_start, &b1);
	db_bind_sketch(st, 13, &d->interpreter, &b2);
	db_bind_sketch(st, 14, &d->cold_cache, &b3);
	db_bind_sketch(st, 15, &d->compiled, &b4);
	db_bind_blob(st, 16, &extra);
	if (buf_error(&extra) < 0 || buf_error(&b1) < 0 || buf_error(&b2) < 0 ||
	    buf_error(&b3) < 0 || buf_error(&b4) < 0)
		r = -ENOMEM;
	else
		r = db_run(db, st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

static int save_edges(struct db *db, uint32_t app, int32_t day, struct agg *a)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO edge_day(app, day, edges) VALUES(?1, ?2, ?3)";
	_buf_ struct buf b = {0};
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	agg_edges_write(a, &b);
	if (buf_error(&b) < 0)
		return -ENOMEM;
	db_bind_u64(st, 1, app);
	db_bind_i64(st, 2, day);
	db_bind_blob(st, 3, &b);
	r = db_run(db, st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

int rows_save(struct db *db, uint32_t app, int32_t day, struct agg *a)
{
	struct buf scratch[3] = {{0}, {0}, {0}};
	struct agg_day *d = agg_day(a, day);
	int r = d ? save_day(db, app, d) : -ENOMEM;

	for (uint32_t i = 0; i < a->n_mods && r == 0; i++)
		if (a->mods[i].dirty)
			r = save_mod(db, app, day, &a->mods[i], scratch);
	if (r == 0)
		r = save_edges(db, app, day, a);
	for (int i = 0; i < 3; i++)
		buf_free(&scratch[i]);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>

#include "store/rows.h"

static int put_data(struct db *db, uint64_t id, const struct buf *b)
{
	static const char sql[] = "INSERT OR REPLACE INTO run_data(id, data) VALUES(?1, ?2)";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, id);
	db_bind_blob(st, 2, b);
	r = db_run(db, st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

static void bind_run(sqlite3_stmt *st, const struct sto_run *r, int state, uint64_t bytes)
{
	db_bind_u64(st, 2, r->app);
	db_bind_i64(st, 3, r->day);
	db_bind_i64(st, 4, state);
	db_bind_u64(st, 5, r->class);
	db_bind_i64(st, 6, (int64_t)r->key);
	db_bind_u64(st, 7, r->boot);
	db_bind_u64(st, 8, r->compiled);
	db_bind_i64(st, 9, r->started_ns);
	db_bind_u64(st, 10, r->duration_ns);
	db_bind_u64(st, 11, r->cold_start_ns);
	db_bind_u64(st, 12, r->interpreter_ns);
	db_bind_u64(st, 13, r->pid);
	db_bind_u64(st, 14, r->uid);
	db_bind_u64(st, 15, r->py_version);
	db_bind_u64(st, 16, r->n_loaded);
	db_bind_i64(st, 17, r->exit_status);
	db_bind_u64(st, 18, r->ended);
	db_bind_u64(st, 19, bytes);
}

int rows_put_run(struct db *db, struct sto_run *r, int state, uint64_t *id, uint64_t *ret_bytes)
{
	/* not REPLACE: that would delete the row, and with it its data */
	static const char sql[] =
		"INSERT INTO run(id, app, day, state, class, key, boot, compiled, started, duration, cold_start,"
		" interpreter, pid, uid, python, modules, exit, ended, bytes)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
		" ON CONFLICT(id) DO UPDATE SET app = ?2, day = ?3, state = ?4, class = ?5, key = ?6, boot = ?7,"
		" compiled = ?8, started = ?9, duration = ?10, cold_start = ?11, interpreter = ?12,"
		" pid = ?13, uid = ?14, python = ?15, modules = ?16, exit = ?17, ended = ?18, bytes = ?19";
	_buf_ struct buf b = {0};
	sqlite3_stmt *st;
	int res = db_prepare(db, sql, &st);

	if (res < 0)
		return res;
	sto_run_encode(r, &b);
	if (buf_error(&b) < 0)
		return -ENOMEM;
	if (*id)
		db_bind_u64(st, 1, *id);
	bind_run(st, r, state, b.len);
	res = db_run(db, st);
	if (res < 0)
		return res;
	if (*id == 0)
		*id = (uint64_t)sqlite3_last_insert_rowid(db->h);
	*ret_bytes = b.len;
	return put_data(db, *id, &b);
}

void rows_run_of(sqlite3_stmt *st, struct sto_run *ret)
{
	*ret = (struct sto_run){
		.app = (uint32_t)db_u64(st, 1),
		.day = sqlite3_column_int(st, 2),
		.class = (uint8_t)sqlite3_column_int(st, 3),
		.boot = (uint32_t)db_u64(st, 4),
		.compiled = (uint32_t)db_u64(st, 5),
		.started_ns = sqlite3_column_int64(st, 6),
		.duration_ns = db_u64(st, 7),
		.cold_start_ns = db_u64(st, 8),
		.interpreter_ns = db_u64(st, 9),
		.pid = (uint32_t)db_u64(st, 10),
		.uid = (uint32_t)db_u64(st, 11),
		.py_version = (uint32_t)db_u64(st, 12),
		.n_loaded = (uint32_t)db_u64(st, 13),
		.exit_status = sqlite3_column_int(st, 14),
		.ended = sqlite3_column_int(st, 15) != 0,
	};
	if (ret->class >= MDL_RUN_CLASSES)
		ret->class = MDL_RUN_PARTIAL;
}

/* Ids of names are given in order and none is taken away. */
static int check_ids(struct db *db, const struct sto_run *r)
{
	static const char sql_names[] = "SELECT max(id) FROM name";
	static const char sql_pkgs[] = "SELECT max(id) FROM pkg";
	int64_t names, pkgs;
	int res = db_int(db, sql_names, &names);
	bool bad = false;

	if (res == 0)
		res = db_int(db, sql_pkgs, &pkgs);
	if (res < 0)
		return res;
	for (uint32_t i = 0; i < r->n_mods; i++)
		bad |= r->mods[i].name > names || r->mods[i].file > names || r->mods[i].pkg > pkgs;
	for (uint32_t i = 0; i < r->n_edges; i++)
		bad |= r->edges[i].importer > names || r->edges[i].module > names ||
		       r->edges[i].file > names;
	return bad ? -EBADMSG : 0;
}

int rows_get_run(struct db *db, uint64_t id, struct sto_run *ret)
{
	static const char sql[] = "SELECT " RUN_COLUMNS
				  ", data FROM run JOIN run_data USING(id) WHERE id = ?1";
	struct sto_run run;
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);
	const void *data;

	if (r < 0)
		return r;
	db_bind_u64(st, 1, id);
	r = db_step(db, st);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	rows_run_of(st, &run);
	data = sqlite3_column_blob(st, 17);
	r = sto_run_decode(&run, data, (size_t)sqlite3_column_bytes(st, 17));
	(void)sqlite3_reset(st);
	if (r == 0)
		r = check_ids(db, &run);
	if (r < 0) {
		sto_run_free(&run);
		return r;
	}
	*ret = run;
	return 0;
}

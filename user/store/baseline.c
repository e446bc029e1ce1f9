/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/varint.h"
#include "store/store_int.h"

#define VALUES_VERSION 1

/* Differences of neighbours, since starts of one app are alike. */
static void write_values(struct buf *b, const uint64_t *values, size_t n)
{
	uint64_t last = 0;

	buf_addc(b, VALUES_VERSION);
	varint_put(b, n);
	for (size_t i = 0; i < n; i++) {
		varint_put_signed(b, (int64_t)(values[i] - last));
		last = values[i];
	}
}

static int read_values(sqlite3_stmt *st, int column, struct mdl_baseline *b)
{
	const uint8_t *data = sqlite3_column_blob(st, column);
	struct varint_in in = {.at = data};
	uint64_t n, last = 0, *values;

	if (data)
		in.end = data + sqlite3_column_bytes(st, column);
	if (in.at == in.end || *in.at++ != VALUES_VERSION)
		return -EBADMSG;
	n = varint_get_max(&in, MDL_HIST_VALUES);
	values = calloc(n + 1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i++)
		values[i] = last += (uint64_t)varint_get_signed(&in);
	b->values = values;
	b->n_values = n;
	return in.error;
}

static int save_module(struct db *db, int64_t id, const struct mdl_baseline_module *m)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO baseline_module(baseline, module, distribution, version, total, self,"
		" saving, place, start_pct) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_i64(st, 1, id);
	db_bind_text(st, 2, m->name);
	db_bind_text(st, 3, m->distribution);
	db_bind_text(st, 4, m->version);
	db_bind_u64(st, 5, m->total_ns);
	db_bind_u64(st, 6, m->self_ns);
	db_bind_u64(st, 7, m->saving_ns);
	db_bind_u64(st, 8, m->place);
	(void)sqlite3_bind_double(st, 9, m->start_pct);
	return db_run(db, st);
}

static int save_head(struct db *db, const struct mdl_baseline *b)
{
	static const char sql[] =
		"INSERT INTO baseline(app, name, saved, since_day, until_day, runs, cold_start, interpreter, vals)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
	_buf_ struct buf cold = {0}, interpreter = {0}, values = {0};
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	write_values(&values, b->values,
		     b->n_values < MDL_HIST_VALUES ? b->n_values : MDL_HIST_VALUES);
	db_bind_text(st, 1, b->app);
	db_bind_text(st, 2, b->name);
	db_bind_i64(st, 3, b->saved_ns);
	db_bind_i64(st, 4, b->since_day);
	db_bind_i64(st, 5, b->until_day);
	db_bind_u64(st, 6, b->runs);
	db_bind_sketch(st, 7, &b->cold_start, &cold);
	db_bind_sketch(st, 8, &b->interpreter, &interpreter);
	db_bind_blob(st, 9, &values);
	if (buf_error(&values) < 0 || buf_error(&cold) < 0 || buf_error(&interpreter) < 0)
		r = -ENOMEM;
	else
		r = db_run(db, st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

static int delete (struct db *db, const char *app, const char *name)
{
	static const char sql[] =
		"DELETE FROM baseline WHERE name = ?1 AND (?2 IS NULL OR app = ?2)";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, name);
	db_bind_text(st, 2, app);
	r = db_run(db, st);
	if (r < 0)
		return r;
	return sqlite3_changes(db->h) ? 0 : -ENOENT;
}

int store_baseline_save(struct store *s, const struct mdl_baseline *b)
{
	int r = store_begin_edit(s);
	int64_t id;

	if (r < 0)
		return r;
	r = delete (&s->db, b->app, b->name);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = save_head(&s->db, b);
	id = sqlite3_last_insert_rowid(s->db.h);
	for (size_t i = 0; i < b->n_modules && r == 0; i++)
		r = save_module(&s->db, id, &b->modules[i]);
	return store_end(s, r);
}

int store_baseline_delete(struct store *s, const char *app, const char *name)
{
	int r = store_begin_edit(s);

	return r < 0 ? r : store_end(s, delete (&s->db, app, name));
}

/* Columns: app, name, saved, since_day, until_day, runs, cold_start, interpreter. */
static int read_head(sqlite3_stmt *st, struct intern *pool, struct mdl_baseline *b)
{
	int r;

	b->app = intern_str(pool, db_text(st, 0));
	b->name = intern_str(pool, db_text(st, 1));
	if (!b->app || !b->name)
		return -ENOMEM;
	b->saved_ns = sqlite3_column_int64(st, 2);
	b->since_day = sqlite3_column_int(st, 3);
	b->until_day = sqlite3_column_int(st, 4);
	b->runs = db_u64(st, 5);
	r = db_sketch(st, 6, &b->cold_start);
	return r < 0 ? r : db_sketch(st, 7, &b->interpreter);
}

/* What a loaded baseline lives in. */
struct loaded {
	struct mdl_baseline b; /* first: it is what the caller has */
	struct intern *pool;
};

static const char *text_or_null(sqlite3_stmt *st, int i, struct intern *pool, int *error)
{
	const char *s;

	if (sqlite3_column_type(st, i) == SQLITE_NULL)
		return NULL;
	s = intern_str(pool, db_text(st, i));
	if (!s)
		*error = -ENOMEM;
	return s;
}

static int load_modules(struct db *db, struct loaded *l, int64_t id)
{
	static const char sql[] =
		"SELECT module, distribution, version, total, self, saving, place,"
		" start_pct FROM baseline_module WHERE baseline = ?1 ORDER BY module";
	struct mdl_baseline_module *modules = NULL;
	size_t n = 0, cap = 0;
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st), error = 0;

	if (r < 0)
		return r;
	db_bind_i64(st, 1, id);
	while (error == 0 && (r = db_step(db, st)) > 0) {
		error = ARRAY_ROOM(modules, n, cap);
		if (error < 0)
			break;
		modules[n++] = (struct mdl_baseline_module){
			.name = text_or_null(st, 0, l->pool, &error),
			.distribution = text_or_null(st, 1, l->pool, &error),
			.version = text_or_null(st, 2, l->pool, &error),
			.total_ns = db_u64(st, 3),
			.self_ns = db_u64(st, 4),
			.saving_ns = db_u64(st, 5),
			.place = (uint8_t)sqlite3_column_int(st, 6),
			.start_pct = sqlite3_column_double(st, 7),
		};
	}
	(void)sqlite3_reset(st);
	l->b.modules = modules;
	l->b.n_modules = n;
	return error < 0 ? error : r < 0 ? r : 0;
}

static int load(struct db *db, struct loaded *l, const char *app, const char *name)
{
	static const char sql[] =
		"SELECT app, name, saved, since_day, until_day, runs, cold_start, interpreter, vals, id"
		" FROM baseline WHERE app = ?1 AND name = ?2";
	sqlite3_stmt *st;
	int64_t id;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, app);
	db_bind_text(st, 2, name);
	r = db_step(db, st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = read_head(st, l->pool, &l->b);
	if (r == 0)
		r = read_values(st, 8, &l->b);
	id = sqlite3_column_int64(st, 9);
	(void)sqlite3_reset(st);
	return r < 0 ? r : load_modules(db, l, id);
}

int store_baseline_load(struct store *s, const char *app, const char *name,
			struct mdl_baseline **ret)
{
	struct loaded *l = calloc(1, sizeof(*l));
	int r = l ? intern_new(&l->pool) : -ENOMEM;

	if (r == 0)
		r = store_begin(s);
	if (r == 0)
		r = store_end(s, load(&s->db, l, app, name));
	if (r < 0) {
		if (l)
			(void)store_baseline_free(&l->b);
		return r;
	}
	*ret = &l->b;
	return 0;
}

struct mdl_baseline *store_baseline_free(struct mdl_baseline *b)
{
	struct loaded *l = (struct loaded *)b;

	if (!l)
		return NULL;
	sketch_free(&b->cold_start);
	sketch_free(&b->interpreter);
	free((void *)(uintptr_t)b->values);
	free((void *)(uintptr_t)b->modules);
	(void)intern_free(l->pool);
	free(l);
	return NULL;
}

static int list(struct db *db, struct store_baselines *l)
{
	static const char sql[] = "SELECT app, name, saved, since_day, until_day, runs, cold_start,"
				  " interpreter FROM baseline ORDER BY name, app";
	size_t cap = 0;
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	while ((r = db_step(db, st)) > 0) {
		r = ARRAY_ROOM(l->baselines, l->n, cap);
		if (r == 0) {
			l->baselines[l->n] = (struct mdl_baseline){0};
			r = read_head(st, l->strings, &l->baselines[l->n++]);
		}
		if (r < 0) {
			(void)sqlite3_reset(st);
			return r;
		}
	}
	return r;
}

int store_baselines(struct store *s, struct store_baselines *ret)
{
	struct store_baselines l = {0};
	struct intern *pool = NULL;
	int r = intern_new(&pool);

	if (r < 0)
		return r;
	l.strings = pool;
	r = list(&s->db, &l);
	if (r < 0)
		store_baselines_free(&l);
	else
		*ret = l;
	return r;
}

void store_baselines_free(struct store_baselines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		sketch_free(&l->baselines[i].cold_start);
		sketch_free(&l->baselines[i].interpreter);
	}
	free(l->baselines);
	(void)intern_free(l->strings);
	*l = (struct store_baselines){0};
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Small things that are written down: triggers, verdicts, marks, losses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_int.h"

/* Rows of one kind, and the pool of their strings. */
struct rows {
	void *row; /* owned */
	size_t n, cap, size;
	struct intern *strings; /* owned */
};
typedef int take_row(sqlite3_stmt *st, struct intern *pool, void *ret);

static void rows_clear(struct rows *rows)
{
	free(rows->row);
	(void)intern_free(rows->strings);
}

static int rows_grow(struct rows *rows)
{
	size_t cap = rows->cap ? rows->cap * 2 : 32;
	void *grown;

	if (rows->n < rows->cap)
		return 0;
	grown = reallocarray(rows->row, cap, rows->size);
	if (!grown)
		return -ENOMEM;
	rows->row = grown;
	rows->cap = cap;
	return 0;
}

/* All rows of a statement; on failure there are none. */
static int rows_read(struct db *db, sqlite3_stmt *st, take_row *take, struct rows *rows)
{
	int r = intern_new(&rows->strings);

	while (r == 0 && (r = db_step(db, st)) > 0) {
		r = rows_grow(rows);
		if (r == 0)
			r = take(st, rows->strings, (char *)rows->row + rows->n * rows->size);
		rows->n += r == 0;
	}
	(void)sqlite3_reset(st);
	if (r < 0) {
		rows_clear(rows);
		*rows = (struct rows){0};
	}
	return r;
}

/* The column's text in the pool. */
static int take_text(sqlite3_stmt *st, int column, struct intern *pool, const char **ret)
{
	*ret = intern_str(pool, db_text(st, column));
	return *ret ? 0 : -ENOMEM;
}

int sto_trigger_insert(struct db *db, const struct mdl_trigger *t)
{
	static const char sql[] = "INSERT INTO noticed(at, app, kind, module, before, after, why)"
				  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
	const char *const texts[] = {t->app, t->kind, t->module, t->before, t->after, t->why};
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_i64(st, 1, t->at_ns);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		db_bind_text(st, 2 + (int)i, texts[i] ? texts[i] : "");
	return db_run(db, st);
}

int store_trigger_add(struct store *s, const struct mdl_trigger *t)
{
	int r = store_begin_edit(s);

	return r < 0 ? r : store_end(s, sto_trigger_insert(&s->db, t));
}

static int take_trigger(sqlite3_stmt *st, struct intern *pool, void *ret)
{
	struct mdl_trigger *t = ret;
	int r = take_text(st, 2, pool, &t->app);

	t->id = db_u64(st, 0);
	t->at_ns = sqlite3_column_int64(st, 1);
	if (r == 0)
		r = take_text(st, 3, pool, &t->kind);
	if (r == 0)
		r = take_text(st, 4, pool, &t->module);
	if (r == 0)
		r = take_text(st, 5, pool, &t->before);
	if (r == 0)
		r = take_text(st, 6, pool, &t->after);
	return r < 0 ? r : take_text(st, 7, pool, &t->why);
}

int store_triggers(struct store *s, const char *app, int64_t since_ns, int64_t until_ns,
		   struct store_triggers *ret)
{
	static const char sql[] =
		"SELECT id, at, app, kind, module, before, after, why FROM noticed"
		" WHERE at >= ?1 AND at < ?2 AND (?3 IS NULL OR app = ?3) ORDER BY at, id";
	struct rows rows = {.size = sizeof(*ret->triggers)};
	sqlite3_stmt *st;
	int r = db_prepare_i64(&s->db, sql, (int64_t[]){since_ns, until_ns}, 2, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 3, app);
	r = rows_read(&s->db, st, take_trigger, &rows);
	if (r == 0)
		*ret = (struct store_triggers){
			.triggers = rows.row, .n = rows.n, .strings = rows.strings};
	return r;
}

void store_triggers_free(struct store_triggers *l)
{
	free(l->triggers);
	(void)intern_free(l->strings);
	*l = (struct store_triggers){0};
}

static int save_verdict(struct db *db, const char *app, int32_t month, const struct mdl_verdict *v)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO verdict(app, month, module, tier, place, action, ms, usage_pct, saving_ms)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, app);
	db_bind_i64(st, 2, month);
	db_bind_text(st, 3, v->module);
	db_bind_i64(st, 4, v->tier);
	db_bind_i64(st, 5, v->place);
	db_bind_text(st, 6, v->action ? v->action : "");
	(void)sqlite3_bind_double(st, 7, v->ms);
	(void)sqlite3_bind_double(st, 8, v->usage_pct);
	(void)sqlite3_bind_double(st, 9, v->saving_ms);
	return db_run(db, st);
}

int store_verdicts_save(struct store *s, const char *app, int32_t month,
			const struct mdl_verdict *v, size_t n)
{
	static const char sql[] = "DELETE FROM verdict WHERE app = ?1 AND month = ?2";
	sqlite3_stmt *st;
	int r = store_begin_edit(s);

	if (r < 0)
		return r;
	r = db_prepare(&s->db, sql, &st);
	if (r == 0) {
		db_bind_text(st, 1, app);
		db_bind_i64(st, 2, month);
		r = db_run(&s->db, st);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = save_verdict(&s->db, app, month, &v[i]);
	return store_end(s, r);
}

static int take_verdict(sqlite3_stmt *st, struct intern *pool, void *ret)
{
	struct mdl_verdict *v = ret;
	int r = take_text(st, 0, pool, &v->module);

	v->tier = (uint8_t)sqlite3_column_int(st, 1);
	v->place = (uint8_t)sqlite3_column_int(st, 2);
	v->ms = sqlite3_column_double(st, 4);
	v->usage_pct = sqlite3_column_double(st, 5);
	v->saving_ms = sqlite3_column_double(st, 6);
	return r < 0 ? r : take_text(st, 3, pool, &v->action);
}

int store_verdicts(struct store *s, const char *app, int32_t month, struct store_verdicts *ret)
{
	static const char sql[] = "SELECT module, tier, place, action, ms, usage_pct, saving_ms"
				  " FROM verdict WHERE app = ?1 AND month = ?2 ORDER BY module";
	struct rows rows = {.size = sizeof(*ret->verdicts)};
	sqlite3_stmt *st;
	int r = db_prepare(&s->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, app);
	db_bind_i64(st, 2, month);
	r = rows_read(&s->db, st, take_verdict, &rows);
	if (r == 0)
		*ret = (struct store_verdicts){
			.verdicts = rows.row, .n = rows.n, .strings = rows.strings};
	return r;
}

void store_verdicts_free(struct store_verdicts *l)
{
	free(l->verdicts);
	(void)intern_free(l->strings);
	*l = (struct store_verdicts){0};
}

/* 1: it changed something. */
static int edit_mark(struct store *s, const char *sql, const char *first, const char *second)
{
	sqlite3_stmt *st;
	int r = store_begin_edit(s);

	if (r < 0)
		return r;
	r = db_prepare(&s->db, sql, &st);
	if (r == 0) {
		db_bind_text(st, 1, first);
		db_bind_text(st, 2, second);
		r = db_run(&s->db, st);
	}
	if (r == 0)
		r = sqlite3_changes(s->db.h) > 0;
	return store_end(s, r);
}

int store_mark_set(struct store *s, const char *name, const char *value)
{
	static const char sql[] = "INSERT INTO mark(name, value) VALUES(?1, ?2) ON CONFLICT(name)"
				  " DO UPDATE SET value = ?2 WHERE value <> ?2";

	return edit_mark(s, sql, name, value);
}

int store_mark_get(struct store *s, const char *name, char *ret, size_t cap)
{
	static const char sql[] = "SELECT value FROM mark WHERE name = ?1";
	sqlite3_stmt *st;
	size_t len;
	int r = db_prepare(&s->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, name);
	r = db_step(&s->db, st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	len = strlen(db_text(st, 0));
	if (len < cap)
		memcpy(ret, db_text(st, 0), len + 1);
	(void)sqlite3_reset(st);
	return len < cap ? 0 : -ENAMETOOLONG;
}

int store_mark_drop(struct store *s, const char *from, const char *until)
{
	return edit_mark(s, "DELETE FROM mark WHERE name >= ?1 AND name < ?2", from, until);
}

int store_losses(struct store *s, int32_t since_day, int32_t until_day,
		 uint64_t ret[LMMSD_LOST_MAX])
{
	static const char sql[] = "SELECT reason, sum(count) FROM lost_day"
				  " WHERE day >= ?1 AND day < ?2 GROUP BY reason";
	static const char *const reasons[] = {
#define REASON_NAME(id, name, cure) name,
		LMMSD_REASONS(REASON_NAME)
#undef REASON_NAME
	};
	uint64_t lost[LMMSD_LOST_MAX] = {0};
	sqlite3_stmt *st;
	int r = db_prepare_i64(&s->db, sql, (int64_t[]){since_day, until_day}, 2, &st);

	if (r < 0)
		return r;
	while ((r = db_step(&s->db, st)) > 0)
		for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
			if (!strcmp(db_text(st, 0), reasons[i]))
				lost[i] += db_u64(st, 1);
	if (r == 0)
		memcpy(ret, lost, sizeof(lost));
	return r;
}

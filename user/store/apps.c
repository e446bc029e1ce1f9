/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/store_int.h"

struct listing {
	struct store_apps *list; /* borrowed */
	struct texts texts;
	struct sto_map by_app;
	size_t cap;
};

static int app_of(struct listing *l, uint32_t id, struct mdl_app **ret)
{
	struct store_apps *list = l->list;
	uint32_t i = sto_map_get(&l->by_app, id, 0);
	const char *name = NULL;
	int r;

	if (i != STO_NONE) {
		*ret = &list->apps[i];
		return 0;
	}
	r = ARRAY_ROOM(list->apps, list->n, l->cap);
	if (r == 0)
		r = texts_get(&l->texts, id, &name);
	if (r == 0)
		r = sto_map_put(&l->by_app, id, 0, (uint32_t)list->n);
	if (r < 0)
		return r;
	list->apps[list->n] = (struct mdl_app){.name = name ? name : "?"};
	*ret = &list->apps[list->n++];
	return 0;
}

static void seen(struct mdl_app *a, int64_t first_ns, int64_t last_ns)
{
	if (a->first_ns == 0 || first_ns < a->first_ns)
		a->first_ns = first_ns;
	if (a->last_ns == 0 || last_ns > a->last_ns)
		a->last_ns = last_ns;
}

static int add_days(struct db *db, struct listing *l, int32_t since_day, int32_t until_day)
{
	static const char sql[] = "SELECT app, warm, cold, compiled, forked, partial, first, last,"
				  " cold_start FROM app_day WHERE day >= ?1 AND day < ?2";
	sqlite3_stmt *st;
	int r = db_prepare_i64(db, sql, (int64_t[]){since_day, until_day}, 2, &st);

	if (r < 0)
		return r;
	while ((r = db_step(db, st)) > 0) {
		struct mdl_app *a;

		r = app_of(l, (uint32_t)db_u64(st, 0), &a);
		for (int i = 0; i < MDL_RUN_CLASSES && r == 0; i++)
			a->runs[i] += db_u64(st, 1 + i);
		if (r == 0)
			r = db_sketch(st, 8, &a->cold_start);
		/* a damaged one is as if it were not there, as in the app's history */
		if (r < 0 && r != -EBADMSG && r != -EPROTO) {
			(void)sqlite3_reset(st);
			return r;
		}
		seen(a, sqlite3_column_int64(st, 6), sqlite3_column_int64(st, 7));
	}
	return r;
}

static int add_runs(struct db *db, struct listing *l, int32_t since_day, int32_t until_day)
{
	static const char sql[] = "SELECT app, class, started, cold_start FROM run"
				  " WHERE state < 2 AND day >= ?1 AND day < ?2";
	sqlite3_stmt *st;
	int r = db_prepare_i64(db, sql, (int64_t[]){since_day, until_day}, 2, &st);

	if (r < 0)
		return r;
	while ((r = db_step(db, st)) > 0) {
		unsigned int class = (unsigned int)sqlite3_column_int(st, 1);
		struct mdl_app *a;

		r = app_of(l, (uint32_t)db_u64(st, 0), &a);
		if (r == 0 && class == MDL_RUN_WARM)
			r = sketch_add(&a->cold_start, db_u64(st, 3));
		if (r < 0) {
			(void)sqlite3_reset(st);
			return r;
		}
		a->runs[class < MDL_RUN_CLASSES ? class : MDL_RUN_PARTIAL]++;
		seen(a, sqlite3_column_int64(st, 2), sqlite3_column_int64(st, 2));
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct mdl_app *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int store_apps(struct store *s, int32_t since_day, int32_t until_day, struct store_apps *ret)
{
	struct store_apps list = {0};
	struct listing l = {.list = &list};
	struct intern *pool = NULL;
	int r = intern_new(&pool);

	if (r < 0)
		return r;
	list.strings = pool;
	l.texts = (struct texts){.db = &s->db, .pool = pool};
	r = store_begin(s);
	if (r == 0) {
		r = add_days(&s->db, &l, since_day, until_day);
		if (r == 0)
			r = add_runs(&s->db, &l, since_day, until_day);
		r = store_end(s, r);
	}
	texts_free(&l.texts);
	sto_map_free(&l.by_app);
	if (r < 0) {
		store_apps_free(&list);
		return r;
	}
	if (list.n)
		qsort(list.apps, list.n, sizeof(*list.apps), by_name);
	*ret = list;
	return 0;
}

void store_apps_free(struct store_apps *a)
{
	for (size_t i = 0; i < a->n; i++)
		sketch_free(&a->apps[i].cold_start);
	free(a->apps);
	(void)intern_free(a->strings);
	*a = (struct store_apps){0};
}

int store_span(struct store *s, int32_t *ret_first, int32_t *ret_last)
{
	static const char sql[] =
		"SELECT min(a), max(b) FROM (SELECT min(day) AS a, max(day) AS b FROM app_day"
		" UNION ALL SELECT min(day), max(day) FROM run WHERE state < 2)";
	sqlite3_stmt *st;
	int r = db_prepare(&s->db, sql, &st);

	if (r == 0)
		r = db_step(&s->db, st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (sqlite3_column_type(st, 0) == SQLITE_NULL) {
		(void)sqlite3_reset(st);
		return -ENOENT;
	}
	*ret_first = sqlite3_column_int(st, 0);
	*ret_last = sqlite3_column_int(st, 1);
	(void)sqlite3_reset(st);
	return 0;
}

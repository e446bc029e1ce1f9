/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/store_int.h"

struct ids {
	uint64_t *ids; /* owned */
	size_t n, cap;
};

/* Runs that are not in the aggregates: they go on, or the next fold takes them. */
static int find_unfolded(struct db *db, uint32_t app, const int32_t days[2], struct ids *ids)
{
	static const char sql[] =
		"SELECT id FROM run WHERE state < 2 AND app = ?1 AND day >= ?2 AND day < ?3";
	sqlite3_stmt *st;
	int r = db_prepare_i64(db, sql, (int64_t[]){app, days[0], days[1]}, 3, &st);

	if (r < 0)
		return r;
	while ((r = db_step(db, st)) > 0) {
		if (ARRAY_ROOM(ids->ids, ids->n, ids->cap) < 0) {
			(void)sqlite3_reset(st);
			return -ENOMEM;
		}
		ids->ids[ids->n++] = db_u64(st, 0);
	}
	return r;
}

static int add_unfolded(struct db *db, uint32_t app, const int32_t days[2], struct agg *a,
			uint64_t *ret_open)
{
	struct ids ids = {0};
	uint64_t open = 0;
	int r = find_unfolded(db, app, days, &ids);

	for (size_t i = 0; i < ids.n && r == 0; i++) {
		_sto_run_ struct sto_run run = {0};

		r = rows_get_run(db, ids.ids[i], &run);
		if (r == -EBADMSG || r == -EPROTO) {
			r = 0; /* damaged: the fold counts it */
			continue;
		}
		if (r == 0)
			r = agg_add_run(a, &run);
		open += !run.ended;
	}
	free(ids.ids);
	*ret_open = open;
	return r;
}

int store_load(struct store *s, uint32_t app, int32_t since_day, int32_t until_day, struct agg *a,
	       uint64_t *ret_open)
{
	const int32_t days[2] = {since_day, until_day};
	int r = rows_load(&s->db, app, since_day, until_day, a);

	return r < 0 ? r : add_unfolded(&s->db, app, days, a, ret_open);
}

/* A name that is in the database need not be that of an app. */
static int find_app(struct store *s, const char *app, uint32_t *ret)
{
	static const char sql[] = "SELECT 1 WHERE EXISTS(SELECT 1 FROM app_day WHERE app = ?1)"
				  " OR EXISTS(SELECT 1 FROM run WHERE app = ?1)";
	sqlite3_stmt *st;
	uint32_t id;
	int r = names_find(&s->db, app, &id);

	if (r == 0)
		r = db_prepare(&s->db, sql, &st);
	if (r < 0)
		return r;
	db_bind_u64(st, 1, id);
	r = db_step(&s->db, st);
	(void)sqlite3_reset(st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = id;
	return 0;
}

static int read_history(struct store *s, const char *app, struct mdl_history *h)
{
	_agg_ struct agg a = {0};
	uint32_t id;
	int r = find_app(s, app, &id);

	if (r == 0)
		r = store_load(s, id, h->since_day, h->until_day, &a, &h->runs_open);
	if (r == 0)
		r = store_build(s, &a, h);
	return r < 0 ? r : store_recent(s, id, h);
}

int store_history(struct store *s, const char *app, int32_t since_day, int32_t until_day,
		  struct mdl_history **ret)
{
	struct mdl_history *h = calloc(1, sizeof(*h));
	struct intern *pool = NULL;
	int r = h ? intern_new(&pool) : -ENOMEM;

	if (r < 0) {
		free(h);
		return r;
	}
	h->strings = pool;
	h->since_day = since_day;
	h->until_day = until_day;
	h->app = intern_str(pool, app);
	r = h->app ? store_begin(s) : -ENOMEM;
	if (r == 0)
		r = store_end(s, read_history(s, app, h));
	if (r < 0) {
		(void)store_history_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

struct mdl_history *store_history_free(struct mdl_history *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < h->n_days; i++) {
		sketch_free(&h->days[i].cold_start);
		sketch_free(&h->days[i].interpreter);
	}
	for (size_t i = 0; i < h->n_modules; i++) {
		sketch_free(&h->modules[i].total);
		sketch_free(&h->modules[i].self);
	}
	sketch_free(&h->cold_start);
	sketch_free(&h->interpreter);
	sketch_free(&h->cold_cache);
	sketch_free(&h->compiled);
	free(h->days);
	free(h->modules);
	free(h->edges);
	free(h->values);
	free(h->recent);
	free(h->arrays);
	(void)intern_free(h->strings);
	free(h);
	return NULL;
}

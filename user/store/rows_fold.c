/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Stored runs into aggregates: the day of an app is read, added to, and written back, in the caller's transaction. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "store/rows.h"

struct todo {
	uint64_t id;
	uint32_t app;
	int32_t day;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* In order of app and day. */
static int find_todo(struct db *db, struct todo *todo, uint32_t max, uint32_t *ret_n)
{
	static const char sql[] = "SELECT id, app, day FROM run WHERE state < 2 AND state = 1"
				  " ORDER BY app, day LIMIT ?1";
	sqlite3_stmt *st;
	uint32_t n = 0;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, max);
	while (n < max && (r = db_step(db, st)) > 0)
		todo[n++] = (struct todo){db_u64(st, 0), (uint32_t)db_u64(st, 1),
					  sqlite3_column_int(st, 2)};
	(void)sqlite3_reset(st);
	*ret_n = n;
	return r < 0 ? r : 0;
}

static int mark(struct db *db, uint64_t id)
{
	static const char sql[] = "UPDATE run SET state = 2 WHERE id = ?1";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, id);
	return db_run(db, st);
}

static int add(struct db *db, struct agg *a, const struct todo *t, struct fold_result *ret)
{
	_sto_run_ struct sto_run run = {0};
	int r = rows_get_run(db, t->id, &run);

	if (r == 0)
		r = agg_add_run(a, &run);
	/* damaged: left out, so that it does not stand in the way of the others for ever */
	if (r == -EBADMSG || r == -EPROTO) {
		ret->bad++;
		r = 0;
	}
	return r < 0 ? r : mark(db, t->id);
}

/* Of one app and day, as many as there is time for; returns how many, or an error. */
static int fold_day(struct db *db, const struct fold_limits *limits, uint64_t until_ms,
		    const struct todo *todo, uint32_t n, struct fold_result *ret)
{
	_agg_ struct agg a = {0};
	struct agg_day *d;
	uint32_t i = 0;
	int r = rows_load(db, todo->app, todo->day, todo->day + 1, &a);

	a.max_mods = (uint32_t)limits->max_mods;
	a.max_edges = (uint32_t)limits->max_edges;
	for (; i < n && todo[i].app == todo->app && todo[i].day == todo->day && r == 0; i++) {
		if (i && now_ms() >= until_ms)
			break;
		r = add(db, &a, &todo[i], ret);
	}
	if (r < 0)
		return r;
	d = agg_day(&a, todo->day);
	if (!d)
		return -ENOMEM;
	d->lost[LMMSD_LOST_LIMIT_EDGES] += a.over_edges;
	d->lost[LMMSD_LOST_LIMIT_MODULES] += a.over_mods;
	ret->over_mods += a.over_mods;
	ret->over_edges += a.over_edges;
	r = rows_save(db, todo->app, todo->day, &a);
	return r < 0 ? r : (int)i;
}

int rows_fold(struct db *db, const struct fold_limits *limits, uint32_t max_runs,
	      struct fold_result *ret)
{
	_free_ struct todo *todo = calloc(max_runs, sizeof(*todo));
	uint64_t until_ms = now_ms() + limits->max_ms;
	struct fold_result sum = {0};
	uint32_t n = 0, i = 0;
	int r;

	if (!todo)
		return -ENOMEM;
	r = find_todo(db, todo, max_runs, &n);
	while (r >= 0 && i < n && (i == 0 || now_ms() < until_ms)) {
		r = fold_day(db, limits, until_ms, &todo[i], n - i, &sum);
		i += r > 0 ? (uint32_t)r : 0;
	}
	if (r < 0)
		return r;
	sum.runs = i;
	sum.more = i < n || n == max_runs;
	*ret = sum;
	return 0;
}

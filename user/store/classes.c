/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/rows.h"

void classes_clear(struct classes *c)
{
	free(c->apps);
	sto_map_free(&c->by_app);
	sto_map_free(&c->learned);
	*c = (struct classes){0};
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t median(const struct classes_app *a)
{
	uint64_t sorted[CLASSES_STARTS];

	memcpy(sorted, a->starts, a->n * sizeof(*sorted));
	qsort(sorted, a->n, sizeof(*sorted), by_value);
	return sorted[a->n / 2];
}

/*
 * Cold starts count among the starts that later ones are compared with: should the app have become slower for good, it
 * is not cold for ever.
 */
static void add_start(struct classes_app *a, const struct sto_run *r)
{
	if (r->class != MDL_RUN_COMPILED) {
		a->starts[a->next] = r->cold_start_ns;
		a->next = (a->next + 1) % CLASSES_STARTS;
		a->n += a->n < CLASSES_STARTS;
	}
	a->same = r->compiled && r->compiled == a->compiled ? a->same + 1 : r->compiled != 0;
	a->compiled = r->compiled;
}

static void add_begin(struct classes_app *a, const struct sto_run *r)
{
	a->last_boot = r->boot;
	a->last_ns = r->started_ns;
}

static bool is_cold(const struct classes_app *a, const struct sto_run *r)
{
	bool first = r->boot && a->last_boot != r->boot;
	/* a clock that was set back says nothing of how long it was idle */
	bool idle = a->last_ns && r->started_ns - a->last_ns > CLASSES_IDLE_NS;

	if (a->n < CLASSES_FEW)
		return first && r->uptime_ns < CLASSES_BOOT_NS;
	return (first || idle) && (double)r->cold_start_ns > CLASSES_FACTOR * (double)median(a);
}

/* The app's latest plain runs that were stored before, from the database, the oldest first. */
static int recall(struct db *db, uint32_t app, uint64_t before_id, int64_t until_ns,
		  struct classes_app *a)
{
	static const char sql[] =
		"SELECT class, compiled, boot, started, cold_start, state FROM"
		" (SELECT * FROM run WHERE app = ?1 AND class < 3 AND id < ?2 AND started <= ?3"
		" ORDER BY started DESC LIMIT 32) ORDER BY started";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, app);
	db_bind_u64(st, 2, before_id);
	db_bind_i64(st, 3, until_ns);
	while ((r = db_step(db, st)) > 0) {
		const struct sto_run run = {
			.class = (uint8_t)sqlite3_column_int(st, 0),
			.compiled = (uint32_t)db_u64(st, 1),
			.boot = (uint32_t)db_u64(st, 2),
			.started_ns = sqlite3_column_int64(st, 3),
			.cold_start_ns = db_u64(st, 4),
		};

		add_begin(a, &run);
		if (sqlite3_column_int(st, 5) != RUN_OPEN) /* its start may go on */
			add_start(a, &run);
	}
	return r;
}

static int find(struct classes *c, struct db *db, uint32_t app, struct classes_app **ret)
{
	uint32_t i = sto_map_get(&c->by_app, app, 0);
	int r;

	if (i != STO_NONE) {
		*ret = &c->apps[i];
		return 0;
	}
	if (c->n >= CLASSES_APPS)
		classes_clear(c);
	if (ARRAY_ROOM(c->apps, c->n, c->cap) < 0)
		return -ENOMEM;
	c->apps[c->n] = (struct classes_app){0};
	r = recall(db, app, INT64_MAX, INT64_MAX, &c->apps[c->n]);
	if (r == 0)
		r = sto_map_put(&c->by_app, app, 0, c->n);
	if (r == 0)
		*ret = &c->apps[c->n++];
	return r;
}

static void judge(const struct classes_app *a, struct sto_run *run)
{
	if (run->compiled && (run->compiled != a->compiled || a->same < CLASSES_SAME))
		run->class = MDL_RUN_COMPILED;
	else if (is_cold(a, run))
		run->class = MDL_RUN_COLD;
}

/* By the runs before it: those of the app have had it among them since its first copy. */
static int judge_again(struct db *db, struct sto_run *run, const struct classes_before *before)
{
	struct classes_app a = {0};
	int r = recall(db, run->app, before->id, run->started_ns, &a);

	if (r == 0)
		judge(&a, run);
	return r;
}

/* Once of each run: when its start is complete. */
static int learn(struct classes *c, struct classes_app *a, const struct sto_run *run)
{
	if (sto_map_get(&c->learned, run->key, 0) != STO_NONE)
		return 0;
	add_start(a, run);
	if (run->ended)
		return 0;
	if (c->learned.n >= CLASSES_GOING)
		sto_map_free(&c->learned);
	return sto_map_put(&c->learned, run->key, 0, 1);
}

int classes_set(struct classes *c, struct db *db, struct sto_run *run,
		const struct classes_before *before)
{
	bool same = before && before->cold_start_ns == run->cold_start_ns &&
		    before->compiled == run->compiled;
	struct classes_app *a = NULL;
	int r;

	if (before && before->class > MDL_RUN_COMPILED)
		run->class = before->class;
	if (run->class != MDL_RUN_WARM)
		return 0;
	r = find(c, db, run->app, &a);
	if (r == 0 && same)
		run->class = before->class;
	else if (r == 0 && before)
		r = judge_again(db, run, before);
	else if (r == 0)
		judge(a, run);
	if (r < 0)
		return r;
	if (!before)
		add_begin(a, run);
	return same || run->ended ? learn(c, a, run) : 0;
}

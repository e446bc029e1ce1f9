/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void classes_clear(struct classes *c)
{
	free(c->apps);
	sto_map_free(&c->by_app);
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

/* The app's latest plain runs, from the database, the oldest first. */
static int recall(struct db *db, uint32_t app, struct classes_app *a)
{
	static const char sql[] =
		"SELECT class, compiled, boot, started, cold_start FROM"
		" (SELECT * FROM run WHERE app = ?1 AND class < 3 ORDER BY started DESC LIMIT 32)"
		" ORDER BY started";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, app);
	while ((r = db_step(db, st)) > 0) {
		const struct sto_run run = {
			.class = (uint8_t)sqlite3_column_int(st, 0),
			.compiled = (uint32_t)db_u64(st, 1),
			.boot = (uint32_t)db_u64(st, 2),
			.started_ns = sqlite3_column_int64(st, 3),
			.cold_start_ns = db_u64(st, 4),
		};

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
	r = recall(db, app, &c->apps[c->n]);
	if (r == 0)
		r = sto_map_put(&c->by_app, app, 0, c->n);
	if (r == 0)
		*ret = &c->apps[c->n++];
	return r;
}

int classes_set(struct classes *c, struct db *db, struct sto_run *run)
{
	struct classes_app *a = NULL;
	int r;

	if (run->class != MDL_RUN_WARM)
		return 0;
	r = find(c, db, run->app, &a);
	if (r < 0)
		return r;
	if (run->compiled && (run->compiled != a->compiled || a->same < CLASSES_SAME))
		run->class = MDL_RUN_COMPILED;
	else if (is_cold(a, run))
		run->class = MDL_RUN_COLD;
	add_start(a, run);
	return 0;
}

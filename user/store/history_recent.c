/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Runs by themselves, as long as retention leaves them. */
#include <errno.h>
#include <stdlib.h>

#include "store/store_int.h"

/* Plain runs only: of forked workers there may be thousands between two starts. */
static int read_recent(struct store *s, uint32_t app, struct mdl_history *h)
{
	static const char sql[] =
		"SELECT " RUN_COLUMNS " FROM run WHERE app = ?1 AND day >= ?2"
		" AND day < ?3 AND class <= ?5 ORDER BY started DESC, id DESC LIMIT ?4";
	sqlite3_stmt *st;
	int r = db_prepare(&s->db, sql, &st);

	h->recent = calloc(MDL_HIST_RECENT, sizeof(*h->recent));
	if (r < 0 || !h->recent)
		return r < 0 ? r : -ENOMEM;
	db_bind_u64(st, 1, app);
	db_bind_i64(st, 2, h->since_day);
	db_bind_i64(st, 3, h->until_day);
	db_bind_i64(st, 4, MDL_HIST_RECENT);
	db_bind_i64(st, 5, MDL_RUN_COMPILED);
	while (h->n_recent < MDL_HIST_RECENT && (r = db_step(&s->db, st)) > 0) {
		struct sto_run run;

		rows_run_of(st, &run);
		h->recent[h->n_recent++] = (struct mdl_run){
			.id = db_u64(st, 0),
			.started_ns = run.started_ns,
			.day = run.day,
			.duration_ns = run.duration_ns,
			.cold_start_ns = run.cold_start_ns,
			.interpreter_ns = run.interpreter_ns,
			.pid = run.pid,
			.uid = run.uid,
			.py_version = run.py_version,
			.n_modules = run.n_loaded,
			.exit_status = run.exit_status,
			.class = run.class,
			.ended = run.ended,
		};
	}
	(void)sqlite3_reset(st);
	return r < 0 ? r : 0;
}

/* The latest first. */
static int read_values(struct store *s, uint32_t app, struct mdl_history *h)
{
	static const char sql[] =
		"SELECT cold_start FROM run WHERE app = ?1 AND day >= ?2 AND day < ?3"
		" AND class = 0 ORDER BY started DESC, id DESC LIMIT ?4";
	sqlite3_stmt *st;
	int r = db_prepare(&s->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, app);
	db_bind_i64(st, 2, h->since_day);
	db_bind_i64(st, 3, h->until_day);
	db_bind_i64(st, 4, MDL_HIST_VALUES);
	while (h->n_values < MDL_HIST_VALUES && (r = db_step(&s->db, st)) > 0)
		h->values[h->n_values++] = db_u64(st, 0);
	(void)sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int store_recent(struct store *s, uint32_t app, struct mdl_history *h)
{
	uint64_t all = h->cold_start.count;
	size_t want = all < MDL_HIST_VALUES ? (size_t)all : MDL_HIST_VALUES;
	int r = read_recent(s, app, h);

	h->values = calloc(MDL_HIST_VALUES, sizeof(*h->values));
	if (r == 0)
		r = h->values ? read_values(s, app, h) : -ENOMEM;
	if (r < 0)
		return r;
	h->values_exact = h->n_values >= want;
	if (!h->values_exact) {
		h->n_values = want;
		sketch_sample(&h->cold_start, h->values, want);
		return 0;
	}
	for (size_t i = 0; i < h->n_values / 2; i++) {
		uint64_t v = h->values[i];

		h->values[i] = h->values[h->n_values - 1 - i];
		h->values[h->n_values - 1 - i] = v;
	}
	return 0;
}

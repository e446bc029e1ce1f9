/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The transactions of the writer's thread. */
#include <errno.h>
#include <stdlib.h>

#include "store/writer_int.h"

static const char *const reasons[] = {
#define REASON_NAME(id, name, cure) name,
	LMMSD_REASONS(REASON_NAME)
#undef REASON_NAME
};

static struct writer_day *day_slot(struct store_writer *w, int32_t day)
{
	for (int i = 0; i < WRITER_DAYS; i++)
		if (w->days[i].filled && w->days[i].day == day)
			return &w->days[i];
	/* the oldest gives way */
	sto_map_free(&w->days[WRITER_DAYS - 1].apps);
	for (int i = WRITER_DAYS - 1; i > 0; i--)
		w->days[i] = w->days[i - 1];
	w->days[0] = (struct writer_day){.day = day};
	return &w->days[0];
}

static int fill_day(struct store_writer *w, struct writer_day *d)
{
	static const char sql[] = "SELECT app FROM app_day WHERE day = ?1"
				  " UNION SELECT app FROM run WHERE state < 2 AND day = ?1";
	sqlite3_stmt *st;
	int r = db_prepare(&w->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_i64(st, 1, d->day);
	while ((r = db_step(&w->db, st)) > 0) {
		r = sto_map_put(&d->apps, db_u64(st, 0), 0, 1);
		if (r < 0) {
			(void)sqlite3_reset(st);
			return r;
		}
	}
	d->filled = r == 0;
	return r;
}

/* Not more apps a day than the limit: the others share one name. */
static int bound_app(struct store_writer *w, struct sto_run *run)
{
	struct writer_day *d = day_slot(w, run->day);
	int r = d->filled ? 0 : fill_day(w, d);

	if (r < 0 || sto_map_get(&d->apps, run->app, 0) != STO_NONE)
		return r;
	if (d->apps.n < w->options.max_apps)
		return sto_map_put(&d->apps, run->app, 0, 1);
	run->app = AGG_OTHER_NAME;
	w->over_apps++;
	return 0;
}

/* Those of a run's strings that stand for more than a file. */
static void mark_names(const struct sto_run *run, bool *names)
{
	names[run->app] = true;
	for (uint32_t i = 0; i < run->n_mods; i++) {
		const struct sto_mod *m = &run->mods[i];

		names[m->name] = names[m->dist] = names[m->version] = true;
	}
	for (uint32_t i = 0; i < run->n_edges; i++)
		names[run->edges[i].importer] = names[run->edges[i].module] = true;
}

static int to_ids(struct store_writer *w, const struct sto_rec *rec, struct sto_run *run)
{
	_free_ uint32_t *ids = calloc(rec->n_strings, sizeof(*ids));
	_free_ bool *names = calloc(rec->n_strings, sizeof(*names));

	if (!ids || !names)
		return -ENOMEM;
	mark_names(run, names);
	for (uint32_t i = 1; i < rec->n_strings; i++) {
		int r = (names[i] ? names_put : names_put_file)(
			&w->names, rec->text + rec->strings[i], &ids[i]);

		if (r < 0)
			return r;
	}
	run->app = ids[run->app];
	for (uint32_t i = 0; i < run->n_mods; i++) {
		struct sto_mod *m = &run->mods[i];
		int r;

		m->name = ids[m->name];
		m->file = ids[m->file];
		r = names_put_pkg(&w->names, ids[m->dist], ids[m->version], &m->pkg);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < run->n_edges; i++) {
		struct sto_edge *e = &run->edges[i];

		e->importer = ids[e->importer];
		e->module = ids[e->module];
		e->file = ids[e->file];
	}
	return 0;
}

/* A copy, since the queued one must stay as it is in case the transaction fails. */
static int copy_run(const struct sto_run *from, struct sto_run *ret)
{
	struct sto_run run = *from;

	run.mods = calloc(from->n_mods + 1, sizeof(*run.mods));
	run.edges = calloc(from->n_edges + 1, sizeof(*run.edges));
	if (!run.mods || !run.edges) {
		sto_run_free(&run);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < from->n_mods; i++)
		run.mods[i] = from->mods[i];
	for (uint32_t i = 0; i < from->n_edges; i++)
		run.edges[i] = from->edges[i];
	*ret = run;
	return 0;
}

/* Its checkpoint, when there is one: whose it is and when it began stays. */
static int find_open(struct store_writer *w, struct sto_run *run, struct classes_before *ret,
		     uint64_t *ret_bytes)
{
	static const char sql[] = "SELECT id, bytes, class, app, day, started, cold_start, compiled"
				  " FROM run WHERE state = 0 AND key = ?1";
	sqlite3_stmt *st;
	int r = db_prepare(&w->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_i64(st, 1, (int64_t)run->key);
	r = db_step(&w->db, st);
	if (r <= 0)
		return r;
	*ret = (struct classes_before){
		.id = db_u64(st, 0),
		.class = (uint8_t)sqlite3_column_int(st, 2),
		.cold_start_ns = db_u64(st, 6),
		.compiled = (uint32_t)db_u64(st, 7),
	};
	*ret_bytes = db_u64(st, 1);
	run->app = (uint32_t)db_u64(st, 3);
	run->day = sqlite3_column_int(st, 4);
	run->started_ns = sqlite3_column_int64(st, 5);
	(void)sqlite3_reset(st);
	return 1;
}

static int write_run(struct store_writer *w, struct sto_rec *rec)
{
	_sto_run_ struct sto_run run = {0};
	struct classes_before before = {0};
	uint64_t old_bytes = 0, bytes = 0;
	int r = copy_run(&rec->run, &run);

	if (r == 0)
		r = to_ids(w, rec, &run);
	if (r == 0)
		r = find_open(w, &run, &before, &old_bytes);
	if (r == 0)
		r = bound_app(w, &run);
	if (r >= 0)
		r = classes_set(&w->classes, &w->db, &run, before.id ? &before : NULL);
	if (r >= 0)
		r = rows_put_run(&w->db, &run, run.ended ? RUN_OVER : RUN_OPEN, &before.id, &bytes);
	if (r < 0)
		return r;
	rec->class = run.class;
	rec->other = run.app == AGG_OTHER_NAME;
	w->raw_bytes += bytes - old_bytes;
	w->unfolded += run.ended;
	return 0;
}

int writer_write_lost(struct store_writer *w)
{
	static const char sql[] = "INSERT INTO lost_day(day, reason, count) VALUES(?1, ?2, ?3)"
				  " ON CONFLICT(day, reason) DO UPDATE SET count = count + ?3";
	int32_t day = store_day_of(writer_now_ns(w));
	sqlite3_stmt *st;

	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++) {
		int r;

		if (w->lost[i] == 0)
			continue;
		r = db_prepare(&w->db, sql, &st);
		if (r < 0)
			return r;
		db_bind_i64(st, 1, day);
		db_bind_text(st, 2, reasons[i]);
		db_bind_u64(st, 3, w->lost[i]);
		r = db_run(&w->db, st);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Ends the transaction: r is the result of what was done in it. */
static int end(struct store_writer *w, int r)
{
	if (r == 0)
		r = db_exec(&w->db, "COMMIT");
	if (r == 0) {
		w->raw_bytes_saved = w->raw_bytes;
		return 0;
	}
	(void)sqlite3_exec(w->db.h, "ROLLBACK", NULL, NULL, NULL);
	writer_forget(w);
	return r;
}

int writer_write(struct store_writer *w, uint64_t *ret_runs)
{
	uint64_t n = 0, unfolded = w->unfolded;
	int r = db_exec(&w->db, "BEGIN IMMEDIATE");

	w->at = NULL;
	if (r < 0)
		return r;
	for (w->at = w->batch; w->at && r == 0; n += r == 0) {
		r = write_run(w, w->at);
		if (r == 0)
			w->at = w->at->next;
	}
	for (const struct queued_trigger *t = w->triggers; t && r == 0; t = t->next)
		r = sto_trigger_insert(&w->db, &t->t);
	if (r == 0)
		r = writer_write_lost(w);
	r = end(w, r);
	if (r < 0)
		w->unfolded = unfolded;
	else
		*ret_runs = n;
	return r;
}

int writer_fold(struct store_writer *w, struct fold_result *ret)
{
	const struct fold_limits limits = {w->options.max_modules, w->options.max_edges,
					   WRITER_STEP_MS};
	int r = db_exec(&w->db, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	r = end(w, rows_fold(&w->db, &limits, WRITER_FOLD_RUNS, ret));
	if (r == 0)
		w->unfolded = !ret->more	      ? 0 :
			      w->unfolded > ret->runs ? w->unfolded - ret->runs :
							1;
	return r;
}

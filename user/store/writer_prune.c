/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Retention of raw runs, a slice at a time. Aggregates stay. */
#include <time.h>

#include "store/writer_int.h"

#define HOUR_NS 3600000000000LL
#define JUMP_NS HOUR_NS /* more than clocks are put right by in small steps */

static int64_t clock_ns(const struct store_writer *w, clockid_t clock)
{
	struct timespec ts;

	if (w->options.passed_ns)
		return w->options.passed_ns(w->options.now_arg);
	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void writer_look_at_clock(struct store_writer *w)
{
	struct writer_clock *c = &w->clock;
	int64_t offset = writer_now_ns(w) - clock_ns(w, CLOCK_BOOTTIME), off = offset - c->seen_ns;
	int64_t now = clock_ns(w, CLOCK_MONOTONIC);

	if (!c->since_ns || off > JUMP_NS || off < -JUMP_NS) {
		c->seen_ns = offset;
		c->since_ns = now;
	}
	if (now - c->since_ns < HOUR_NS)
		return;
	c->trusted_ns = offset;
	c->trusted = true;
}

/*
 * A clock that is wrong must not take the runs of a month away: before a host has asked others for the time it may be months
 * off. What it says now, or what it said for an hour and has passed since, whichever is earlier. false: it is not known.
 */
static bool trusted_day(struct store_writer *w, int32_t *ret)
{
	int64_t now = writer_now_ns(w), held;

	writer_look_at_clock(w);
	held = w->clock.trusted_ns + clock_ns(w, CLOCK_BOOTTIME);
	*ret = store_day_of(now < held ? now : held);
	return w->clock.trusted;
}

static int drop(struct store_writer *w, uint64_t id, uint64_t bytes)
{
	static const char sql[] = "DELETE FROM run WHERE id = ?1";
	sqlite3_stmt *st;
	int r = db_prepare(&w->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, id);
	r = db_run(&w->db, st);
	if (r == 0)
		w->raw_bytes = w->raw_bytes > bytes ? w->raw_bytes - bytes : 0;
	return r;
}

struct old {
	uint64_t id, bytes;
	int32_t day;
};

/* The first ones, which are the oldest but for those of a clock that was ahead: they are not in the way of the others. */
static int find(struct store_writer *w, int32_t until, struct old *old, uint64_t max,
		uint64_t *ret_n)
{
	static const char sql[] =
		"SELECT id, bytes, day FROM run WHERE state = 2 AND day <= ?2 ORDER BY id LIMIT ?1";
	sqlite3_stmt *st;
	uint64_t n = 0;
	int r = db_prepare(&w->db, sql, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, max);
	db_bind_i64(st, 2, until);
	while (n < max && (r = db_step(&w->db, st)) > 0)
		old[n++] = (struct old){db_u64(st, 0), db_u64(st, 1), sqlite3_column_int(st, 2)};
	(void)sqlite3_reset(st);
	*ret_n = n;
	return r < 0 ? r : 0;
}

int writer_prune(struct store_writer *w, uint64_t max_runs, uint64_t *ret_runs)
{
	int32_t today = 0, keep_from;
	bool full = w->raw_bytes > w->options.keep_bytes, by_age = trusted_day(w, &today);
	_free_ struct old *old = NULL;
	uint64_t n = 0, dropped = 0;
	int r;

	*ret_runs = 0;
	if (!full && !by_age)
		return 0;
	old = calloc(max_runs, sizeof(*old));
	r = old ? db_exec(&w->db, "BEGIN IMMEDIATE") : -ENOMEM;
	if (r < 0)
		return r;
	keep_from = by_age ? today - (int32_t)w->options.keep_days : INT32_MIN;
	r = find(w, full ? INT32_MAX : today, old, max_runs, &n);
	for (uint64_t i = 0; i < n && r == 0; i++) {
		if (old[i].day >= keep_from && w->raw_bytes <= w->options.keep_bytes)
			continue;
		r = drop(w, old[i].id, old[i].bytes);
		dropped++;
	}
	if (r == 0)
		r = db_exec(&w->db, "COMMIT");
	if (r < 0) {
		(void)sqlite3_exec(w->db.h, "ROLLBACK", NULL, NULL, NULL);
		w->raw_bytes = w->raw_bytes_saved;
		return r;
	}
	w->raw_bytes_saved = w->raw_bytes;
	*ret_runs = dropped;
	return 0;
}

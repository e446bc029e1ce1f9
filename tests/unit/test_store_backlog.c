/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Much to fold or to take away: what comes meanwhile is written within a step of that, not after all of it. */
#include <stdatomic.h>

#include "store/rows.h"
#include "unit/fake_store.h"

#define STEP_RUNS 2000 /* the most that one step folds */
#define STEP_PRUNED 500

/* What the writer's thread does, seen from within. */
static struct {
	struct fake_store *s;
	atomic_bool armed;
	bool was_put, was_written;
	uint64_t committed, at_put, at_written;
	atomic_uint folded;
} seen;

static uint64_t pruned(const struct store_stats *st)
{
	return st->pruned;
}

static void put_many(struct fake_store *s, int n)
{
	int64_t at = store_day_start(store_today());

	for (int i = 0; i < n; i++) {
		if (i % 1000 == 999)
			fake_store_flush(s);
		fake_put_run(s, "shop", 1, at + i);
	}
	fake_store_flush(s);
}

/* The store asks for the time whenever it is about to take runs away. */
static int64_t now_in_between(void *arg)
{
	struct store_stats st;
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (seen.armed) {
		store_writer_stats(seen.s->w, &st);
		if (!seen.was_put && st.pruned) {
			seen.was_put = true;
			seen.at_put = st.pruned;
			seen.committed = st.committed;
			fake_put_run(seen.s, "late", 1, store_day_start(store_today()));
		} else if (seen.was_put && !seen.was_written && st.committed > seen.committed) {
			seen.was_written = true;
			seen.at_written = st.pruned;
		}
	}
	(void)arg;
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void test_taking_away_lets_others_in(void **state)
{
	struct fake_store *s = *state;

	fake_store_open(s);
	put_many(s, 4000);
	fake_store_close(s);
	seen.s = s;
	s->options.keep_bytes = 1000;
	s->options.now_ns = now_in_between;
	fake_store_open(s);
	seen.armed = true;
	fake_store_flush(s); /* begins with it */
	fake_wait(s, pruned, 3900);
	seen.armed = false;
	fake_store_flush(s);
	assert_true(seen.was_written);
	assert_true(seen.at_written - seen.at_put <= STEP_PRUNED);
}

static int on_statement(unsigned int what _unused_, void *arg _unused_, void *st _unused_,
			void *sql)
{
	if (!seen.armed)
		return 0;
	if (!strncmp(sql, "UPDATE run SET state = 2", 24) && seen.folded++ == 0)
		fake_put_run(seen.s, "late", 1, fake_noon(0));
	else if (!strncmp(sql, "INSERT INTO run(", 16))
		seen.armed = false;
	return 0;
}

static int on_connection(sqlite3 *h, char **error _unused_, const void *api _unused_)
{
	return sqlite3_trace_v2(h, SQLITE_TRACE_STMT, on_statement, NULL);
}

static void exec_sql(const char *path, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

static void test_folding_lets_others_in(void **state)
{
	struct fake_store *s = *state;

	fake_store_open(s);
	put_many(s, 4500);
	fake_store_close(s);
	exec_sql(s->path, "UPDATE run SET state = 1; DELETE FROM app_day; DELETE FROM module_day;"
			  "DELETE FROM edge_day");
	assert_int_equal(sqlite3_auto_extension((void (*)(void))(uintptr_t)on_connection),
			 SQLITE_OK);
	seen.s = s;
	fake_store_open(s);
	seen.armed = true;
	fake_store_flush(s);
	sqlite3_reset_auto_extension();
	assert_false(seen.armed); /* it was written */
	assert_in_range(seen.folded, 1, STEP_RUNS);
	/* a flush means all of it, all the same */
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM run WHERE state < 2"), 0);
	fake_store_close(s);
	fake_assert_clean(s->path);
}

static void test_a_fold_has_a_time(void **state)
{
	static const char begin[] = "BEGIN IMMEDIATE", commit[] = "COMMIT";
	const struct fold_limits limits = {.max_mods = 100, .max_edges = 100, .max_ms = 0};
	struct fold_result res = {0};
	struct fake_store *s = *state;
	struct db db;

	fake_store_open(s);
	put_many(s, 5);
	fake_store_close(s);
	exec_sql(s->path, "UPDATE run SET state = 1");
	assert_int_equal(db_open(&db, s->path, SQLITE_OPEN_READWRITE), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(db_exec(&db, begin), 0);
		assert_int_equal(rows_fold(&db, &limits, 100, &res), 0);
		assert_int_equal(db_exec(&db, commit), 0);
		assert_int_equal(res.runs, 1);
		assert_int_equal(res.more, i < 4);
	}
	db_close(&db);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_taking_away_lets_others_in),
		WITH_STORE(test_folding_lets_others_in),
		WITH_STORE(test_a_fold_has_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

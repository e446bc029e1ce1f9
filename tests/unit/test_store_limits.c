/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is too much, too long or too old. */
#include "fake_store.h"

static void test_beyond_the_limits_is_other(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;
	struct store_apps apps;
	struct store *r;
	char name[32];
	struct fake f;

	s->options.max_apps = 3;
	s->options.max_modules = 10;
	s->options.max_edges = 12;
	fake_store_open(s);
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "app%d", i);
		fake_put_run(s, name, 1, fake_noon(0));
	}
	fake_init(&f);
	fake_process(&f, "app0", 9);
	for (int i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "m%02d", i);
		fake_leaf(&f, "__main__", name, LMMSD_PLACE_MODULE, FAKE_MS);
	}
	fake_done(&f);
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.over_apps, 2);
	assert_int_equal(stats.over_modules, 23);
	r = fake_store_reader(s, STORE_READ);
	assert_int_equal(store_apps(r, FAKE_DAY(0), FAKE_DAY(1), &apps), 0);
	assert_int_equal(apps.n, 4);
	assert_string_equal(apps.apps[0].name, MDL_OTHER);
	assert_int_equal(apps.apps[0].runs[MDL_RUN_WARM], 2);
	store_apps_free(&apps);
	r = store_close(r);
	h = fake_history(s, "app0", 0, 1);
	assert_int_equal(h->n_modules, 11);
	assert_int_equal(fake_find(h, MDL_OTHER)->uses, 23);
	assert_int_equal(h->lost[LMMSD_LOST_LIMIT_MODULES], 23);
	assert_int_equal(h->lost[LMMSD_LOST_LIMIT_EDGES], 21);
	h = store_history_free(h);
}

static void test_long_names_are_cut_where_a_character_begins(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	char name[2000];
	struct fake f;

	fake_store_open(s);
	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(&name[i], "\xc3\xa9", 3);
	name[0] = 'x', name[1] = 'y', name[2] = 'z';
	memmove(&name[3], &name[4], strlen(&name[4]) + 1);
	fake_init(&f);
	fake_process(&f, "shop", 9);
	fake_leaf(&f, "__main__", name, LMMSD_PLACE_MODULE, FAKE_MS);
	fake_leaf(&f, "__main__", "'; DROP TABLE run; --", LMMSD_PLACE_MODULE, FAKE_MS);
	fake_done(&f);
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->n_modules, 2);
	assert_int_equal(strlen(h->modules[1].name), 511);
	assert_string_equal(h->modules[0].name, "'; DROP TABLE run; --");
	h = store_history_free(h);
}

static void exec_sql(const char *path, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

static void put_file(struct fake_store *s, const char *app, const char *file)
{
	struct fake f;

	fake_init(&f);
	fake_run(s, &f, app, 1);
	fake_module(&f, "web")->file = fake_str(&f, file);
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
}

static const char *file_in(struct fake_store *s, const char *app, char ret[64])
{
	struct mdl_history *h = fake_history(s, app, 0, 1);
	const char *file = fake_find(h, "web")->file;

	(void)snprintf(ret, 64, "%s", file ? file : "none");
	h = store_history_free(h);
	return ret;
}

/* Paths come and come, of build directories; they leave room for what else has a name. */
static void test_files_leave_room_for_names(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	char file[64];

	fake_store_open(s);
	put_file(s, "before", "/before.py");
	fake_store_close(s);
	exec_sql(s->path, "INSERT INTO name VALUES(2000000, 'the last file')");
	fake_store_open(s);
	put_file(s, "known", "/before.py");
	put_file(s, "after", "/after.py");
	assert_string_equal(file_in(s, "known", file), "/before.py");
	assert_string_equal(file_in(s, "after", file), "none");
	put_file(s, "/after.py", "/after.py"); /* as a name there is room for it */
	assert_string_equal(file_in(s, "/after.py", file), "/after.py");
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.over_files, 1);
	assert_int_equal(stats.over_names, 0);
	fake_store_close(s);
	exec_sql(s->path, "INSERT INTO name VALUES(4000000, 'the last name')");
	fake_store_open(s);
	put_file(s, "too late", "/late.py");
	assert_string_equal(file_in(s, MDL_OTHER, file), "none");
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.over_names, 1);
	fake_store_close(s);
	fake_assert_clean(s->path);
}

#define MINUTE_NS 60000000000LL

static struct {
	_Atomic int64_t now, passed;
} sham;

static int64_t sham_now(void *arg _unused_)
{
	return sham.now;
}

static int64_t sham_passed(void *arg _unused_)
{
	return sham.passed;
}

static void open_with_clock(struct fake_store *s, int64_t now)
{
	sham.now = now;
	sham.passed = 100 * MINUTE_NS; /* since the host was started */
	s->options.now_ns = sham_now;
	s->options.passed_ns = sham_passed;
	s->options.keep_days = 10;
	fake_store_open(s);
}

/* Retention has looked, as it does every few seconds; how much it took away so far. */
static uint64_t pruned(struct fake_store *s)
{
	struct store_stats stats;

	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	return stats.pruned;
}

static uint64_t pruned_after(struct fake_store *s, int64_t minutes)
{
	sham.now += minutes * MINUTE_NS;
	sham.passed += minutes * MINUTE_NS;
	return pruned(s);
}

static void put_days(struct fake_store *s, int from, int until)
{
	for (int day = from; day < until; day++)
		fake_put_run(s, "shop", 1, fake_noon(day));
}

static void test_old_runs_go_and_their_sums_stay(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;

	open_with_clock(s, fake_noon(40));
	put_days(s, 0, 40);
	assert_int_equal(pruned(s), 0);
	assert_int_equal(pruned_after(s, 59), 0);
	assert_int_equal(pruned_after(s, 1), 30);
	h = fake_history(s, "shop", 0, 40);
	assert_int_equal(h->runs_plain, 40);
	assert_int_equal(h->n_values, 40);
	assert_false(h->values_exact);
	assert_int_equal(h->values[0], 5 * FAKE_MS);
	h = store_history_free(h);
}

/* A clock that was ahead leaves runs that are the first and never old: they do not hide those that are. */
static void test_runs_of_the_future_hide_no_old_ones(void **state)
{
	struct fake_store *s = *state;

	open_with_clock(s, fake_noon(40));
	for (int i = 0; i < 600; i++)
		fake_put_run(s, "shop", 1, fake_noon(4000) + i);
	fake_store_flush(s);
	put_days(s, 0, 40);
	assert_int_equal(pruned_after(s, 60), 30);
}

/* As it may be until the network is up. */
static void test_a_clock_that_is_ahead_at_the_start(void **state)
{
	struct fake_store *s = *state;

	open_with_clock(s, fake_noon(100));
	put_days(s, 30, 40);
	assert_int_equal(pruned_after(s, 50), 0);
	sham.now = fake_noon(40);
	assert_int_equal(pruned_after(s, 50), 0);
	assert_int_equal(pruned_after(s, 500), 0);
	assert_int_equal(pruned_after(s, 24 * 60), 1);
}

static void test_a_clock_that_is_behind_at_the_start(void **state)
{
	struct fake_store *s = *state;

	open_with_clock(s, fake_noon(0));
	put_days(s, 0, 40);
	assert_int_equal(pruned_after(s, 90), 0);
	sham.now = fake_noon(40);
	assert_int_equal(pruned(s), 0);
	assert_int_equal(pruned_after(s, 59), 0);
	assert_int_equal(pruned_after(s, 1), 30);
}

/* What is new to it does not hold, over and over; what held before does. */
static void test_a_clock_that_jumps_to_and_fro(void **state)
{
	struct fake_store *s = *state;

	open_with_clock(s, fake_noon(20));
	put_days(s, 0, 40);
	assert_int_equal(pruned_after(s, 60), 10);
	for (int i = 0; i < 5; i++) {
		sham.now += 15 * FAKE_DAY_NS;
		assert_int_equal(pruned(s), 10);
		assert_int_equal(pruned_after(s, 40), 10);
		sham.now -= 15 * FAKE_DAY_NS;
		assert_int_equal(pruned_after(s, 40), 10);
	}
	sham.now += 15 * FAKE_DAY_NS;
	assert_int_equal(pruned(s), 10);
	assert_int_equal(pruned_after(s, 60), 25);
}

static uint64_t taken_away(const struct store_stats *st)
{
	return st->pruned;
}

static void test_raw_runs_do_not_outgrow_their_room(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;

	s->options.keep_bytes = 1000;
	fake_store_open(s);
	for (int i = 0; i < 1500; i++)
		fake_put_run(s, "shop", 1, store_day_start(store_today()) + i);
	fake_store_flush(s);
	fake_wait(s, taken_away, 1401);
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_in_range(stats.pruned, 1401, 1499);
	h = fake_history(s, "shop", 0, 20000);
	assert_int_equal(h->runs_plain, 1500);
	assert_int_equal(h->n_recent + stats.pruned, 1500);
	assert_int_equal(h->recent[0].started_ns, store_day_start(store_today()) + 1499);
	h = store_history_free(h);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_beyond_the_limits_is_other),
		WITH_STORE(test_long_names_are_cut_where_a_character_begins),
		WITH_STORE(test_files_leave_room_for_names),
		WITH_STORE(test_old_runs_go_and_their_sums_stay),
		WITH_STORE(test_runs_of_the_future_hide_no_old_ones),
		WITH_STORE(test_a_clock_that_is_ahead_at_the_start),
		WITH_STORE(test_a_clock_that_is_behind_at_the_start),
		WITH_STORE(test_a_clock_that_jumps_to_and_fro),
		WITH_STORE(test_raw_runs_do_not_outgrow_their_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Damage that shows while the database is in use: it is kept aside, once, and what is queued goes into a new one. */
#include <dirent.h>
#include <fcntl.h>

#include "unit/fake_store.h"
#include "unit/gate_vfs.h"

#define PAGE 4096

static void exec_sql(const char *path, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

static void read_page(const char *path, int64_t page, char ret[PAGE])
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, ret, PAGE, (page - 1) * PAGE), PAGE);
	assert_int_equal(close(fd), 0);
}

static void write_page(const char *path, int64_t page, const char data[PAGE])
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, PAGE, (page - 1) * PAGE), PAGE);
	assert_int_equal(close(fd), 0);
}

static unsigned int kept_aside(const struct fake_store *s)
{
	DIR *d = opendir(s->dir);
	unsigned int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += strstr(e->d_name, ".corrupt-") && !strstr(e->d_name, "-wal");
	assert_int_equal(closedir(d), 0);
	return n;
}

static void put_runs(struct fake_store *s, int n)
{
	for (int i = 0; i < n; i++)
		fake_put_run(s, "shop", 1, fake_noon(0) + i);
}

/* It goes on with a new one, and a start after it finds that sound. */
static void assert_begun_anew(struct fake_store *s)
{
	struct store_stats stats;
	struct mdl_history *h;

	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.last_error, 0);
	assert_non_null(strstr(stats.moved_aside, ".corrupt-2"));
	assert_int_equal(access(stats.moved_aside, F_OK), 0);
	assert_int_equal(kept_aside(s), 1);
	put_runs(s, 3);
	fake_store_flush(s);
	fake_store_close(s);
	fake_assert_clean(s->path);
	fake_store_open(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs_plain, 3);
	h = store_history_free(h);
}

/* A page of an index that was never written: the check at the start does not see it, taking a run away does. */
static void test_damage_that_only_a_step_sees(void **state)
{
	static const char
		root[] = "SELECT rootpage FROM sqlite_schema WHERE name = 'run_app'",
		check[] = "SELECT count(*) FROM pragma_quick_check WHERE quick_check = 'ok'";
	struct fake_store *s = *state;
	char page[PAGE];
	int64_t n;

	fake_store_open(s);
	fake_store_close(s);
	n = fake_count(s->path, root);
	read_page(s->path, n, page);
	fake_store_open(s);
	put_runs(s, 50);
	fake_store_flush(s);
	fake_store_close(s);
	write_page(s->path, n, page);
	assert_int_equal(fake_count(s->path, check), 1);
	s->options.keep_bytes = 1;
	fake_store_open(s);
	fake_store_flush(s);
	s->options.keep_bytes = 1 << 20;
	fake_store_close(s);
	assert_int_equal(kept_aside(s), 1);
	fake_store_open(s);
	put_runs(s, 3);
	fake_store_flush(s);
	assert_int_equal(kept_aside(s), 1);
}

/* A name is gone that runs have: their aggregates cannot be written. */
static void test_a_fold_that_cannot_be(void **state)
{
	struct fake_store *s = *state;

	fake_store_open(s);
	put_runs(s, 5);
	fake_store_flush(s);
	fake_store_close(s);
	exec_sql(s->path, "DELETE FROM module_day; UPDATE run SET state = 1;"
			  "DELETE FROM name WHERE s = 'json'");
	fake_store_open(s);
	fake_store_flush(s);
	assert_begun_anew(s);
}

static void test_what_is_queued_goes_into_the_new_one(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;

	fake_store_open(s);
	put_runs(s, 100);
	fake_store_flush(s);
	gate_set(false, SQLITE_CORRUPT, SQLITE_OK);
	put_runs(s, 5);
	fake_wait(s, fake_errors, 4); /* it does not spin, nor leave a file behind each time */
	gate_set(false, SQLITE_OK, SQLITE_OK);
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.last_error, 0);
	assert_true(stats.errors < 20);
	assert_int_equal(kept_aside(s), 1);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs_plain, 5);
	h = store_history_free(h);
}

/* Sound after all: what goes on goes on, and its end takes the place of its checkpoint. */
static void test_opened_again_it_goes_on(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_run(s, &f, "server", 1);
	f.p->ended = false;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_store_flush(s);
	gate_fail_once(SQLITE_CORRUPT);
	put_runs(s, 1);
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.errors, 1);
	assert_string_equal(stats.moved_aside, "");
	f.p->ended = true;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_store_flush(s);
	h = fake_history(s, "server", 0, 1);
	assert_int_equal(h->runs_plain, 1);
	assert_true(h->recent[0].ended);
	h = store_history_free(h);
	fake_free(&f);
	fake_store_close(s);
	fake_assert_clean(s->path);
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM run"), 2);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_damage_that_only_a_step_sees),
		WITH_STORE(test_a_fold_that_cannot_be),
		WITH_STORE(test_what_is_queued_goes_into_the_new_one),
		WITH_STORE(test_opened_again_it_goes_on),
	};
	gate_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

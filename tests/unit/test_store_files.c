/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What may be wrong with a database when it is opened, what is written down in it, and two made one. */
#include <fcntl.h>
#include <sys/wait.h>

#include "fake_store.h"
#include "unit/has.h"

static void exec_sql(const char *path, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

static void fill(struct fake_store *s)
{
	fake_store_open(s);
	for (int i = 0; i < 50; i++)
		fake_put_run(s, "shop", 1, fake_noon(i % 5));
	fake_store_flush(s);
	fake_store_close(s);
}

static void test_a_new_one_is_made_and_found_again(void **state)
{
	struct fake_store *s = *state;
	struct store_open_report report;

	assert_int_equal(store_open_writer(s->path, &s->options, &s->w, &report, s->reason), 0);
	assert_true(report.created);
	assert_string_equal(report.moved_aside, "");
	fake_store_close(s);
	assert_int_equal(store_open_writer(s->path, &s->options, &s->w, &report, s->reason), 0);
	assert_false(report.created);
}

static void test_a_second_writer_is_refused(void **state)
{
	struct fake_store *s = *state;
	struct store_writer *w = NULL;
	int status;
	pid_t pid;

	fake_store_open(s);
	assert_int_equal(store_open_writer(s->path, NULL, &w, NULL, s->reason), -EBUSY);
	assert_non_null(strstr(s->reason, "another lmmsd"));
	assert_null(w);
	pid = fork();
	if (pid == 0)
		_exit(store_open_writer(s->path, NULL, &w, NULL, s->reason) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fake_put_run(s, "shop", 1, fake_noon(0));
	fake_store_flush(s);
	fake_store_close(s);
	fake_store_open(s);
}

/* The least newer one is as foreign as any: it may be read no better than written. */
static void test_a_newer_schema_is_refused_and_left_alone(void **state)
{
	static const int newer[] = {STORE_SCHEMA + 1, STORE_SCHEMA + 98};
	struct fake_store *s = *state;
	struct store *r = NULL;
	char sql[64], said[64];

	fill(s);
	for (size_t i = 0; i < ARRAY_LEN(newer); i++) {
		(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", newer[i]);
		(void)snprintf(said, sizeof(said), "newer lmmsd (schema %d, this one knows %d)",
			       newer[i], STORE_SCHEMA);
		exec_sql(s->path, sql);
		assert_int_equal(store_check(s->path, s->reason), -EPROTO);
		has(s->reason, said);
		assert_int_equal(store_open_writer(s->path, &s->options, &s->w, NULL, s->reason),
				 -EPROTO);
		has(s->reason, said);
		assert_int_equal(store_open(s->path, STORE_READ, &r, s->reason), -EPROTO);
		has(s->reason, said);
		assert_int_equal(store_open(s->path, STORE_EDIT, &r, s->reason), -EPROTO);
		has(s->reason, said);
		assert_int_equal(fake_count(s->path, "PRAGMA user_version"), newer[i]);
	}
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", STORE_SCHEMA);
	exec_sql(s->path, sql);
	fake_store_open(s);
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM run"), 50);
}

/* Its bytes and times, and that nothing lies beside it. */
static void check_left_alone(struct fake_store *s, int want, const char *why)
{
	static const char *const beside[] = {"-wal", "-shm", "-lock", "-journal"};
	struct stat before, after;
	struct store *r = NULL;

	assert_int_equal(stat(s->path, &before), 0);
	assert_int_equal(store_check(s->path, s->reason), want);
	assert_int_equal(store_open_writer(s->path, &s->options, &s->w, NULL, s->reason), want);
	if (!strstr(s->reason, why))
		fail_msg("it says: %s", s->reason);
	assert_int_equal(store_open(s->path, STORE_READ, &r, s->reason), want);
	assert_int_equal(store_open(s->path, STORE_EDIT, &r, s->reason), want);
	assert_int_equal(stat(s->path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_size, before.st_size);
	assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
	assert_memory_equal(&after.st_ctim, &before.st_ctim, sizeof(after.st_ctim));
	for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
		char name[128];

		(void)snprintf(name, sizeof(name), "%s%s", s->path, beside[i]);
		assert_int_not_equal(access(name, F_OK), 0);
	}
}

static void test_another_programs_database_is_refused(void **state)
{
	struct fake_store *s = *state;

	exec_sql(s->path, "CREATE TABLE cookies(a)");
	check_left_alone(s, -EMEDIUMTYPE, "another program");
	exec_sql(s->path, "PRAGMA journal_mode = WAL; INSERT INTO cookies VALUES(1)");
	check_left_alone(s, -EMEDIUMTYPE, "another program");
	exec_sql(s->path, "SELECT a FROM cookies");
}

/* Not one of these has a byte that says that it is ours. */
static void test_other_files_are_refused(void **state)
{
	static const char sql[] = "CREATE TABLE app_day(app INTEGER NOT NULL REFERENCES name);\n";
	static const char bad_header[100] = "SQLite format 3";
	struct fake_store *s = *state;
	const struct {
		const char *data;
		size_t n;
		const char *why;
	} rows[] = {
		{"a", 1, "text"},
		{"this is a text\n", 15, "text"},
		{sql, sizeof(sql) - 1, "text"}, /* a dump of a database of ours */
		{"\x7f"
		 "ELF\0\0",
		 6, "another kind"},
		{bad_header, sizeof(bad_header), "another kind"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FILE *f = fopen(s->path, "w");

		assert_non_null(f);
		for (int n = 0; n < (i ? 100 : 1); n++) /* SQLite takes one byte for none */
			assert_int_equal(fwrite(rows[i].data, rows[i].n, 1, f), 1);
		assert_int_equal(fclose(f), 0);
		check_left_alone(s, -EMEDIUMTYPE, rows[i].why);
	}
	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(mkdir(s->path, 0700), 0);
	check_left_alone(s, -EMEDIUMTYPE, "a directory");
	assert_int_equal(rmdir(s->path), 0);
	assert_int_equal(mkfifo(s->path, 0600), 0);
	check_left_alone(s, -EMEDIUMTYPE, "no plain file");
}

/* Killed before its first checkpoint: all that says whose it is lies in the WAL. */
static void test_one_whose_first_page_is_in_the_wal(void **state)
{
	struct fake_store *s = *state;
	char from[128], to[128], command[640];
	sqlite3 *h;

	/* as lmmsd made them before: the WAL first */
	assert_int_equal(sqlite3_open(s->path, &h), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(h,
			     "PRAGMA journal_mode = WAL; BEGIN; CREATE TABLE t(a);"
			     "PRAGMA application_id = 1819110771; PRAGMA user_version = 99;"
			     "COMMIT",
			     NULL, NULL, NULL),
		SQLITE_OK);
	(void)snprintf(from, sizeof(from), "%s", s->path);
	(void)snprintf(to, sizeof(to), "%s/killed.db", s->dir);
	(void)snprintf(command, sizeof(command), "cp '%s' '%s' && cp '%s-wal' '%s-wal'", from, to,
		       from, to);
	assert_int_equal(system(command), 0);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
	assert_int_equal(store_check(to, s->reason), -EPROTO);
	assert_non_null(strstr(s->reason, "newer lmmsd (schema 99"));
}

static void overwrite(const char *path, off_t at, size_t n)
{
	char junk[4096];
	int fd = open(path, O_WRONLY);

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0 && n <= sizeof(junk));
	assert_int_equal(pwrite(fd, junk, n, at), n);
	assert_int_equal(close(fd), 0);
}

static void check_moved_aside(struct fake_store *s)
{
	struct store_open_report report;
	struct mdl_history *h;

	assert_int_equal(store_open_writer(s->path, &s->options, &s->w, &report, s->reason), 0);
	assert_non_null(strstr(report.moved_aside, ".corrupt-2"));
	assert_non_null(strstr(s->reason, "damaged"));
	assert_non_null(strstr(s->reason, report.moved_aside));
	assert_int_equal(access(report.moved_aside, F_OK), 0);
	assert_true(report.created);
	fake_put_run(s, "shop", 1, fake_noon(0));
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 9);
	assert_int_equal(h->runs_plain, 1);
	h = store_history_free(h);
}

static void test_a_bad_header_is_kept_aside(void **state)
{
	struct fake_store *s = *state;
	struct store *r = NULL;

	fill(s);
	overwrite(s->path, 0, 100);
	assert_int_equal(store_open(s->path, STORE_READ, &r, s->reason), -EUCLEAN);
	assert_non_null(strstr(s->reason, "damaged"));
	check_moved_aside(s);
}

static void test_bad_pages_are_kept_aside(void **state)
{
	struct fake_store *s = *state;
	struct stat st;

	fill(s);
	assert_int_equal(stat(s->path, &st), 0);
	for (off_t at = 4096; at < st.st_size; at += 4096)
		overwrite(s->path, at, 4096);
	check_moved_aside(s);
}

/* What a power cut leaves: the lock file beside it says that it was ours. */
static void test_zeros_are_kept_aside(void **state)
{
	struct fake_store *s = *state;
	struct stat st;

	fill(s);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(truncate(s->path, 0), 0);
	assert_int_equal(truncate(s->path, st.st_size), 0);
	check_moved_aside(s);
}

/* All its runs are listed, whatever became of their times. */
static void check_listed(struct fake_store *s, uint64_t runs)
{
	struct store *r = fake_store_reader(s, STORE_READ);
	struct store_apps apps;

	assert_int_equal(store_apps(r, FAKE_DAY(0), FAKE_DAY(9), &apps), 0);
	assert_int_equal(apps.n, 1);
	assert_string_equal(apps.apps[0].name, "shop");
	assert_int_equal(apps.apps[0].runs[MDL_RUN_WARM], runs);
	assert_true(apps.apps[0].first_ns > 0 && apps.apps[0].first_ns < apps.apps[0].last_ns);
	assert_true(apps.apps[0].cold_start.count > 0 && apps.apps[0].cold_start.count < runs);
	store_apps_free(&apps);
	r = store_close(r);
}

/* Sound for SQLite, but not what was written: the rest is read, and runs are added as ever. */
static void test_damaged_cells_do_not_stand_in_the_way(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;

	fill(s);
	exec_sql(s->path, "UPDATE module_day SET total = x'ff00ff' WHERE day % 2;"
			  "UPDATE module_day SET places = x'01' WHERE day % 3 = 0;"
			  "UPDATE app_day SET cold_start = x'0105' WHERE day % 2;"
			  "UPDATE edge_day SET edges = x'01ff' WHERE day % 2;"
			  "UPDATE run SET state = 1 WHERE id = 7;"
			  "UPDATE run_data SET data = x'01' WHERE id = 7");
	h = fake_history(s, "shop", 0, 9);
	assert_in_range(h->runs_plain, 50, 51);
	assert_true(h->cold_start.count > 0 && h->cold_start.count < 50);
	h = store_history_free(h);
	check_listed(s, 51); /* run 7 is counted twice: as one that waits */
	fake_store_open(s);
	for (int i = 0; i < 5; i++)
		fake_put_run(s, "shop", 1, fake_noon(i));
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.last_error, 0);
	h = fake_history(s, "shop", 0, 9);
	assert_int_equal(h->runs_plain, 55);
	h = store_history_free(h);
}

/* Runs that are well-formed and have names that are not there: left out as bad, and those that follow are folded. */
static void test_unknown_names_do_not_stand_in_the_way(void **state)
{
	static const char *const data[] = {
		"010101c0843d0000000000",     /* a module's name */
		"010101014000c0843d000000",   /* its package */
		"01010101800400c0843d000000", /* its file */
		"0101000101c0843d0000000100", /* an importer */
		"01010001c0843d010000000100", /* an edge's module */
		"0101000101010000c0843d0100", /* and its file */
	};
	struct fake_store *s = *state;
	struct store_stats stats;
	char sql[200];

	fill(s);
	for (size_t i = 0; i < ARRAY_LEN(data); i++) {
		(void)snprintf(sql, sizeof(sql),
			       "UPDATE run SET state = 1 WHERE id = %zu;"
			       "UPDATE run_data SET data = x'%s' WHERE id = %zu",
			       i + 3, data[i], i + 3);
		exec_sql(s->path, sql);
	}
	store_history_free(fake_history(s, "shop", 0, 9));
	fake_store_open(s);
	fake_put_run(s, "shop", 1, fake_noon(2));
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.last_error, 0);
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.lost[LMMSD_LOST_BAD_RECORD], ARRAY_LEN(data));
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM run WHERE state = 1"), 0);
	fake_store_close(s);
	assert_int_equal(fake_count(s->path, "SELECT sum(warm) FROM app_day"), 51);
	assert_int_equal(fake_count(s->path,
				    "SELECT sum(count) FROM lost_day WHERE reason = 'bad_record'"),
			 ARRAY_LEN(data));
}

static void test_an_empty_file_is_a_new_database(void **state)
{
	struct fake_store *s = *state;
	int fd = open(s->path, O_CREAT | O_WRONLY, 0600);
	struct store *r = NULL;

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(store_open(s->path, STORE_READ, &r, s->reason), -ENOENT);
	assert_non_null(strstr(s->reason, "empty"));
	fill(s);
}

static void test_places_where_there_is_none(void **state)
{
	struct fake_store *s = *state;
	struct store *r = NULL;
	char path[256];

	assert_int_equal(store_open(s->path, STORE_READ, &r, s->reason), -ENOENT);
	assert_non_null(strstr(s->reason, "no such file"));
	assert_int_equal(store_open(s->dir, STORE_READ, &r, s->reason), -EMEDIUMTYPE);
	assert_non_null(strstr(s->reason, "it is a directory"));
	(void)snprintf(path, sizeof(path), "%s/no/such/dir.db", s->dir);
	assert_int_equal(store_open_writer(path, NULL, &s->w, NULL, s->reason), -ENOENT);
	assert_true(s->reason[0]);
	assert_true(store_open_writer(s->dir, NULL, &s->w, NULL, s->reason) < 0);
	assert_true(s->reason[0]);
	assert_null(s->w);
}

/* Closed in order, then copied to where nobody may write. */
static void test_a_copy_without_wal_in_a_read_only_place(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;

	fill(s);
	assert_int_equal(chmod(s->path, 0400), 0);
	assert_int_equal(chmod(s->dir, 0500), 0);
	if (getuid() == 0 && (setegid(65534) < 0 || chown(s->dir, 65534, 65534) < 0 ||
			      chown(s->path, 65534, 65534) < 0 || seteuid(65534) < 0))
		skip();
	h = fake_history(s, "shop", 0, 9);
	if (getuid() == 0 && (seteuid(0) < 0 || setegid(0) < 0))
		fail();
	assert_int_equal(chmod(s->dir, 0700), 0);
	assert_int_equal(h->runs_plain, 50);
	h = store_history_free(h);
}

static void test_reading_changes_nothing(void **state)
{
	struct fake_store *s = *state;
	struct store *r;
	const struct mdl_trigger t = {.app = "shop", .kind = "regression"};

	fill(s);
	r = fake_store_reader(s, STORE_READ);
	assert_int_equal(store_mark_set(r, "a", "b"), -EROFS);
	assert_int_equal(store_trigger_add(r, &t), -EROFS);
	assert_int_equal(store_baseline_delete(r, NULL, "b"), -EROFS);
	assert_non_null(strstr(store_error(r), "reading only"));
	r = store_close(r);
}

static void test_readers_and_editors_beside_a_writer(void **state)
{
	struct fake_store *s = *state;
	struct store *r, *e;
	struct mdl_history *h;

	fake_store_open(s);
	r = fake_store_reader(s, STORE_READ);
	e = fake_store_reader(s, STORE_EDIT);
	for (int i = 0; i < 30; i++) {
		fake_put_run(s, "shop", 1, fake_noon(0));
		fake_store_flush(s);
		assert_int_equal(store_mark_set(e, "n", i % 2 ? "odd" : "even"), 1);
		assert_int_equal(store_history(r, "shop", FAKE_DAY(0), FAKE_DAY(1), &h), 0);
		assert_int_equal(h->runs_plain, i + 1);
		h = store_history_free(h);
	}
	r = store_close(r);
	e = store_close(e);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_a_new_one_is_made_and_found_again),
		WITH_STORE(test_a_second_writer_is_refused),
		WITH_STORE(test_a_newer_schema_is_refused_and_left_alone),
		WITH_STORE(test_another_programs_database_is_refused),
		WITH_STORE(test_a_bad_header_is_kept_aside),
		WITH_STORE(test_bad_pages_are_kept_aside),
		WITH_STORE(test_zeros_are_kept_aside),
		WITH_STORE(test_other_files_are_refused),
		WITH_STORE(test_one_whose_first_page_is_in_the_wal),
		WITH_STORE(test_damaged_cells_do_not_stand_in_the_way),
		WITH_STORE(test_unknown_names_do_not_stand_in_the_way),
		WITH_STORE(test_an_empty_file_is_a_new_database),
		WITH_STORE(test_places_where_there_is_none),
		WITH_STORE(test_a_copy_without_wal_in_a_read_only_place),
		WITH_STORE(test_reading_changes_nothing),
		WITH_STORE(test_readers_and_editors_beside_a_writer),

	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A database of its own for each test, and runs to put into it. */
#pragma once
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store.h"
#include "unit/fake_profile.h"

#define FAKE_MS 1000000ULL
#define FAKE_DAY_NS 86400000000000LL
#define FAKE_BOOT "0f9c2c5e-1111-2222-3333-444455556666"

struct fake_store {
	char dir[64];
	char path[96];
	char reason[STORE_REASON_MAX];
	struct store_options options;
	struct store_writer *w;
	uint32_t pid;
};

static inline int fake_store_setup(void **state)
{
	struct fake_store *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	(void)snprintf(f->dir, sizeof(f->dir), "%s/lmmsd-store-XXXXXX",
		       getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 32 ? getenv("TMPDIR") :
									   "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->path, sizeof(f->path), "%s/lmmsd.db", f->dir);
	f->options = store_default_options;
	f->options.commit_ms = 10;
	f->options.keep_days = 100000; /* these runs are of 2023 */
	f->pid = 100;
	*state = f;
	return 0;
}

static inline int fake_store_teardown(void **state)
{
	struct fake_store *f = *state;
	char command[128];

	f->w = store_close_writer(f->w, 5000);
	(void)snprintf(command, sizeof(command), "rm -rf -- '%s'", f->dir);
	if (system(command) != 0)
		return -1;
	free(f);
	return 0;
}

static inline void fake_store_open(struct fake_store *f)
{
	if (store_open_writer(f->path, &f->options, &f->w, NULL, f->reason) < 0)
		fail_msg("store_open_writer: %s", f->reason);
}

static inline void fake_store_close(struct fake_store *f)
{
	f->w = store_close_writer(f->w, 5000);
}

static inline void fake_store_flush(struct fake_store *f)
{
	assert_int_equal(store_flush(f->w, 20000), 0);
}

/* Midday of a day of 2023, so that time zones and leap seconds do not matter. */
static inline int64_t fake_noon(int day)
{
	return store_day_start(store_day_civil(2023, 11, 1) + day) + FAKE_DAY_NS / 2;
}
#define FAKE_DAY(day) (store_day_civil(2023, 11, 1) + (day))

/* Puts what f->p has, begun at that time. */
static inline int fake_put(struct fake_store *s, struct fake *f, int64_t at_ns)
{
	const struct store_put_info info = {
		.boot_id = FAKE_BOOT,
		.realtime_offset_ns = at_ns - (int64_t)f->p->begin_ns,
	};

	return store_put(s->w, f->p, &info);
}

/*
 * A run that loads web (which loads json, saving 2 ms) and uses csv in a function: the times are factor times 5, 2
 * and 1 ms.
 */
static inline void fake_run(struct fake_store *s, struct fake *f, const char *app, double factor)
{
	uint64_t ms = (uint64_t)(factor * 1e6);

	f->now_ns += 3600000000000; /* long after boot */
	fake_process(f, app, s->pid++);
	fake_begin(f, "__main__", "web", LMMSD_PLACE_MODULE);
	fake_spend(f, 3 * ms);
	fake_leaf(f, "web", "json", LMMSD_PLACE_MODULE, 2 * ms);
	fake_end(f);
	fake_started(f);
	fake_leaf(f, "web", "csv", LMMSD_PLACE_FUNCTION, ms);
	fake_module(f, "web")->saving_ns = 5 * ms;
	fake_module(f, "json")->saving_ns = 2 * ms;
	f->p->interpreter_ns = 10 * ms;
	fake_done(f);
}

static inline void fake_put_run(struct fake_store *s, const char *app, double factor, int64_t at_ns)
{
	struct fake f;

	fake_init(&f);
	fake_run(s, &f, app, factor);
	assert_int_equal(fake_put(s, &f, at_ns), 0);
	fake_free(&f);
}

static inline struct store *fake_store_reader(struct fake_store *f, enum store_mode mode)
{
	struct store *s = NULL;

	if (store_open(f->path, mode, &s, f->reason) < 0)
		fail_msg("store_open: %s", f->reason);
	return s;
}

static inline struct mdl_history *fake_history(struct fake_store *f, const char *app, int since,
					       int until)
{
	struct store *s = fake_store_reader(f, STORE_READ);
	struct mdl_history *h = NULL;
	int r = store_history(s, app, FAKE_DAY(since), FAKE_DAY(until), &h);

	if (r < 0)
		fail_msg("store_history: %d %s", r, store_error(s));
	(void)store_close(s);
	return h;
}

static inline const struct mdl_hist_module *fake_find(const struct mdl_history *h, const char *name)
{
	for (size_t i = 0; i < h->n_modules; i++)
		if (!strcmp(h->modules[i].name, name))
			return &h->modules[i];
	fail_msg("no module '%s'", name);
	return NULL;
}

/* Waits until the writer's counter reaches it; the writer's own thread raises it. */
static inline void fake_wait(struct fake_store *f, uint64_t (*value)(const struct store_stats *s),
			     uint64_t want)
{
	const struct timespec tick = {0, 2000000};
	struct store_stats s;

	for (int i = 0; i < 10000; i++) {
		store_writer_stats(f->w, &s);
		if (value(&s) >= want)
			return;
		(void)nanosleep(&tick, NULL); /* lint: allow(sleeps) a bounded poll */
	}
	fail_msg("waited for %llu in vain: %s", (unsigned long long)want, s.error);
}

static inline uint64_t fake_committed(const struct store_stats *s)
{
	return s->committed;
}

static inline uint64_t fake_errors(const struct store_stats *s)
{
	return s->errors;
}

static inline uint64_t fake_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One number from the database at path. */
static inline int64_t fake_count(const char *path, const char *sql)
{
	sqlite3_stmt *st;
	sqlite3 *h;
	int64_t n;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
	return n;
}

/* The database is whole, and each run is in the aggregates or waits for it. */
static inline void fake_assert_clean(const char *path)
{
	assert_int_equal(fake_count(path, "SELECT count(*) FROM pragma_integrity_check"
					  " WHERE integrity_check <> 'ok'"),
			 0);
	assert_int_equal(fake_count(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(fake_count(path, "SELECT (SELECT count(*) FROM run WHERE state = 2)"
					  " - (SELECT coalesce(sum(warm + cold), 0) FROM app_day)"),
			 0);
	assert_int_equal(
		fake_count(path,
			   "SELECT (SELECT count(*) FROM run) - (SELECT count(*) FROM run_data)"),
		0);
}

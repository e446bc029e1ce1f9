/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: clock_gettime
/* The daemon's second thread: triggers are noticed once and stored, reviews found again, failures counted. */
#include "app/reviewer.h"

#include <errno.h>

#include "app/reviewer_int.h"
#include "app/reviewing.h"
#include "base/log.h"
#include "fake_store.h"
#include "review/review.h"
#include "unit/has.h"
#include "unit/said.h"

#define DAYS 36
#define RUNS 12

/* Unix time is that of a Wednesday's midday, since weekends are compared with weekends. */
static int64_t wednesday_s;
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	static time_t first;
	int r = __real_clock_gettime(clock, ts);

	if (clock == CLOCK_REALTIME) {
		first = first ? first : ts->tv_sec;
		ts->tv_sec += wednesday_s - first;
	}
	return r;
}

/* Midday of so many days ago. */
static int64_t noon_of(int ago)
{
	return store_day_start(store_today() - ago) + FAKE_DAY_NS / 2;
}

/* Runs of each day until yesterday; from `since` days ago on they take twice as long. */
static void fill(struct fake_store *s, int since)
{
	static const double wave[] = {1, 1.01, 0.99, 1.02, 0.98, 1.01, 0.99};

	fake_store_open(s);
	for (int ago = DAYS; ago >= 1; ago--)
		for (int i = 0; i < RUNS; i++)
			fake_put_run(s, "shop", 4 * wave[(ago + i) % 7] * (ago <= since ? 2 : 1),
				     noon_of(ago));
	fake_store_flush(s);
	fake_store_close(s);
}

static struct reviewer fresh(void)
{
	return (struct reviewer){.lock = PTHREAD_MUTEX_INITIALIZER, .month_done = INT32_MIN};
}

static int look(struct fake_store *s, struct reviewer *r)
{
	const struct reviewer_settings settings = {.thresholds = review_default_thresholds};
	struct store *e = fake_store_reader(s, STORE_EDIT);
	int ret;

	said_begin();
	log_setup("lmmsd", LOG_LEVEL_INFO);
	ret = reviewer_triggers(r, &settings, e);
	said_end();
	(void)store_close(e);
	return ret;
}

static uint64_t all_triggers(const struct reviewer *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < REVIEWER_KINDS; i++)
		n += r->counts.triggers[i];
	return n;
}

static void test_told_once(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	fill(s, 3); /* as many days as it takes to be sure */
	assert_int_equal(look(s, &r), 0);
	assert_true(r.counts.triggers[RV_REGRESSION] >= 1);
	has(SAID, "profile 'shop' again: regression");
	has(SAID, ": before ");
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM noticed"), all_triggers(&r));
	assert_int_equal(
		fake_count(s->path,
			   "SELECT count(*) FROM mark WHERE name = '" REVIEWING_MARK_EVALUATED "'"),
		1);
	/* another daemon finds it stored */
	r = fresh();
	assert_int_equal(look(s, &r), 0);
	assert_int_equal(all_triggers(&r), 0);
	assert_string_equal(SAID, "");
	/* it was told of the days before only, and those are long ago */
	assert_int_equal(fake_count(s->path, "UPDATE noticed SET at = at - 20 * 86400000000000"
					     " RETURNING 1"),
			 1);
	r = fresh();
	assert_int_equal(look(s, &r), 0);
	assert_true(all_triggers(&r) >= 1);
}

static void test_calm(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	fill(s, 0);
	assert_int_equal(look(s, &r), 0);
	assert_int_equal(all_triggers(&r), 0);
	/* an app that has not run since the last look is not looked at again */
	assert_true(r.evaluated_ns > 0);
	r.stop = true; /* a look at one would be given up */
	assert_int_equal(look(s, &r), 0);
	r.evaluated_ns = 0;
	assert_int_equal(look(s, &r), -ECANCELED);
}

static void write_file(const struct fake_store *s, const char *name)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
}

static void test_newest(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	reviewer_newest(&r, s->dir);
	assert_string_equal(r.counts.newest, "");
	assert_int_equal(r.counts.last_review_s, 0);
	write_file(s, "lmmsd-2023-11.html");
	write_file(s, "lmmsd-2024-01.html");
	write_file(s, "lmmsd-2024-02.json");
	write_file(s, "lmmsd-2023-12.html");
	write_file(s, "zzz.html");
	reviewer_newest(&r, s->dir);
	assert_string_equal(r.counts.newest, "lmmsd-2024-01.html");
	assert_true(r.counts.last_review_s > 0);
	reviewer_newest(&r, "/nowhere");
	assert_string_equal(r.counts.newest, "");
}

/* Until the thread has done that much. */
static struct reviewer_counts wait_counts(struct reviewer *r, uint64_t evaluations,
					  uint64_t failures)
{
	const struct timespec tick = {0, 2000000};
	struct reviewer_counts c;

	for (int i = 0; i < 20000; i++) {
		reviewer_counts(r, &c);
		if (c.evaluations >= evaluations && c.failures >= failures)
			return c;
		(void)nanosleep(&tick, NULL); /* lint: allow(sleeps) a bounded poll */
	}
	fail_msg("waited in vain");
	return c;
}

static struct config *config_at(const char *db, const char *reviews)
{
	_buf_ struct buf error = {0};
	struct config *c = NULL;

	assert_int_equal(config_new(&c), 0);
	assert_int_equal(config_set_flag(c, "db", db, &error), 0);
	free(c->reviews);
	c->reviews = strdup(reviews);
	return c;
}

static void test_thread(void **state)
{
	struct fake_store *s = *state;
	struct config *bad = config_at("/nowhere/lmmsd.db", s->dir);
	struct config *good = config_at(s->path, s->dir);
	struct reviewer_counts c;
	struct reviewer *r;

	fill(s, 0);
	said_begin();
	log_setup("lmmsd", LOG_LEVEL_INFO);
	assert_int_equal(reviewer_start(good, &r), 0);
	(void)wait_counts(r, 1, 0);
	/* a reload looks at once, and what fails is told once */
	assert_int_equal(reviewer_reload(r, bad), 0);
	(void)wait_counts(r, 1, 1);
	assert_int_equal(reviewer_reload(r, bad), 0);
	(void)wait_counts(r, 1, 2);
	assert_int_equal(reviewer_reload(r, good), 0);
	c = wait_counts(r, 2, 2);
	assert_null(reviewer_stop(r, 20000));
	said_end();
	assert_int_equal(c.failures, 2);
	assert_int_equal(all_triggers(&(struct reviewer){.counts = c}), 0);
	has(SAID, "cannot review: the database '/nowhere/lmmsd.db'");
	assert_null(strstr(strstr(SAID, "cannot review") + 1, "cannot review"));
	assert_null(reviewer_stop(NULL, 1));
	(void)config_free(bad);
	(void)config_free(good);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_told_once),
		WITH_STORE(test_calm),
		WITH_STORE(test_newest),
		WITH_STORE(test_thread),
	};

	wednesday_s = store_day_start(store_day_civil(2026, 3, 11)) / 1000000000 + 43200;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

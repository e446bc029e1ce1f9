/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which months get a review, and when, whatever the clock says in between. */
#include <errno.h>

#include "app/reviewer_int.h"
#include "app/reviewing.h"
#include "fake_store.h"

#define NOON(year, month, day)                                                                     \
	(store_day_start(store_day_civil(year, month, day)) + FAKE_DAY_NS / 2)

#define MINUTE_NS 60000000000ll

static int64_t passed = 1; /* since the host was started */

/* A look of the reviewer at that time. */
static int try_look(struct fake_store *s, struct reviewer *r, int64_t now_ns)
{
	struct config *config = NULL;
	struct reviewer_settings settings = {.reviews = s->dir};
	struct store *e = fake_store_reader(s, STORE_EDIT);
	int ret;

	assert_int_equal(config_new(&config), 0);
	settings.thresholds = reviewing_thresholds(config);
	settings.basis = reviewing_basis(config);
	ret = reviewer_months(r, &settings, e, now_ns, passed);
	config = config_free(config);
	e = store_close(e);
	return ret;
}

/* ... a minute after the last one, that goes well; returns how many reviews it wrote. */
static uint64_t look(struct fake_store *s, struct reviewer *r, int64_t now_ns)
{
	uint64_t before = r->counts.reviews;

	passed += MINUTE_NS;
	assert_int_equal(try_look(s, r, now_ns), 0);
	return r->counts.reviews - before;
}

/* ... after it has said so for an hour. */
static uint64_t look_for_an_hour(struct fake_store *s, struct reviewer *r, int64_t now_ns)
{
	uint64_t n = look(s, r, now_ns);

	passed += 59 * MINUTE_NS;
	return n + look(s, r, now_ns + 60 * MINUTE_NS);
}

static void put_runs(struct fake_store *s, int64_t at_ns)
{
	fake_store_open(s);
	for (int i = 0; i < 5; i++)
		fake_put_run(s, "shop", 1, at_ns);
	fake_store_flush(s);
	fake_store_close(s);
}

static void assert_mark(struct fake_store *s, const char *month, const char *value)
{
	struct store *e = fake_store_reader(s, STORE_READ);
	char got[16] = "", name[32];

	(void)snprintf(name, sizeof(name), "review/%s", month);
	(void)store_mark_get(e, name, got, sizeof(got));
	assert_string_equal(got, value);
	e = store_close(e);
}

static struct reviewer fresh(void)
{
	return (struct reviewer){.lock = PTHREAD_MUTEX_INITIALIZER, .month_done = INT32_MIN};
}

static void test_clock_ahead_for_a_look(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	put_runs(s, NOON(2023, 11, 10));
	assert_int_equal(look(s, &r, NOON(2024, 6, 1)), 1);
	assert_mark(s, "2023-11", "done");
	assert_mark(s, "2023-12", "");
	assert_mark(s, "2024-05", "");

	assert_int_equal(look_for_an_hour(s, &r, NOON(2023, 11, 20)), 0);
	assert_mark(s, "2023-11", "");
	put_runs(s, NOON(2023, 11, 25));
	assert_int_equal(look(s, &r, NOON(2023, 12, 2)), 1);
	put_runs(s, NOON(2023, 12, 10));
	assert_int_equal(look(s, &r, NOON(2023, 12, 20)), 0);
	assert_int_equal(look(s, &r, NOON(2024, 1, 2)), 1);
	assert_mark(s, "2023-12", "done");
}

/* The runs of that time lie in the future, and the daemon was started again in between. */
static void test_clock_ahead_with_runs(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	put_runs(s, NOON(2023, 11, 10));
	put_runs(s, NOON(2024, 6, 1));
	assert_int_equal(look(s, &r, NOON(2024, 6, 1)), 1);
	assert_mark(s, "2023-12", "empty");

	r = fresh();
	assert_int_equal(look_for_an_hour(s, &r, NOON(2023, 12, 2)), 0);
	put_runs(s, NOON(2023, 12, 10));
	assert_int_equal(look(s, &r, NOON(2024, 1, 2)), 1);
	assert_mark(s, "2023-11", "done");
	assert_mark(s, "2023-12", "done");
}

/* A clock that is behind, as before the network is up, costs no review. */
static void test_clock_of_1970(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	put_runs(s, NOON(2023, 11, 10));
	assert_int_equal(look(s, &r, NOON(2023, 12, 2)), 1);
	r = fresh();
	assert_int_equal(look(s, &r, NOON(1970, 1, 1)), 0);
	assert_mark(s, "2023-11", "done");
	assert_int_equal(look(s, &r, NOON(2023, 12, 3)), 0);
}

/* As on a host that has none of its own, and begins with the day its system was built until it has asked for the time. */
static void test_clock_behind_at_the_start(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();

	put_runs(s, NOON(2023, 11, 10));
	put_runs(s, NOON(2023, 12, 10));
	put_runs(s, NOON(2024, 1, 10));
	assert_int_equal(look_for_an_hour(s, &r, NOON(2024, 2, 2)), 3);
	for (int i = 0; i < 3; i++) {
		r = fresh();
		assert_int_equal(look(s, &r, NOON(2023, 12, 24)), 0);
		passed += 58 * MINUTE_NS;
		assert_int_equal(look(s, &r, NOON(2023, 12, 24)), 0);
		assert_mark(s, "2023-12", "done");
		assert_int_equal(look_for_an_hour(s, &r, NOON(2024, 2, 3)), 0);
		assert_int_equal(look(s, &r, NOON(2023, 12, 24)), 0);
		assert_int_equal(look(s, &r, NOON(2024, 2, 4)), 0);
	}
	assert_mark(s, "2023-12", "done");
	assert_mark(s, "2024-01", "done");
}

/* What stands in the way of one month stands in the way of no other, and is tried again. */
static void test_a_month_that_fails(void **state)
{
	struct fake_store *s = *state;
	struct reviewer r = fresh();
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/lmmsd-2023-11.md", s->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put_runs(s, NOON(2023, 11, 10));
	put_runs(s, NOON(2023, 12, 10));
	assert_int_equal(try_look(s, &r, NOON(2024, 1, 2)), -EISDIR);
	assert_mark(s, "2023-11", "");
	assert_mark(s, "2023-12", "done");
	assert_int_equal(try_look(s, &r, NOON(2024, 1, 2)), -EISDIR);
	assert_int_equal(r.counts.reviews, 1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(look(s, &r, NOON(2024, 1, 2)), 1);
	assert_mark(s, "2023-11", "done");
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_clock_ahead_for_a_look), WITH_STORE(test_clock_ahead_with_runs),
		WITH_STORE(test_clock_of_1970),		 WITH_STORE(test_clock_behind_at_the_start),
		WITH_STORE(test_a_month_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

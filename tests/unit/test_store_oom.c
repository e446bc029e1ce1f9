/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* The store when memory runs out: each allocation fails once; nothing is lost but what is counted. */
#include <errno.h>

#include "unit/fake_store.h"
#include "unit/no_memory.h"

static void fill(struct fake_store *s)
{
	const struct mdl_trigger t = {.app = "shop", .kind = "regression"};

	fake_store_open(s);
	assert_int_equal(store_put_trigger(s->w, &t), 0);
	for (int i = 0; i < 20; i++)
		fake_put_run(s, i % 2 ? "shop" : "batch", 1 + i % 3, fake_noon(i % 4));
	fake_store_flush(s);
	fake_store_close(s);
}

/* Everything that is read, once; 0 or the first error. */
static int read_all(struct fake_store *f)
{
	struct store *s = NULL;
	struct mdl_history *h = NULL;
	struct mdl_baseline *b = NULL, made = {0};
	struct store_apps apps = {0};
	struct store_triggers triggers = {0};
	struct store_verdicts verdicts = {0};
	struct store_baselines baselines = {0};
	int r = store_open(f->path, STORE_EDIT, &s, f->reason);

	if (r == 0)
		r = store_apps(s, FAKE_DAY(0), FAKE_DAY(9), &apps);
	if (r == 0)
		r = store_history(s, "shop", FAKE_DAY(0), FAKE_DAY(9), &h);
	if (r == 0)
		r = store_baseline_of(h, "b", &made);
	if (r == 0)
		r = store_baseline_save(s, &made);
	if (r == 0)
		r = store_baseline_load(s, "shop", "b", &b);
	if (r == 0)
		r = store_baselines(s, &baselines);
	if (r == 0)
		r = store_triggers(s, NULL, 0, INT64_MAX, &triggers);
	if (r == 0)
		r = store_verdicts(s, "shop", 1, &verdicts);
	/* all of it, or an error */
	if (r == 0) {
		assert_int_equal(apps.n, 2);
		assert_int_equal(h->runs_plain, 10);
		assert_int_equal(h->n_recent, 10);
		assert_int_equal(h->n_modules, 3);
		assert_int_equal(h->n_values, 10);
		assert_int_equal(baselines.n, 1);
		assert_int_equal(b->n_modules, 3);
		assert_int_equal(triggers.n, 1);
	}
	store_apps_free(&apps);
	store_triggers_free(&triggers);
	store_verdicts_free(&verdicts);
	store_baselines_free(&baselines);
	free((void *)(uintptr_t)made.modules);
	(void)store_baseline_free(b);
	(void)store_history_free(h);
	(void)store_close(s);
	return r;
}

static void test_reading(void **state)
{
	struct fake_store *s = *state;
	long n = 0;
	int r;

	fill(s);
	do {
		nomem_once(n++);
		r = read_all(s);
		assert_true(r == 0 || r == -ENOMEM);
	} while (nomem_end());
	assert_int_equal(r, 0);
	assert_true(n > 50);
}

static void test_merging(void **state)
{
	struct fake_store *s = *state;
	char other[128], reason[STORE_REASON_MAX];
	struct mdl_history *h;
	struct store *e;
	long n = 0;
	int r;

	(void)snprintf(other, sizeof(other), "%s/other.db", s->dir);
	fill(s);
	assert_int_equal(rename(s->path, other), 0);
	fill(s);
	do {
		assert_int_equal(store_open(s->path, STORE_EDIT, &e, reason), 0);
		nomem_once(n++);
		r = store_merge(e, other);
		assert_true(r == 0 || r == -ENOMEM);
		e = store_close(e);
	} while (nomem_end());
	assert_int_equal(r, 0);
	/* those that failed left nothing behind */
	h = fake_history(s, "shop", 0, 9);
	assert_int_equal(h->runs_plain, 20);
	h = store_history_free(h);
}

/* On either thread: what was not taken was said so, what was taken is stored, once. */
static void test_writing(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;
	uint64_t taken = 0;

	fake_store_open(s);
	for (long n = 0; n < 150; n++) {
		struct fake f;
		int r;

		fake_init(&f);
		fake_run(s, &f, "shop", 1);
		nomem_once(n);
		r = fake_put(s, &f, fake_noon(0));
		assert_true(r == 0 || r == -ENOMEM);
		taken += r == 0;
		fake_store_flush(s);
		(void)nomem_end();
		fake_free(&f);
	}
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.committed, taken);
	assert_int_equal(stats.dropped, 150 - taken);
	assert_int_equal(stats.lost[LMMSD_LOST_NO_MEMORY], 150 - taken);
	assert_true(taken > 50 && taken < 150);
	assert_true(stats.errors > 0);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs_plain, taken);
	h = store_history_free(h);
}

static void test_opening(void **state)
{
	struct fake_store *s = *state;
	long n = 0;
	int r;

	do {
		nomem_once(n++);
		r = store_open_writer(s->path, &s->options, &s->w, NULL, s->reason);
		(void)nomem_end();
		assert_true(r == 0 || r == -ENOMEM);
		s->w = r == 0 ? store_close_writer(s->w, 5000) : NULL;
	} while (n < 10);
	assert_int_equal(r, 0);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_reading),
		WITH_STORE(test_merging),
		WITH_STORE(test_writing),
		WITH_STORE(test_opening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which runs are warm, cold, compiled, forked, partial; and where a module's import stands. */
#include "fake_store.h"

static void test_the_present_placement_is_that_of_the_last_day(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	for (int i = 0; i < 9; i++)
		fake_put_run(s, "shop", 1, fake_noon(0));
	fake_init(&f);
	fake_process(&f, "shop", 7);
	fake_leaf(&f, "__main__", "web", LMMSD_PLACE_FUNCTION, FAKE_MS);
	fake_done(&f);
	assert_int_equal(fake_put(s, &f, fake_noon(1)), 0);
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 2);
	assert_int_equal(fake_find(h, "web")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(fake_find(h, "web")->loads_by_place[LMMSD_PLACE_MODULE], 9);
	h = store_history_free(h);
}

static void test_forked_and_partial_runs_stand_apart(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_run(s, &f, "shop", 1);
	f.p->forked = true;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_run(s, &f, "shop", 1);
	f.p->from_start = false;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_FORKED], 1);
	assert_int_equal(h->runs[MDL_RUN_PARTIAL], 1);
	assert_int_equal(h->runs_plain, 0);
	assert_int_equal(h->cold_start.count, 0);
	assert_int_equal(fake_find(h, "csv")->used_other, 2);
	assert_int_equal(fake_find(h, "csv")->imported_other, 2);
	assert_int_equal(fake_find(h, "csv")->runs_used, 0);
	assert_int_equal(fake_find(h, "csv")->uses, 2);
	assert_int_equal(fake_find(h, "csv")->total.count, 2);
	h = store_history_free(h);
}

/* A server whose workers come and go: what its own starts were is not hidden behind them. */
static void test_forked_runs_push_out_none_that_tell(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_put_run(s, "shop", 1, fake_noon(0));
	fake_init(&f);
	for (int i = 0; i < MDL_HIST_RECENT; i++) {
		fake_run(s, &f, "shop", 1);
		f.p->forked = true;
		assert_int_equal(fake_put(s, &f, fake_noon(1)), 0);
	}
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 2);
	assert_int_equal(h->runs[MDL_RUN_FORKED], MDL_HIST_RECENT);
	assert_int_equal(h->n_recent, 1);
	assert_int_equal(h->recent[0].class, MDL_RUN_WARM);
	assert_int_equal(h->recent[0].day, FAKE_DAY(0));
	h = store_history_free(h);
}

/* What is begun a second after the last one, from source when compiled names a module. */
static void put_class(struct fake_store *s, double factor, const char *compiled, int64_t at_ns)
{
	struct fake f;

	fake_init(&f);
	fake_run(s, &f, "shop", factor);
	for (size_t i = 0; i < f.p->n_loads; i++)
		if (compiled && !strcmp(f.p->loads[i].name, compiled))
			f.p->loads[i].kind = LMMSD_KIND_SOURCE;
	assert_int_equal(fake_put(s, &f, at_ns), 0);
	fake_free(&f);
}

static void test_runs_that_compile_are_kept_out_of_the_median(void **state)
{
	struct fake_store *s = *state;
	int64_t at = fake_noon(0);
	struct mdl_history *h;

	fake_store_open(s);
	put_class(s, 9, "web", at);
	put_class(s, 1, NULL, at + 1);
	put_class(s, 1, NULL, at + 2);
	put_class(s, 9, "json", at + 3);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_COMPILED], 2);
	assert_int_equal(h->runs[MDL_RUN_WARM], 2);
	assert_int_equal(h->runs_plain, 4);
	assert_int_equal(h->cold_start.max_ns, 5 * FAKE_MS);
	assert_int_equal(h->compiled.count, 2);
	assert_int_equal(fake_find(h, "web")->total.count, 2);
	assert_int_equal(fake_find(h, "web")->runs_loaded, 4);
	assert_int_equal(fake_find(h, "web")->loads_compiled, 1);
	h = store_history_free(h);
}

/* No place for .pyc files: every start compiles, and that is what a start costs. */
static void test_an_app_that_always_compiles_gets_a_median(void **state)
{
	struct fake_store *s = *state;
	int64_t at = fake_noon(0);
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 10; i++)
		put_class(s, 9, "web", at + i);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_COMPILED], 3);
	assert_int_equal(h->runs[MDL_RUN_WARM], 7);
	h = store_history_free(h);
}

static void test_a_cold_cache_is_told_apart(void **state)
{
	struct fake_store *s = *state;
	int64_t at = fake_noon(0);
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 9; i++)
		put_class(s, 1, NULL, at + i);
	put_class(s, 4, NULL, at + 10);			 /* slow by chance: not idle */
	put_class(s, 1, NULL, at + 2 * 3600000000000LL); /* idle, not slow */
	put_class(s, 4, NULL, at + 4 * 3600000000000LL); /* both */
	put_class(s, 4, NULL, at - 9 * 3600000000000LL); /* the clock was set back */
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_COLD], 1);
	assert_int_equal(h->runs[MDL_RUN_WARM], 12);
	assert_int_equal(h->cold_cache.count, 1);
	h = store_history_free(h);
}

/* A job that starts once in two hours and became slower: in the end that is its start. */
static void test_slower_for_good_is_not_cold_for_ever(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 40; i++)
		put_class(s, i < 20 ? 1 : 3, NULL, fake_noon(0) + i * 7200000000000LL);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 9);
	assert_in_range(h->runs[MDL_RUN_COLD], 10, 19);
	assert_int_equal(h->runs[MDL_RUN_COLD] + h->runs[MDL_RUN_WARM], 40);
	h = store_history_free(h);
}

/* The classes go on after a restart as if there had been none. */
static void test_classes_are_recalled(void **state)
{
	struct fake_store *s = *state;
	int64_t at = fake_noon(0);
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 9; i++)
		put_class(s, 1, NULL, at + i);
	fake_store_close(s);
	fake_store_open(s);
	put_class(s, 4, NULL, at + 4 * 3600000000000LL);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_COLD], 1);
	h = store_history_free(h);
}

/* A copy in the middle of a start has so much of it; the last one all. */
static void put_copies(struct fake_store *s, const char *app, const unsigned int *start_ms,
		       size_t n, bool ended, int64_t at_ns)
{
	struct fake f;

	fake_init(&f);
	fake_run(s, &f, app, 1);
	for (size_t i = 0; i < n; i++) {
		f.p->ended = ended && i + 1 == n;
		f.p->cold_start_ns = start_ms[i] * FAKE_MS;
		assert_int_equal(fake_put(s, &f, at_ns), 0);
	}
	fake_free(&f);
}

/* Slow because nothing was cached, which its first copies do not show yet. */
static void test_a_start_is_judged_when_it_is_complete(void **state)
{
	static const unsigned int slow[] = {4, 6, 25, 25};
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 9; i++)
		put_class(s, 1, NULL, fake_noon(0) + i);
	put_copies(s, "shop", slow, 2, false, fake_noon(1));
	fake_store_flush(s);
	h = fake_history(s, "shop", 1, 2);
	assert_int_equal(h->runs[MDL_RUN_WARM], 1);
	h = store_history_free(h);
	s->pid--; /* the same one goes on */
	put_copies(s, "shop", slow, 4, true, fake_noon(1));
	fake_store_flush(s);
	h = fake_history(s, "shop", 1, 2);
	assert_int_equal(h->runs[MDL_RUN_WARM], 0);
	assert_int_equal(h->runs[MDL_RUN_COLD], 1);
	h = store_history_free(h);
}

static void test_what_is_compiled_later_counts(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_run(s, &f, "shop", 1);
	f.p->ended = false;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_store_flush(s);
	f.p->loads[0].kind = LMMSD_KIND_SOURCE;
	f.p->ended = true;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_COMPILED], 1);
	assert_int_equal(h->runs_plain, 1);
	h = store_history_free(h);
}

/* Starts are compared with whole ones, not with what a first copy had of them. */
static void test_half_a_start_is_nothing_to_compare_with(void **state)
{
	static const unsigned int usual[] = {1, 5}, idle[] = {6};
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 20; i++)
		put_copies(s, "shop", usual, 2, true, fake_noon(0) + i);
	put_copies(s, "shop", idle, 1, true, fake_noon(1));
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 2);
	assert_int_equal(h->runs[MDL_RUN_WARM], 21);
	h = store_history_free(h);
}

/* They need not end for that, as servers do not; and each counts once. */
static void test_servers_are_compared_with_while_they_go_on(void **state)
{
	static const unsigned int settled[] = {5, 5, 5, 5, 5, 5, 5}, slow[] = {20};
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	put_copies(s, "four", settled, 7, false, fake_noon(0));
	put_copies(s, "four", slow, 1, true, fake_noon(1));
	for (int i = 0; i < 5; i++)
		put_copies(s, "five", settled, 7, false, fake_noon(0) + i);
	put_copies(s, "five", slow, 1, true, fake_noon(1));
	fake_store_flush(s);
	h = fake_history(s, "four", 0, 2);
	assert_int_equal(h->runs[MDL_RUN_WARM], 2);
	h = store_history_free(h);
	h = fake_history(s, "five", 0, 2);
	assert_int_equal(h->runs[MDL_RUN_COLD], 1);
	assert_int_equal(h->runs[MDL_RUN_WARM], 5);
	h = store_history_free(h);
}

/* The first of a boot is, not those that are begun beside it while it goes on. */
static void test_only_the_first_of_a_boot_is_cold(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	for (int i = 0; i < 4; i++) {
		struct fake f;

		fake_init(&f);
		fake_run(s, &f, "server", 1);
		f.p->begin_ns = 60000 * FAKE_MS;
		f.p->ended = false;
		assert_int_equal(fake_put(s, &f, fake_noon(0) + i), 0);
		f.p->cold_start_ns *= 2;
		assert_int_equal(fake_put(s, &f, fake_noon(0) + i), 0);
		fake_free(&f);
	}
	fake_store_flush(s);
	h = fake_history(s, "server", 0, 1);
	assert_int_equal(h->runs[MDL_RUN_COLD], 1);
	assert_int_equal(h->runs[MDL_RUN_WARM], 3);
	h = store_history_free(h);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_runs_that_compile_are_kept_out_of_the_median),
		WITH_STORE(test_an_app_that_always_compiles_gets_a_median),
		WITH_STORE(test_a_cold_cache_is_told_apart),
		WITH_STORE(test_slower_for_good_is_not_cold_for_ever),
		WITH_STORE(test_classes_are_recalled),
		WITH_STORE(test_a_start_is_judged_when_it_is_complete),
		WITH_STORE(test_what_is_compiled_later_counts),
		WITH_STORE(test_half_a_start_is_nothing_to_compare_with),
		WITH_STORE(test_servers_are_compared_with_while_they_go_on),
		WITH_STORE(test_only_the_first_of_a_boot_is_cold),
		WITH_STORE(test_forked_and_partial_runs_stand_apart),
		WITH_STORE(test_forked_runs_push_out_none_that_tell),
		WITH_STORE(test_the_present_placement_is_that_of_the_last_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Runs on their way back: what is counted elsewhere has the class that the store gave it. */
#include "fake_store.h"

static void count(struct fake_store *f, uint64_t ret_runs[MDL_RUN_CLASSES])
{
	struct mdl_stored *run = NULL;

	while (store_take_written(f->w, &run) == 1) {
		ret_runs[run->class]++;
		run = store_written_free(run);
	}
}

static void test_as_it_was_stored(void **state)
{
	struct fake_store *f = *state;
	struct mdl_stored *run = NULL;
	const struct mdl_stored_module *web = NULL, *csv = NULL;

	f->options.written_bytes = 1 << 20;
	fake_store_open(f);
	assert_int_equal(store_take_written(f->w, &run), 0);
	fake_put_run(f, "shop", 1, fake_noon(0));
	fake_store_flush(f);
	assert_int_equal(store_take_written(f->w, &run), 1);
	assert_string_equal(run->app, "shop");
	assert_int_equal(run->class, MDL_RUN_WARM);
	assert_true(run->ended);
	assert_int_equal(run->interpreter_ns, 10 * FAKE_MS);
	for (size_t i = 0; i < run->n_modules; i++) {
		web = strcmp(run->modules[i].name, "web") ? web : &run->modules[i];
		csv = strcmp(run->modules[i].name, "csv") ? csv : &run->modules[i];
	}
	assert_non_null(web);
	assert_non_null(csv);
	assert_int_equal(web->total_ns, 5 * FAKE_MS);
	assert_int_equal(web->self_ns, 3 * FAKE_MS);
	assert_int_equal(web->saving_ns, 5 * FAKE_MS);
	assert_int_equal(web->place, LMMSD_PLACE_MODULE);
	assert_true(web->loaded && web->timed && web->at_start);
	assert_string_equal(web->importer, "__main__");
	assert_string_equal(csv->importer, "web");
	assert_false(csv->at_start);
	assert_int_equal(run->n_edges, 3);
	for (size_t i = 0; i < run->n_edges; i++)
		if (&run->modules[run->edges[i].module] == csv) {
			assert_string_equal(run->edges[i].importer, "web");
			assert_true(run->edges[i].loaded);
		}
	run = store_written_free(run);
	assert_int_equal(store_take_written(f->w, &run), 0);
}

static void test_classes_agree(void **state)
{
	struct fake_store *f = *state;
	uint64_t runs[MDL_RUN_CLASSES] = {0};
	struct mdl_history *h;

	f->options.written_bytes = 1 << 20;
	fake_store_open(f);
	for (int i = 0; i < 20; i++) /* now and then after hours, and slow: a cold cache */
		fake_put_run(f, "shop", i % 7 == 6 ? 4 : 1,
			     fake_noon(0) + i * 1000000000LL +
				     (i / 7) * 3 * 3600000000000LL * (i % 7 == 6));
	fake_store_flush(f);
	count(f, runs);
	h = fake_history(f, "shop", 0, 2);
	for (size_t i = 0; i < MDL_RUN_CLASSES; i++)
		assert_int_equal(runs[i], h->runs[i]);
	assert_int_equal(h->runs_plain, 20);
	(void)store_history_free(h);
}

static void test_beyond_the_apps_is_other(void **state)
{
	struct fake_store *f = *state;
	struct mdl_stored *run = NULL;

	f->options.written_bytes = 1 << 20;
	f->options.max_apps = 1;
	fake_store_open(f);
	fake_put_run(f, "a", 1, fake_noon(0));
	fake_put_run(f, "b", 1, fake_noon(0));
	fake_store_flush(f);
	assert_int_equal(store_take_written(f->w, &run), 1);
	assert_string_equal(run->app, "a");
	run = store_written_free(run);
	assert_int_equal(store_take_written(f->w, &run), 1);
	assert_string_equal(run->app, MDL_OTHER);
	run = store_written_free(run);
}

/* Nobody takes them: they are bounded, counted, and in the database all the same. */
static void test_bounded(void **state)
{
	struct fake_store *f = *state;
	uint64_t runs[MDL_RUN_CLASSES] = {0};
	struct store_stats st;

	f->options.written_bytes = 20000;
	fake_store_open(f);
	for (int i = 0; i < 100; i++)
		fake_put_run(f, "shop", 1, fake_noon(0) + i);
	fake_store_flush(f);
	store_writer_stats(f->w, &st);
	count(f, runs);
	assert_int_equal(st.committed, 100);
	assert_true(st.unread > 0);
	assert_int_equal(runs[MDL_RUN_WARM] + st.unread, 100);
}

static void test_not_asked_for(void **state)
{
	struct fake_store *f = *state;
	struct mdl_stored *run = NULL;
	struct store_stats st;

	fake_store_open(f);
	fake_put_run(f, "shop", 1, fake_noon(0));
	fake_store_flush(f);
	assert_int_equal(store_take_written(f->w, &run), 0);
	store_writer_stats(f->w, &st);
	assert_int_equal(st.unread, 0);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_as_it_was_stored),
		WITH_STORE(test_classes_agree),
		WITH_STORE(test_beyond_the_apps_is_other),
		WITH_STORE(test_bounded),
		WITH_STORE(test_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

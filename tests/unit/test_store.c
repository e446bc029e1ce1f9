/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is put in comes out: runs, modules, edges, versions, classes, limits, retention. */
#include "fake_store.h"

static void test_a_run_comes_back(void **state)
{
	struct fake_store *s = *state;
	const struct mdl_hist_module *web, *json, *csv;
	struct mdl_history *h;

	fake_store_open(s);
	fake_put_run(s, "shop", 1, fake_noon(0));
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_string_equal(h->app, "shop");
	assert_int_equal(h->runs[MDL_RUN_WARM], 1);
	assert_int_equal(h->runs_plain, 1);
	assert_int_equal(h->runs_open, 0);
	assert_int_equal(h->first_ns, fake_noon(0));
	assert_int_equal(h->last_ns, fake_noon(0));
	assert_int_equal(h->first_day, FAKE_DAY(0));
	assert_int_equal(h->n_days, 1);
	assert_int_equal(h->cold_start.count, 1);
	assert_int_equal(sketch_quantile(&h->cold_start, 0.5), 5 * FAKE_MS);
	assert_int_equal(sketch_quantile(&h->interpreter, 0.5), 10 * FAKE_MS);
	assert_int_equal(h->n_values, 1);
	assert_true(h->values_exact);
	assert_int_equal(h->values[0], 5 * FAKE_MS);
	assert_int_equal(h->n_recent, 1);
	assert_int_equal(h->recent[0].n_modules, 3);
	assert_int_equal(h->n_pythons, 1);
	assert_int_equal(h->pythons[0].version, 0x030b02f0);
	assert_true(h->usage);
	assert_int_equal(h->uses, 3);
	assert_int_equal(h->n_modules, 3);
	web = fake_find(h, "web");
	json = fake_find(h, "json");
	csv = fake_find(h, "csv");
	assert_int_equal(sketch_quantile(&web->total, 0.5), 5 * FAKE_MS);
	assert_int_equal(sketch_quantile(&web->self, 0.5), 3 * FAKE_MS);
	assert_true(web->saving.sum == 5 * FAKE_MS && web->saving.n == 1);
	assert_true(json->saving.sum == 2 * FAKE_MS);
	assert_int_equal(web->place, LMMSD_PLACE_MODULE);
	assert_int_equal(web->runs_start, 1);
	assert_int_equal(web->runs_used, 0);
	assert_int_equal(csv->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(csv->runs_start, 0);
	assert_int_equal(csv->runs_loaded, 1);
	assert_int_equal(csv->runs_used, 1);
	assert_int_equal(csv->runs_by_place[LMMSD_PLACE_FUNCTION], 1);
	assert_int_equal(csv->uses_by_place[LMMSD_PLACE_FUNCTION], 1);
	h = store_history_free(h);
}

/* What the probes took is in no time that is kept: neither the module's, nor those that it is nested in, nor the start's. */
static void test_times_without_probes(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_run(s, &f, "shop", 1);
	f.p->loads[0].spent_ns = FAKE_MS / 2; /* web */
	f.p->loads[1].spent_ns = FAKE_MS / 4; /* json */
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->values[0], 5 * FAKE_MS - FAKE_MS * 3 / 4);
	assert_int_equal(sketch_quantile(&fake_find(h, "web")->total, 0.5),
			 5 * FAKE_MS - FAKE_MS * 3 / 4);
	assert_int_equal(sketch_quantile(&fake_find(h, "web")->self, 0.5),
			 3 * FAKE_MS - FAKE_MS / 2);
	assert_int_equal(sketch_quantile(&fake_find(h, "json")->total, 0.5),
			 2 * FAKE_MS - FAKE_MS / 4);
	h = store_history_free(h);
}

/* A C module imports; who asked is not seen, but in whose load it was. */
static void test_edge_without_importer(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_process(&f, "shop", 1);
	fake_begin(&f, "__main__", "fast.part", LMMSD_PLACE_MODULE);
	fake_leaf(&f, NULL, "fast", LMMSD_PLACE_UNKNOWN, FAKE_MS);
	fake_end(&f);
	fake_leaf(&f, NULL, "stray", LMMSD_PLACE_UNKNOWN, FAKE_MS);
	fake_started(&f);
	fake_done(&f);
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->n_edges, 3);
	for (size_t i = 0; i < h->n_edges; i++) {
		const char *module = h->modules[h->edges[i].module].name;
		const char *by = h->edges[i].importer_name;

		if (!strcmp(module, "fast"))
			assert_string_equal(by, "fast.part");
		else if (!strcmp(module, "stray"))
			assert_null(by);
		else
			assert_string_equal(by, "__main__");
	}
	h = store_history_free(h);
}

static void test_edges_come_back(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	for (int day = 0; day < 3; day++)
		fake_put_run(s, "shop", 1, fake_noon(day));
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 3);
	assert_int_equal(h->n_edges, 3);
	for (size_t i = 0; i < h->n_edges; i++) {
		const struct mdl_hist_edge *e = &h->edges[i];
		const char *module = h->modules[e->module].name;

		assert_string_equal(e->importer_name, strcmp(module, "web") ? "web" : "__main__");
		assert_int_equal(e->importer,
				 strcmp(module, "web") ? fake_find(h, "web") - h->modules : -1);
		assert_int_equal(e->runs, 3);
		assert_int_equal(e->count, 3);
		assert_int_equal(e->loads, 3);
		assert_int_equal(e->last_day, FAKE_DAY(2));
		assert_int_equal(e->place,
				 strcmp(module, "csv") ? LMMSD_PLACE_MODULE : LMMSD_PLACE_FUNCTION);
	}
	h = store_history_free(h);
}

static void test_days_are_told_apart(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;

	fake_store_open(s);
	for (int day = 0; day < 10; day++)
		for (int i = 0; i <= day; i++)
			fake_put_run(s, "shop", 1 + day / 10.0, fake_noon(day));
	fake_store_flush(s);
	h = fake_history(s, "shop", 3, 5);
	assert_int_equal(h->runs_plain, 4 + 5);
	assert_int_equal(h->n_days, 2);
	assert_int_equal(h->days[0].day, FAKE_DAY(3));
	assert_int_equal(h->days[1].runs[MDL_RUN_WARM], 5);
	assert_int_equal(sketch_quantile(&h->days[1].cold_start, 0.5), 7 * FAKE_MS);
	assert_int_equal(h->n_values, 9);
	h = store_history_free(h);
	h = fake_history(s, "shop", 20, 30);
	assert_int_equal(h->runs_plain, 0);
	assert_true(h->first_day > h->last_day);
	h = store_history_free(h);
}

/* The runs that wait for their fold are counted too, and once. */
static void test_before_and_after_the_fold_it_is_the_same(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *before, *after;

	s->options.fold_ms = 3600000;
	fake_store_open(s);
	for (int i = 0; i < 20; i++)
		fake_put_run(s, "shop", 1 + i % 7, fake_noon(i % 2));
	fake_wait(s, fake_committed, 20);
	before = fake_history(s, "shop", 0, 2);
	fake_store_flush(s);
	after = fake_history(s, "shop", 0, 2);
	assert_int_equal(before->runs_plain, 20);
	assert_int_equal(after->runs_plain, 20);
	assert_true(sketch_equal(&before->cold_start, &after->cold_start));
	assert_int_equal(before->n_modules, after->n_modules);
	for (size_t i = 0; i < before->n_modules; i++) {
		assert_true(sketch_equal(&before->modules[i].total, &after->modules[i].total));
		assert_true(sketch_equal(&before->modules[i].self, &after->modules[i].self));
		assert_true(before->modules[i].saving.sum == after->modules[i].saving.sum);
	}
	before = store_history_free(before);
	after = store_history_free(after);
}

static void test_a_checkpoint_gives_way_to_what_follows(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_run(s, &f, "server", 1);
	f.p->ended = false;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_store_flush(s);
	h = fake_history(s, "server", 0, 1);
	assert_int_equal(h->runs_plain, 1);
	assert_int_equal(h->runs_open, 1);
	assert_false(h->recent[0].ended);
	h = store_history_free(h);
	fake_use(&f, "web", "csv", LMMSD_PLACE_FUNCTION, false);
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	f.p->ended = true;
	fake_use(&f, "web", "csv", LMMSD_PLACE_FUNCTION, false);
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_store_flush(s);
	h = fake_history(s, "server", 0, 1);
	assert_int_equal(h->runs_plain, 1);
	assert_int_equal(h->runs_open, 0);
	assert_int_equal(fake_find(h, "csv")->uses, 3);
	assert_true(h->recent[0].ended);
	h = store_history_free(h);
	fake_free(&f);
}

/* The daemon ended: what it had as going on is over, and counted once. */
static void test_open_runs_are_over_with_the_daemon(void **state)
{
	struct fake_store *s = *state;
	struct store_open_report report;
	struct mdl_history *h;
	struct fake f;

	fake_store_open(s);
	fake_init(&f);
	fake_run(s, &f, "server", 1);
	f.p->ended = false;
	assert_int_equal(fake_put(s, &f, fake_noon(0)), 0);
	fake_free(&f);
	fake_store_close(s);
	assert_int_equal(store_open_writer(s->path, &s->options, &s->w, &report, s->reason), 0);
	assert_false(report.created);
	assert_int_equal(report.recovered_runs, 1);
	fake_store_flush(s);
	h = fake_history(s, "server", 0, 1);
	assert_int_equal(h->runs_plain, 1);
	assert_int_equal(h->runs_open, 0);
	assert_false(h->recent[0].ended);
	h = store_history_free(h);
}

static void put_version(struct fake_store *s, const char *version, int day)
{
	struct fake f;

	fake_init(&f);
	fake_run(s, &f, "shop", 1);
	fake_module(&f, "web")->distribution = fake_str(&f, "Web");
	fake_module(&f, "web")->version = fake_str(&f, version);
	fake_module(&f, "web")->file = fake_str(&f, "/srv/web.py");
	assert_int_equal(fake_put(s, &f, fake_noon(day)), 0);
	fake_free(&f);
}

static void test_versions_of_a_module(void **state)
{
	struct fake_store *s = *state;
	const struct mdl_hist_module *web;
	struct mdl_history *h;

	fake_store_open(s);
	put_version(s, "1.0", 0);
	put_version(s, "1.0", 1);
	put_version(s, "1.1", 1);
	put_version(s, "1.1", 2);
	put_version(s, "1.1", 3);
	fake_store_flush(s);
	h = fake_history(s, "shop", 0, 9);
	assert_int_equal(h->n_modules, 3);
	web = fake_find(h, "web");
	assert_int_equal(web->runs_loaded, 5);
	assert_int_equal(web->total.count, 5);
	assert_int_equal(web->n_versions, 2);
	assert_string_equal(web->distribution, "Web");
	assert_string_equal(web->version, "1.1");
	assert_string_equal(web->file, "/srv/web.py");
	assert_string_equal(web->versions[0].version, "1.0");
	assert_int_equal(web->versions[0].runs, 2);
	assert_int_equal(web->versions[0].last_day, FAKE_DAY(1));
	assert_int_equal(web->versions[1].runs, 3);
	assert_int_equal(web->versions[1].first_day, FAKE_DAY(1));
	assert_null(fake_find(h, "json")->distribution);
	h = store_history_free(h);
}

static void test_unknown_apps(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h = NULL;
	struct store *r;
	int32_t first = 7, last = 7;

	fake_store_open(s);
	r = fake_store_reader(s, STORE_READ);
	assert_int_equal(store_span(r, &first, &last), -ENOENT);
	assert_int_equal(first, 7);
	fake_put_run(s, "shop", 1, fake_noon(3));
	fake_store_flush(s);
	assert_int_equal(store_history(r, "nope", FAKE_DAY(0), FAKE_DAY(9), &h), -ENOENT);
	assert_int_equal(store_history(r, "web", FAKE_DAY(0), FAKE_DAY(9), &h), -ENOENT);
	assert_null(h);
	assert_int_equal(store_span(r, &first, &last), 0);
	assert_int_equal(first, FAKE_DAY(3));
	assert_int_equal(last, FAKE_DAY(3));
	r = store_close(r);
}

static void test_days_and_dates(void **state)
{
	int y, m, d;

	(void)state;
	assert_int_equal(store_day_civil(1970, 1, 1), 0);
	assert_int_equal(store_day_civil(2000, 3, 1), 11017);
	assert_int_equal(store_day_civil(2023, 13, 1), store_day_civil(2024, 1, 1));
	assert_int_equal(store_day_civil(2024, 0, 1), store_day_civil(2023, 12, 1));
	for (int32_t day = -200000; day < 200000; day += 7) {
		store_civil_of(day, &y, &m, &d);
		assert_int_equal(store_day_civil(y, m, d), day);
	}
	for (int32_t day = 10000; day < 20000; day += 3) {
		assert_int_equal(store_day_of(store_day_start(day)), day);
		assert_int_equal(store_day_of(store_day_start(day) - 1), day - 1);
	}
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_a_run_comes_back),
		WITH_STORE(test_edges_come_back),
		WITH_STORE(test_days_are_told_apart),
		WITH_STORE(test_before_and_after_the_fold_it_is_the_same),
		WITH_STORE(test_a_checkpoint_gives_way_to_what_follows),
		WITH_STORE(test_open_runs_are_over_with_the_daemon),
		WITH_STORE(test_versions_of_a_module),
		WITH_STORE(test_unknown_apps),
		WITH_STORE(test_times_without_probes),
		WITH_STORE(test_edge_without_importer),
		cmocka_unit_test(test_days_and_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

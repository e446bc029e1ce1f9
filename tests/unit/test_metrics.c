/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The counters: what is counted, and once. */
#include "metrics_fixture.h"

static uint64_t sum(const uint64_t *v, size_t n)
{
	uint64_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += v[i];
	return s;
}

static void test_classes(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("web", 120, 80),
						 fake_stored_module("json", 5, 0)};
	const struct mdl_metrics_app *a;
	const struct mdl_metrics_module *x;

	for (uint8_t class = 0; class < MDL_RUN_CLASSES; class ++)
		fake_count(f->m, "shop", class, true, class, mods, 2);
	take(f);
	a = fake_app(&f->s, "shop");
	assert_non_null(a);
	assert_int_equal(a->runs, 3); /* warm, cold, compiled */
	assert_int_equal(a->warm_runs, 1);
	assert_int_equal(a->uses, 10);
	assert_int_equal(sum(a->cold_start, MDL_START_BOUNDS + 1), 1);
	assert_true(fabs(a->cold_start_s - 0.125) < 1e-9);
	assert_int_equal(sum(a->interpreter, MDL_START_BOUNDS + 1), 1);
	x = fake_module_of(&f->s, "shop", "web");
	assert_non_null(x);
	/* warm, forked, partial: as the medians of a review */
	assert_int_equal(sum(x->import, MDL_IMPORT_BOUNDS + 1), 3);
	assert_int_equal(x->import[3], 3); /* above 0.1, up to 0.5 */
	assert_int_equal(a->other_runs[MDL_RUN_COLD], 1);
	assert_int_equal(a->other_runs[MDL_RUN_PARTIAL], 1);
	assert_int_equal(a->other_runs[MDL_RUN_WARM], 0);
	assert_true(fabs(a->cold_start_squared - 0.125 * 0.125) < 1e-9);
	assert_true(fabs(x->deferrable_s - 0.08) < 1e-9);
	assert_int_equal(x->loads[LMMSD_PLACE_MODULE], 3);
	assert_int_equal(x->start_runs, 3);
	assert_int_equal(x->runs_using, 3);
	assert_int_equal(x->uses[LMMSD_PLACE_MODULE], 5);
	assert_string_equal(x->importer, "__main__");
}

static void test_bounds_are_the_policys(void **state)
{
	struct fixture *f = *state;
	const double want[] = {0.001, 0.01, 0.1, 0.5};
	const struct mdl_stored_module at[] = {fake_stored_module("at", 10, 0)};
	const struct mdl_metrics_module *x;

	fake_count(f->m, "shop", 1, true, MDL_RUN_WARM, at, 1);
	take(f);
	for (size_t i = 0; i < MDL_IMPORT_BOUNDS; i++)
		assert_true(fabs(f->s.import_bounds[i] - want[i]) < 1e-12);
	x = fake_module_of(&f->s, "shop", "at");
	assert_int_equal(x->import[1], 1); /* le: the bound belongs to the bucket */
	assert_true(metrics_median_ms(&f->s, x) < 10);
}

/* Thresholds that equal a fixed bound must not give two of it. */
static void test_bounds_apart(void **state)
{
	const struct metrics_options o = {
		.max_apps = 1, .max_modules = 1, .max_series = 500, .fast_ms = 1, .slow_ms = 500};
	struct metrics *m;
	struct mdl_metrics s = {0};

	(void)state;
	assert_int_equal(metrics_new(&o, FAKE_NOW_S, &m), 0);
	assert_int_equal(metrics_snapshot(m, &s), 0);
	for (size_t i = 1; i < MDL_IMPORT_BOUNDS; i++)
		assert_true(s.import_bounds[i] > s.import_bounds[i - 1]);
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

static void test_goes_on_counts_once(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[] = {fake_stored_module("web", 20, 10),
					   fake_stored_module("late", 3, 0)};
	const struct mdl_metrics_module *x;

	/* its start may not be over yet */
	fake_count(f->m, "server", 7, false, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_null(fake_app(&f->s, "server"));
	fake_count(f->m, "server", 7, false, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_int_equal(fake_app(&f->s, "server")->runs, 1);
	/* nothing new */
	fake_count(f->m, "server", 7, false, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_int_equal(fake_module_of(&f->s, "server", "web")->uses[LMMSD_PLACE_MODULE], 1);
	/* more uses, and a module that came later */
	mods[0].uses[LMMSD_PLACE_FUNCTION] = 5;
	fake_count(f->m, "server", 7, false, MDL_RUN_WARM, mods, 2);
	mods[0].uses[LMMSD_PLACE_FUNCTION] = 9;
	mods[0].failures = 2;
	fake_count(f->m, "server", 7, true, MDL_RUN_WARM, mods, 2);
	take(f);
	assert_int_equal(fake_app(&f->s, "server")->runs, 1);
	assert_int_equal(fake_app(&f->s, "server")->warm_runs, 1);
	x = fake_module_of(&f->s, "server", "web");
	assert_int_equal(x->uses[LMMSD_PLACE_FUNCTION], 9);
	assert_int_equal(x->uses[LMMSD_PLACE_MODULE], 1);
	assert_int_equal(x->failures, 2);
	assert_int_equal(x->runs_using, 1);
	assert_int_equal(sum(x->import, MDL_IMPORT_BOUNDS + 1), 1);
	x = fake_module_of(&f->s, "server", "late");
	assert_int_equal(sum(x->import, MDL_IMPORT_BOUNDS + 1), 1);
	assert_int_equal(x->uses[LMMSD_PLACE_MODULE], 1);
	/* the same process id again is another process: it ended, so its key is free */
	fake_count(f->m, "server", 7, true, MDL_RUN_WARM, mods, 2);
	take(f);
	assert_int_equal(fake_app(&f->s, "server")->runs, 2);
}

/* No room to remember: it is counted at its end, and not before. */
static void test_no_room_for_open_ones(void **state)
{
	struct metrics_options o = fake_metrics_options;
	const struct mdl_stored_module mods[] = {fake_stored_module("web", 20, 10)};
	struct mdl_metrics s = {0};
	struct metrics *m;

	(void)state;
	o.open_bytes = 1;
	assert_int_equal(metrics_new(&o, FAKE_NOW_S, &m), 0);
	for (int i = 0; i < 3; i++)
		fake_count(m, "server", 1, false, MDL_RUN_WARM, mods, 1);
	assert_int_equal(metrics_snapshot(m, &s), 0);
	assert_int_equal(s.n_apps, 0);
	metrics_snapshot_free(&s);
	fake_count(m, "server", 1, true, MDL_RUN_WARM, mods, 1);
	assert_int_equal(metrics_snapshot(m, &s), 0);
	assert_int_equal(s.apps[0].runs, 1);
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

static uint64_t importer_runs(const struct mdl_metrics_module *x, const char *importer,
			      uint8_t place, bool loaded)
{
	for (size_t i = 0; i < x->n_importers; i++)
		if (!strcmp(x->importers[i].importer, importer) && x->importers[i].place == place &&
		    x->importers[i].loaded == loaded)
			return x->importers[i].runs;
	return 0;
}

static void count_edges(struct fixture *f, uint64_t key, bool ended,
			const struct mdl_stored_module *mods, size_t n_mods,
			const struct mdl_stored_edge *edges, size_t n_edges)
{
	const struct mdl_stored run = {.key = key,
				       .app = "shop",
				       .class = MDL_RUN_WARM,
				       .usage = true,
				       .ended = ended,
				       .cold_start_ns = 1000000,
				       .modules = mods,
				       .n_modules = n_mods,
				       .edges = edges,
				       .n_edges = n_edges};

	assert_int_equal(metrics_add(f->m, &run, FAKE_NOW_S), 0);
}

/* Each way in once a run, and what loads says all of it. */
static void test_importers(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[] = {fake_stored_module("web", 20, 10),
					   fake_stored_module("csv", 3, 0)};
	const struct mdl_stored_edge edges[] = {
		{"__main__", 0, LMMSD_PLACE_MODULE, false},
		{"__main__", 0, LMMSD_PLACE_MODULE, true},
		{"web", 1, LMMSD_PLACE_FUNCTION, true},
		{"web", 1, LMMSD_PLACE_FUNCTION, true},
		{NULL, 1, LMMSD_PLACE_DYNAMIC, false},
		{"web", 7, LMMSD_PLACE_MODULE, true},
	};
	const struct mdl_metrics_module *x;

	mods[0].origin = MDL_ORIGIN_APP;
	mods[1].uses[LMMSD_PLACE_FUNCTION] = 2;
	count_edges(f, 1, true, mods, 2, edges, ARRAY_LEN(edges));
	count_edges(f, 2, true, mods, 2, edges, 1);
	/* one that goes on is counted once */
	for (int i = 0; i < 4; i++)
		count_edges(f, 3, i == 3, mods, 2, edges, ARRAY_LEN(edges));
	take(f);
	x = fake_module_of(&f->s, "shop", "web");
	assert_int_equal(importer_runs(x, "__main__", LMMSD_PLACE_MODULE, true), 2);
	assert_int_equal(importer_runs(x, "__main__", LMMSD_PLACE_MODULE, false), 1);
	assert_int_equal(x->origin, MDL_ORIGIN_APP);
	assert_int_equal(x->runs_using_in_function, 0);
	x = fake_module_of(&f->s, "shop", "csv");
	assert_int_equal(importer_runs(x, "web", LMMSD_PLACE_FUNCTION, true), 2);
	assert_int_equal(importer_runs(x, "", LMMSD_PLACE_DYNAMIC, false), 2);
	assert_int_equal(x->runs_using_in_function, 3);
	assert_true(fake_app(&f->s, "shop")->usage);
}

static void test_many_importers(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("web", 20, 10)};
	char names[100][16];

	for (int i = 0; i < 100; i++) {
		const struct mdl_stored_edge edge = {names[i], 0, LMMSD_PLACE_MODULE, i == 0};

		(void)snprintf(names[i], sizeof(names[i]), "by%d", i);
		count_edges(f, (uint64_t)i, true, mods, 1, &edge, 1);
	}
	take(f);
	assert_int_equal(fake_module_of(&f->s, "shop", "web")->n_importers, MDL_IMPORTERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_classes),
		TEST(test_bounds_are_the_policys),
		TEST(test_bounds_apart),
		TEST(test_goes_on_counts_once),
		TEST(test_no_room_for_open_ones),
		TEST(test_importers),
		TEST(test_many_importers),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}

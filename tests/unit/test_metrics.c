/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The counters: what is counted, once, and how many series whatever comes. */
#include "fake_metrics.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "export/metrics.h"

struct fixture {
	struct metrics *m;
	struct mdl_metrics s;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || metrics_new(&fake_metrics_options, FAKE_NOW_S, &f->m) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	metrics_snapshot_free(&f->s);
	(void)metrics_free(f->m);
	free(f);
	return 0;
}

static void take(struct fixture *f)
{
	metrics_snapshot_free(&f->s);
	assert_int_equal(metrics_snapshot(f->m, &f->s), 0);
}

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

static void test_the_dearest_have_series(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[100];
	char names[100][16];

	for (size_t i = 0; i < 100; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "m%zu", i);
		mods[i] = fake_stored_module(names[i], 1 + (double)i, 0);
	}
	fake_count(f->m, "big", 1, true, MDL_RUN_WARM, mods, 100);
	take(f);
	assert_int_equal(fake_app(&f->s, "big")->n_modules, 51);
	assert_non_null(fake_module_of(&f->s, "big", "m99"));
	assert_non_null(fake_module_of(&f->s, "big", "m50"));
	assert_null(fake_module_of(&f->s, "big", "m49"));
	assert_int_equal(fake_module_of(&f->s, "big", MDL_OTHER)->uses[LMMSD_PLACE_MODULE], 50);
	/* much dearer: takes the place of the cheapest */
	mods[0] = fake_stored_module("monster", 5000, 0);
	fake_count(f->m, "big", 2, true, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_int_equal(fake_app(&f->s, "big")->n_modules, 51);
	assert_non_null(fake_module_of(&f->s, "big", "monster"));
	assert_null(fake_module_of(&f->s, "big", "m50"));
}

static void test_an_app_that_costs_more_comes_in(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module cheap[] = {fake_stored_module("a", 1, 0)};
	const struct mdl_stored_module dear[] = {fake_stored_module("b", 500, 0)};
	char name[32];

	for (uint64_t i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "app%02llu", (unsigned long long)i);
		fake_count(f->m, name, i, true, MDL_RUN_WARM, cheap, 1);
	}
	take(f);
	assert_int_equal(f->s.n_apps, 33); /* and the others */
	assert_int_equal(fake_app(&f->s, MDL_OTHER)->runs, 68);
	fake_count(f->m, "shop", 1000, true, MDL_RUN_WARM, dear, 1);
	take(f);
	assert_int_equal(f->s.n_apps, 33);
	assert_int_equal(fake_app(&f->s, "shop")->runs, 1);
}

/* Lines that are samples. */
static size_t samples(const char *page)
{
	size_t n = 0;

	for (const char *at = page; *at; at = strchr(at, '\n') + 1)
		n += *at != '#';
	return n;
}

/* 10,000 apps and 100,000 module names, the later ones ever dearer, each at every placement, with every fact as long as it may be. */
static void test_hostile(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[10];
	char names[10][700], app[600], fact[600];
	size_t most = 0, changes = 0;
	char before[64] = "";

	memset(fact, 'f', sizeof(fact) - 1);
	fact[sizeof(fact) - 1] = '\0';
	for (uint64_t i = 0; i < 10000; i++) {
		memset(app, 'a', sizeof(app) - 1);
		(void)snprintf(app, sizeof(app), "%llu-", (unsigned long long)i);
		app[strlen(app)] = 'a';
		app[sizeof(app) - 1] = '\0';
		for (size_t k = 0; k < 10; k++) {
			(void)snprintf(names[k], sizeof(names[k]), "%llu.%zu.%s",
				       (unsigned long long)i, k, fact);
			mods[k] = fake_stored_module(names[k], 1 + (double)i * (double)(k + 1) / 10,
						     1);
			for (size_t p = 0; p < LMMSD_PLACE_MAX; p++)
				mods[k].uses[p] = i + 1;
			mods[k].failures = 1;
			mods[k].place = (uint8_t)(i % LMMSD_PLACE_MAX);
			mods[k].importer = mods[k].distribution = mods[k].version = fact;
		}
		fake_count(f->m, app, i, i % 3 > 0, MDL_RUN_WARM, mods, 10);
		if (i % 500 != 499)
			continue;
		for (int format = 0; format < 2; format++) {
			_buf_ struct buf page = {0};
			size_t n;

			take(f);
			assert_int_equal(export_metrics((enum export_metrics_format)format, &f->s,
							&page),
					 0);
			n = samples(buf_str(&page));
			most = n > most ? n : most;
		}
		changes += strncmp(before, f->s.apps[0].app, 10) != 0;
		(void)snprintf(before, sizeof(before), "%s", f->s.apps[0].app);
	}
	assert_true(most < 4000);
	assert_true(most > 1000); /* and it is no empty page */
	assert_true(f->s.n_apps <= 33);
	assert_true(f->s.refused_apps > 6000);
	/* a host's series do not change all the time: Prometheus would keep them all */
	assert_true(changes <= 12);
}

/* Many placements after they got their series: the page stays as short. */
static void test_growth(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[50];
	char names[50][16], app[16];

	for (uint64_t round = 0; round < 6; round++) {
		for (uint64_t a = 0; a < 40; a++) {
			(void)snprintf(app, sizeof(app), "app%llu", (unsigned long long)a);
			for (size_t i = 0; i < 50; i++) {
				(void)snprintf(names[i], sizeof(names[i]), "m%zu", i);
				mods[i] = fake_stored_module(names[i], 5 + (double)i, 1);
				mods[i].place = (uint8_t)round;
				mods[i].uses[round] = 3;
				mods[i].failures = 1;
			}
			fake_count(f->m, app, 100 * round + a, true, MDL_RUN_WARM, mods, 50);
		}
		for (int format = 0; format < 2; format++) {
			_buf_ struct buf page = {0};

			take(f);
			assert_int_equal(export_metrics((enum export_metrics_format)format, &f->s,
							&page),
					 0);
			assert_true(samples(buf_str(&page)) < 4000);
		}
	}
}

static void test_sums_are_right_whoever_has_series(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[60];
	char names[60][16];
	uint64_t uses = 0;
	const struct mdl_metrics_app *a;

	for (uint64_t r = 0; r < 50; r++) {
		for (size_t i = 0; i < 60; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "m%llu",
				       (unsigned long long)(r % 7 * 10 + i));
			mods[i] = fake_stored_module(names[i], 1, 0);
		}
		fake_count(f->m, "shop", r, true, MDL_RUN_WARM, mods, 60);
	}
	take(f);
	a = fake_app(&f->s, "shop");
	for (size_t i = 0; i < a->n_modules; i++)
		uses += a->modules[i]->uses[LMMSD_PLACE_MODULE];
	assert_int_equal(uses, 3000); /* nobody was dearer, so nobody lost series */
	assert_int_equal(a->uses, 3000);
}

static void test_order(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("b", 2, 0),
						 fake_stored_module("a", 1, 0)};

	fake_count(f->m, "z", 1, true, MDL_RUN_WARM, mods, 2);
	fake_count(f->m, "y", 2, true, MDL_RUN_WARM, mods, 2);
	take(f);
	assert_string_equal(f->s.apps[0].app, "y");
	assert_string_equal(f->s.apps[0].modules[0]->module, "a");
}

/* What the store could not name is not counted twice as an app of that name. */
static void test_other_is_other(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("b", 2, 0)};

	fake_count(f->m, MDL_OTHER, 1, true, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_int_equal(f->s.n_apps, 1);
	assert_string_equal(f->s.apps[0].app, MDL_OTHER);
	assert_int_equal(f->s.apps[0].n_modules, 1);
	assert_string_equal(f->s.apps[0].modules[0]->module, MDL_OTHER);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_classes),
		TEST(test_bounds_are_the_policys),
		TEST(test_bounds_apart),
		TEST(test_goes_on_counts_once),
		TEST(test_no_room_for_open_ones),
		TEST(test_the_dearest_have_series),
		TEST(test_an_app_that_costs_more_comes_in),
		TEST(test_hostile),
		TEST(test_growth),
		TEST(test_sums_are_right_whoever_has_series),
		TEST(test_order),
		TEST(test_other_is_other),
		TEST(test_importers),
		TEST(test_many_importers),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}

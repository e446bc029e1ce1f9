/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What changed between two periods is told once: a package is one change, and no kind of change crowds out another. */
#include <stdio.h>

#include "unit/reviewed.h"

#define RUNS 1000
#define PARTS 300

static char names[PARTS][16];

/* An app with a package of many modules, which `runs` runs import, at start or in a function. */
static struct fh *packed(uint64_t runs, bool at_start, double lib_ms)
{
	struct fh *f = fh_new("app.py", 100, 130, RUNS);
	struct mdl_hist_module *m;

	fh_cold(f, 100, RUNS);
	(void)fh_module(f, "lib", lib_ms, lib_ms, lib_ms);
	(void)fh_edge(f, "__main__", "lib", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	for (size_t i = 0; runs && i < PARTS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), i ? "big.p%03zu" : "big", i);
		m = fh_module(f, names[i], 10, 1, 1);
		if (!at_start)
			fh_in_function(f, m, runs);
		m->runs_imported = m->runs_loaded = runs;
		/* each is loaded by the one before: chains are followed */
		fh_edge(f, i ? names[i - 1] : "lib", names[i], "/x.py", 1,
			at_start || i ? LMMSD_PLACE_MODULE : LMMSD_PLACE_FUNCTION, true)
			->loads = runs;
	}
	return f;
}

static struct rv_app *changed(struct fh *before, struct fh *now)
{
	struct appraise_input in = {.now = fh_done(now),
				    .before = fh_done(before),
				    .thresholds = &review_default_thresholds};
	struct rv_app *app = reviewed(&in);

	fh_free(before);
	fh_free(now);
	return app;
}

static void assert_only(struct rv_app *app, enum rv_change_kind kind, const char *module)
{
	assert_int_equal(app->n_changes, 1);
	assert_int_equal(app->changes[0].kind, kind);
	assert_string_equal(app->changes[0].module, module);
	assert_int_equal(app->cut_changes, 0);
	(void)appraise_app_free(app);
}

static void test_comes_and_goes(void **state)
{
	(void)state;
	assert_only(changed(packed(0, true, 10), packed(RUNS, true, 10)), RV_NEW_MODULE, "big");
	assert_only(changed(packed(RUNS, true, 10), packed(0, true, 10)), RV_GONE, "big");
	/* into a function, and out of it */
	assert_only(changed(packed(RUNS, true, 10), packed(100, false, 10)), RV_GONE, "big");
	assert_only(changed(packed(100, false, 10), packed(RUNS, true, 10)), RV_NEW_MODULE, "big");
}

/* "report" and later "pandas", which it imports; days of the period. gone: they leave, on these days. */
static struct rv_app *in_steps(int32_t report, int32_t pandas, bool gone)
{
	struct fh *with = packed(0, true, 10), *without = packed(0, true, 10);
	struct mdl_hist_module *m = fh_module(with, "report", 40, 1, 1);

	*(gone ? &m->last_day : &m->first_day) = 100 + report;
	m = fh_module(with, "pandas", 39, 39, 39);
	*(gone ? &m->last_day : &m->first_day) = pandas == INT32_MIN ? pandas : 100 + pandas;
	(void)fh_edge(with, "lib", "report", "/x.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(with, "report", "pandas", "/x.py", 1, LMMSD_PLACE_MODULE, true);
	(gone ? without : with)->h.since_day += 30;
	return gone ? changed(with, without) : changed(without, with);
}

/* A module that came, and one that it imports since weeks later, are two changes. */
static void test_in_steps(void **state)
{
	struct rv_app *app;

	(void)state;
	assert_only(in_steps(3, 5, false), RV_NEW_MODULE, "report");
	assert_only(in_steps(20, 3, false), RV_NEW_MODULE, "report");
	assert_only(in_steps(3, INT32_MIN, false), RV_NEW_MODULE, "report");
	assert_only(in_steps(20, 18, true), RV_GONE, "report");
	assert_only(in_steps(3, 20, true), RV_GONE, "report");
	for (int gone = 0; gone < 2; gone++) {
		app = gone ? in_steps(25, 3, true) : in_steps(3, 25, false);
		assert_int_equal(app->n_changes, 2);
		assert_string_equal(app->changes[0].module, "report");
		assert_string_equal(app->changes[1].module, "pandas");
		(void)appraise_app_free(app);
	}
}

static void test_shifts(void **state)
{
	(void)state;
	assert_only(changed(packed(100, false, 10), packed(700, false, 10)), RV_USAGE_SHIFT, "big");
	assert_only(changed(packed(700, false, 10), packed(100, false, 10)), RV_USAGE_SHIFT, "big");
}

/* What shifts more than the package that loads it, or otherwise, is told. */
static void test_shifts_by_itself(void **state)
{
	struct fh *before = packed(100, false, 10), *now = packed(400, false, 10);
	struct rv_app *app;

	(void)state;
	fh_find(now, "big.p007")->runs_imported = 900;
	fh_find(before, "big.p020")->runs_imported = 900;
	app = changed(before, now);
	assert_int_equal(app->n_changes, 4);
	assert_string_equal(app->changes[0].module, "big.p007");
	assert_string_equal(app->changes[1].module, "big.p020");
	assert_string_equal(app->changes[2].module, "big");
	/* what loads this one shifted the other way */
	assert_string_equal(app->changes[3].module, "big.p021");
	(void)appraise_app_free(app);
}

/* Two that load each other by turns do not hide each other. */
static void test_shifts_in_a_ring(void **state)
{
	struct fh *h[2];
	struct rv_app *app;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t runs = i ? 800 : 100;

		h[i] = fh_new("app.py", 100, 130, RUNS);
		fh_cold(h[i], 100, RUNS);
		fh_in_function(h[i], fh_module(h[i], "a", 1, 1, 1), runs);
		fh_in_function(h[i], fh_module(h[i], "b", 1, 1, 1), runs);
		(void)fh_edge(h[i], "a", "b", "/x.py", 1, LMMSD_PLACE_MODULE, true);
		(void)fh_edge(h[i], "b", "a", "/x.py", 1, LMMSD_PLACE_MODULE, true);
	}
	app = changed(h[0], h[1]);
	assert_only(app, RV_USAGE_SHIFT, "a");
}

static void test_no_kind_starves(void **state)
{
	static struct mdl_trigger noticed[600];
	static char modules[600][16];
	struct fh *before = packed(0, true, 10), *now = packed(0, true, 50);
	struct appraise_input in = {.now = fh_done(now),
				    .before = fh_done(before),
				    .triggers = noticed,
				    .n_triggers = 600,
				    .thresholds = &review_default_thresholds};
	struct rv_app *app;
	size_t n[RV_CHANGE_KINDS] = {0};

	(void)state;
	for (size_t i = 0; i < 600; i++) {
		(void)snprintf(modules[i], sizeof(modules[i]), "m%03zu", i);
		noticed[i] = (struct mdl_trigger){.app = "app.py",
						  .kind = i ? "usage_shift" : "new_module",
						  .module = modules[i],
						  .before = "10 %",
						  .after = "70 %",
						  .why = "seen"};
	}
	app = reviewed(&in);
	for (size_t i = 0; i < app->n_changes; i++)
		n[app->changes[i].kind]++;
	assert_int_equal(app->n_changes, 200);
	assert_int_equal(app->cut_changes, 401);
	assert_int_equal(n[RV_NEW_MODULE], 1);
	assert_int_equal(n[RV_REGRESSION], 1);
	assert_int_equal(n[RV_USAGE_SHIFT], 198);
	(void)appraise_app_free(app);
	fh_free(before);
	fh_free(now);
}

static void test_room(void **state)
{
	size_t n[RV_CHANGE_KINDS] = {0}, room[RV_CHANGE_KINDS];

	(void)state;
	rv_change_room(n, 15, room);
	assert_int_equal(room[RV_GONE], 0);
	n[RV_GONE] = 20;
	n[RV_REGRESSION] = 2;
	n[RV_USAGE_SHIFT] = 9;
	rv_change_room(n, 15, room);
	assert_int_equal(room[RV_REGRESSION], 2);
	assert_int_equal(room[RV_GONE], 7);
	assert_int_equal(room[RV_USAGE_SHIFT], 6);
	rv_change_room(n, 100, room);
	assert_int_equal(room[RV_GONE], 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_and_goes),	 cmocka_unit_test(test_shifts),
		cmocka_unit_test(test_shifts_by_itself), cmocka_unit_test(test_shifts_in_a_ring),
		cmocka_unit_test(test_no_kind_starves),	 cmocka_unit_test(test_room),
		cmocka_unit_test(test_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

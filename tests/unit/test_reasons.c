/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What reasons and steps say is so, also of few runs, of none that tells the usage, and of last month's tier. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/has.h"
#include "unit/reviewed.h"

static const struct appraise_input defaults = {.thresholds = &review_default_thresholds};

static struct rv_review *review_of(const struct appraise_input *in)
{
	struct review_input ri = {.label = "test"};
	struct rv_review *r = NULL;
	struct rv_app *app;

	assert_int_equal(appraise_app(in, &app), 0);
	assert_int_equal(review_new(&ri, &app, 1, appraise_app_free, &r), 0);
	return r;
}

/* Forked workers time a module, too, but say nothing of the start. */
static void test_few_warm_runs(void **state)
{
	struct fh *f = one(300, 2, 2);
	struct appraise_input in = defaults;
	struct rv_app *app;

	(void)state;
	f->h.runs[MDL_RUN_FORKED] = 38;
	fh_add(&f->modules[0].total, 300, 38);
	in.now = &f->h;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].why, RV_WHY_FEW_RUNS);
	assert_int_equal(app->modules[0].ms.n, 40);
	has(app->modules[0].reason, "only 2 warm runs: too few to advise");
	(void)appraise_app_free(app);
	fh_free(f);
}

static void test_few_times(void **state)
{
	struct fh *f = one(300, 50, 2);
	struct appraise_input in = defaults;
	struct rv_app *app;

	(void)state;
	sketch_free(&f->modules[0].total);
	fh_add(&f->modules[0].total, 300, 2);
	in.now = &f->h;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].why, RV_WHY_FEW_RUNS);
	has(app->modules[0].reason, "only 2 runs timed it: too few to advise");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* Just enough warm runs to advise, and one run less that timed it. */
static void test_least_runs(void **state)
{
	const uint64_t least = review_default_thresholds.min_runs;
	struct fh *f = one(300, least, least);
	struct appraise_input in = defaults;
	struct rv_app *app;

	(void)state;
	in.now = &f->h;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].action, RV_DEFER);
	(void)appraise_app_free(app);
	sketch_free(&f->modules[0].total);
	fh_add(&f->modules[0].total, 300, least - 1);
	app = reviewed(&in);
	assert_int_equal(app->modules[0].why, RV_WHY_FEW_RUNS);
	has(app->modules[0].reason, "only 2 runs timed it: too few to advise");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* Imports that the import system itself makes on behalf of others: nobody's statement is to be moved for them. */
static void test_machinery(void **state)
{
	static const struct {
		const char *importer;
		bool machinery;
	} cases[] = {
		{"importlib", true},
		{"importlib._bootstrap", true},
		{"importlib._bootstrap_external", true},
		{"_frozen_importlib", true},
		{"_frozen_importlib_external", true},
		{"runpy", true},
		{"site", true},
		{"importlib.metadata", false},
		{"sitecustomize", false},
		{"runpy2", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fh *f = fh_new("app.py", 100, 130, 50);
		struct appraise_input in = defaults;
		const struct rv_module *m;
		struct rv_app *app;

		fh_cold(f, 400, 50);
		(void)fh_module(f, cases[i].importer, 320, 20, 320);
		(void)fh_module(f, "mod", 300, 300, 300);
		(void)fh_edge(f, "__main__", cases[i].importer, "/srv/app.py", 1,
			      LMMSD_PLACE_MODULE, true);
		(void)fh_edge(f, cases[i].importer, "mod", "/usr/lib/python3/x.py", 2,
			      LMMSD_PLACE_MODULE, true);
		(void)fh_done(f);
		in.now = &f->h;
		app = reviewed(&in);
		m = find(app, "mod");
		if (cases[i].machinery)
			assert_null(m->brought_by);
		else
			assert_string_equal(m->brought_by, cases[i].importer);
		assert_int_equal(m->n_cut, cases[i].machinery ? 0 : 1);
		(void)appraise_app_free(app);
		fh_free(f);
	}
}

/* Only forked workers: no run tells how many import it, and between the thresholds that is what decides. */
static void test_usage_not_known(void **state)
{
	static const struct {
		double ms;
		enum mdl_tier tier;
	} cases[] = {{5, MDL_MODULE_LEVEL}, {50, MDL_TIER_NONE}, {150, MDL_FUNCTION_LEVEL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fh *f = one(cases[i].ms, 0, 0);
		struct appraise_input in = defaults;
		struct rv_app *app;

		f->h.runs[MDL_RUN_FORKED] = 40;
		fh_add(&f->modules[0].total, cases[i].ms, 40);
		in.now = &f->h;
		app = reviewed(&in);
		assert_true(isnan(app->modules[0].usage_pct));
		assert_int_equal(app->modules[0].tier, cases[i].tier);
		assert_int_equal(app->modules[0].action, RV_NONE);
		has(app->modules[0].reason, "only 0 warm runs: too few to advise");
		(void)appraise_app_free(app);
		fh_free(f);
	}
}

/* Eight runs, one a ms, from `least` on; each imports it. */
static struct fh *scattered(double least)
{
	struct fh *f = one(least, 0, 0);
	struct mdl_hist_module *m = &f->modules[0];

	for (int i = 0; i < 8; i++)
		fh_add(&m->total, least + i, 1);
	fh_cold(f, least + 10, 8);
	f->h.runs[MDL_RUN_WARM] = f->h.runs_plain = m->runs_imported = m->runs_start = 8;
	m->runs_loaded = m->uses = m->runs_by_place[LMMSD_PLACE_MODULE] = 8;
	m->saving = (struct mdl_moments){.n = 8, .sum = least * 1e6 * 8};
	f->edges[0].runs = f->edges[0].count = f->edges[0].loads = 8;
	return f;
}

/* By this month's numbers it would stay at the top. */
static void test_defer_by_last_months_tier(void **state)
{
	struct mdl_verdict before = {.module = "mod", .tier = MDL_FUNCTION_LEVEL};
	struct fh *f = scattered(95.5);
	struct appraise_input in = defaults;
	struct rv_review *r;

	(void)state;
	in.now = &f->h;
	in.verdicts = &before;
	in.n_verdicts = 1;
	r = review_of(&in);
	assert_true(r->apps[0]->modules[0].kept);
	assert_int_equal(r->n_steps, 1);
	assert_int_equal(r->steps[0].action, RV_DEFER);
	has_not(r->steps[0].text, "is not above");
	has(r->steps[0].text, "spans the threshold of 100 ms, and last month's tier is kept");
	(void)review_free(r, appraise_app_free);
	fh_free(f);
}

static void test_hoist_by_last_months_tier(void **state)
{
	struct mdl_verdict before = {.module = "mod", .tier = MDL_MODULE_LEVEL};
	struct fh *f = scattered(97.5);
	struct appraise_input in = defaults;
	struct rv_review *r;
	const struct rv_module *m;

	(void)state;
	fh_in_function(f, &f->modules[0], 8);
	f->edges[0].place = LMMSD_PLACE_FUNCTION;
	in.now = &f->h;
	in.verdicts = &before;
	in.n_verdicts = 1;
	r = review_of(&in);
	m = &r->apps[0]->modules[0];
	assert_true(m->kept);
	assert_int_equal(m->action, RV_HOIST);
	has(m->reason, "by last month's tier MODULE_LEVEL: it can stand at the top of __main__");
	has_not(m->reason, "above 100 ms");
	has(r->steps[0].text, "spans the threshold of 100 ms, and last month's tier is kept");
	has_not(r->steps[0].text, "come in most runs");
	(void)review_free(r, appraise_app_free);
	fh_free(f);
}

/* What a sketch cannot tell apart is on neither side, though the interval does not reach the threshold. */
static void test_too_near(void **state)
{
	struct mdl_verdict before = {.module = "mod", .tier = MDL_MODULE_LEVEL};
	struct fh *f = scattered(100.2);
	struct appraise_input in = defaults;
	struct rv_app *app;

	(void)state;
	in.now = &f->h;
	in.verdicts = &before;
	in.n_verdicts = 1;
	app = reviewed(&in);
	assert_true(app->modules[0].spans);
	has_not(app->modules[0].reason, "spans");
	has(app->modules[0].reason, "is too near the threshold of 100 ms to tell");
	(void)appraise_app_free(app);
	fh_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_warm_runs),
		cmocka_unit_test(test_few_times),
		cmocka_unit_test(test_least_runs),
		cmocka_unit_test(test_machinery),
		cmocka_unit_test(test_usage_not_known),
		cmocka_unit_test(test_defer_by_last_months_tier),
		cmocka_unit_test(test_hoist_by_last_months_tier),
		cmocka_unit_test(test_too_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

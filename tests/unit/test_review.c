/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a history to what is advised: tiers at their bounds, hysteresis, and what stands in the way of a change. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/has.h"
#include "unit/reviewed.h"

static void test_bounds(void **state)
{
	static const struct {
		double ms;
		uint64_t used; /* of 10000 runs */
		enum mdl_tier tier;
	} cases[] = {
		{9.99, 10000, MDL_MODULE_LEVEL},     {9.99, 1, MDL_MODULE_LEVEL},
		{10, 8000, MDL_FUNCTION_LEVEL},	     {10, 8001, MDL_MODULE_LEVEL},
		{100, 8000, MDL_FUNCTION_LEVEL},     {100, 8001, MDL_MODULE_LEVEL},
		{100.01, 10000, MDL_FUNCTION_LEVEL}, {100.01, 1, MDL_FUNCTION_LEVEL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fh *f = one(cases[i].ms, 10000, cases[i].used);
		struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
		struct rv_app *app = reviewed(&in);

		assert_int_equal(app->modules[0].tier, cases[i].tier);
		assert_false(app->modules[0].spans);
		(void)appraise_app_free(app);
		fh_free(f);
	}
}

/* By the record's own formula: this module's part of all imports. */
static void test_share_basis(void **state)
{
	struct fh *f = one(50, 100, 100);
	struct appraise_input in = {
		.now = &f->h, .thresholds = &review_default_thresholds, .basis = RV_BASIS_SHARE};
	struct rv_app *app;

	(void)state;
	f->h.uses = 400;
	app = reviewed(&in);
	assert_float_equal(app->modules[0].usage_pct, 25, 1e-9);
	assert_float_equal(app->modules[0].run_pct, 100, 1e-9);
	assert_int_equal(app->modules[0].tier, MDL_FUNCTION_LEVEL);
	(void)appraise_app_free(app);
	f->h.usage = false;
	app = reviewed(&in);
	assert_true(isnan(app->modules[0].share_pct));
	assert_int_equal(app->modules[0].tier, MDL_MODULE_LEVEL);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* 8 runs from 97 to 103 ms: the median's interval holds 100. */
static void test_hysteresis(void **state)
{
	struct mdl_verdict before = {.module = "mod", .tier = MDL_MODULE_LEVEL};
	struct fh *f = one(101, 0, 0);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app;

	(void)state;
	for (int i = 0; i < 8; i++)
		fh_add(&f->modules[0].total, 97.5 + i, 1);
	f->h.runs[MDL_RUN_WARM] = f->h.runs_plain = f->modules[0].runs_imported = 8;
	f->modules[0].runs_start = 8;
	app = reviewed(&in);
	assert_true(app->modules[0].spans);
	assert_false(app->modules[0].kept);
	assert_int_equal(app->modules[0].tier, MDL_FUNCTION_LEVEL);
	(void)appraise_app_free(app);
	in.verdicts = &before;
	in.n_verdicts = 1;
	app = reviewed(&in);
	assert_true(app->modules[0].kept);
	assert_int_equal(app->modules[0].tier, MDL_MODULE_LEVEL);
	assert_int_equal(app->modules[0].tier_now, MDL_FUNCTION_LEVEL);
	has(app->modules[0].reason, "spans the threshold of 100 ms");
	has(app->modules[0].reason, "last month's tier is kept");
	(void)appraise_app_free(app);
	/* well beyond: last month's does not hold it back */
	for (int i = 0; i < 100; i++)
		fh_add(&f->modules[0].total, 160, 1);
	app = reviewed(&in);
	assert_false(app->modules[0].kept);
	assert_int_equal(app->modules[0].tier, MDL_FUNCTION_LEVEL);
	(void)appraise_app_free(app);
	fh_free(f);
}

static void test_few_runs(void **state)
{
	struct fh *f = one(300, 1, 1), *none = one(300, 0, 0);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app = reviewed(&in);

	(void)state;
	assert_int_equal(app->modules[0].action, RV_NONE);
	assert_int_equal(app->modules[0].why, RV_WHY_FEW_RUNS);
	has(app->modules[0].reason, "only 1 warm run");
	(void)appraise_app_free(app);
	in.now = &none->h;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].why, RV_WHY_NO_TIME);
	assert_true(isnan(app->modules[0].ms.p50));
	assert_true(isnan(app->modules[0].run_pct));
	(void)appraise_app_free(app);
	fh_free(f);
	fh_free(none);
}

static void test_shop(void **state)
{
	const struct rv_module *m;
	const struct rv_app *app;
	struct fr r;

	(void)state;
	fr_init(&r, 1);
	app = r.review->apps[0];
	assert_string_equal(app->modules[0].name, "pandas");
	assert_int_equal(app->modules[0].action, RV_DEFER);
	m = find(app, "numpy");
	assert_int_equal(m->action, RV_DEFER);
	assert_int_equal(m->why, RV_WHY_TOGETHER);
	assert_int_equal(m->n_cut, 2);
	has(m->reason, "deferring only one of them saves nothing");
	has(m->reason, "deferring only moves the cost");
	m = find(app, "pandas.core");
	assert_int_equal(m->action, RV_NONE);
	assert_int_equal(m->why, RV_WHY_FOREIGN);
	has(m->reason, "comes with pandas");
	assert_string_equal(m->brought_by, "pandas");
	assert_int_equal(m->n_chain, 5);
	assert_string_equal(m->chain[0], "__main__");
	assert_string_equal(m->chain[3], "pandas");
	m = find(app, "shop");
	assert_int_equal(m->why, RV_WHY_PARTS);
	m = find(app, "shop.tax");
	assert_int_equal(m->action, RV_HOIST);
	assert_int_equal(m->evidence, RV_EVIDENCE_IN_USE);
	m = find(app, "sklearn");
	assert_int_equal(m->action, RV_KEEP);
	assert_int_equal(m->placement, LMMSD_PLACE_FUNCTION);
	assert_true(m->slow);
	m = find(app, "json");
	assert_int_equal(m->action, RV_KEEP);
	assert_int_equal(m->tier, MDL_MODULE_LEVEL);
	assert_float_equal(app->can_save_ms, 388 + 118, 1e-6);
	fr_free(&r);
}

/* Between the thresholds usage decides, and here nobody knows it: kept by the rule, and said with what it would save. */
static void test_worth_a_look(void **state)
{
	struct fh *f = one(50, 100, 100), *cheap = one(5, 100, 100), *rare = one(50, 100, 50);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app = reviewed(&in);

	(void)state;
	assert_int_equal(app->modules[0].action, RV_KEEP);
	assert_true(app->modules[0].doubt);
	has(app->modules[0].reason, "whether the runs use it is not measured");
	has(app->modules[0].reason, "deferring it at srv/app.py:7 saves 50.0 ms (83 %)");
	(void)appraise_app_free(app);
	f->edges[0].file = NULL;
	app = reviewed(&in);
	has(app->modules[0].reason, "deferring it in __main__ saves 50.0 ms");
	(void)appraise_app_free(app);
	in.now = &cheap->h;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].action, RV_KEEP);
	assert_false(app->modules[0].doubt);
	(void)appraise_app_free(app);
	in.now = &rare->h;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].action, RV_DEFER);
	assert_false(app->modules[0].doubt);
	(void)appraise_app_free(app);
	fh_free(f);
	fh_free(cheap);
	fh_free(rare);
}

/* What saves less than 5 % of the start, or is known to be used in nearly every run, is not worth a look. */
static void test_doubt(void **state)
{
	static const struct {
		double start_ms; /* of which 50 could be saved */
		double often_pct;
		uint64_t used; /* of 100 runs, inside functions */
		bool doubt;
	} cases[] = {
		{60, 90, 0, true},   {980, 90, 0, true}, {1020, 90, 0, false}, {60, 90, 89, true},
		{60, 90, 90, false}, {60, 60, 59, true}, {60, 60, 60, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rv_thresholds t = review_default_thresholds;
		struct fh *f = one(50, 100, 100);
		struct appraise_input in = {.now = &f->h, .thresholds = &t};
		struct rv_app *app;

		t.often_pct = cases[i].often_pct;
		sketch_free(&f->h.cold_start);
		fh_add(&f->h.cold_start, cases[i].start_ms, 100);
		f->modules[0].runs_used = cases[i].used;
		assert_int_equal(appraise_app(&in, &app), 0);
		assert_int_equal(review_app(&t, app), 0);
		assert_int_equal(app->modules[0].action, RV_KEEP);
		if (app->modules[0].doubt != cases[i].doubt)
			fail_msg("%zu: doubt is not %d", i, cases[i].doubt);
		(void)appraise_app_free(app);
		fh_free(f);
	}
}

/* Without uses it is not known who else needs a module. */
static void test_savings_without_uses(void **state)
{
	struct fh *f = one(200, 100, 100);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app;

	(void)state;
	f->h.usage = false;
	app = reviewed(&in);
	assert_false(app->uses_counted);
	has(app->modules[0].reason, "the start is up to 200 ms shorter");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* An installed command: its own code is that of the distribution which its script starts; and that is the program itself. */
static void test_installed_command(void **state)
{
	struct fh *f = fh_new("ourctl", 100, 130, 50);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app;

	(void)state;
	fh_installed(f, fh_module(f, "acme_tools.cli", 390, 2, 390), FR_SITE "acme_tools/cli.py",
		     "acme-tools", "1.0");
	fh_installed(f, fh_module(f, "pandas", 300, 100, 300), FR_SITE "pandas/__init__.py",
		     "pandas", "2.1");
	(void)fh_module(f, "re", 1, 1, 0);
	fh_cold(f, 400, 50);
	(void)fh_edge(f, "__main__", "re", "/opt/venv/bin/ourctl", 2, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "__main__", "acme_tools.cli", "/opt/venv/bin/ourctl", 5,
		      LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "acme_tools.cli", "pandas", FR_SITE "acme_tools/cli.py", 3,
		      LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	app = reviewed(&in);
	assert_true(find(app, "acme_tools.cli")->own);
	assert_false(find(app, "pandas")->own);
	assert_int_equal(find(app, "acme_tools.cli")->action, RV_NONE);
	assert_string_equal(app->modules[0].name, "pandas");
	assert_int_equal(app->modules[0].action, RV_DEFER);
	has(app->modules[0].reason, "acme_tools/cli.py:3");
	(void)appraise_app_free(app);
	/* without pandas there is nothing to move: not the program */
	sketch_free(&fh_find(f, "pandas")->total);
	fh_add(&fh_find(f, "pandas")->total, 9, 50);
	app = reviewed(&in);
	assert_int_equal(find(app, "acme_tools.cli")->action, RV_NONE);
	assert_int_equal(find(app, "acme_tools.cli")->why, RV_WHY_PROGRAM);
	(void)appraise_app_free(app);
	fh_free(f);
}

static void test_steps(void **state)
{
	struct fr r;

	(void)state;
	fr_init(&r, 4);
	assert_int_equal(r.review->n_steps, 4);
	assert_string_equal(r.review->steps[0].app, "shop/manage.py");
	assert_string_equal(r.review->steps[0].module, "pandas");
	assert_float_equal(r.review->steps[0].saving_ms, 388, 1e-6);
	has(r.review->steps[0].text, "shop/report.py:3");
	has(r.review->steps[0].text, "the start gets 388 ms shorter, 44 % of ");
	assert_string_equal(r.review->steps[1].module, "numpy");
	assert_int_equal(r.review->steps[1].n_sites, 2);
	assert_int_equal(r.review->steps[3].action, RV_HOIST);
	assert_string_equal(r.review->apps[0]->app, "shop/manage.py");
	fr_free(&r);
}

/* a imports b at its top, b imports a in a function: at the top the two would import each other. */
static void test_cycle(void **state)
{
	struct fh *f = fh_new("app.py", 100, 130, 20);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct mdl_hist_module *m;
	struct rv_app *app;

	(void)state;
	fh_cold(f, 30, 20);
	m = fh_module(f, "a", 3, 3, 3);
	m->file = "/srv/a.py";
	fh_in_function(f, m, 20);
	m = fh_module(f, "b", 3, 3, 3);
	m->file = "/srv/b.py";
	(void)fh_edge(f, "a", "b", "/srv/a.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "b", "a", "/srv/b.py", 9, LMMSD_PLACE_FUNCTION, true);
	(void)fh_done(f);
	app = reviewed(&in);
	assert_int_equal(find(app, "a")->why, RV_WHY_CYCLE);
	assert_int_equal(find(app, "a")->action, RV_KEEP);
	has(find(app, "a")->reason, "import each other");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* A server that starts 10 times and forks 90000 workers, and a script with 1050 starts: the script's are what counts. */
static void test_forked_runs_save_nothing(void **state)
{
	struct fh *server = one(300, 10, 10), *script = one(200, 1000, 1000);
	struct appraise_input in = {.thresholds = &review_default_thresholds};
	struct review_input ri = {.label = "test"};
	struct rv_review *r = NULL;
	struct rv_app *apps[2];

	(void)state;
	server->h.app = "server";
	server->h.runs[MDL_RUN_FORKED] = 90000;
	server->h.runs[MDL_RUN_PARTIAL] = 10000;
	script->h.app = "script";
	script->h.runs[MDL_RUN_COLD] = 20;
	script->h.runs[MDL_RUN_COMPILED] = 30;
	script->h.runs_plain = 1050;
	in.now = &server->h;
	assert_int_equal(appraise_app(&in, &apps[0]), 0);
	in.now = &script->h;
	assert_int_equal(appraise_app(&in, &apps[1]), 0);
	assert_int_equal(review_new(&ri, apps, 2, appraise_app_free, &r), 0);
	assert_string_equal(r->apps[0]->app, "script");
	assert_int_equal(r->n_steps, 2);
	assert_string_equal(r->steps[0].app, "script");
	assert_float_equal(r->steps[0].month_s, 0.2 * 1050, 1e-6);
	assert_float_equal(r->steps[1].month_s, 0.3 * 10, 1e-6);
	(void)review_free(r, appraise_app_free);
	fh_free(server);
	fh_free(script);
}

/* "No part of the start" is said of none that is in some. */
static void test_part_of_few_starts(void **state)
{
	static const struct {
		uint64_t starts;
		const char *said;
	} cases[] = {{499, "; it is part of the start in only 49.9 % of the runs"},
		     {450, "; it is part of the start in only 45 % of the runs"},
		     {1, "; it is part of the start in only 0.1 % of the runs"},
		     {0, "; it is no part of the start"}};
	struct fh *f = one(200, 1000, 1000);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rv_app *app;

		f->modules[0].runs_start = cases[i].starts;
		app = reviewed(&in);
		assert_int_equal(app->modules[0].action, RV_KEEP);
		has(app->modules[0].reason, cases[i].said);
		(void)appraise_app_free(app);
	}
	fh_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_share_basis),
		cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_few_runs),
		cmocka_unit_test(test_shop),
		cmocka_unit_test(test_worth_a_look),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_savings_without_uses),
		cmocka_unit_test(test_installed_command),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_forked_runs_save_nothing),
		cmocka_unit_test(test_part_of_few_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

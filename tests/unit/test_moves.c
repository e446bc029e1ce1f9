/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Where deferring only moves the cost, and what is to be saved beside that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/has.h"
#include "unit/reviewed.h"

/* Also imported inside functions in nearly every run: there the cost would only move. */
static void test_moves(void **state)
{
	struct fh *f = one(200, 100, 100);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app;

	(void)state;
	f->modules[0].runs_used = 97;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].action, RV_DEFER);
	assert_int_equal(app->modules[0].why, RV_WHY_MOVES);
	has(app->modules[0].reason, "deferring only moves the cost");
	assert_float_equal(app->can_save_ms, 0, 1e-9);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* shop.report is dear itself and used in nearly every run; the pandas that it imports is hardly used. */
static struct fh *report_and_pandas(uint64_t uses_pandas)
{
	struct fh *f = fh_new("app.py", 100, 130, 100);
	struct mdl_hist_module *m = fh_module(f, "shop.report", 400, 100, 400);

	fh_cold(f, 500, 100);
	m->file = "/srv/shop/report.py";
	m->runs_used = 95;
	m = fh_module(f, "pandas", 300, 300, 300);
	fh_installed(f, m, FR_SITE "pandas/__init__.py", "pandas", "2.1");
	m->runs_used = uses_pandas;
	(void)fh_edge(f, "__main__", "shop.report", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "shop.report", "pandas", "/srv/shop/report.py", 3, LMMSD_PLACE_MODULE,
		      true);
	(void)fh_done(f);
	return f;
}

static void test_saving_below_what_moves(void **state)
{
	struct fh *f = report_and_pandas(3);
	struct review_input ri = {.label = "test"};
	struct rv_app *app = fr_appraise(f, NULL);
	struct rv_review *r = NULL;

	(void)state;
	assert_int_equal(review_new(&ri, &app, 1, appraise_app_free, &r), 0);
	assert_int_equal(find(app, "shop.report")->why, RV_WHY_MOVES);
	assert_int_equal(find(app, "pandas")->why, RV_WHY_SAVES);
	assert_false(find(app, "pandas")->covered);
	has_not(find(app, "pandas")->reason, "takes it along");
	assert_float_equal(app->can_save_ms, 300, 1e-6);
	assert_int_equal(r->n_steps, 2);
	assert_string_equal(r->steps[0].module, "pandas");
	assert_float_equal(r->steps[0].month_s, 30, 1e-6);
	assert_string_equal(r->steps[1].module, "shop.report");
	(void)review_free(r, appraise_app_free);
	fh_free(f);
}

/* Both only move: one step is enough. */
static void test_moves_together(void **state)
{
	struct fh *f = report_and_pandas(95);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app = reviewed(&in);

	(void)state;
	assert_int_equal(find(app, "pandas")->why, RV_WHY_MOVES);
	assert_true(find(app, "pandas")->covered);
	assert_false(find(app, "shop.report")->covered);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* A plugin that importlib loads in every start: that no import stands at a top is no proof of use. */
static void test_loaded_by_name(void **state)
{
	struct fh *f = one(200, 100, 100);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct mdl_hist_module *m = &f->modules[0];
	struct rv_app *app;

	(void)state;
	f->edges[0].place = m->place = LMMSD_PLACE_DYNAMIC;
	m->runs_by_place[LMMSD_PLACE_DYNAMIC] = m->runs_by_place[LMMSD_PLACE_MODULE];
	m->runs_by_place[LMMSD_PLACE_MODULE] = 0;
	app = reviewed(&in);
	assert_int_equal(app->modules[0].evidence, RV_EVIDENCE_IMPORTED);
	assert_int_equal(app->modules[0].why, RV_WHY_SAVES);
	has(app->modules[0].reason, "whether they go on to use it is not measured");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* From `often_pct` on a module counts as used in nearly every run, by uses in functions or by imports that are in use. */
static void test_often(void **state)
{
	static const struct {
		double often_pct;
		uint64_t used; /* of 100 runs, inside functions */
		enum rv_why why;
	} cases[] = {
		{90, 89, RV_WHY_SAVES}, {90, 90, RV_WHY_MOVES},	  {90, 91, RV_WHY_MOVES},
		{50, 49, RV_WHY_SAVES}, {50, 50, RV_WHY_MOVES},	  {100, 99, RV_WHY_SAVES},
		{0, 0, RV_WHY_MOVES},	{100, 100, RV_WHY_MOVES},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rv_thresholds t = review_default_thresholds;
		struct fh *f = one(200, 100, 100);
		struct appraise_input in = {.now = &f->h, .thresholds = &t};
		struct rv_app *app;

		t.often_pct = cases[i].often_pct;
		f->modules[0].runs_used = cases[i].used;
		assert_int_equal(appraise_app(&in, &app), 0);
		assert_int_equal(review_app(&t, app), 0);
		assert_int_equal(app->modules[0].action, RV_DEFER);
		assert_int_equal(app->modules[0].why, cases[i].why);
		(void)appraise_app_free(app);
		fh_free(f);
	}
	assert_float_equal(review_default_thresholds.often_pct, 90, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_saving_below_what_moves),
		cmocka_unit_test(test_moves_together),
		cmocka_unit_test(test_loaded_by_name),
		cmocka_unit_test(test_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a history to what is advised: tiers at their bounds, hysteresis, and what stands in the way of a change. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/fake_review.h"

static void has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text ? text : "(null)");
}

static const struct rv_module *find(const struct rv_app *app, const char *name)
{
	for (size_t i = 0; i < app->n_modules; i++)
		if (!strcmp(app->modules[i].name, name))
			return &app->modules[i];
	fail_msg("no module %s", name);
	return NULL;
}

static struct rv_app *reviewed(const struct appraise_input *in)
{
	struct rv_app *app = NULL;

	assert_int_equal(appraise_app(in, &app), 0);
	assert_int_equal(review_app(NULL, app), 0);
	return app;
}

/* One module of the program, imported at its top; n runs, of which `used` import it. */
static struct fh *one(double ms, uint64_t n, uint64_t used)
{
	struct fh *f = fh_new("app.py", 100, 130, n);
	struct mdl_hist_module *m = fh_module(f, "mod", ms, ms, ms);

	if (n)
		fh_cold(f, ms + 10, n);
	m->runs_imported = used;
	(void)fh_edge(f, "__main__", "mod", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	return f;
}

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
	has(app->modules[0].reason, "spans a threshold");
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
	assert_string_equal(r.review->steps[1].module, "numpy");
	assert_int_equal(r.review->steps[1].n_sites, 2);
	assert_int_equal(r.review->steps[3].action, RV_HOIST);
	assert_string_equal(r.review->apps[0]->app, "shop/manage.py");
	fr_free(&r);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),	   cmocka_unit_test(test_share_basis),
		cmocka_unit_test(test_hysteresis), cmocka_unit_test(test_few_runs),
		cmocka_unit_test(test_shop),	   cmocka_unit_test(test_steps),
		cmocka_unit_test(test_moves),	   cmocka_unit_test(test_cycle),

	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

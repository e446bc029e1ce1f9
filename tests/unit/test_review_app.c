/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What a review says of an app beside its modules' placement: changes, noise, the checklist, pictures, answers. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/has.h"
#include "unit/reviewed.h"

static const struct rv_change *change(const struct rv_app *app, enum rv_change_kind kind)
{
	const struct rv_change *c = NULL;

	for (size_t i = 0; i < app->n_changes; i++)
		if (app->changes[i].kind == kind) {
			assert_null(c);
			c = &app->changes[i];
		}
	return c;
}

static void test_changes(void **state)
{
	const struct rv_app *app;
	struct fr r;

	(void)state;
	fr_init(&r, 2);
	app = r.review->apps[0];
	assert_string_equal(change(app, RV_NEW_MODULE)->module, "requests");
	assert_string_equal(change(app, RV_GONE)->module, "sklearn");
	assert_null(change(app, RV_IMPROVEMENT)->module);
	assert_string_equal(change(app, RV_DEPENDENCY_UPDATE)->module, "pandas");
	assert_string_equal(change(app, RV_DEPENDENCY_UPDATE)->before, "1.5.3");
	assert_null(change(app, RV_USAGE_SHIFT));
	assert_null(change(app, RV_REGRESSION));
	assert_non_null(app->verify);
	assert_true(app->verify->holds);
	assert_float_equal(app->verify->predicted_ms, 600, 5);
	/* the worker is as it was */
	assert_int_equal(r.review->apps[1]->n_changes, 0);
	assert_null(r.review->apps[1]->verify);
	fr_free(&r);
}

/* What the daemon noticed stands in the review, and is not told twice. */
static void test_triggers(void **state)
{
	struct mdl_trigger noticed = {.app = "app.py",
				      .kind = "regression",
				      .module = "",
				      .before = "60 ms",
				      .after = "110 ms",
				      .why = "seen",
				      .at_ns = 0};
	struct fh *f = one(100, 50, 50), *before = one(50, 50, 50);
	struct appraise_input in = {.now = &f->h,
				    .before = &before->h,
				    .triggers = &noticed,
				    .n_triggers = 1,
				    .thresholds = &review_default_thresholds};
	struct rv_app *app = reviewed(&in);

	(void)state;
	assert_int_equal(app->n_changes, 2);
	assert_null(app->changes[0].module);
	assert_string_equal(app->changes[0].why, "seen");
	assert_string_equal(app->changes[1].module, "mod");
	assert_int_equal(app->changes[1].kind, RV_REGRESSION);
	(void)appraise_app_free(app);
	fh_free(f);
	fh_free(before);
}

/* Two of ten starts on a busy host: the saving is that of the median start, not more than all of it. */
static void test_slow_runs_save_no_more(void **state)
{
	struct fh *f = fh_new("app.py", 100, 130, 10);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app;

	(void)state;
	(void)fh_module(f, "mod", 100, 100, 260);
	fh_cold(f, 110, 8);
	fh_cold(f, 1010, 2);
	(void)fh_edge(f, "__main__", "mod", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	app = reviewed(&in);
	assert_float_equal(find(app, "mod")->saving_ms, 260.0 * 110 / 290, 2);
	(void)appraise_app_free(app);
	fh_free(f);
}

static void test_noise(void **state)
{
	const struct rv_module *m;
	struct fr r;

	(void)state;
	fr_init(&r, 2);
	m = find(r.review->apps[1], "jsonschema");
	assert_int_equal(m->tier, MDL_FUNCTION_LEVEL);
	assert_int_equal(m->action, RV_NONE);
	assert_int_equal(m->why, RV_WHY_NOISE);
	has(m->reason, "below the noise");
	fr_free(&r);
}

static void test_no_data(void **state)
{
	struct fh *f = fh_new("app.py", 100, 130, 0);
	struct review_input ri = {.label = "empty"};
	struct appraise_input in = {.now = fh_done(f), .thresholds = &review_default_thresholds};
	struct rv_review *r = NULL;
	struct rv_app *app = NULL;

	(void)state;
	assert_int_equal(appraise_app(&in, &app), 0);
	assert_int_equal(review_new(&ri, &app, 1, appraise_app_free, &r), 0);
	assert_int_equal(r->n_steps, 0);
	assert_int_equal(r->apps[0]->n_modules, 0);
	assert_int_equal(r->apps[0]->n_checklist, 10);
	for (size_t i = 0; i < 7; i++)
		assert_false(r->apps[0]->checklist[i].done);
	(void)review_free(r, appraise_app_free);
	assert_int_equal(review_new(&ri, NULL, 0, appraise_app_free, &r), 0);
	assert_int_equal(r->n_apps, 0);
	assert_null(review_free(r, appraise_app_free));
	fh_free(f);
}

static void test_checklist(void **state)
{
	const struct rv_app *app;
	struct fr r;

	(void)state;
	fr_init(&r, 1);
	app = r.review->apps[0];
	assert_int_equal(app->n_checklist, 10);
	assert_true(app->checklist[0].done);
	has(app->checklist[0].evidence, "900 warm runs");
	has(app->checklist[0].evidence, "17 events or runs were lost");
	assert_false(app->checklist[5].done);
	has(app->checklist[5].evidence, "2 imports to defer, first pandas");
	assert_true(app->checklist[6].done);
	has(app->checklist[6].evidence, "holds");
	assert_false(app->checklist[9].done);
	has(app->checklist[9].evidence, "shop (871 ms)");
	fr_free(&r);
}

/* What is left to do, and which runs are kept apart. */
static void test_checklist_of_few_runs(void **state)
{
	static const struct {
		uint64_t warm, cold, compiled;
		const char *measured, *left;
		bool done;
	} cases[] = {
		{3, 0, 0, "1 modules timed in 3 warm runs",
		 "no import is left that is worth moving", true},
		{2, 0, 0, "1 modules timed in 2 warm runs", "too few warm runs to advise a change",
		 false},
		{3, 2, 2, "2 runs with a cold cache and 2 after a recompilation are kept apart",
		 "no import is left", true},
		{3, 0, 1, "0 runs with a cold cache and 1 after", "no import is left", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fh *f = one(5, cases[i].warm, cases[i].warm);
		struct review_input ri = {.label = "test", .version = "1"};
		struct rv_review *r = NULL;
		struct rv_app *app;

		f->h.runs[MDL_RUN_COLD] = cases[i].cold;
		f->h.runs[MDL_RUN_COMPILED] = cases[i].compiled;
		app = fr_appraise(f, NULL);
		assert_int_equal(review_new(&ri, &app, 1, appraise_app_free, &r), 0);
		has(app->checklist[0].evidence, cases[i].measured);
		if (!cases[i].cold && !cases[i].compiled)
			has_not(app->checklist[0].evidence, "kept apart");
		has(app->checklist[5].evidence, cases[i].left);
		assert_int_equal(app->checklist[5].done, cases[i].done);
		(void)review_free(r, appraise_app_free);
		fh_free(f);
	}
}

static void test_icicle(void **state)
{
	const struct rv_app *app;
	double top = 0;
	struct fr r;

	(void)state;
	fr_init(&r, 1);
	app = r.review->apps[0];
	assert_string_equal(app->nodes[0].name, "shop");
	for (size_t i = 0; i < app->n_nodes; i++) {
		const struct rv_node *n = &app->nodes[i];
		double below = n->self_ms;

		assert_true(n->parent < (int32_t)i);
		if (n->parent < 0)
			top += n->total_ms;
		else
			assert_int_equal(n->depth, app->nodes[n->parent].depth + 1);
		for (size_t k = i + 1; k < app->n_nodes; k++)
			if (app->nodes[k].parent == (int32_t)i)
				below += app->nodes[k].total_ms;
		assert_true(below <= n->total_ms * 1.01 + 1);
		assert_int_equal(n->action == RV_DEFER,
				 !strcmp(n->name, "pandas") || !strcmp(n->name, "numpy"));
	}
	assert_true(top > 500);
	fr_free(&r);
}

static void test_answers(void **state)
{
	struct rv_reasons *why = NULL;
	struct rv_deps *deps = NULL;
	struct fh *f = fr_shop(FR_SINCE, true);

	(void)state;
	assert_int_equal(appraise_deps(&f->h, "pandas", &deps), 0);
	assert_int_equal(deps->n, 6);
	assert_string_equal(deps->rows[0].name, "pandas");
	assert_int_equal(deps->rows[0].via, -1);
	assert_true(deps->rows[3].only);
	assert_float_equal(deps->shared_ms, 0, 1e-9);
	assert_int_equal(deps->n_rollups, 1);
	for (size_t i = 1; i < deps->n; i++)
		assert_true(deps->rows[i].via < (int32_t)i);
	assert_int_equal(appraise_reasons(&f->h, "numpy", &why), 0);
	assert_int_equal(why->n_sites, 2);
	assert_float_equal(why->alone_ms[0], 0, 1e-9);
	assert_float_equal(why->alone_ms[1], 0, 1e-9);
	assert_int_equal(why->n_cut, 2);
	assert_true(why->cut_possible && why->cut_direct);
	assert_true(fabs(why->cut_ms - 118) < 1);
	assert_int_equal(why->n_paths, 2);
	assert_string_equal(why->step[0], "__main__");
	why = appraise_reasons_free(why);
	deps = appraise_deps_free(deps);
	/* no part of the start */
	assert_int_equal(appraise_reasons(&f->h, "shop.tax", &why), 0);
	assert_true(isnan(why->saving_ms));
	assert_true(isnan(why->alone_ms[0]));
	(void)appraise_reasons_free(why);
	assert_int_equal(appraise_deps(&f->h, "nothing", &deps), -ENOENT);
	assert_int_equal(appraise_reasons(&f->h, "nothing", &why), -ENOENT);
	fh_free(f);
}

/* A program one of whose modules says "import __main__": its own imports stay the program's. */
static void test_a_module_called_main(void **state)
{
	struct fh *f = fh_new("app.py", 100, 130, 50);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct mdl_hist_module *m = fh_module(f, "__main__", 0, 0, 0);
	struct rv_reasons *why = NULL;
	struct rv_app *app;

	(void)state;
	m->runs_start = m->runs_loaded = 0;
	(void)fh_module(f, "mod", 200, 200, 200);
	fh_cold(f, 210, 50);
	(void)fh_edge(f, "__main__", "mod", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "mod", "__main__", "/usr/lib/python3/dist-packages/mod.py", 9,
		      LMMSD_PLACE_MODULE, false);
	(void)fh_done(f);
	app = reviewed(&in);
	assert_int_equal(find(app, "mod")->action, RV_DEFER);
	assert_true(find(app, "mod")->sites[0].own);
	assert_int_equal(appraise_reasons(&f->h, "mod", &why), 0);
	assert_float_equal(why->alone_ms[0], 200, 1);
	(void)appraise_reasons_free(why);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* On a busy host each module is late in some other run: `why` promises what the review does. */
static void test_answers_agree_on_a_busy_host(void **state)
{
	enum { PARTS = 10 };
	static const char *const names[PARTS] = {"m.a", "m.b", "m.c", "m.d", "m.e",
						 "m.f", "m.g", "m.h", "m.i", "m.j"};
	struct fh *f = fh_new("app.py", 100, 130, PARTS);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_reasons *why = NULL;
	struct rv_deps *deps = NULL;
	struct rv_app *app;

	(void)state;
	(void)fh_module(f, "m", 1 + 10 * PARTS + 50, 1, 1 + 10 * PARTS + 50);
	(void)fh_edge(f, "__main__", "m", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	for (size_t i = 0; i < PARTS; i++) {
		struct mdl_hist_module *m = fh_module(f, names[i], 10, 10, 15);

		/* 50 ms late in one run of the ten */
		sketch_free(&m->self);
		fh_add(&m->self, 10, PARTS - 1);
		fh_add(&m->self, 60, 1);
		(void)fh_edge(f, "m", names[i], "/srv/m/__init__.py", 1 + (int32_t)i,
			      LMMSD_PLACE_MODULE, true);
	}
	fh_cold(f, 1 + 10 * PARTS + 50, PARTS);
	(void)fh_done(f);
	app = reviewed(&in);
	assert_int_equal(appraise_reasons(&f->h, "m", &why), 0);
	assert_int_equal(appraise_deps(&f->h, "m", &deps), 0);
	assert_float_equal(find(app, "m")->saving_ms, 151, 1);
	assert_float_equal(why->saving_ms, find(app, "m")->saving_ms, 1);
	assert_float_equal(why->alone_ms[0], find(app, "m")->saving_ms, 1);
	assert_float_equal(deps->only_ms, find(app, "m")->saving_ms, 1);
	assert_float_equal(app->nodes[0].total_ms, app->cold_start.p50, 2);
	(void)appraise_reasons_free(why);
	(void)appraise_deps_free(deps);
	(void)appraise_app_free(app);
	fh_free(f);
}

static void test_slow(void **state)
{
	struct rv_slow_list list = {0};
	struct fr r;

	(void)state;
	fr_init(&r, 4);
	assert_int_equal(appraise_slow(r.review->apps, 4, 500, &list), 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.slow[0].module, "shop");
	assert_true(list.slow[1].ms >= list.slow[2].ms);
	free(list.slow);
	assert_int_equal(appraise_slow(r.review->apps, 4, 5000, &list), 0);
	assert_int_equal(list.n, 0);
	free(list.slow);
	fr_free(&r);
}

/* Runs with cold caches time no module: such an app is not without slow imports, it is not known yet. */
static void test_slow_without_a_warm_run(void **state)
{
	struct fh *f = fh_new("cold.py", 100, 130, 0), *empty = fh_new("empty.py", 100, 130, 9);
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_slow_list list = {0};
	struct rv_app *apps[3];
	struct fr r;

	(void)state;
	fr_init(&r, 1);
	f->h.runs[MDL_RUN_COLD] = 3;
	(void)fh_module(f, "dear", 900, 900, 900);
	(void)fh_done(f);
	apps[0] = reviewed(&in);
	apps[1] = r.review->apps[0];
	assert_int_equal(appraise_slow(apps, 1, 500, &list), 0);
	assert_int_equal(list.n_apps, 0);
	assert_int_equal(list.n_modules, 0);
	assert_int_equal(list.n_unmeasured, 1);
	free(list.slow);
	assert_int_equal(appraise_slow(apps, 2, 500, &list), 0);
	assert_int_equal(list.n_apps, 1);
	assert_int_equal(list.n_modules, r.review->apps[0]->n_modules);
	assert_int_equal(list.n_unmeasured, 1);
	free(list.slow);
	/* warm runs that import nothing are an answer */
	in.now = fh_done(empty);
	apps[2] = reviewed(&in);
	assert_int_equal(appraise_slow(apps + 2, 1, 500, &list), 0);
	assert_int_equal(list.n_apps, 1);
	assert_int_equal(list.n_unmeasured, 0);
	free(list.slow);
	(void)appraise_app_free(apps[0]);
	(void)appraise_app_free(apps[2]);
	fh_free(f);
	fh_free(empty);
	fr_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_slow_runs_save_no_more),
		cmocka_unit_test(test_no_data),
		cmocka_unit_test(test_checklist),
		cmocka_unit_test(test_checklist_of_few_runs),
		cmocka_unit_test(test_icicle),
		cmocka_unit_test(test_slow_without_a_warm_run),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_a_module_called_main),
		cmocka_unit_test(test_answers_agree_on_a_busy_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

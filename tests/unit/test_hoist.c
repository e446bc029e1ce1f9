/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is imported inside a function and could stand at the top: where, and where it would break the program. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/has.h"
#include "unit/reviewed.h"

#define RUNS 20

static struct fh *app_of(void)
{
	struct fh *f = fh_new("app.py", 100, 130, RUNS);

	fh_cold(f, 50, RUNS);
	return f;
}

static struct mdl_hist_module *own(struct fh *f, const char *name)
{
	struct mdl_hist_module *m = fh_module(f, name, 3, 3, 3);

	m->file = "/srv/shop/module.py";
	return m;
}

static void edge(struct fh *f, const char *importer, const char *module, int32_t line,
		 uint8_t place)
{
	(void)fh_edge(f, importer, module, "/srv/shop/module.py", line, place,
		      place != LMMSD_PLACE_MODULE);
}

static struct rv_app *advised(struct fh *f)
{
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};

	(void)fh_done(f);
	return reviewed(&in);
}

/* shop.models imports shop.tasks in a function, and that leads to shop.models through so many others. */
static struct fh *circle_of(size_t between)
{
	static const char *const names[] = {"shop.utils", "shop.db", "shop.log"};
	struct fh *f = app_of();
	const char *from = "shop.tasks";

	(void)own(f, "shop.models");
	fh_in_function(f, own(f, "shop.tasks"), RUNS);
	edge(f, "shop.models", "shop.tasks", 9, LMMSD_PLACE_FUNCTION);
	for (size_t i = 0; i < between; i++) {
		(void)own(f, names[i]);
		edge(f, from, names[i], 1, LMMSD_PLACE_MODULE);
		from = names[i];
	}
	edge(f, from, "shop.models", 2, LMMSD_PLACE_MODULE);
	return f;
}

static void test_circles(void **state)
{
	(void)state;
	for (size_t between = 0; between < 4; between++) {
		struct fh *f = circle_of(between);
		struct rv_app *app = advised(f);
		const struct rv_module *m = find(app, "shop.tasks");

		assert_int_equal(m->action, RV_KEEP);
		assert_int_equal(m->why, RV_WHY_CYCLE);
		has(m->reason, "shop.models");
		has(m->reason, "import each other");
		(void)appraise_app_free(app);
		fh_free(f);
	}
}

/* An import inside a function on the way back ends the circle. */
static void test_no_circle(void **state)
{
	struct fh *f = circle_of(2);
	struct rv_app *app;
	const struct rv_module *m;

	(void)state;
	for (size_t i = 0; i < f->h.n_edges; i++)
		if (!strcmp(f->edge_module[i], "shop.db"))
			f->edges[i].place = LMMSD_PLACE_FUNCTION;
	app = advised(f);
	m = find(app, "shop.tasks");
	assert_int_equal(m->action, RV_HOIST);
	has(m->reason, "it can stand at the top of shop.models");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* At the top of the most important importer it would close a circle, at that of another it does not. */
static void test_another_importer(void **state)
{
	struct fh *f = circle_of(1);
	struct rv_app *app;
	const struct rv_module *m;

	(void)state;
	(void)own(f, "shop.cli");
	edge(f, "shop.cli", "shop.tasks", 5, LMMSD_PLACE_FUNCTION);
	f->edges[f->h.n_edges - 1].loads = 1;
	f->edges[f->h.n_edges - 1].runs = 1;
	app = advised(f);
	m = find(app, "shop.tasks");
	assert_int_equal(m->action, RV_HOIST);
	has(m->reason, "at the top of shop.cli");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* The edge that closes the circle is one of more than are shown. */
static void test_circle_through_a_crowd(void **state)
{
	struct fh *f = circle_of(1);
	char name[80][24];
	struct rv_app *app;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		(void)snprintf(name[i], sizeof(name[i]), "shop.view%zu", i);
		(void)own(f, name[i]);
		(void)fh_edge(f, name[i], "shop.models", "/srv/shop/view.py", 1, LMMSD_PLACE_MODULE,
			      true);
		(void)fh_edge(f, name[i], "shop.utils", "/srv/shop/view.py", 2, LMMSD_PLACE_MODULE,
			      true);
	}
	app = advised(f);
	assert_int_equal(find(app, "shop.tasks")->why, RV_WHY_CYCLE);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* A package is imported before what is in it, unless that is what imports. */
static void test_packages(void **state)
{
	struct fh *f = app_of();
	struct rv_app *app;

	(void)state;
	(void)own(f, "shop");
	(void)own(f, "tools");
	fh_in_function(f, own(f, "shop.tasks"), RUNS);
	edge(f, "tools", "shop.tasks", 9, LMMSD_PLACE_FUNCTION);
	edge(f, "shop", "tools", 1, LMMSD_PLACE_MODULE);
	app = advised(f);
	assert_int_equal(find(app, "shop.tasks")->why, RV_WHY_CYCLE);
	(void)appraise_app_free(app);
	fh_free(f);

	f = app_of();
	(void)own(f, "shop");
	(void)own(f, "shop.models");
	fh_in_function(f, own(f, "shop.tasks"), RUNS);
	edge(f, "shop.models", "shop.tasks", 9, LMMSD_PLACE_FUNCTION);
	edge(f, "shop", "shop.models", 1, LMMSD_PLACE_MODULE);
	app = advised(f);
	assert_int_equal(find(app, "shop.tasks")->action, RV_HOIST);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* Where cached imports were not seen, the one that would close a circle may be among them. */
static void test_uses_not_counted(void **state)
{
	struct fh *f = circle_of(1);
	struct rv_app *app;

	(void)state;
	f->h.usage = false;
	fh_in_function(f, fh_module(f, "shutil", 3, 3, 3), RUNS);
	edge(f, "shop.models", "shutil", 12, LMMSD_PLACE_FUNCTION);
	(void)own(f, "shop.report");
	fh_in_function(f, own(f, "shop.tax"), RUNS);
	edge(f, "shop.report", "shop.tax", 5, LMMSD_PLACE_FUNCTION);
	app = advised(f);
	assert_int_equal(find(app, "shop.tasks")->why, RV_WHY_CYCLE);
	assert_int_equal(find(app, "shop.tax")->action, RV_NONE);
	assert_int_equal(find(app, "shop.tax")->why, RV_WHY_UNSEEN);
	has(find(app, "shop.tax")->reason, "uses were not counted");
	/* nobody else's code imports the app's */
	assert_int_equal(find(app, "shutil")->action, RV_HOIST);
	(void)appraise_app_free(app);
	fh_free(f);
}

/* A history from metrics: what takes next to nothing is not in it, and may be what closes the circle. */
static void test_imports_not_told(void **state)
{
	struct mdl_buckets *none = calloc(1, sizeof(*none));
	struct fh *f = app_of();
	struct rv_app *app;

	(void)state;
	assert_non_null(none);
	none->sum_ms = NAN;
	f->h.rebuilt = none;
	(void)own(f, "shop.report");
	fh_in_function(f, own(f, "shop.tax"), RUNS);
	edge(f, "shop.report", "shop.tax", 5, LMMSD_PLACE_FUNCTION);
	fh_in_function(f, fh_module(f, "shutil", 3, 3, 3), RUNS);
	edge(f, "shop.report", "shutil", 12, LMMSD_PLACE_FUNCTION);
	app = advised(f);
	assert_int_equal(find(app, "shop.tax")->why, RV_WHY_UNSEEN);
	has(find(app, "shop.tax")->reason, "metrics do not tell all imports");
	assert_int_equal(find(app, "shutil")->action, RV_HOIST);
	(void)appraise_app_free(app);
	fh_free(f);
	free(none);
}

/* argparse loads shutil inside a function; the app has it at its top, where it was there already. */
static void test_stands_at_the_top(void **state)
{
	struct fh *f = app_of();
	struct rv_app *app;
	const struct rv_module *m;

	(void)state;
	(void)fh_module(f, "argparse", 3, 3, 3);
	fh_in_function(f, fh_module(f, "shutil", 3, 3, 3), RUNS);
	(void)own(f, "shop.report");
	(void)fh_edge(f, "argparse", "shutil", "/usr/lib/python3/argparse.py", 170,
		      LMMSD_PLACE_FUNCTION, true);
	edge(f, "shop.report", "shutil", 3, LMMSD_PLACE_MODULE);
	app = advised(f);
	m = find(app, "shutil");
	assert_int_equal(m->action, RV_KEEP);
	assert_int_equal(m->why, RV_WHY_FITS);
	has(m->reason, "shop.report imports it at its top already");
	(void)appraise_app_free(app);
	/* the app's own import inside a function is what could move, but not where the other stands as well */
	edge(f, "shop.report", "shutil", 33, LMMSD_PLACE_FUNCTION);
	app = advised(f);
	assert_int_equal(find(app, "shutil")->action, RV_KEEP);
	(void)appraise_app_free(app);
	(void)own(f, "shop.backup");
	edge(f, "shop.backup", "shutil", 44, LMMSD_PLACE_FUNCTION);
	app = advised(f);
	m = find(app, "shutil");
	assert_int_equal(m->action, RV_HOIST);
	has(m->reason, "it can stand at the top of shop.backup");
	(void)appraise_app_free(app);
	fh_free(f);
}

/* Only others' code has it in a function; the app's own imports it by name at run time. */
static void test_dynamic(void **state)
{
	struct fh *f = app_of();
	struct rv_app *app;

	(void)state;
	(void)fh_module(f, "argparse", 3, 3, 3);
	fh_in_function(f, fh_module(f, "shutil", 3, 3, 3), RUNS);
	(void)fh_edge(f, "argparse", "shutil", "/usr/lib/python3/argparse.py", 170,
		      LMMSD_PLACE_FUNCTION, true);
	app = advised(f);
	assert_int_equal(find(app, "shutil")->why, RV_WHY_FOREIGN);
	(void)appraise_app_free(app);
	(void)own(f, "shop.report");
	edge(f, "shop.report", "shutil", 3, LMMSD_PLACE_DYNAMIC);
	app = advised(f);
	assert_int_equal(find(app, "shutil")->action, RV_KEEP);
	has(find(app, "shutil")->reason, "not by an import statement inside a function");
	(void)appraise_app_free(app);
	fh_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_no_circle),
		cmocka_unit_test(test_another_importer),
		cmocka_unit_test(test_circle_through_a_crowd),
		cmocka_unit_test(test_packages),
		cmocka_unit_test(test_uses_not_counted),
		cmocka_unit_test(test_imports_not_told),
		cmocka_unit_test(test_stands_at_the_top),
		cmocka_unit_test(test_dynamic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

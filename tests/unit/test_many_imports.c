/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A module that more statements import than a review keeps: it is dear all the same, and `why` knows them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "export/review.h"
#include "unit/has.h"
#include "unit/reviewed.h"
#include "unit/written.h"

#define RUNS 20
#define IMPORTERS 120
#define KEPT 50

static char name[IMPORTERS][24];

/* Half of these are the app's and import pandas at their top, the others are of pandas and import it as well. */
static struct fh *app_of(void)
{
	struct fh *f = fh_new("app.py", 100, 130, RUNS);

	fh_cold(f, 500, RUNS);
	fh_installed(f, fh_module(f, "pandas", 400, 400, 400), FR_SITE "pandas/__init__.py",
		     "pandas", "2.1");
	for (size_t i = 0; i < IMPORTERS; i++) {
		bool inside = i % 2;

		(void)snprintf(name[i], sizeof(name[i]), inside ? "pandas.m%zu" : "shop.m%zu", i);
		fh_module(f, name[i], 0.5, 0.5, 0.5)->file = inside ? FR_SITE "pandas/m.py" :
								      "/srv/shop/m.py";
		(void)fh_edge(f, inside ? "pandas" : "__main__", name[i], "/srv/app.py",
			      (int32_t)i + 1, LMMSD_PLACE_MODULE, true);
		(void)fh_edge(f, name[i], "pandas", fh_find(f, name[i])->file, 3,
			      LMMSD_PLACE_MODULE, i == 0);
	}
	(void)fh_module(f, "slowlib", 120, 120, 120);
	(void)fh_edge(f, "__main__", "slowlib", "/srv/app.py", 999, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	return f;
}

static void test_advice(void **state)
{
	struct fh *f = app_of();
	struct appraise_input in = {.now = &f->h, .thresholds = &review_default_thresholds};
	struct rv_app *app = reviewed(&in);
	const struct rv_module *m = find(app, "pandas");

	(void)state;
	assert_int_equal(m->action, RV_DEFER);
	assert_int_equal(m->why, RV_WHY_TOGETHER);
	assert_true(m->cut_own && m->cut_direct);
	assert_float_equal(m->cut_ms, 400, 40);
	assert_int_equal(m->n_cut, KEPT);
	assert_int_equal(m->more_cut, IMPORTERS / 2 - KEPT);
	assert_int_equal(m->n_sites, KEPT);
	assert_int_equal(m->more_sites, IMPORTERS - KEPT);
	has(m->reason, "if these 60 imports are deferred together");
	has(m->reason, "and 56 more");
	assert_float_equal(app->can_save_ms, 520, 1);
	(void)appraise_app_free(app);
	fh_free(f);
}

static void test_written(void **state)
{
	struct fh *f = app_of();
	struct review_input ri = {.label = "test"};
	struct rv_app *app = fr_appraise(f, NULL);
	struct rv_review *review = NULL;
	_free_ char *text = NULL, *html = NULL;
	_json_ cJSON *json = NULL;

	(void)state;
	assert_int_equal(review_new(&ri, &app, 1, appraise_app_free, &review), 0);
	assert_int_equal(review->n_steps, 2);
	text = WRITTEN(export_review(EXPORT_REVIEW_JSON, review, NULL, out));
	html = WRITTEN(export_review(EXPORT_REVIEW_HTML, review, NULL, out));
	json = parsed(text);
	assert_float_equal(number(json, "steps.0.sites_left_out"), 10, 0);
	assert_string_equal(string(json, "apps.0.modules.0.name"), "pandas");
	assert_float_equal(number(json, "apps.0.modules.0.sites_left_out"), 70, 0);
	assert_float_equal(number(json, "apps.0.modules.0.defer_together_left_out"), 10, 0);
	has(html, "<br>and 54 more");
	has(html, " and 119 more</summary>");
	has(html, "<li>and 70 more</li>");
	(void)review_free(review, appraise_app_free);
	fh_free(f);
}

static void test_why(void **state)
{
	struct fh *f = app_of();
	struct rv_reasons *why = NULL;
	_free_ char *text = NULL;
	size_t inside = 0;

	(void)state;
	assert_int_equal(appraise_reasons(&f->h, "pandas", &why), 0);
	assert_int_equal(why->n_sites, IMPORTERS);
	for (size_t i = 0; i < why->n_sites; i++) {
		inside += why->sites[i].inside;
		assert_float_equal(why->alone_ms[i], 0, 1e-9);
	}
	assert_int_equal(inside, IMPORTERS / 2);
	assert_int_equal(why->n_cut, IMPORTERS / 2);
	text = WRITTEN(export_reasons(EXPORT_ANSWER_TEXT, why, NULL, out));
	for (size_t i = 0; i < IMPORTERS; i += 2)
		has(text, name[i]);
	has(text, "and by 60 imports of modules that are there only because of it");
	(void)appraise_reasons_free(why);
	fh_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

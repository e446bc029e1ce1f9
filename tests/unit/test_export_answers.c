/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The answers of lmmsctl as they are written; hostile names stay names in every format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/review.h"
#include "unit/fake_review.h"
#include "unit/has.h"
#include "unit/render.h"
#include "unit/written.h"

static void test_apps(void **state)
{
	const struct mdl_app app = {.name = FR_HOSTILE,
				    .runs = {3, 1, 0, 2, 0},
				    .cold_start = r.now[0]->h.cold_start,
				    .last_ns = 1700000000000000000};
	struct rv_app_line *lines = NULL;
	_free_ char *text = NULL, *json = NULL, *none = NULL;
	_json_ cJSON *parse = NULL;

	(void)state;
	assert_int_equal(appraise_apps(&app, 1, &lines), 0);
	text = WRITTEN(export_apps(EXPORT_ANSWER_TEXT, lines, 1, NULL, out));
	json = WRITTEN(export_apps(EXPORT_ANSWER_JSON, lines, 1, NULL, out));
	none = WRITTEN(export_apps(EXPORT_ANSWER_TEXT, NULL, 0, NULL, out));
	free(lines);
	is_tame(text);
	has(text, "2023-11-14 22:13 UTC");
	has(none, "No app was seen yet");
	parse = parsed(json);
	assert_string_equal(string(parse, "schema"), "lmms.apps/1");
	assert_string_equal(string(parse, "apps.0.app"), FR_HOSTILE);
	assert_float_equal(number(parse, "apps.0.runs"), 6, 0);
	assert_string_equal(string(parse, "apps.0.last_seen"), "2023-11-14T22:13:20.000Z");
	assert_float_equal(number(parse, "apps.0.cold_start.n"), 900, 0);
}

static void test_modules(void **state)
{
	_free_ char *text =
		WRITTEN(export_modules(EXPORT_ANSWER_TEXT, r.review->apps[0], NULL, out));
	_free_ char *json =
		WRITTEN(export_modules(EXPORT_ANSWER_JSON, r.review->apps[0], NULL, out));
	_free_ char *odd =
		WRITTEN(export_modules(EXPORT_ANSWER_TEXT, r.review->apps[1], NULL, out));
	_json_ cJSON *parse = parsed(json);

	(void)state;
	has(text, "defer  pandas");
	has(text, "keep   json");
	is_tame(odd);
	assert_string_equal(string(parse, "schema"), "lmms.modules/1");
	assert_string_equal(string(parse, "app"), "shop/manage.py");
	assert_int_equal(cJSON_GetArraySize(at(parse, "modules")), r.review->apps[0]->n_modules);
}

static void test_ways(void **state)
{
	struct rv_reasons *why = NULL;
	struct rv_deps *deps = NULL;
	_free_ char *text = NULL, *json = NULL, *dtext = NULL, *djson = NULL;
	_json_ cJSON *parse = NULL, *dparse = NULL;

	(void)state;
	assert_int_equal(appraise_reasons(&r.now[0]->h, "numpy", &why), 0);
	assert_int_equal(appraise_deps(&r.now[0]->h, "pandas", &deps), 0);
	text = WRITTEN(export_reasons(EXPORT_ANSWER_TEXT, why, NULL, out));
	json = WRITTEN(export_reasons(EXPORT_ANSWER_JSON, why, NULL, out));
	dtext = WRITTEN(export_deps(EXPORT_ANSWER_TEXT, deps, NULL, out));
	djson = WRITTEN(export_deps(EXPORT_ANSWER_JSON, deps, NULL, out));
	has(text, "deferring only this one saves nothing");
	has(text, "change all of these together:\n  defer import numpy at /srv/shop/plot.py:4\n"
		  "  defer import numpy at /srv/shop/stats.py:2\n");
	has(text, "__main__ -> shop -> shop.plot -> numpy\n");
	parse = parsed(json);
	assert_string_equal(string(parse, "schema"), "lmms.why/1");
	assert_string_equal(string(parse, "importers.0.importer"), "shop.stats");
	assert_float_equal(number(parse, "importers.0.alone_saves_ms"), 0, 1e-9);
	assert_string_equal(string(parse, "paths.0.0"), "__main__");
	assert_int_equal(cJSON_GetArraySize(at(parse, "defer_together")), 2);
	has(dtext, "pulls in 5 modules");
	has(dtext, "    pandas.core.frame");
	dparse = parsed(djson);
	assert_string_equal(string(dparse, "schema"), "lmms.deps/1");
	assert_true(is_null(dparse, "deps.0.via"));
	assert_string_equal(string(dparse, "deps.1.via"), "pandas");
	assert_string_equal(string(dparse, "distributions.0.distribution"), "pandas");
	(void)appraise_reasons_free(why);
	(void)appraise_deps_free(deps);
}

/* sklearn moved into a function. */
static void test_ways_of_what_is_deferred(void **state)
{
	struct rv_reasons *why = NULL;
	struct rv_deps *deps = NULL;
	_free_ char *text = NULL, *dtext = NULL, *djson = NULL;
	_json_ cJSON *dparse = NULL;

	(void)state;
	assert_int_equal(appraise_reasons(&r.now[0]->h, "sklearn", &why), 0);
	assert_int_equal(appraise_deps(&r.now[0]->h, "sklearn", &deps), 0);
	text = WRITTEN(export_reasons(EXPORT_ANSWER_TEXT, why, NULL, out));
	dtext = WRITTEN(export_deps(EXPORT_ANSWER_TEXT, deps, NULL, out));
	djson = WRITTEN(export_deps(EXPORT_ANSWER_JSON, deps, NULL, out));
	has(text, "It is no part of the start");
	assert_null(strstr(text, "shorter"));
	has(dtext, "where it is loaded; it is no part of the start\n");
	assert_null(strstr(dtext, "shorter"));
	dparse = parsed(djson);
	assert_true(is_null(dparse, "saving_ms"));
	(void)appraise_reasons_free(why);
	(void)appraise_deps_free(deps);
}

static void test_verify(void **state)
{
	const struct rv_verify *v = r.review->apps[0]->verify;
	_free_ char *text = WRITTEN(export_verify(EXPORT_ANSWER_TEXT, "shop", v, NULL, out));
	_free_ char *json = WRITTEN(export_verify(EXPORT_ANSWER_JSON, "shop", v, NULL, out));
	_json_ cJSON *parse = parsed(json);

	(void)state;
	has(text, "expected   40 %: holds");
	has(text, "left the start: sklearn (600.0 ms)");
	assert_string_equal(string(parse, "schema"), "lmms.verify/1");
	assert_string_equal(string(parse, "app"), "shop");
	assert_true(number(parse, "improvement_pct") > 40);
	assert_true(number(parse, "ci95.0") <= number(parse, "ci95.1"));
	assert_float_equal(number(parse, "expected_pct"), 40, 0);
	assert_true(number(parse, "p_value") < 0.001);
	assert_true(cJSON_IsTrue(at(parse, "holds")));
}

static void test_baselines(void **state)
{
	const struct mdl_baseline b = {.name = "release-1",
				       .app = FR_HOSTILE,
				       .runs = 900,
				       .saved_ns = 1700000000000000000,
				       .cold_start = r.now[0]->h.cold_start};
	struct rv_baseline_line *lines = NULL;
	_free_ char *text = NULL, *json = NULL;
	_json_ cJSON *parse = NULL;

	(void)state;
	assert_int_equal(appraise_baselines(&b, 1, &lines), 0);
	text = WRITTEN(export_baselines(EXPORT_ANSWER_TEXT, lines, 1, NULL, out));
	json = WRITTEN(export_baselines(EXPORT_ANSWER_JSON, lines, 1, NULL, out));
	free(lines);
	has(text, "release-1");
	is_tame(text);
	parse = parsed(json);
	assert_string_equal(string(parse, "baselines.0.name"), "release-1");
	assert_string_equal(string(parse, "baselines.0.saved"), "2023-11-14T22:13:20.000Z");
}

static void test_check(void **state)
{
	struct rv_slow_list list = {0}, none = {.max_ms = 500, .n_modules = 4, .n_apps = 1};
	_free_ char *text = NULL, *json = NULL, *github = NULL, *junit = NULL, *sarif = NULL;
	_free_ char *empty = NULL, *empty_sarif = NULL;
	_json_ cJSON *parse = NULL, *sarif_parse = NULL, *empty_parse = NULL;

	(void)state;
	assert_int_equal(appraise_slow(r.review->apps, 4, 500, &list), 0);
	text = WRITTEN(export_check(EXPORT_CHECK_TEXT, &list, NULL, out));
	json = WRITTEN(export_check(EXPORT_CHECK_JSON, &list, NULL, out));
	github = WRITTEN(export_check(EXPORT_CHECK_GITHUB, &list, NULL, out));
	junit = WRITTEN(export_check(EXPORT_CHECK_JUNIT, &list, NULL, out));
	sarif = WRITTEN(export_check(EXPORT_CHECK_SARIF, &list, NULL, out));
	empty = WRITTEN(export_check(EXPORT_CHECK_TEXT, &none, NULL, out));
	empty_sarif = WRITTEN(export_check(EXPORT_CHECK_SARIF, &none, NULL, out));
	has(text, "WARNING: shop is slow (871ms)\n");
	has(text, "WARNING: sklearn is slow (640ms)\n");
	is_tame(text);
	has(empty, "No import above 500 ms");
	parse = parsed(json);
	assert_string_equal(string(parse, "schema"), "lmms.check/1");
	assert_float_equal(number(parse, "max_ms"), 500, 0);
	assert_float_equal(number(parse, "unmeasured_apps"), 0, 0);
	assert_float_equal(number(parse, "apps"), 4, 0);
	assert_string_equal(string(parse, "slow.0.module"), "shop");
	assert_string_equal(string(parse, "slow.0.app"), "shop/manage.py");
	assert_float_equal(number(parse, "slow.0.ms"), 871, 1e-6);
	has(github,
	    "::warning file=/srv/shop/manage.py,line=1,title=slow import::shop is slow (871ms) in shop/manage.py");
	has(github, "%0A");
	assert_int_equal(strncmp(github, "::warning", 9), 0);
	for (const char *line = github; *line; line = strchr(line, '\n') + 1)
		assert_int_equal(strncmp(line, "::warning ", 10), 0);
	has(junit, "<testsuite name=\"lmmsctl check\" tests=\"3\" failures=\"3\"");
	has(junit, "&lt;/script&gt;");
	has_not(junit, "<img");
	is_tame(junit);
	sarif_parse = parsed(sarif);
	assert_string_equal(string(sarif_parse, "version"), "2.1.0");
	assert_string_equal(string(sarif_parse, "runs.0.tool.driver.rules.0.id"), "slow-import");
	assert_string_equal(string(sarif_parse, "runs.0.results.0.ruleId"), "slow-import");
	assert_string_equal(
		string(sarif_parse,
		       "runs.0.results.0.locations.0.physicalLocation.artifactLocation.uri"),
		"file:///srv/shop/manage.py");
	assert_float_equal(number(sarif_parse,
				  "runs.0.results.0.locations.0.physicalLocation.region.startLine"),
			   1, 0);
	empty_parse = parsed(empty_sarif);
	assert_int_equal(cJSON_GetArraySize(at(empty_parse, "runs.0.results")), 0);
	free(list.slow);
}

/* Lines of imports are not always known, as never to Prometheus: GitHub wants a place for each all the same. */
static void test_check_without_places(void **state)
{
	struct rv_slow slow[] = {
		{.app = "shop", .module = "m", .ms = 600, .own_file = "/srv/my mod.py", .line = 7},
		{.app = "python -c", .module = "m", .ms = 600},
		{.app = "shop", .module = "m", .ms = 600, .file = "/srv/a.py"},
	};
	const char *const uris[] = {"file:///srv/my%20mod.py", "python%20-c", "file:///srv/a.py"};
	struct rv_slow_list list = {.max_ms = 500, .slow = slow, .n = 3, .n_apps = 3};
	_free_ char *sarif = WRITTEN(export_check(EXPORT_CHECK_SARIF, &list, NULL, out));
	_free_ char *junit = WRITTEN(export_check(EXPORT_CHECK_JUNIT, &list, NULL, out));
	_json_ cJSON *parse = parsed(sarif);
	const cJSON *place;
	char path[128];

	(void)state;
	for (int i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "runs.0.results.%d.locations.0.physicalLocation",
			       i);
		place = at(parse, path);
		assert_string_equal(string(place, "artifactLocation.uri"), uris[i]);
		assert_float_equal(number(place, "region.startLine"), 1, 0);
	}
	has(junit, ">/srv/a.py: </failure>");
	has_not(junit, ":0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_apps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ways_of_what_is_deferred, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verify, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_baselines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
		cmocka_unit_test(test_check_without_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

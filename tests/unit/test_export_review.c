/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The review and the answers of lmmsctl as they are written; hostile names stay names in every format. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/review.h"
#include "unit/fake_review.h"
#include "unit/render.h"

static struct fr r;

static int set_up(void **state)
{
	(void)state;
	fr_init(&r, 4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fr_free(&r);
	return 0;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in:\n%s", part, text);
}

/* What a stream in memory wrote; behind a call, where gcc does not take it for a pointer into the macro's scope. */
struct memory {
	char *text;
	size_t len;
};

__attribute__((noinline)) static char *taken(struct memory *m)
{
	return m->text;
}

/* What `call`, which writes to `out`, writes. */
#define WRITTEN(call)                                                                              \
	({                                                                                         \
		struct memory m_ = {NULL, 0};                                                      \
		FILE *out = open_memstream(&m_.text, &m_.len);                                     \
		assert_non_null(out);                                                              \
		assert_int_equal(call, 0);                                                         \
		assert_int_equal(fclose(out), 0);                                                  \
		taken(&m_);                                                                        \
	})

static cJSON *parsed(const char *text)
{
	const char *end = NULL;
	cJSON *json = cJSON_ParseWithOpts(text, &end, false);

	if (!json)
		fail_msg("no JSON from: %s", end);
	assert_string_equal(end, "\n");
	return json;
}

static void json_delete(cJSON **json)
{
	cJSON_Delete(*json);
}
#define _json_ _cleanup_(json_delete)

/* Nothing that moves a terminal's cursor or turns its text round. */
static void is_tame(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((uint8_t)*p < 0x20 && *p != '\n')
			fail_msg("control character %d in:\n%s", *p, text);
	has_not(text, "\xe2\x80\xae");
}

static void test_text(void **state)
{
	const struct export_style style = {.width = 100, .color = true, .utf8 = true};
	_free_ char *text = WRITTEN(export_review(EXPORT_REVIEW_TEXT, r.review, NULL, out));
	_free_ char *colored = WRITTEN(export_review(EXPORT_REVIEW_TEXT, r.review, &style, out));

	(void)state;
	has(text, "Change first: shop/manage.py: Import pandas inside the function that needs it");
	has(text, "Lost, so numbers may be too low: ring_full 17");
	has(text, "deferring only one of them saves nothing");
	has(text, "[x] Collect each import's time");
	has(text, "run_pct is above 80 %");
	assert_true(strstr(text, "Change first") - text < 300);
	is_tame(text);
	has(colored, "\033[1m");
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		assert_true(strcspn(line, "\n") <= 130);
}

static void test_markdown(void **state)
{
	_free_ char *text = WRITTEN(export_review(EXPORT_REVIEW_MARKDOWN, r.review, NULL, out));

	(void)state;
	has(text, "**Change first:** shop/manage.py: Import pandas");
	has(text, "| defer | pandas | 412.0 |");
	has(text, "- [ ] Warn of slow imports in CI");
	has(text, "&lt;/script&gt;&lt;img src=x");
	has_not(text, "<img");
	has(text, "\\`&amp;");
	is_tame(text);
	/* every row of the table has its ten cells, whatever the names are */
	for (const char *line = strstr(text, "| defer"); line;
	     line = strstr(line + 1, "\n| defer")) {
		size_t bars = 0;

		line += *line == '\n';
		for (const char *p = line; *p && *p != '\n'; p++)
			bars += *p == '|' && p[-1] != '\\';
		assert_int_equal(bars, 11);
	}
}

static void test_json(void **state)
{
	_free_ char *text = WRITTEN(export_review(EXPORT_REVIEW_JSON, r.review, NULL, out));
	_json_ cJSON *json = parsed(text);

	(void)state;
	assert_string_equal(string(json, "schema"), "lmms.review/1");
	assert_string_equal(string(json, "period.since"), "2025-11-01T00:00:00.000Z");
	assert_string_equal(string(json, "usage_basis"), "run_pct");
	assert_float_equal(number(json, "thresholds.slow_ms"), 100, 0);
	assert_float_equal(number(json, "lost.ring_full"), 17, 0);
	assert_string_equal(string(json, "apps.0.app"), "shop/manage.py");
	assert_float_equal(number(json, "apps.0.runs"), 908, 0);
	assert_float_equal(number(json, "apps.0.cold_start.n"), 900, 0);
	assert_true(number(json, "apps.0.cold_start.ci95.0") <=
		    number(json, "apps.0.cold_start.p50"));
	assert_true(number(json, "apps.0.cold_start.ci95.1") >=
		    number(json, "apps.0.cold_start.p50"));
	assert_float_equal(number(json, "apps.0.interpreter.p50"), 14.2, 0.08);
	assert_string_equal(string(json, "apps.0.modules.0.name"), "pandas");
	assert_string_equal(string(json, "apps.0.modules.0.distribution"), "pandas");
	assert_string_equal(string(json, "apps.0.modules.0.version"), "2.1.0");
	assert_float_equal(number(json, "apps.0.modules.0.ms.p50"), 412, 1e-6);
	assert_string_equal(string(json, "apps.0.modules.0.placement"), "module");
	assert_string_equal(string(json, "apps.0.modules.0.tier"), "FUNCTION_LEVEL");
	assert_string_equal(string(json, "apps.0.modules.0.action"), "defer");
	assert_float_equal(number(json, "apps.0.modules.0.saving_ms"), 388, 1e-6);
	assert_string_equal(string(json, "apps.0.modules.0.importers.0"), "shop.report");
	assert_string_equal(string(json, "apps.0.modules.0.chain.0"), "__main__");
	assert_true(cJSON_IsFalse(at(json, "apps.0.modules.0.slow")));
	assert_float_equal(number(json, "apps.0.modules.0.usage_pct"), 100, 1e-6);
	assert_true(cJSON_IsTrue(at(json, "apps.0.verify.holds")));
	assert_string_equal(string(json, "apps.0.checklist.0.item"), "Collect each import's time");
	assert_true(cJSON_IsTrue(at(json, "apps.0.checklist.0.done")));
	assert_true(is_null(json, "apps.1.verify"));
	/* JSON carries names as they are */
	assert_string_equal(string(json, "apps.1.app"), FR_HOSTILE);
	assert_true(cJSON_IsString(at(json, "apps.0.changes.0.kind")));
	assert_true(cJSON_IsArray(at(json, "apps.3.changes")));
}

static void test_html(void **state)
{
	_free_ char *text = WRITTEN(export_review(EXPORT_REVIEW_HTML, r.review, NULL, out));
	const char *first = strstr(text, "Change first"), *script = strstr(text, "<script>");

	(void)state;
	assert_non_null(first);
	has(first, "<b>shop/manage.py</b>: Import pandas inside the function");
	has_not(text, "<img");
	has_not(text, "onerror=alert(1)>");
	has(text,
	    "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&#96;&amp;\\x1b[31m\\x0a");
	/* one script, at the end, which nothing else closes */
	assert_non_null(script);
	assert_null(strstr(script + 1, "<script"));
	assert_true(strstr(text, "</script>") > script);
	has(text, "Content-Security-Policy");
	is_tame(text);
	has(text, "class=\"node defer\"");
	has(text, "scope=\"row\"");
}

static void test_empty(void **state)
{
	const struct review_input in = {.label = "May 2024"};
	struct rv_review *empty = NULL;
	_free_ char *text = NULL, *json = NULL, *html = NULL, *markdown = NULL;
	_json_ cJSON *parse = NULL;

	(void)state;
	assert_int_equal(review_new(&in, NULL, 0, appraise_app_free, &empty), 0);
	text = WRITTEN(export_review(EXPORT_REVIEW_TEXT, empty, NULL, out));
	json = WRITTEN(export_review(EXPORT_REVIEW_JSON, empty, NULL, out));
	html = WRITTEN(export_review(EXPORT_REVIEW_HTML, empty, NULL, out));
	markdown = WRITTEN(export_review(EXPORT_REVIEW_MARKDOWN, empty, NULL, out));
	has(text, "No runs in this period");
	has(html, "No runs in this period");
	has(markdown, "No runs in this period");
	parse = parsed(json);
	assert_int_equal(cJSON_GetArraySize(at(parse, "apps")), 0);
	(void)review_free(empty, appraise_app_free);
}

static void test_formats(void **state)
{
	enum export_review_format f;
	enum export_check_format c;

	(void)state;
	for (int i = EXPORT_REVIEW_TEXT; i <= EXPORT_REVIEW_HTML; i++) {
		assert_int_equal(export_review_format_from_suffix(
					 export_review_suffix((enum export_review_format)i), &f),
				 0);
		assert_int_equal(f, i);
	}
	assert_int_equal(export_review_format_from_name("markdown", &f), 0);
	assert_int_equal(f, EXPORT_REVIEW_MARKDOWN);
	assert_int_equal(export_review_format_from_name("pdf", &f), -EINVAL);
	assert_int_equal(export_review_format_from_suffix("a.pdf", &f), -EINVAL);
	assert_int_equal(export_check_format_from_name("sarif", &c), 0);
	assert_int_equal(export_check_format_from_name("xml", &c), -EINVAL);
}

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

/* A stream that takes nothing: the error comes back. */
static void test_full_disk(void **state)
{
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	if (!out) {
		print_message("no /dev/full here\n");
		skip();
	}
	setbuf(out, NULL);
	for (int f = EXPORT_REVIEW_TEXT; f <= EXPORT_REVIEW_HTML; f++)
		assert_true(export_review((enum export_review_format)f, r.review, NULL, out) < 0);
	(void)fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_markdown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_html, set_up, tear_down),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_formats),
		cmocka_unit_test_setup_teardown(test_apps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verify, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_baselines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The review as it is written; hostile names stay names in every format. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/review.h"
#include "unit/fake_review.h"
#include "unit/has.h"
#include "unit/render.h"
#include "unit/reviewed.h"
#include "unit/written.h"

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
	has(text, "run % is above 80 %");
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

/* Of what is worth a look the one that the starts pay most for is named: forked workers pay for none. */
static void test_worth_a_look(void **state)
{
	struct fh *server = one(60, 10, 10), *script = one(50, 100, 100);
	struct appraise_input in = {.now = &server->h, .thresholds = &review_default_thresholds};
	struct review_input ri = {.label = "test"};
	struct rv_review *review = NULL;
	struct rv_app *apps[2];
	_free_ char *text = NULL;

	(void)state;
	server->h.app = "server";
	server->h.runs[MDL_RUN_FORKED] = 5000;
	script->h.app = "script";
	assert_int_equal(appraise_app(&in, &apps[0]), 0);
	in.now = &script->h;
	assert_int_equal(appraise_app(&in, &apps[1]), 0);
	assert_int_equal(review_new(&ri, apps, 2, appraise_app_free, &review), 0);
	text = WRITTEN(export_review(EXPORT_REVIEW_TEXT, review, NULL, out));
	has(text, "script: mod takes 50.0 ms");
	(void)review_free(review, appraise_app_free);
	fh_free(server);
	fh_free(script);
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
		cmocka_unit_test(test_worth_a_look),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

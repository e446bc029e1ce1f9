/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The page of metrics, byte by byte; and which format an Accept header means. */
#include "fake_metrics.h"

#include "base/buf.h"
#include "export/metrics.h"

static void ask(const char *accept, enum export_metrics_format want)
{
	if (export_metrics_negotiate(accept) != want)
		fail_msg("'%s' gives the other format", accept ? accept : "NULL");
}

static void test_negotiate(void **state)
{
	static const char *const open[] = {
		/* Prometheus 2.42 and 3 */
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		"application/openmetrics-text",
		"APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\"",
		"text/plain;q=0.5 , application/openmetrics-text;q=0.9",
		"text/plain;q=0.50, application/openmetrics-text;q=0.5",
		"application/openmetrics-text;x=\"a,b;c\\\"\";version=1.0.0",
	};
	static const char *const text[] = {
		NULL,
		"",
		"*/*",
		"text/html,application/xhtml+xml,*/*;q=0.8",
		"text/plain",
		"text/plain;version=0.0.4",
		"application/openmetrics-text;q=0",
		"application/openmetrics-text;q=0.000,*/*",
		"application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
		"application/openmetrics-text;version=0.0.1",
		"application/openmetrics-text;q=0.4,text/plain;q=0.5",
		"application/openmetrics-text;q=2", /* no such quality */
		"application/openmetrics-text;q=-1",
		"application/openmetrics-text;q=0.1234",
		"application/openmetrics-textile",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
		",,,;;;\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		ask(open[i], EXPORT_METRICS_OPENMETRICS);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		ask(text[i], EXPORT_METRICS_TEXT);
}

/* Something of everything. */
static struct metrics *filled(struct mdl_metrics *ret)
{
	struct mdl_stored_module mods[] = {fake_stored_module("we\"b\\", 120, 80.5),
					   fake_stored_module("bad\xff\n\x1b[1m", 4.5, 0)};
	struct metrics *m;

	mods[0].distribution = "web";
	mods[0].version = "2.0";
	mods[0].origin = MDL_ORIGIN_FOREIGN;
	mods[0].uses[LMMSD_PLACE_FUNCTION] = 3;
	mods[1].failures = 2;
	assert_int_equal(metrics_new(&fake_metrics_options, FAKE_NOW_S, &m), 0);
	fake_count(m, "shop/manage.py", 1, true, MDL_RUN_WARM, mods, 2);
	fake_count(m, "shop/manage.py", 2, true, MDL_RUN_COLD, mods, 2);
	*ret = (struct mdl_metrics){
		.version = "9.9",
		.libbpf = "v1.1",
		.created_s = FAKE_NOW_S,
		.interpreters = {{"3.11", "usdt", 2}},
		.n_interpreters = 1,
		.processes = 3,
		.events = 1234567890123,
		.uncounted_runs = 4,
		.lost = {[LMMSD_LOST_RING_FULL] = 7},
		.triggers = {[RV_REGRESSION] = 1},
		.review_s = 1.7e9,
		.bpf_run_s = 0.25,
		.overhead_ratio = 0.03,
		.overhead_budget = 0.02,
		.process = {1.5, FAKE_NOW_S + 0.25, 30, 1024, 1e8, NAN},
	};
	assert_int_equal(metrics_snapshot(m, ret), 0);
	for (size_t i = 0; i < ret->apps[0].n_modules; i++)
		ret->apps[0].modules[i]->tier = i ? MDL_FUNCTION_LEVEL : MDL_MODULE_LEVEL;
	return m;
}

static void has(const char *page, const char *line)
{
	_buf_ struct buf whole = {0};

	buf_addf(&whole, "\n%s\n", line);
	if (!strstr(page, buf_str(&whole)))
		fail_msg("no line '%s' in:\n%s", line, page);
}

static void has_not(const char *page, const char *part)
{
	if (strstr(page, part))
		fail_msg("'%s' is in:\n%s", part, page);
}

#define SHOP "app=\"shop/manage.py\""
#define WEB SHOP ",module=\"we\\\"b\\\\\""
#define BAD SHOP ",module=\"bad\xef\xbf\xbd\\n\\\\x1b[1m\""

static void samples_of_both(const char *page)
{
	has(page, "lmmsd_build_info{version=\"9.9\",libbpf=\"v1.1\"} 1");
	has(page, "lmmsd_attached_interpreters{python=\"3.11\",probe=\"usdt\"} 2");
	has(page, "lmmsd_events_total 1234567890123");
	has(page, "lmmsd_uncounted_runs_total 4");
	has(page, "lmmsd_events_lost_total{reason=\"ring_full\"} 7");
	has(page, "lmmsd_events_lost_total{reason=\"no_memory\"} 0");
	has(page, "lmmsd_reprofile_triggers_total{reason=\"regression\"} 1");
	has(page, "lmmsd_review_timestamp_seconds 1700000000");
	has(page, "lmmsd_bpf_run_seconds_total 0.25");
	has(page, "lmmsd_overhead_ratio 0.03");
	has(page, "lmmsd_overhead_budget_ratio 0.02");
	has(page, "process_cpu_seconds_total 1.5");
	has(page, "process_start_time_seconds 1700000000.25");
	has(page, "process_virtual_memory_bytes 100000000");
	has_not(page, "process_resident"); /* not known */
	has(page, "lmmsd_runs_total{" SHOP "} 2");
	has(page, "lmmsd_warm_runs_total{" SHOP "} 1");
	has(page, "lmmsd_other_runs_total{" SHOP ",class=\"cold\"} 1");
	has(page, "lmmsd_usage_counted{" SHOP "} 0");
	has(page, "lmmsd_runs_using_in_function_total{" WEB "} 2");
	has(page, "lmmsd_app_uses_total{" SHOP "} 10");
	has(page, "lmmsd_cold_start_seconds_bucket{" SHOP ",le=\"0.1\"} 0");
	has(page, "lmmsd_cold_start_seconds_bucket{" SHOP ",le=\"0.2\"} 1");
	has(page, "lmmsd_cold_start_seconds_bucket{" SHOP ",le=\"60.0\"} 1");
	has(page, "lmmsd_cold_start_seconds_bucket{" SHOP ",le=\"+Inf\"} 1");
	has(page, "lmmsd_cold_start_seconds_sum{" SHOP "} 0.1245");
	has(page, "lmmsd_cold_start_seconds_count{" SHOP "} 1");
	has(page, "lmmsd_interpreter_seconds_count{" SHOP "} 1");
	has(page, "lmmsd_import_seconds_bucket{" WEB ",le=\"0.1\"} 0");
	has(page, "lmmsd_import_seconds_bucket{" WEB ",le=\"0.5\"} 1");
	has(page, "lmmsd_import_seconds_sum{" WEB "} 0.12");
	has(page, "lmmsd_import_self_seconds_total{" WEB "} 0.06");
	has(page, "lmmsd_deferrable_seconds_total{" WEB "} 0.0805");
	has(page, "lmmsd_module_uses_total{" WEB ",placement=\"function\"} 6");
	has(page, "lmmsd_module_loads_total{" WEB ",placement=\"module\"} 2");
	has(page, "lmmsd_runs_using_total{" WEB "} 2");
	has(page, "lmmsd_module_start_runs_total{" WEB "} 2");
	has(page, "lmmsd_module_function_level{" WEB "} 1");
	has(page,
	    "lmmsd_module_info{" WEB
	    ",distribution=\"web\",version=\"2.0\",importer=\"__main__\",origin=\"package\"} 1");
	has(page, "lmmsd_import_failures_total{" BAD "} 4");
	has(page, "lmmsd_module_function_level{" BAD "} 0");
	has_not(page, "lmmsd_import_failures_total{" WEB); /* always 0 */
	has_not(page, "\xff");
	has_not(page, "\x1b");
}

static void test_text(void **state)
{
	_buf_ struct buf page = {0};
	struct mdl_metrics s;
	struct metrics *m = filled(&s);

	(void)state;
	assert_int_equal(export_metrics(EXPORT_METRICS_TEXT, &s, &page), 0);
	samples_of_both(buf_str(&page));
	has(buf_str(&page), "# TYPE lmmsd_runs_total counter");
	has(buf_str(&page), "# TYPE lmmsd_module_info gauge");
	has(buf_str(&page), "# TYPE lmmsd_import_seconds histogram");
	has_not(buf_str(&page), "# UNIT");
	has_not(buf_str(&page), "_created");
	has_not(buf_str(&page), "# EOF");
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

static void test_openmetrics(void **state)
{
	_buf_ struct buf page = {0};
	struct mdl_metrics s;
	struct metrics *m = filled(&s);

	(void)state;
	assert_int_equal(export_metrics(EXPORT_METRICS_OPENMETRICS, &s, &page), 0);
	samples_of_both(buf_str(&page));
	has(buf_str(&page), "# TYPE lmmsd_runs counter");
	has(buf_str(&page), "# TYPE lmmsd_build info");
	has(buf_str(&page), "# UNIT lmmsd_import_seconds seconds");
	has(buf_str(&page), "# UNIT lmmsd_overhead_ratio ratio");
	has(buf_str(&page), "lmmsd_runs_created{" SHOP "} 1700000000");
	has(buf_str(&page), "lmmsd_cold_start_seconds_created{" SHOP "} 1700000000");
	has_not(buf_str(&page), "lmmsd_module_uses_created"); /* would double the series */
	assert_string_equal(buf_str(&page) + page.len - 6, "# EOF\n");
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

/* An empty host's page is a page, too: no header without a sample. */
static void test_empty(void **state)
{
	_buf_ struct buf page = {0};
	struct metrics *m;
	struct mdl_metrics s = {.version = "9.9",
				.libbpf = "v1.1",
				.review_s = NAN,
				.bpf_run_s = NAN,
				.overhead_ratio = NAN};

	(void)state;
	assert_int_equal(metrics_new(&fake_metrics_options, FAKE_NOW_S, &m), 0);
	assert_int_equal(metrics_snapshot(m, &s), 0);
	assert_int_equal(export_metrics(EXPORT_METRICS_TEXT, &s, &page), 0);
	has_not(buf_str(&page), "lmmsd_import_seconds");
	has_not(buf_str(&page), "lmmsd_review_timestamp");
	has_not(buf_str(&page), "lmmsd_bpf_run");
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

/* Names that differ stay different: the same series twice fails a scrape. */
static void test_names_stay_apart(void **state)
{
	struct mdl_stored_module mods[] = {
		fake_stored_module("a\x01", 5, 1),
		fake_stored_module("a\x02", 5, 1),
		fake_stored_module("a\\x01", 5, 1),
		fake_stored_module("a\\y", 5, 1),
	};
	_buf_ struct buf page = {0};
	struct mdl_metrics s = {.version = "9.9", .libbpf = "v1.1"};
	struct metrics *m;

	(void)state;
	assert_int_equal(metrics_new(&fake_metrics_options, FAKE_NOW_S, &m), 0);
	fake_count(m, "shop/manage.py", 1, true, MDL_RUN_WARM, mods, 4);
	assert_int_equal(metrics_snapshot(m, &s), 0);
	assert_int_equal(export_metrics(EXPORT_METRICS_TEXT, &s, &page), 0);
	has(buf_str(&page), "lmmsd_module_start_runs_total{" SHOP ",module=\"a\\\\x01\"} 1");
	has(buf_str(&page), "lmmsd_module_start_runs_total{" SHOP ",module=\"a\\\\x02\"} 1");
	has(buf_str(&page), "lmmsd_module_start_runs_total{" SHOP ",module=\"a\\\\x5cx01\"} 1");
	has(buf_str(&page), "lmmsd_module_start_runs_total{" SHOP ",module=\"a\\\\y\"} 1");
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

static void test_landing(void **state)
{
	const struct export_landing l = {.host = "<b>",
					 .newest_review = "lmmsd-2026-10.html",
					 .problem = "disk \"full\" <x>"};
	_buf_ struct buf page = {0};
	struct mdl_metrics s;
	struct metrics *m = filled(&s);
	const char *lost, *runs;

	(void)state;
	assert_int_equal(export_landing(&s, &l, &page), 0);
	has_not(buf_str(&page), "<b></h1>");
	has_not(buf_str(&page), "<x>");
	lost = strstr(buf_str(&page),
		      "7 ring_full: events came faster than they could be taken: raise ring_kib");
	runs = strstr(buf_str(&page), "shop/manage.py");
	assert_non_null(lost);
	assert_non_null(runs);
	assert_true(lost < runs); /* losses first */
	assert_non_null(strstr(buf_str(&page), "href=\"/reviews/lmmsd-2026-10.html\""));
	assert_non_null(strstr(buf_str(&page), "we&quot;b\\"));
	assert_non_null(strstr(buf_str(&page), "<b>over the budget of 2 %</b>"));
	buf_reset(&page);
	s.overhead_ratio = 0.01;
	assert_int_equal(export_landing(&s, &l, &page), 0);
	has_not(buf_str(&page), "budget");
	metrics_snapshot_free(&s);
	(void)metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiate),   cmocka_unit_test(test_text),
		cmocka_unit_test(test_openmetrics), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_landing),	    cmocka_unit_test(test_names_stay_apart),
	};

	return cmocka_run_group_tests_name("metrics_text", tests, NULL, NULL);
}

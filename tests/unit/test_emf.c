/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* export/emf: one event by example, and the format's limits. tests/emf compares more of it with the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/emf_doc.h"

static const struct emf_options options = {
	.namespace = "lmmsd",
	.log_group = "lmmsd",
	.host = "build-7",
	.max_bytes = EMF_MAX_BYTES,
};

struct lines {
	size_t n, metrics, values, longest;
	struct buf last, all;
};

static int on_line(void *arg, const char *line, size_t len)
{
	struct lines *l = arg;
	cJSON *event = cJSON_ParseWithLength(line, len), *aws, *directive, *metric;

	assert_non_null(event);
	assert_null(memchr(line, '\n', len));
	aws = cJSON_GetObjectItemCaseSensitive(event, "_aws");
	directive = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(aws, "CloudWatchMetrics"),
				       0);
	directive = cJSON_GetObjectItemCaseSensitive(directive, "Metrics");
	assert_in_range(cJSON_GetArraySize(directive), 1, EMF_MAX_METRICS);
	cJSON_ArrayForEach(metric, directive)
	{
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(metric, "Name"));
		const cJSON *target = cJSON_GetObjectItemCaseSensitive(event, name);
		int n = cJSON_IsArray(target) ? cJSON_GetArraySize(target) : 1;

		assert_true(cJSON_IsNumber(target) || cJSON_IsArray(target));
		assert_in_range(n, 1, EMF_MAX_VALUES);
		l->metrics++;
		l->values += (size_t)n;
	}
	cJSON_Delete(event);
	l->n++;
	l->longest = len > l->longest ? len : l->longest;
	buf_reset(&l->last);
	buf_add(&l->last, line, len);
	buf_add(&l->all, line, len);
	buf_addc(&l->all, '\n');
	return 0;
}

static void lines_free(struct lines *l)
{
	buf_free(&l->last);
	buf_free(&l->all);
}

static void test_golden(void **state _unused_)
{
	static char app[] = "shop/manage.py", module[] = "yaml", dist[] = "PyYAML",
		    version[] = "6.0";
	static uint64_t starts[] = {123456789, 98000000}, loads[] = {12500000};
	struct mdl_interval_module m = {
		.name = module,
		.distribution = dist,
		.version = version,
		.total = {.ns = loads, .n = 1, .seen = 1},
		.self_ns = 3000000,
		.saving_ns = 11000000,
		.runs_using = 2,
	};
	struct mdl_interval_app a = {
		.name = app,
		.runs = 2,
		.cold_start = {.ns = starts, .n = 2, .seen = 2},
		.modules = &m,
		.n_modules = 1,
	};
	const struct mdl_interval t = {
		.until_ns = 1700000000123000000,
		.runs = 2,
		.lost = {[LMMSD_LOST_RING_FULL] = 5, [LMMSD_LOST_EXPORT_DROPPED] = 2},
		.apps = &a,
		.n_apps = 1,
	};
	_cleanup_(lines_free) struct lines l = {0};
	uint64_t left_out = 0;

	assert_int_equal(emf_interval(&t, &options, on_line, &l, &left_out), 0);
	assert_int_equal(left_out, 0);
	assert_string_equal(
		buf_str(&l.all),
		"{\"_aws\":{\"Timestamp\":1700000000123,\"LogGroupName\":\"lmmsd\",\"CloudWatchMetrics\":[{\"Namespace\":\"lmmsd\",\"Dimensions\":[[\"app\"]],\"Metrics\":["
		"{\"Name\":\"Runs\",\"Unit\":\"Count\",\"StorageResolution\":60},{\"Name\":\"EventsLost\",\"Unit\":\"Count\",\"StorageResolution\":60}]}]},"
		"\"app\":\"_all\",\"host\":\"build-7\",\"lost\":\"ring_full 5, export_dropped 2\",\"lmmsd\":\"" LMMSD_VERSION
		"\",\"Runs\":2,\"EventsLost\":7}\n"
		"{\"_aws\":{\"Timestamp\":1700000000123,\"LogGroupName\":\"lmmsd\",\"CloudWatchMetrics\":[{\"Namespace\":\"lmmsd\",\"Dimensions\":[[\"app\"]],\"Metrics\":["
		"{\"Name\":\"Runs\",\"Unit\":\"Count\",\"StorageResolution\":60},{\"Name\":\"ColdStart\",\"Unit\":\"Milliseconds\",\"StorageResolution\":60},"
		"{\"Name\":\"SlowImports\",\"Unit\":\"Count\",\"StorageResolution\":60}]}]},"
		"\"app\":\"shop/manage.py\",\"host\":\"build-7\",\"Runs\":2,\"ColdStart\":[123.456789,98],\"SlowImports\":0}\n"
		"{\"_aws\":{\"Timestamp\":1700000000123,\"LogGroupName\":\"lmmsd\",\"CloudWatchMetrics\":[{\"Namespace\":\"lmmsd\",\"Dimensions\":[[\"app\",\"module\"]],\"Metrics\":["
		"{\"Name\":\"RunsUsing\",\"Unit\":\"Count\",\"StorageResolution\":60},{\"Name\":\"ImportTime\",\"Unit\":\"Milliseconds\",\"StorageResolution\":60},"
		"{\"Name\":\"ImportSelfTime\",\"Unit\":\"Milliseconds\",\"StorageResolution\":60},{\"Name\":\"DeferrableTime\",\"Unit\":\"Milliseconds\",\"StorageResolution\":60}]}]},"
		"\"app\":\"shop/manage.py\",\"module\":\"yaml\",\"host\":\"build-7\",\"distribution\":\"PyYAML\",\"version\":\"6.0\","
		"\"RunsUsing\":2,\"ImportTime\":12.5,\"ImportSelfTime\":3,\"DeferrableTime\":11}\n");
}

static void dimension(const char *name, const char *want)
{
	_buf_ struct buf b = {0};

	emf_dimension(&b, name);
	assert_string_equal(buf_str(&b), want);
}

static void test_dimension(void **state _unused_)
{
	_buf_ struct buf one = {0}, two = {0};
	char a[600], b[600];

	dimension("shop/manage.py", "shop/manage.py");
	dimension("a\tb\x7f\n", "a\\u{0009}b\\u{007f}\\u{000a}");
	dimension("\xc3\xa9lan \xf0\x9f\x90\x8d", "\\u{00e9}lan \\u{1f40d}");
	dimension(":odd", "\\u{003a}odd");
	dimension("", "(none)");
	dimension("  ", "\\u{0020}\\u{0020}");
	memset(a, 'a', sizeof(a));
	a[EMF_DIMENSION_MAX] = '\0';
	dimension(a, a);
	a[EMF_DIMENSION_MAX] = 'a';
	a[599] = '\0';
	memcpy(b, a, sizeof(b));
	b[598] = 'b';
	emf_dimension(&one, a);
	emf_dimension(&two, b);
	assert_int_equal(one.len, EMF_DIMENSION_MAX);
	assert_int_equal(two.len, EMF_DIMENSION_MAX);
	assert_string_not_equal(buf_str(&one), buf_str(&two));
	/* an escape is never cut in the middle */
	memset(a, 1, sizeof(a) - 1);
	buf_reset(&one);
	emf_dimension(&one, a);
	assert_int_equal((one.len - 17) % strlen("\\u{0001}"), 0);
}

static void test_names(void **state _unused_)
{
	char s[600];

	assert_true(emf_namespace_ok("lmmsd") && emf_namespace_ok("Team/Host.x-1_2#3:4"));
	assert_false(emf_namespace_ok("") || emf_namespace_ok("AWS/EC2") ||
		     emf_namespace_ok(":a") || emf_namespace_ok("a b") ||
		     emf_namespace_ok("\xc3\xa9"));
	assert_true(emf_log_group_ok("/aws/lmmsd.x#1"));
	assert_false(emf_log_group_ok("") || emf_log_group_ok("a:b") || emf_log_group_ok("a b"));
	memset(s, 'a', sizeof(s));
	s[513] = '\0';
	assert_false(emf_namespace_ok(s) || emf_log_group_ok(s));
	s[512] = '\0';
	assert_true(emf_log_group_ok(s));
	s[255] = '\0';
	assert_true(emf_namespace_ok(s));
}

#define MANY 250

/* 250 metrics of 250 values each, 1.2 MB of them: every value comes out once, and no event is too long. */
static void test_limits(void **state _unused_)
{
	static char names[MANY][300];
	static double values[MANY];
	struct emf_metric metrics[MANY];
	const struct emf_text dims[] = {{"app", "a"}}, props[] = {{"host", "h"}};
	struct emf_options o = options;
	const struct emf_doc d = {&o, 1, dims, 1, props, 1, metrics, MANY};
	_cleanup_(lines_free) struct lines l = {0};
	uint64_t left_out = 0;

	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "Metric%0240zu", i);
		values[i] = 1234567.12345678 + (double)i;
		metrics[i] = (struct emf_metric){names[i], "Milliseconds", values, MANY};
	}
	assert_int_equal(emf_doc(&d, on_line, &l, &left_out), 0);
	assert_int_equal(l.values, MANY * MANY);
	assert_int_equal(left_out, 0);
	assert_true(l.longest <= EMF_MAX_BYTES && l.all.len > 4 * EMF_MAX_BYTES);
	for (size_t bytes = 60000; bytes >= 900; bytes = bytes * 2 / 3) {
		_cleanup_(lines_free) struct lines small = {0};

		o.max_bytes = bytes;
		assert_int_equal(emf_doc(&d, on_line, &small, &left_out), 0);
		assert_int_equal(small.values, MANY * MANY);
		assert_true(small.longest <= bytes && left_out == 0);
	}
	/* not one value fits: counted, not sent, no loop without end */
	o.max_bytes = 100;
	metrics[0].n = 3;
	lines_free(&l);
	l = (struct lines){0};
	assert_int_equal(emf_doc(&(struct emf_doc){&o, 1, dims, 1, props, 1, metrics, 1}, on_line,
				 &l, &left_out),
			 0);
	assert_true(l.n == 0 && left_out == 3);
}

static void test_bad_values(void **state _unused_)
{
	const double values[] = {NAN, 1, INFINITY, -INFINITY, 1e200, 2}, bad[] = {NAN};
	const struct emf_metric metrics[] = {{"A", "None", values, 6}, {"B", "None", bad, 1}};
	const struct emf_text dims[] = {{"app", "a"}};
	const struct emf_doc d = {&options, 1, dims, 1, NULL, 0, metrics, 2};
	_cleanup_(lines_free) struct lines l = {0};
	uint64_t left_out = 0;

	assert_int_equal(emf_doc(&d, on_line, &l, &left_out), 0);
	assert_int_equal(left_out, 5);
	assert_true(l.n == 1 && l.metrics == 1 && l.values == 2);
	assert_non_null(strstr(buf_str(&l.last), "\"A\":[1,2]"));
}

/* Properties that do not fit are left out rather than the metrics. */
static void test_long_property(void **state _unused_)
{
	static char text[3000];
	const double one = 1;
	const struct emf_metric metrics[] = {{"A", "Count", &one, 1}};
	const struct emf_text dims[] = {{"app", "a"}}, props[] = {{"note", text}};
	struct emf_options o = options;
	const struct emf_doc d = {&o, 1, dims, 1, props, 1, metrics, 1};
	_cleanup_(lines_free) struct lines l = {0};
	uint64_t left_out = 0;

	memset(text, 'x', sizeof(text) - 1);
	o.max_bytes = 1000;
	assert_int_equal(emf_doc(&d, on_line, &l, &left_out), 0);
	assert_true(l.n == 1 && !strstr(buf_str(&l.last), "note"));
	o.max_bytes = 4000;
	assert_int_equal(emf_doc(&d, on_line, &l, &left_out), 0);
	assert_true(l.n == 2 && left_out == 0 && strstr(buf_str(&l.last), "note"));
}

static int refuse(void *arg, const char *line _unused_, size_t len _unused_)
{
	++*(int *)arg;
	return -EPIPE;
}

static void test_receiver_fails(void **state _unused_)
{
	const struct mdl_interval t = {.runs = 2};
	uint64_t left_out = 0;
	int calls = 0;

	assert_int_equal(emf_interval(&t, &options, refuse, &calls, &left_out), -EPIPE);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	       cmocka_unit_test(test_dimension),
		cmocka_unit_test(test_names),	       cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bad_values),     cmocka_unit_test(test_long_property),
		cmocka_unit_test(test_receiver_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* What many hosts measured, by way of a Prometheus: counted from end to end, over restarts; and what is said when it fails. */
#include "fleet/fleet.h"

#include <errno.h>

#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"
#include "unit/fake_prometheus.h"
#include "unit/has.h"
#include "unit/no_memory.h"
#include "unit/said.h"

#define DAY_S 86400
#define SINCE (20000LL * DAY_S)
#define UNTIL (SINCE + DAY_S)
#define A "\"job\":\"lmmsd\",\"instance\":\"a:9748\""
#define B "\"job\":\"lmmsd\",\"instance\":\"b:9748\""
#define ONE(labels, value) "{\"metric\":{" labels "},\"value\":[1,\"" value "\"]}"
#define STARTS "process_start_time_seconds"

static const struct fleet_period period = {.since_day = 20000,
					   .until_day = 20001,
					   .since_s = SINCE,
					   .until_s = UNTIL};

/* Host a runs through; host b's daemon was started again at noon (1728043200). Both began at 1000 and 2000. */
static const struct fp_answer two_hosts[] = {
	{"last_over_time(lmmsd_build_info[", NULL, UNTIL,
	 ONE(A ",\"version\":\"1\"", "1") "," ONE(B ",\"version\":\"1\"",
						  "1") "," ONE(B ",\"version\":\"2\"", "1"),
	 false},
	{"group by (job) (last_over_time(lmmsd_build_info", NULL, UNTIL,
	 ONE("\"job\":\"lmmsd\"", "1"), false},
	{"last_over_time(" STARTS, "{job=~\"lmmsd\"}", UNTIL,
	 ONE(A, "1000") "," ONE(B, "1728043200"), false},
	{STARTS "{job", "=~", UNTIL, ONE(A, "1000") "," ONE(B, "1728043200"), false},
	{STARTS "{job", "=~", SINCE, ONE(A, "1000") "," ONE(B, "2000"), false},
	/* b before the restart: its last sample was at 11:59 */
	{STARTS "{instance=\"b:9748\",job=\"lmmsd\"}[", NULL, 0,
	 "{\"metric\":{" B "},\"values\":[[1728043080,\"2000\"],[1728043140,\"2000\"],"
	 "[1728043230,\"1728043200\"]]}",
	 false},
	{"{__name__=~\"lmmsd_.+\",instance=\"b:9748\",job=\"lmmsd\"}[1s]", NULL, 1728043140,
	 "{\"metric\":{\"__name__\":\"lmmsd_runs_total\",\"app\":\"shop\"},"
	 "\"values\":[[1728043140,\"50\"]]},"
	 "{\"metric\":{\"__name__\":\"lmmsd_runs_total\",\"app\":\"other\"},"
	 "\"values\":[[1728043140,\"5\"]]},"
	 "{\"metric\":{\"__name__\":\"lmmsd_unheard_of\",\"app\":\"shop\"},"
	 "\"values\":[[1728043140,\"50\"]]},"
	 "{\"metric\":{\"__name__\":\"lmmsd_events_lost_total\",\"reason\":\"ring_full\"},"
	 "\"values\":[[1728043140,\"3\"]]}",
	 false},
	{"sum by (app) (lmmsd_runs_total", NULL, UNTIL, ONE("\"app\":\"shop\"", "120"), false},
	{"sum by (app) (lmmsd_runs_total", NULL, SINCE, ONE("\"app\":\"shop\"", "30"), false},
	{"sum by (app) (lmmsd_warm_runs_total", NULL, UNTIL, ONE("\"app\":\"shop\"", "140"), false},
	{"sum by (app,le) (lmmsd_cold_start_seconds_bucket", NULL, UNTIL,
	 ONE("\"app\":\"shop\",\"le\":\"0.1\"",
	     "20") "," ONE("\"app\":\"shop\",\"le\":\"0.5\"",
			   "140") "," ONE("\"app\":\"shop\",\"le\":\"+Inf\"", "140"),
	 false},
	{"sum by (app) (lmmsd_cold_start_seconds_sum", NULL, UNTIL, ONE("\"app\":\"shop\"", "28"),
	 false},
	{"sum by (app,module,le) (lmmsd_import_seconds_bucket", NULL, UNTIL,
	 ONE("\"app\":\"shop\",\"module\":\"web\",\"le\":\"0.1\"", "140"), false},
	{"sum by (app,module,placement) (lmmsd_module_loads_total", NULL, UNTIL,
	 ONE("\"app\":\"shop\",\"module\":\"web\",\"placement\":\"module\"", "140"), false},
	{"sum by (reason) (lmmsd_events_lost_total", NULL, UNTIL,
	 ONE("\"reason\":\"ring_full\"", "4"), false},
	{0},
};

static struct fleet *open_fleet(const char *url, const char *headers)
{
	const struct fleet_options o = {.url = url,
					.headers_file = headers,
					.timeout_s = FLEET_TIMEOUT_S,
					.answer_max = 1 << 20};
	_buf_ struct buf error = {0};
	struct fleet *f = NULL;

	if (fleet_new(&o, &f, &error))
		fail_msg("%s", buf_str(&error));
	return f;
}

static void test_counts(void **state)
{
	_buf_ struct buf error = {0};
	struct fleet_answer a;
	struct fleet *f;
	struct fp fp;

	(void)state;
	fp_open(&fp, two_hosts);
	f = open_fleet(fp.url, NULL);
	if (fleet_read(f, &period, NULL, &a, &error))
		fail_msg("%s", buf_str(&error));
	assert_int_equal(a.hosts, 2);
	assert_int_equal(a.restarts, 1);
	assert_int_equal(a.late, 0);
	/* 120 at the end, 50 of the daemon that ended, less the 30 of before */
	assert_int_equal(a.n, 2);
	assert_string_equal(a.history[0]->app, "other");
	assert_int_equal(a.history[0]->runs_plain, 5);
	assert_string_equal(a.history[1]->app, "shop");
	assert_int_equal(a.history[1]->runs_plain, 140);
	assert_int_equal(a.history[1]->runs[MDL_RUN_WARM], 140);
	assert_int_equal(a.history[1]->rebuilt->n, 2);
	assert_int_equal(a.history[1]->rebuilt->bucket[1].count, 120);
	assert_int_equal(a.history[1]->n_modules, 1);
	assert_string_equal(a.history[1]->modules[0].name, "web");
	assert_int_equal(a.lost[LMMSD_LOST_RING_FULL], 4 + 3);
	assert_int_equal(a.queries, fp.asked);
	fleet_answer_clear(&a);
	/* of one app the server is asked for that alone */
	if (fleet_read(f, &period, "shop", &a, &error))
		fail_msg("%s", buf_str(&error));
	assert_int_equal(a.n, 1);
	fleet_answer_clear(&a);
	(void)fleet_free(f);
	fp_close(&fp);
}

/* A host whose daemon ended before the period's end, and one whose first sample is later than its start. */
static void test_ends(void **state)
{
	static const struct fp_answer answers[] = {
		{"last_over_time(lmmsd_build_info[", NULL, 0, ONE(A, "1") "," ONE(B, "1"), false},
		{"group by (job)", NULL, 0, ONE("\"job\":\"lm.d\"", "1"), false},
		{"last_over_time(" STARTS, "{job=~\"lm\\\\.d\"}", UNTIL,
		 ONE(A, "1000") "," ONE(B, "2000"), false},
		/* b is there at the end, and not at the begin; a neither */
		{STARTS "{job", "=~", UNTIL, ONE(B, "2000"), false},
		{"max_over_time(timestamp(" STARTS, "a:9748", UNTIL, ONE(A, "1728020000"), false},
		{"min_over_time(timestamp(" STARTS, "a:9748", UNTIL, ONE(A, "1728010000"), false},
		{"min_over_time(timestamp(" STARTS, "b:9748", UNTIL, ONE(B, "1728030000"), false},
		{STARTS "{instance=\"a:9748\"", NULL, UNTIL, "", false},
		{STARTS "{instance=\"a:9748\"", NULL, 1728020301,
		 "{\"metric\":{" A "},\"values\":[[1728020100,\"1000\"]]}", false},
		{STARTS "{instance=\"a:9748\"", NULL, 1728010000,
		 "{\"metric\":{" A "},\"values\":[[1728009900,\"1000\"]]}", false},
		{STARTS "{instance=\"b:9748\"", NULL, 1728030000,
		 "{\"metric\":{" B "},\"values\":[[1728029999,\"2000\"],[1728030000,\"2000\"]]}",
		 false},
		/* a had 7 at its first sample and 20 at its last; b 100 at its first, and 130 at the end */
		{"{__name__", "a:9748", 1728009900,
		 "{\"metric\":{\"__name__\":\"lmmsd_runs_total\",\"app\":\"x\"},"
		 "\"values\":[[1,\"7\"]]}",
		 false},
		{"{__name__", "a:9748", 1728020100,
		 "{\"metric\":{\"__name__\":\"lmmsd_runs_total\",\"app\":\"x\"},"
		 "\"values\":[[1,\"20\"]]}",
		 false},
		{"{__name__", "b:9748", 1728029999,
		 "{\"metric\":{\"__name__\":\"lmmsd_runs_total\",\"app\":\"x\"},"
		 "\"values\":[[1,\"100\"]]}",
		 false},
		{"sum by (app) (lmmsd_runs_total", NULL, UNTIL, ONE("\"app\":\"x\"", "130"), false},
		{0},
	};
	_buf_ struct buf error = {0};
	struct fleet_answer a;
	struct fleet *f;
	struct fp fp;

	(void)state;
	fp_open(&fp, answers);
	f = open_fleet(fp.url, NULL);
	if (fleet_read(f, &period, NULL, &a, &error))
		fail_msg("%s", buf_str(&error));
	assert_int_equal(a.hosts, 2);
	assert_int_equal(a.restarts, 0);
	assert_int_equal(a.late, 2);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.history[0]->runs_plain, 20 - 7 + 130 - 100);
	fleet_answer_clear(&a);
	(void)fleet_free(f);
	fp_close(&fp);
}

#define HTTP(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body

static void test_failures(void **state)
{
	static const struct {
		const char *answer;
		int r;
		const char *said;
	} cases[] = {
		{HTTP("401 Unauthorized", ""), -EACCES, "it wants to know who asks (HTTP 401)"},
		{HTTP("403 Forbidden", "{}"), -EACCES, "HTTP 403"},
		{HTTP("200 OK", "<html>"), -EBADMSG, "is no"},
		{HTTP("404 Not Found", "nothing"), -EBADMSG, "HTTP status 404"},
		{HTTP("400 Bad Request", "{\"status\":\"error\",\"error\":\"parse\\terror\"}"),
		 -EREMOTEIO, "parse"},
		{HTTP("200 OK", "{\"status\":\"error\"}"), -EREMOTEIO, "it does not say why"},
		{HTTP("200 OK", "{\"status\":\"success\"}"), -EBADMSG,
		 "is this the right address?"},
		{HTTP("200 OK", "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\","
				"\"result\":[]}}"),
		 -EBADMSG, "is this the right address?"},
		{HTTP("302 Found\r\nLocation: /elsewhere", ""), -EHOSTUNREACH,
		 "it sends from one address to the next"},
		{"no http at all\r\n\r\n", -EHOSTUNREACH, ""},
		{HTTP("200 OK\r\nContent-Length: 2000000", "x"), -EHOSTUNREACH, ""},
		{HTTP("200 OK", "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\","
				"\"result\":[]}}"),
		 -ENODATA, ""},
		{HTTP("200 OK", "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\","
				"\"result\":[" ONE(A, "1") "]}}"),
		 -EREMOTEIO, "let scraping keep it"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fp_answer answers[] = {{STARTS, NULL, 0, "", false},
						    {"last_over_time(" STARTS, NULL, 0, "", false},
						    {"", NULL, 0, cases[i].answer, true},
						    {0}};
		_buf_ struct buf error = {0};
		struct fleet_answer a;
		struct fleet *f;
		struct fp fp;
		int r;

		fp_open(&fp, answers);
		f = open_fleet(fp.url, NULL);
		r = fleet_read(f, &period, NULL, &a, &error);
		if (r != cases[i].r)
			fail_msg("%zu: %d: %s", i, r, buf_str(&error));
		has(buf_str(&error), cases[i].said);
		assert_int_equal(error.len == 0, r == -ENODATA);
		(void)fleet_free(f);
		fp_close(&fp);
	}
}

static void test_too_long(void **state)
{
	static char answer[(2 << 20) + 128];
	const struct fp_answer answers[] = {{"", NULL, 0, answer, true}, {0}};
	_buf_ struct buf error = {0};
	struct fleet_answer a;
	struct fleet *f;
	struct fp fp;

	(void)state;
	(void)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%*s",
		       2 << 20, "");
	fp_open(&fp, answers);
	f = open_fleet(fp.url, NULL);
	assert_int_equal(fleet_read(f, &period, NULL, &a, &error), -EFBIG);
	has(buf_str(&error), "the answer is longer than 1 MiB");
	(void)fleet_free(f);
	fp_close(&fp);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Password and headers go to the server, and no message shows them. */
static void test_who_asks(void **state)
{
	static const struct fp_answer none[] = {{0}};
	char path[] = "/tmp/lmmsd-headers-XXXXXX", url[128];
	_buf_ struct buf error = {0};
	struct fleet_answer a;
	struct fleet *f;
	struct fp fp;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	write_file(path, "# a tenant\r\nX-Scope-OrgID: shop\n\nX-Empty:\n");
	fp_open(&fp, none);
	(void)snprintf(url, sizeof(url), "http://me:secret@%s/prom/?tenant=1", fp.url + 7);
	f = open_fleet(url, path);
	has(fleet_url(f), "/prom");
	has_not(fleet_url(f), "secret");
	has_not(fleet_url(f), "tenant");
	assert_int_equal(fleet_read(f, &period, NULL, &a, &error), -ENODATA);
	(void)fleet_free(f);
	fp_close(&fp);
	has(fp.last, "POST /prom/api/v1/query?tenant=1 ");
	has(fp.last, "Authorization: Basic bWU6c2VjcmV0");
	has(fp.last, "X-Scope-OrgID: shop\r\n");
	has(fp.last, "User-Agent: lmmsctl/");
	has_not(fp.last, "a tenant");
	assert_int_equal(unlink(path), 0);
}

static void test_options(void **state)
{
	static const struct {
		const char *url, *headers, *ca, *said;
		int r;
	} cases[] = {
		{"not a url", NULL, NULL, "this is no URL", -EINVAL},
		{"ftp://x/", NULL, NULL, "no http or https URL", -EINVAL},
		{"http://x", "/nowhere/headers", NULL, "/nowhere/headers", -ENOENT},
		{"http://x", "/proc/self/comm", NULL, "/proc/self/comm:1: this is no header",
		 -EINVAL},
		{"http://x", NULL, "/nowhere/ca.pem", "cannot read the certificates", -ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fleet_options o = {.url = cases[i].url,
						.headers_file = cases[i].headers,
						.ca_file = cases[i].ca,
						.timeout_s = 1,
						.answer_max = 1};
		_buf_ struct buf error = {0};
		struct fleet *f = NULL;

		assert_int_equal(fleet_new(&o, &f, &error), cases[i].r);
		has(buf_str(&error), cases[i].said);
		assert_null(f);
	}
}

/* Each allocation fails once: -ENOMEM, or what curl makes of it; no crash, and nothing is left. */
static void test_out_of_memory(void **state)
{
	bool failed = true;
	struct fp fp;

	(void)state;
	fp_open(&fp, two_hosts);
	for (long n = 0; failed && n < 20000; n += n < 100 ? 1 : 97) {
		_buf_ struct buf error = {0};
		const struct fleet_options o = {
			.url = fp.url, .timeout_s = FLEET_TIMEOUT_S, .answer_max = 1 << 20};
		struct fleet_answer a = {0};
		struct fleet *f = NULL;
		int r;

		nomem_once(n);
		r = fleet_new(&o, &f, &error);
		if (r == 0)
			r = fleet_read(f, &period, NULL, &a, &error);
		failed = nomem_end();
		if (r == 0)
			assert_int_equal(a.n, 2);
		fleet_answer_clear(&a);
		(void)fleet_free(f);
	}
	assert_false(failed);
	fp_close(&fp);
}

/* The review of a month, by lmmsctl. */
static void test_review(void **state)
{
	static const char *const words[] = {"From Prometheus at", "2 hosts", "shop",
					    "No host has 10 ms as a bound"};
	char verb[] = "review", config[] = "--config=/dev/null", url[96], name[] = "lmmsctl";
	char since[] = "--since=2024-10-04", until[] = "--until=2024-10-05", app[] = "--app=none";
	char *argv[] = {name, verb, config, url, since, until, app, NULL};
	struct fp fp;

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	fp_open(&fp, two_hosts);
	(void)snprintf(url, sizeof(url), "--prometheus=%s", fp.url);
	said_begin();
	log_setup("lmmsctl", LOG_LEVEL_INFO);
	assert_int_equal(ctl_main(6, argv), EXIT_DONE);
	said_end();
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		has(SAID_OUT, words[i]);
	assert_string_equal(SAID, "");
	fp_close(&fp);
	/* nobody is there any more */
	said_begin();
	log_setup("lmmsctl", LOG_LEVEL_INFO);
	assert_int_equal(ctl_main(7, argv), EXIT_NOT_FOUND);
	said_end();
	has(SAID, "cannot ask Prometheus at 'http://127.0.0.1:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),	      cmocka_unit_test(test_ends),
		cmocka_unit_test(test_failures),      cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_who_asks),      cmocka_unit_test(test_options),
		cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_review),
	};

	(void)setenv("HOME", "/nowhere", 1); /* its .netrc */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

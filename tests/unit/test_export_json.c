/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/jsonx.h"
#include "unit/render.h"

static struct fake f;
static cJSON *json;

static int set_up(void **state)
{
	(void)state;
	fake_init(&f);
	fake_shop(&f);
	json = render_json(EXPORT_JSON, &f.profile);
	return json ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	cJSON_Delete(json);
	fake_free(&f);
	return 0;
}

static void again(void)
{
	cJSON_Delete(json);
	json = render_json(EXPORT_JSON, &f.profile);
	assert_non_null(json);
}

static void test_head(void **state)
{
	(void)state;
	assert_string_equal(string(json, "schema"), "lmms.profile/1");
	assert_string_equal(string(json, "version"), "1.0.0");
	assert_string_equal(string(json, "host.name"), "build-7");
	assert_string_equal(string(json, "host.kernel"), "6.1.0-13-amd64");
	assert_string_equal(string(json, "host.arch"), "x86_64");
	assert_string_equal(string(json, "host.boot_id"), "0f9c2c5e-1111-2222-3333-444455556666");
	/* 1700000000 s is 22:13:20; the fake clock begins at 5 s. */
	assert_string_equal(string(json, "started"), "2023-11-14T22:13:25.000Z");
	assert_string_equal(string(json, "ended"), "2023-11-14T22:13:25.027Z");
	assert_true(cJSON_IsTrue(at(json, "complete")));
	assert_true(cJSON_IsObject(at(json, "lost")));
	assert_int_equal(cJSON_GetArraySize(at(json, "lost")), 0);
	assert_int_equal(cJSON_GetArraySize(at(json, "processes")), 1);
}

static void test_lost(void **state)
{
	(void)state;
	f.profile.complete = false;
	f.profile.lost[LMMSD_LOST_RING_FULL] = UINT64_MAX;
	f.profile.lost[LMMSD_LOST_NO_MEMORY] = 3;
	f.p->lost[LMMSD_LOST_LIMIT_DEPTH] = 2;
	again();
	assert_true(cJSON_IsFalse(at(json, "complete")));
	assert_int_equal(cJSON_GetArraySize(at(json, "lost")), 2);
	assert_true(number(json, "lost.ring_full") > 1.8e19);
	assert_true(number(json, "lost.no_memory") == 3);
	assert_true(number(json, "processes.0.lost.limit_depth") == 2);
}

static void test_process(void **state)
{
	const cJSON *p = at(json, "processes.0");

	(void)state;
	assert_true(number(p, "pid") == 4242);
	assert_true(number(p, "ppid") == 1);
	assert_true(number(p, "uid") == 1000);
	assert_string_equal(string(p, "app"), "shop/manage.py");
	assert_int_equal(cJSON_GetArraySize(at(p, "cmdline")), 3);
	assert_string_equal(string(p, "cmdline.1"), "manage.py");
	assert_string_equal(string(p, "cmdline.2"), "check");
	assert_string_equal(string(p, "exe"), "/usr/bin/python3.11");
	assert_string_equal(string(p, "cgroup"), "/user.slice");
	assert_string_equal(string(p, "python"), "3.11.2");
	assert_string_equal(string(p, "implementation"), "cpython");
	assert_string_equal(string(p, "probe"), "usdt");
	assert_string_equal(string(p, "started"), "2023-11-14T22:13:25.000Z");
	assert_string_equal(string(p, "ended"), "2023-11-14T22:13:25.027Z");
	assert_true(number(p, "exit_code") == 0);
	assert_true(cJSON_IsTrue(at(p, "from_start")));
	assert_true(number(p, "interpreter_ms") == 13.5);
	assert_true(number(p, "cold_start_ms") == 24.734568);
}

static void test_not_measured(void **state)
{
	(void)state;
	f.p->from_start = false;
	f.p->interpreter_ns = 0;
	f.p->ended = false;
	f.p->py_version = 0;
	f.p->probe = 0;
	f.p->cmdline_len = 0;
	again();
	assert_true(is_null(json, "processes.0.cold_start_ms"));
	assert_true(is_null(json, "processes.0.interpreter_ms"));
	assert_true(is_null(json, "processes.0.ended"));
	assert_true(is_null(json, "processes.0.exit_code"));
	assert_true(is_null(json, "processes.0.python"));
	assert_true(is_null(json, "processes.0.probe"));
	assert_int_equal(cJSON_GetArraySize(at(json, "processes.0.cmdline")), 0);
	assert_true(cJSON_IsFalse(at(json, "processes.0.from_start")));
}

static void test_exit_status(void **state)
{
	(void)state;
	f.p->exit_status = 3 << 8;
	f.p->py_version = 0x030e00c1;
	again();
	assert_true(number(json, "processes.0.exit_code") == 3);
	assert_true(is_null(json, "processes.0.signal"));
	assert_string_equal(string(json, "processes.0.python"), "3.14.0rc1");
	f.p->exit_status = 9;
	again();
	assert_true(number(json, "processes.0.exit_code") == 137);
	assert_true(number(json, "processes.0.signal") == 9);
	f.p->exit_status = 0;
	f.p->end_unseen = true;
	again();
	assert_true(is_null(json, "processes.0.exit_code"));
	assert_false(is_null(json, "processes.0.ended"));
}

/* Every load but __main__ in order of start, then what was only used. */
static void test_rows(void **state)
{
	static const char *const names[] = {"site",  "shop", "shop.db", HOSTILE,
					    "ujson", "shop", "os"};
	const cJSON *rows = at(json, "processes.0.modules");

	(void)state;
	assert_int_equal(cJSON_GetArraySize(rows), 7);
	for (int i = 0; i < 7; i++)
		assert_string_equal(string(cJSON_GetArrayItem(rows, i), "name"), names[i]);
	assert_true(is_null(rows, "0.importer"));
	assert_true(is_null(rows, "0.line"));
	assert_string_equal(string(rows, "0.placement"), "unknown");
	assert_true(is_null(rows, "1.parent"));
	assert_true(number(rows, "1.depth") == 0);
	assert_string_equal(string(rows, "1.importer"), "__main__");
	assert_string_equal(string(rows, "1.importer_file"), "/srv/shop/manage.py");
	assert_true(number(rows, "1.line") == 3);
	assert_true(number(rows, "1.total_ms") == 11.000001);
	assert_true(number(rows, "1.self_ms") == 1);
	assert_true(number(rows, "1.start_ms") == 13.5);
	assert_true(number(rows, "1.end_ms") == 24.500001);
	assert_true(number(rows, "1.uses") == 2);
	assert_true(number(rows, "1.uses_by_placement.module") == 1);
	assert_true(number(rows, "1.uses_by_placement.dynamic") == 1);
	assert_true(number(rows, "1.saving_ms") == 11.000001);
	assert_null(at(rows, "1.repeat"));
	assert_true(number(rows, "3.total_ms") == 0.000001);
	assert_string_equal(string(rows, "4.status"), "failed");
	assert_string_equal(string(rows, "4.timed"), "full");
}

static void test_row_of_a_module(void **state)
{
	const cJSON *row = at(json, "processes.0.modules.2");

	(void)state;
	assert_string_equal(string(row, "file"), "/srv/shop/db.py");
	assert_string_equal(string(row, "kind"), "source");
	assert_string_equal(string(row, "distribution"), "shop");
	assert_string_equal(string(row, "version"), "2.1");
	assert_string_equal(string(row, "status"), "loaded");
	assert_true(number(row, "exec_ms") == 7);
	assert_true(number(row, "thread") == 4242);
	assert_true(number(row, "parent") == 1);
	assert_true(number(row, "depth") == 1);
	assert_true(number(row, "share_pct") == 12.5);
	assert_string_equal(string(row, "tier"), "FUNCTION_LEVEL");
	assert_true(number(row, "saving_ms") == 10);
	assert_string_equal(string(row, "placement"), "module");
}

static void test_repeat(void **state)
{
	const cJSON *row = at(json, "processes.0.modules.5");

	(void)state;
	assert_true(cJSON_IsTrue(at(row, "repeat")));
	assert_true(number(row, "uses") == 0);
	assert_true(number(row, "saving_ms") == 0);
	assert_true(number(row, "share_pct") == 0);
	assert_true(is_null(row, "tier"));
	assert_true(number(row, "thread") == 4243);
	assert_true(is_null(row, "parent"));
	assert_string_equal(string(row, "timed"), "open");
	f.p->loads[6].flags = MDL_LOAD_BODY_ONLY;
	again();
	assert_string_equal(string(json, "processes.0.modules.5.timed"), "body");
}

static void test_only_used(void **state)
{
	const cJSON *row = at(json, "processes.0.modules.6");

	(void)state;
	assert_string_equal(string(row, "status"), "seen");
	assert_true(is_null(row, "total_ms"));
	assert_true(is_null(row, "self_ms"));
	assert_true(is_null(row, "start_ms"));
	assert_true(is_null(row, "thread"));
	assert_true(is_null(row, "tier"));
	assert_true(number(row, "uses") == 1);
}

static void test_edges(void **state)
{
	const cJSON *edges = at(json, "processes.0.edges"), *edge;
	bool found = false;

	(void)state;
	assert_int_equal(cJSON_GetArraySize(edges), f.p->n_edges);
	cJSON_ArrayForEach(edge, edges)
	{
		if (strcmp(string(edge, "module"), "os") != 0)
			continue;
		found = true;
		assert_string_equal(string(edge, "importer"), "shop");
		assert_string_equal(string(edge, "placement"), "module");
		assert_true(number(edge, "count") == 1);
		assert_true(cJSON_IsFalse(at(edge, "loaded")));
		assert_true(is_null(edge, "file"));
		assert_true(is_null(edge, "line"));
	}
	assert_true(found);
}

/* The same module loaded in the parent before a fork is no row; its uses are not lost with it. */
static void test_inherited(void **state)
{
	(void)state;
	f.p->loads[0].flags = MDL_LOAD_INHERITED;
	again();
	assert_string_equal(string(json, "processes.0.modules.0.name"), "shop");
	assert_string_equal(string(json, "processes.0.modules.5.name"), "site");
	assert_string_equal(string(json, "processes.0.modules.5.status"), "seen");
	assert_true(number(json, "processes.0.modules.5.uses") == 1);
}

static void test_damaged(void **state)
{
	(void)state;
	f.p->loads[0].parent = 5;
	f.p->loads[2].parent = 2;
	f.p->loads[3].parent = -7;
	f.p->loads[3].status = 99;
	f.p->loads[3].kind = 99;
	f.p->loads[3].place = 99;
	f.p->modules[0].load = 1000;
	f.p->modules[0].share_pct = 0.0 / (double)(f.p->pid - 4242);
	f.p->modules[1].share_pct = 1e300;
	again();
	assert_true(is_null(json, "processes.0.modules.0.parent"));
	assert_true(is_null(json, "processes.0.modules.0.share_pct"));
	assert_true(number(json, "processes.0.modules.0.uses") == 1);
	assert_string_equal(string(json, "processes.0.modules.2.placement"), "unknown");
	assert_string_equal(string(json, "processes.0.modules.2.kind"), "unknown");
}

static void test_no_process(void **state)
{
	struct mdl_profile none = f.profile;

	(void)state;
	none.n_processes = 0;
	cJSON_Delete(json);
	json = render_json(EXPORT_JSON, &none);
	assert_non_null(json);
	assert_true(cJSON_IsArray(at(json, "processes")));
	assert_int_equal(cJSON_GetArraySize(at(json, "processes")), 0);
}

/* As text, since a parser would forgive an exponent. */
static void test_numbers(void **state)
{
	static const struct {
		int64_t ns;
		const char *ms, *us;
	} cases[] = {
		{0, "0", "0"},
		{1, "0.000001", "0.001"},
		{-1500000, "-1.5", "-1500"},
		{100000000, "100", "100000"},
		{1234567, "1.234567", "1234.567"},
		{INT64_MAX, "9223372036854.775807", "9223372036854775.807"},
		{INT64_MIN, "-9223372036854.775808", "-9223372036854775.808"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jsonx j;

		jsonx_init(&j);
		jsonx_ms(&j, "ms", cases[i].ns);
		jsonx_us(&j, "us", cases[i].ns);
		assert_false(j.failed);
		assert_string_equal(cJSON_GetObjectItem(j.object, "ms")->valuestring, cases[i].ms);
		assert_string_equal(cJSON_GetObjectItem(j.object, "us")->valuestring, cases[i].us);
		jsonx_clear(&j);
	}
}

static void test_times(void **state)
{
	struct jsonx j;

	(void)state;
	jsonx_init(&j);
	jsonx_time(&j, "epoch", 0, 0);
	jsonx_time(&j, "before", 0, -1);
	jsonx_time(&j, "leap", 951782400999999999, 0);
	jsonx_time(&j, "far", UINT64_MAX, INT64_MAX);
	assert_string_equal(string(j.object, "epoch"), "1970-01-01T00:00:00.000Z");
	assert_string_equal(string(j.object, "before"), "1969-12-31T23:59:59.999Z");
	assert_string_equal(string(j.object, "leap"), "2000-02-29T00:00:00.999Z");
	assert_true(is_null(j.object, "far"));
	jsonx_clear(&j);
}

static void test_doubles(void **state)
{
	struct jsonx j;
	double zero = 0;

	(void)state;
	jsonx_init(&j);
	jsonx_double(&j, "nan", zero / zero);
	jsonx_double(&j, "inf", 1 / zero);
	jsonx_double(&j, "tiny", 1e-9);
	jsonx_double(&j, "minus", -1e-9);
	jsonx_double(&j, "third", 100.0 / 3);
	assert_true(is_null(j.object, "nan"));
	assert_true(is_null(j.object, "inf"));
	assert_string_equal(cJSON_GetObjectItem(j.object, "tiny")->valuestring, "0");
	assert_string_equal(cJSON_GetObjectItem(j.object, "minus")->valuestring, "0");
	assert_string_equal(cJSON_GetObjectItem(j.object, "third")->valuestring, "33.333333");
	jsonx_clear(&j);
}

/* A full disk is an error, not a short report. */
static void test_write_error(void **state)
{
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(out);
	assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);
	assert_int_equal(export_profile(EXPORT_JSON, &f.profile, NULL, out), -ENOSPC);
	assert_int_equal(export_profile(EXPORT_TREE, &f.profile, NULL, out), -ENOSPC);
	assert_int_equal(export_profile(EXPORT_TABLE, &f.profile, NULL, out), -ENOSPC);
	assert_int_equal(export_profile(EXPORT_IMPORTTIME, &f.profile, NULL, out), -ENOSPC);
	assert_int_equal(export_profile(EXPORT_SPEEDSCOPE, &f.profile, NULL, out), -ENOSPC);
	assert_int_equal(export_profile(EXPORT_PERFETTO, &f.profile, NULL, out), -ENOSPC);
	assert_int_equal(export_profile(EXPORT_FOLDED, &f.profile, NULL, out), -ENOSPC);
	(void)fclose(out);
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_head),	     T(test_lost),    T(test_process),	       T(test_not_measured),
		T(test_exit_status), T(test_rows),    T(test_row_of_a_module), T(test_repeat),
		T(test_only_used),   T(test_edges),   T(test_inherited),       T(test_damaged),
		T(test_no_process),  T(test_numbers), T(test_times),	       T(test_doubles),
		T(test_write_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

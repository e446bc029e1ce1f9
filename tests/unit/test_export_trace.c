/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* speedscope, perfetto and folded: what their readers demand, also of times that contradict each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/fake_report.h"
#include "unit/render.h"

/* The rules of file-format-schema.json and of the importer: nothing open at the end, last in first out, in order. */
static void check_evented(const cJSON *profile, int n_frames)
{
	const cJSON *event;
	int open[FAKE_DEPTH], n_open = 0;
	double now = number(profile, "startValue");

	assert_string_equal(string(profile, "type"), "evented");
	assert_string_equal(string(profile, "unit"), "nanoseconds");
	assert_true(cJSON_IsString(at(profile, "name")));
	assert_true(cJSON_IsArray(at(profile, "events")));
	cJSON_ArrayForEach(event, at(profile, "events"))
	{
		int frame = (int)number(event, "frame");

		assert_true(number(event, "at") >= now);
		now = number(event, "at");
		assert_in_range(frame, 0, n_frames - 1);
		if (!strcmp(string(event, "type"), "O")) {
			assert_true(n_open < FAKE_DEPTH);
			open[n_open++] = frame;
			continue;
		}
		assert_string_equal(string(event, "type"), "C");
		assert_true(n_open > 0);
		assert_int_equal(frame, open[--n_open]);
	}
	assert_int_equal(n_open, 0);
	assert_true(number(profile, "endValue") >= now);
}

static void check_speedscope(const cJSON *json)
{
	const cJSON *profile, *frame;
	int n_frames = cJSON_GetArraySize(at(json, "shared.frames"));

	assert_string_equal(string(json, "$schema"),
			    "https://www.speedscope.app/file-format-schema.json");
	assert_string_equal(string(json, "exporter"), "lmmsd@1.0.0");
	assert_true(cJSON_GetArraySize(at(json, "profiles")) > 0);
	cJSON_ArrayForEach(frame, at(json, "shared.frames"))
	{
		assert_true(cJSON_IsString(at(frame, "name")));
		assert_true(!at(frame, "file") || cJSON_IsString(at(frame, "file")));
	}
	cJSON_ArrayForEach(profile, at(json, "profiles")) check_evented(profile, n_frames);
}

static void test_speedscope(void **state)
{
	cJSON *json = render_json(EXPORT_SPEEDSCOPE, &f.profile);
	const cJSON *events = at(json, "profiles.0.events");
	char path[64];

	(void)state;
	check_speedscope(json);
	assert_int_equal(cJSON_GetArraySize(at(json, "profiles")), 2);
	assert_string_equal(string(json, "profiles.0.name"), "shop/manage.py (pid 4242)");
	assert_string_equal(string(json, "profiles.1.name"),
			    "shop/manage.py (pid 4242, thread 4243)");
	assert_int_equal(cJSON_GetArraySize(events), 10);
	assert_int_equal(cJSON_GetArraySize(at(json, "profiles.1.events")), 2);
	/* site, shop, shop.db, ... */
	assert_true(number(events, "0.at") == 1e6);
	assert_true(number(events, "1.at") == 13.5e6);
	assert_true(number(events, "3.at") == 14.5e6);
	assert_true(number(events, "4.at") == 24.5e6);
	(void)snprintf(path, sizeof(path), "shared.frames.%d.name", (int)number(events, "3.frame"));
	assert_string_equal(string(json, path), "shop.db");
	cJSON_Delete(json);
}

/* Frames are shared: two processes of the same program have the same ones. */
static void test_shared_frames(void **state)
{
	cJSON *one = render_json(EXPORT_SPEEDSCOPE, &f.profile), *two;

	(void)state;
	fake_done(&f);
	fake_shop(&f);
	two = render_json(EXPORT_SPEEDSCOPE, &f.profile);
	check_speedscope(two);
	assert_int_equal(cJSON_GetArraySize(at(two, "profiles")), 4);
	assert_int_equal(cJSON_GetArraySize(at(two, "shared.frames")),
			 cJSON_GetArraySize(at(one, "shared.frames")));
	cJSON_Delete(one);
	cJSON_Delete(two);
}

static void test_empty(void **state)
{
	struct mdl_profile none = f.profile;
	cJSON *json;

	(void)state;
	none.n_processes = 0;
	json = render_json(EXPORT_SPEEDSCOPE, &none);
	check_speedscope(json);
	cJSON_Delete(json);
	json = render_json(EXPORT_PERFETTO, &none);
	assert_true(cJSON_IsArray(at(json, "traceEvents")));
	cJSON_Delete(json);
}

/* Complete events of one thread either contain one another or do not touch. */
static void check_perfetto(const cJSON *json)
{
	const cJSON *event;
	struct {
		double tid, end;
	} open[FAKE_DEPTH];
	int n_open = 0;

	assert_string_equal(string(json, "displayTimeUnit"), "ms");
	cJSON_ArrayForEach(event, at(json, "traceEvents"))
	{
		double start = number(event, "ts"), end = start + number(event, "dur"),
		       tid = number(event, "tid");

		assert_true(number(event, "pid") > 0);
		assert_true(cJSON_IsObject(at(event, "args")));
		if (strcmp(string(event, "ph"), "X") != 0)
			continue;
		assert_true(start >= 0 && end >= start);
		/* Sums of decimals: to a thousandth of a nanosecond. */
		while (n_open &&
		       (open[n_open - 1].tid != tid || open[n_open - 1].end <= start + 1e-6))
			n_open--;
		assert_true(!n_open || end <= open[n_open - 1].end + 1e-6);
		assert_true(n_open < FAKE_DEPTH);
		open[n_open].tid = tid;
		open[n_open++].end = end;
	}
}

static const cJSON *find_event(const cJSON *json, const char *phase, const char *name)
{
	const cJSON *event;

	cJSON_ArrayForEach(event,
			   at(json, "traceEvents")) if (!strcmp(string(event, "ph"), phase) &&
							!strcmp(string(event, "name"),
								name)) return event;
	return NULL;
}

static void test_perfetto(void **state)
{
	cJSON *json = render_json(EXPORT_PERFETTO, &f.profile);
	const cJSON *load = find_event(json, "X", "shop.db");

	(void)state;
	check_perfetto(json);
	assert_non_null(load);
	assert_true(number(load, "ts") == 14500);
	assert_true(number(load, "dur") == 10000);
	assert_true(number(load, "pid") == 4242);
	assert_true(number(load, "tid") == 4242);
	assert_string_equal(string(load, "args.importer"), "shop");
	assert_string_equal(string(load, "args.placement"), "module");
	assert_string_equal(string(load, "args.status"), "loaded");
	assert_string_equal(string(load, "args.file"), "/srv/shop/db.py");
	assert_true(number(load, "args.self_ms") == 10);
	assert_true(number(load, "args.saving_ms") == 10);
	assert_string_equal(string(load, "args.tier"), "FUNCTION_LEVEL");
	assert_string_equal(string(find_event(json, "M", "process_name"), "args.name"),
			    "shop/manage.py");
	assert_string_equal(string(find_event(json, "M", "thread_name"), "args.name"),
			    "main thread");
	assert_true(number(find_event(json, "i", "first statement of the program"), "ts") == 13500);
	assert_non_null(find_event(json, "X", HOSTILE));
	assert_null(find_event(json, "X", "__main__"));
	cJSON_Delete(json);
}

/* Children longer than their parents, starts before the beginning, ends before starts. */
static void test_contradictions(void **state)
{
	struct mdl_load *l = f.p->loads;
	cJSON *json;

	(void)state;
	l[0].start_ns = 0;
	l[0].total_ns = 3000 * MS;
	l[3].total_ns = 90 * MS;
	l[4].start_ns -= 500 * MS;
	l[5].start_ns = UINT64_MAX - 5;
	l[5].total_ns = 100;
	json = render_json(EXPORT_SPEEDSCOPE, &f.profile);
	assert_non_null(json);
	check_speedscope(json);
	cJSON_Delete(json);
	json = render_json(EXPORT_PERFETTO, &f.profile);
	assert_non_null(json);
	cJSON_Delete(json);
	/* Without a time at the end of the universe, whose ns a double does not hold. */
	l[5].start_ns = 1;
	json = render_json(EXPORT_PERFETTO, &f.profile);
	check_perfetto(json);
	cJSON_Delete(json);
}

static void test_folded(void **state)
{
	_free_ char *text = render(EXPORT_FOLDED, &f.profile);

	(void)state;
	/* The hostile one took 1 ns: nothing in microseconds. */
	assert_string_equal(text, "shop/manage.py;site 12500\n"
				  "shop/manage.py;shop 1000\n"
				  "shop/manage.py;shop;shop.db 10000\n"
				  "shop/manage.py;ujson 1235\n"
				  "shop/manage.py;shop 2000\n");
	f.p->loads[4].self_ns = 5000;
	free(text);
	text = render(EXPORT_FOLDED, &f.profile);
	assert_non_null(strstr(
		text,
		"\nshop/manage.py;shop;e\"v\\i\\x0al\\x1b[31m\\x3b\\u{202e} | \\x7f\u00e9 5\n"));
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_speedscope), T(test_shared_frames),  T(test_empty),
		T(test_perfetto),   T(test_contradictions), T(test_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

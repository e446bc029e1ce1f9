/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/observe_replay: loads that are open at the end of a recording last until it was stopped. */
#include <cjson/cJSON.h>

#include "app/observe.h"
#include "app/records.h"
#include "recbuild.h"
#include "replay/stream.h"
#include "unit/fake_dir.h"

#define PID 4711
#define MS(n) ((uint64_t)(n)*1000000)
#define RECORDING "run.rec"
#define REPORT "run.json"

static void put(struct stream_writer *w, uint16_t kind, const void *fixed, size_t len,
		const char *tail)
{
	struct rec r;

	rec_begin(&r, kind, fixed, len);
	rec_add(&r, tail, strlen(tail));
	assert_int_equal(stream_write(w, r.bytes, r.len), 0);
}

/* A process that imports `slow` from 100 ms on; its counters are read at 900 ms, after the end. */
static void put_run(struct stream_writer *w)
{
	const struct lmmsd_hdr h = {.tgid = PID, .tid = PID, .start_ns = MS(40)};
	struct lmmsd_ev_host host = {.h = {.ts_ns = MS(10)}, .name_len = 4};
	struct lmmsd_ev_proc proc = {.h = h, .flags = LMMSD_PROC_EXEC, .exec_ns = MS(50)};
	struct lmmsd_ev_load load = {.h = h, .sp = 9, .name_len = 4};
	struct lmmsd_ev_uses uses = {.h = h, .key = {.tgid = PID, .name = 1}, .count = 1};

	proc.h.ts_ns = MS(50);
	load.h.ts_ns = MS(100);
	uses.h.ts_ns = MS(900);
	put(w, LMMSD_EV_HOST, &host, sizeof(host), "host");
	put(w, LMMSD_EV_PROC, &proc, sizeof(proc), "");
	put(w, LMMSD_EV_LOAD_START, &load, sizeof(load), "slow");
	put(w, LMMSD_EV_USES, &uses, sizeof(uses), "");
}

enum ending { ENDED, OLD_LMMSD, CUT };

static void record(enum ending ending, uint64_t end_ns)
{
	uint8_t end[RECORDS_MAX];
	struct stream_writer *w;
	FILE *f = fopen(RECORDING, "we");

	assert_non_null(f);
	assert_int_equal(stream_writer_new(f, &w), 0);
	put_run(w);
	if (ending == ENDED)
		assert_int_equal(stream_write(w, end, records_end(end, sizeof(end), end_ns)), 0);
	if (ending != CUT)
		assert_int_equal(stream_writer_finish(w), 0);
	stream_writer_free(w);
	assert_int_equal(fclose(f), 0);
}

static double number(const cJSON *of, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(of, key);

	assert_true(cJSON_IsNumber(v));
	return v->valuedouble;
}

/* What the report on the recording says of the one load, and when it ended. */
static double replayed_ms(const char **ret_ended)
{
	static char ended[64];
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf text = {0};
	const cJSON *row;
	cJSON *report;
	double ms;

	assert_int_equal(config_new(&c), 0);
	c->mode = CONFIG_REPLAY;
	c->format = EXPORT_JSON;
	c->replay = strdup(RECORDING);
	c->output = strdup(REPORT);
	assert_int_equal(observe_replay(c), 0);
	assert_int_equal(fdio_read_file(AT_FDCWD, REPORT, 1 << 20, &text), 0);
	report = cJSON_Parse(buf_str(&text));
	assert_non_null(report);
	row = cJSON_GetArrayItem(cJSON_GetObjectItem(report, "processes"), 0);
	assert_int_equal(number(row, "pid"), PID);
	row = cJSON_GetArrayItem(cJSON_GetObjectItem(row, "modules"), 0);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(row, "name")), "slow");
	ms = number(row, "total_ms");
	(void)snprintf(ended, sizeof(ended), "%s",
		       cJSON_GetStringValue(cJSON_GetObjectItem(report, "ended")));
	*ret_ended = ended;
	cJSON_Delete(report);
	assert_int_equal(unlink(REPORT), 0);
	assert_int_equal(unlink(RECORDING), 0);
	return ms;
}

static void test_open_loads_last_until_the_end(void **state _unused_)
{
	const char *ended;

	record(ENDED, MS(700));
	assert_int_equal(replayed_ms(&ended), 600);
	assert_string_equal(ended, "1970-01-01T00:00:00.700Z");
}

/* Before the end record had an instant of its own, it had the latest time in the stream. */
static void test_older_recordings(void **state _unused_)
{
	const char *ended;

	record(OLD_LMMSD, 0);
	assert_int_equal(replayed_ms(&ended), 800);
	assert_string_equal(ended, "1970-01-01T00:00:00.900Z");
}

static void test_cut_recordings(void **state _unused_)
{
	const char *ended;

	record(CUT, 0);
	assert_int_equal(replayed_ms(&ended), 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_loads_last_until_the_end),
		cmocka_unit_test(test_older_recordings),
		cmocka_unit_test(test_cut_recordings),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

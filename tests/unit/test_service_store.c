/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/service_runs: what is said of a store that does not keep up, once when it begins and once when it is over. */
// wrap: store_writer_stats session_lost log_line
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/service_int.h"
#include "base/log.h"

static struct store_stats stats;
static unsigned int errors, warnings, infos;
static char last[512];

void __wrap_store_writer_stats(struct store_writer *w, struct store_stats *ret);
void __wrap_store_writer_stats(struct store_writer *w _unused_, struct store_stats *ret)
{
	*ret = stats;
}

void __wrap_session_lost(struct session *session, uint64_t lost[LMMSD_LOST_MAX]);
void __wrap_session_lost(struct session *session _unused_, uint64_t lost[LMMSD_LOST_MAX] _unused_)
{
}

void __wrap_log_line(enum log_level level, const char *format, ...) _printf_(2, 3);
void __wrap_log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(last, sizeof(last), format, args);
	va_end(args);
	errors += level == LOG_LEVEL_ERROR;
	warnings += level == LOG_LEVEL_WARNING;
	infos += level == LOG_LEVEL_INFO;
}

static char db[] = "/lmmsd.db";
static const struct config config = {.db = db};
static struct service s;

static int begin(void **state _unused_)
{
	s = (struct service){.config = &config};
	stats = (struct store_stats){0};
	errors = warnings = infos = 0;
	*last = 0;
	return 0;
}

static void expect_said(unsigned int want_errors, unsigned int want_infos)
{
	service_watch_store(&s);
	assert_int_equal(errors, want_errors);
	assert_int_equal(infos, want_infos);
}

static void test_quiet(void **state _unused_)
{
	stats = (struct store_stats){.committed = 5, .queued = 3};
	expect_said(0, 0);
	expect_said(0, 0);
}

/* The queue is full for a while, then it moves again. */
static void test_blocked(void **state _unused_)
{
	stats = (struct store_stats){.lost[LMMSD_LOST_STORE_FULL] = 4, .dropped = 4, .queued = 100};
	expect_said(1, 0);
	assert_non_null(strstr(last, db));
	stats.lost[LMMSD_LOST_STORE_FULL] = 9;
	stats.dropped = 9;
	expect_said(1, 0);
	expect_said(1, 0);
	stats.committed = 50;
	stats.queued = 50;
	expect_said(1, 1);
	assert_non_null(strstr(last, "9 runs were dropped"));
	expect_said(1, 1);
}

/* Between two looks the last ones were dropped and all that waited was written: nothing will be written soon. */
static void test_blocked_and_over(void **state _unused_)
{
	stats = (struct store_stats){.lost[LMMSD_LOST_STORE_FULL] = 4, .dropped = 4, .queued = 100};
	expect_said(1, 0);
	stats = (struct store_stats){
		.lost[LMMSD_LOST_STORE_FULL] = 9, .dropped = 9, .committed = 100};
	expect_said(1, 0);
	expect_said(1, 1);
}

/* A run that no database would take is counted under its own reason: the disk is well. */
static void test_bad_run(void **state _unused_)
{
	uint64_t lost[LMMSD_LOST_MAX] = {0};

	stats = (struct store_stats){.lost[LMMSD_LOST_BAD_RECORD] = 1, .dropped = 1};
	expect_said(0, 0);
	s.session = (struct session *)&s;
	s.writer = (struct store_writer *)&s;
	service_lost(&s, lost);
	assert_int_equal(lost[LMMSD_LOST_BAD_RECORD], 1);
	assert_int_equal(lost[LMMSD_LOST_STORE_FULL], 0);
}

static void test_error(void **state _unused_)
{
	stats = (struct store_stats){.last_error = -ENOSPC, .queued = 2};
	expect_said(1, 0);
	assert_non_null(strstr(last, strerror(ENOSPC)));
	stats.lost[LMMSD_LOST_STORE_FULL] = 1;
	expect_said(1, 0);
	stats = (struct store_stats){.lost[LMMSD_LOST_STORE_FULL] = 1, .committed = 2};
	expect_said(1, 1);
}

/* Said once for each that was kept, also when the disk is well before and after. */
static void test_damaged_while_in_use(void **state _unused_)
{
	stats = (struct store_stats){.moved_aside = "/lmmsd.db.corrupt-1"};
	expect_said(1, 0);
	assert_non_null(strstr(last, "'/lmmsd.db' was damaged"));
	assert_non_null(strstr(last, "/lmmsd.db.corrupt-1"));
	expect_said(1, 0);
	stats = (struct store_stats){.moved_aside = "/lmmsd.db.corrupt-2"};
	expect_said(2, 0);
	assert_non_null(strstr(last, "/lmmsd.db.corrupt-2"));
	expect_said(2, 0);
}

static void test_full_of_names(void **state _unused_)
{
	stats = (struct store_stats){.over_files = 3};
	expect_said(0, 0);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last, "no room for further files"));
	stats.over_names = 1;
	expect_said(1, 0);
	assert_non_null(strstr(last, "'_other'"));
	stats.over_files = 9;
	stats.over_names = 9;
	expect_said(1, 0);
	assert_int_equal(warnings, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_quiet, begin),
		cmocka_unit_test_setup(test_blocked, begin),
		cmocka_unit_test_setup(test_blocked_and_over, begin),
		cmocka_unit_test_setup(test_bad_run, begin),
		cmocka_unit_test_setup(test_error, begin),
		cmocka_unit_test_setup(test_damaged_while_in_use, begin),
		cmocka_unit_test_setup(test_full_of_names, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

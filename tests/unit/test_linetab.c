/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* decode/linetab: the line of every instruction, as the CPythons themselves say it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode/linetab.h"
#include "linetab_cases.h"

/* 0 when there is none; any other error fails. The table is copied so that a sanitizer sees its end. */
static int32_t line_at(const struct linetab_case *c, size_t len, bool cut, int32_t instr)
{
	uint8_t *copy = malloc(len ? len : 1);
	int32_t line = -1;
	int r;

	assert_non_null(copy);
	memcpy(copy, c->table, len);
	r = linetab_line(c->version, c->first, copy, len, cut, instr, &line);
	free(copy);
	if (r == -ENODATA) {
		assert_int_equal(line, -1);
		return 0;
	}
	if (r < 0)
		fail_msg("%s at %d: %s", c->name, (int)instr, strerror(-r));
	assert_true(line > 0);
	return line;
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct linetab_case *c = &cases[i];
		int32_t at = 0;

		for (size_t k = 0; k < c->n_runs; k++) {
			for (; at < c->runs[k].end; at += 2) {
				int32_t line = line_at(c, c->len, false, at);

				if (line != c->runs[k].line)
					fail_msg("%s at %d: line %d, not %d", c->name, (int)at,
						 (int)line, (int)c->runs[k].line);
			}
		}
		if (c->version >= 0x030a0000)
			assert_int_equal(line_at(c, c->len, false, at), 0);
	}
}

/* With the head of a table there is the right line or none. */
static void test_cut(void **state)
{
	size_t known = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct linetab_case *c = &cases[i];

		for (size_t len = 0; len < c->len; len++) {
			int32_t at = 0;

			for (size_t k = 0; k < c->n_runs; at = c->runs[k++].end) {
				int32_t line = line_at(c, len, true, at);

				assert_true(line == 0 || line == c->runs[k].line);
				known += line != 0;
			}
		}
	}
	assert_true(known > 1000);
}

static void check(uint32_t version, const char *table, size_t len, int32_t instr, int want)
{
	int32_t line = -7;

	assert_int_equal(linetab_line(version, 1, (const uint8_t *)table, len, false, instr, &line),
			 want);
	if (want < 0)
		assert_int_equal(line, -7);
}

static void test_hostile(void **state)
{
	int32_t line = -7;

	(void)state;
	check(0x02070000, "\0\1", 2, 0, -ENOTSUP);
	check(0x03050000, "\0\1", 2, 0, -ENOTSUP);
	check(0x03100000, "\0\1", 2, 0, -ENOTSUP);
	check(0x030b0000, "\xf8\1", 2, -2, -ENODATA);
	check(0x030b0000, "", 0, 0, -ENODATA);
	check(0x030a0000, "\2\1\2", 3, 2, -ENODATA); /* half a pair */
	check(0x030a0000, "\2\x9c", 2, 0, -EBADMSG); /* line -99 */
	check(0x03090000, "\0\x9c", 2, 0, -EBADMSG);
	check(0x030b0000, "\x01\1", 2, 0, -EBADMSG);   /* no entry begins like this */
	check(0x030b0000, "\xe8", 1, 0, -ENODATA);     /* the delta is missing */
	check(0x030b0000, "\xe8\xff", 2, 0, -EBADMSG); /* no varint */
	check(0x030b0000, "\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", 9, 0, -EBADMSG); /* endless */
	check(0x030b0000, "\xe8\x7e\x7f\x7f\x7f\x7f\x03", 7, 0, -EBADMSG); /* beyond an int */
	assert_int_equal(linetab_line(0x030b0000, INT32_MIN, (const uint8_t *)"\xe8\x01", 2, false,
				      0, &line),
			 -EBADMSG);
	assert_int_equal(linetab_line(0x03090000, 5, NULL, 0, false, 100, &line), 0);
	assert_int_equal(line, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* decode/: module bodies, and the records that name only the number of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode/bodies.h"
#include "decode/decode.h"
#include "recbuild.h"
#include "unit/decoding.h"

static void test_body(void **state)
{
	struct lmmsd_ev_body fixed = {.sp = 1, .interp = 2, .name_len = 1, .body_file_len = 2};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	fixed.where.importer_len = 3;
	rec_begin(&r, LMMSD_EV_BODY_START, &fixed, sizeof(fixed));
	rec_add(&r, "abbccc", 6);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.load.name, "a");
	assert_string_equal(ev.load.body_file, "bb");
	assert_string_equal(ev.load.where.importer, "ccc");
	decoder_free(d);
}

static const struct lmmsd_ev_load numbered_load = {.interp = 3,
						   .name_len = 1,
						   .where = {.frame = 1,
							     .code = 2,
							     .flags = LMMSD_WHERE_BODY |
								      LMMSD_WHERE_STMT,
							     .firstlineno = 5,
							     .instr = 4}};

static void check_numbered_load(struct decoder *d, const char *importer, int line)
{
	struct rec r;
	struct ev ev;

	rec_begin(&r, LMMSD_EV_LOAD_START, &numbered_load, sizeof(numbered_load));
	rec_add(&r, "x", 1);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.load.name, "x");
	assert_string_equal(ev.load.where.importer, importer);
	assert_int_equal(ev.load.where.line, line);
	assert_int_equal(!!(ev.load.where.flags & LMMSD_WHERE_FRAME), *importer != '\0');
}

/* A body's own record, and those that name only its number. */
static void test_numbered_body(void **state)
{
	struct lmmsd_ev_interp in = {.interp = 3, .version = 0x030a00f0};
	struct lmmsd_ev_enter enter = {
		.b = {.sp = 9, .interp = 3, .name_len = 3, .body_file_len = 4},
		.body = 5,
		.firstlineno = 20,
		.body_linetab_len = 4};
	struct lmmsd_ev_use_at use = {
		.interp = 3, .body = 5, .instr = 4, .level = 1, .name_len = 1, .package_len = 2};
	struct lmmsd_ev_leave leave = {.d = {.sp = 9, .interp = 3, .found = 1}, .body = 5};
	struct lmmsd_ev_exit end = {.status = 0};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	rec_begin(&r, LMMSD_EV_INTERP, &in, sizeof(in));
	assert_int_equal(decode(d, &r, &ev), 0);
	for (int round = 0; round < 2; round++) {
		rec_begin(&r, LMMSD_EV_BODY_ENTER, &enter, sizeof(enter));
		rec_add(&r, "modm.py\2\1\4\2", 11);
		assert_int_equal(decode(d, &r, &ev), 0);
		assert_int_equal(ev.kind, LMMSD_EV_BODY_START);
		assert_string_equal(ev.load.name, "mod");
		assert_string_equal(ev.load.body_file, "m.py");
		rec_begin(&r, LMMSD_EV_USE_AT, &use, sizeof(use));
		rec_add(&r, "xpk", 3);
		assert_int_equal(decode(d, &r, &ev), 0);
		assert_int_equal(ev.kind, LMMSD_EV_USE);
		assert_false(ev.use.keyed);
		assert_string_equal(ev.use.name, "x");
		assert_string_equal(ev.use.package, "pk");
		assert_string_equal(ev.use.where.importer, "mod");
		assert_string_equal(ev.use.where.file, "m.py");
		assert_int_equal(ev.use.where.line, 23);
		assert_int_equal(ev.use.key.level, 1);
		check_numbered_load(d, "mod", 23);
		assert_int_equal(decoder_body_unknown(d), round);
		/* its end, or the end of its process */
		if (round == 0)
			rec_begin(&r, LMMSD_EV_BODY_LEAVE, &leave, sizeof(leave));
		else
			rec_begin(&r, LMMSD_EV_EXIT, &end, sizeof(end));
		assert_int_equal(decode(d, &r, &ev), 0);
		assert_int_equal(ev.kind, round == 0 ? LMMSD_EV_BODY_DONE : LMMSD_EV_EXIT);
		check_numbered_load(d, "", 0);
		assert_int_equal(decoder_body_unknown(d), round + 1);
	}
	decoder_free(d);
}

/* However many a stream begins, a bounded number is kept: the processes that were heard of first lose theirs. */
static void test_bodies_are_bounded(void **state)
{
	struct body_text text = {.name = "m", .file = "f", .linetab = NULL};
	struct bodies *b;

	(void)state;
	assert_int_equal(bodies_new(&b), 0);
	for (uint32_t i = 0; i < BODIES_MAX + 10; i++) {
		struct body_key key = {.start_ns = 1, .tgid = i, .tid = i, .number = 1};

		assert_int_equal(bodies_enter(b, &key, &text), 0);
		assert_non_null(bodies_find(b, &key));
	}
	assert_int_equal(bodies_count(b), BODIES_MAX);
	assert_null(bodies_find(b, &(struct body_key){.start_ns = 1, .number = 1}));
	assert_non_null(bodies_find(
		b, &(struct body_key){.start_ns = 1, .tgid = 10, .tid = 10, .number = 1}));
	(void)bodies_free(b);
	assert_null(bodies_free(NULL));
}

enum { THREADS = 40, DEEP = 40 }; /* more than a small table holds */

static struct body_key key_of(uint32_t tgid, uint32_t tid, uint32_t number)
{
	return (struct body_key){.start_ns = 7, .tgid = tgid, .tid = tid, .number = number};
}

static void enter(struct bodies *b, struct body_key key, int32_t line)
{
	struct body_text text = {
		.name = "mod", .file = "m.py", .linetab = NULL, .firstlineno = line};

	assert_int_equal(bodies_enter(b, &key, &text), 0);
}

static int32_t line_of(const struct bodies *b, struct body_key key)
{
	const struct body_text *t = bodies_find(b, &key);

	return t ? t->firstlineno : -1;
}

/* Deep imports of many threads of two processes: each body is its own until it leaves, in any order. */
static void test_many_bodies(void **state)
{
	struct bodies *b;

	(void)state;
	assert_int_equal(bodies_new(&b), 0);
	for (uint32_t tgid = 1; tgid <= 2; tgid++)
		for (uint32_t i = 0; i < THREADS * DEEP; i++)
			enter(b, key_of(tgid, i / DEEP, i % DEEP), (int32_t)(tgid * 10000 + i));
	enter(b, key_of(1, 3, 4), 5); /* a number that is used again, its end having been lost */
	assert_int_equal(bodies_count(b), 2 * THREADS * DEEP);
	assert_int_equal(line_of(b, key_of(1, 3, 4)), 5);
	for (uint32_t i = 0; i < THREADS * DEEP; i += 2) {
		/* every other one, from the last one on, and each twice */
		uint32_t n = THREADS * DEEP - 1 - i;
		struct body_key key = key_of(1, n / DEEP, n % DEEP);

		bodies_leave(b, &key);
		bodies_leave(b, &key);
		assert_int_equal(line_of(b, key), -1);
		key.tgid = 2;
		assert_int_equal(line_of(b, key), 20000 + n);
	}
	assert_int_equal(bodies_count(b), THREADS * DEEP * 3 / 2);
	assert_int_equal(line_of(b, key_of(1, 1, 0)), 10000 + DEEP);
	bodies_exit(b, 1, 8); /* another one with this number */
	assert_int_equal(bodies_count(b), THREADS * DEEP * 3 / 2);
	bodies_exit(b, 1, 7);
	bodies_exit(b, 1, 7);
	assert_int_equal(bodies_count(b), THREADS * DEEP);
	for (uint32_t i = 0; i < THREADS * DEEP; i++) {
		struct body_key key = key_of(2, i / DEEP, i % DEEP);

		bodies_leave(b, &key);
	}
	assert_int_equal(bodies_count(b), 0);
	enter(b, key_of(2, 1, 1), 6);
	assert_int_equal(line_of(b, key_of(2, 1, 1)), 6);
	(void)bodies_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_numbered_body),
		cmocka_unit_test(test_bodies_are_bounded),
		cmocka_unit_test(test_many_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/pyoff: the offset tables, and their check against a table of debug offsets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "probe/pyoff.h"

#define FINAL(minor, micro) (3U << 24 | (uint32_t)(minor) << 16 | (micro) << 8 | 0xf0)

static void test_every_version(void **state _unused_)
{
	for (uint32_t minor = 6; minor <= 15; minor++) {
		struct lmmsd_interp off = {0};

		assert_int_equal(pyoff_fill(FINAL(minor, 3), &off), 0);
		assert_int_equal(off.version, FINAL(minor, 3));
		assert_int_equal(off.ts_mode, minor <= 11 ? LMMSD_TS_VAR : LMMSD_TS_GIL);
		assert_int_equal(off.dict_mode, minor <= 10 ? LMMSD_DICT_OLD : LMMSD_DICT_NEW);
		assert_int_equal(off.fr_owner == LMMSD_OFF_NONE, minor <= 10);
		assert_int_equal(off.ts_status == LMMSD_OFF_NONE, minor <= 11);
		assert_int_equal(off.ts_cframe == LMMSD_OFF_NONE, minor != 11 && minor != 12);
		assert_int_equal(off.runtime_va, 0);
		assert_int_equal(off.tstate_va, 0);
		/* no field was forgotten in a row: these are never 0 */
		assert_true(off.ts_thread_id && off.ts_frame && off.fr_instr && off.fr_globals);
		assert_true(off.co_flags && off.co_firstlineno && off.co_filename && off.co_name);
		assert_true(off.co_linetable && off.co_code && off.op_import_name && off.mod_name);
		assert_true(off.str_ascii_data < off.str_compact_data && off.tuple_item >= 24);
	}
}

static void test_single_values(void **state _unused_)
{
	struct lmmsd_interp off;

	assert_int_equal(pyoff_fill(FINAL(6, 15), &off), 0);
	assert_int_equal(off.instr_mode, LMMSD_INSTR_BYTES);
	assert_int_equal(off.rt_interp_head, LMMSD_OFF_NONE);
	assert_int_equal(off.fr_instr, 120);
	assert_int_equal(off.co_code, 40);
	assert_int_equal(pyoff_fill(FINAL(10, 0), &off), 0);
	assert_int_equal(off.instr_mode, LMMSD_INSTR_UNITS);
	assert_int_equal(off.fr_instr, 96);
	assert_int_equal(pyoff_fill(FINAL(11, 2), &off), 0);
	assert_int_equal(off.instr_mode, LMMSD_INSTR_PTR);
	assert_int_equal(off.ts_cframe, 8);
	assert_int_equal(off.fr_previous, 48);
	assert_int_equal(pyoff_fill(FINAL(12, 1), &off), 0);
	assert_int_equal(off.ts_cframe, 0);
	assert_int_equal(off.interp_gil, 384);
	assert_int_equal(off.str_ascii_data, 40);
	assert_int_equal(pyoff_fill(FINAL(15, 2), &off), 0);
	assert_int_equal(off.rt_interp_head, 936);
	assert_int_equal(off.ts_thread_id, 176);
	assert_int_equal(off.tuple_item, 32);
	assert_int_equal(off.mod_name, 40);
	assert_int_equal(off.op_import_name, 72);
	assert_int_equal(off.owner_generator_max, 2);
}

static void test_unknown_versions(void **state _unused_)
{
	static const uint32_t versions[] = {
		0,	     UINT32_MAX,    FINAL(5, 9),       FINAL(16, 0),
		FINAL(0, 0), FINAL(255, 0), 0x02071200 | 0xf0, 0x040600f0,
	};
	struct lmmsd_interp off = {.version = 7};

	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		assert_int_equal(pyoff_fill(versions[i], &off), -ENOTSUP);
	assert_int_equal(off.version, 7); /* untouched */
	/* layouts change until the first release candidate */
	assert_int_equal(pyoff_fill(0x030d00a1, &off), -ENOTSUP);
	assert_int_equal(pyoff_fill(0x030d00b4, &off), -ENOTSUP);
	assert_int_equal(pyoff_fill(0x030d00c1, &off), 0);
}

/* Debug offsets as 3.13, 3.14 and 3.15 have them in the file: {where, value} */
struct entry {
	uint16_t at, value;
};
static const struct entry table13[] = {
	{88, 7656}, {40, 632},	{64, 7264}, {72, 7344}, {112, 16},  {168, 8},
	{184, 72},  {192, 152}, {232, 8},   {240, 0},	{248, 56},  {264, 70},
	{280, 112}, {288, 120}, {304, 136}, {312, 68},	{344, 200}, {360, 8},
	{408, 24},  {456, 32},	{544, 32},  {552, 16},	{560, 40},
};
static const struct entry table14[] = {
	{96, 7688}, {40, 808},	{64, 7272}, {72, 7344}, {120, 16},  {192, 8},
	{208, 72},  {216, 152}, {256, 8},   {264, 0},	{272, 56},  {288, 74},
	{320, 112}, {328, 120}, {344, 136}, {352, 68},	{384, 208}, {408, 8},
	{456, 32},  {536, 32},	{624, 32},  {632, 16},	{640, 40},
};
static const struct entry table15[] = {
	{96, 7592}, {40, 936},	{64, 7264}, {72, 7336}, {120, 16},  {192, 8},
	{208, 72},  {240, 176}, {320, 8},   {328, 0},	{336, 56},  {352, 74},
	{384, 112}, {392, 120}, {408, 136}, {416, 68},	{448, 208}, {472, 8},
	{552, 32},  {632, 32},	{720, 32},  {728, 16},	{736, 40},
};
static const struct entry *const tables[] = {table13, table14, table15};
#define ENTRIES ARRAY_LEN(table13)
#define SIZE 888

static void put(uint8_t *table, size_t at, uint64_t value)
{
	memcpy(table + at, &value, sizeof(value));
}

static void make_table(unsigned int minor, uint8_t *table)
{
	memset(table, 0, SIZE);
	memcpy(table, "xdebugpy", 8);
	put(table, 8, FINAL(minor, 1));
	for (size_t i = 0; i < ENTRIES; i++)
		put(table, tables[minor - 13][i].at, tables[minor - 13][i].value);
}

static void test_check(void **state _unused_)
{
	for (unsigned int minor = 13; minor <= 15; minor++) {
		struct lmmsd_interp off;
		const char *field = NULL;
		uint8_t table[SIZE];
		uint64_t last = tables[minor - 13][ENTRIES - 1].at + 8;

		assert_int_equal(pyoff_fill(FINAL(minor, 1), &off), 0);
		make_table(minor, table);
		assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, SIZE, &field), 0);
		assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, last, &field), 0);
		assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, last - 1, &field),
				 -EBADMSG);
		assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, 0, &field), -EBADMSG);
		assert_int_equal(pyoff_check(&off, FINAL(minor, 2), table, SIZE, &field), -ESTALE);
		assert_null(field);
		/* each single difference is seen */
		for (size_t i = 0; i < ENTRIES; i++) {
			put(table, tables[minor - 13][i].at, 9999);
			field = NULL;
			assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, SIZE, &field),
					 -EPROTO);
			assert_non_null(field);
			put(table, tables[minor - 13][i].at,
			    tables[minor - 13][i].value + (1ULL << 32));
			assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, SIZE, &field),
					 -EPROTO);
			put(table, tables[minor - 13][i].at, tables[minor - 13][i].value);
		}
		put(table, 16, 1);
		assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, SIZE, &field), -ENOTSUP);
		table[0] = 'X';
		assert_int_equal(pyoff_check(&off, FINAL(minor, 1), table, SIZE, &field), -EBADMSG);
	}
}

static void test_check_names_the_field(void **state _unused_)
{
	struct lmmsd_interp off;
	const char *field = NULL;
	uint8_t table[SIZE];

	assert_int_equal(pyoff_fill(FINAL(14, 1), &off), 0);
	make_table(14, table);
	put(table, 288, 70);
	assert_int_equal(pyoff_check(&off, FINAL(14, 1), table, SIZE, &field), -EPROTO);
	assert_string_equal(field, "fr_owner");
	/* nothing to check against before 3.13 */
	assert_int_equal(pyoff_check(&off, FINAL(12, 1), table, SIZE, &field), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_version),	      cmocka_unit_test(test_single_values),
		cmocka_unit_test(test_unknown_versions),      cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_names_the_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

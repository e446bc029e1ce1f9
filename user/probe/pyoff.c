/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Offsets by minor version, release builds with a GIL, 64 bits. Taken from the DWARF of 3.6.15, 3.7.16, 3.8.18, 3.9.2,
 * 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0, 3.13.18, 3.14.10 and 3.15.2 on x86-64; 3.13 to 3.15 on arm64 say the
 * same in their debug offsets. What differs by machine, _PyRuntime.gilstate, is not here: see target_tstate.c.
 * Structures: Include/internal/pycore_runtime.h, pycore_interp.h, pycore_frame.h, Include/cpython/pystate.h, code.h,
 * unicodeobject.h, Objects/moduleobject.c of each version.
 */
#include "probe/pyoff.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define NONE LMMSD_OFF_NONE
#define MINOR_FIRST 6
#define MINOR_LAST 15
#define RELEASE_CANDIDATE 0xc /* level nibble of PY_VERSION_HEX: layouts are frozen from here on */

struct row {
	uint16_t rt_interp_head, interp_next, interp_threads, interp_gil, gil_holder;
	uint16_t ts_thread_id, ts_status, ts_frame, ts_cframe;
	uint16_t fr_previous, fr_code, fr_globals, fr_instr, fr_owner;
	uint16_t co_flags, co_firstlineno, co_filename, co_name, co_linetable, co_code;
	uint16_t str_ascii_data, str_compact_data, tuple_item, mod_name;
	uint8_t op_import_name;
};

static const struct row rows[] = {
	/* 3.6: no _PyRuntime; interp_head is a static variable of Python/pystate.c */
	[6] = {NONE, 0,	 8,  NONE, NONE, 152, NONE, 24, NONE, 24, 32, 48, 120,
	       NONE, 32, 36, 96,   104,	 112, 40,   48, 72,   24, 48, 108},
	[7] = {24,   0,	 8,  NONE, NONE, 176, NONE, 24, NONE, 24, 32, 48, 104,
	       NONE, 32, 36, 96,   104,	 112, 40,   48, 72,   24, 48, 108},
	[8] = {32,   0,	 8,  NONE, NONE, 176, NONE, 24, NONE, 24, 32, 48, 104,
	       NONE, 36, 40, 104,  112,	 120, 48,   48, 72,   24, 48, 108},
	[9] = {32,   0,	 8,  NONE, NONE, 176, NONE, 24, NONE, 24, 32, 48, 104,
	       NONE, 36, 40, 104,  112,	 120, 48,   48, 72,   24, 48, 108},
	[10] = {32,   0,  8,  NONE, NONE, 176, NONE, 24, NONE, 24, 32, 48, 96,
		NONE, 36, 40, 104,  112,  120, 48,   48, 72,   24, 48, 108},
	[11] = {40, 0,	16, NONE, NONE, 152, NONE, 56, 8,  48, 32, 8,  56,
		69, 48, 72, 112,  120,	136, 184,  48, 72, 24, 48, 108},
	[12] = {40, 0,	72, 384, 8,   136, 24,	56, 0,	8,  0,	24, 56,
		70, 48, 68, 112, 120, 136, 192, 40, 56, 24, 48, 108},
	[13] = {632, 7264, 7344, 16,  8,   152, 32,  72, NONE, 8,  0,  24, 56,
		70,  48,   68,	 112, 120, 136, 200, 40, 56,   24, 48, 75},
	[14] = {808, 7272, 7344, 16,  8,   152, 32,  72, NONE, 8,  0,  24, 56,
		74,  48,   68,	 112, 120, 136, 208, 40, 56,   32, 48, 73},
	[15] = {936, 7264, 7336, 16,  8,   176, 32,  72, NONE, 8,  0,  24, 56,
		74,  48,   68,	 112, 120, 136, 208, 40, 56,   32, 40, 72},
};

/* PyInterpreterState.modules; from 3.12 on imports.modules */
static const uint16_t interp_modules[] = {
	[6] = 16,   [7] = 40,	[8] = 56,    [9] = 856,	  [10] = 856,
	[11] = 888, [12] = 944, [13] = 7656, [14] = 7688, [15] = 7592,
};

static void fill_modes(unsigned int minor, struct lmmsd_interp *ret)
{
	ret->interp_modules = interp_modules[minor];
	ret->ts_interp = 16;
	ret->ts_mode = minor <= 11 ? LMMSD_TS_VAR : LMMSD_TS_GIL;
	ret->instr_mode = minor <= 9  ? LMMSD_INSTR_BYTES :
			  minor == 10 ? LMMSD_INSTR_UNITS :
					LMMSD_INSTR_PTR;
	ret->dict_mode = minor <= 10 ? LMMSD_DICT_OLD : LMMSD_DICT_NEW;
	/* FRAME_OWNED_BY_THREAD, _GENERATOR, _FRAME_OBJECT are 0 to 2 since 3.11; 3 and 4 are shims. */
	ret->owner_generator_max = minor >= 11 ? 2 : 0;
}

/* The same in every version. */
static void fill_objects(struct lmmsd_interp *ret)
{
	ret->ts_next = 8;
	ret->ob_type = 8;
	ret->ob_size = 16;
	ret->bytes_data = 32;
	ret->type_flags = 168;
	ret->str_length = 16;
	ret->str_hash = 24;
	ret->str_state = 32;
	ret->str_kind_shift = 2;
	ret->str_compact_shift = 5;
	ret->str_ascii_shift = 6;
	ret->dict_used = 16;
	ret->dict_keys = 32;
	ret->dict_values = 40;
	ret->mod_dict = 16;
}

int pyoff_fill(uint32_t version, struct lmmsd_interp *ret)
{
	unsigned int minor = version >> 16 & 0xff;
	unsigned int level = version >> 4 & 0xf;

	if (version >> 24 != 3 || minor < MINOR_FIRST || minor > MINOR_LAST)
		return -ENOTSUP;
	if (level < RELEASE_CANDIDATE)
		return -ENOTSUP;

	const struct row *row = &rows[minor];
	struct lmmsd_interp off = {
		.version = version,
		.op_import_name = row->op_import_name,
		.rt_interp_head = row->rt_interp_head,
		.interp_next = row->interp_next,
		.interp_threads = row->interp_threads,
		.interp_gil = row->interp_gil,
		.gil_holder = row->gil_holder,
		.ts_thread_id = row->ts_thread_id,
		.ts_status = row->ts_status,
		.ts_frame = row->ts_frame,
		.ts_cframe = row->ts_cframe,
		.fr_previous = row->fr_previous,
		.fr_code = row->fr_code,
		.fr_globals = row->fr_globals,
		.fr_instr = row->fr_instr,
		.fr_owner = row->fr_owner,
		.co_flags = row->co_flags,
		.co_firstlineno = row->co_firstlineno,
		.co_filename = row->co_filename,
		.co_name = row->co_name,
		.co_linetable = row->co_linetable,
		.co_code = row->co_code,
		.str_ascii_data = row->str_ascii_data,
		.str_compact_data = row->str_compact_data,
		.tuple_item = row->tuple_item,
		.mod_name = row->mod_name,
	};

	fill_modes(minor, &off);
	fill_objects(&off);
	*ret = off;
	return 0;
}

/* Where _Py_DebugOffsets (Include/internal/pycore_debug_offsets.h) says it, for 3.13, 3.14, 3.15. */
struct check {
	const char *name;
	size_t field; /* in struct lmmsd_interp */
	uint16_t at[3];
};
#define CHECK(f, a, b, c)                                                                          \
	{                                                                                          \
#f, offsetof(struct lmmsd_interp, f),                                              \
		{                                                                                  \
			a, b, c                                                                    \
		}                                                                                  \
	}
static const struct check checks[] = {
	CHECK(rt_interp_head, 40, 40, 40),    CHECK(interp_next, 64, 64, 64),
	CHECK(interp_modules, 88, 96, 96),    CHECK(interp_threads, 72, 72, 72),
	CHECK(interp_gil, 112, 120, 120),     CHECK(ts_next, 168, 192, 192),
	CHECK(ts_frame, 184, 208, 208),	      CHECK(ts_thread_id, 192, 216, 240),
	CHECK(fr_previous, 232, 256, 320),    CHECK(fr_code, 240, 264, 328),
	CHECK(fr_instr, 248, 272, 336),	      CHECK(fr_owner, 264, 288, 352),
	CHECK(co_filename, 280, 320, 384),    CHECK(co_name, 288, 328, 392),
	CHECK(co_linetable, 304, 344, 408),   CHECK(co_firstlineno, 312, 352, 416),
	CHECK(co_code, 344, 384, 448),	      CHECK(ob_type, 360, 408, 472),
	CHECK(tuple_item, 408, 456, 552),     CHECK(dict_keys, 456, 536, 632),
	CHECK(str_state, 544, 624, 720),      CHECK(str_length, 552, 632, 728),
	CHECK(str_ascii_data, 560, 640, 736),
};

static uint64_t word(const uint8_t *table, size_t at)
{
	uint64_t v;

	memcpy(&v, table + at, sizeof(v));
	return v;
}

int pyoff_check(const struct lmmsd_interp *off, uint32_t version, const uint8_t *table,
		uint64_t size, const char **ret_field)
{
	unsigned int minor = version >> 16 & 0xff;

	if (minor < 13 || minor > MINOR_LAST)
		return -EBADMSG;
	if (size < 24 || memcmp(table, "xdebugpy", 8) != 0)
		return -EBADMSG;
	if (word(table, 8) != version)
		return -ESTALE;
	if (word(table, 16) != 0)
		return -ENOTSUP;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		size_t at = checks[i].at[minor - 13];
		uint16_t ours;

		if (at + 8 > size)
			return -EBADMSG;
		memcpy(&ours, (const uint8_t *)off + checks[i].field, sizeof(ours));
		if (word(table, at) != ours) {
			*ret_field = checks[i].name;
			return -EPROTO;
		}
	}
	return 0;
}

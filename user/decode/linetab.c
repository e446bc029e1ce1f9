/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "decode/linetab.h"

#include <errno.h>

#define VERSION(minor) (0x03000000u | (uint32_t)(minor) << 16)

/* Lines are hostile: sums wrap as unsigned numbers and are looked at when they are used. */
static int give(uint32_t line, int32_t *ret_line)
{
	if (line == 0)
		return -ENODATA; /* what comes before a module's first statement */
	if (line > INT32_MAX)
		return -EBADMSG;
	*ret_line = (int32_t)line;
	return 0;
}

/* Pairs (bytes of code, signed lines). The last line holds to the code's end, of which the table says nothing. */
static int lnotab_line(uint32_t line, const uint8_t *p, size_t len, bool cut, int32_t instr,
		       int32_t *ret_line)
{
	uint32_t addr = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		addr += p[i];
		if (addr > (uint32_t)instr)
			return give(line, ret_line);
		line += (uint32_t)(int8_t)p[i + 1];
	}
	return cut ? -ENODATA : give(line, ret_line);
}

/* Pairs (bytes of code, signed lines or -128: none); each says the line of the bytes that it counts. */
static int pep626_line(uint32_t line, const uint8_t *p, size_t len, int32_t instr,
		       int32_t *ret_line)
{
	uint32_t end = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		bool none = (int8_t)p[i + 1] == -128;

		if (!none)
			line += (uint32_t)(int8_t)p[i + 1];
		end += p[i];
		if ((uint32_t)instr < end)
			return none ? -ENODATA : give(line, ret_line);
	}
	return -ENODATA;
}

/* Six bits a byte, low ones first; bit 6: more follow. */
static int varint(const uint8_t *p, size_t len, size_t *pos, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned int shift = 0; shift < 32; shift += 6) {
		uint8_t byte;

		if (*pos >= len)
			return -ENODATA;
		byte = p[(*pos)++];
		if (byte & 0x80)
			return -EBADMSG;
		value |= (uint32_t)(byte & 0x3f) << shift;
		if (!(byte & 0x40)) {
			*ret = value;
			return 0;
		}
	}
	return -EBADMSG;
}

enum { LOC_SHORT_LAST = 9, LOC_ONE_LINE = 10, LOC_NO_COLUMNS = 13, LOC_LONG = 14, LOC_NONE = 15 };

/* The lines that an entry's own bytes add; columns are stepped over. */
static int location_delta(unsigned int code, const uint8_t *p, size_t len, size_t *pos,
			  uint32_t *ret_delta)
{
	uint32_t value, skip;
	int r;

	*ret_delta = 0;
	if (code == LOC_NONE)
		return 0;
	if (code <= LOC_SHORT_LAST) {
		*pos += 1;
		return 0;
	}
	if (code < LOC_NO_COLUMNS) {
		*pos += 2;
		*ret_delta = code - LOC_ONE_LINE;
		return 0;
	}
	r = varint(p, len, pos, &value);
	if (r < 0)
		return r;
	*ret_delta = value & 1 ? 0u - (value >> 1) : value >> 1;
	for (int i = 0; code == LOC_LONG && i < 3; i++) {
		r = varint(p, len, pos, &skip);
		if (r < 0)
			return r;
	}
	return 0;
}

static int location_line(uint32_t line, const uint8_t *p, size_t len, int32_t instr,
			 int32_t *ret_line)
{
	uint32_t end = 0;

	for (size_t pos = 0; pos < len;) {
		uint8_t head = p[pos++];
		unsigned int code = (head >> 3) & 0xf;
		uint32_t delta;
		int r;

		if (!(head & 0x80))
			return -EBADMSG;
		r = location_delta(code, p, len, &pos, &delta);
		if (r < 0)
			return r;
		line += delta;
		end += ((head & 7u) + 1) * 2;
		if ((uint32_t)instr < end)
			return code == LOC_NONE ? -ENODATA : give(line, ret_line);
	}
	return -ENODATA;
}

int linetab_line(uint32_t version, int32_t firstlineno, const uint8_t *table, size_t len, bool cut,
		 int32_t instr, int32_t *ret_line)
{
	if (version < VERSION(6) || version >= VERSION(16))
		return -ENOTSUP;
	if (instr < 0 || (!table && len > 0))
		return -ENODATA;
	if (version < VERSION(10))
		return lnotab_line((uint32_t)firstlineno, table, len, cut, instr, ret_line);
	if (version < VERSION(11))
		return pep626_line((uint32_t)firstlineno, table, len, instr, ret_line);
	return location_line((uint32_t)firstlineno, table, len, instr, ret_line);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Whole numbers in 7-bit groups, the lowest first; signed ones by zigzag. */
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define VARINT_MAX 10 /* bytes of one */

/* What is read; error sticks, and then all that is read is 0. */
struct varint_in {
	const uint8_t *at, *end;
	int error; /* 0 or -EBADMSG */
};

static inline void varint_put(struct buf *b, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	while (v >= 0x80) {
		bytes[n++] = (uint8_t)v | 0x80;
		v >>= 7;
	}
	bytes[n++] = (uint8_t)v;
	buf_add(b, bytes, n);
}

static inline void varint_put_signed(struct buf *b, int64_t v)
{
	varint_put(b, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

static inline uint64_t varint_get(struct varint_in *in)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && !in->error; shift += 7) {
		uint8_t byte;

		if (in->at >= in->end)
			break;
		byte = *in->at++;
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	in->error = -EBADMSG;
	return 0;
}

static inline int64_t varint_get_signed(struct varint_in *in)
{
	uint64_t v = varint_get(in);

	return (int64_t)((v >> 1) ^ (~(v & 1) + 1));
}

/* One that must not exceed max. */
static inline uint64_t varint_get_max(struct varint_in *in, uint64_t max)
{
	uint64_t v = varint_get(in);

	if (v <= max)
		return v;
	in->error = -EBADMSG;
	return 0;
}

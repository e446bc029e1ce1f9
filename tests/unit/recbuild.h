/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Raw records for tests: a fixed part and the strings behind it. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lmmsd/event.h"

struct rec {
	uint8_t bytes[8192];
	size_t len;
};

/* fixed: begins with a header, which gets its abi, kind and size. */
static inline void rec_begin(struct rec *r, uint16_t kind, const void *fixed, size_t len)
{
	struct lmmsd_hdr h;

	memset(r, 0, sizeof(*r));
	memcpy(r->bytes, fixed, len);
	memcpy(&h, fixed, sizeof(h));
	h.abi = LMMSD_ABI;
	h.kind = kind;
	h.size = (uint16_t)len;
	memcpy(r->bytes, &h, sizeof(h));
	r->len = len;
}

static inline void rec_add(struct rec *r, const void *data, size_t len)
{
	uint16_t size;

	memcpy(r->bytes + r->len, data, len);
	r->len += len;
	size = (uint16_t)r->len;
	memcpy(r->bytes + offsetof(struct lmmsd_hdr, size), &size, sizeof(size));
}

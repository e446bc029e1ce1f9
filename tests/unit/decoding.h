/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Records that are decoded. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode/decode.h"
#include "recbuild.h"

/* An exact copy is decoded, so that a sanitizer sees the end. Its strings live until the next call. */
static inline int decode(struct decoder *d, const struct rec *r, struct ev *ret)
{
	static void *copy;

	free(copy);
	copy = malloc(r->len ? r->len : 1);
	assert_non_null(copy);
	memcpy(copy, r->bytes, r->len);
	return decoder_next(d, copy, r->len, ret);
}

static inline struct decoder *begin(void)
{
	struct decoder *d;

	assert_int_equal(decoder_new(&d), 0);
	return d;
}

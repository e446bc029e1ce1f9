/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Bytes of a record to a struct ev. The bytes are hostile: all lengths are checked against the record. */
#pragma once
#include <stddef.h>

#include "model/event.h"

struct decoder;
int decoder_new(struct decoder **ret);
struct decoder *decoder_free(struct decoder *d); /* NULL */
static inline void decoder_freep(struct decoder **d)
{
	(void)decoder_free(*d);
}

/* Statements whose module body is not known, since its record was lost: they have no importer. */
uint64_t decoder_body_unknown(const struct decoder *d);

/*
 * BODY_ENTER, BODY_LEAVE and USE_AT come out as BODY_START, BODY_DONE and USE.
 * Lines of imports need the interpreter's version: the decoder remembers it from the INTERP records that it saw.
 * What was cut gets an ellipsis at the end.
 *
 * 0: *ret is filled, its strings are borrowed from d and rec until the next call.
 * -EPROTO: another abi. -EBADMSG: lengths do not fit. -EOPNOTSUPP: unknown kind. -ENOMEM.
 */
int decoder_next(struct decoder *d, const void *rec, size_t len, struct ev *ret);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Inside decode/: the bytes of a record that are not read yet, and where its strings go. */
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"
#include "decode/bodies.h"
#include "model/event.h"

/* Longest text that user space puts in a record; the kernel side's limits are in lmmsd/event.h. */
#define DECODE_TEXT_MAX 4096
#define DECODE_STRINGS_MAX 8

struct tail {
	const uint8_t *p;
	size_t left;
};

struct decoder {
	struct buf text; /* strings of the record, each ended by NUL */
	struct {
		const char **slot;
		size_t off;
	} fix[DECODE_STRINGS_MAX]; /* no kind has more strings */
	size_t n_fix;
	struct version {
		uint32_t interp, version;
	} * versions; /* owned */
	size_t n_versions, last;
	struct bodies *bodies; /* owned */
	uint64_t body_unknown;
	/* Of a BODY_ENTER, to be kept when its strings stand. */
	uint32_t entered; /* number; 0: none */
	struct body_text enter;
};

/* The fixed part and the tail of a record whose header is good; t begins at the header. */
int decode_kind(struct decoder *d, struct tail *t, struct ev *e);

/* decode_body.c */
int decode_body(struct decoder *d, struct tail *t, struct ev *e);
int decode_enter(struct decoder *d, struct tail *t, struct ev *e);
int decode_leave(struct decoder *d, struct tail *t, struct ev *e);
int decode_use_at(struct decoder *d, struct tail *t, struct ev *e);
/* What a numbered body's own record said of who asks; without that record there is no importer. */
void decode_where_body(struct decoder *d, const struct ev *e, uint32_t number, struct ev_where *w);
int decode_where(struct decoder *d, struct tail *t, const struct ev *ev,
		 const struct lmmsd_where *w, struct ev_where *e);

/* The record's fixed part, copied out since records need not be aligned. -EBADMSG. */
int decode_fixed(struct tail *t, void *ret, size_t len);
#define FIXED(t, r)                                                                                \
	do {                                                                                       \
		if (decode_fixed(t, &(r), sizeof(r)) < 0)                                          \
			return -EBADMSG;                                                           \
	} while (0)
/* The next len bytes of the record, borrowed; NULL when there are less, or more than max. */
const uint8_t *decode_take(struct tail *t, size_t len, size_t max);
/* A string begins here: *slot will point to it. */
void decode_mark(struct decoder *d, const char **slot);
/* The next string of the record, LMMSD_STR_* kind. *slot is left alone when it is empty. -EBADMSG. */
int decode_str(struct decoder *d, struct tail *t, uint8_t kind, size_t len, size_t max,
	       const char **slot);
int decode_path(struct decoder *d, struct tail *t, size_t len, const char **slot);
int decode_argv(struct decoder *d, struct tail *t, size_t len, const char **slot,
		uint32_t *ret_len);
/* PY_VERSION_HEX; 0: not known. */
uint32_t decode_version(struct decoder *d, uint32_t interp);
int decode_learn(struct decoder *d, uint32_t interp, uint32_t version);

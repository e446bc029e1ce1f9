/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "replay/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lmmsd/event.h"

#define MAGIC "LMMSREC1"
#define BYTE_ORDER_MARK 0x01020304u
#define ALIGN 8u

struct head {
	char magic[8];
	uint32_t mark;
	uint32_t abi;
};
_Static_assert(sizeof(struct head) == 16, "head");

static size_t padding(size_t len)
{
	return (ALIGN - len % ALIGN) % ALIGN;
}

struct stream_writer {
	FILE *f; /* borrowed */
	int error;
	bool ended;	  /* the last record was an end record */
	uint64_t last_ns; /* latest time seen, for the end record */
};

static void put(struct stream_writer *w, const void *data, size_t len)
{
	if (w->error < 0 || len == 0)
		return;
	errno = 0;
	if (fwrite(data, 1, len, w->f) != len)
		w->error = errno > 0 ? -errno : -EIO;
}

int stream_writer_new(FILE *f, struct stream_writer **ret)
{
	struct head head = {.mark = BYTE_ORDER_MARK, .abi = LMMSD_ABI};
	_free_ struct stream_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	memcpy(head.magic, MAGIC, sizeof(head.magic));
	w->f = f;
	put(w, &head, sizeof(head));
	if (w->error < 0)
		return w->error;
	*ret = TAKE_PTR(w);
	return 0;
}

int stream_write(struct stream_writer *w, const void *rec, size_t len)
{
	static const uint8_t zeros[ALIGN];
	struct lmmsd_hdr h;

	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, rec, sizeof(h));
	/* Only what the record says it is: a reader finds the next one by it. */
	if (h.size < sizeof(h) || h.size > len)
		return -EINVAL;
	put(w, rec, h.size);
	put(w, zeros, padding(h.size));
	w->ended = h.kind == LMMSD_EV_END;
	if (h.ts_ns > w->last_ns)
		w->last_ns = h.ts_ns;
	return w->error;
}

int stream_writer_finish(struct stream_writer *w)
{
	struct lmmsd_hdr end = {
		.abi = LMMSD_ABI, .kind = LMMSD_EV_END, .size = sizeof(end), .ts_ns = w->last_ns};

	if (!w->ended)
		(void)stream_write(w, &end, sizeof(end));
	errno = 0;
	if (fflush(w->f) != 0 && w->error == 0)
		w->error = errno > 0 ? -errno : -EIO;
	return w->error;
}

struct stream_writer *stream_writer_free(struct stream_writer *w)
{
	free(w);
	return NULL;
}

struct stream_reader {
	FILE *f;      /* borrowed */
	uint8_t *rec; /* owned */
	size_t cap;
	bool ended;
};

/* 1: all of it; 0: the file ended first; negative errno. */
static int get(FILE *f, void *data, size_t len)
{
	errno = 0;
	if (fread(data, 1, len, f) == len)
		return 1;
	if (ferror(f))
		return errno > 0 ? -errno : -EIO;
	return 0;
}

int stream_reader_new(FILE *f, struct stream_reader **ret)
{
	_free_ struct stream_reader *r = NULL;
	struct head head;
	int res = get(f, &head, sizeof(head));

	if (res < 0)
		return res;
	if (res == 0 || memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0)
		return -EBADMSG;
	if (head.mark != BYTE_ORDER_MARK || head.abi != LMMSD_ABI)
		return -EPROTO;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->f = f;
	*ret = TAKE_PTR(r);
	return 0;
}

static int reserve(struct stream_reader *r, size_t len)
{
	uint8_t *rec;

	if (len <= r->cap)
		return 0;
	rec = realloc(r->rec, len);
	if (!rec)
		return -ENOMEM;
	r->rec = rec;
	r->cap = len;
	return 0;
}

int stream_read(struct stream_reader *r, const void **ret_rec, size_t *ret_len)
{
	struct lmmsd_hdr h;
	size_t full;
	int res;

	if (r->ended)
		return 0;
	res = get(r->f, &h, sizeof(h));
	if (res <= 0)
		return res < 0 ? res : -ENODATA;
	if (h.size < sizeof(h))
		return -EBADMSG;
	full = h.size + padding(h.size);
	res = reserve(r, full);
	if (res < 0)
		return res;
	memcpy(r->rec, &h, sizeof(h));
	res = get(r->f, r->rec + sizeof(h), full - sizeof(h));
	if (res <= 0)
		return res < 0 ? res : -ENODATA;
	r->ended = h.kind == LMMSD_EV_END;
	*ret_rec = r->rec;
	*ret_len = h.size;
	return 1;
}

struct stream_reader *stream_reader_free(struct stream_reader *r)
{
	if (r)
		free(r->rec);
	free(r);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "decode/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "decode/decode_int.h"

#define VERSIONS_MAX 1024
#define ELLIPSIS "\xe2\x80\xa6"

int decoder_new(struct decoder **ret)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (bodies_new(&d->bodies) < 0) {
		free(d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

struct decoder *decoder_free(struct decoder *d)
{
	if (!d)
		return NULL;
	buf_free(&d->text);
	(void)bodies_free(d->bodies);
	free(d->versions);
	free(d);
	return NULL;
}

const uint8_t *decode_take(struct tail *t, size_t len, size_t max)
{
	const uint8_t *p = t->p;

	if (len > t->left || len > max)
		return NULL;
	t->p += len;
	t->left -= len;
	return p;
}

int decode_fixed(struct tail *t, void *ret, size_t len)
{
	const uint8_t *p = decode_take(t, len, len);

	if (!p)
		return -EBADMSG;
	memcpy(ret, p, len);
	return 0;
}

void decode_mark(struct decoder *d, const char **slot)
{
	d->fix[d->n_fix].slot = slot;
	d->fix[d->n_fix++].off = d->text.len;
}

/* Nearly all names and files: no need to look at each byte twice. */
static bool is_ascii(const uint8_t *p, size_t len)
{
	uint8_t high = 0, nul = 0;

	for (size_t i = 0; i < len; i++) {
		high |= p[i] & 0x80;
		nul |= p[i] == 0;
	}
	return !high && !nul;
}

int decode_str(struct decoder *d, struct tail *t, uint8_t kind, size_t len, size_t max,
	       const char **slot)
{
	uint8_t plain = kind & (uint8_t)~LMMSD_STR_CUT;
	const uint8_t *p = decode_take(t, len, max);

	if (!p)
		return -EBADMSG;
	if (plain != LMMSD_STR_UTF8 && plain != LMMSD_STR_LATIN1 && plain != LMMSD_STR_UCS2 &&
	    plain != LMMSD_STR_UCS4)
		return -EBADMSG;
	if (len == 0)
		return 0;
	decode_mark(d, slot);
	/* A C string was cut one byte earlier than a str: its NUL counts. The same name is to be the same. */
	if ((kind & LMMSD_STR_CUT) && plain <= LMMSD_STR_LATIN1 && len == max)
		len--;
	if (plain <= LMMSD_STR_LATIN1 && is_ascii(p, len))
		buf_add(&d->text, p, len);
	else
		text_utf8(&d->text, kind, p, len);
	if (kind & LMMSD_STR_CUT)
		buf_adds(&d->text, ELLIPSIS);
	buf_addc(&d->text, '\0');
	return 0;
}

/* Components from the leaf up, each ended by a NUL, to an absolute path. */
int decode_path(struct decoder *d, struct tail *t, size_t len, const char **slot)
{
	const uint8_t *p = decode_take(t, len, DECODE_TEXT_MAX);
	size_t end = len;

	if (!p)
		return -EBADMSG;
	if (len == 0)
		return 0;
	decode_mark(d, slot);
	while (end > 0) {
		size_t from;

		if (p[end - 1] == '\0')
			end--;
		for (from = end; from > 0 && p[from - 1] != '\0';)
			from--;
		if (from < end) {
			buf_addc(&d->text, '/');
			text_utf8(&d->text, LMMSD_STR_UTF8, p + from, end - from);
		}
		end = from;
	}
	if (d->text.len == d->fix[d->n_fix - 1].off)
		buf_addc(&d->text, '/');
	buf_addc(&d->text, '\0');
	return 0;
}

int decode_argv(struct decoder *d, struct tail *t, size_t len, const char **slot, uint32_t *ret_len)
{
	const uint8_t *p = decode_take(t, len, DECODE_TEXT_MAX);
	size_t start = d->text.len;

	if (!p)
		return -EBADMSG;
	if (len == 0)
		return 0;
	decode_mark(d, slot);
	for (size_t i = 0; i < len;) {
		size_t n = strnlen((const char *)p + i, len - i);

		text_utf8(&d->text, LMMSD_STR_UTF8, p + i, n);
		buf_addc(&d->text, '\0');
		i += n + 1;
	}
	*ret_len = (uint32_t)(d->text.len - start);
	return 0;
}

/* Few interpreters, and mostly the same one as before. */
uint32_t decode_version(struct decoder *d, uint32_t interp)
{
	if (d->last < d->n_versions && d->versions[d->last].interp == interp)
		return d->versions[d->last].version;
	for (size_t i = 0; i < d->n_versions; i++) {
		if (d->versions[i].interp == interp) {
			d->last = i;
			return d->versions[i].version;
		}
	}
	return 0;
}

int decode_learn(struct decoder *d, uint32_t interp, uint32_t version)
{
	struct version *grown;
	size_t i;

	for (i = 0; i < d->n_versions; i++)
		if (d->versions[i].interp == interp)
			break;
	if (i == VERSIONS_MAX)
		return 0; /* lines are not known, then */
	if (i == d->n_versions) {
		if (i % 16 == 0) {
			grown = realloc(d->versions, (i + 16) * sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			d->versions = grown;
		}
		d->n_versions++;
	}
	d->versions[i] = (struct version){.interp = interp, .version = version};
	return 0;
}

/* Text may have moved while it grew: the pointers are set at the end. */
static int settle(struct decoder *d)
{
	if (buf_error(&d->text) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_fix; i++)
		*d->fix[i].slot = d->text.data + d->fix[i].off;
	return 0;
}

uint64_t decoder_body_unknown(const struct decoder *d)
{
	return d->body_unknown;
}

/* What later records refer to. */
static int remember(struct decoder *d, const struct ev *ev)
{
	struct body_key key = {ev->start_ns, ev->tgid, ev->tid, d->entered};

	if (ev->kind == LMMSD_EV_EXIT)
		bodies_exit(d->bodies, ev->tgid, ev->start_ns);
	if (!d->entered)
		return 0;
	d->enter.name = ev->load.name;
	d->enter.file = ev->load.body_file;
	return bodies_enter(d->bodies, &key, &d->enter);
}

int decoder_next(struct decoder *d, const void *rec, size_t len, struct ev *ret)
{
	struct lmmsd_hdr h;
	struct tail t;
	int r;

	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, rec, sizeof(h));
	if (h.abi != LMMSD_ABI)
		return -EPROTO;
	if (h.size < sizeof(h) || h.size > len)
		return -EBADMSG;
	buf_reset(&d->text);
	d->n_fix = 0;
	d->entered = 0;
	memset(ret, 0, sizeof(*ret));
	ret->kind = h.kind;
	ret->tgid = h.tgid;
	ret->tid = h.tid;
	ret->start_ns = h.start_ns;
	ret->ts_ns = h.ts_ns;
	ret->spent_ns = (uint32_t)h.spent * LMMSD_SPENT_NS;
	t = (struct tail){.p = rec, .left = h.size};
	r = decode_kind(d, &t, ret);
	if (r == 0)
		r = settle(d);
	return r < 0 ? r : remember(d, ret);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings of a CPython, and reading its memory at all: all addresses are hostile, each length is clamped. */
#pragma once
#include "compat.bpf.h"
#include "maps.bpf.h"

#define U64_NAME 0x5f5f656d616e5f5fULL	 /* "__name__" */
#define U64_MAIN 0x5f5f6e69616d5f5fULL	 /* "__main__" */
#define U64_FILE 0x5f5f656c69665f5fULL	 /* "__file__" */
#define U64_PACKAG 0x67616b6361705f5fULL /* "__packag" */
#define U64_MODULE 0x3e656c75646f6d3cULL /* "<module>" */

/* 0 when it cannot be read: the helper clears what it cannot fill, and a branch less is a path less to verify. */
static __always_inline __u64 rd64(__u64 addr)
{
	__u64 v;

	(void)bpf_probe_read_user(&v, sizeof(v), (void *)addr);
	return v;
}

static __always_inline int str_head_read(const struct lmmsd_interp *in, __u64 obj,
					 struct str_head *h)
{
	if (!obj)
		return -1;
	return bpf_probe_read_user(h, sizeof(*h), (void *)(obj + in->str_length)) ? -1 : 0;
}

/* Where the characters are and how wide; 0 when it is no compact str. */
static __always_inline __u64 str_data(const struct lmmsd_interp *in, __u64 obj, __u32 state,
				      __u32 *width)
{
	*width = (state >> (in->str_kind_shift & 31)) & 7;
	if (!((state >> (in->str_compact_shift & 31)) & 1))
		return 0;
	if (*width != 1 && *width != 2 && *width != 4)
		return 0;
	if ((state >> (in->str_ascii_shift & 31)) & 1)
		return obj + in->str_ascii_data;
	return obj + in->str_compact_data;
}

/* Appends up to max bytes from the target to the record. Returns how many stand there; *cut when shortened. */
static __always_inline __u32 put_user(struct scratch *s, __u64 addr, __u32 len, const __u32 max,
				      bool *cut)
{
	void *at = rec_room(s, max);
	__u64 n = len;

	if (!at || len > max)
		*cut = true;
	if (!at)
		return 0;
	CLAMP(n, max);
	if (bpf_probe_read_user(at, n, (void *)addr)) {
		count_lost(LMMSD_LOST_NAME_UNREADABLE);
		return 0;
	}
	s->off += (__u32)n;
	return (__u32)n;
}

#define SHORT_MAX 96

/*
 * Most strings are short ASCII, and the characters stand right behind the head: both come with one read, since each read
 * costs as much as all the rest. It goes where the characters are to stand, and the record's bytes that the head
 * covers are put back. Returns the length; 0: it takes the long way.
 */
static __always_inline __u32 put_short(const struct lmmsd_interp *in, struct scratch *s, __u64 obj)
{
	__u64 o = s->off, behind = in->str_ascii_data - in->str_length, length;
	__u32 state;
	long err;
	__u8 *at;

	if (behind != 24 && behind != 32)
		return 0;
	o -= behind;
	barrier_var(o);
	if (o > REC_CAP - 32 - SHORT_MAX)
		return 0;
	at = s->rec + o;
	__builtin_memcpy(s->kept, at, sizeof(s->kept));
	err = bpf_probe_read_user(at, 32 + SHORT_MAX, (void *)(obj + in->str_length));
	length = *(__u64 *)at;
	state = *(__u32 *)(at + 16);
	__builtin_memcpy(at, s->kept, 24);
	if (behind == 32)
		__builtin_memcpy(at + 24, s->kept + 3, 8);
	if (err || length > SHORT_MAX || !((state >> (in->str_compact_shift & 31)) & 1) ||
	    !((state >> (in->str_ascii_shift & 31)) & 1))
		return 0;
	s->off += (__u32)length;
	return (__u32)length;
}

/* Appends a str object; *kind gets LMMSD_STR_*. */
static __always_inline __u16 put_str(const struct lmmsd_interp *in, struct scratch *s, __u64 obj,
				     const __u32 max, __u8 *kind)
{
	struct str_head *h = &s->head;
	__u32 width, n;
	bool cut = false;
	__u64 data;

	*kind = LMMSD_STR_UTF8;
	if (!obj)
		return 0;
	n = put_short(in, s, obj);
	if (n || str_head_read(in, obj, h))
		return n;
	data = str_data(in, obj, h->state, &width);
	if (!data || h->length <= 0)
		return 0;
	n = h->length > max ? max + 4 : (__u32)h->length * width;
	n = put_user(s, data, n, max, &cut);
	if (width != 1)
		*kind = width;
	else if (!((h->state >> (in->str_ascii_shift & 31)) & 1))
		*kind = LMMSD_STR_LATIN1;
	if (cut) {
		*kind |= LMMSD_STR_CUT;
		count_lost(LMMSD_LOST_NAME_CUT);
	}
	return n;
}

/* A name or a file name. */
GLOBAL __u16 put_text(const struct lmmsd_interp *in, struct scratch *s, __u64 obj, __u8 *kind)
{
	_Static_assert(LMMSD_NAME_MAX == LMMSD_FILE_MAX, "one limit serves both");
	if (!in || !s || !kind)
		return 0;
	return put_str(in, s, obj, LMMSD_NAME_MAX, kind);
}

/* One of the two halves of "PACKAGE/NAME". */
#define HALF_NAME_MAX 224
GLOBAL __u16 put_half(const struct lmmsd_interp *in, struct scratch *s, __u64 obj, __u8 *kind)
{
	if (!in || !s || !kind)
		return 0;
	return put_str(in, s, obj, HALF_NAME_MAX, kind);
}

/* A NUL-terminated string of the target, as USDT gives. */
static __always_inline __u16 put_cstr(struct scratch *s, __u64 addr, const __u32 max, __u8 *kind)
{
	void *at = rec_room(s, max);
	long n;

	*kind = LMMSD_STR_UTF8;
	if (!at)
		return 0;
	n = bpf_probe_read_user_str(at, max, (void *)addr);
	if (n <= 0) {
		count_lost(LMMSD_LOST_NAME_UNREADABLE);
		return 0;
	}
	if (n == max) {
		*kind |= LMMSD_STR_CUT;
		count_lost(LMMSD_LOST_NAME_CUT);
	}
	n -= 1; /* the NUL is not sent */
	s->off += (__u32)n;
	return n;
}

/* The first 8 characters of an ASCII str of this length, or 0. */
static __always_inline __u64 str_head8(const struct lmmsd_interp *in, __u64 obj, __s64 *length)
{
	struct {
		struct str_head h;
	} v;

	if (str_head_read(in, obj, &v.h))
		return 0;
	*length = v.h.length;
	if (v.h.length < 8 || !((v.h.state >> (in->str_ascii_shift & 31)) & 1))
		return 0;
	return rd64(obj + in->str_ascii_data);
}

/*
 * Is it this string, which the interpreter has one object for? *known: that object's address, 0 before it was met.
 * Another object may still be equal.
 */
GLOBAL int str_is(const struct lmmsd_interp *in, __u64 obj, __u64 head8, __s64 length, __u64 *known)
{
	__s64 len = 0;

	if (!in || !known || !obj)
		return false;
	if (obj == *known)
		return true;
	if (str_head8(in, obj, &len) != head8 || len != length)
		return false;
	*known = obj;
	return true;
}

/* The same for a key of a module's dict. Those are interned: once the object is known, no other is looked into. */
static __always_inline bool key_is(const struct lmmsd_interp *in, __u64 obj, __u64 head8,
				   __s64 length, __u64 *known)
{
	return *known ? obj == *known : str_is(in, obj, head8, length, known);
}

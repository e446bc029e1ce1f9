/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a CPython's objects. All addresses are the target's and hostile: every read is checked, every length
 * clamped, every walk bounded. Offsets come from struct lmmsd_interp.
 */
#pragma once
#include "compat.bpf.h"
#include "maps.bpf.h"

#define MAX_FRAMES 12  /* importlib's own frames between an import and who asked for it: 5 to 8 */
#define MAX_INTERPS 8  /* subinterpreters looked at for the running thread */
#define MAX_THREADS 16 /* threads looked at when the GIL's holder is not the one */
#define MAX_GLOBALS                                                                                \
	6 /* first entries of a module's globals: __name__ __doc__ __package__ __loader__ __spec__ __file__ */

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

/* Head of a str from its length field on; one read. The fields are adjacent in 3.6-3.15. */
struct str_head {
	__s64 length;
	__s64 hash;
	__u32 state;
	__u32 pad_;
};

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

/* Appends a str object; *kind gets LMMSD_STR_*. */
static __always_inline __u16 put_str(const struct lmmsd_interp *in, struct scratch *s, __u64 obj,
				     const __u32 max, __u8 *kind)
{
	struct str_head h;
	__u32 width, n;
	bool cut = false;
	__u64 data;

	*kind = LMMSD_STR_UTF8;
	if (str_head_read(in, obj, &h))
		return 0;
	data = str_data(in, obj, h.state, &width);
	if (!data || h.length <= 0)
		return 0;
	n = h.length > max ? max + 4 : (__u32)h.length * width;
	n = put_user(s, data, n, max, &cut);
	if (width != 1)
		*kind = width;
	else if (!((h.state >> (in->str_ascii_shift & 31)) & 1))
		*kind = LMMSD_STR_LATIN1;
	if (cut) {
		*kind |= LMMSD_STR_CUT;
		count_lost(LMMSD_LOST_NAME_CUT);
	}
	return n;
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

/* Entries of a dict: address of the first, their size, and how many there are. 0: split or empty. */
static __always_inline __u64 dict_entries(const struct lmmsd_interp *in, __u64 dict, __u32 *entry,
					  __u64 *n)
{
	struct {
		__u64 refcnt_or_kind[5];
	} keys;
	__u64 p = rd64(dict + in->dict_keys);
	__u32 log2_bytes, kind;

	if (!p || bpf_probe_read_user(&keys, sizeof(keys), (void *)p))
		return 0;
	if (in->dict_mode == LMMSD_DICT_NEW) {
		log2_bytes = (keys.refcnt_or_kind[1] >> 8) & 0xff;
		kind = (keys.refcnt_or_kind[1] >> 16) & 0xff;
		if (kind > 1 || log2_bytes > 34)
			return 0;
		*entry = kind ? 16 : 24;
		*n = keys.refcnt_or_kind[3];
		return p + 32 + (1ULL << log2_bytes);
	}
	if (rd64(dict + in->dict_values))
		return 0;
	*entry = 24;
	*n = keys.refcnt_or_kind[4];
	return p + 40 +
	       keys.refcnt_or_kind[1] * (keys.refcnt_or_kind[1] <= 0xff	  ? 1 :
					 keys.refcnt_or_kind[1] <= 0xffff ? 2 :
									    4);
}

struct globals {
	__u64 name;    /* str object of __name__ */
	__u64 package; /* object of __package__: str or None */
};

/* __name__ and, when wanted, __package__ from a module's globals: among their first entries in every CPython. */
static __noinline int globals_read(const struct lmmsd_interp *in, struct scratch *s, __u64 dict,
				   bool want_package, struct globals *ret)
{
	__u32 entry = 0, i;
	__u64 n = 0, first;
	__s64 len = 0;

	ret->name = 0;
	ret->package = 0;
	if (!dict)
		return -1;
	first = dict_entries(in, dict, &entry, &n);
	if (!first || bpf_probe_read_user(s->entries, sizeof(s->entries), (void *)first))
		return -1;
	for (i = 0; i < MAX_GLOBALS; i++) {
		__u32 at = entry == 16 ? i * 16 : i * 24 + 8;
		__u64 key, value, head;

		if (i >= n || at > sizeof(s->entries) - 16)
			break;
		key = *(__u64 *)(s->entries + at);
		value = *(__u64 *)(s->entries + at + 8);
		head = str_head8(in, key, &len);
		if (head == U64_NAME && len == 8)
			ret->name = value;
		else if (head == U64_PACKAG && len == 11)
			ret->package = value;
		if (ret->name && (!want_package || ret->package))
			break;
	}
	return ret->name ? 0 : -1;
}

/*
 * The running thread's PyThreadState. Up to 3.11 the runtime names it; later the holder of the GIL is it, checked
 * by the thread's identity, with a bounded walk over interpreters and threads when several GILs exist.
 */
static __noinline __u64 tstate_find(const struct lmmsd_interp *in, __u64 bias)
{
	__u64 interp, ts, tp;
	__u32 i, j;

	if (in->ts_mode == LMMSD_TS_VAR)
		return rd64(bias + in->tstate_va);
	if (in->ts_mode != LMMSD_TS_GIL)
		return 0;
	tp = thread_pointer();
	interp = rd64(bias + in->runtime_va + in->rt_interp_head);
	for (i = 0; i < MAX_INTERPS; i++) {
		if (!interp)
			break;
		ts = rd64(rd64(interp + in->interp_gil) + in->gil_holder);
		if (ts && is_this_thread(rd64(ts + in->ts_thread_id), tp) &&
		    (rd64(ts + in->ts_status) & 0x10))
			return ts;
		interp = rd64(interp + in->interp_next);
	}
	interp = rd64(bias + in->runtime_va + in->rt_interp_head);
	ts = rd64(interp + in->interp_threads);
	for (j = 0; j < MAX_THREADS; j++) {
		if (!ts)
			break;
		if (is_this_thread(rd64(ts + in->ts_thread_id), tp) &&
		    (rd64(ts + in->ts_status) & 0x10))
			return ts;
		ts = rd64(ts + in->ts_next);
	}
	return 0;
}

/*
 * Is there an entry for this name in sys.modules? Open addressing as in Objects/dictobject.c. 1 yes, 0 no, -1 not found
 * in as many slots as are looked at. hash: of the name, known.
 */
#define MAX_SLOTS 16
static __noinline int in_sys_modules(const struct lmmsd_interp *in, __u64 tstate, __u64 name,
				     __u64 hash)
{
	__u64 dict = rd64(rd64(tstate + in->ts_interp) + in->interp_modules);
	__u64 keys = rd64(dict + in->dict_keys), head = rd64(keys + 8), perturb = hash, n = 0,
	      first, mask;
	__u32 width, entry = 0, i;
	__u64 slot;

	first = dict_entries(in, dict, &entry, &n);
	if (!first)
		return -1;
	if (in->dict_mode == LMMSD_DICT_NEW) {
		mask = (1ULL << (head & 31)) - 1;
		width = 1U << (((head >> 8) - (head & 0xff)) & 3);
	} else {
		mask = head - 1;
		width = head <= 0xff ? 1 : head <= 0xffff ? 2 : 4;
	}
	slot = hash & mask;
	for (i = 0; i < MAX_SLOTS; i++) {
		__u64 table = keys + (in->dict_mode == LMMSD_DICT_NEW ? 32 : 40);
		__u64 index = rd64(table + slot * width);
		__u64 none = width == 1 ? 0xff : width == 2 ? 0xffff : 0xffffffff, key;
		struct str_head h;

		index &= none;
		if (index == none)
			return 0;
		if (index < n) {
			key = rd64(first + index * entry + (entry == 24 ? 8 : 0));
			if (key == name || (!str_head_read(in, key, &h) && (__u64)h.hash == hash))
				return 1;
		}
		perturb >>= 5;
		slot = (slot * 5 + perturb + 1) & mask;
	}
	return -1;
}

static __always_inline __u64 tstate_frame(const struct lmmsd_interp *in, __u64 tstate)
{
	__u64 p;

	if (!tstate)
		return 0;
	p = rd64(tstate + in->ts_frame);
	if (p && in->ts_cframe != LMMSD_OFF_NONE)
		p = rd64(p + in->ts_cframe);
	return p;
}

/* Fields of what was read into the scratch; the masks keep the verifier sure and a wrong table harmless. */
static __always_inline __u64 frame_u64(const struct scratch *s, __u16 off)
{
	return *(const __u64 *)(s->frame + (off & 0x78));
}

static __always_inline __u32 code_u32(const struct scratch *s, __u16 off)
{
	return *(const __u32 *)(s->code + (off & 0x7c));
}

static __always_inline __u64 code_u64(const struct scratch *s, __u16 off)
{
	off &= 0xf8;
	if (off > sizeof(s->code) - 8)
		return 0;
	return *(const __u64 *)(s->code + off);
}

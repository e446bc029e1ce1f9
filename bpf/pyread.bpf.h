/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a CPython's objects. All addresses are the target's and hostile: every read is checked, every length
 * clamped, every walk bounded. Offsets come from struct lmmsd_interp.
 */
#pragma once
#include "pystr.bpf.h"

#define MAX_FRAMES 12  /* importlib's own frames between an import and who asked for it: 5 to 8 */
#define MAX_INTERPS 8  /* subinterpreters looked at for the running thread */
#define MAX_THREADS 16 /* threads looked at when the GIL's holder is not the one */
#define MAX_GLOBALS                                                                                \
	6 /* first entries of a module's globals: __name__ __doc__ __package__ __loader__ __spec__ __file__ */

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

#define MOST_BEFORE 72 /* header and index of a dict of up to 32 slots */

/*
 * The first entries of a dict, in s->keys from *ret_at on; returns how many, at most. One read for a small dict, and a
 * module's is small when its body begins.
 */
static __always_inline __u64 first_entries(const struct lmmsd_interp *in, struct scratch *s,
					   __u64 dict, __u32 *ret_entry, __u32 *ret_at)
{
	__u64 p = rd64(dict + in->dict_keys), n, before, size;

	if (!p)
		return 0;
	if (bpf_probe_read_user(s->keys, sizeof(s->keys), (void *)p) &&
	    bpf_probe_read_user(s->keys, 40, (void *)p))
		return 0;
	size = *(__u64 *)(s->keys + 8);
	if (in->dict_mode == LMMSD_DICT_NEW) {
		__u32 log2_bytes = (size >> 8) & 0xff, kind = (size >> 16) & 0xff;

		if (kind > 1 || log2_bytes > 34)
			return 0;
		*ret_entry = kind ? 16 : 24;
		n = *(__u64 *)(s->keys + 24);
		before = 32 + (1ULL << log2_bytes);
	} else {
		if (rd64(dict + in->dict_values))
			return 0;
		*ret_entry = 24;
		n = *(__u64 *)(s->keys + 32);
		before = 40 + size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4);
	}
	if (before > MOST_BEFORE) {
		if (bpf_probe_read_user(s->keys + MOST_BEFORE, sizeof(s->keys) - MOST_BEFORE,
					(void *)(p + before)))
			return 0;
		before = MOST_BEFORE;
	}
	*ret_at = before;
	return n;
}

/* __name__ and, when wanted, __package__ from a module's globals: among their first entries in every CPython. */
GLOBAL int globals_read(const struct lmmsd_interp *in, struct scratch *s, __u64 dict,
			int want_package, struct globals *ret)
{
	__u32 entry = 0, from = 0, i;
	__u64 n, at;

	if (!in || !s || !ret)
		return -1;
	ret->name = 0;
	ret->package = 0;
	ret->at = 0;
	if (!dict)
		return -1;
	n = first_entries(in, s, dict, &entry, &from);
	for (i = 0; i < MAX_GLOBALS; i++) {
		__u64 key, value;

		at = from + (entry == 16 ? i * 16 : i * 24 + 8);
		if (i >= n || at > sizeof(s->keys) - 16)
			break;
		barrier_var(at);
		if (at > sizeof(s->keys) - 16)
			break;
		key = *(__u64 *)(s->keys + at);
		value = *(__u64 *)(s->keys + at + 8);
		/* In a module it is the first: another object that is equal is looked into there, and from then on known. */
		if (!ret->name && (i ? key_is(in, key, U64_NAME, 8, &s->known.name) :
				       str_is(in, key, U64_NAME, 8, &s->known.name))) {
			ret->name = value;
			ret->at = i;
		} else if (want_package && key_is(in, key, U64_PACKAG, 11, &s->known.package))
			ret->package = value;
		if (ret->name && (!want_package || ret->package))
			break;
	}
	if (want_package && !ret->package)
		s->known.package = 0; /* perhaps it was another one */
	at = from + (entry == 16 ? 5 * 16 : 5 * 24 + 8);
	barrier_var(at);
	if (!s->known.file && n >= MAX_GLOBALS && at <= sizeof(s->keys) - 8)
		(void)str_is(in, *(__u64 *)(s->keys + at), U64_FILE, 8, &s->known.file);
	return ret->name ? 0 : -1;
}

/*
 * The running thread's PyThreadState. Up to 3.11 the runtime names it; later the holder of the GIL is it, checked
 * by the thread's identity, with a bounded walk over interpreters and threads when several GILs exist. 3.12 runs an
 * interpreter on any thread with the state, and so the identity, of the one that made it: of two that say so none is it.
 */
GLOBAL __u64 tstate_find(const struct lmmsd_interp *in, __u64 bias)
{
	__u64 interp, ts, tp, found = 0;
	__u32 i, j;

	if (!in)
		return 0;
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
		    (rd64(ts + in->ts_status) & 0x10)) {
			if (found)
				return 0;
			found = ts;
		}
		interp = rd64(interp + in->interp_next);
	}
	if (found)
		return found;
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
GLOBAL int in_sys_modules(const struct lmmsd_interp *in, __u64 tstate, __u64 name, __u64 hash)
{
	__u64 dict, keys, head, perturb = hash, n = 0, first, mask, slot;
	__u32 width, entry = 0, i;

	if (!in)
		return -1;
	dict = rd64(rd64(tstate + in->ts_interp) + in->interp_modules);
	keys = rd64(dict + in->dict_keys);
	head = rd64(keys + 8);
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

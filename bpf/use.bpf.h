/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uses: every entry of PyImport_ImportModuleLevelObject adds one to a counter here, in the kernel. Only the first
 * with a key sends an event, which says what the key means. The key is made of what costs little: the name's cached
 * hash and the address of the importer's globals.
 */
#pragma once
#include "import.bpf.h"

#define TPFLAG_LIST (1ULL << 25)
#define TPFLAG_DICT (1ULL << 29)

static __always_inline __u64 type_flags(const struct lmmsd_interp *in, __u64 obj)
{
	return rd64(rd64(obj + in->ob_type) + in->type_flags);
}

/* cpython-imports 3.1: what globals, locals and fromlist say of the place. */
static __always_inline void use_place(const struct lmmsd_interp *in, struct lmmsd_use_key *key, __u64 locals,
				      __u64 fromlist)
{
	if (!key->globals) {
		key->place = LMMSD_PLACE_DYNAMIC;
	} else if (locals == key->globals) {
		key->place = LMMSD_PLACE_MODULE;
		if (fromlist && (type_flags(in, fromlist) & TPFLAG_LIST))
			key->flags |= LMMSD_USE_CAPI;
	} else if (!locals) {
		key->place = LMMSD_PLACE_UNKNOWN; /* compiled code: Cython, mypyc */
	} else {
		key->place = type_flags(in, locals) & TPFLAG_DICT ? LMMSD_PLACE_CLASS
								  : LMMSD_PLACE_FUNCTION;
	}
}

static __noinline int use_announce(struct pt_regs *ctx, struct hit *h, const struct lmmsd_use_key *key)
{
	struct scratch *s = scratch_get();
	struct lmmsd_ev_use *e;
	struct globals g;
	__u64 frame;

	if (!s)
		return -1;
	e = (void *)s->rec;
	__builtin_memset(e, 0, sizeof(*e));
	s->off = sizeof(*e);
	hdr_fill(&e->h, LMMSD_EV_USE, 0, h->ts, h->t->start_ns);
	e->key = *key;
	e->interp = h->site->interp;
	e->name_len = put_str(h->in, s, arg(ctx, &h->site->arg[0]), LMMSD_NAME_MAX, &e->name_kind);
	if (globals_read(h->in, s, key->globals, key->level != 0, &g))
		g.name = 0;
	if (key->level) {
		e->package_len = put_str(h->in, s, g.package, LMMSD_NAME_MAX, &e->package_kind);
		if (!e->package_len)
			e->flags |= LMMSD_USEF_PACKAGE_NONE;
	}
	frame = current_frame(h);
	where_fill(h->in, s, frame, &e->where);
	e->where.frame = frame;
	return scratch_send(s) ? -1 : 0;
}

/* A key that is new: bounded per process, so that one program cannot take the table from the others. */
static __noinline int use_new(struct pt_regs *ctx, struct hit *h, struct lmmsd_use_key *key)
{
	__u32 tgid = h->t->tgid;
	struct proc *p = bpf_map_lookup_elem(&procs, &tgid);
	__u64 one = 1, *n;
	long err;

	if (p && p->use_keys >= max_keys_per_proc) {
		count_lost(LMMSD_LOST_USES_FULL);
		return 0;
	}
	err = bpf_map_update_elem(&uses, key, &one, BPF_NOEXIST);
	if (err) {
		n = bpf_map_lookup_elem(&uses, key);
		if (n)
			__sync_fetch_and_add(n, 1); /* another thread was first */
		else
			count_lost(LMMSD_LOST_USES_FULL);
		return 0;
	}
	if (p)
		__sync_fetch_and_add(&p->use_keys, 1);
	if (use_announce(ctx, h, key))
		bpf_map_delete_elem(&uses, key); /* nobody would know what it counts */
	return 0;
}

static __always_inline int use(struct pt_regs *ctx)
{
	struct lmmsd_use_key key = {};
	struct str_head name;
	struct hit h;
	__u64 *n, obj;

	if (!hit_open(ctx, &h))
		return 0;
	obj = arg(ctx, &h.site->arg[0]);
	if (str_head_read(h.in, obj, &name))
		return 0;
	key.tgid = h.t->tgid;
	key.start_ns = h.t->start_ns;
	key.level = (__s16)arg(ctx, &h.site->arg[4]);
	key.name = name.hash != -1 && name.hash != 0 ? (__u64)name.hash : obj;
	key.globals = arg(ctx, &h.site->arg[1]);
	use_place(h.in, &key, arg(ctx, &h.site->arg[2]), arg(ctx, &h.site->arg[3]));
	n = bpf_map_lookup_elem(&uses, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		use_new(ctx, &h, &key);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads, bodies and uses: one function a probe site. */
#pragma once
#include "proc.bpf.h"
#include "where.bpf.h"

/* What every probe needs first. */
struct hit {
	__u64 ts;
	__u64 bias;
	struct thread *t;
	const struct lmmsd_site *site;
	const struct lmmsd_interp *in;
};

static __always_inline bool hit_open(struct pt_regs *ctx, struct hit *h)
{
	__u32 index, interp;

	h->ts = bpf_ktime_get_ns();
	h->t = thread_watched();
	if (!h->t)
		return false;
	index = have_cookie ? bpf_get_attach_cookie(ctx) : fixed_cookie;
	h->site = bpf_map_lookup_elem(&sites, &index);
	if (!h->site)
		return false;
	interp = h->site->interp;
	h->in = bpf_map_lookup_elem(&interps, &interp);
	if (!h->in)
		return false;
	h->bias = regs_ip(ctx) - h->site->va;
	return true;
}

/* The register's offset varies by site, which ctx access does not allow: read it as memory. */
static __always_inline __u64 arg(struct pt_regs *ctx, const struct lmmsd_arg *a)
{
	__u64 v = 0;

	if (a->how == LMMSD_ARG_NONE)
		return 0;
	if (bpf_probe_read_kernel(&v, sizeof(v), (void *)ctx + (a->reg & 0x1f8)))
		return 0;
	if (a->how == LMMSD_ARG_MEM)
		v = rd64(v + a->off);
	if (a->size == 4)
		v = (__u64)(__s64)(__s32)v;
	return v;
}

/* Is it _find_and_load that is called? The file may have proven it already. */
static __always_inline bool method_confirmed(const struct hit *h, __u64 method)
{
	char name[16] = {};
	__u64 data = 0;

	if (h->site->method == LMMSD_METHOD_NONE)
		return true;
	if (h->site->method == LMMSD_METHOD_STR)
		data = method + h->in->str_ascii_data;
	else if (h->site->method == LMMSD_METHOD_ID_8)
		data = rd64(method + 8);
	else
		data = rd64(method);
	if (!data || bpf_probe_read_user(name, 15, (void *)data))
		return h->site->method_proven;
	return bytes_equal(name, "_find_and_load", 15);
}

static __always_inline struct lmmsd_ev_load *load_begin(struct pt_regs *ctx, struct hit *h, struct scratch **ret,
							__u16 kind)
{
	struct scratch *s = scratch_get();
	struct lmmsd_ev_load *e;

	if (!s)
		return NULL;
	*ret = s;
	e = (void *)s->rec;
	__builtin_memset(e, 0, sizeof(*e));
	s->off = sizeof(*e);
	hdr_fill(&e->h, kind, 0, h->ts, h->t->start_ns);
	e->sp = regs_sp(ctx);
	e->interp = h->site->interp;
	return e;
}

static __always_inline __u64 current_frame(const struct hit *h)
{
	__u64 ts = tstate_find(h->in, h->bias);

	if (!ts)
		count_lost(LMMSD_LOST_THREAD_UNKNOWN);
	return tstate_frame(h->in, ts);
}

/* is_str: name is a str object, else a char *. */
static __always_inline int load_start(struct pt_regs *ctx, bool is_str)
{
	struct hit h;
	struct scratch *s;
	struct lmmsd_ev_load *e;
	__u64 name, frame;

	if (!hit_open(ctx, &h))
		return 0;
	name = arg(ctx, &h.site->arg[0]);
	if (is_str && !method_confirmed(&h, arg(ctx, &h.site->arg[1]))) {
		count_lost(LMMSD_LOST_NOT_FIND_AND_LOAD);
		return 0;
	}
	e = load_begin(ctx, &h, &s, LMMSD_EV_LOAD_START);
	if (!e)
		return 0;
	if (is_str)
		e->name_len = put_str(h.in, s, name, LMMSD_NAME_MAX, &e->name_kind);
	else
		e->name_len = put_cstr(s, name, LMMSD_NAME_MAX, &e->name_kind);
	frame = current_frame(&h);
	e->where.frame = frame;
	where_fill(h.in, s, frame, &e->where);
	/* Pairs with its done by the frame that is current, not by the one that asked. */
	e->where.frame = frame;
	h.t->last_start = 1;
	scratch_send(s);
	return 0;
}

static __always_inline int done_send(struct pt_regs *ctx, struct hit *h, __u16 kind, __s32 found)
{
	struct lmmsd_ev_done e = {};

	hdr_fill(&e.h, kind, sizeof(e), h->ts, h->t->start_ns);
	e.sp = regs_sp(ctx);
	e.frame = current_frame(h);
	e.interp = h->site->interp;
	e.found = found;
	(void)send(&e, sizeof(e));
	return 0;
}

static __always_inline int load_done(struct pt_regs *ctx, bool usdt)
{
	struct hit h;
	__s32 found;

	if (!hit_open(ctx, &h))
		return 0;
	if (usdt)
		found = (__s32)arg(ctx, &h.site->arg[1]) != 0;
	else
		found = arg(ctx, &h.site->arg[0]) != 0;
	h.t->last_start = 0;
	return done_send(ctx, &h, LMMSD_EV_LOAD_DONE, found);
}

/* PyEval_EvalCode(code, globals, locals): module bodies, and exec() and eval() of other things. */
static __always_inline int body_start(struct pt_regs *ctx)
{
	struct hit h;
	struct scratch *s;
	struct lmmsd_ev_body *e;
	struct globals g;
	__u64 code, frame;
	__s64 len = 0;
	bool direct;

	if (!hit_open(ctx, &h))
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	code = arg(ctx, &h.site->arg[0]);
	if (bpf_probe_read_user(s->code, sizeof(s->code), (void *)code))
		return 0;
	if (str_head8(h.in, code_u64(s, h.in->co_name), &len) != U64_MODULE || len != 8)
		return 0;
	if (globals_read(h.in, s, arg(ctx, &h.site->arg[1]), false, &g))
		return 0; /* exec with a dict of its own is no module */
	e = (void *)s->rec;
	__builtin_memset(e, 0, sizeof(*e));
	s->off = sizeof(*e);
	hdr_fill(&e->h, LMMSD_EV_BODY_START, 0, h.ts, h.t->start_ns);
	e->sp = regs_sp(ctx);
	e->interp = h.site->interp;
	e->name_len = put_str(h.in, s, g.name, LMMSD_NAME_MAX, &e->name_kind);
	e->body_file_len = put_str(h.in, s, code_u64(s, h.in->co_filename), LMMSD_FILE_MAX, &e->body_kind);
	frame = current_frame(&h);
	/*
	 * Right after the start of a load it is that load's body, and the start said who asked. Walking importlib's
	 * frames again would cost as much as the rest of the handler.
	 */
	direct = h.t->last_start;
	h.t->last_start = 0;
	if (!direct)
		where_fill(h.in, s, frame, &e->where);
	e->where.frame = frame;
	scratch_send(s);
	return 0;
}

static __always_inline int body_done(struct pt_regs *ctx)
{
	struct hit h;

	if (!hit_open(ctx, &h))
		return 0;
	return done_send(ctx, &h, LMMSD_EV_BODY_DONE, arg(ctx, &h.site->arg[0]) != 0);
}

/* __file__ of a C module: among the first names, or the last when the module was filled before it was set. */
static __noinline __u64 module_file(const struct lmmsd_interp *in, __u64 dict)
{
	__u32 entry = 0, i;
	__u64 n = 0, first, at;
	__s64 len = 0;

	first = dict_entries(in, dict, &entry, &n);
	if (!first || n > 1000000)
		return 0;
	for (i = 0; i < 16; i++) {
		__u64 index = i < 8 ? i : n - 1 - (i - 8);
		__u64 key;

		if (index >= n)
			continue;
		at = first + index * entry + (entry == 24 ? 8 : 0);
		key = rd64(at);
		if (key && str_head8(in, key, &len) == U64_FILE && len == 8)
			return rd64(at + 8);
	}
	return 0;
}

static __always_inline int ext_exec(struct pt_regs *ctx)
{
	struct hit h;
	struct scratch *s;
	struct lmmsd_ev_ext *e;
	__u64 module;

	if (!hit_open(ctx, &h))
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	module = arg(ctx, &h.site->arg[0]);
	e = (void *)s->rec;
	__builtin_memset(e, 0, sizeof(*e));
	s->off = sizeof(*e);
	hdr_fill(&e->h, LMMSD_EV_EXT_EXEC, 0, h.ts, h.t->start_ns);
	e->interp = h.site->interp;
	e->name_len = put_str(h.in, s, rd64(module + h.in->mod_name), LMMSD_NAME_MAX, &e->name_kind);
	e->file_len = put_str(h.in, s, module_file(h.in, rd64(module + h.in->mod_dict)), LMMSD_FILE_MAX,
			      &e->file_kind);
	scratch_send(s);
	return 0;
}

static __always_inline int compile(struct pt_regs *ctx)
{
	struct hit h;
	struct scratch *s;
	struct lmmsd_ev_compile *e;

	if (!hit_open(ctx, &h))
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	e = (void *)s->rec;
	__builtin_memset(e, 0, sizeof(*e));
	s->off = sizeof(*e);
	hdr_fill(&e->h, LMMSD_EV_COMPILE, 0, h.ts, h.t->start_ns);
	e->interp = h.site->interp;
	e->file_len = put_str(h.in, s, arg(ctx, &h.site->arg[1]), LMMSD_FILE_MAX, &e->file_kind);
	scratch_send(s);
	return 0;
}

static __always_inline int lazy_wake(struct pt_regs *ctx)
{
	struct hit h;
	struct scratch *s;
	struct lmmsd_ev_load *e;
	__u64 frame;

	if (!hit_open(ctx, &h))
		return 0;
	e = load_begin(ctx, &h, &s, LMMSD_EV_LAZY);
	if (!e)
		return 0;
	frame = current_frame(&h);
	where_fill(h.in, s, frame, &e->where);
	e->where.frame = frame;
	scratch_send(s);
	return 0;
}

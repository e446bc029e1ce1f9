/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads and bodies. Each *_begin() fills the fixed part of its record and the first strings; who asked, which is the
 * dear part for the verifier, is added in one place for all of them (lmmsd.bpf.c).
 */
#pragma once
#include "body.bpf.h"
#include "proc.bpf.h"

static __always_inline __u32 hit_site(struct pt_regs *ctx)
{
	__u32 zero = 0, *now;

	if (have_cookie)
		return bpf_get_attach_cookie(ctx);
	now = bpf_map_lookup_elem(&site_now, &zero);
	return now ? *now : 0;
}

static __always_inline __u64 arg(struct pt_regs *ctx, const struct lmmsd_arg *a)
{
	__u64 v;

	if (a->how == LMMSD_ARG_NONE)
		return 0;
	v = regs_get(ctx, a->reg);
	if (a->how == LMMSD_ARG_MEM)
		v = rd64(v + a->off);
	if (a->size == 4)
		v = (__u64)(__s64)(__s32)v;
	return v;
}

static __always_inline void hit_fill(struct pt_regs *ctx, struct hit *h,
				     const struct lmmsd_site *site)
{
	h->kind = site->kind;
	h->method = site->method;
	h->method_proven = site->method_proven;
	h->interp = site->interp;
	h->bias = regs_ip(ctx) - site->va;
	h->sp = regs_sp(ctx) + site->sp_delta;
#pragma unroll
	for (int i = 0; i < 5; i++)
		h->arg[i] = arg(ctx, &site->arg[i]);
}

/* Fills t->hit. NULL: not to be observed. */
static __always_inline const struct lmmsd_interp *hit_open(struct pt_regs *ctx, struct thread *t,
							   __u64 ts)
{
	const struct lmmsd_site *site;
	struct hit *h = &t->hit;
	__u32 index;

	h->ts = ts;
	h->frame = h->name = 0;
	h->asked = t->asked;
	t->asked = -1;
	index = hit_site(ctx);
	site = bpf_map_lookup_elem(&sites, &index);
	if (!site)
		return NULL;
	hit_fill(ctx, h, site);
	index = site->interp;
	return bpf_map_lookup_elem(&interps, &index);
}

/* Is it _find_and_load that is called? The file may have proven it already. */
static __always_inline bool method_confirmed(const struct hit *h, struct thread *t,
					     const struct lmmsd_interp *in)
{
	__u64 method = h->arg[1], data;

	if (h->method == LMMSD_METHOD_NONE || (method && method == t->method))
		return true; /* CPython has one for good */
	if (h->method == LMMSD_METHOD_STR)
		data = method + in->str_ascii_data;
	else if (h->method == LMMSD_METHOD_ID_8)
		data = rd64(method + 8);
	else
		data = rd64(method);
	if (rd64(data) == WORD("_find_an") && rd64(data + 6) == WORD("and_load")) {
		t->method = method;
		return true;
	}
	return h->method_proven && !rd64(data);
}

/* What a *_begin() returns else: the offset in the record of the struct lmmsd_where to fill. */
#define SEND_NOW 0
#define SEND_NOTHING (-1)

/* So that user space can take the cost of being watched out of the times that it was in. */
static __always_inline __u16 spent_take(struct thread *t)
{
	__u64 units = t->spent_ns / LMMSD_SPENT_NS;

	if (units > 0xffff)
		units = 0xffff;
	t->spent_ns -= units * LMMSD_SPENT_NS;
	return (__u16)units;
}

static __always_inline void spent_add(struct thread *t, __u64 since)
{
	__u64 ns = bpf_ktime_get_ns() - since, *all;
	__u32 zero = 0;

	if (have_task_storage) /* otherwise the thread is not told from others of its CPU */
		t->spent_ns += ns;
	all = bpf_map_lookup_elem(&spent, &zero);
	if (all)
		*all += ns;
}

static __always_inline void rec_begin(struct scratch *s, const struct hit *h, struct thread *t,
				      __u16 kind, const __u32 size)
{
	__builtin_memset(s->rec, 0, size);
	s->off = size;
	hdr_fill((void *)s->rec, kind, 0, h->ts, t->start_ns);
	((struct lmmsd_hdr *)s->rec)->spent = spent_take(t);
}

/*
 * Fallback without a place that only loads reach: at every import, is it one? A relative name is sent as
 * "PACKAGE/NAME", and user space finds out.
 */
static __always_inline bool entry_is_load(const struct hit *h, const struct lmmsd_interp *in,
					  __u8 *unsure)
{
	struct str_head head;
	int cached;

	*unsure = LMMSD_LOAD_UNSURE;
	if (h->arg[4])
		return true;
	if (str_head_read(in, h->arg[0], &head) || head.hash == -1 || head.hash == 0)
		return true; /* a str made just now, by the C API or by importlib */
	cached = in_sys_modules(in, tstate_find(in, h->bias), h->arg[0], head.hash);
	if (cached >= 0)
		*unsure = 0;
	return cached != 1;
}

static __always_inline void put_package(const struct hit *h, struct scratch *s,
					const struct lmmsd_interp *in, struct lmmsd_ev_load *e)
{
	struct globals *g = &s->globals;
	__u8 kind = 0, *slash;

	if (globals_read(in, s, h->arg[1], true, g))
		return;
	e->name_len = put_half(in, s, g->package, &kind);
	slash = rec_room(s, 1);
	if (!e->name_len || kind != LMMSD_STR_UTF8 || !slash) {
		s->off = sizeof(*e);
		e->name_len = 0;
		return;
	}
	*slash = '/';
	s->off++;
	e->name_len++;
	e->level |= h->arg[4] & 0x7f;
}

/* How the functions that begin a record start: to the verifier a global function's pointers may be NULL. */
#define CHECK_POINTERS(t, s, in)                                                                   \
	if (!(t) || !(s) || !(in))                                                                 \
	return SEND_NOTHING

/* A load begins. is_str: its name is a str object, else a char *. */
GLOBAL int load_begin(struct thread *t, struct scratch *s, const struct lmmsd_interp *in)
{
	struct lmmsd_ev_load *e;
	struct hit *h;
	bool entry, is_str;
	__u8 unsure = 0;
	__u64 name;

	CHECK_POINTERS(t, s, in);
	h = &t->hit;
	e = (void *)s->rec;
	entry = h->kind == LMMSD_SITE_IMPORT_LOAD;
	is_str = entry || h->kind == LMMSD_SITE_CALL_START;
	name = h->arg[0];
	if (entry && !entry_is_load(h, in, &unsure))
		return SEND_NOTHING;
	if (is_str && !entry && !method_confirmed(h, t, in)) {
		count_lost(LMMSD_LOST_NOT_FIND_AND_LOAD);
		return SEND_NOTHING;
	}
	rec_begin(s, h, t, LMMSD_EV_LOAD_START, sizeof(*e));
	e->sp = h->sp;
	e->interp = h->interp;
	e->level = unsure;
	if (entry && h->arg[4])
		put_package(h, s, in, e);
	if (e->level & 0x7f) {
		e->name_len += put_half(in, s, name, &e->name_kind);
		if (e->name_kind > LMMSD_STR_LATIN1)
			return SEND_NOTHING; /* wider than the package's characters: not worth a conversion */
	} else if (is_str)
		e->name_len = put_text(in, s, name, &e->name_kind);
	else
		e->name_len = put_cstr(s, name, LMMSD_NAME_MAX, &e->name_kind);
	h->name = is_str ? name : 0;
	return offsetof(struct lmmsd_ev_load, where);
}

/* A load or a body is done. */
GLOBAL int done_begin(struct thread *t, struct scratch *s, const struct lmmsd_interp *in)
{
	struct lmmsd_ev_leave *e;
	struct hit *h;
	bool body;

	CHECK_POINTERS(t, s, in);
	h = &t->hit;
	e = (void *)s->rec;
	body = h->kind == LMMSD_SITE_BODY_DONE;
	rec_begin(s, h, t, body ? LMMSD_EV_BODY_DONE : LMMSD_EV_LOAD_DONE, sizeof(*e));
	e->d.sp = h->sp;
	if (body)
		e->body = body_pop(h, t, in);
	else
		load_pop(h, t, in);
	e->d.frame = h->frame;
	e->d.interp = h->interp;
	e->d.found = (h->kind == LMMSD_SITE_USDT_DONE ? h->arg[1] : h->arg[0]) != 0;
	if (e->body)
		e->d.h.kind = LMMSD_EV_BODY_LEAVE;
	else
		s->off = sizeof(e->d);
	return SEND_NOW;
}

/* What the statements of this body need not say again. */
static __always_inline void body_number(struct thread *t, struct scratch *s,
					const struct lmmsd_interp *in, struct lmmsd_ev_enter *e)
{
	__u64 table = code_u64(s, in->co_linetable);
	bool cut = false;
	__s64 size = 0;
	__u32 want;

	e->b.h.kind = LMMSD_EV_BODY_ENTER;
	e->body = ++t->last_id;
	e->firstlineno = code_u32(s, in->co_firstlineno);
	e->body_linetab_len = put_whole_table(in, s, table, &size);
	if (e->body_linetab_len || size <= 0)
		return;
	e->cut = size > LMMSD_BODYTAB_MAX;
	want = e->cut ? LMMSD_BODYTAB_MAX : size;
	e->body_linetab_len = put_user(s, table + in->bytes_data, want, LMMSD_BODYTAB_MAX, &cut);
	e->cut |= e->body_linetab_len < want;
}

/*
 * Is it what the innermost open load is about? By the name's object, which goes from the call to the module. The start said
 * who asked then: walking importlib's frames again would cost as much as the rest. That the load began just now says
 * nothing: a finder of somebody's may call importlib.import_module for a module of its own.
 */
static __always_inline bool of_open_load(const struct thread *t, __u64 name)
{
	__u32 n = t->loads;

	return n && name && t->load_ends[(n - 1) & (MAX_ENDS - 1)].name == name;
}

/* PyEval_EvalCode(code, globals, locals): module bodies, and exec() and eval() of other things. */
GLOBAL int body_begin(struct thread *t, struct scratch *s, const struct lmmsd_interp *in)
{
	struct lmmsd_ev_enter *e;
	bool number, direct;
	struct globals *g;
	struct hit *h;
	__u64 code, dict;
	__s64 len = 0;

	CHECK_POINTERS(t, s, in);
	h = &t->hit;
	e = (void *)s->rec;
	g = &s->globals;
	code = h->arg[0];
	dict = h->arg[1];
	number = h->kind == LMMSD_SITE_BODY_START && !t->switches && t->bodies < MAX_ENDS;
	if (bpf_probe_read_user(s->code, sizeof(s->code), (void *)code))
		return SEND_NOTHING;
	if (!str_is(in, code_u64(s, in->co_name), U64_MODULE, 8, &s->known.module))
		return SEND_NOTHING;
	if (globals_read(in, s, dict, number, g))
		return SEND_NOTHING; /* exec with a dict of its own is no module */
	if (h->kind == LMMSD_SITE_MAIN && (str_head8(in, g->name, &len) != U64_MAIN || len != 8))
		return SEND_NOTHING;
	direct = of_open_load(t, g->name);
	if (!direct && g->at)
		return SEND_NOTHING; /* eval() with names of its own, as namedtuple() does */
	if (!direct || !number || ends_cross(t->body_ends, t->bodies, h->sp))
		h->frame = current_frame(in, h->bias);
	rec_begin(s, h, t, LMMSD_EV_BODY_START, sizeof(*e));
	if (!number)
		s->off = sizeof(e->b);
	e->b.sp = h->sp;
	e->b.interp = h->interp;
	e->b.name_len = put_text(in, s, g->name, &e->b.name_kind);
	e->b.body_file_len = put_text(in, s, code_u64(s, in->co_filename), &e->b.body_kind);
	if (number) {
		body_number(t, s, in, e);
		s->begins.code = code;
		s->begins.globals = dict;
		s->begins.package = g->package;
	}
	e->b.where.frame = h->frame;
	return direct ? SEND_NOW : (int)offsetof(struct lmmsd_ev_body, where);
}

/* The record was sent, so that user space knows it: what ends later is noted. */
static __always_inline void begun(const struct hit *h, struct thread *t, const struct scratch *s)
{
	const struct lmmsd_ev_enter *e = (const void *)s->rec;

	if (e->b.h.kind == LMMSD_EV_BODY_ENTER)
		body_push(h, t, e, &s->begins);
	else if (e->b.h.kind == LMMSD_EV_LOAD_START)
		load_push(h, t, e->b.sp); /* the field stands at the same place in both */
}

#define FILE_KEYS 4

/* Among FILE_KEYS entries from `first` on. */
static __always_inline __u64 find_file(const struct lmmsd_interp *in, struct scratch *s,
				       __u64 first, __u32 entry)
{
	__u32 i;

	if (bpf_probe_read_user(s->keys, FILE_KEYS * 24, (void *)first))
		return 0;
	for (i = 0; i < FILE_KEYS; i++) {
		__u32 at = entry == 16 ? i * 16 : i * 24 + 8;

		if (key_is(in, *(__u64 *)(s->keys + at), U64_FILE, 8, &s->known.file))
			return *(__u64 *)(s->keys + at + 8);
	}
	return 0;
}

/* __file__ of a C module: the last name, since it is set when the module was filled, or among the first. */
GLOBAL __u64 module_file(const struct lmmsd_interp *in, struct scratch *s, __u64 dict)
{
	__u64 n = 0, first, file;
	__u32 entry = 0;

	if (!in || !s)
		return 0;
	first = dict_entries(in, dict, &entry, &n);
	if (!first || n > 1000000)
		return 0;
	file = find_file(in, s, first + (n > FILE_KEYS ? n - FILE_KEYS : 0) * entry, entry);
	return file || n <= FILE_KEYS ? file : find_file(in, s, first + 4 * entry, entry);
}

/*
 * A C module's exec slots run, not right after the start of a load: perhaps importlib.import_module asked, which no
 * load probe sees.
 */
static __always_inline int ext_asked_begin(const struct hit *h, struct thread *t, struct scratch *s,
					   const struct lmmsd_interp *in)
{
	struct lmmsd_ev_body *e = (void *)s->rec;
	__u64 module = h->arg[0];

	rec_begin(s, h, t, LMMSD_EV_EXT_ASKED, sizeof(*e));
	e->sp = h->sp;
	e->interp = h->interp;
	e->name_len = put_text(in, s, rd64(module + in->mod_name), &e->name_kind);
	e->body_file_len = put_text(in, s, module_file(in, s, rd64(module + in->mod_dict)),
				    &e->body_kind);
	return offsetof(struct lmmsd_ev_body, where);
}

/* A C module's exec slots run. */
GLOBAL int ext_begin(struct thread *t, struct scratch *s, const struct lmmsd_interp *in)
{
	struct lmmsd_ev_ext *e;
	struct hit *h;
	__u64 module, name;

	CHECK_POINTERS(t, s, in);
	h = &t->hit;
	e = (void *)s->rec;
	module = h->arg[0];
	name = rd64(module + in->mod_name);
	if (!of_open_load(t, name)) {
		h->frame = current_frame(in, h->bias);
		return ext_asked_begin(h, t, s, in);
	}
	rec_begin(s, h, t, LMMSD_EV_EXT_EXEC, sizeof(*e));
	e->interp = h->interp;
	e->name_len = put_text(in, s, name, &e->name_kind);
	e->file_len = put_text(in, s, module_file(in, s, rd64(module + in->mod_dict)),
			       &e->file_kind);
	return SEND_NOW;
}

/* Source text is compiled. */
static __always_inline int compile_begin(const struct hit *h, struct thread *t, struct scratch *s,
					 const struct lmmsd_interp *in)
{
	struct lmmsd_ev_compile *e = (void *)s->rec;

	rec_begin(s, h, t, LMMSD_EV_COMPILE, sizeof(*e));
	e->interp = h->interp;
	e->file_len = put_text(in, s, h->arg[1], &e->file_kind);
	return SEND_NOW;
}

/* A lazy import wakes (PEP 810). */
static __always_inline int lazy_begin(const struct hit *h, struct thread *t, struct scratch *s)
{
	struct lmmsd_ev_load *e = (void *)s->rec;

	rec_begin(s, h, t, LMMSD_EV_LAZY, sizeof(*e));
	e->sp = h->sp;
	e->interp = h->interp;
	return offsetof(struct lmmsd_ev_load, where);
}

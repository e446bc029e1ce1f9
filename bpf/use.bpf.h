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
static __always_inline void use_place(const struct lmmsd_interp *in, struct lmmsd_use_key *key,
				      __u64 locals, __u64 fromlist)
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
		key->place = type_flags(in, locals) & TPFLAG_DICT ? LMMSD_PLACE_CLASS :
								    LMMSD_PLACE_FUNCTION;
	}
}

/* The event that tells what a new key means. */
static __always_inline int use_begin(struct pt_regs *ctx, const struct hit *h, struct scratch *s,
				     const struct lmmsd_use_key *key)
{
	struct lmmsd_ev_use *e = (void *)s->rec;
	struct globals *g = &s->globals;

	rec_begin(s, h, LMMSD_EV_USE, sizeof(*e));
	e->key = *key;
	e->interp = h->site->interp;
	e->name_len = put_text(h->in, s, arg(ctx, &h->site->arg[0]), &e->name_kind);
	if (key->level) {
		if (globals_read(h->in, s, key->globals, true, g))
			g->package = 0;
		e->package_len = put_text(h->in, s, g->package, &e->package_kind);
		if (!e->package_len)
			e->flags |= LMMSD_USEF_PACKAGE_NONE;
	}
	return offsetof(struct lmmsd_ev_use, where);
}

/*
 * A key that is new: true if it is to be announced. Bounded per process, so that one program cannot take the table
 * from the others.
 */
static __noinline bool use_new(const struct hit *h, struct lmmsd_use_key *key)
{
	__u32 tgid = h->t->tgid;
	struct proc *p = bpf_map_lookup_elem(&procs, &tgid);
	__u64 one = 1, *n;

	if (p && p->use_keys >= max_keys_per_proc) {
		/* The module's count stays exact; who imported it is given up. */
		key->globals = 0;
		key->flags |= LMMSD_USE_OVERFLOW;
		n = bpf_map_lookup_elem(&uses, key);
		if (n) {
			__sync_fetch_and_add(n, 1);
			return false;
		}
		if (p->use_keys >= 2 * max_keys_per_proc) {
			count_lost(LMMSD_LOST_USES_FULL);
			return false;
		}
	}
	if (bpf_map_update_elem(&uses, key, &one, BPF_NOEXIST)) {
		n = bpf_map_lookup_elem(&uses, key);
		if (n)
			__sync_fetch_and_add(n, 1); /* another thread was first */
		else
			count_lost(LMMSD_LOST_USES_FULL);
		return false;
	}
	if (p)
		__sync_fetch_and_add(&p->use_keys, 1);
	return true;
}

#define HASHED_WORDS 16

/*
 * A name without a hash is often a fresh object, somewhere else every time: the C API makes one a call, importlib one
 * a parent package. So its text stands for it, for more keys than names would fill the table. 0: too long, or no str.
 */
static __noinline __u64 text_hash(const struct lmmsd_interp *in, __u64 obj, __s64 length,
				  __u32 state)
{
	__u32 width, i;
	__u64 data = str_data(in, obj, state, &width), left, h = 0xcbf29ce484222325ULL;

	if (!data || length <= 0 || length > HASHED_WORDS * 8)
		return 0;
	left = (__u64)length * width;
	if (left > HASHED_WORDS * 8)
		return 0;
	for (i = 0; i < HASHED_WORDS; i++) {
		__u64 w = rd64(data + i * 8);

		if (left < 8)
			w &= (1ULL << (left * 8 & 63)) - 1;
		h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
		if (left <= 8)
			break;
		left -= 8;
	}
	return h ^ (__u64)length;
}

static __always_inline __u64 name_key(const struct lmmsd_interp *in, __u64 obj,
				      const struct str_head *name)
{
	__u64 text;

	if (name->hash != -1 && name->hash != 0)
		return (__u64)name->hash;
	text = text_hash(in, obj, name->length, name->state);
	return text ? text : obj;
}

/* An import statement of a numbered body, the first time that it runs there: sent, and not counted here. */
static __always_inline bool use_at(struct pt_regs *ctx, struct hit *h)
{
	__u64 globals = arg(ctx, &h->site->arg[1]), frame;
	struct body *b = body_top(h);
	struct lmmsd_ev_use_at *e;
	struct scratch *s;
	__s32 instr;

	/* Only the code's own: exec() with other locals is not at module level. */
	if (!b || b->globals != globals || arg(ctx, &h->site->arg[2]) != globals)
		return false;
	s = scratch_for(h);
	if (!s)
		return false;
	/* The body's frame stays where it is. While an import statement is its instruction, nothing else of it runs. */
	frame = b->frame ? b->frame : current_frame(h);
	if (frame_read(h->in, s, frame) || frame_code(h->in, s) != b->code)
		return false;
	b->frame = frame;
	instr = frame_instr(h->in, s, b->code);
	if (instr <= b->last || instr > b->most || /* a loop: counted */
	    opcode(h->in, b->code, instr) != h->in->op_import_name)
		return false;
	e = (void *)s->rec;
	rec_begin(s, h, LMMSD_EV_USE_AT, sizeof(*e));
	e->interp = h->site->interp;
	e->body = b->id;
	e->instr = instr;
	e->level = (__s16)arg(ctx, &h->site->arg[4]);
	e->name_len = put_text(h->in, s, arg(ctx, &h->site->arg[0]), &e->name_kind);
	if (e->level)
		e->package_len = put_text(h->in, s, b->package, &e->package_kind);
	if (!scratch_send(s)) {
		b->last = instr;
		h->t->asked = instr;
		h->t->asked_frame = frame;
	}
	return true;
}

/*
 * An entry without globals is importlib's own, or the last step of `import a.b`, unless Python code calls __import__
 * with nothing but a name: cpython-imports 1.1, 1.2. Whoever asks tells.
 */
static __always_inline bool use_is_noise(struct pt_regs *ctx, struct hit *h)
{
	__u64 globals = arg(ctx, &h->site->arg[1]), code;
	const struct lmmsd_interp *in = h->in;
	struct str_head name;
	struct scratch *s;
	__u32 op;

	if (globals)
		/* importlib opens each file with a helper that imports _io, or io */
		return globals == h->t->io_globals && globals == arg(ctx, &h->site->arg[2]) &&
		       !str_head_read(in, arg(ctx, &h->site->arg[0]), &name) && name.length <= 3;
	s = scratch_for(h);
	if (!s)
		return false;
	h->frame = current_frame(h);
	if (!h->frame)
		return true; /* the interpreter's start */
	if (frame_read(in, s, h->frame) || frame_is_shim(in, s))
		return false;
	code = frame_code(in, s);
	op = opcode(in, code, frame_instr(in, s, code));
	if (op == in->op_import_name || op >= OP_INSTRUMENTED)
		return true;
	return file_class(in, s, rd64(code + in->co_filename)) == FILE_BOOTSTRAP;
}

/*
 * After where_fill(): is it nobody's, as runpy's own of a package, or that helper's import? The next ones of the helper
 * are known by its globals. User space keeps neither, so nobody would take the key.
 */
static __always_inline bool use_learn(const struct hit *h, const struct scratch *s)
{
	const struct lmmsd_ev_use *e = (const void *)s->rec;
	const __u8 *name = s->rec + sizeof(*e);

	if (!e->key.globals && !(e->key.flags & LMMSD_USE_OVERFLOW) &&
	    !(e->where.flags & LMMSD_WHERE_FRAME))
		return true;
	if (!(e->key.flags & LMMSD_USE_CAPI) || !(e->where.flags & LMMSD_WHERE_INTERNAL) ||
	    !((e->name_len == 3 && name[0] == '_' && name[1] == 'i' && name[2] == 'o') ||
	      (e->name_len == 2 && name[0] == 'i' && name[1] == 'o')))
		return false;
	h->t->io_globals = e->key.globals;
	return true;
}

/* A key that is not announced: nobody would know what it counts, nor take it. */
static __always_inline void use_drop(const struct hit *h, const struct lmmsd_use_key *key)
{
	__u32 tgid = h->t->tgid;
	struct proc *p = bpf_map_lookup_elem(&procs, &tgid);

	if (!bpf_map_delete_elem(&uses, key) && p)
		__sync_fetch_and_add(&p->use_keys, -1);
}

/* Counts. True: the key is new and is to be announced. */
static __always_inline bool use_count(struct pt_regs *ctx, const struct hit *h,
				      struct lmmsd_use_key *key)
{
	__u64 obj = arg(ctx, &h->site->arg[0]), *n;
	struct str_head name;

	if (str_head_read(h->in, obj, &name))
		return false;
	key->tgid = h->t->tgid;
	key->start_ns = h->t->start_ns;
	key->level = (__s16)arg(ctx, &h->site->arg[4]);
	key->name = name_key(h->in, obj, &name);
	key->globals = arg(ctx, &h->site->arg[1]);
	use_place(h->in, key, arg(ctx, &h->site->arg[2]), arg(ctx, &h->site->arg[3]));
	n = bpf_map_lookup_elem(&uses, key);
	if (!n)
		return use_new(h, key);
	__sync_fetch_and_add(n, 1);
	return false;
}

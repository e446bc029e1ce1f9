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
GLOBAL int use_begin(struct thread *t, struct scratch *s, const struct lmmsd_interp *in,
		     const struct lmmsd_use_key *key)
{
	struct lmmsd_ev_use *e;
	struct globals *g;
	struct hit *h;

	CHECK_POINTERS(t, s, in);
	h = &t->hit;
	if (!key)
		return SEND_NOTHING;
	e = (void *)s->rec;
	g = &s->globals;
	rec_begin(s, h, t, LMMSD_EV_USE, sizeof(*e));
	e->key = *key;
	e->interp = h->interp;
	e->name_len = put_text(in, s, h->arg[0], &e->name_kind);
	if (key->level) {
		if (globals_read(in, s, key->globals, true, g))
			g->package = 0;
		e->package_len = put_text(in, s, g->package, &e->package_kind);
		if (!e->package_len)
			e->flags |= LMMSD_USEF_PACKAGE_NONE;
	}
	return offsetof(struct lmmsd_ev_use, where);
}

/*
 * A key that is new: true if it is to be announced. Bounded per process, so that one program cannot take the table
 * from the others.
 */
static __always_inline bool use_new(struct lmmsd_use_key *key)
{
	__u32 tgid = key->tgid;
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
GLOBAL __u64 text_hash(const struct lmmsd_interp *in, __u64 obj, __s64 length, __u32 state)
{
	__u64 data, left, h = 0xcbf29ce484222325ULL;
	__u32 width, i;

	if (!in)
		return 0;
	data = str_data(in, obj, state, &width);
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
GLOBAL int use_at_send(struct thread *t, struct scratch *s, const struct lmmsd_interp *in)
{
	struct lmmsd_ev_use_at *e;
	const struct hit *h;
	struct body *b;
	__u64 frame;
	__s32 instr;

	if (!t || !s || !in)
		return false;
	h = &t->hit;
	b = body_top(t);
	if (!b)
		return false;
	/* The body's frame stays where it is. While an import statement is its instruction, nothing else of it runs. */
	frame = b->frame ? b->frame : current_frame(in, h->bias);
	if (frame_read(in, s, frame) || frame_code(in, s) != b->code)
		return false;
	b->frame = frame;
	instr = frame_instr(in, s, b->code);
	if (instr <= b->last || instr > b->most || /* a loop: counted */
	    opcode(in, b->code, instr) != in->op_import_name)
		return false;
	e = (void *)s->rec;
	rec_begin(s, h, t, LMMSD_EV_USE_AT, sizeof(*e));
	e->interp = h->interp;
	e->body = b->id;
	e->instr = instr;
	e->level = (__s16)h->arg[4];
	e->name_len = put_text(in, s, h->arg[0], &e->name_kind);
	if (e->level)
		e->package_len = put_text(in, s, b->package, &e->package_kind);
	if (!scratch_send(s)) {
		b->last = instr;
		t->asked = instr;
		t->asked_frame = frame;
	}
	return true;
}

static __always_inline bool use_at(struct thread *t, const struct lmmsd_interp *in)
{
	const struct hit *h = &t->hit;
	const struct body *b = body_top(t);
	struct scratch *s;

	/* Only the code's own: exec() with other locals is not at module level. */
	if (!b || b->globals != h->arg[1] || h->arg[2] != h->arg[1])
		return false;
	s = scratch_for(h);
	return s && use_at_send(t, s, in);
}

/*
 * An entry without globals is importlib's own, or the last step of `import a.b`, unless Python code calls __import__
 * with nothing but a name: cpython-imports 1.1, 1.2. Whoever asks tells.
 */
GLOBAL int asker_is_noise(struct thread *t, struct scratch *s, const struct lmmsd_interp *in)
{
	struct hit *h;
	__u64 code;
	__u32 op;

	if (!t || !s || !in)
		return false;
	h = &t->hit;
	h->frame = current_frame(in, h->bias);
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

static __always_inline bool use_is_noise(struct thread *t, const struct lmmsd_interp *in)
{
	const struct hit *h = &t->hit;
	__u64 globals = h->arg[1];
	struct str_head name;
	struct scratch *s;

	if (globals)
		/* importlib opens each file with a helper that imports _io, or io */
		return globals == t->io_globals && globals == h->arg[2] &&
		       !str_head_read(in, h->arg[0], &name) && name.length <= 3;
	s = scratch_for(h);
	return s && asker_is_noise(t, s, in);
}

/*
 * After where_fill(): is it nobody's, as runpy's own of a package, or that helper's import? The next ones of the helper
 * are known by its globals. User space keeps neither, so nobody would take the key.
 */
static __always_inline bool use_learn(struct thread *t, const struct scratch *s)
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
	t->io_globals = e->key.globals;
	return true;
}

/* A key that is not announced: nobody would know what it counts, nor take it. */
static __always_inline void use_drop(const struct lmmsd_use_key *key)
{
	__u32 tgid = key->tgid;
	struct proc *p = bpf_map_lookup_elem(&procs, &tgid);

	if (!bpf_map_delete_elem(&uses, key) && p)
		__sync_fetch_and_add(&p->use_keys, -1);
}

/* Counts. True: the key is new and is to be announced. */
GLOBAL int use_count(const struct thread *t, const struct lmmsd_interp *in,
		     struct lmmsd_use_key *ret)
{
	const struct hit *h;
	struct lmmsd_use_key key =
		{}; /* on the stack: not every kernel takes another's memory for a key */
	struct str_head name;
	bool is_new = false;
	__u64 *n;

	if (!t || !in || !ret)
		return false;
	h = &t->hit;
	if (str_head_read(in, h->arg[0], &name))
		return false;
	key.tgid = t->tgid;
	key.start_ns = t->start_ns;
	key.level = (__s16)h->arg[4];
	key.name = name_key(in, h->arg[0], &name);
	key.globals = h->arg[1];
	use_place(in, &key, h->arg[2], h->arg[3]);
	n = bpf_map_lookup_elem(&uses, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		is_new = use_new(&key);
	if (is_new)
		*ret = key;
	return is_new;
}

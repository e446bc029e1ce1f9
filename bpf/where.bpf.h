/* SPDX-License-Identifier: GPL-2.0-only */
/* Who runs the import: the first frame that is not importlib's own, its module, function, file and instruction. */
#pragma once
#include "pyread.bpf.h"

#define OP_INSTRUMENTED                                                                            \
	253 /* monitoring and tracing put opcodes from here up in place of the statement's */

/* Whose code a file name says it is. */
#define FILE_OTHER 0
#define FILE_BOOTSTRAP 1 /* importlib._bootstrap, _bootstrap_external */
#define FILE_IMPORTLIB 2 /* importlib/__init__.py: import_module, reload */
#define FILE_RUNPY 3

/* Eight characters as the number that they are in memory: few branches, so few paths for the verifier to walk. */
#define WORD(s)                                                                                    \
	((__u64)(__u8)(s)[0] | (__u64)(__u8)(s)[1] << 8 | (__u64)(__u8)(s)[2] << 16 |              \
	 (__u64)(__u8)(s)[3] << 24 | (__u64)(__u8)(s)[4] << 32 | (__u64)(__u8)(s)[5] << 40 |       \
	 (__u64)(__u8)(s)[6] << 48 | (__u64)(__u8)(s)[7] << 56)

GLOBAL int file_class(const struct lmmsd_interp *in, struct scratch *s, __u64 obj)
{
	struct str_head h;
	__u64 head[3], tail[3];
	__u32 width;
	__u64 data;

	if (!in || !s)
		return FILE_OTHER;
	if (obj && obj == s->known.bootstrap)
		return FILE_BOOTSTRAP; /* its functions share the object */
	if (str_head_read(in, obj, &h))
		return FILE_OTHER;
	data = str_data(in, obj, h.state, &width);
	if (!data || width != 1 || h.length < 14 || h.length > 4096)
		return FILE_OTHER;
	if (h.length < 24) {
		/* "<frozen runpy>"; a file that ends in runpy.py has a longer path */
		if (h.length == 14 && rd64(data) == WORD("<frozen ") &&
		    rd64(data + 6) == WORD("n runpy>"))
			return FILE_RUNPY;
		return FILE_OTHER;
	}
	(void)bpf_probe_read_user(&head, sizeof(head), (void *)data);
	(void)bpf_probe_read_user(&tail, sizeof(tail), (void *)(data + h.length - 24));
	if (head[0] == WORD("<frozen ") && head[1] == WORD("importli") &&
	    head[2] == WORD("b._boots")) {
		s->known.bootstrap = obj;
		return FILE_BOOTSTRAP;
	}
	/* ".../importlib/__init__.py" */
	if (tail[0] >> 24 == WORD("___impor") >> 24 && tail[1] == WORD("tlib/__i") &&
	    tail[2] == WORD("nit__.py"))
		return FILE_IMPORTLIB;
	if (tail[1] >> 56 == '/' && tail[2] == WORD("runpy.py"))
		return FILE_RUNPY;
	return FILE_OTHER;
}

/* Offset in bytes of the current instruction of the frame in s->frame; negative: none. */
static __always_inline __s32 frame_instr(const struct lmmsd_interp *in, const struct scratch *s,
					 __u64 code)
{
	__u64 at = frame_u64(s, in->fr_instr);
	__s32 lasti;

	if (in->instr_mode == LMMSD_INSTR_PTR)
		return (__s32)(at - code - in->co_code);
	/* f_lasti is an int; the word above it belongs to another field */
	lasti = (__s32)(at >> (in->fr_instr & 4 ? 32 : 0));
	return in->instr_mode == LMMSD_INSTR_UNITS && lasti > 0 ? lasti * 2 : lasti;
}

/* The opcode there, or 0. */
static __always_inline __u32 opcode(const struct lmmsd_interp *in, __u64 code, __s32 instr)
{
	__u64 first = code + in->co_code;
	__u8 op;

	if (in->instr_mode != LMMSD_INSTR_PTR)
		first = rd64(first) + in->bytes_data;
	if (instr < 0 || bpf_probe_read_user(&op, sizeof(op), (void *)(first + (__u32)instr)))
		return 0;
	return op;
}

static __always_inline long frame_read(const struct lmmsd_interp *in, struct scratch *s,
				       __u64 frame)
{
	__u32 size = in->instr_mode == LMMSD_INSTR_PTR ? 80 : 128;

	return frame ? bpf_probe_read_user(s->frame, size, (void *)frame) : -1;
}

/* 3.11+: a frame that is no Python code's. */
static __always_inline bool frame_is_shim(const struct lmmsd_interp *in, const struct scratch *s)
{
	return in->fr_owner != LMMSD_OFF_NONE &&
	       s->frame[in->fr_owner & 0x7f] > in->owner_generator_max;
}

static __always_inline __u64 frame_code(const struct lmmsd_interp *in, const struct scratch *s)
{
	return frame_u64(s, in->fr_code) & ~3ULL; /* 3.14+ tag bits */
}

#define WALK_CODE 0 /* s->frame and s->code hold who asked */
#define WALK_BODY 1 /* it is walk.body that asked; s->code was not read */

/* Whoever had importlib import: by a statement, or by a call as import_module's? */
static __always_inline void note_statement(const struct lmmsd_interp *in, struct walk *w)
{
	if ((w->flags & LMMSD_WHERE_INTERNAL) &&
	    opcode(in, w->code, w->instr) == in->op_import_name)
		w->flags |= LMMSD_WHERE_ASKS;
}

/*
 * Finds the frame that asked, starting at w->frame. Negative: none. The frames of importlib and runpy are passed over,
 * unless the import is a statement of theirs.
 */
GLOBAL int frame_walk(const struct lmmsd_interp *in, struct scratch *s, struct walk *w)
{
	bool first = true;
	__u32 i;

	if (!in || !s || !w)
		return -1;
	w->flags = 0;
	for (i = 0; i < MAX_FRAMES; i++) {
		__u32 op, cls;

		if (frame_read(in, s, w->frame))
			return -1;
		if (frame_is_shim(in, s)) {
			w->frame = frame_u64(s, in->fr_previous);
			continue;
		}
		w->code = frame_code(in, s);
		w->instr = frame_instr(in, s, w->code);
		if (first) {
			op = opcode(in, w->code, w->instr);
			if (op == in->op_import_name || op >= OP_INSTRUMENTED)
				w->flags |= LMMSD_WHERE_STMT;
		}
		if (w->body && w->code == w->body) {
			note_statement(in, w);
			return WALK_BODY;
		}
		if (bpf_probe_read_user(s->code, sizeof(s->code), (void *)w->code))
			return -1;
		if (w->flags & LMMSD_WHERE_STMT)
			return WALK_CODE;
		first = false;
		cls = file_class(in, s, code_u64(s, in->co_filename));
		if (cls == FILE_BOOTSTRAP)
			w->flags |= LMMSD_WHERE_INTERNAL;
		else if (cls != FILE_OTHER && (code_u32(s, in->co_flags) & 3) == 3)
			w->flags |= LMMSD_WHERE_DYNAMIC;
		else {
			note_statement(in, w);
			return WALK_CODE;
		}
		w->frame = frame_u64(s, in->fr_previous);
	}
	return -1;
}

static __always_inline void put_linetab(const struct lmmsd_interp *in, struct scratch *s,
					struct lmmsd_where *w)
{
	__u64 table = code_u64(s, in->co_linetable);
	__s64 size = rd64(table + in->ob_size);
	__u32 want;
	bool cut = false;

	if (!table || size <= 0 || w->instr < 0)
		return;
	/* Up to four bytes of table for each two of code: what lies behind the instruction is of no use. */
	want = (__u32)w->instr * 2 + 64;
	if (want > LMMSD_LINETAB_MAX)
		want = LMMSD_LINETAB_MAX;
	if (size < want)
		want = size;
	else
		w->flags |= LMMSD_WHERE_CUT;
	w->linetab_len = put_user(s, table + in->bytes_data, want, LMMSD_LINETAB_MAX, &cut);
}

/* The strings of the code in s->code, which runs in s->frame. */
GLOBAL int where_code(const struct lmmsd_interp *in, struct scratch *s, struct lmmsd_where *w)
{
	struct globals *g;
	__u64 func;

	if (!in || !s || !w)
		return -1;
	func = code_u64(s, in->co_name);
	g = &s->globals;
	w->firstlineno = code_u32(s, in->co_firstlineno);
	if ((code_u32(s, in->co_flags) & 3) == 3)
		w->flags |= LMMSD_WHERE_FUNC;
	else if (str_is(in, func, U64_MODULE, 8, &s->known.module))
		w->flags |= LMMSD_WHERE_MODBODY;
	else
		w->flags |= LMMSD_WHERE_CLASS;
	if (!globals_read(in, s, frame_u64(s, in->fr_globals), false, g))
		w->importer_len = put_text(in, s, g->name, &w->importer_kind);
	w->file_len = put_text(in, s, code_u64(s, in->co_filename), &w->file_kind);
	w->func_len = put_text(in, s, func, &w->func_kind);
	put_linetab(in, s, w);
	return 0;
}

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

static __noinline int file_class(const struct lmmsd_interp *in, __u64 obj)
{
	struct str_head h;
	__u64 head[3], tail[3];
	__u32 width;
	__u64 data;

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
	    head[2] == WORD("b._boots"))
		return FILE_BOOTSTRAP;
	/* ".../importlib/__init__.py" */
	if (tail[0] >> 24 == WORD("___impor") >> 24 && tail[1] == WORD("tlib/__i") &&
	    tail[2] == WORD("nit__.py"))
		return FILE_IMPORTLIB;
	if (tail[1] >> 56 == '/' && tail[2] == WORD("runpy.py"))
		return FILE_RUNPY;
	return FILE_OTHER;
}

/* The current instruction: *ret_instr is its offset in bytes; the opcode, or 0. */
static __always_inline __u32 frame_opcode(const struct lmmsd_interp *in, struct scratch *s,
					  __u64 code, __s32 *ret_instr)
{
	__u64 at = 0;
	__u8 op = 0;

	if (in->instr_mode == LMMSD_INSTR_PTR) {
		at = frame_u64(s, in->fr_instr);
		*ret_instr = (__s32)(at - code - in->co_code);
	} else {
		/* f_lasti is an int; the word above it belongs to another field */
		__s32 lasti = (__s32)(frame_u64(s, in->fr_instr) >> (in->fr_instr & 4 ? 32 : 0));

		if (lasti < 0)
			return 0;
		if (in->instr_mode == LMMSD_INSTR_UNITS)
			lasti *= 2;
		*ret_instr = lasti;
		at = code_u64(s, in->co_code) + in->bytes_data + (__u32)lasti;
	}
	if (bpf_probe_read_user(&op, sizeof(op), (void *)at))
		return 0;
	return op;
}

struct walk {
	__u64 frame;
	__u64 code;
	__u32 flags;
	__s32 instr;
};

/*
 * Finds the frame that asked, starting at `frame`. 0: s->frame and s->code hold it. The frames of importlib and
 * runpy are passed over, unless the import is a statement of theirs.
 */
static __noinline int frame_walk(const struct lmmsd_interp *in, struct scratch *s, struct walk *w)
{
	__u64 frame = w->frame;
	__u32 i, size = in->instr_mode == LMMSD_INSTR_PTR ? 80 : 128;
	bool first = true;

	w->flags = 0;
	for (i = 0; i < MAX_FRAMES; i++) {
		__u64 code;
		__u32 op, cls;

		if (!frame || bpf_probe_read_user(s->frame, size, (void *)frame))
			return -1;
		if (in->fr_owner != LMMSD_OFF_NONE &&
		    s->frame[in->fr_owner & 0x7f] > in->owner_generator_max) {
			frame = frame_u64(s, in->fr_previous);
			continue;
		}
		code = frame_u64(s, in->fr_code) & ~3ULL; /* 3.14+ tag bits */
		if (bpf_probe_read_user(s->code, sizeof(s->code), (void *)code))
			return -1;
		w->frame = frame;
		w->code = code;
		op = frame_opcode(in, s, code, &w->instr);
		if (first && (op == in->op_import_name || op >= OP_INSTRUMENTED)) {
			w->flags |= LMMSD_WHERE_STMT;
			return 0;
		}
		first = false;
		cls = file_class(in, code_u64(s, in->co_filename));
		if (cls == FILE_BOOTSTRAP)
			w->flags |= LMMSD_WHERE_INTERNAL;
		else if (cls != FILE_OTHER && (code_u32(s, in->co_flags) & 3) == 3)
			w->flags |= LMMSD_WHERE_DYNAMIC;
		else
			return 0;
		frame = frame_u64(s, in->fr_previous);
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

/*
 * Fills w, which lies in the record, and appends its strings. The record's fixed part and earlier strings stand
 * already. w->frame stays the current frame, by which a start pairs with its done, not that of who asked.
 */
static __noinline int where_fill(const struct lmmsd_interp *in, struct scratch *s, __u64 frame,
				 struct lmmsd_where *w)
{
	struct walk walk = {.frame = frame};
	struct globals g;
	__s64 len = 0;
	__u64 func;

	w->frame = frame;
	if (!frame)
		return 0; /* interpreter start-up: nobody's import */
	if (frame_walk(in, s, &walk)) {
		w->flags = walk.flags;
		return 0;
	}
	w->code = walk.code;
	w->instr = walk.instr;
	w->flags = walk.flags | LMMSD_WHERE_FRAME;
	w->firstlineno = code_u32(s, in->co_firstlineno);
	func = code_u64(s, in->co_name);
	if ((code_u32(s, in->co_flags) & 3) == 3)
		w->flags |= LMMSD_WHERE_FUNC;
	else if (str_head8(in, func, &len) == U64_MODULE && len == 8)
		w->flags |= LMMSD_WHERE_MODBODY;
	else
		w->flags |= LMMSD_WHERE_CLASS;
	if (!globals_read(in, s, frame_u64(s, in->fr_globals), false, &g))
		w->importer_len = put_str(in, s, g.name, LMMSD_NAME_MAX, &w->importer_kind);
	w->file_len = put_str(in, s, code_u64(s, in->co_filename), LMMSD_FILE_MAX, &w->file_kind);
	w->func_len = put_str(in, s, func, LMMSD_FUNC_MAX, &w->func_kind);
	put_linetab(in, s, w);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * 3.10+: PyEval_EvalCode of Python/ceval.c ends with the evaluation and some releases of references: the first
 * instruction after the evaluating call that the kernel emulates is the body's end. Up to 3.9 nothing but `ret` follows
 * the call, so the callers are probed instead: see target_exec.c.
 */
#include <errno.h>

#include "probe/target_find.h"
#include "probe/target_state.h"
#include "probe/target_walk.h"

#define FIELD_MIN                                                                                  \
	0x100 /* interp->eval_frame lies far behind; tp_dealloc, the other field that is called, at 0x30 */
#define CALLEE_SIZE 4096

/* (*interp->eval_frame)(tstate, frame, 0) */
static bool calls_field(const struct code_insn *insn, const struct code_state *s)
{
	const cs_x86_op *op = &insn->cs->detail->x86.operands[0];
	struct code_val v = {0};
	unsigned int size;
	enum code_reg r;

	if (s->reg[RDX].kind != VAL_CONST || s->reg[RDX].v != 0)
		return false;
	if (op->type == X86_OP_REG) {
		r = state_reg(op->reg, &size);
		if (r != CODE_REGS)
			v = s->reg[r];
	} else if (op->type == X86_OP_MEM && op->mem.base != X86_REG_RIP &&
		   op->mem.index == X86_REG_INVALID) {
		v = (struct code_val){VAL_FIELD, op->mem.disp};
	}
	return v.kind == VAL_FIELD && v.v >= FIELD_MIN;
}

/* MAYBE: a local function, to be looked into. */
static enum target_verdict judge(enum callee callee, const struct code_insn *insn,
				 const struct code_state *s, void *arg)
{
	(void)arg;
	if (callee == CALLEE_EVAL)
		return TARGET_YES;
	if (callee != CALLEE_UNKNOWN)
		return TARGET_NO;
	if (insn->kind == CODE_CALL)
		return TARGET_MAYBE;
	return calls_field(insn, s) ? TARGET_YES : TARGET_NO;
}

static void visit_local(struct code *c, const struct code_insn *insn, const struct code_state *s,
			void *arg)
{
	bool *evaluates = arg;

	(void)s;
	if (insn->kind == CODE_CALL || insn->kind == CODE_CALL_IND || insn->kind == CODE_JMP)
		*evaluates |= code_callee(c, insn) == CALLEE_EVAL;
}

/* _PyEval_Vector: not exported everywhere. */
static bool local_evaluates(struct code *c, uint64_t va)
{
	bool evaluates = false;

	return code_walk(c, va, CALLEE_SIZE, visit_local, &evaluates, NULL) == 0 && evaluates;
}

int target_bodies(struct target *t, struct telf *f, struct code *c, const char **ret_why)
{
	struct lmmsd_site start = {.kind = LMMSD_SITE_BODY_START};
	struct target_calls calls;
	uint64_t va, size;
	size_t first;

	if (target_minor(t) <= 9)
		return target_exec(t, f, c, ret_why);
	*ret_why = "the begin of PyEval_EvalCode cannot be probed";
	if (target_function(f, "PyEval_EvalCode", &va, &size) < 0 ||
	    target_entry_x86(c, va, size, 0x3, &start) < 0 || !target_add(t, f, &start, 0))
		return -ENOENT;
	*ret_why = "the code of PyEval_EvalCode could not be followed";
	if (target_find_calls(c, va, size, false, judge, NULL, &calls) < 0 || calls.lost)
		return -ENOENT;
	*ret_why = "the evaluation in PyEval_EvalCode cannot be probed cheaply";
	first = t->n_sites;
	for (size_t i = 0; i < calls.n; i++) {
		struct lmmsd_site done = {.kind = LMMSD_SITE_BODY_DONE};

		if (calls.call[i].verdict == TARGET_MAYBE &&
		    !local_evaluates(c, calls.call[i].target))
			continue;
		if (target_after_call(c, &calls.call[i], true, &done) < 0 ||
		    !target_add_once(t, f, &done))
			return -ENOENT;
	}
	return t->n_sites > first ? 0 : -ENOENT;
}

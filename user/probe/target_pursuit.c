/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * An address is pursued through registers, on all paths, until no register holds it. Most references are none to a
 * method: all names are interned when the interpreter starts. A call that is seen in no copy that is known could be missed
 * here (with its zeros made before the name); target_copies() asks that all known ones be found.
 */
#include "probe/target_pursuit.h"

#include "base/cleanup.h"
#include "probe/target_state.h"

#define MAX_STEPS 256 /* instructions on all paths together */
#define MAX_FORKS 8   /* conditional jumps along one path */

struct pursuit {
	struct code *c; /* borrowed */
	uint64_t to, number;
	unsigned int steps;
	uint64_t call; /* the first that was seen */
	bool lost;
};

static bool is_alive(const struct pursuit *p, const struct code_state *s)
{
	for (size_t i = 0; i < CODE_REGS; i++)
		if (s->reg[i].kind == VAL_CONST &&
		    ((uint64_t)s->reg[i].v == p->to ||
		     (p->number != 0 && (uint64_t)s->reg[i].v == p->number)))
			return true;
	return false;
}

/*
 * PyObject_CallMethodObjArgs(object, method, argument..., NULL): with variable arguments, eax counts those in vector
 * registers. Names are keys of tables elsewhere.
 */
static bool calls_method(const struct pursuit *p, const struct code_state *s)
{
	static const enum code_reg zero[] = {RAX, R8, R9};

	if (s->reg[RSI].kind != VAL_CONST || (uint64_t)s->reg[RSI].v != p->to)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(zero); i++)
		if (s->reg[zero[i]].kind == VAL_CONST && s->reg[zero[i]].v == 0)
			return true;
	return false;
}

/* One path from va, and those that leave it. */
static void pursue(struct pursuit *p, uint64_t va, struct code_state s, unsigned int forks)
{
	struct code_insn insn;

	while (is_alive(p, &s)) {
		if (p->steps++ >= MAX_STEPS || !code_decode(p->c, va, &insn)) {
			p->lost = true;
			return;
		}
		if (insn.kind == CODE_RET || insn.kind == CODE_STOP)
			return;
		if ((insn.kind == CODE_CALL || insn.kind == CODE_CALL_IND) && calls_method(p, &s)) {
			if (p->call == 0)
				p->call = insn.va;
			return;
		}
		if (insn.kind == CODE_JCC) {
			if (forks == MAX_FORKS)
				p->lost = true;
			else
				pursue(p, insn.target, s, ++forks);
		}
		code_step(p->c, &insn, &s);
		va = insn.kind == CODE_JMP ? insn.target : insn.next;
	}
}

bool target_pursue(struct code *c, const struct text_refs *refs, struct text_ref *ref)
{
	struct pursuit p = {.c = c, .to = refs->to, .number = refs->number};
	struct code_state s = {0};
	struct code_insn insn;
	unsigned int size;
	enum code_reg r;

	ref->call = 0;
	if (!code_decode(c, ref->va, &insn))
		return code_exhausted(c);
	if (insn.cs->detail->x86.op_count == 0)
		return false;
	r = state_reg(insn.cs->detail->x86.operands[0].reg, &size);
	if (r == CODE_REGS)
		return false;
	code_step(c, &insn, &s);
	/* the last step to the address may need what is not known here, like the pointer to _PyRuntime in a register */
	if (!ref->is_number)
		s.reg[r] = (struct code_val){VAL_CONST, (int64_t)refs->to};
	pursue(&p, insn.next, s, 0);
	ref->call = p.call;
	return p.call != 0 || p.lost;
}

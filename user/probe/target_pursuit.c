/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * An address is pursued through registers, on all paths, until no register holds it. Most references are none to a
 * method: all names are interned when the interpreter starts. A call that is seen in no copy that is known could be missed
 * here (with its zeros made before the name); target_copies() asks that all known ones be found.
 */
#include "probe/target_pursuit.h"

#include "base/cleanup.h"
#include "probe/target_state.h"

#define MAX_STEPS 2048 /* instructions on all paths together */
#define MAX_FORKS 32   /* conditional jumps along one path */
#define MAX_SEEN 256

struct pursuit {
	struct code *c; /* borrowed */
	uint64_t to, number;
	unsigned int steps;
	uint64_t call; /* the first that was seen */
	bool lost;
	struct seen {
		uint64_t va, known;
	} seen[MAX_SEEN]; /* where jumps led, knowing what */
	size_t n_seen;
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

/* What matters of a state: registers with the address, with the number, with zero. */
static uint64_t known(const struct pursuit *p, const struct code_state *s)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < CODE_REGS; i++) {
		uint64_t v = (uint64_t)s->reg[i].v;

		if (s->reg[i].kind == VAL_CONST)
			bits |= (uint64_t)(v == p->to	  ? 1 :
					   v == p->number ? 2 :
					   v == 0	  ? 3 :
							    0)
				<< 2 * i;
	}
	return bits;
}

/* Was a path from there pursued already? Remembers it; where that is full, paths end by their number of steps. */
static bool is_seen(struct pursuit *p, uint64_t va, const struct code_state *s)
{
	const struct seen now = {va, known(p, s)};

	for (size_t i = 0; i < p->n_seen; i++)
		if (p->seen[i].va == now.va && p->seen[i].known == now.known)
			return true;
	if (p->n_seen < MAX_SEEN)
		p->seen[p->n_seen++] = now;
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
		if ((insn.kind == CODE_CALL || insn.kind == CODE_CALL_IND) &&
		    code_callee(p->c, &insn) == CALLEE_NORETURN)
			return;
		if (insn.kind == CODE_JCC) {
			if (forks == MAX_FORKS)
				p->lost = true;
			else if (!is_seen(p, insn.target, &s))
				pursue(p, insn.target, s, ++forks);
		}
		code_step(p->c, &insn, &s);
		va = insn.kind == CODE_JMP ? insn.target : insn.next;
		if (insn.kind == CODE_JMP && is_seen(p, va, &s))
			return;
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

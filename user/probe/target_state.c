/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/target_state.h"

#include <string.h>

#include "base/cleanup.h"

static const struct code_val unknown = {VAL_UNKNOWN, 0};

static bool same(struct code_val a, struct code_val b)
{
	return a.kind == b.kind && a.v == b.v;
}

/* Is the value whole in 32 bits? The fifth argument is an int in every function that is looked at. */
static bool is_int(struct code_val v)
{
	return (v.kind == VAL_CONST && v.v >= 0 && v.v <= UINT32_MAX) ||
	       (v.kind == VAL_ARG && v.v == 4);
}

static const uint16_t names[CODE_REGS][5] = {
	/* 8, 4, 2, 1 bytes, second byte */
	[RAX] = {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
	[RCX] = {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
	[RDX] = {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
	[RBX] = {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
	[RSP] = {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL, 0},
	[RBP] = {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL, 0},
	[RSI] = {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL, 0},
	[RDI] = {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL, 0},
	[R8] = {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B, 0},
	[R9] = {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B, 0},
	[R10] = {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B, 0},
	[R11] = {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B, 0},
	[R12] = {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B, 0},
	[R13] = {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B, 0},
	[R14] = {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B, 0},
	[R15] = {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B, 0},
};

enum code_reg state_reg(unsigned int capstone_reg, unsigned int *ret_size)
{
	static const unsigned int size[5] = {8, 4, 2, 1, 1};

	for (enum code_reg r = 0; capstone_reg != X86_REG_INVALID && r < CODE_REGS; r++)
		for (size_t k = 0; k < 5; k++)
			if (names[r][k] == capstone_reg) {
				*ret_size = size[k];
				return r;
			}
	return CODE_REGS;
}

void code_state_entry(struct code_state *s)
{
	static const uint8_t args[] = {RDI, RSI, RDX, RCX, R8, R9}; /* System V ABI */

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < sizeof(args); i++)
		s->reg[args[i]] = (struct code_val){VAL_ARG, (int64_t)i};
	s->reg[RSP] = (struct code_val){VAL_FRAME, 0};
}

bool state_meet(struct code_state *s, const struct code_state *other)
{
	bool less = false;

	for (size_t i = 0; i < CODE_REGS; i++)
		if (s->reg[i].kind != VAL_UNKNOWN && !same(s->reg[i], other->reg[i])) {
			s->reg[i] = unknown;
			less = true;
		}
	for (size_t i = 0; i < s->n_slots;) {
		size_t k = 0;

		while (k < other->n_slots && (other->slot[k].off != s->slot[i].off ||
					      !same(other->slot[k].val, s->slot[i].val)))
			k++;
		if (k < other->n_slots) {
			i++;
			continue;
		}
		s->slot[i] = s->slot[--s->n_slots];
		less = true;
	}
	return less;
}

/* A store of n bytes at off forgets what stood there; 8 known bytes are kept instead. */
static void store(struct code_state *s, int64_t off, unsigned int n, struct code_val v)
{
	for (size_t i = 0; i < s->n_slots;) {
		if (s->slot[i].off < off + n && off < s->slot[i].off + 8)
			s->slot[i] = s->slot[--s->n_slots];
		else
			i++;
	}
	if (n != 8 || v.kind == VAL_UNKNOWN || s->n_slots == CODE_SLOTS)
		return;
	s->slot[s->n_slots].off = off;
	s->slot[s->n_slots++].val = v;
}

static struct code_val plus(struct code_val a, int64_t n)
{
	if (a.kind != VAL_CONST && a.kind != VAL_FRAME)
		return unknown;
	a.v = (int64_t)((uint64_t)a.v + (uint64_t)n);
	return a;
}

struct code_val state_address(const struct code_insn *insn, const x86_op_mem *m,
			      const struct code_state *s)
{
	unsigned int size;
	enum code_reg r;

	if (m->index != X86_REG_INVALID || m->segment == X86_REG_FS || m->segment == X86_REG_GS)
		return unknown;
	if (m->base == X86_REG_RIP)
		return (struct code_val){VAL_CONST, (int64_t)(insn->next + (uint64_t)m->disp)};
	if (m->base == X86_REG_INVALID)
		return (struct code_val){VAL_CONST, m->disp};
	r = state_reg(m->base, &size);
	return r == CODE_REGS || size != 8 ? unknown : plus(s->reg[r], m->disp);
}

/* A constant that the dynamic linker puts there: an entry of the global offset table. Other data can change. */
static struct code_val load_const(struct telf *f, uint64_t va)
{
	Elf64_Rela rel;
	Elf64_Sym sym;

	if (telf_reloc(f, va, &rel) < 0)
		return unknown;
	switch (ELF64_R_TYPE(rel.r_info)) {
	case R_X86_64_RELATIVE:
		return (struct code_val){VAL_CONST, rel.r_addend};
	case R_X86_64_GLOB_DAT:
		if (telf_symbol_at(f, (uint32_t)ELF64_R_SYM(rel.r_info), &sym) < 0 ||
		    sym.st_shndx == SHN_UNDEF)
			return unknown;
		return (struct code_val){VAL_CONST, (int64_t)sym.st_value};
	default:
		return unknown;
	}
}

static struct code_val load(struct telf *f, const struct code_insn *insn, const x86_op_mem *m,
			    const struct code_state *s)
{
	struct code_val a = state_address(insn, m, s);

	if (a.kind == VAL_CONST)
		return load_const(f, (uint64_t)a.v);
	if (a.kind == VAL_FRAME) {
		for (size_t i = 0; i < s->n_slots; i++)
			if (s->slot[i].off == a.v)
				return s->slot[i].val;
		return unknown;
	}
	if (m->index != X86_REG_INVALID || m->base == X86_REG_INVALID ||
	    m->segment != X86_REG_INVALID)
		return unknown;
	return (struct code_val){VAL_FIELD, m->disp};
}

/* Value of a source operand. */
static struct code_val source(struct telf *f, const struct code_insn *insn, const cs_x86_op *op,
			      const struct code_state *s)
{
	unsigned int size;
	enum code_reg r;

	switch (op->type) {
	case X86_OP_IMM:
		return (struct code_val){VAL_CONST, op->imm};
	case X86_OP_MEM:
		return op->size == 8 ? load(f, insn, &op->mem, s) : unknown;
	case X86_OP_REG:
		r = state_reg(op->reg, &size);
		return r == CODE_REGS || (size != 8 && !(size == 4 && is_int(s->reg[r]))) ?
			       unknown :
			       s->reg[r];
	default:
		return unknown;
	}
}

static void assign(const struct code_insn *insn, const cs_x86_op *op, struct code_state *s,
		   struct code_val v)
{
	struct code_val a;
	unsigned int size;
	enum code_reg r;

	if (op->type == X86_OP_REG) {
		r = state_reg(op->reg, &size);
		if (r == CODE_REGS)
			return;
		/* 32-bit writes clear the upper half: only a small positive constant is still itself */
		if (size < 4 || (size == 4 && !is_int(v)))
			v = unknown;
		s->reg[r] = v;
	} else if (op->type == X86_OP_MEM) {
		a = state_address(insn, &op->mem, s);
		if (a.kind == VAL_FRAME)
			store(s, a.v, op->size ? op->size : 64, v);
	}
}

/* Everything that the instruction may write becomes unknown. */
static void forget(csh cs, const struct code_insn *insn, struct code_state *s)
{
	const cs_x86 *x = &insn->cs->detail->x86;
	cs_regs read, written;
	uint8_t n_read = 0, n_written = 0;
	unsigned int size;

	if (insn->cs->id == X86_INS_CMP || insn->cs->id == X86_INS_TEST ||
	    insn->cs->id == X86_INS_NOP)
		return;
	if (cs_regs_access(cs, insn->cs, read, &n_read, written, &n_written) == CS_ERR_OK)
		for (size_t i = 0; i < n_written; i++) {
			enum code_reg r = state_reg(written[i], &size);

			if (r != CODE_REGS)
				s->reg[r] = unknown;
		}
	/* capstone 4 does not know of every write: the first operand is one, except of what is above */
	if (x->op_count > 0)
		assign(insn, &x->operands[0], s, unknown);
	if (insn->cs->id == X86_INS_XCHG || insn->cs->id == X86_INS_XADD)
		assign(insn, &x->operands[1], s, unknown);
}

void code_after_call(struct code_state *s, struct code_val result)
{
	static const uint8_t clobbered[] = {RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11};

	for (size_t i = 0; i < sizeof(clobbered); i++)
		s->reg[clobbered[i]] = unknown;
	s->reg[RAX] = result;
	/* below the stack pointer everything may be overwritten */
	for (size_t i = 0; s->reg[RSP].kind == VAL_FRAME && i < s->n_slots;) {
		if (s->slot[i].off < s->reg[RSP].v)
			s->slot[i] = s->slot[--s->n_slots];
		else
			i++;
	}
}

/* clang: mov $OFFSET,%esi; add POINTER(%rip),%rsi */
static struct code_val sum(struct code_val a, struct code_val b)
{
	return b.kind == VAL_CONST ? plus(a, b.v) : a.kind == VAL_CONST ? plus(b, a.v) : unknown;
}

static void step_push(struct telf *f, const struct code_insn *insn, struct code_state *s)
{
	struct code_val v = source(f, insn, &insn->cs->detail->x86.operands[0], s);

	s->reg[RSP] = plus(s->reg[RSP], -8);
	if (s->reg[RSP].kind == VAL_FRAME)
		store(s, s->reg[RSP].v, 8, v);
}

static void step_pop(const struct code_insn *insn, struct code_state *s)
{
	struct code_val v = unknown;

	for (size_t i = 0; s->reg[RSP].kind == VAL_FRAME && i < s->n_slots; i++)
		if (s->slot[i].off == s->reg[RSP].v)
			v = s->slot[i].val;
	s->reg[RSP] = plus(s->reg[RSP], 8);
	assign(insn, &insn->cs->detail->x86.operands[0], s, v);
}

/* mov %rbp,%rsp; pop %rbp */
static void step_leave(struct code_state *s)
{
	s->reg[RSP] = plus(s->reg[RBP], 8);
	s->reg[RBP] = unknown;
}

void state_step(struct telf *f, csh cs, const struct code_insn *insn, struct code_state *s)
{
	const cs_x86 *x = &insn->cs->detail->x86;
	const cs_x86_op *to = &x->operands[0], *from = &x->operands[1];
	struct code_val v;

	if (insn->kind == CODE_CALL || insn->kind == CODE_CALL_IND) {
		code_after_call(s, unknown);
		return;
	}
	switch (x->op_count < 1 ? X86_INS_INVALID : insn->cs->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
		assign(insn, to, s, source(f, insn, from, s));
		return;
	case X86_INS_LEA:
		v = from->type == X86_OP_MEM ? state_address(insn, &from->mem, s) : unknown;
		assign(insn, to, s, v);
		return;
	case X86_INS_ADD:
		assign(insn, to, s, sum(source(f, insn, to, s), source(f, insn, from, s)));
		return;
	case X86_INS_SUB:
		v = unknown;
		if (from->type == X86_OP_IMM)
			v = plus(source(f, insn, to, s), (int64_t) - (uint64_t)from->imm);
		assign(insn, to, s, v);
		return;
	case X86_INS_XOR:
		v = unknown;
		if (to->type == X86_OP_REG && from->type == X86_OP_REG && to->reg == from->reg)
			v = (struct code_val){VAL_CONST, 0};
		assign(insn, to, s, v);
		return;
	case X86_INS_PUSH:
		step_push(f, insn, s);
		return;
	case X86_INS_POP:
		step_pop(insn, s);
		return;
	default:
		break;
	}
	if (insn->cs->id == X86_INS_LEAVE)
		step_leave(s);
	else
		forget(cs, insn, s);
}

bool code_find_val(const struct code_state *s, struct code_val v, int prefer, struct lmmsd_arg *ret)
{
	struct lmmsd_arg arg = {.how = LMMSD_ARG_REG, .size = 8};

	if (prefer >= 0 && same(s->reg[prefer], v)) {
		arg.reg = code_pt_regs[prefer];
		*ret = arg;
		return true;
	}
	for (size_t i = 0; i < CODE_REGS; i++)
		if (same(s->reg[i], v)) {
			arg.reg = code_pt_regs[i];
			*ret = arg;
			return true;
		}
	for (size_t i = 0; i < s->n_slots && s->reg[RSP].kind == VAL_FRAME; i++) {
		int64_t off = s->slot[i].off - s->reg[RSP].v;

		if (!same(s->slot[i].val, v) || off < INT32_MIN || off > INT32_MAX)
			continue;
		arg.how = LMMSD_ARG_MEM;
		arg.reg = code_pt_regs[RSP];
		arg.off = (int32_t)off;
		*ret = arg;
		return true;
	}
	return false;
}

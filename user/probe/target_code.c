/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/target_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_state.h"

/* Instructions decoded for one file; the largest function of interest has 1300. */
#define BUDGET 200000
#define WINDOW 4096

struct code {
	struct telf *f; /* borrowed */
	csh cs;
	cs_insn *insn; /* owned */
	unsigned int budget;
	uint64_t window_va;
	size_t window_len;
	uint8_t window[WINDOW];
	struct {
		uint64_t va;
		enum callee callee;
	} known[12]; /* addresses of the symbols of interest */
	size_t n_known;
};

const uint16_t code_pt_regs[CODE_REGS] = {
	[RAX] = 80,  [RCX] = 88,  [RDX] = 96, [RBX] = 40, [RSP] = 152, [RBP] = 32,
	[RSI] = 104, [RDI] = 112, [R8] = 72,  [R9] = 64,  [R10] = 56,  [R11] = 48,
	[R12] = 24,  [R13] = 16,  [R14] = 8,  [R15] = 0,
};

static const struct {
	const char *name;
	enum callee callee;
} callees[] = {
	{"PyObject_CallMethodObjArgs", CALLEE_METHOD},
	{"_PyObject_CallMethodIdObjArgs", CALLEE_METHOD},
	{"_PyEval_EvalFrameDefault", CALLEE_EVAL},
	{"_PyEval_Vector", CALLEE_EVAL},
	{"PyEval_EvalCode", CALLEE_EVAL_CODE},
	{"PyModule_ExecDef", CALLEE_EXEC_DEF},
	{"Py_CompileStringObject", CALLEE_COMPILE},
	{"__stack_chk_fail", CALLEE_NORETURN},
	{"abort", CALLEE_NORETURN},
	{"Py_FatalError", CALLEE_NORETURN},
	{"_Py_FatalErrorFunc", CALLEE_NORETURN},
	{"_Py_FatalErrorFormat", CALLEE_NORETURN},
};

int code_new(struct telf *f, struct code **ret)
{
	struct code *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->f = f;
	c->budget = BUDGET;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &c->cs) != CS_ERR_OK) {
		free(c);
		return -ENOTSUP;
	}
	(void)cs_option(c->cs, CS_OPT_DETAIL, CS_OPT_ON);
	c->insn = cs_malloc(c->cs);
	if (!c->insn) {
		(void)code_free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < ARRAY_LEN(callees); i++) {
		uint64_t va = telf_symbol_va(f, callees[i].name);

		if (va == 0)
			continue;
		c->known[c->n_known].va = va;
		c->known[c->n_known++].callee = callees[i].callee;
	}
	*ret = c;
	return 0;
}

struct code *code_free(struct code *c)
{
	if (!c)
		return NULL;
	if (c->insn)
		cs_free(c->insn, 1);
	(void)cs_close(&c->cs);
	free(c);
	return NULL;
}

/* At most n bytes of code at va. */
static size_t fetch(struct code *c, uint64_t va, uint8_t *buf, size_t n)
{
	if (va < c->window_va || va - c->window_va >= c->window_len ||
	    c->window_len - (va - c->window_va) < n) {
		c->window_va = va;
		c->window_len = telf_peek_va(c->f, va, true, c->window, sizeof(c->window));
	}
	if (n > c->window_len)
		n = c->window_len;
	memcpy(buf, c->window + (va - c->window_va), n);
	return n;
}

/* A nop of the kernel's own table: emulated as a jump to the next instruction. */
static bool kernel_nop(const uint8_t *b, size_t n)
{
	static const uint8_t nops[][8] = {
		{0x90},
		{0x66, 0x90},
		{0x0f, 0x1f, 0x00},
		{0x0f, 0x1f, 0x40, 0x00},
		{0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
		{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	};

	return n <= ARRAY_LEN(nops) && memcmp(b, nops[n - 1], n) == 0;
}

/*
 * What arch/x86/kernel/uprobes.c emulates, branch_setup_xol_ops() and push_setup_xol_ops(). With a segment prefix
 * (notrack, branch hints) it refuses the instruction, and with 66 a branch: no probe at all is possible there.
 */
static bool kernel_emulates(const uint8_t *b, size_t n)
{
	if (kernel_nop(b, n))
		return true;
	if (n == 1 || (n == 2 && b[0] == 0x41))
		return b[n - 1] >= 0x50 && b[n - 1] <= 0x57;
	if (b[0] == 0xf2) { /* bnd */
		b++;
		n--;
	}
	if (n == 5 && (b[0] == 0xe8 || b[0] == 0xe9))
		return true;
	if (n == 2 && (b[0] == 0xeb || (b[0] & 0xf0) == 0x70))
		return true;
	return n == 6 && b[0] == 0x0f && (b[1] & 0xf0) == 0x80;
}

static enum code_kind kind_of(const struct code *c, const cs_insn *i)
{
	const cs_x86 *x = &i->detail->x86;
	bool direct = x->op_count == 1 && x->operands[0].type == X86_OP_IMM;

	if (cs_insn_group(c->cs, i, CS_GRP_CALL))
		return direct ? CODE_CALL : CODE_CALL_IND;
	if (i->id == X86_INS_JMP)
		return direct ? CODE_JMP : CODE_STOP;
	if (cs_insn_group(c->cs, i, CS_GRP_JUMP))
		return direct ? CODE_JCC : CODE_STOP;
	if (i->id == X86_INS_RET)
		return CODE_RET;
	if (cs_insn_group(c->cs, i, CS_GRP_RET) || cs_insn_group(c->cs, i, CS_GRP_IRET) ||
	    i->id == X86_INS_HLT || i->id == X86_INS_UD2 || i->id == X86_INS_INT3 ||
	    i->id == X86_INS_INT)
		return CODE_STOP;
	return CODE_OTHER;
}

bool code_decode(struct code *c, uint64_t va, struct code_insn *ret)
{
	uint8_t b[16];
	const uint8_t *at = b;
	uint64_t address = va;
	size_t n;

	if (c->budget == 0)
		return false;
	c->budget--;
	n = fetch(c, va, b, sizeof(b));
	if (n == 0 || !cs_disasm_iter(c->cs, &at, &n, &address, c->insn))
		return false;
	*ret = (struct code_insn){
		.va = va,
		.next = va + c->insn->size,
		.kind = (uint8_t)kind_of(c, c->insn),
		.emulated = kernel_emulates(b, c->insn->size),
		.cs = c->insn,
	};
	if (ret->kind == CODE_JMP || ret->kind == CODE_JCC || ret->kind == CODE_CALL)
		ret->target = (uint64_t)c->insn->detail->x86.operands[0].imm;
	return true;
}

bool code_exhausted(const struct code *c)
{
	return c->budget == 0;
}

void code_fail(struct code *c)
{
	c->f->error = -ENOMEM;
}

void code_step(struct code *c, const struct code_insn *insn, struct code_state *s)
{
	state_step(c->f, c->cs, insn, s);
}

static enum callee callee_of_va(const struct code *c, uint64_t va)
{
	for (size_t i = 0; i < c->n_known; i++)
		if (c->known[i].va == va)
			return c->known[i].callee;
	return CALLEE_UNKNOWN;
}

/* What a slot of the global offset table will hold. */
static enum callee callee_of_slot(struct code *c, uint64_t slot)
{
	char name[64];
	Elf64_Rela rel;
	Elf64_Sym sym;

	if (telf_reloc(c->f, slot, &rel) < 0)
		return CALLEE_UNKNOWN;
	if (ELF64_R_TYPE(rel.r_info) == R_X86_64_RELATIVE)
		return callee_of_va(c, (uint64_t)rel.r_addend);
	if (telf_symbol_at(c->f, (uint32_t)ELF64_R_SYM(rel.r_info), &sym) < 0)
		return CALLEE_UNKNOWN;
	if (telf_dynstr(c->f, sym.st_name, name, sizeof(name)) < 0)
		return CALLEE_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(callees); i++)
		if (strcmp(name, callees[i].name) == 0)
			return callees[i].callee;
	return CALLEE_OTHER;
}

/* Bytes, not capstone: its one instruction belongs to the caller. [endbr64] [bnd] jmp *slot(%rip) */
static enum callee callee_of_plt(struct code *c, uint64_t va)
{
	uint8_t b[16];
	size_t at = 0;
	int32_t disp;

	if (telf_peek_va(c->f, va, true, b, sizeof(b)) != sizeof(b))
		return CALLEE_UNKNOWN;
	if (memcmp(b, "\xf3\x0f\x1e\xfa", 4) == 0)
		at += 4;
	if (b[at] == 0xf2)
		at++;
	if (b[at] != 0xff || b[at + 1] != 0x25)
		return CALLEE_UNKNOWN;
	memcpy(&disp, b + at + 2, sizeof(disp));
	return callee_of_slot(c, va + at + 6 + (uint64_t)(int64_t)disp);
}

enum callee code_callee(struct code *c, const struct code_insn *insn)
{
	const cs_x86 *x = &insn->cs->detail->x86;

	if (insn->kind == CODE_CALL || insn->kind == CODE_JMP) {
		enum callee k = callee_of_va(c, insn->target);

		return k != CALLEE_UNKNOWN ? k : callee_of_plt(c, insn->target);
	}
	if (insn->kind != CODE_CALL_IND || x->op_count != 1 || x->operands[0].type != X86_OP_MEM)
		return CALLEE_UNKNOWN;
	if (x->operands[0].mem.base != X86_REG_RIP || x->operands[0].mem.index != X86_REG_INVALID)
		return CALLEE_UNKNOWN;
	return callee_of_slot(c, insn->next + (uint64_t)x->operands[0].mem.disp);
}

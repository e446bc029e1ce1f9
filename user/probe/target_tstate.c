/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Where the running thread's state is written: up to 3.11 in a variable that PyThreadState_Get() loads. Its place in
 * _PyRuntime differs by machine (pthread types stand before it), so it is read from that function's code.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"
#include "probe/target_state.h"

#define MAX_STEPS 12

struct range {
	uint64_t va, size;
};

static bool inside(const struct range *r, uint64_t va)
{
	return va - r->va < r->size && r->size - (va - r->va) >= 8;
}

static uint64_t by_code_x86(struct code *c, uint64_t va, const struct range *runtime)
{
	struct code_insn insn;
	struct code_state s;

	code_state_entry(&s);
	for (int i = 0; i < MAX_STEPS && code_decode(c, va, &insn); i++) {
		const cs_x86 *x = &insn.cs->detail->x86;

		if (insn.kind != CODE_OTHER)
			break;
		if (insn.cs->id == X86_INS_MOV && x->operands[1].type == X86_OP_MEM &&
		    x->operands[1].size == 8) {
			struct code_val a = state_address(&insn, &x->operands[1].mem, &s);

			if (a.kind == VAL_CONST && inside(runtime, (uint64_t)a.v))
				return (uint64_t)a.v;
		}
		code_step(c, &insn, &s);
		va = insn.next;
	}
	return 0;
}

/* What the dynamic linker writes at va; 0: not known. */
static uint64_t linked(struct telf *f, uint64_t va)
{
	Elf64_Rela rel;
	Elf64_Sym sym;

	if (telf_reloc(f, va, &rel) < 0)
		return 0;
	if (ELF64_R_TYPE(rel.r_info) == R_AARCH64_RELATIVE)
		return (uint64_t)rel.r_addend;
	if (ELF64_R_TYPE(rel.r_info) != R_AARCH64_GLOB_DAT)
		return 0;
	return telf_symbol_at(f, (uint32_t)ELF64_R_SYM(rel.r_info), &sym) < 0 ? 0 : sym.st_value;
}

/* adrp, add, ldr: all that addresses are made of; anything else forgets its register, or ends the look. */
static uint64_t by_code_arm64(struct telf *f, uint64_t va, const struct range *runtime)
{
	uint64_t reg[32] = {0}; /* 0: not known */
	uint32_t insn;

	for (int i = 0; i < MAX_STEPS; i++, va += 4) {
		unsigned int to, from;

		if (telf_peek_va(f, va, true, &insn, sizeof(insn)) != sizeof(insn))
			return 0;
		to = insn & 31;
		from = insn >> 5 & 31;
		if ((insn & 0x9f000000) == 0x90000000) { /* adrp */
			uint64_t pages = (insn >> 5 & 0x7ffff) << 2 | (insn >> 29 & 3);

			pages = (pages ^ 1U << 20) - (1U << 20); /* sign of 21 bits */
			reg[to] = (va & ~0xfffULL) + (pages << 12);
		} else if ((insn & 0xff800000) == 0x91000000) { /* add, immediate */
			reg[to] = reg[from] ? reg[from] + ((insn >> 10 & 0xfff)
							   << (insn >> 22 & 1 ? 12 : 0)) :
					      0;
		} else if ((insn & 0xffc00000) == 0xf9400000) { /* ldr, unsigned offset */
			uint64_t at = reg[from] ? reg[from] + (insn >> 10 & 0xfff) * 8ULL : 0;

			if (at != 0 && inside(runtime, at))
				return at;
			reg[to] = at ? linked(f, at) : 0;
		} else if ((insn & 0x1c000000) == 0x14000000) { /* branches, system */
			if ((insn & 0xff000000) != 0xd5000000)
				return 0;
		} else {
			reg[to] = 0;
		}
	}
	return 0;
}

/* _PyRuntime.gilstate.tstate_current on x86-64, 3.7 to 3.11 (Include/internal/pycore_runtime.h). */
static uint64_t by_table(unsigned int minor, const struct range *runtime)
{
	static const uint16_t current[] = {
		[7] = 1480, [8] = 1368, [9] = 568, [10] = 568, [11] = 576};

	if (minor >= ARRAY_LEN(current) || !inside(runtime, runtime->va + current[minor]))
		return 0;
	return runtime->va + current[minor];
}

int target_tstate(struct target *t, struct telf *f, struct code *c, const char **ret_why)
{
	unsigned int minor = target_minor(t);
	struct range runtime;
	Elf64_Sym sym;
	uint64_t va;

	if (minor == 6) {
		*ret_why = "it does not export _PyThreadState_Current";
		t->interp.tstate_va = telf_symbol_va(f, "_PyThreadState_Current");
		return t->interp.tstate_va ? 0 : -ENOENT;
	}
	*ret_why = "it does not export _PyRuntime";
	if (telf_symbol(f, "_PyRuntime", &sym) < 0)
		return -ENOENT;
	t->interp.runtime_va = sym.st_value;
	if (minor > 11)
		return 0;
	*ret_why = "its layout is not the known one: the thread state was not found in _PyRuntime";
	runtime = (struct range){sym.st_value, sym.st_size};
	va = telf_symbol_va(f, "PyThreadState_Get");
	if (va != 0)
		t->interp.tstate_va = c ? by_code_x86(c, va, &runtime) :
					  by_code_arm64(f, va, &runtime);
	if (t->interp.tstate_va == 0 && c)
		t->interp.tstate_va = by_table(minor, &runtime);
	return t->interp.tstate_va ? 0 : -ENOENT;
}

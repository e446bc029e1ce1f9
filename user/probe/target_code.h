/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * x86-64 code as the site finders see it: one instruction at a time, and what the registers and the stack slots are
 * known to hold before it.
 */
#pragma once
#include <capstone/capstone.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/interp.h"
#include "probe/target_elf.h"

/* By the numbers of the machine's encoding. */
enum code_reg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	CODE_REGS
};

/* Their offsets in the kernel's struct pt_regs. */
extern const uint16_t code_pt_regs[CODE_REGS];

enum code_kind {
	CODE_OTHER,
	CODE_JMP,      /* direct; target */
	CODE_JCC,      /* direct; target */
	CODE_CALL,     /* direct; target */
	CODE_CALL_IND, /* through a register or memory */
	CODE_STOP,     /* ret, indirect jump, trap, invalid: nothing follows */
	CODE_RET,
};

struct code_insn {
	uint64_t va;
	uint64_t next;
	uint64_t target;
	uint8_t kind;
	bool emulated;	   /* the kernel emulates it: a probe costs no single-step */
	const cs_insn *cs; /* borrowed until the next code_decode() */
};

enum val_kind {
	VAL_UNKNOWN,
	VAL_ARG,    /* the function's argument number v */
	VAL_CONST,  /* a number, or an address in the file */
	VAL_FRAME,  /* address: the stack pointer at entry, plus v */
	VAL_FIELD,  /* loaded from an unknown pointer, plus v */
	VAL_RESULT, /* what the followed call returned */
};

struct code_val {
	uint8_t kind;
	int64_t v;
};

#define CODE_SLOTS 16
struct code_state {
	struct code_val reg[CODE_REGS];
	struct {
		int64_t off; /* of the 8 bytes, from the stack pointer at entry */
		struct code_val val;
	} slot[CODE_SLOTS];
	size_t n_slots;
};

struct code; /* reader of one file's code */

/* f: borrowed, must outlive ret. -ENOTSUP: the disassembler does not work. */
int code_new(struct telf *f, struct code **ret);
struct code *code_free(struct code *c); /* NULL */
static inline void code_freep(struct code **c)
{
	(void)code_free(*c);
}

/* False: no instruction there, or too much work was done on this file already. */
bool code_decode(struct code *c, uint64_t va, struct code_insn *ret);
bool code_exhausted(const struct code *c);
/* There was no memory to look at something: target_open() will fail. */
void code_fail(struct code *c);
/* Effect of the instruction that code_decode() returned last. */
void code_step(struct code *c, const struct code_insn *insn, struct code_state *s);
/* A call returned `result`: the registers that it may use are forgotten. */
void code_after_call(struct code_state *s, struct code_val result);
/* At a function's first instruction. */
void code_state_entry(struct code_state *s);
/* Where a value is: its register, else its slot. False: nowhere. */
bool code_find_val(const struct code_state *s, struct code_val v, int prefer,
		   struct lmmsd_arg *ret);

/* What a call calls, when it is a symbol or goes through the linkage table. */
enum callee {
	CALLEE_UNKNOWN,	  /* a local function, or an indirect call */
	CALLEE_OTHER,	  /* some other symbol */
	CALLEE_METHOD,	  /* (_)PyObject_CallMethod(Id)ObjArgs */
	CALLEE_EVAL,	  /* _PyEval_EvalFrameDefault, _PyEval_Vector */
	CALLEE_EVAL_CODE, /* PyEval_EvalCode */
	CALLEE_EXEC_DEF,  /* PyModule_ExecDef */
	CALLEE_COMPILE,	  /* Py_CompileStringObject */
	CALLEE_NORETURN,
};
enum callee code_callee(struct code *c, const struct code_insn *insn);

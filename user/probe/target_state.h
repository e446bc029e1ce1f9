/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What registers and stack slots hold: one instruction's effect, and the meeting of two paths. */
#pragma once
#include "probe/target_code.h"

void state_step(struct telf *f, csh cs, const struct code_insn *insn, struct code_state *s);
/* Leaves in s what both know. True: s knows less than before. */
bool state_meet(struct code_state *s, const struct code_state *other);
/* CODE_REGS: not a general register. *ret_size: bytes. */
enum code_reg state_reg(unsigned int capstone_reg, unsigned int *ret_size);
/* The address that a memory operand means. */
struct code_val state_address(const struct code_insn *insn, const x86_op_mem *m,
			      const struct code_state *s);

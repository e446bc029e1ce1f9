/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * arm64: every instruction is four bytes, and the kernel steps or simulates all that stand at a function's begin at
 * small cost (arch/arm64/kernel/probes/decode-insn.c), so its first one will do, and `ret` too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

#define RET 0xd65f03c0
#define RETAA 0xd65f0bff /* and retab: the kernel refuses a probe there */
#define RETAB 0xd65f0fff
#define PACIASP 0xd503233f
#define AUTIASP 0xd50323bf
#define BTI 0xd503241f
#define BTI_MASK 0xffffff3f
#define NOP 0xd503201f

static struct lmmsd_arg arg_x(unsigned int n, uint8_t size)
{
	return (struct lmmsd_arg){.how = LMMSD_ARG_REG, .size = size, .reg = (uint16_t)(n * 8)};
}

static bool landing_pad(uint32_t insn)
{
	return insn == PACIASP || insn == NOP || (insn & BTI_MASK) == BTI;
}

/* Exclusive loads and stores, and the system class, which holds hints that cannot be stepped. */
static bool refused_by_kernel(uint32_t insn)
{
	return (insn & 0x3f000000) == 0x08000000 || (insn & 0xff000000) == 0xd5000000 ||
	       (insn & 0xff000000) == 0xd4000000;
}

int target_entry_arm64(const struct telf *f, uint64_t va, unsigned int args,
		       struct lmmsd_site *site)
{
	uint32_t insn;

	for (int i = 0; i < 4; i++, va += 4) {
		if (telf_peek_va(f, va, true, &insn, sizeof(insn)) != sizeof(insn))
			return -ENOENT;
		if (!landing_pad(insn))
			break;
	}
	if (landing_pad(insn) || refused_by_kernel(insn) || insn == RET)
		return -ENOENT;
	site->va = va;
	for (unsigned int i = 0; i < 5; i++)
		if (args & 1U << i)
			site->arg[i] = arg_x(i, i == 4 ? 4 : 8);
	return 0;
}

/* What stands before a jump that leaves the function for good: the frame is gone, or being taken down. */
static bool epilogue(uint32_t insn)
{
	return (insn & 0xffc07fff) == 0xa8c07bfd || /* ldp x29, x30, [sp], #n */
	       (insn & 0xff8003ff) == 0x910003ff || /* add sp, sp, #n */
	       insn == AUTIASP;
}

static bool leaves(uint32_t insn, uint64_t at, uint64_t size)
{
	int64_t to;

	if ((insn & 0xfc000000) != 0x14000000) /* b */
		return false;
	to = (int64_t)((uint64_t)insn << 38) >> 36;
	return (uint64_t)((int64_t)at + to) >= size;
}

int target_returns_arm64(struct target *t, const struct telf *f, const char *name, uint8_t kind)
{
	struct lmmsd_site site = {.kind = kind, .arg[0] = arg_x(0, 8)};
	_free_ uint32_t *code = NULL;
	size_t first = t->n_sites;
	uint64_t va, size;

	if (target_function(f, name, &va, &size) < 0 || size < 4)
		return -ENOENT;
	code = malloc(size);
	if (!code)
		return -ENOMEM;
	if (telf_peek_va(f, va, true, code, size) != size)
		return -ENOENT;
	for (uint64_t i = 0; i < size / 4; i++) {
		bool tail = i > 0 && leaves(code[i], i * 4, size) && epilogue(code[i - 1]);

		site.va = va + i * 4;
		if (code[i] == RETAA || code[i] == RETAB || tail ||
		    (code[i] == RET && !target_add(t, f, &site, 0))) {
			t->n_sites = first;
			return -ENOENT;
		}
	}
	return t->n_sites > first ? 0 : -ENOENT;
}

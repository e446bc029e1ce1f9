/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Sites at the begin of exported functions: the first instruction that the kernel emulates, while the arguments stand. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"
#include "probe/target_walk.h"

#define MAX_STEPS 48	   /* instructions from the entry */
#define MAX_FUNCTION 65536 /* bytes */

int target_function(const struct telf *f, const char *name, uint64_t *ret_va, uint64_t *ret_size)
{
	Elf64_Sym sym;

	if (telf_symbol(f, name, &sym) < 0 || ELF64_ST_TYPE(sym.st_info) != STT_FUNC)
		return -ENOENT;
	*ret_va = sym.st_value;
	*ret_size = sym.st_size < MAX_FUNCTION ? sym.st_size : MAX_FUNCTION;
	return 0;
}

/* All arguments of `mask` as they can be found in s. */
static bool take_args(const struct code_state *s, unsigned int mask, struct lmmsd_site *site)
{
	static const int natural[] = {RDI, RSI, RDX, RCX, R8};

	for (int i = 0; i < 5; i++) {
		struct code_val v = {VAL_ARG, i};

		if (!(mask & 1U << i))
			continue;
		if (!code_find_val(s, v, natural[i], &site->arg[i]))
			return false;
		if (i == 4) /* an int */
			site->arg[i].size = 4;
	}
	return true;
}

int target_entry_x86(struct code *c, uint64_t va, uint64_t size, unsigned int args,
		     struct lmmsd_site *site)
{
	_cleanup_(code_targets_free) struct code_targets targets = {0};
	struct code_insn insn;
	struct code_state s;
	uint64_t at = va;
	int r;

	/* a jump back to the site would make one call look like two */
	r = code_walk(c, va, size, NULL, NULL, &targets);
	if (r < 0)
		return r;
	code_state_entry(&s);
	for (int i = 0; i < MAX_STEPS && code_decode(c, at, &insn); i++) {
		if (insn.emulated) {
			if (s.reg[RSP].kind != VAL_FRAME || code_targets_between(&targets, va, at))
				return -ENOENT;
			site->va = at;
			site->sp_delta = (int32_t)-s.reg[RSP].v;
			return take_args(&s, args, site) ? 0 : -ENOENT;
		}
		if (insn.kind != CODE_OTHER)
			return -ENOENT;
		code_step(c, &insn, &s);
		at = insn.next;
	}
	return -ENOENT;
}

struct returns {
	uint64_t va[LMMSD_SITES_PER_INTERP];
	size_t n;
	bool lost; /* too many, or the stack pointer is not known there */
};

static void visit_return(struct code *c _unused_, const struct code_insn *insn,
			 const struct code_state *s, void *arg)
{
	struct returns *rets = arg;

	if (insn->kind != CODE_RET)
		return;
	if (rets->n == ARRAY_LEN(rets->va) || s->reg[RSP].kind != VAL_FRAME || s->reg[RSP].v != 0)
		rets->lost = true;
	else
		rets->va[rets->n++] = insn->va;
}

int target_returns_x86(struct target *t, const struct telf *f, struct code *c, const char *name,
		       uint8_t kind)
{
	struct lmmsd_site site = {.kind = kind};
	struct returns rets = {0};
	size_t first = t->n_sites;
	uint64_t va, size;
	int r;

	if (target_function(f, name, &va, &size) < 0)
		return -ENOENT;
	r = code_walk(c, va, size, visit_return, &rets, NULL);
	if (r < 0)
		return r;
	if (rets.n == 0 || rets.lost)
		return -ENOENT;
	site.arg[0] = (struct lmmsd_arg){.how = LMMSD_ARG_REG, .size = 8, .reg = code_pt_regs[RAX]};
	for (size_t i = 0; i < rets.n; i++) {
		site.va = rets.va[i];
		if (!target_add(t, f, &site, 0)) {
			t->n_sites = first;
			return -ENOENT;
		}
	}
	return 0;
}

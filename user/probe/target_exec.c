/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Up to 3.9 importlib runs every body by builtins.exec(), whose code calls PyEval_EvalCode and then looks at the result.
 * builtin_exec() is not exported, but the table of Python/bltinmodule.c names it.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

/* Pairs around all calls of PyEval_EvalCode in the function at va. False: one cannot be probed. */
static bool add_pairs(struct target *t, struct telf *f, struct code *c, uint64_t va)
{
	struct target_calls calls;
	size_t first = t->n_sites;

	if (target_calls_of(c, va, CALLEE_EVAL_CODE, &calls) < 0 || calls.lost)
		return false;
	for (size_t i = 0; i < calls.n; i++) {
		struct lmmsd_site start = {.kind = LMMSD_SITE_BODY_START};

		start.arg[0] = (struct lmmsd_arg){
			.how = LMMSD_ARG_REG, .size = 8, .reg = code_pt_regs[RDI]};
		start.arg[1] = (struct lmmsd_arg){
			.how = LMMSD_ARG_REG, .size = 8, .reg = code_pt_regs[RSI]};
		if (!target_add_pair(t, f, c, &calls.call[i], &start, LMMSD_SITE_BODY_DONE)) {
			t->n_sites = first;
			return false;
		}
	}
	return calls.n > 0;
}

int target_exec(struct target *t, struct telf *f, struct code *c, const char **ret_why)
{
	struct target_methods methods;
	bool found = false;
	uint64_t va;
	int r;

	*ret_why = "builtins.exec was not found";
	r = target_methods(f, "exec", &methods);
	if (r < 0)
		return r;
	for (size_t i = 0; i < methods.n; i++)
		found |= add_pairs(t, f, c, methods.function[i]);
	*ret_why = "the call of PyEval_EvalCode in builtins.exec cannot be probed cheaply";
	if (!found)
		return -ENOENT;
	/* zipimport of 3.6 and 3.7, and embedders */
	va = telf_symbol_va(f, "PyImport_ExecCodeModuleObject");
	if (va != 0)
		(void)add_pairs(t, f, c, va);
	return 0;
}

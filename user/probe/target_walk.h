/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A walk over one function's control flow; it never follows calls. */
#pragma once
#include "probe/target_code.h"

/* Called once for each instruction that can be reached, with what is known before it. */
typedef void (*code_visit)(struct code *c, const struct code_insn *insn, const struct code_state *s,
			   void *arg);

/*
 * Walks the function at entry of `size` bytes, with parts that were split off it. -ENOTSUP: it is too much, nothing
 * was visited. `targets`, when not NULL, gets the addresses that jumps lead to.
 */
struct code_targets {
	uint64_t *va; /* owned, sorted */
	size_t n;
};
void code_targets_free(struct code_targets *t);
/* Does a jump lead into (from, to]? */
bool code_targets_between(const struct code_targets *t, uint64_t from, uint64_t to);
int code_walk(struct code *c, uint64_t entry, uint64_t size, code_visit visit, void *arg,
	      struct code_targets *targets);

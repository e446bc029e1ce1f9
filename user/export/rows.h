/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The rows of a process: its loads in order of start, less the ones that are no row of their own (__main__, and what
 * a fork inherited), with parents and depths that fit. Only within export/.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"

struct row {
	const struct mdl_load *load;	 /* borrowed */
	const struct mdl_module *module; /* borrowed; NULL: the process has no such module */
	bool stands;	/* for its module: the module's numbers belong into this row */
	int32_t parent; /* row; -1: outermost. Always smaller than the row's own number */
	uint32_t depth;
	int32_t first, last; /* children in order of start; -1: none */
	int32_t next;	     /* sibling; -1: none */
};

struct rows {
	struct row *row; /* owned */
	size_t n;
	int32_t first, last; /* outermost ones, linked by next; -1: none */
	const struct mdl_module *
		*unloaded; /* owned; modules without a row, in the process's order */
	size_t n_unloaded;
};

int rows_init(struct rows *r, const struct mdl_process *p);
void rows_clear(struct rows *r);

/*
 * Visits rows from row `from` on in the order of a depth-first walk, parents first: start with rows->first; -1: done.
 * Without recursion, since depth is the target's.
 */
int32_t rows_next_preorder(const struct rows *r, int32_t row);
/* The same, children first: start with rows_first_postorder(r, rows->first). */
int32_t rows_first_postorder(const struct rows *r, int32_t row);
int32_t rows_next_postorder(const struct rows *r, int32_t row);

/* Whether the process's cold start was measured: 0 in a process that was not seen from its start says nothing. */
bool rows_cold_start_known(const struct mdl_process *p);

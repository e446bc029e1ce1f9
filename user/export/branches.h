/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Which loads a tree shows, and in what order: the longest first, without the ones that are too short to matter. Of the
 * inside of installed packages it shows less, since nobody reading it is going to change that: only what takes long,
 * and no modules that merely pass the time on to another one. Only within export/.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/rows.h"

#define BRANCHES_INSIDE_FACTOR 3

struct branch {
	int32_t row;   /* -1: the line that sums up what is left out below its parent */
	int32_t above; /* the row that it hangs below; -1: the program */
	uint32_t depth;
	bool last;     /* no sibling follows */
	size_t hidden; /* row -1: how many, what is below them included */
	uint64_t hidden_ns;
};

struct branches {
	struct branch *branch; /* owned; from top to bottom */
	size_t n;
	uint64_t
		least_ns; /* shorter ones are left out; inside of packages below BRANCHES_INSIDE_FACTOR times this */
	size_t hidden; /* all that are left out */
	uint32_t depth_max;
};

/* whole_ns: what the parts are parts of. max: at most so many rows. 0 or -ENOMEM. */
int branches_init(struct branches *b, const struct rows *rows, uint64_t whole_ns, size_t max);
void branches_clear(struct branches *b);

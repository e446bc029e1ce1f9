/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Loads as spans on a timeline per thread that nest without fail, as trace viewers demand: where measured times
 * contradict each other, a span is moved or stretched. Only within export/.
 */
#pragma once
#include "export/rows.h"

struct span {
	uint64_t start_ns, end_ns; /* since origin_ns */
};

struct spans {
	struct span *span; /* owned; by row */
	int32_t *root;	   /* owned; outermost rows by thread, then by start */
	size_t n_roots;
};

int spans_init(struct spans *s, const struct rows *rows, uint64_t origin_ns);
void spans_clear(struct spans *s);

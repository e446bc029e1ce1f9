/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the start would be shorter by without one module: the self times of all that only it leads to, by a dominator
 * tree over all importers, cached imports included. Pure.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"

/* A graph by node numbers; node 0 is the program. */
struct savings_edge {
	uint32_t from, to;
};

/*
 * weight_ns[n]: self time of node n. ret_idom[n]: immediate dominator (0 for the root itself; UINT32_MAX: not
 * reachable). ret_saving_ns[n]: sum of weights of the dominator subtree of n. Both arrays have n entries, caller's.
 * 0, -EINVAL (edge out of range), -ENOMEM. Near-linear (Lengauer-Tarjan or Cooper-Harvey-Kennedy), no recursion.
 */
int savings_dominators(size_t n, const uint64_t *weight_ns, const struct savings_edge *edges,
		       size_t n_edges, uint32_t *ret_idom, uint64_t *ret_saving_ns);

/* Fills saving_ns of every module of the process: start-up loads, edges at module or class level and from importlib. */
int savings_process(struct mdl_process *p);

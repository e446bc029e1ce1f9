/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Within chains*.c only. */
#pragma once
#include "analysis/chains.h"

/* An edge of the graph: a site, or one that follows from another (site CHAINS_NONE). */
struct chains_edge {
	uint32_t from, to, site;
};

struct chains {
	const struct chains_node *node; /* borrowed */
	size_t n;
	const struct chains_site *site; /* borrowed */
	size_t n_sites;
	struct chains_edge *edge; /* owned */
	size_t n_edges;
	uint32_t *out; /* owned; edges by from: out_start[n] .. */
	uint32_t *out_start;
	uint32_t *in; /* owned; by to */
	uint32_t *in_start;
	bool *reached; /* owned; from the program */
	bool settled; /* the graph is complete: from now on what has more ways than are known is there by itself */
};

/*
 * From where: nodes and edges that are not to be used (NULL: all may be). ret has n entries. The program itself is
 * reached unless it is among the gone.
 */
int chains_reach(const struct chains *c, uint32_t from, const bool *gone_nodes,
		 const bool *gone_edges, bool *ret);
/* Sum of self times of what is reached in the whole graph and not in `left`. */
double chains_lost_ms(const struct chains *c, const bool *left);

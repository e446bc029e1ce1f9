/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Within appraise*.c only. */
#pragma once
#include "analysis/appraise.h"
#include "analysis/chains.h"
#include "base/intern.h"

#define NS_PER_MS 1e6
#define SITES_MOST 50		/* importers of a module that are kept */
#define OUTSIDE "(interpreter)" /* what no import statement of the app leads to */

/*
 * A history as a graph: node 0 is the program, i + 1 is module i, the last is what comes from outside the program's code.
 * Site i is edge i.
 */
struct appraise_graph {
	const struct mdl_history *h; /* borrowed */
	struct chains_node *node;    /* owned */
	size_t n;
	struct chains_site *site; /* owned */
	struct chains *chains;	  /* owned */
	uint32_t *
		first_edge; /* owned; by module: its edges are first_edge[i] .. first_edge[i + 1] - 1 */
};

/* share: of the plain runs in which a module must be part of the start to count as loaded there. */
int appraise_graph_init(struct appraise_graph *g, const struct mdl_history *h, double share);
void appraise_graph_clear(struct appraise_graph *g);
/* Index of a module, by name; -1: none. */
int32_t appraise_find(const struct mdl_history *h, const char *name);
bool appraise_is_own(const struct mdl_history *h, const struct mdl_hist_module *m);
/* The sites of a module for people: most important first, at most SITES_MOST; NULL strings on -ENOMEM. */
int appraise_sites(const struct appraise_graph *g, size_t module, struct intern *strings,
		   struct rv_site **ret, size_t *ret_n, uint32_t *ret_index);
int appraise_site(const struct appraise_graph *g, uint32_t site, struct intern *strings,
		  struct rv_site *ret);
int appraise_cut_sites(const struct appraise_graph *g, const struct chains_cut *cut,
		       struct intern *strings, struct rv_site **ret);
/* NULL stays NULL; -ENOMEM. */
int appraise_keep(struct intern *strings, const char *s, const char **ret);

int appraise_modules(const struct appraise_input *in, const struct appraise_graph *g,
		     struct rv_app *app);
int appraise_icicle(const struct appraise_graph *g, struct rv_app *app);
int appraise_changes(const struct appraise_input *in, struct rv_app *app);

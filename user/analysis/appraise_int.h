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
	uint64_t least; /* runs that must have a module in their start for it to be in the graph */
	uint64_t least_edge; /* ... and that must run a statement: half of these */
	bool whole; /* not of the start: of all that was loaded at any time, by whatever import */
};

/* Runs that must have a module in their start for it to belong to the typical one. */
uint64_t appraise_typical(const struct mdl_history *h);
/* The typical start, or with a smaller `least` also what is more rarely part of it. 0, -EINVAL, -ENOMEM; clear it. */
int appraise_graph_init(struct appraise_graph *g, const struct mdl_history *h, uint64_t least);
/* Where this module has its place, however rarely it is part of the start; `whole` when it never is. */
int appraise_graph_for(struct appraise_graph *g, const struct mdl_history *h, size_t module);
void appraise_graph_clear(struct appraise_graph *g);
/*
 * From a mean over the runs to the scale of a median start, which a few runs on a busy host do not pull up: what to
 * multiply times of m by. 1 where m is not in the typical start, or the two hardly differ.
 */
double appraise_scale(const struct mdl_history *h, const struct mdl_hist_module *m);
bool appraise_is_program(const char *module);
/*
 * The one that a script made by an installer is of: it stands in a directory bin and imports nothing but it. NULL: this is
 * no such script. Borrowed from h.
 */
const char *appraise_own_distribution(const struct mdl_history *h);
bool appraise_is_own(const struct mdl_history *h, const struct mdl_hist_module *m,
		     const char *distribution);
/* A module's sites, most important first: owned. */
int appraise_rank(const struct appraise_graph *g, size_t module, uint32_t **ret, size_t *ret_n);
/* These sites for people; NULL strings on -ENOMEM. */
int appraise_sites(const struct appraise_graph *g, const uint32_t *index, size_t n,
		   struct intern *strings, struct rv_site **ret);
int appraise_site(const struct appraise_graph *g, uint32_t site, struct intern *strings,
		  struct rv_site *ret);
/* NULL stays NULL; -ENOMEM. */
int appraise_keep(struct intern *strings, const char *s, const char **ret);

/* What runs when a module is imported, at whatever time: the imports that are not inside functions. */
struct appraise_tops {
	const struct appraise_graph *g;
	uint32_t *first, *to; /* owned; of node i: to[first[i]] .. to[first[i + 1] - 1] */
	uint32_t *package;    /* owned; by node; CHAINS_NONE: none */
	uint32_t *seen;	      /* owned; by node: the last walk that saw it */
	uint32_t *stack;      /* owned */
	uint32_t walk;
	size_t left; /* edges that may still be looked at */
};
int appraise_tops_init(struct appraise_tops *t, const struct appraise_graph *g);
void appraise_tops_clear(struct appraise_tops *t);
/* index: the module's sites, most important first. */
int appraise_hoist(struct appraise_tops *t, const uint32_t *index, size_t n, struct intern *strings,
		   struct rv_hoist *ret);

int appraise_modules(const struct appraise_input *in, const struct appraise_graph *g,
		     struct rv_app *app);
int appraise_icicle(const struct appraise_graph *g, struct rv_app *app);
int appraise_changes(const struct appraise_input *in, struct rv_app *app);

/*
 * What came from one history to the other; what went when `from` is the later one. m, module: of `to`. Both have
 * plain runs.
 */
bool appraise_came(const struct mdl_history *from, const struct mdl_history *to,
		   const struct mdl_hist_module *m); /* into the start */
/* ... only with modules that came, too, within a week: all that load it did. */
bool appraise_came_along(const struct mdl_history *from, const struct mdl_history *to,
			 uint32_t module);
struct appraise_shift {
	double before, after; /* shares of the plain runs that import it, 0..1 */
};
/* Whether the usage clearly differs; ret is filled anyway. */
bool appraise_shifted(const struct mdl_history *before, const struct mdl_history *now,
		      const char *module, struct appraise_shift *ret);
/* It is used more in `to` than in `from`: whether only with the module that mainly loads it. */
bool appraise_shifted_along(const struct mdl_history *from, const struct mdl_history *to,
			    uint32_t module);

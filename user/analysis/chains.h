/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Who brings in what, on the import graph of an app's start: what a module pulls in, why it is there, and what would
 * have to change together so that it is not. Node 0 is the program. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAINS_NONE UINT32_MAX

struct chains_node {
	const char *name;	  /* borrowed; of node 0 "__main__" */
	const char *distribution; /* borrowed; NULL */
	double self_ms;		  /* typical self time in a start; 0 when it is not loaded there */
	bool own;		  /* the app's own code: its imports can be edited */
	bool at_start;		  /* loaded in the start */
	bool more_ways; /* there may be imports of it that no site tells: it stays whatever goes */
};

/* One import statement; several of the same pair differ by line. */
struct chains_site {
	uint32_t from, to;
	const char *file; /* borrowed; NULL */
	int32_t line;	  /* 0: not known */
	uint8_t place;	  /* LMMSD_PLACE_* */
	bool starts;	  /* runs during the start: only these lead to anything below */
	bool implied; /* only loads the package of what the same statement imports: statements.h */
	bool cached;  /* found the module there already whenever it ran */
	uint64_t runs;
};

struct chains;

/*
 * Borrows both arrays until chains_free(). Importing a.b imports a, too: that is added here, and what is loaded at
 * start though nothing known leads to it hangs off the program. 0, -EINVAL (number out of range), -ENOMEM.
 */
int chains_new(const struct chains_node *nodes, size_t n, const struct chains_site *sites,
	       size_t n_sites, struct chains **ret);
struct chains *chains_free(struct chains *c); /* NULL */
static inline void chains_freep(struct chains **c)
{
	(void)chains_free(*c);
}

/* By node: the node without which it is not loaded (0: the program; CHAINS_NONE: it is not loaded at start), and how
 * much shorter the start is without it. Arrays of n entries, the caller's. */
int chains_dominators(const struct chains *c, uint32_t *ret_idom, double *ret_saving_ms);

/* How much shorter the start is without all of these nodes: what only they lead to, together. */
int chains_saving_of(const struct chains *c, const uint32_t *nodes, size_t n, double *ret_ms);
/* The same for import statements (indexes of sites) that no longer run at start. */
int chains_saving_of_sites(const struct chains *c, const uint32_t *sites, size_t n, double *ret_ms);

/* The one import without which the module is not loaded at start. CHAINS_NONE: there are others, or other ways. */
int chains_only_site(const struct chains *c, uint32_t node, uint32_t *ret_site);

/* What a module pulls in, nearest first; itself is the first entry. */
struct chains_dep {
	uint32_t node;
	uint32_t
		via; /* node that imports it, on a shortest way; CHAINS_NONE for the module itself */
	uint32_t depth; /* imports from the module; 0: itself */
	bool only;	/* gone without the module; false: something else needs it, too */
};

struct chains_deps {
	struct chains_dep *dep; /* owned */
	size_t n;
	double only_ms;	  /* the module's true saving */
	double shared_ms; /* self times of what others need, too */
};

int chains_deps(const struct chains *c, uint32_t node, struct chains_deps *ret);
void chains_deps_clear(struct chains_deps *d);

/* Ways from the program to a module without a circle, shortest first. */
struct chains_paths {
	uint32_t *
		node; /* owned; all paths one after the other, each from the program to the module */
	size_t *start; /* owned; n + 1 entries: path i is node[start[i]] .. node[start[i + 1] - 1] */
	size_t n;
	bool more; /* there may be others: cut by number, length, or the work it takes */
};

/* max_length: nodes of a path. No path: n is 0. */
int chains_paths(const struct chains *c, uint32_t node, size_t max_paths, size_t max_length,
		 struct chains_paths *ret);
void chains_paths_clear(struct chains_paths *p);

/*
 * What must be deferred together so that a module is not loaded at start: the imports in the app's own code that are
 * nearest to it, upwards through what cannot be edited, less those that the others make unnecessary. Imports of the
 * module by what only it leads to do not count.
 */
struct chains_cut {
	uint32_t *site; /* owned; indexes of sites, ascending */
	size_t n;
	bool possible; /* false: it is also brought in from outside the app's code (the interpreter, a .pth file) */
	bool more_ways;	  /* likewise false: or there may be ways to it that are not known */
	bool direct;	  /* all of them name the module itself */
	double saving_ms; /* of all together; what else goes with it included */
};

int chains_cut(const struct chains *c, uint32_t node, struct chains_cut *ret);
void chains_cut_clear(struct chains_cut *cut);

/* A distribution's modules together. */
struct chains_rollup {
	const char *distribution; /* borrowed */
	size_t modules;		  /* loaded at start */
	double self_ms;
	double saving_ms; /* of all together */
};

/* What saves most comes first. */
int chains_rollups(const struct chains *c, struct chains_rollup **ret, size_t *ret_n);

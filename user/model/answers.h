/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the verbs of lmmsctl answer, besides the review: plain data that analysis/ makes and export/ writes. As review.h. */
#pragma once
#include "model/review.h"

/* A line of `apps`. */
struct rv_app_line {
	const char *app; /* borrowed */
	uint64_t runs;	 /* all classes */
	struct rv_times cold_start;
	int64_t last_seen_s; /* Unix time; 0: not known */
};

/* A line of `baseline list`. */
struct rv_baseline_line {
	const char *name, *app; /* borrowed */
	int64_t saved_s;
	uint64_t runs; /* warm */
	struct rv_times cold_start;
};

/* `deps`: what a module pulls in. */
struct rv_deps {
	const char *app, *module; /* pooled */
	struct rv_dep {
		const char *name, *distribution; /* pooled; distribution NULL: none */
		int32_t via;	/* row that imports it on a shortest way; -1: the module itself */
		uint32_t depth; /* 0: the module itself */
		double self_ms;
		double total_ms; /* median; NAN: not loaded at start */
		bool only;	 /* gone without the module; false: something else needs it, too */
	} * rows; /* owned; in the order of a walk: each after the row that it is `via`, the dearest first */
	size_t n;
	double total_ms; /* the module's median; NAN */
	double only_ms; /* its true saving; NAN: it is no part of the start, and rows are what it loads then */
	double shared_ms; /* what stays, since others need it; NAN likewise */
	struct rv_rollup {
		const char *distribution; /* pooled */
		uint64_t modules;
		double self_ms, saving_ms; /* saving: without all of its modules */
	} * rollups; /* owned; of the distributions among the rows; what saves most comes first; none without a start */
	size_t n_rollups;
	void *strings; /* owned struct intern */
};

/* `why`: why a module is there. */
struct rv_reasons {
	const char *app, *module;   /* pooled */
	uint64_t runs;		    /* plain runs of the app in the period */
	double total_ms, saving_ms; /* NAN: not loaded at start */
	struct rv_site *sites;	    /* owned; every importer, most important first */
	size_t n_sites;
	double *alone_ms; /* owned; by site: what deferring only this one saves; NAN: it does not run at start */
	const char **step; /* owned array of pooled names: all paths one after the other */
	size_t *path; /* owned; n_paths + 1 entries: path i is step[path[i]] .. step[path[i + 1] - 1] */
	size_t n_paths;
	bool more_paths;     /* there may be others */
	struct rv_site *cut; /* owned; what must change together */
	size_t n_cut;
	bool cut_possible; /* false: it is also brought in from outside the app's code */
	bool cut_direct;   /* all of the cut name the module itself */
	double cut_ms;	   /* what deferring all of the cut saves, with all else that goes */
	void *strings;	   /* owned struct intern */
};

/* `check`: a slow import. */
struct rv_slow {
	const char *app, *module; /* borrowed */
	double ms;		  /* median */
	uint64_t n;
	const char *file; /* borrowed; of the import statement; NULL */
	int32_t line;
	const char *own_file; /* borrowed; the module's; NULL */
	const char *advice;   /* borrowed; NULL */
};
struct rv_slow_list {
	double max_ms;
	struct rv_slow *slow; /* owned; the slowest first */
	size_t n;
	size_t n_apps, n_modules; /* that were timed */
	size_t n_unmeasured;	  /* apps of which no warm run was */
};

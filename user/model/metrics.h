/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What is counted for monitoring since the daemon began, as it is now: filled by metrics/ (apps) and app/ (the rest), read by
 * whoever exports it. Times are seconds; NAN: not known, and left out. Strings are valid UTF-8, borrowed until the next run is
 * counted. Starts are of warm runs, imports also of forked and partial ones, as the medians of a review; counts are not cumulative, the last is above all bounds.
 */
#pragma once
#include "lmmsd/reasons.h"
#include "model/history.h"
#include "model/review.h"

#define MDL_IMPORT_BOUNDS 4 /* 1 ms, the policy's two, 500 ms */
#define MDL_START_BOUNDS 14
#define MDL_IMPORTERS 6 /* of a module: ways in that are told apart */
#define MDL_CHANGE_KINDS (RV_DEPENDENCY_UPDATE + 1)

struct mdl_metrics_importer {
	const char *importer; /* module name; "__main__": the program; "": not known */
	uint64_t runs;	      /* in which it imported the module there */
	uint8_t place;	      /* LMMSD_PLACE_* */
	bool loaded;	      /* and caused its load */
};

struct mdl_metrics_module {
	const char *module;		    /* MDL_OTHER: all that have no series of their own */
	const char *distribution, *version; /* latest; NULL */
	const char *importer;		    /* who caused the load most often; NULL: not known */
	uint64_t import[MDL_IMPORT_BOUNDS + 1];
	double import_s;		 /* sum of these */
	double self_s;			 /* of the same loads */
	double deferrable_s;		 /* saving, summed over warm runs */
	uint64_t uses[LMMSD_PLACE_MAX];	 /* in all runs */
	uint64_t failures;		 /* likewise */
	uint64_t loads[LMMSD_PLACE_MAX]; /* plain runs whose standing load came from there */
	uint64_t start_runs;		 /* plain runs that loaded it as part of the start */
	uint64_t runs_using;		 /* plain runs that imported it, cached or not */
	uint64_t runs_using_in_function; /* of these, in a function, or a lazy one woke */
	struct mdl_metrics_importer importers[MDL_IMPORTERS]; /* the first that came */
	size_t n_importers;
	uint8_t origin; /* enum mdl_origin, of the latest load */
	uint8_t tier;	/* enum mdl_tier; MDL_TIER_NONE: never timed, or MDL_OTHER */
};

struct mdl_metrics_app {
	const char *app;   /* MDL_OTHER: all beyond the limit */
	int64_t created_s; /* Unix time since when it is counted */
	uint64_t runs;	   /* plain: seen from exec */
	uint64_t warm_runs;
	uint64_t other_runs[MDL_RUN_CLASSES]; /* the rest by class */
	bool usage;			      /* uses were counted in some run */
	double cold_start_squared;	      /* sum of squares of the warm cold starts, s^2 */
	uint64_t uses;			      /* of all its modules */
	uint64_t cold_start[MDL_START_BOUNDS + 1], interpreter[MDL_START_BOUNDS + 1];
	double cold_start_s, interpreter_s;  /* sums */
	struct mdl_metrics_module **modules; /* by name */
	size_t n_modules;
};

struct mdl_metrics_interpreters {
	char python[16];   /* "3.11" */
	const char *probe; /* "usdt", "callsite", "entry" */
	uint64_t n;
};

struct mdl_metrics_process {
	double cpu_s, start_s;
	double open_fds, max_fds;
	double virtual_bytes, resident_bytes;
};

struct mdl_metrics {
	double import_bounds[MDL_IMPORT_BOUNDS]; /* rising */
	double start_bounds[MDL_START_BOUNDS];
	struct mdl_metrics_app *apps; /* by name */
	size_t n_apps;
	uint64_t refused_modules, refused_apps; /* times that one went to MDL_OTHER for a limit */

	const char *version, *libbpf;
	int64_t created_s; /* Unix time at which the daemon began */
	struct mdl_metrics_interpreters interpreters[64];
	size_t n_interpreters;
	uint64_t processes; /* followed now */
	uint64_t events;    /* records from the kernel */
	uint64_t lost[LMMSD_LOST_MAX];
	uint64_t triggers[MDL_CHANGE_KINDS]; /* by enum rv_change_kind */
	double review_s;		     /* Unix time of the newest monthly review; NAN: none */
	double bpf_run_s;		     /* in the BPF programs; NAN: nobody tells */
	double overhead_ratio;		     /* of the processors, of late; NAN likewise */
	double overhead_budget;		     /* what that may be; 0: anything */
	uint64_t uncounted_runs;	     /* stored, and missing in the apps' counters */
	uint64_t stored_runs, queued_runs, store_errors;
	double store_bytes;
	struct mdl_metrics_process process;
	void *arrays; /* owned by who filled in apps */
};

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the store knows of one app over some days: the plain data that reviews, verify and triggers read. Mergeable
 * aggregates; times are ns unless said otherwise; days are local calendar days counted from 1970-01-01, as the host
 * that measured had them. A run belongs to the day on which it began. Strings are valid UTF-8, owned by the history.
 *
 * Classes of runs. Only *plain* runs (a program seen from its exec) count in the numbers of runs below:
 *  - COMPILED: some module other than the program's own was compiled, so a .pyc was missing or stale. An app that
 *    compiles the very same modules in run after run (no place for .pyc files) counts as warm from the fourth such run on.
 *  - COLD: the page cache was presumably cold: the app's first run since boot, or its first for an hour, *and* its
 *    start took over 1.5 times the median of its latest 32 starts that compiled nothing (with less than five of those:
 *    its first since boot, within 10 minutes of boot).
 *  - WARM: all else. Medians are over these.
 *  - FORKED: began by fork from a watched Python: it inherited its modules, so it says nothing of the start.
 *  - PARTIAL: already ran when lmmsd came.
 * What FORKED and PARTIAL runs loaded and used is in uses, edges, loads and sketches, and in *_other.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/sketch.h"
#include "model/profile.h"

#define MDL_OTHER "_other" /* stands for the apps or modules beyond the store's limits */

enum mdl_run_class {
	MDL_RUN_WARM,
	MDL_RUN_COLD,
	MDL_RUN_COMPILED,
	MDL_RUN_FORKED,
	MDL_RUN_PARTIAL,
	MDL_RUN_CLASSES
};

struct mdl_moments {
	uint64_t n;
	double sum, sum_sq; /* ns, ns^2 */
};

/* What a histogram tells of some times: how many lie where, and their sum. */
struct mdl_bucket {
	double from_ms, to_ms; /* (from, to]; to: INFINITY for the last */
	uint64_t count;
};
struct mdl_buckets {
	double sum_ms; /* NAN: not known */
	size_t n;
	struct mdl_bucket bucket[]; /* rising; none is empty */
};

/* One run as it was stored. */
struct mdl_run {
	uint64_t id;
	int64_t started_ns;   /* Unix time */
	int32_t day;	      /* on which it began */
	uint64_t duration_ns; /* until its end, or the last time it was looked at */
	uint64_t cold_start_ns;
	uint64_t interpreter_ns; /* 0: not measured */
	uint32_t pid, uid;
	uint32_t py_version; /* PY_VERSION_HEX */
	uint32_t n_modules;  /* loaded */
	int32_t exit_status; /* as from wait(2) */
	uint8_t class;	     /* enum mdl_run_class */
	bool ended;	     /* false: it ran on when it was last looked at */
};

/* One day of an app: what histories and triggers plot. Also days without a run of some class have all its fields. */
struct mdl_day {
	int32_t day;
	uint64_t runs[MDL_RUN_CLASSES];
	struct sketch cold_start;  /* warm runs */
	struct sketch interpreter; /* warm runs */
};

struct mdl_version {		     /* of a distribution, as a module was loaded from it */
	const char *distribution;    /* NULL: none */
	const char *version;	     /* NULL: not known */
	uint64_t runs;		     /* plain runs that loaded the module in this version */
	int32_t first_day, last_day; /* of the period */
};

/* Whose code a module is, where its file is not there to tell. */
enum mdl_origin { MDL_ORIGIN_BY_FILE, MDL_ORIGIN_APP, MDL_ORIGIN_FOREIGN, MDL_ORIGIN_STDLIB };

struct mdl_hist_module {
	const char *name;
	const char *file;	  /* latest; NULL: none or not known */
	const char *distribution; /* latest; NULL */
	const char *version;	  /* latest; NULL */
	const struct mdl_version
		*versions; /* in order of last_day, first_day, version; the latest last */
	size_t n_versions;
	uint8_t kind;  /* LMMSD_KIND_* of the latest load */
	uint8_t place; /* LMMSD_PLACE_* that most loads in plain runs came from: the present placement; of the last day with any */
	uint8_t origin; /* enum mdl_origin */
	bool more_ways; /* there may be importers beside those that have edges */
	int32_t first_day,
		last_day; /* of the period, with a load or a use; first INT32_MIN: not known */

	/* Times: one value a warm, forked or partial run that loaded it: the load that stands for it, if it ended well. */
	struct sketch total;
	struct sketch self;
	struct mdl_moments
		saving; /* one value a warm run that loaded it; mean over all warm runs = sum / runs[WARM] */

	/* Of plain runs. */
	uint64_t runs_loaded; /* in which it was loaded */
	uint64_t
		runs_start; /* ... as part of the start-up (before the program's own last module-level import) */
	uint64_t runs_imported; /* in which any import of it ran, cached or not */
	uint64_t runs_used; /* in which an import of it ran inside a function, or a lazy one woke */
	uint64_t runs_by_place[LMMSD_PLACE_MAX];  /* with at least one import at that place */
	uint64_t loads_by_place[LMMSD_PLACE_MAX]; /* of the load that stands for it */
	/* Of forked and partial runs. */
	uint64_t imported_other;
	uint64_t used_other;
	/* Of all runs. */
	uint64_t uses;
	uint64_t uses_by_place[LMMSD_PLACE_MAX];
	uint64_t failures;	 /* loads that failed */
	uint64_t loads_compiled; /* loads from source */
};

/* module: index; importer: index, or -1: not known, or the program itself when program is true ("__main__"). */
struct mdl_hist_edge {
	int32_t importer;
	uint32_t module;
	const char *importer_name; /* also when importer is -1; NULL: not known */
	const char *file;	   /* latest file of the statement; NULL */
	int32_t line;		   /* 0: not known */
	uint8_t place;		   /* LMMSD_PLACE_* */
	uint64_t runs;		   /* of all classes, in which it ran */
	uint64_t count;		   /* executions */
	uint64_t loads;		   /* runs in which it caused the load */
	int32_t last_day;
};

struct mdl_history {
	const char *app;
	int32_t since_day, until_day; /* asked for: [since, until) */
	int32_t first_day, last_day;  /* with runs; first > last: none */
	int64_t first_ns,
		last_ns; /* Unix time at which the first and the last run began; exact for what is stored */
	uint64_t runs[MDL_RUN_CLASSES]; /* ended or not */
	uint64_t runs_plain;		/* warm + cold + compiled */
	uint64_t runs_open;		/* of all these, not ended yet */
	uint64_t uses; /* sum over modules, as share_pct wants it; with those beyond limits */
	bool usage;    /* uses were counted in the runs of the period */
	uint64_t lost[LMMSD_LOST_MAX]; /* of this app's runs, where that is known */

	/*
	 * Owned. Not NULL: no single time is known. All sketches are made up to fit sums, so that nothing can be tested with
	 * them; this is all that there is of cold_start. Own times of modules are all their mean.
	 */
	struct mdl_buckets *rebuilt;
	struct sketch cold_start;  /* warm runs */
	struct sketch interpreter; /* warm runs that measured it */
	struct sketch cold_cache;  /* cold starts of COLD runs */
	struct sketch compiled;	   /* cold starts of COMPILED runs */
	struct mdl_day *days;	   /* owned array, rising, only days with runs */
	size_t n_days;
	struct mdl_hist_module *modules; /* owned array, by name */
	size_t n_modules;
	struct mdl_hist_edge *edges; /* owned array, by module, importer_name, line */
	size_t n_edges;
	/*
	 * Cold starts of warm runs for significance tests, at most MDL_HIST_VALUES: the latest runs' own values in order of start
	 * when those are still stored, else (values_exact false) a sample from the sketch, rising.
	 */
	uint64_t *values; /* owned array, ns */
	size_t n_values;
	bool values_exact;
	struct mdl_run
		*recent; /* owned array, plain runs, the latest first, at most MDL_HIST_RECENT */
	size_t n_recent;
	struct {		  /* runs by Python version, most runs first */
		uint32_t version; /* PY_VERSION_HEX */
		uint64_t runs;
	} pythons[8];
	size_t n_pythons;
	void *strings; /* owned struct intern */
	void *arrays;  /* owned: versions */
};

/* Where modules[] has the name; -1: nowhere. */
static inline int32_t mdl_history_find(const struct mdl_history *h, const char *name)
{
	size_t low = 0, high = h->n_modules;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = strcmp(name, h->modules[mid].name);

		if (!r)
			return (int32_t)mid;
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return -1;
}
#define MDL_HIST_VALUES 2000
#define MDL_HIST_RECENT 200

/* One line of `lmmsctl apps`. */
struct mdl_app {
	const char *name;
	uint64_t runs[MDL_RUN_CLASSES];
	struct sketch cold_start;  /* warm runs */
	int64_t first_ns, last_ns; /* Unix time at which the first and the last run began */
};

/* A named baseline: what an app's start was like. */
struct mdl_baseline_module {
	const char *name;
	const char *distribution, *version; /* NULL */
	uint64_t total_ns;		    /* median */
	uint64_t self_ns;		    /* median */
	uint64_t saving_ns;		    /* mean over warm runs */
	uint8_t place;			    /* LMMSD_PLACE_* */
	double start_pct;		    /* of the plain runs: loaded in the start-up */
};
struct mdl_baseline {
	const char *name, *app;
	int64_t saved_ns; /* Unix time */
	int32_t since_day, until_day;
	uint64_t runs; /* warm */
	struct sketch cold_start, interpreter;
	const struct mdl_buckets *rebuilt; /* as in struct mdl_history; borrowed from it */
	const uint64_t *values;		   /* likewise */
	size_t n_values;
	const struct mdl_baseline_module *modules; /* by name */
	size_t n_modules;
};

/* Something that asks for a new profile, when it was noticed. kind: as in the review's "changes". */
struct mdl_trigger {
	uint64_t id;
	int64_t at_ns;			 /* Unix time */
	const char *app, *kind, *module; /* module: "" when it is about the app */
	const char *before, *after, *why;
};

/* What a review said of a module: next month's review starts from it. */
struct mdl_verdict {
	const char *module;
	uint8_t tier;	    /* enum mdl_tier */
	uint8_t place;	    /* LMMSD_PLACE_* */
	const char *action; /* "keep", "defer", ... */
	double ms, usage_pct, saving_ms;
};

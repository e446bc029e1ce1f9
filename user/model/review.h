/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a review says: interface.md's lmms.review/1 as plain data. analysis/ fills in the numbers of an app, review/
 * decides and puts in order, export/ writes. Times are ms; NAN: not known (null in JSON). Strings are valid UTF-8,
 * NULL: not known; they belong to the app's or the review's pool ("pooled").
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/reasons.h"
#include "model/profile.h"

enum rv_basis { RV_BASIS_RUN, RV_BASIS_SHARE }; /* "run_pct", "share_pct" */
enum rv_evidence {
	RV_EVIDENCE_IMPORTED,
	RV_EVIDENCE_IN_USE
}; /* what run_pct counts; see interface.md §2 */
enum rv_action { RV_NONE, RV_KEEP, RV_DEFER, RV_HOIST };
enum rv_change_kind {
	RV_NEW_MODULE,
	RV_GONE,
	RV_USAGE_SHIFT,
	RV_REGRESSION,
	RV_IMPROVEMENT,
	RV_DEPENDENCY_UPDATE,
};
#define RV_CHANGE_KINDS (RV_DEPENDENCY_UPDATE + 1)

/* Why an action is what it is; reason says it in words. */
enum rv_why {
	RV_WHY_NONE,
	RV_WHY_FITS,	 /* placement and tier agree */
	RV_WHY_SAVES,	 /* deferring shortens the start */
	RV_WHY_TOGETHER, /* only together with other import sites */
	RV_WHY_MOVES,	 /* used in nearly every run: the cost only moves */
	RV_WHY_NOISE,	 /* the true saving is below the noise */
	RV_WHY_FOREIGN,	 /* imported by other packages only: nothing to edit here */
	RV_WHY_WAYS,	 /* not all that imports it may be known: what to change cannot be told */
	RV_WHY_PARTS, /* the app's own, and its time is in imports that can be deferred themselves */
	RV_WHY_PROGRAM, /* the program itself behind a script that only starts it: nothing is left without it */
	RV_WHY_CHEAP,	 /* in a function, and cheap or used often enough for the top */
	RV_WHY_CYCLE,	 /* in a function, since it breaks an import cycle */
	RV_WHY_UNSEEN,	 /* in a function, and whether it breaks a cycle was not seen */
	RV_WHY_FEW_RUNS, /* too few warm runs to say */
	RV_WHY_NO_TIME,	 /* never loaded in the period: no time */
};

struct rv_thresholds {
	double fast_ms, slow_ms, usage_pct; /* the rule's: 10, 100, 80 */
	double warn_ms;			    /* slow flag and CI warning: 500 */
	double expect_pct;		    /* of verify: 40 */
	double often_pct;  /* from here a module counts as used in nearly every run: 90 */
	double noise_ms;   /* a saving below this is not worth a change: 1 */
	uint64_t min_runs; /* warm runs for advice: 3 */
};

struct rv_times {
	double p50, p95;
	double lo, hi; /* 95 % interval of p50 */
	uint64_t n;    /* warm runs */
	bool full; /* false: too few runs (n < 6) for 95 %; lo..hi is then the range of the values */
};

/* One place that imports a module. */
struct rv_site {
	const char *importer; /* pooled; module name, "__main__" for the program */
	const char *module;   /* pooled; what it imports */
	const char *file;     /* pooled; NULL */
	int32_t line;	      /* 0: not known */
	uint8_t place;	      /* LMMSD_PLACE_* */
	bool own; /* the app's own code, as opposed to an installed package or the standard library */
	bool cached;   /* in all runs the module was there already: the import cost nothing */
	bool inside;   /* `why` only: the importer is there only because of the module itself */
	uint64_t runs; /* that ran it */
};

/* Of a module that stands in functions and need not: where it could stand instead. */
struct rv_hoist {
	struct rv_site
		inside;	      /* the app's own import in a function; importer NULL: there is none */
	struct rv_site other; /* the app's own import that is in no function; likewise */
	bool circle; /* at the top of any that has it in a function, the two would import each other, or may */
};

struct rv_module {
	const char *name;	  /* pooled */
	const char *distribution; /* pooled; NULL */
	const char *version;	  /* pooled; NULL */
	const char *file;	  /* pooled; NULL */
	struct rv_times ms;
	double self_ms;
	double saving_ms; /* mean of the dominator saving over the warm runs; 0: others import it too */
	double share_pct, run_pct, usage_pct; /* usage_pct: the one that classifies */
	double used_pct; /* share of the runs in which an import of it ran inside a function */
	enum rv_evidence evidence;
	uint64_t runs; /* that loaded it */
	uint8_t kind;  /* LMMSD_KIND_* */
	uint8_t placement; /* LMMSD_PLACE_*: the earliest way in: module before class, lazy, dynamic, function */
	bool placement_mixed; /* imported in other ways too */
	bool at_start;	      /* loaded in the start of most of the runs */
	double start_pct;     /* of the runs, that had it in their start */
	bool own;	      /* the app's own code */
	uint8_t tier;	      /* enum mdl_tier, after hysteresis */
	uint8_t tier_now;     /* what the medians alone say */
	uint8_t tier_before;  /* last month's; MDL_TIER_NONE: none */
	bool spans;	      /* the interval spans a threshold */
	bool kept;	      /* tier is last month's, for that reason */
	bool slow;	      /* above warn_ms */
	const char *
		brought_by; /* pooled; the module without which this one is not loaded (its dominator); NULL: program */
	struct rv_site *sites;	    /* owned; importers, most important first */
	size_t n_sites, more_sites; /* more: that are not kept */
	const char **
		chain; /* owned array of pooled names: shortest way from the program to it, it last */
	size_t n_chain;
	struct rv_site *
		cut; /* owned; the set of imports that must be deferred together; n_cut 0: none or not possible */
	size_t n_cut, more_cut; /* likewise */
	bool cut_own;		/* there is such a set, and all of it is the app's own code */
	bool cut_direct;	/* all of it name this module */
	double cut_ms;		/* what deferring the whole set saves, with all else that goes */
	bool more_ways;		/* no cut, since not all that imports it may be known */
	bool unplanned;		/* too many others cost more: no cut was looked for */
	struct rv_hoist hoist;	/* in a function, and of a tier for the top; else empty */
	enum rv_action action;	/* from here on by review/ */
	enum rv_why why;
	const char *reason; /* pooled */
	bool covered;	    /* what brings it in is to be deferred, and takes this along */
	bool doubt; /* stays at the top only since every run imports it; whether they use it is not measured */
};

struct rv_change {
	enum rv_change_kind kind;
	const char *
		module; /* pooled; NULL: the app's cold start; a distribution for RV_DEPENDENCY_UPDATE */
	const char *before; /* pooled; what is shown: "12.3 ms", "2.1.0"; NULL */
	const char *after;
	double before_value, after_value; /* ms or percent; NAN */
	int64_t day;	 /* days since 1970-01-01 in local time; INT64_MIN: not known */
	const char *why; /* pooled */
};

/* How many of each kind there is room for, of so many, when most fit in all: no kind crowds out another. */
static inline void rv_change_room(const size_t n[RV_CHANGE_KINDS], size_t most,
				  size_t ret[RV_CHANGE_KINDS])
{
	size_t given = 1;

	for (size_t k = 0; k < RV_CHANGE_KINDS; k++)
		ret[k] = 0;
	while (most && given) {
		given = 0;
		for (size_t k = 0; k < RV_CHANGE_KINDS && most; k++)
			if (ret[k] < n[k]) {
				ret[k]++;
				most--;
				given++;
			}
	}
}

struct rv_verify {
	const char *baseline; /* its name; strings live as long as the verdict */
	double baseline_ms, current_ms;
	uint64_t baseline_n, current_n;
	double improvement_pct, lo_pct, hi_pct; /* 95 % */
	bool full;				/* enough runs for 95 % */
	double p_value;
	double expected_pct;
	bool holds;
	double predicted_ms; /* sum of what the changed modules' savings promised; NAN: nothing was changed */
	double real_ms;	  /* baseline_ms - current_ms */
	const char *text; /* pooled; in words */
	struct rv_moved {
		const char *module; /* pooled */
		double predicted_ms;
	} * moved; /* owned; modules that left the start since */
	size_t n_moved;
};

struct rv_check {
	const char *item; /* static or pooled */
	bool done;
	const char *evidence; /* pooled */
};

/* A node of the icicle: a module below the one that (most often) loads it. Parents come first. */
struct rv_node {
	const char *name; /* pooled */
	int32_t parent;	  /* -1: outermost */
	double self_ms;	  /* typical of a run */
	double total_ms;  /* self and all below: what is drawn */
	uint32_t depth;
	uint8_t action; /* enum rv_action of the module */
};

/* One recommended change; the review's list is in the order in which to make them. */
struct rv_step {
	const char *app;    /* borrowed */
	const char *module; /* borrowed */
	enum rv_action action;
	double saving_ms;	     /* a run; what is still to be had after the steps before it */
	double saving_pct;	     /* of the cold start */
	double month_s;		     /* saving over the period's starts */
	const struct rv_site *sites; /* borrowed: what to change */
	size_t n_sites, more_sites;  /* more: there is no room for */
	const char *text;	     /* pooled: one sentence */
};

/* A point of the cold start's history. */
struct rv_day {
	int64_t day;
	double p50_ms;
	uint64_t n;
};

struct rv_app {
	const char *app; /* pooled */
	uint64_t runs;	 /* of the period, all */
	uint64_t warm, cold, after_change,
		unfit; /* cold cache; first after a .pyc changed; forked or not seen from the start */
	struct rv_times cold_start, interpreter;
	struct rv_times before; /* cold start of the period before; n 0: none */
	double noise_ms;	/* robust spread of the cold start */
	bool uses_counted; /* false: imports of loaded modules were not seen, and savings are upper bounds */
	bool imports_known;  /* ... and those of modules that take next to nothing were told, too */
	struct rv_day *days; /* owned; in order */
	size_t n_days;
	struct rv_module
		*modules; /* owned; by name until review/ sorts: what to change comes first */
	size_t n_modules;
	uint64_t cut_modules;	   /* were left out since there were too many */
	struct rv_change *changes; /* owned; the whole start first, then by kind */
	size_t n_changes;
	uint64_t cut_changes;	    /* were left out since there were too many */
	struct rv_verify *verify;   /* owned; NULL: nothing to verify */
	struct rv_check *checklist; /* owned */
	size_t n_checklist;
	struct rv_node *nodes; /* owned */
	size_t n_nodes;
	double can_save_ms; /* all of the app's steps together */
	void *strings;	    /* owned struct intern */
};

/* Runs that paid for a start: not what was forked, nor what ran already. */
static inline uint64_t rv_starts(const struct rv_app *a)
{
	return a->warm + a->cold + a->after_change;
}

struct rv_review {
	const char *version;	  /* lmmsd's; borrowed */
	const char *host;	  /* pooled; NULL */
	int64_t since_s, until_s; /* Unix time; until is the first moment after it */
	const char *label;	  /* pooled: "November 2026", or "2026-11-01 to 2026-11-08" */
	const char *
		note; /* pooled: where the numbers come from, and what that means for them; NULL: a host's database */
	enum rv_basis basis;
	struct rv_thresholds thresholds;
	uint64_t lost[LMMSD_LOST_MAX];
	struct rv_app **apps; /* owned; what can be saved most comes first */
	size_t n_apps;
	struct rv_step *steps; /* owned */
	size_t n_steps;
	void *strings; /* owned struct intern */
};

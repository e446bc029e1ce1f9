/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What was measured: the plain data that graph/ fills and analysis/, store/ and export/ read. Times are ns of
 * CLOCK_MONOTONIC unless said otherwise. Strings are valid UTF-8; "interned" ones belong to the owner of the
 * process (struct mdl_process.strings).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/event.h"
#include "lmmsd/reasons.h"

enum mdl_status { MDL_LOADED, MDL_FAILED, MDL_SEEN };
enum mdl_tier { MDL_TIER_NONE, MDL_MODULE_LEVEL, MDL_FUNCTION_LEVEL };

#define MDL_LOAD_BODY_ONLY                                                                         \
	0x1 /* import_module, reload or runpy: only the body's run was seen, not the search */
#define MDL_LOAD_OPEN                                                                              \
	0x2 /* did not end before the process or the observation did: total is up to then */
#define MDL_LOAD_MAIN                                                                              \
	0x4 /* the main program itself (__main__): no row in reports, it only carries times */
#define MDL_LOAD_INHERITED                                                                         \
	0x8 /* fork: open in the parent when the child was made; not the child's cost */
#define MDL_LOAD_LAZY 0x10 /* woken by PEP 810 */
#define MDL_LOAD_UNTIMED                                                                           \
	0x20 /* a C module by importlib.import_module: that it was loaded is known, not how long it took */

/* One load: one row of -X importtime, or one that it does not show. In order of start. */
struct mdl_load {
	const char *name;	   /* interned, absolute */
	const char *importer;	   /* interned; NULL: not known */
	const char *importer_file; /* interned; NULL */
	const char *file;	   /* interned; NULL: not known or none */
	uint64_t start_ns;
	uint64_t total_ns;
	uint64_t self_ns;
	uint64_t
		spent_ns; /* part of self_ns that lmmsd's own probes took; 0 also where that is not known */
	uint64_t
		exec_ns; /* part of total in the module's own body with what it loads; 0: not measured */
	int32_t parent; /* index of the enclosing load on the thread; -1: outermost */
	int32_t line;	/* of the import statement; 0: not known */
	uint32_t depth; /* 0: outermost */
	uint32_t tid;
	uint8_t status; /* enum mdl_status */
	uint8_t place;	/* LMMSD_PLACE_* */
	uint8_t kind;	/* LMMSD_KIND_* */
	uint8_t flags;	/* MDL_LOAD_* */
};

/* One module of a process, by name. */
struct mdl_module {
	const char *name;	  /* interned */
	const char *file;	  /* interned; NULL */
	const char *distribution; /* interned; NULL */
	const char *version;	  /* interned; NULL */
	int32_t load; /* index of the load that stands for it: the first that succeeded, else the first; -1: only seen */
	uint32_t n_loads;
	uint64_t uses;
	uint64_t uses_by_place[LMMSD_PLACE_MAX];
	double share_pct;   /* uses / sum of uses * 100; filled by analysis */
	uint64_t saving_ns; /* filled by analysis */
	uint8_t tier;	    /* enum mdl_tier; filled by analysis */
	uint8_t kind;	    /* LMMSD_KIND_* */
	uint8_t status;	    /* enum mdl_status */
	uint8_t pad_;
};

struct mdl_edge {
	const char *importer; /* interned; NULL: not known */
	const char *module;   /* interned */
	const char *file;     /* interned; NULL */
	uint64_t count;
	int32_t line; /* 0: not known */
	uint8_t place;
	bool loaded; /* this edge caused a load */
};

struct mdl_process {
	uint32_t pid;
	uint32_t ppid;
	uint32_t uid;
	uint32_t py_version;  /* PY_VERSION_HEX */
	uint8_t probe;	      /* LMMSD_PROBE_* */
	uint8_t interp_flags; /* LMMSD_INTERP_* */
	bool from_start;      /* every import since exec (or fork) was seen */
	bool ended;
	bool end_unseen; /* its record was lost: end_ns is when that was noticed, exit_status says nothing */
	bool forked;		 /* began by fork from a watched Python, without an exec */
	bool usage;		 /* uses were counted */
	int32_t exit_status;	 /* as from wait(2), when ended */
	uint64_t start_ns;	 /* of the process: with pid its identity */
	uint64_t begin_ns;	 /* what start_ms counts from: the last exec, else start_ns */
	uint64_t end_ns;	 /* end, or the time of the snapshot */
	uint64_t main_ns;	 /* first statement of the main program; 0: not seen */
	uint64_t interpreter_ns; /* exec to main_ns; 0: not measured */
	uint64_t cold_start_ns;	 /* see interface.md: cold_start_ms */
	char *app;		 /* owned; set by app identity */
	char *comm;		 /* owned */
	char *exe;		 /* owned */
	char *cgroup;		 /* owned */
	char *cwd; /* owned: the working directory at exec (of what already ran, when it was found); "": "/" or not known */
	char *cmdline; /* owned: argv strings, each ended by NUL */
	size_t cmdline_len;
	struct mdl_load *loads; /* owned array */
	size_t n_loads;
	struct mdl_module *modules; /* owned array, in order of first appearance */
	size_t n_modules;
	struct mdl_edge *edges; /* owned array */
	size_t n_edges;
	uint64_t lost[LMMSD_LOST_MAX]; /* of this process, where that is known */
	void *strings; /* owned struct intern: where the interned strings live; freed by graph_process_free */
};

struct mdl_profile {
	const char *version; /* lmmsd's */
	const char *host, *kernel, *arch, *boot_id;
	int64_t realtime_offset_ns; /* CLOCK_MONOTONIC + this = Unix time */
	uint64_t started_ns, ended_ns;
	bool complete; /* nothing lost, stream ended in order */
	uint64_t lost[LMMSD_LOST_MAX];
	struct mdl_process **processes; /* in order of start */
	size_t n_processes;
};

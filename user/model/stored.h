/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A run as the store took it, with the class that the store gave it: what metrics count. Plain data; times are ns. */
#pragma once
#include "model/history.h"

struct mdl_stored_module {
	const char *name;
	const char *distribution; /* NULL: none, as the next two */
	const char *version;
	const char *importer;	    /* module whose code caused the load; "__main__": the program */
	uint64_t total_ns, self_ns; /* of the load that stands for it, when timed */
	uint64_t saving_ns;
	uint64_t uses[LMMSD_PLACE_MAX];
	uint32_t failures;	      /* loads that failed */
	uint8_t origin;		      /* enum mdl_origin; BY_FILE: not known */
	uint8_t place;		      /* LMMSD_PLACE_* of the load */
	bool loaded, timed, at_start; /* at_start: loaded as part of the start-up */
};

struct mdl_stored_edge {
	const char *importer; /* "__main__": the program; NULL: not known */
	uint32_t module;      /* index */
	uint8_t place;	      /* LMMSD_PLACE_* */
	bool loaded;	      /* it caused the load */
};

struct mdl_stored {
	uint64_t key;	 /* of the process: the same in each copy of a run that goes on */
	const char *app; /* MDL_OTHER when the store had too many */
	uint8_t class;	 /* enum mdl_run_class */
	bool usage;	 /* uses were counted */
	bool ended;	 /* false: a copy of a run that goes on; another one follows */
	uint64_t duration_ns;
	uint64_t cold_start_ns;
	uint64_t interpreter_ns; /* 0: not measured */
	const struct mdl_stored_module *modules;
	size_t n_modules;
	const struct mdl_stored_edge *edges;
	size_t n_edges;
};

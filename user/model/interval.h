/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What ran in one interval, for exporters that push: plain data with bounded names and numbers of rows. Only plain runs (a
 * program seen from its exec) count; the times are those of warm runs, see model/history.h. Strings are valid UTF-8. The app and the module MDL_OTHER stand for all that is not named.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"

/* Values of ns in no order; where there were more than are kept, an even sample of them. */
struct mdl_values {
	uint64_t *ns; /* owned array */
	size_t n, cap;
	uint64_t seen; /* n and those left out */
};

struct mdl_interval_module {
	char *name;		      /* owned, as the next two */
	char *distribution, *version; /* of the latest load; NULL */
	struct mdl_values total;      /* of the load that stands for it; none for MDL_OTHER */
	uint64_t self_ns;	      /* sum over warm runs */
	uint64_t saving_ns;	      /* likewise; 0 for MDL_OTHER: savings do not add up */
	uint64_t runs_using;	      /* plain runs that imported it; 0 for MDL_OTHER */
	uint64_t failures;	      /* loads that failed */
};

struct mdl_interval_app {
	char *name; /* owned */
	uint64_t runs;
	uint64_t slow_imports; /* loads over the policy's limit for a warning */
	struct mdl_values cold_start, interpreter;
	struct mdl_interval_module *modules; /* owned array; the costliest first, MDL_OTHER last */
	size_t n_modules;
};

struct mdl_interval {
	int64_t since_ns, until_ns; /* Unix time */
	uint64_t runs;
	uint64_t lost[LMMSD_LOST_MAX]; /* in the interval */
	struct mdl_interval_app *apps; /* owned array, likewise; without runs: not there */
	size_t n_apps;
};

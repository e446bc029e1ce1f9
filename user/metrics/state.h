/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Inside the room. */
#pragma once
#include <stdbool.h>

#include "metrics/metrics.h"

/* A table that cannot grow says so and stays as it was. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->refused = true)
#include <uthash.h>

#define METRICS_NAME_MAX 200 /* bytes of a label's value; the rest is cut off */
#define METRICS_CANDIDATES 256
/* 5 ms to 60 s. */
#define METRICS_START_BOUNDS                                                                       \
	{                                                                                          \
		0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60                    \
	}
/* What a module or an app can have at most, in series. */
#define METRICS_MODULE_SERIES (MDL_IMPORT_BOUNDS + 3 + 2 * LMMSD_PLACE_MAX + 7 + MDL_IMPORTERS)
#define METRICS_APP_SERIES                                                                         \
	(2 * (MDL_START_BOUNDS + 3) + 5 + MDL_RUN_CLASSES + METRICS_MODULE_SERIES)
#define METRICS_APP_CREATED 5  /* _created of OpenMetrics */
#define METRICS_OWN_SERIES 160 /* of lmmsd itself, at most */

struct module {
	UT_hash_handle hh;
	struct mdl_metrics_module v;
	double cost_ns; /* mean of its loads, the latest counting most */
	uint64_t importer_votes;
	char *importer, *distribution, *version; /* owned; as in v */
	char *importers[MDL_IMPORTERS];		 /* owned; likewise */
	uint64_t importer_run[MDL_IMPORTERS];	 /* number of the run that counted last */
	bool refused;
	char name[METRICS_NAME_MAX + 1];
};

struct app {
	UT_hash_handle hh;
	struct mdl_metrics_app v; /* without modules */
	struct module *modules;	  /* owned table */
	struct module other;
	double cost_ns; /* sum of its starts, halved once a day */
	bool refused;
	char name[METRICS_NAME_MAX + 1];
};

/* An app without series that may yet earn them. */
struct candidate {
	uint64_t hash; /* of the name; 0: none */
	double cost_ns;
};

/* So many may lose their series in so long. */
struct budget {
	double left, max, per_s;
	int64_t at_s;
};

struct open_run; /* open.c */

struct metrics {
	struct metrics_options options;
	double import_bounds[MDL_IMPORT_BOUNDS];
	struct app *apps; /* owned table */
	struct app other;
	struct candidate candidates[METRICS_CANDIDATES];
	size_t series; /* upper bound of the page's */
	struct budget app_changes, module_changes;
	int64_t decayed_s;
	struct open_run *open; /* owned table, the latest touched last */
	size_t open_bytes;
	uint64_t runs; /* counted so far: a number for each */
	uint64_t refused_modules, refused_apps;
};

/* open.c: what was counted of the processes that go on. */
struct open_run *open_find(struct metrics *m, uint64_t key);
/* Is it time to count it? Remembers what it needs for the next time. -ENOMEM. */
int open_due(struct metrics *m, const struct mdl_stored *run, bool *ret);
/* Remembers all of run as counted. -ENOMEM. */
int open_remember(struct metrics *m, const struct mdl_stored *run);
void open_forget(struct metrics *m, uint64_t key);
void open_free(struct metrics *m);
/* What is new since it was counted. */
struct news {
	uint64_t uses[LMMSD_PLACE_MAX];
	uint64_t failures;
	bool load, imported, in_function; /* for the first time */
};
/* open NULL: all of it. */
void open_news(const struct open_run *open, const struct mdl_stored_module *from, struct news *ret);
bool open_counted(const struct open_run *open);

/* slots.c: who has series of its own. */
/* The app's entry, or that of all others. NULL: no memory. */
struct app *slots_app(struct metrics *m, const struct mdl_stored *run, int64_t now_s);
/* The module's entry, when it has one. */
struct module *slots_find_module(struct app *a, const char *name);
struct module *slots_module(struct metrics *m, struct app *a, const struct mdl_stored_module *from,
			    int64_t now_s);
/* A copy, cut to what a label takes. s: NULL: none. -ENOMEM. */
int slots_set_string(char **to, const char *s);
void slots_free(struct metrics *m);
void slots_app_init(struct app *a, const char *name, int64_t now_s);
size_t slots_module_series(const struct mdl_metrics_module *v);
/* Takes series from the cheapest until the page is as short as it must be. */
void slots_trim(struct metrics *m);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by interval*.c only. */
#pragma once
#include <stdbool.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->refused = true)
#include <uthash.h>

#include "metrics/interval.h"

#define APPS_MAX 128	   /* that are followed, named or not */
#define APP_MODULES_MAX 64 /* of one */
#define NAME_BYTES_MAX 256
#define COUNTED_MAX 16384

struct module {
	UT_hash_handle hh; /* by name */
	char *name;	   /* owned, as the next two */
	char *distribution, *version;
	struct mdl_values total;
	uint64_t self_ns, saving_ns, runs_using, failures;
	double score; /* ns of earlier intervals, older ones less */
	bool named, refused;
};

struct app {
	UT_hash_handle hh; /* by name */
	char *name;	   /* owned */
	uint64_t runs, slow_imports;
	struct mdl_values cold_start, interpreter;
	struct module *modules;			/* owned table */
	uint64_t other_self_ns, other_failures; /* of modules that are not followed */
	double cost, score;			/* of this interval; of earlier ones, as above */
	double floor;				/* no module that can make room costs less */
	uint32_t compiled, same; /* what the latest run compiled; how many in a row did */
	bool named, refused;
};

/* A process that goes on and is in already. */
struct counted {
	UT_hash_handle hh;
	struct {
		uint64_t start_ns, begin_ns;
		uint32_t pid, pad_;
	} key;
	bool refused;
};

struct interval {
	struct interval_limits limits;
	int64_t since_ns, ranked_ns;
	struct app *apps;	 /* owned table */
	struct app other;	 /* has no name and no modules */
	struct counted *counted; /* owned table */
	uint64_t random;
	double floor; /* likewise of apps */
	uint64_t runs;
};

static inline double module_cost(const struct module *m)
{
	return (double)m->saving_ns + (double)m->self_ns;
}

void interval_module_free(struct module *m);
void interval_app_free(struct app *a);
/* One more value, in place of a random one when max are there. */
int interval_value(struct mdl_values *v, uint64_t ns, size_t max, uint64_t *random);
/* What from has in this interval is added to to. */
int interval_merge(struct interval *i, struct app *to, const struct app *from);

/*
 * interval_room.c: is there room for one more, which costs so much? The cheapest without a name may have to go: what it has in
 * this interval is then among the others.
 */
bool interval_app_room(struct interval *i, double cost);
bool interval_module_room(struct app *a, double cost);

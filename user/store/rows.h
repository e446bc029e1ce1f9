/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Runs and aggregates to rows and back. Transactions are the caller's. */
#pragma once
#include "store/agg.h"
#include "store/db.h"

#define RUN_OPEN 0
#define RUN_OVER 1
#define RUN_FOLDED 2

/* Adds the rows of an app over [since, until) to a. */
int rows_load(struct db *db, uint32_t app, int32_t since_day, int32_t until_day, struct agg *a);
/* Writes one day: the entry for it in a->days, modules that are dirty, edges. */
int rows_save(struct db *db, uint32_t app, int32_t day, struct agg *a);

/* id 0: a new row, whose id is set. -EINVAL: it cannot be stored. ret_bytes: of its data. */
int rows_put_run(struct db *db, struct sto_run *r, int state, uint64_t *id, uint64_t *ret_bytes);
/* With mods and edges. -EBADMSG: its data is bad, or has names that are not there. */
int rows_get_run(struct db *db, uint64_t id, struct sto_run *ret);
/* The columns of a SELECT of RUN_COLUMNS. */
#define RUN_COLUMNS                                                                                   \
	"id, app, day, class, boot, compiled, started, duration, cold_start, interpreter, pid, uid, " \
	"python, modules, exit, ended, state"
void rows_run_of(sqlite3_stmt *st, struct sto_run *ret);

/* Adds runs that are over to the aggregates: at most max_runs, and no further ones after max_ms; one at least. */
struct fold_limits {
	size_t max_mods, max_edges;
	unsigned int max_ms;
};
struct fold_result {
	uint64_t runs, bad, over_mods, over_edges;
	bool more; /* there may be others */
};
int rows_fold(struct db *db, const struct fold_limits *limits, uint32_t max_runs,
	      struct fold_result *ret);

/* notes.c: one row; its id is the database's to give. */
int sto_trigger_insert(struct db *db, const struct mdl_trigger *t);

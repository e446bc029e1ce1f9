/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Runs of one app, added up: of one day, to be written; or of many, to be read. Mergeable: adding rows that were
 * written gives what adding their runs would have given.
 */
#pragma once
#include "store/map.h"
#include "store/run.h"

#define AGG_PYTHONS 8
#define AGG_OTHER_NAME 1 /* id of MDL_OTHER in the table name */

struct agg_mod {
	uint32_t name, pkg, file;
	uint8_t kind;
	bool dirty;
	int32_t first_day, last_day;
	int32_t place_day; /* that place_loads is of */
	uint64_t place_loads[LMMSD_PLACE_MAX];
	struct sketch total, self;
	struct mdl_moments saving;
	uint64_t runs_loaded, runs_start, runs_imported, runs_used;
	uint64_t imported_other, used_other, failures, loads_compiled;
	uint64_t runs_by_place[LMMSD_PLACE_MAX];
	uint64_t loads_by_place[LMMSD_PLACE_MAX];
	uint64_t uses_by_place[LMMSD_PLACE_MAX];
};

struct agg_edge {
	uint32_t importer, module, file;
	int32_t line, last_day;
	uint8_t place;
	uint64_t runs, count, loads;
};

struct agg_python {
	uint32_t version;
	uint64_t runs;
};

struct agg_day {
	int32_t day;
	uint64_t runs[MDL_RUN_CLASSES];
	uint64_t uses;
	int64_t first_ns, last_ns;
	bool usage;
	struct sketch cold_start, interpreter, cold_cache, compiled;
	struct agg_python pythons[AGG_PYTHONS];
	uint64_t lost[LMMSD_LOST_MAX];
};

/* Zero but for the limits is an empty one. */
struct agg {
	uint32_t max_mods, max_edges; /* 0: none */
	struct agg_mod *mods;	      /* owned */
	uint32_t n_mods, cap_mods;
	struct sto_map by_mod;	/* name, pkg */
	struct agg_edge *edges; /* owned */
	uint32_t n_edges, cap_edges;
	struct sto_map by_edge; /* importer and module, line and place */
	struct agg_day *days;	/* owned, rising */
	uint32_t n_days, cap_days;
	uint64_t over_mods, over_edges; /* what did not fit */
};
void agg_free(struct agg *a);
#define _agg_ _cleanup_(agg_free)

/* The day's entry, made when it is new; NULL: no memory. Valid until the next call. */
struct agg_day *agg_day(struct agg *a, int32_t day);
/* The module's entry likewise, or the one of MDL_OTHER when there are too many. */
struct agg_mod *agg_mod(struct agg *a, uint32_t name, uint32_t pkg);
/* NULL with *error 0: too many. */
struct agg_edge *agg_edge(struct agg *a, const struct agg_edge *key, int *error);
int agg_add_run(struct agg *a, const struct sto_run *r);
/* The present placement is that of the latest day with loads. */
void agg_mod_place(struct agg_mod *m, int32_t day, const uint64_t loads[LMMSD_PLACE_MAX]);
/* A run began at that time. */
void agg_day_seen(struct agg_day *d, int64_t first_ns, int64_t last_ns);
void agg_day_python(struct agg_day *d, uint32_t version, uint64_t runs);
int agg_day_merge(struct agg_day *to, const struct agg_day *from);

/* Edges of one day, as bytes. */
void agg_edges_write(struct agg *a, struct buf *b);
int agg_edges_read(struct agg *a, int32_t day, const void *data, size_t len);
/* The by-place counters of a module, as bytes. */
void agg_places_write(const struct agg_mod *m, struct buf *b);
int agg_places_read(struct agg_mod *m, int32_t day, const void *data, size_t len);
/* Python versions and losses of a day, as bytes. */
void agg_extra_write(const struct agg_day *d, struct buf *b);
int agg_extra_read(struct agg_day *d, const void *data, size_t len);

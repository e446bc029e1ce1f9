/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A run in numbers: what is queued (strings are indices of its own table), stored (strings are ids of the table name)
 * and added to aggregates. 0 is no string.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/history.h"
#include "store/store.h"

#define STO_NAME_MAX 512 /* bytes of a string; the rest is cut off */

#define STO_MOD_LOAD 0x1   /* a load was seen */
#define STO_MOD_TIMED 0x2  /* ... that ended well: it has times */
#define STO_MOD_START 0x4  /* ... in the start-up */
#define STO_MOD_SOURCE 0x8 /* ... from source */

struct sto_mod {
	uint32_t name, file;
	uint32_t dist, version; /* while queued */
	uint32_t pkg;		/* once stored */
	uint32_t failures;
	uint64_t total_ns, self_ns, saving_ns;
	uint64_t uses[LMMSD_PLACE_MAX];
	uint8_t kind, place, flags; /* LMMSD_KIND_*, LMMSD_PLACE_* of the load, STO_MOD_* */
};

struct sto_edge {
	uint32_t importer, module, file;
	int32_t line;
	uint64_t count;
	uint8_t place;
	bool loaded;
};

struct sto_run {
	uint64_t key;	   /* of the process, to find its checkpoint */
	uint32_t boot;	   /* hash of the boot id; 0: not known */
	uint32_t compiled; /* hash of the names of what was compiled; 0: nothing */
	uint32_t app;
	int32_t day;
	int64_t started_ns; /* Unix time */
	uint64_t uptime_ns; /* of the host when it began */
	uint64_t duration_ns, cold_start_ns, interpreter_ns;
	uint32_t pid, uid, py_version, n_loaded;
	int32_t exit_status;
	uint8_t class;
	bool ended, usage;
	uint64_t lost[LMMSD_LOST_MAX];
	struct sto_mod *mods; /* owned; once stored in order of name */
	uint32_t n_mods;
	struct sto_edge *edges; /* owned */
	uint32_t n_edges;
};
void sto_run_free(struct sto_run *r); /* what it owns */
#define _sto_run_ _cleanup_(sto_run_free)

/* Sorts, then adds the stored form of mods, edges, usage and losses to b; the rest is columns. */
void sto_run_encode(struct sto_run *r, struct buf *b);
/* Fills mods, edges, usage and losses. -EBADMSG, -EPROTO, -ENOMEM. */
int sto_run_decode(struct sto_run *r, const void *data, size_t len);

/* A queued run. */
struct sto_rec {
	struct sto_rec *next;
	size_t bytes;  /* of memory, about */
	uint8_t class; /* that it was written with */
	bool other;    /* ... and as MDL_OTHER */
	struct sto_run run;
	char *text;	   /* owned: strings, each ended by NUL */
	uint32_t *strings; /* owned: offsets in text; [0] is no string */
	uint32_t n_strings;
};
int sto_rec_new(const struct mdl_process *p, const struct store_put_info *info,
		struct sto_rec **ret);
struct sto_rec *sto_rec_free(struct sto_rec *r); /* NULL */

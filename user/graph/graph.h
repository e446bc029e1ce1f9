/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Events to per-process import graphs. Pairs starts with dones, resolves relative names, keeps every limit, and
 * hands out immutable struct mdl_process. Knows neither where events come from nor what is done with the result.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/event.h"
#include "model/profile.h"

struct graph_limits {
	size_t processes; /* live at once */
	size_t loads;	  /* of a process */
	size_t modules;	  /* of a process */
	size_t edges;	  /* of a process */
	size_t depth;	  /* of nested loads on one thread */
	size_t threads;	  /* of a process with open loads */
	/*
	 * Memory of all processes, live ones and those that wait, without the allocator's own. Once half of it is in
	 * use, a process that holds more than an eighth of what is left gets no more rows and strings; an eighth on top
	 * is for those that hold less than a 1024th. What is refused counts as LIMIT_MODULES, _EDGES, _DEPTH or
	 * _PROCESSES.
	 */
	size_t bytes;
};
extern const struct graph_limits graph_default_limits;

struct graph;
int graph_new(const struct graph_limits *limits, struct graph **ret);
struct graph *graph_free(struct graph *g); /* NULL */
static inline void graph_freep(struct graph **g)
{
	(void)graph_free(*g);
}

/* 0 or -ENOMEM; whatever else is wrong with an event is counted, see graph_lost(). */
int graph_event(struct graph *g, const struct ev *ev);

/*
 * A process that ended (exit or exec) and whose use counts have come: owned by the caller, free with
 * graph_process_free(). NULL: none. A process that ended is held until graph_uses_done() was called for it, so that its counters can be read.
 */
struct mdl_process *graph_take_ended(struct graph *g);

/* The process's use keys, to read their counters: 0 and *ret = array borrowed until the next event; -ESRCH. */
int graph_use_keys(struct graph *g, uint32_t tgid, uint64_t start_ns,
		   const struct lmmsd_use_key **ret, size_t *ret_n);
/* All counters of an ended process were given as USES events. */
void graph_uses_done(struct graph *g, uint32_t tgid, uint64_t start_ns);
/* Next ended process that waits for graph_uses_done(); false: none. */
bool graph_next_pending(struct graph *g, uint32_t *ret_tgid, uint64_t *ret_start_ns);

/* Calls fn for each live process. */
void graph_each_live(struct graph *g, void (*fn)(uint32_t tgid, uint64_t start_ns, void *arg),
		     void *arg);
/* Rows that it has so far, which only grow: has anything happened? 0: no such process. */
size_t graph_rows(const struct graph *g, uint32_t tgid, uint64_t start_ns);
/*
 * A copy of a process as it is now, open loads counted up to now_ns; also of one that ended and waits. Owned by the
 * caller. -ESRCH, -ENOMEM. A process that executed another program while its first one waits: that first one, here
 * and in graph_use_keys(), so ended ones should be dealt with first.
 */
int graph_snapshot(struct graph *g, uint32_t tgid, uint64_t start_ns, uint64_t now_ns,
		   struct mdl_process **ret);
/*
 * The observation ends: every live process becomes an ended one (ended = false in it), to be taken as above; from
 * now on also without graph_uses_done().
 */
int graph_finish(struct graph *g, uint64_t now_ns);

struct mdl_process *graph_process_free(struct mdl_process *p); /* NULL */

const uint64_t *graph_lost(const struct graph *g); /* [LMMSD_LOST_MAX], this room's own counts */
struct graph_counts {
	uint64_t processes_live, processes_ended, loads, uses, events;
	uint64_t bytes; /* as graph_limits.bytes counts them */
};
void graph_counts(const struct graph *g, struct graph_counts *ret);
/* Facts from HOST, INTERP, LOST and END events. Borrowed. */
struct graph_host {
	const char *name, *kernel, *arch, *boot_id, *version;
	int64_t realtime_offset_ns;
	uint64_t first_ns;
	bool usage;
	uint64_t lost[LMMSD_LOST_MAX]; /* as the stream said last */
};
const struct graph_host *graph_host(const struct graph *g);

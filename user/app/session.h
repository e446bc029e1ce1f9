/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * One observation: probes, reader, interpreters, graph, and the processes that ended. What ends goes to a receiver,
 * who owns it: the ad-hoc report keeps all, the daemon stores each.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/sink.h"
#include "app/watch.h"
#include "probe/probe.h"

struct session_params {
	struct probe_options probe; /* features are filled by session_new() */
	struct graph_limits limits;
	enum target_want want;
	size_t max_interpreters; /* attached to at once */
	size_t queue_bytes;	 /* of the reader */
	bool facts;		 /* look up distributions and kinds on disk */
	FILE *record;		 /* borrowed; NULL */
};

struct session;
/*
 * Begins to load. Until session_load() only session_watch() is there, and may search: what it finds waits, see watch_hold().
 * session_load() waits for the programs and attaches to the process tracepoints; stop_fd: see loading_wait(). On failure *ret_what is a
 * static text: what could not be done. session_new() does both at once.
 */
int session_begin(const struct session_params *params, struct session **ret, const char **ret_what);
int session_load(struct session *s, int stop_fd, const char **ret_what);
int session_new(const struct session_params *params, struct session **ret, const char **ret_what);
struct session *session_free(struct session *s); /* detaches; NULL */
static inline void session_freep(struct session **s)
{
	(void)session_free(*s);
}

/* Each process that ended, with its use counts and facts. The receiver owns p. */
void session_on_process(struct session *s, void (*fn)(void *arg, struct mdl_process *p), void *arg);

bool session_loads(
	const struct session
		*s); /* session_load() was not successful: session_free() waits for the kernel */

struct watch *session_watch(struct session *s); /* borrowed */
struct sink *session_sink(struct session *s);	/* borrowed */
struct probe *session_probe(struct session *s); /* borrowed */
int session_event_fd(const struct session *s);	/* readable: call session_work() */

/*
 * Takes what the reader has, decodes it, harvests the counters of processes that ended, and looks at new programs.
 * Bounded work a call. Negative errno: -ENOMEM only.
 */
int session_work(struct session *s);
/* Every second or so: session_work() of what is left to look at, and lets go of files that were written to. */
int session_tick(struct session *s);
/* Does session_work() until nothing is left that was in the ring when it was called. */
int session_flush(struct session *s);
/*
 * Processes that go on: each with the number of its rows, which only grows; and one as it is now, with its use counts and facts,
 * owned by the caller (-ESRCH, -ENOMEM).
 */
void session_each_live(struct session *s,
		       void (*fn)(void *arg, uint32_t tgid, uint64_t start_ns, size_t rows),
		       void *arg);
int session_look(struct session *s, uint32_t tgid, uint64_t start_ns, struct mdl_process **ret);
/* Now and then: looks for interpreters that came without an exec, lets go of files and roots that nothing
 * uses, takes away what lost events left behind. */
int session_tidy(struct session *s);
/* The observation ends: flushes, counts up the live processes, hands all out, ends the recording. */
int session_finish(struct session *s);
/* The instant at which the observation ended, to which open loads count; while it goes on: now. */
uint64_t session_now(const struct session *s);

/* Everything that was lost so far, from the kernel to the graph. */
void session_lost(struct session *s, uint64_t ret_lost[LMMSD_LOST_MAX]);
struct session_counts {
	struct graph_counts graph;
	uint64_t records;
	size_t interpreters;
	uint64_t lost;	     /* sum */
	double lookup_cpu_s; /* processor time of the process that reads files */
};
void session_counts(struct session *s, struct session_counts *ret);

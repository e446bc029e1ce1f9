/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The end of a process: its use counters are read out of the kernel and its modules looked up on disk, both put
 * into the stream as records, before the graph gives the process out.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "app/sink.h"
#include "probe/probe.h"

struct harvest;
struct roots;
struct lookup;
/*
 * probe: NULL in a replay, where the stream has the counts. roots, lookup: NULL: nothing is looked up on disk. All
 * borrowed.
 */
int harvest_new(struct probe *probe, struct sink *sink, struct roots *roots, struct lookup *lookup,
		struct harvest **ret);
struct harvest *harvest_free(struct harvest *h); /* NULL */
static inline void harvest_freep(struct harvest **h)
{
	(void)harvest_free(*h);
}
/* The receiver owns p. Without one, processes are freed. */
void harvest_on_process(struct harvest *h, void (*fn)(void *arg, struct mdl_process *p), void *arg);

/* Processes that ended since the last call. */
int harvest_ended(struct harvest *h);
/* A process that goes on, as it is now, its counters and facts included: owned by the caller. -ESRCH, -ENOMEM. */
int harvest_look(struct harvest *h, uint32_t tgid, uint64_t start_ns, struct mdl_process **ret);
/* The observation ends at now_ns: the live ones too, as they are then. */
int harvest_all(struct harvest *h, uint64_t now_ns);
/* Processes whose modules could not all be looked up, since there was no time. */

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Sends lines to an endpoint from the daemon's loop, and never waits: lines that cannot be taken now stand in a bounded queue,
 * the oldest are dropped and counted when that is full. Connects when there is something to send, again and again with
 * growing pauses. Says once that the other side is gone, and once that it is back.
 */
#pragma once
#include <systemd/sd-event.h>

#include "app/endpoint.h"

#define EMIT_QUEUE_BYTES ((size_t)4 << 20)

struct emit;
/* to: copied. event: borrowed. A file is opened at once: negative errno when that cannot be written. */
int emit_new(sd_event *event, const struct endpoint *to, struct emit **ret);
struct emit *emit_free(struct emit *e); /* NULL; what is queued is gone */
static inline void emit_freep(struct emit **e)
{
	(void)emit_free(*e);
}

/* Queues a copy of a line without newline. -ENOMEM: dropped, and counted. */
int emit_line(struct emit *e, const char *line, size_t len);
/* Begins to send what is queued. */
void emit_kick(struct emit *e);
/* Before the end, when the loop no longer runs: sends what can be sent within so many ms. */
void emit_drain(struct emit *e, unsigned int ms);

struct emit_stats {
	uint64_t sent;	  /* lines that the other side's system took */
	uint64_t dropped; /* ... and those that it did not */
	size_t queued_bytes;
	bool down; /* as it was said */
};
void emit_stats(const struct emit *e, struct emit_stats *ret);

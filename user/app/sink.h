/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Where every record goes, live or replayed: into the recording if there is one, through the decoder, to the graph. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "graph/graph.h"

struct sink;
int sink_new(const struct graph_limits *limits, struct sink **ret);
struct sink *sink_free(struct sink *s); /* NULL */
static inline void sink_freep(struct sink **s)
{
	(void)sink_free(*s);
}

/* Records everything from here on. f: borrowed. */
int sink_record_to(struct sink *s, FILE *f);
/* Ends the recording; the first error of its writes. */
int sink_record_end(struct sink *s);

/*
 * Called for events that the app itself must act on (EXE), before the graph has them.
 */
void sink_on_event(struct sink *s, void (*fn)(void *arg, const struct ev *ev), void *arg);

/* Has the form that reader_drain() wants. A record that does not decode is counted and passed over. */
int sink_put(void *sink, const void *rec, size_t len);
struct graph *sink_graph(struct sink *s); /* borrowed */
/* Own counts (bad records, unknown kinds) added to lost. */
void sink_add_lost(const struct sink *s, uint64_t lost[LMMSD_LOST_MAX]);

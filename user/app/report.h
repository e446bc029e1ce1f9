/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Processes that ended, collected; analysed and written as one report at the end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/config.h"
#include "graph/graph.h"

/* What is kept for a report; an ad-hoc run that sees more says so. */
#define REPORT_MAX_PROCESSES 20000
#define REPORT_MAX_BYTES (512u << 20)

struct report;
/* config: borrowed. */
int report_new(const struct config *config, struct report **ret);
struct report *report_free(struct report *r); /* NULL */
static inline void report_freep(struct report **r)
{
	(void)report_free(*r);
}
/* Takes p, or frees it when it is not wanted (--app, no Python seen). Has the form that session_on_process() wants. */
void report_add(void *report, struct mdl_process *p);
size_t report_processes(const struct report *r);
/* After report_write() failed: where the report is all the same. NULL: nowhere. */
const char *report_kept(const struct report *r);
bool report_has_pid(const struct report *r, uint32_t pid);

/* host: facts of the stream; lost: everything; ended_ns: CLOCK_MONOTONIC. complete: the stream ended in order. */
int report_write(struct report *r, const struct graph_host *host,
		 const uint64_t lost[LMMSD_LOST_MAX], uint64_t ended_ns, bool complete);

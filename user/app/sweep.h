/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What lost events leave behind: use keys of nobody in the kernel's table, and processes whose end was not seen. All
 * is looked at twice before anything is concluded: what is on its way to the graph wins.
 */
#pragma once
#include "app/sink.h"
#include "probe/probe.h"

struct sweep;
/* All borrowed. */
int sweep_new(struct probe *probe, struct sink *sink, struct sweep **ret);
struct sweep *sweep_free(struct sweep *s); /* NULL */
static inline void sweep_freep(struct sweep **s)
{
	(void)sweep_free(*s);
}

/*
 * Takes keys away whose process neither the graph knows nor the kernel side. Bounded work a call: of a large table the
 * look that it begins is gone on with by sweep_keys_on(), every second or so.
 */
void sweep_keys(struct sweep *s);
void sweep_keys_on(struct sweep *s);
/*
 * Puts an EXIT record for processes that are gone. Nothing is counted: the kernel or the reader counted the record
 * that was lost. -ENOMEM.
 */
int sweep_processes(struct sweep *s);

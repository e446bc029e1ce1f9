/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Metrics for CloudWatch from the daemon: runs are added up, and each interval goes out in the embedded metric format. None of
 * it waits for anybody, and none of its failures is the observation's.
 */
#pragma once
#include <systemd/sd-event.h>

#include "app/config.h"
#include "model/profile.h"

struct cloudwatch;
/* Totals since the start of the daemon of what was lost on the way to the exporters. */
typedef void (*cloudwatch_lost_fn)(void *arg, uint64_t lost[LMMSD_LOST_MAX]);

/*
 * *ret NULL: the configuration wants none. host: copied; event: borrowed; slow_ms, limits and endpoint: as config says now. -EACCES,
 * -ENOENT, ...: a file cannot be written, which was said.
 */
int cloudwatch_new(sd_event *event, const struct config *config, const char *host,
		   cloudwatch_lost_fn lost, void *arg, struct cloudwatch **ret);
/* Without sending what is left. NULL. */
struct cloudwatch *cloudwatch_free(struct cloudwatch *c);
/* A run that ended, or one that goes on: see interval_add(). c NULL: nothing. */
void cloudwatch_add(struct cloudwatch *c, const struct mdl_process *p);
/* Sends the interval up to now, waiting so many ms at most. c NULL: nothing. */
void cloudwatch_finish(struct cloudwatch *c, unsigned int ms);
/* Events that were dropped, and metrics that were left out. c NULL: 0. */
uint64_t cloudwatch_dropped(const struct cloudwatch *c);
/* Do both want the same? */
bool cloudwatch_same(const struct config *a, const struct config *b);

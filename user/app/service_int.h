/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by service*.c only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "app/appname.h"
#include "app/cloudwatch.h"
#include "app/config.h"
#include "app/overhead.h"
#include "app/reviewer.h"
#include "app/session.h"
#include "app/textfile.h"
#include "metrics/metrics.h"
#include "store/store.h"

struct live; /* service_live.c */
struct service_web;

struct service {
	const struct config *config; /* borrowed from the caller or from reloaded */
	struct config *reloaded;     /* owned; NULL: the first one holds */
	int argc;
	char **argv;			      /* borrowed */
	struct session *session;	      /* owned */
	struct appname *names;		      /* owned */
	struct store_writer *writer;	      /* owned */
	struct reviewer *reviewer;	      /* owned */
	struct cloudwatch *cloudwatch;	      /* owned; NULL: not wanted */
	uint64_t dropped_before;	      /* by earlier ones of it */
	struct textfile *textfile;	      /* owned; NULL: not wanted */
	struct live *live;		      /* owned table: processes that go on */
	struct metrics *metrics;	      /* owned */
	struct service_web *web;	      /* owned; NULL: nothing is served */
	sd_event *event;		      /* owned */
	uint64_t lost[LMMSD_LOST_MAX];	      /* that the store knows */
	int store_error;		      /* that was said; 0 */
	uint64_t store_full, store_committed; /* runs, when it was looked at last */
	bool names_full, files_full;	      /* that was said */
	char moved_aside[512];		      /* the last damaged database that was said; "" */
	uint64_t ticks;
	int64_t offset_ns; /* CLOCK_MONOTONIC + this = Unix time, now */
	int64_t created_s; /* Unix time of the start */
	struct overhead overhead;
	uint64_t uncounted; /* runs that the metrics had no memory for */
	int exit_code;	    /* when preparing failed; 0: by the error */
};

/* service_prepare.c: signals blocked, database, probes, interpreters. Says itself what is wrong. */
int service_prepare(struct service *s);
void service_done(struct service *s);

/* service_runs.c */
int64_t service_offset_ns(void);
/* For session_on_process(): stores the run. */
void service_on_process(void *service, struct mdl_process *p);
/* Names, savings, and into the queue of the store. p stays the caller's. */
void service_store(struct service *s, struct mdl_process *p, int64_t offset_ns);
void service_store_losses(struct service *s);
/* For cloudwatch_new(): all that was lost since the start, on the way to the exporters too. */
void service_lost(void *service, uint64_t lost[LMMSD_LOST_MAX]);
/* Says once that the store cannot write, once that it can again, each time that it was damaged, and once that it is full of names. */
void service_watch_store(struct service *s);

/* service_live.c: copies of processes that go on, so that a kill loses seconds of them, too. -ENOMEM. */
int service_checkpoint(struct service *s);
/* The clock offset that was right when the process was first seen; else the present one. */
int64_t service_offset_of(struct service *s, uint32_t tgid, uint64_t start_ns);
void service_live_free(struct service *s);

/* service_metrics.c */
int service_metrics_begin(struct service *s);
/* Counts what the store has written since; bounded work a call. */
void service_metrics_work(struct service *s);
/* All counters as they are now; free with metrics_snapshot_free() before anything else is counted. */
int service_metrics_take(struct service *s, struct mdl_metrics *ret);
/* Now and then: what the overhead is reckoned from. */
void service_metrics_tick(struct service *s);
/* For textfile_new(). */
int service_metrics_page(void *service, struct buf *page);
/* Other bounds: begins anew. */
void service_metrics_reload(struct service *s, const struct config *before);

/* service_web.c: says itself what is wrong; the observation goes on without pages, and tries again. */
int service_web_begin(struct service *s);
void service_web_tick(struct service *s);
/* The configuration is another one: certificates, passwords, thresholds. */
void service_web_reload(struct service *s);
void service_web_end(struct service *s);

/* service_notify.c: systemd's side. All of it does nothing when systemd does not listen. */
void service_notify_ready(struct service *s);
void service_notify_status(struct service *s);
void service_notify_reloading(void);
void service_notify_stopping(void);

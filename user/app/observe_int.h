/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by observe*.c only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "app/config.h"
#include "app/launch.h"
#include "app/report.h"
#include "app/session.h"
#include "base/fdio.h"

struct observe {
	const struct config *config;	    /* borrowed */
	const struct launch_origin *origin; /* borrowed */
	struct session *session;	    /* owned */
	struct report *report;		    /* owned */
	struct outfile *record;		    /* owned; NULL */
	struct launch *launch;		    /* owned; NULL */
	int *pidfds;			    /* owned */
	size_t n_pidfds;
	size_t waiting_for; /* ends that end the observation */
	sd_event *event;    /* owned */
	uint64_t started_ns;
	bool stopped;  /* by a signal or --duration */
	bool status;   /* draw a status line */
	int exit_code; /* when preparing failed; 0: by the error */
};

/* All that comes before the loop: checks, programs, interpreters, the held command. Says itself what is wrong. */
int observe_prepare(struct observe *o);
void observe_done(struct observe *o);
/* Before the end: --pid's processes without an event. */
void observe_add_silent(struct observe *o);
int observe_report_error(const struct config *c, int r);

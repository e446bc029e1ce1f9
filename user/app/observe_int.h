/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by observe*.c only. */
#pragma once
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "app/aside.h"
#include "app/config.h"
#include "app/launch.h"
#include "app/report.h"
#include "app/session.h"
#include "base/fdio.h"

enum observe_stage { OBSERVE_LOADING, OBSERVE_SEARCHING, OBSERVE_ATTACHING };

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
	/*
	 * The start is the thread's of `starting`, with the session and all that is above and not told apart here, until that is
	 * done.
	 */
	struct aside *starting; /* owned */
	int stop_fd;		/* owned: an eventfd; readable: the start is called off */
	atomic_bool stop;
	atomic_int stage;	     /* enum observe_stage */
	atomic_size_t attached, all; /* while it attaches */
	int result;		     /* of the start, when it is done */
	int signal;		     /* that came before anything was watched; 0 */
	bool following; /* the command runs, and other interpreters than its own are still attached to */
	bool processes_added;
};

/* What takes no time: checks, outputs, the held command. Says itself what is wrong. -EINTR: a signal waits. */
int observe_prepare(struct observe *o);
/* What takes time, in a thread: loads, searches, attaches. -ECANCELED: o->stop. Says itself what is wrong. */
int observe_find(struct observe *o);
/* Goes on with what observe_find() left to be done while the command runs. 1: there is more. */
int observe_follow(struct observe *o);
void observe_done(struct observe *o);

/* observe_start.c: observe_find() in its thread, beside the loop; done() is called on the loop. */
int observe_start(struct observe *o, void (*done)(void *observe));
/* Ends lmmsd by o->signal, which came before anything was watched. */
_Noreturn void observe_give_up(struct observe *o);
/* Before the end: --pid's processes without an event. */
void observe_add_silent(struct observe *o);
/* Says that the report could not be written, and where it is instead. */
int observe_report_error(const struct config *c, const struct report *report, int r);

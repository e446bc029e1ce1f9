/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The start of an observation, which takes as long as the kernel's verifier does: in a thread, so that the loop has its hands free for
 * signals and for a terminal that wants to know what it waits for.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "app/observe_int.h"
#include "base/log.h"

#define SAY_AFTER_NS 500000000ull
#define SAY_AGAIN_NS 100000000ull
#define PATIENCE_MS 100 /* of a signal, for a thread that is between two files */

static void start_work(void *job)
{
	struct observe *o = job;

	o->result = observe_find(o);
}

static void start_end(void *job)
{
	(void)job; /* lent */
}

static void say_stage(const struct observe *o)
{
	char line[64] = "loading the BPF programs, looking for interpreters";

	if (atomic_load(&o->stage) == OBSERVE_SEARCHING)
		(void)snprintf(line, sizeof(line), "looking at the running processes");
	else if (atomic_load(&o->stage) == OBSERVE_ATTACHING)
		(void)snprintf(line, sizeof(line), "attaching to %zu of %zu interpreters",
			       atomic_load(&o->attached), atomic_load(&o->all));
	log_status(line);
}

static int on_wait(sd_event_source *es, uint64_t usec, void *arg)
{
	const struct observe *o = arg;

	if (!aside_busy(o->starting))
		return 0;
	say_stage(o);
	(void)sd_event_source_set_time(es, usec + SAY_AGAIN_NS / 1000);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

int observe_start(struct observe *o, void (*done)(void *observe))
{
	static struct aside_ops ops = {.work = start_work, .end = start_end};
	int r;

	ops.done = done;
	o->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->stop_fd < 0)
		return -errno;
	r = aside_new(o->event, &ops, o, o, &o->starting);
	if (r)
		return r;
	aside_begin(o->starting);
	if (log_max() < LOG_LEVEL_INFO)
		return 0;
	return sd_event_add_time_relative(o->event, NULL, CLOCK_MONOTONIC, SAY_AFTER_NS / 1000, 0,
					  on_wait, o);
}

_Noreturn static void die_of(int signal_number)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signal_number);
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + signal_number);
}

/*
 * A load that the kernel still checks cannot be called off, but ends with the process, and so do all of its links. Those of interpreters
 * would be closed one by one then, which takes long: they are closed here, if the thread answers.
 */
_Noreturn void observe_give_up(struct observe *o)
{
	atomic_store(&o->stop, true);
	if (o->stop_fd >= 0)
		(void)eventfd_write(o->stop_fd, 1);
	log_status(NULL);
	if (o->config->mode == CONFIG_COMMAND)
		log_info("stopped before anything was watched: '%s' was not started",
			 o->config->command[0]);
	else
		log_info("stopped before anything was watched: there is no report");
	if (!o->starting || aside_wait(o->starting, PATIENCE_MS)) {
		if (o->session && session_loads(o->session))
			o->session = NULL;
		observe_done(o);
	} else {
		outfile_forget(o->record);
	}
	die_of(o->signal);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/observe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "app/launch.h"
#include "app/observe_int.h"
#include "app/options.h"
#include "app/records.h"
#include "app/session_open.h"
#include "app/status.h"
#include "base/log.h"

#define RESCAN_NS (30ull * 1000000000)
#define STATUS_NS (250ull * 1000000)

static int on_records(sd_event_source *es, int fd, uint32_t revents, void *arg)
{
	struct observe *o = arg;
	int r = session_work(o->session);

	(void)es;
	(void)fd;
	(void)revents;
	if (r < 0)
		(void)sd_event_exit(o->event, r);
	return 0;
}

static int on_signal(sd_event_source *es, const struct signalfd_siginfo *si, void *arg)
{
	struct observe *o = arg;

	(void)es;
	if (!o->started_ns) {
		o->signal = (int)si->ssi_signo;
		return sd_event_exit(o->event, 0);
	}
	if (o->launch && !o->stopped) {
		/*
		 * The command ends first, as it would without us; from our terminal it has had its Ctrl-C already. A second
		 * signal does not wait for it.
		 */
		o->stopped = true;
		if (si->ssi_code != SI_KERNEL || getpgid(launch_pid(o->launch)) != getpgrp())
			(void)launch_signal(o->launch, (int)si->ssi_signo);
		return 0;
	}
	o->stopped = true;
	return sd_event_exit(o->event, 0);
}

static int on_duration(sd_event_source *es, uint64_t usec, void *arg)
{
	struct observe *o = arg;

	(void)es;
	(void)usec;
	o->stopped = true;
	return sd_event_exit(o->event, 0);
}

/* A pidfd: the command or one of --pid's processes ended. */
static int on_end(sd_event_source *es, int fd, uint32_t revents, void *arg)
{
	struct observe *o = arg;

	(void)fd;
	(void)revents;
	(void)sd_event_source_set_enabled(es, SD_EVENT_OFF);
	if (--o->waiting_for == 0)
		return sd_event_exit(o->event, 0);
	return 0;
}

/* Interpreters that came by other ways than an exec: dlopen of libpython, a new container's long runner. */
static int on_rescan(sd_event_source *es, uint64_t usec, void *arg)
{
	struct observe *o = arg;
	int r = session_tidy(o->session);

	if (r < 0)
		return sd_event_exit(o->event, r);
	(void)sd_event_source_set_time(es, usec + RESCAN_NS / 1000);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

static int on_status(sd_event_source *es, uint64_t usec, void *arg)
{
	struct observe *o = arg;
	int r = session_tick(o->session);

	if (r < 0)
		return sd_event_exit(o->event, r);
	if (o->status)
		status_draw(o->session, o->started_ns);
	(void)sd_event_source_set_time(es, usec + STATUS_NS / 1000);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

static int add_timer(struct observe *o, uint64_t after_ns, sd_event_time_handler_t fn)
{
	return sd_event_add_time_relative(o->event, NULL, CLOCK_MONOTONIC, after_ns / 1000, 0, fn,
					  o);
}

static int add_end(struct observe *o, int pidfd)
{
	int r = sd_event_add_io(o->event, NULL, pidfd, EPOLLIN, on_end, o);

	if (r >= 0)
		o->waiting_for++;
	return r;
}

static int add_ends(struct observe *o)
{
	int r = 0;

	if (o->launch)
		return add_end(o, launch_wait_fd(o->launch));
	for (size_t i = 0; r >= 0 && i < o->n_pidfds; i++)
		r = add_end(o, o->pidfds[i]);
	return r;
}

/* One interpreter, when there is nothing else to do. */
static int on_idle(sd_event_source *es, void *arg)
{
	struct observe *o = arg;
	int r = observe_follow(o);

	if (r < 0)
		return sd_event_exit(o->event, r);
	if (r > 0)
		return 0;
	return sd_event_source_set_enabled(es, SD_EVENT_OFF);
}

static int add_follow(struct observe *o)
{
	sd_event_source *es;
	int r = sd_event_add_defer(o->event, &es, on_idle, o);

	if (r >= 0)
		r = sd_event_source_set_priority(es, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(es, SD_EVENT_ON);
	if (r >= 0)
		r = sd_event_source_set_floating(es, true);
	(void)sd_event_source_unref(es);
	return r;
}

/* Nothing happens between the release of the command and this but what the kernel keeps for us. */
static int add_sources(struct observe *o)
{
	int r = sd_event_add_io(o->event, NULL, session_event_fd(o->session), EPOLLIN, on_records,
				o);

	if (r >= 0)
		r = add_timer(o, RESCAN_NS, on_rescan);
	if (r >= 0)
		r = add_timer(o, STATUS_NS, on_status);
	if (r >= 0 && o->config->duration_ns)
		r = add_timer(o, o->config->duration_ns, on_duration);
	if (r >= 0)
		r = add_ends(o);
	if (r >= 0 && o->following)
		r = add_follow(o);
	return r;
}

static int release(struct observe *o)
{
	const char *why;
	int r = launch_release(o->launch);

	if (r) {
		o->exit_code = launch_error(r, &why);
		log_error("cannot start '%s': %s", o->config->command[0], why);
	}
	return r;
}

/* From here to the report nothing may stop us half-way but a second signal. */
static int begin(struct observe *o)
{
	int r = 0;

	log_status(NULL);
	session_say_watching(o->session);
	if (o->launch)
		r = release(o);
	if (r)
		return r;
	o->started_ns = records_now();
	o->status = isatty(STDERR_FILENO) && !o->launch && log_max() >= LOG_LEVEL_INFO;
	return add_sources(o);
}

/* The thread of the start is over. */
static void on_found(void *arg)
{
	struct observe *o = arg;
	int r = o->result;

	if (o->signal)
		return;
	if (!r)
		r = begin(o);
	if (r < 0)
		(void)sd_event_exit(o->event, r);
}

static int set_up_loop(struct observe *o)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	int r = sd_event_default(&o->event);

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(signals); i++)
		if (signals[i] != SIGHUP || !sigismember(&o->origin->ignored, SIGHUP)) /* nohup */
			r = sd_event_add_signal(o->event, NULL, signals[i], on_signal, o);
	return r;
}

static void count_live(void *arg, uint32_t tgid, uint64_t start_ns, size_t rows)
{
	(void)tgid;
	(void)start_ns;
	(void)rows;
	++*(size_t *)arg;
}

/* The command, or what it left running: nobody should wait for a report on what these do from now on. */
static void say_who_goes_on(struct observe *o)
{
	int status;
	size_t n = 0;

	if (!o->launch)
		return;
	session_each_live(o->session, count_live, &n);
	if (launch_status(o->launch, &status) == -EAGAIN)
		log_info("'%s' goes on, as process %d: the report ends here", o->config->command[0],
			 (int)launch_pid(o->launch));
	else if (n)
		log_info(
			"%zu Python process%s that '%s' started still run%s: the report ends here; lmmsd --pid watches on",
			n, n == 1 ? "" : "es", o->config->command[0], n == 1 ? "s" : "");
}

/* A recording that failed does not take the report along. */
static int finish(struct observe *o)
{
	uint64_t lost[LMMSD_LOST_MAX];
	int r = session_flush(o->session), r2;
	bool complete;

	observe_add_silent(o);
	say_who_goes_on(o);
	if (r >= 0)
		r = session_finish(o->session);
	complete = r == 0;

	session_lost(o->session, lost);
	if (r == 0 && o->record)
		r = outfile_commit(o->record);
	if (r && o->record)
		log_error("cannot complete the recording '%s': %s", o->config->record,
			  strerror(-r));
	else if (r)
		log_error("cannot complete the observation: %s", strerror(-r));
	r2 = report_write(o->report, graph_host(sink_graph(session_sink(o->session))), lost,
			  session_now(o->session), complete);
	r2 = observe_report_error(o->config, o->report, r2);
	return r ? r : r2;
}

int observe_report_error(const struct config *c, const struct report *report, int r)
{
	const char *kept = report_kept(report);

	if (r == -EPIPE)
		return 0; /* the reader has seen enough */
	if (r)
		log_error("cannot write the report to '%s': %s%s%s%s",
			  c->output ? c->output : "stdout", strerror(-r),
			  kept ? "; it is in '" : "", kept ? kept : "", kept ? "'" : "");
	return r;
}

static int run_loop(struct observe *o, bool interrupted)
{
	int r = set_up_loop(o);

	if (r >= 0 && !interrupted)
		r = observe_start(o, on_found);
	if (r < 0) {
		log_error("cannot set up the event loop: %s", strerror(-r));
		o->exit_code = EXIT_INTERNAL;
		return r;
	}
	r = sd_event_loop(o->event);
	log_status(NULL);
	return r;
}

int observe_run(const struct config *config, const struct launch_origin *origin)
{
	_cleanup_(observe_done) struct observe o = {
		.config = config, .origin = origin, .stop_fd = -EBADF};
	int status, r = observe_prepare(&o);

	if (r && r != -EINTR)
		return o.exit_code ? o.exit_code : (int)options_exit_code(r);
	r = run_loop(&o, r == -EINTR);
	if (o.signal)
		observe_give_up(&o);
	if (!o.started_ns)
		return o.exit_code ? o.exit_code : (int)options_exit_code(r);
	if (r < 0)
		log_error("the observation ended early: %s", strerror(-r));
	if (finish(&o) || r < 0)
		return EXIT_INTERNAL;
	if (o.launch && launch_status(o.launch, &status) == 0)
		return launch_exit_code(status);
	return EXIT_DONE;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "app/launch.h"
#include "app/observe_int.h"
#include "app/options.h"
#include "app/session_open.h"
#include "base/buf.h"
#include "base/log.h"
#include "probe/procfs.h"

void observe_done(struct observe *o)
{
	for (size_t i = 0; i < o->n_pidfds; i++)
		closep(&o->pidfds[i]);
	free(o->pidfds);
	(void)launch_free(o->launch);
	(void)session_free(o->session);
	(void)report_free(o->report);
	(void)outfile_close(o->record);
	(void)sd_event_unref(o->event);
}

/* Outputs are opened before anything is attached: a report that cannot be written is found out now. */
static int open_outputs(struct observe *o)
{
	const struct config *c = o->config;
	int r;

	if (c->output) {
		_cleanup_(outfile_closep) struct outfile *probe_only = NULL;

		r = outfile_open(c->output, &probe_only);
		if (r) {
			log_error("cannot write '%s': %s", c->output, strerror(-r));
			return r;
		}
	}
	if (c->record) {
		r = outfile_open(c->record, &o->record);
		if (r) {
			log_error("cannot write '%s': %s", c->record, strerror(-r));
			return r;
		}
	}
	return 0;
}

static int open_session(struct observe *o)
{
	int r = session_open(o->config, o->record ? outfile_stream(o->record) : NULL, &o->session,
			     &o->exit_code);

	if (r)
		return r;
	session_on_process(o->session, report_add, o->report);
	return 0;
}

static int missing_pid(struct observe *o, uint32_t pid, const char *why)
{
	log_error("--pid %u: %s", pid, why);
	o->exit_code = EXIT_NOT_FOUND;
	return -ESRCH;
}

static int unreadable_pid(struct observe *o, uint32_t pid, int r)
{
	log_error("--pid %u: cannot watch the process: %s", pid, strerror(-r));
	o->exit_code = (int)options_exit_code(r);
	return r;
}

/*
 * Before anything is attached: a thread whose first import comes before its process is watched is ignored for good, and
 * the first process's interpreter may be that of all. Should another one fail, all ends, and the kernel side with it.
 */
static int watch_one(struct observe *o, uint32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r;

	if (fd < 0)
		return missing_pid(
			o, pid,
			errno == ESRCH ? "no such process; 'pgrep -l python' lists those that run" :
					 strerror(errno));
	o->pidfds[o->n_pidfds++] = fd;
	r = probe_watch_pid(session_probe(o->session), pid);
	return r < 0 ? unreadable_pid(o, pid, r) : 0;
}

static int attach_one(struct observe *o, uint32_t pid)
{
	struct watch *w = session_watch(o->session);
	int r;

	r = watch_add_pid(w, pid);
	if (!r)
		r = watch_run(w, 0) < 0 ? -ENOMEM : 0;
	if (!r)
		r = watch_is_python(w, pid);
	if (r == -ESRCH)
		return missing_pid(o, pid, "the process ended before it could be watched");
	if (r < 0)
		return unreadable_pid(o, pid, r);
	if (!r) {
		(void)missing_pid(
			o, pid,
			"runs no CPython that lmmsd can watch; 'lmmsd --check' lists those it can");
		o->exit_code = EXIT_NOT_SUPPORTED;
		return -ENOEXEC;
	}
	log_info("process %u already ran: its earlier imports have no times", pid);
	return 0;
}

static int watch_pids(struct observe *o)
{
	const struct config *c = o->config;
	int r = 0;

	o->pidfds = calloc(c->n_pids ? c->n_pids : 1, sizeof(*o->pidfds));
	if (!o->pidfds)
		return -ENOMEM;
	for (size_t i = 0; !r && i < c->n_pids; i++)
		r = watch_one(o, c->pids[i]);
	for (size_t i = 0; !r && i < c->n_pids; i++)
		r = attach_one(o, c->pids[i]);
	return r;
}

static int prepare_command(struct observe *o)
{
	const struct config *c = o->config;
	const char *why;
	char **paths = NULL;
	size_t n = 0;
	int r = launch_interpreters(c->command, &paths, &n);

	for (size_t i = 0; !r && i < n; i++)
		(void)watch_add_path(session_watch(o->session), paths[i]);
	launch_paths_free(paths, n);
	r = launch_prepare(c->command, o->origin, &o->launch);
	if (r) {
		o->exit_code = launch_error(r, &why);
		log_error("cannot start '%s': %s", c->command[0], why);
		return r;
	}
	return probe_watch_pid(session_probe(o->session), (uint32_t)launch_pid(o->launch));
}

static int find_interpreters(struct observe *o)
{
	struct watch *w = session_watch(o->session);
	int r = 0;

	if (o->config->mode == CONFIG_COMMAND)
		r = prepare_command(o);
	else if (o->config->mode == CONFIG_PIDS)
		r = watch_pids(o);
	if (!r)
		r = watch_add_all(w);
	if (!r)
		r = watch_run(w, 0);
	if (r < 0)
		return r;
	session_say_watching(o->session);
	return 0;
}

/* The kernel side knows processes by the host's pids; in a namespace of our own a pid here names another process. */
static int check_pids(struct observe *o)
{
	bool by_pid = o->config->mode == CONFIG_PIDS || o->config->mode == CONFIG_COMMAND;

	if (!by_pid || procfs_host_pids())
		return 0;
	log_error(
		"pids here are not the host's: run lmmsd on the host, in a container with --pid=host, or without --pid and COMMAND");
	o->exit_code = EXIT_NOT_SUPPORTED;
	return -EOPNOTSUPP;
}

int observe_prepare(struct observe *o)
{
	int r = report_new(o->config, &o->report);

	launch_signals_to_loop();
	if (!r)
		r = check_pids(o);
	if (!r)
		r = open_outputs(o);
	if (!r)
		r = open_session(o);
	if (!r) {
		r = find_interpreters(o);
		if (r && !o->exit_code)
			log_error("cannot search for interpreters: %s", strerror(-r));
	}
	return r;
}

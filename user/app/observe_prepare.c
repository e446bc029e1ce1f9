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
	(void)aside_free(o->starting, 0);
	closep(&o->stop_fd);
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
		r = outfile_check(c->output);
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

static int find_pid(struct observe *o, uint32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return missing_pid(
			o, pid,
			errno == ESRCH ? "no such process; 'pgrep -l python' lists those that run" :
					 strerror(errno));
	o->pidfds[o->n_pidfds++] = fd;
	return 0;
}

static int find_pids(struct observe *o)
{
	const struct config *c = o->config;
	int r = 0;

	o->pidfds = calloc(c->n_pids ? c->n_pids : 1, sizeof(*o->pidfds));
	if (!o->pidfds)
		return -ENOMEM;
	for (size_t i = 0; !r && i < c->n_pids; i++)
		r = find_pid(o, c->pids[i]);
	return r;
}

/*
 * Before anything is attached: a thread whose first import comes before its process is watched is ignored for good, and
 * the first process's interpreter may be that of all. Should another one fail, all ends, and the kernel side with it.
 */
static int watch_pids(struct observe *o)
{
	const struct config *c = o->config;
	int r = 0;

	for (size_t i = 0; !r && i < c->n_pids; i++) {
		r = probe_watch_pid(session_probe(o->session), c->pids[i]);
		if (r < 0)
			r = unreadable_pid(o, c->pids[i], r);
	}
	return r;
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

static int prepare_command(struct observe *o)
{
	const char *why;
	int r = launch_prepare(o->config->command, o->origin, &o->launch);

	if (r && r != -EINTR) {
		o->exit_code = launch_error(r, &why);
		log_error("cannot start '%s': %s", o->config->command[0], why);
	}
	return r;
}

/* ---- in the thread of the start */

/* Looks at all that is queued. */
static int look(struct observe *o)
{
	int r;

	do
		r = atomic_load(&o->stop) ? -ECANCELED : watch_run(session_watch(o->session), 1);
	while (r > 0);
	return r;
}

static int look_at_words(struct observe *o, char *const words[])
{
	char **paths = NULL;
	size_t n = 0;
	int r = launch_interpreters(words, &paths, &n);

	for (size_t i = 0; !r && i < n; i++)
		r = watch_add_path(session_watch(o->session), paths[i]);
	launch_paths_free(paths, n);
	return r ? r : look(o);
}

/*
 * What is needed first. A command that is a Python itself may start when that one is watched: what it may start with another one takes
 * longer to come than the others take to follow, and a process that comes before all the same is told as one that ran already. Any other
 * command, as a shell, may start whatever there is at once.
 */
static int look_first(struct observe *o)
{
	const struct config *c = o->config;
	struct watch *w = session_watch(o->session);
	char *alone[2] = {c->mode == CONFIG_COMMAND ? c->command[0] : NULL, NULL};
	int r = 0;

	for (size_t i = 0; !r && c->mode == CONFIG_PIDS && i < c->n_pids; i++)
		r = watch_add_pid(w, c->pids[i]);
	if (c->mode != CONFIG_COMMAND)
		return r ? r : look(o);
	r = look_at_words(o, alone);
	o->following = watch_held(w) > 0;
	return r ? r : look_at_words(o, c->command);
}

static int attach(struct observe *o, size_t n)
{
	struct watch *w = session_watch(o->session);

	atomic_store(&o->all, watch_held(w));
	atomic_store(&o->attached, 0);
	atomic_store(&o->stage, OBSERVE_ATTACHING);
	for (size_t i = 0; i < n && watch_attach_next(w); i++) {
		if (atomic_load(&o->stop))
			return -ECANCELED;
		atomic_store(&o->attached, i + 1);
	}
	return 0;
}

static int attach_pids(struct observe *o, size_t first)
{
	int r = watch_pids(o);

	if (!r)
		r = attach(o, first);
	for (size_t i = 0; !r && i < o->config->n_pids; i++)
		r = attach_one(o, o->config->pids[i]);
	return r;
}

/* first: what waits of what is needed first. */
static int attach_all(struct observe *o, size_t first)
{
	struct watch *w = session_watch(o->session);
	int r = 0;

	if (o->config->mode == CONFIG_PIDS)
		r = attach_pids(o, first);
	else if (o->config->mode == CONFIG_COMMAND)
		r = probe_watch_pid(session_probe(o->session), (uint32_t)launch_pid(o->launch));
	if (!r)
		r = attach(o, o->following ? first : SIZE_MAX);
	if (r || o->following)
		return r;
	atomic_store(&o->stage, OBSERVE_SEARCHING);
	r = watch_add_processes(w);
	return r ? r : look(o);
}

int observe_follow(struct observe *o)
{
	struct watch *w = session_watch(o->session);

	if (watch_attach_next(w))
		return 1;
	if (!o->processes_added) {
		int r = watch_add_processes(w);

		o->processes_added = true;
		return r ? r : 1;
	}
	return watch_run(w, 1);
}

int observe_find(struct observe *o)
{
	int r = session_open(o->config, o->record ? outfile_stream(o->record) : NULL, &o->session,
			     &o->exit_code);
	size_t first = 0;

	if (r)
		return r;
	r = look_first(o);
	if (!r) {
		first = watch_first(session_watch(o->session));
		r = watch_add_places(session_watch(o->session));
	}
	if (!r)
		r = look(o);
	if (!r) {
		r = session_open_load(o->session, o->stop_fd, &o->exit_code);
		if (r)
			return r;
		session_on_process(o->session, report_add, o->report);
		r = attach_all(o, first);
	}
	if (r && r != -ECANCELED && !o->exit_code)
		log_error("cannot search for interpreters: %s", strerror(-r));
	return r;
}

/* ---- on the loop's */

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
	if (!r && o->config->mode == CONFIG_COMMAND)
		r = prepare_command(o);
	if (!r && o->config->mode == CONFIG_PIDS)
		r = find_pids(o);
	return r;
}

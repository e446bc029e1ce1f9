/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Processes of --pid that imported nothing: they sent no event, and the report still says that they were there. */
#include "app/observe_int.h"
#include "probe/procfs.h"

struct seen {
	uint32_t pid;
	bool live;
};

static void note_live(uint32_t tgid, uint64_t start_ns, void *arg)
{
	struct seen *s = arg;

	(void)start_ns;
	s->live = s->live || s->pid == tgid;
}

void observe_add_silent(struct observe *o)
{
	struct sink *sink = session_sink(o->session);
	uint8_t rec[PROCFS_RECORD_MAX];
	struct procfs_clock clock;
	_close_ int proc = -EBADF;
	size_t len;

	if (!o->config->n_pids || procfs_open("/proc", &proc))
		return;
	procfs_clock_now(&clock);
	for (size_t i = 0; i < o->config->n_pids; i++) {
		struct seen s = {.pid = o->config->pids[i]};

		graph_each_live(sink_graph(sink), note_live, &s);
		if (s.live || report_has_pid(o->report, s.pid))
			continue;
		if (procfs_proc_record(proc, -EBADF, s.pid, 0, &clock, rec, &len) == 0)
			(void)sink_put(sink, rec, len);
	}
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The families of lmmsd itself. */
#include <math.h>

#include "export/metrics_int.h"
#include "export/review_int.h"

static const char *const reasons[] = {
#define REASON_NAME(id, name, cure) name,
	LMMSD_REASONS(REASON_NAME)
#undef REASON_NAME
};

static void counter(struct metrics_writer *w, const struct mdl_metrics *m, const char *name,
		    const char *help, uint64_t v)
{
	const struct metrics_family f = {name, METRICS_COUNTER, NULL, help};

	metrics_begin(w, &f);
	metrics_u64(w, NULL, v, m->created_s);
}

/* NAN: not known. */
static void seconds(struct metrics_writer *w, const struct mdl_metrics *m, const char *name,
		    const char *help, double v)
{
	const struct metrics_family f = {name, METRICS_COUNTER, "seconds", help};

	metrics_begin(w, &f);
	if (!isnan(v))
		metrics_double(w, NULL, v, m->created_s);
}

static void gauge(struct metrics_writer *w, const char *name, const char *unit, const char *help,
		  double v)
{
	const struct metrics_family f = {name, METRICS_GAUGE, unit, help};

	metrics_begin(w, &f);
	if (!isnan(v))
		metrics_double(w, NULL, v, 0);
}

static void build(struct metrics_writer *w, const struct mdl_metrics *m)
{
	static const struct metrics_family f = {"lmmsd_build", METRICS_INFO, NULL,
						"The versions of lmmsd and of libbpf."};
	const struct metrics_labels l = {{{"version", m->version}, {"libbpf", m->libbpf}}};

	metrics_begin(w, &f);
	metrics_u64(w, &l, 1, 0);
}

static void interpreters(struct metrics_writer *w, const struct mdl_metrics *m)
{
	static const struct metrics_family f = {
		"lmmsd_attached_interpreters", METRICS_GAUGE, NULL,
		"Interpreter files that are watched, by Python version and kind of probe."};

	metrics_begin(w, &f);
	for (size_t i = 0; i < m->n_interpreters; i++) {
		const struct mdl_metrics_interpreters *in = &m->interpreters[i];
		const struct metrics_labels l = {{{"python", in->python}, {"probe", in->probe}}};

		metrics_u64(w, &l, in->n, 0);
	}
}

static void losses(struct metrics_writer *w, const struct mdl_metrics *m)
{
	static const struct metrics_family f = {
		"lmmsd_events_lost", METRICS_COUNTER, NULL,
		"What was lost or cut, by reason; lmmsd(8) says what to do."};

	metrics_begin(w, &f);
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		const struct metrics_labels l = {{{"reason", reasons[i]}}};

		metrics_u64(w, &l, m->lost[i], m->created_s);
	}
}

static void triggers(struct metrics_writer *w, const struct mdl_metrics *m)
{
	static const struct metrics_family f = {
		"lmmsd_reprofile_triggers", METRICS_COUNTER, NULL,
		"Changes in an app's start that ask for a new profile, by kind."};

	metrics_begin(w, &f);
	for (size_t i = 0; i < MDL_CHANGE_KINDS; i++) {
		const struct metrics_labels l = {
			{{"reason", words_change((enum rv_change_kind)i)}}};

		metrics_u64(w, &l, m->triggers[i], m->created_s);
	}
}

static void refused(struct metrics_writer *w, const struct mdl_metrics *m)
{
	static const struct metrics_family f = {
		"lmmsd_series_refused", METRICS_COUNTER, NULL,
		"Times that an app or a module was counted as _other: the page is as long as it may be."};
	const struct metrics_labels apps = {{{"kind", "app"}}}, modules = {{{"kind", "module"}}};

	metrics_begin(w, &f);
	metrics_u64(w, &apps, m->refused_apps, m->created_s);
	metrics_u64(w, &modules, m->refused_modules, m->created_s);
}

static void process(struct metrics_writer *w, const struct mdl_metrics *m)
{
	const struct mdl_metrics_process *p = &m->process;

	seconds(w, m, "process_cpu_seconds", "Processor time of lmmsd, user and system.", p->cpu_s);
	gauge(w, "process_start_time_seconds", "seconds", "Unix time at which lmmsd was started.",
	      p->start_s);
	gauge(w, "process_open_fds", NULL, "Open file descriptors.", p->open_fds);
	gauge(w, "process_max_fds", NULL, "Most file descriptors that may be open.", p->max_fds);
	gauge(w, "process_virtual_memory_bytes", "bytes", "Virtual memory.", p->virtual_bytes);
	gauge(w, "process_resident_memory_bytes", "bytes", "Resident memory.", p->resident_bytes);
}

void metrics_host(struct metrics_writer *w, const struct mdl_metrics *m)
{
	build(w, m);
	interpreters(w, m);
	gauge(w, "lmmsd_watched_processes", NULL, "Python processes that are followed now.",
	      (double)m->processes);
	counter(w, m, "lmmsd_events", "Events that came from the kernel.", m->events);
	losses(w, m);
	seconds(w, m, "lmmsd_bpf_run_seconds",
		"Time that watched threads spent in lmmsd's BPF programs, as their events tell.",
		m->bpf_run_s);
	gauge(w, "lmmsd_overhead_ratio", "ratio",
	      "Share of the host's processors that lmmsd took in the last minutes: its BPF programs and its processes.",
	      m->overhead_ratio);
	gauge(w, "lmmsd_overhead_budget_ratio", "ratio",
	      "What lmmsd_overhead_ratio may be by the configuration (overhead_budget_pct); 0: no budget.",
	      m->overhead_budget);
	triggers(w, m);
	gauge(w, "lmmsd_review_timestamp_seconds", "seconds",
	      "Unix time at which the newest monthly review was written.", m->review_s);
	counter(w, m, "lmmsd_stored_runs", "Runs that are on disk.", m->stored_runs);
	counter(w, m, "lmmsd_uncounted_runs",
		"Runs that are on disk and missing in these counters: there was no memory for them.",
		m->uncounted_runs);
	gauge(w, "lmmsd_store_queued_runs", NULL, "Runs that wait for the disk.",
	      (double)m->queued_runs);
	counter(w, m, "lmmsd_store_errors", "Writes of the database that failed, each tried again.",
		m->store_errors);
	gauge(w, "lmmsd_store_size_bytes", "bytes", "Size of the database.", m->store_bytes);
	refused(w, m);
	if (!w->shared)
		process(w, m);
}

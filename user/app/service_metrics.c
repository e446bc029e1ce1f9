/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From the store to the counters: each run with the class that it was stored with. And what lmmsd counts of itself. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "analysis/classify.h"
#include "app/records.h"
#include "app/selfstat.h"
#include "app/service_int.h"
#include "base/log.h"
#include "export/metrics.h"

#define BUDGET_NS (50ull * 1000000)

static struct metrics_options options_of(const struct config *c)
{
	return (struct metrics_options){
		.max_apps = (size_t)c->series.max_apps,
		.max_modules = (size_t)c->series.max_modules_per_app,
		.max_series = (size_t)c->series.max_series,
		.fast_ms = c->policy.fast_ms,
		.slow_ms = c->policy.slow_ms,
	};
}

int service_metrics_begin(struct service *s)
{
	const struct metrics_options o = options_of(s->config);
	int r;

	s->created_s = (int64_t)time(NULL);
	r = metrics_new(&o, s->created_s, &s->metrics);
	if (r)
		return r;
	overhead_begin(&s->overhead, (double)records_now() / 1e9);
	return 0;
}

void service_metrics_reload(struct service *s, const struct config *before)
{
	const struct metrics_options o = options_of(s->config), old = options_of(before);
	struct metrics *m = NULL;

	if (!memcmp(&o, &old, sizeof(o)))
		return;
	if (metrics_new(&o, (int64_t)time(NULL), &m)) {
		log_error("no memory for new counters: the metrics keep their bounds");
		return;
	}
	(void)metrics_free(s->metrics);
	s->metrics = m;
	log_info("the counters of apps begin anew: their bounds have changed");
}

void service_metrics_work(struct service *s)
{
	uint64_t began = records_now();
	int64_t now_s = (int64_t)time(NULL);
	int r = 1;

	while (r && records_now() - began < BUDGET_NS) {
		_cleanup_(store_written_freep) struct mdl_stored *run = NULL;

		r = store_take_written(s->writer, &run);
		if (r > 0)
			r = metrics_add(s->metrics, run, now_s) < 0 ? -ENOMEM : 1;
		if (r < 0) {
			uint64_t lost[LMMSD_LOST_MAX] = {[LMMSD_LOST_NO_MEMORY] = 1};

			store_put_lost(s->writer, lost);
			s->uncounted++;
		}
	}
}

static const char *probe_name(uint8_t probe)
{
	return probe == LMMSD_PROBE_USDT     ? "usdt" :
	       probe == LMMSD_PROBE_CALLSITE ? "callsite" :
					       "entry";
}

static void add_interpreter(struct mdl_metrics *m, const struct watch_interp *in)
{
	const char *probe = probe_name(in->probe);
	char python[16];

	(void)snprintf(python, sizeof(python), "%u.%u", in->version >> 24,
		       in->version >> 16 & 0xff);
	for (size_t i = 0; i < m->n_interpreters; i++) {
		if (strcmp(m->interpreters[i].python, python) != 0 ||
		    strcmp(m->interpreters[i].probe, probe) != 0)
			continue;
		m->interpreters[i].n++;
		return;
	}
	if (m->n_interpreters == sizeof(m->interpreters) / sizeof(m->interpreters[0]))
		return;
	m->interpreters[m->n_interpreters] = (struct mdl_metrics_interpreters){.probe = probe,
									       .n = 1};
	memcpy(m->interpreters[m->n_interpreters++].python, python, sizeof(python));
}

static double bpf_run_s(struct service *s)
{
	uint64_t ns;

	return probe_spent_ns(session_probe(s->session), &ns) ? NAN : (double)ns / 1e9;
}

void service_metrics_tick(struct service *s)
{
	struct session_counts c;

	session_counts(s->session, &c);
	overhead_note(&s->overhead, (double)records_now() / 1e9,
		      bpf_run_s(s) + selfstat_cpu_s() + c.lookup_cpu_s);
}

static void fill_observation(struct service *s, struct mdl_metrics *m)
{
	struct watch *w = session_watch(s->session);
	struct session_counts c;
	struct watch_interp in;

	for (size_t i = 0; watch_interp(w, i, &in); i++)
		if (in.id)
			add_interpreter(m, &in);
	session_counts(s->session, &c);
	m->processes = c.graph.processes_live;
	m->events = c.records;
	memcpy(m->lost, s->lost, sizeof(m->lost));
	m->overhead_budget = s->config->overhead_budget_pct / 100;
	m->bpf_run_s = bpf_run_s(s);
	m->overhead_ratio = overhead_ratio(&s->overhead, (double)records_now() / 1e9,
					   m->bpf_run_s + m->process.cpu_s + c.lookup_cpu_s,
					   (double)sysconf(_SC_NPROCESSORS_ONLN));
}

static void fill_store(struct service *s, struct mdl_metrics *m)
{
	struct reviewer_counts rc = {0};
	struct store_stats st;

	store_writer_stats(s->writer, &st);
	m->stored_runs = st.committed;
	m->queued_runs = st.queued;
	m->store_errors = st.errors;
	m->store_bytes = (double)st.db_bytes;
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		m->lost[i] += st.lost[i];
	m->uncounted_runs = st.unread + s->uncounted;
	m->lost[LMMSD_LOST_EXPORT_DROPPED] += s->dropped_before + cloudwatch_dropped(s->cloudwatch);
	if (s->reviewer)
		reviewer_counts(s->reviewer, &rc);
	memcpy(m->triggers, rc.triggers, sizeof(m->triggers));
	m->review_s = rc.last_review_s ? (double)rc.last_review_s : NAN;
}

static void set_tiers(const struct service *s, struct mdl_metrics *m)
{
	for (size_t i = 0; i < m->n_apps; i++) {
		const struct mdl_metrics_app *a = &m->apps[i];

		for (size_t k = 0; k < a->n_modules; k++) {
			struct mdl_metrics_module *x = a->modules[k];
			double ms = metrics_median_ms(m, x), uses = 0, pct;

			for (size_t p = 0; p < LMMSD_PLACE_MAX; p++)
				uses += (double)x->uses[p];
			/* of no runs or no uses NAN: between the thresholds there is no tier then */
			pct = s->config->basis == CONFIG_BASIS_SHARE && a->uses ?
				      uses / (double)a->uses * 100 :
				      (double)x->runs_using / (double)a->runs * 100;
			x->tier = isnan(ms) || !strcmp(x->module, MDL_OTHER) ?
					  MDL_TIER_NONE :
					  (uint8_t)classify(&s->config->policy, ms, pct);
		}
	}
}

int service_metrics_take(struct service *s, struct mdl_metrics *ret)
{
	int r;

	service_metrics_work(s);
	*ret = (struct mdl_metrics){
		.version = LMMSD_VERSION,
		.libbpf = libbpf_version_string(),
		.created_s = s->created_s,
	};
	selfstat_read(&ret->process);
	fill_observation(s, ret);
	fill_store(s, ret);
	r = metrics_snapshot(s->metrics, ret);
	if (!r)
		set_tiers(s, ret);
	return r;
}

int service_metrics_page(void *service, struct buf *page)
{
	struct mdl_metrics m;
	int r = service_metrics_take(service, &m);

	if (!r)
		r = export_metrics(EXPORT_METRICS_TEXTFILE, &m, page);
	metrics_snapshot_free(&m);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From the session to the store: each run once it ended, and what was lost. Nothing here waits for a disk. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "analysis/classify.h"
#include "analysis/savings.h"
#include "app/service_int.h"
#include "base/log.h"

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t service_offset_ns(void)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

static void lost_run(struct service *s)
{
	uint64_t lost[LMMSD_LOST_MAX] = {[LMMSD_LOST_NO_MEMORY] = 1};

	store_put_lost(s->writer, lost);
}

void service_store(struct service *s, struct mdl_process *p, int64_t offset_ns)
{
	const struct store_put_info info = {
		.boot_id = graph_host(sink_graph(session_sink(s->session)))->boot_id,
		.realtime_offset_ns = offset_ns,
	};

	if (appname_set(s->names, p)) {
		lost_run(s);
		return;
	}
	if (!config_wants_app(s->config, p->app))
		return;
	if (savings_process(p)) {
		lost_run(s);
		return;
	}
	classify_process(&s->config->policy, p);
	cloudwatch_add(s->cloudwatch, p);
	(void)store_put(s->writer, p, &info); /* what it cannot take it counts */
}

void service_on_process(void *service, struct mdl_process *p)
{
	struct service *s = service;

	service_store(s, p, service_offset_of(s, p->pid, p->start_ns));
	(void)graph_process_free(p);
}

void service_store_losses(struct service *s)
{
	uint64_t now[LMMSD_LOST_MAX], more[LMMSD_LOST_MAX];
	bool any = false;

	session_lost(s->session, now);
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		more[i] = now[i] > s->lost[i] ? now[i] - s->lost[i] : 0;
		any = any || more[i];
		s->lost[i] += more[i];
	}
	if (any)
		store_put_lost(s->writer, more);
}

void service_lost(void *service, uint64_t lost[LMMSD_LOST_MAX])
{
	struct service *s = service;
	struct store_stats st;

	if (!s->session || !s->writer)
		return; /* nothing yet */
	session_lost(s->session, lost);
	store_writer_stats(s->writer, &st);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		lost[i] += st.lost[i];
	/* Not in the store: what an exporter misses, reviews do not. */
	lost[LMMSD_LOST_EXPORT_DROPPED] += s->dropped_before + cloudwatch_dropped(s->cloudwatch);
}

/* What a disk that does not answer is told by: nothing fails, and the queue is full. It is over when a run was written, or none waits. */
static int store_trouble(const struct service *s, const struct store_stats *st)
{
	bool stuck = st->lost[LMMSD_LOST_STORE_FULL] > s->store_full ||
		     (s->store_error == -ETIMEDOUT && st->committed == s->store_committed &&
		      st->queued);

	return st->last_error ? st->last_error : stuck ? -ETIMEDOUT : 0;
}

static void say_damage(struct service *s, const struct store_stats *st)
{
	if (!strcmp(s->moved_aside, st->moved_aside))
		return;
	memcpy(s->moved_aside, st->moved_aside, sizeof(s->moved_aside));
	log_error(
		"the database '%s' was damaged while in use: it was kept as '%s', and a new one was begun: earlier days are in the kept one only; check the disk",
		s->config->db, s->moved_aside);
}

static void say_full(struct service *s, const struct store_stats *st)
{
	if (st->over_files && !s->files_full)
		log_warning(
			"the database '%s' has no room for further files: what is new is stored without its file; the room for names is kept for apps, modules and versions",
			s->config->db);
	if (st->over_names && !s->names_full)
		log_error(
			"the database '%s' has no room for further names: new apps, modules and versions are stored as '%s': begin a new one with service.db",
			s->config->db, MDL_OTHER);
	s->files_full = s->files_full || st->over_files;
	s->names_full = s->names_full || st->over_names;
}

void service_watch_store(struct service *s)
{
	struct store_stats st;
	int error;

	store_writer_stats(s->writer, &st);
	say_damage(s, &st);
	say_full(s, &st);
	error = store_trouble(s, &st);
	s->store_full = st.lost[LMMSD_LOST_STORE_FULL];
	s->store_committed = st.committed;
	if (error && error != s->store_error && !st.last_error)
		log_error(
			"the disk does not take what is written to the database '%s': the queue is full, and runs are dropped and counted (store_full)",
			s->config->db);
	else if (error && error != s->store_error)
		log_error(
			"cannot write the database '%s': %s: runs wait in memory, and are dropped and counted when that is full",
			s->config->db, *st.error ? st.error : strerror(-st.last_error));
	else if (!error && s->store_error)
		log_info("the database '%s' can be written again; %llu runs were dropped so far",
			 s->config->db, (unsigned long long)st.dropped);
	s->store_error = error;
}

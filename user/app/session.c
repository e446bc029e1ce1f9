/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/session.h"

#include <errno.h>
#include <string.h>

#include "app/harvest.h"
#include "app/loading.h"
#include "app/lookup.h"
#include "app/records.h"
#include "app/roots.h"
#include "app/sweep.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/reader.h"

/* New programs looked at in one call of session_work(): each may cost some milliseconds. */
#define LOOKS_PER_CALL 4
#define MAX_EXES 4096

struct session {
	struct loading *loading; /* owned; NULL: it is done */
	size_t queue_bytes;
	struct probe *probe;	 /* owned */
	struct reader *reader;	 /* owned */
	struct sink *sink;	 /* owned */
	struct watch *watch;	 /* owned */
	struct harvest *harvest; /* owned */
	struct sweep *sweep;	 /* owned */
	struct roots *roots;	 /* owned; NULL: no facts */
	struct lookup *lookup;	 /* owned; NULL: no facts */
	struct {
		uint64_t ino;
		uint32_t pid, ctime_s, ctime_ns;
	} exes[MAX_EXES]; /* programs that wait to be looked at */
	size_t n_exes;
	uint64_t exes_cut;		     /* found no room there */
	uint64_t ended_ns;		     /* when the observation stopped; 0: it goes on */
	uint64_t outer_lost[LMMSD_LOST_MAX]; /* up to then */
};

/* Runs inside the drain: only notes, the looking comes after. What finds no room is said again at its next start. */
static void on_event(void *arg, const struct ev *ev)
{
	struct session *s = arg;

	if (ev->kind == LMMSD_EV_EXE && s->n_exes == MAX_EXES) {
		probe_exe_forget(s->probe, ev->exe.ino, ev->exe.ctime_s, ev->exe.ctime_ns);
		s->exes_cut++;
	} else if (ev->kind == LMMSD_EV_EXE) {
		s->exes[s->n_exes].pid = ev->tgid;
		s->exes[s->n_exes].ino = ev->exe.ino;
		s->exes[s->n_exes].ctime_s = ev->exe.ctime_s;
		s->exes[s->n_exes++].ctime_ns = ev->exe.ctime_ns;
	} else if (ev->kind == LMMSD_EV_PROC && s->roots)
		roots_note(s->roots, ev->tgid, ev->start_ns, ev->proc.mnt_ns, ev->proc.root_ino);
	else if (ev->kind == LMMSD_EV_FORK && s->roots)
		roots_fork(s->roots, ev->tgid, ev->start_ns, ev->fork.child_tgid,
			   ev->fork.child_start_ns);
}

static int begin_sink(struct session *s, const struct session_params *params, const char **ret_what)
{
	uint8_t rec[RECORDS_MAX];
	size_t n;
	int r;

	*ret_what = "cannot set up the event pipeline";
	r = sink_new(&params->limits, &s->sink);
	if (r)
		return r;
	if (params->record) {
		*ret_what = "cannot write the recording";
		r = sink_record_to(s->sink, params->record);
		if (r)
			return r;
	}
	n = records_host(rec, sizeof(rec), params->probe.usage);
	r = sink_put(s->sink, rec, n);
	if (!r)
		sink_on_event(s->sink, on_event, s);
	return r;
}

static int begin(struct session *s, const struct session_params *params, const char **ret_what)
{
	int r = begin_sink(s, params, ret_what);

	if (r)
		return r;
	*ret_what = "cannot load the BPF programs";
	s->queue_bytes = params->queue_bytes;
	r = loading_begin(&params->probe, &s->loading);
	if (r)
		return r;
	*ret_what = "cannot search for interpreters";
	if (params->facts)
		r = roots_new(&s->roots);
	if (!r && params->facts)
		r = lookup_new(&s->lookup);
	if (!r)
		r = watch_new(NULL, s->sink, params->want, params->max_interpreters, &s->watch);
	if (r)
		return r;
	watch_hold(s->watch);
	if (s->lookup)
		watch_ask_first(s->watch, s->lookup);
	return 0;
}

int session_begin(const struct session_params *params, struct session **ret, const char **ret_what)
{
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));
	int r;

	*ret_what = "cannot allocate memory";
	if (!s)
		return -ENOMEM;
	r = begin(s, params, ret_what);
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int session_load(struct session *s, int stop_fd, const char **ret_what)
{
	int r;

	*ret_what = "cannot load the BPF programs";
	r = loading_wait(s->loading, stop_fd, &s->probe);
	if (r)
		return r;
	s->loading = loading_free(s->loading);
	*ret_what = "cannot start the reader of events";
	r = reader_start(probe_ring_fd(s->probe), s->queue_bytes, &s->reader);
	if (!r)
		r = harvest_new(s->probe, s->sink, s->roots, s->lookup, &s->harvest);
	if (!r)
		r = sweep_new(s->probe, s->sink, &s->sweep);
	if (r)
		return r;
	*ret_what = "cannot attach to the process tracepoints";
	r = probe_attach_process(s->probe);
	if (r)
		return r;
	watch_use(s->watch, s->probe);
	return 0;
}

int session_new(const struct session_params *params, struct session **ret, const char **ret_what)
{
	_cleanup_(session_freep) struct session *s = NULL;
	int r = session_begin(params, &s, ret_what);

	if (!r)
		r = session_load(s, -EBADF, ret_what);
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	(void)watch_free(s->watch);
	(void)reader_stop(s->reader);
	(void)sweep_free(s->sweep);
	(void)harvest_free(s->harvest);
	(void)roots_free(s->roots);
	(void)lookup_free(s->lookup);
	(void)sink_free(s->sink);
	(void)loading_free(s->loading);
	(void)probe_free(s->probe);
	free(s);
	return NULL;
}

void session_on_process(struct session *s, void (*fn)(void *arg, struct mdl_process *p), void *arg)
{
	harvest_on_process(s->harvest, fn, arg);
}

bool session_loads(const struct session *s)
{
	return s->loading != NULL;
}

struct watch *session_watch(struct session *s)
{
	return s->watch;
}

struct sink *session_sink(struct session *s)
{
	return s->sink;
}

struct probe *session_probe(struct session *s)
{
	return s->probe;
}

int session_event_fd(const struct session *s)
{
	return reader_event_fd(s->reader);
}

static int look_at_programs(struct session *s)
{
	int r;

	for (size_t i = 0; i < s->n_exes; i++) {
		r = watch_exe(s->watch, s->exes[i].pid, s->exes[i].ino, s->exes[i].ctime_s,
			      s->exes[i].ctime_ns);
		if (r == -ENOMEM)
			return r;
	}
	s->n_exes = 0;
	r = watch_run(s->watch, LOOKS_PER_CALL);
	return r == -ENOMEM ? r : 0;
}

int session_work(struct session *s)
{
	int r = reader_drain(s->reader, sink_put, s->sink);

	if (r < 0)
		return r;
	r = harvest_ended(s->harvest);
	return r ? r : look_at_programs(s);
}

int session_tick(struct session *s)
{
	watch_check(s->watch);
	sweep_keys_on(s->sweep);
	return session_work(s);
}

struct each_live {
	struct graph *graph;
	void (*fn)(void *arg, uint32_t tgid, uint64_t start_ns, size_t rows);
	void *arg;
};

static void on_live(uint32_t tgid, uint64_t start_ns, void *arg)
{
	struct each_live *e = arg;

	e->fn(e->arg, tgid, start_ns, graph_rows(e->graph, tgid, start_ns));
}

void session_each_live(struct session *s,
		       void (*fn)(void *arg, uint32_t tgid, uint64_t start_ns, size_t rows),
		       void *arg)
{
	struct each_live e = {sink_graph(s->sink), fn, arg};

	graph_each_live(e.graph, on_live, &e);
}

int session_look(struct session *s, uint32_t tgid, uint64_t start_ns, struct mdl_process **ret)
{
	int r = harvest_ended(s->harvest); /* a program that this process ran before goes first */

	return r ? r : harvest_look(s->harvest, tgid, start_ns, ret);
}

int session_tidy(struct session *s)
{
	int r = watch_add_all(s->watch);

	if (r == -ENOMEM)
		return r;
	watch_sweep(s->watch);
	if (s->roots)
		roots_sweep(s->roots);
	sweep_keys(s->sweep);
	r = sweep_processes(s->sweep);
	return r ? r : harvest_ended(s->harvest);
}

int session_flush(struct session *s)
{
	int r = reader_kick(s->reader);

	return r ? r : session_work(s);
}

/* Losses that a replay cannot find out by itself, up to the end of the observation. */
static void outer_lost(struct session *s, uint64_t ret_lost[LMMSD_LOST_MAX])
{
	if (s->ended_ns) {
		memcpy(ret_lost, s->outer_lost, sizeof(s->outer_lost));
		return;
	}
	if (probe_lost(s->probe, ret_lost))
		memset(ret_lost, 0, LMMSD_LOST_MAX * sizeof(*ret_lost));
	ret_lost[LMMSD_LOST_QUEUE_FULL] += reader_dropped(s->reader);
	ret_lost[LMMSD_LOST_FILES_SLOW] += s->lookup ? lookup_cut(s->lookup) : 0;
	ret_lost[LMMSD_LOST_DIST_CUT] += s->lookup ? lookup_dist_cut(s->lookup) : 0;
	ret_lost[LMMSD_LOST_ROOTS_FULL] += s->roots ? roots_full(s->roots) : 0;
	ret_lost[LMMSD_LOST_SEARCH_CUT] += s->exes_cut + watch_search_cut(s->watch);
	ret_lost[LMMSD_LOST_LIMIT_INTERPRETERS] += watch_no_room(s->watch);
}

/* The replay of a recording counts open loads up to the instant of its end record. */
static int put_ending(struct session *s, uint64_t end_ns)
{
	uint8_t rec[RECORDS_MAX];
	int r = sink_put(s->sink, rec, records_lost(rec, sizeof(rec), s->outer_lost)), r2;

	r2 = sink_put(s->sink, rec, records_end(rec, sizeof(rec), end_ns));
	return r ? r : r2;
}

int session_finish(struct session *s)
{
	uint64_t end_ns;
	int r, r2;

	if (s->ended_ns)
		return 0;
	r = reader_kick(s->reader);
	if (!r)
		r = reader_drain(s->reader, sink_put, s->sink);
	end_ns = records_now();
	if (r >= 0)
		r = harvest_all(s->harvest, end_ns);
	outer_lost(s, s->outer_lost);
	s->ended_ns = end_ns;
	r2 = put_ending(s, end_ns);
	if (!r)
		r = r2;
	r2 = sink_record_end(s->sink);
	return r ? r : r2;
}

uint64_t session_now(const struct session *s)
{
	return s->ended_ns ? s->ended_ns : records_now();
}

void session_lost(struct session *s, uint64_t ret_lost[LMMSD_LOST_MAX])
{
	const uint64_t *own = graph_lost(sink_graph(s->sink));

	outer_lost(s, ret_lost);
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		ret_lost[i] += own[i];
	sink_add_lost(s->sink, ret_lost);
}

void session_counts(struct session *s, struct session_counts *ret)
{
	uint64_t lost[LMMSD_LOST_MAX];

	memset(ret, 0, sizeof(*ret));
	graph_counts(sink_graph(s->sink), &ret->graph);
	ret->records = reader_records(s->reader);
	ret->interpreters = watch_attached(s->watch);
	ret->lookup_cpu_s = s->lookup ? lookup_cpu_s(s->lookup) : 0;
	session_lost(s, lost);
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		ret->lost += lost[i];
}

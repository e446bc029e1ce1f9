/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/harvest.h"

#include <errno.h>
#include <string.h>

#include "app/lookup.h"
#include "app/records.h"
#include "app/roots.h"
#include "base/cleanup.h"
#include "base/log.h"

struct harvest {
	struct probe *probe;   /* borrowed; NULL: replay */
	struct sink *sink;     /* borrowed */
	struct roots *roots;   /* borrowed; NULL: no facts */
	struct lookup *lookup; /* borrowed; NULL: no facts */
	void (*on_process)(void *arg, struct mdl_process *p);
	void *arg;
	bool silence_said; /* once: what follows is counted */
};

int harvest_new(struct probe *probe, struct sink *sink, struct roots *roots, struct lookup *lookup,
		struct harvest **ret)
{
	struct harvest *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->probe = probe;
	h->sink = sink;
	h->roots = roots;
	h->lookup = lookup;
	*ret = h;
	return 0;
}

struct harvest *harvest_free(struct harvest *h)
{
	if (!h)
		return NULL;
	free(h);
	return NULL;
}

void harvest_on_process(struct harvest *h, void (*fn)(void *arg, struct mdl_process *p), void *arg)
{
	h->on_process = fn;
	h->arg = arg;
}

/* The keys are copied: putting a record may move the graph's array. */
static int counters(struct harvest *h, uint32_t tgid, uint64_t start_ns, bool take)
{
	_free_ struct lmmsd_use_key *keys = NULL;
	const struct lmmsd_use_key *theirs;
	uint8_t rec[RECORDS_MAX];
	size_t n = 0;
	int r = graph_use_keys(sink_graph(h->sink), tgid, start_ns, &theirs, &n);

	if (r || !n)
		return r == -ESRCH ? 0 : r;
	keys = malloc(n * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	memcpy(keys, theirs, n * sizeof(*keys));
	for (size_t i = 0; i < n; i++) {
		uint64_t count;
		size_t len;

		if (keys[i].tgid == 0)
			continue; /* nothing counts it in the kernel */
		if (probe_use_count(h->probe, &keys[i], take, &count))
			continue; /* the kernel could not announce it, and counted that as lost */
		len = records_uses(rec, sizeof(rec), tgid, start_ns, &keys[i], count);
		r = sink_put(h->sink, rec, len);
		if (r)
			return r;
	}
	return 0;
}

/* Distributions, and kinds that the events did not show. */
static int facts(struct harvest *h, uint32_t tgid, uint64_t start_ns)
{
	int64_t offset_ns = graph_host(sink_graph(h->sink))->realtime_offset_ns;
	struct mdl_process *p = NULL;
	int r;

	r = graph_snapshot(sink_graph(h->sink), tgid, start_ns, records_now(), &p);
	if (r)
		return r == -ENOMEM ? r : 0;
	r = lookup_process(h->lookup, p, roots_find(h->roots, tgid, start_ns), offset_ns, sink_put,
			   h->sink);
	(void)graph_process_free(p);
	return r;
}

static int settle(struct harvest *h, uint32_t tgid, uint64_t start_ns, bool take)
{
	int r = h->probe ? counters(h, tgid, start_ns, take) : 0;

	if (!r && h->lookup)
		r = facts(h, tgid, start_ns);
	if (h->roots)
		roots_forget(h->roots, tgid, start_ns);
	return r;
}

static void say_silence(struct harvest *h, const struct mdl_process *p)
{
	uint64_t n = p->lost[LMMSD_LOST_PROBE_SILENT];

	/* A recording may be damaged: its report says that it is not complete, and what it counts. */
	if (n == 0 || h->silence_said || !h->probe)
		return;
	h->silence_said = true;
	log_warning(
		"%llu imports of process %u ('%s') bypassed the probes and have no times: its report is incomplete; please report it with the output of 'lmmsd --check'",
		(unsigned long long)n, p->pid, p->exe);
}

static void hand_out(struct harvest *h)
{
	struct mdl_process *p;

	while ((p = graph_take_ended(sink_graph(h->sink)))) {
		say_silence(h, p);
		if (h->on_process)
			h->on_process(h->arg, p);
		else
			(void)graph_process_free(p);
	}
}

int harvest_ended(struct harvest *h)
{
	struct graph *g = sink_graph(h->sink);
	uint64_t start_ns;
	uint32_t tgid;

	while (graph_next_pending(g, &tgid, &start_ns)) {
		int r = settle(h, tgid, start_ns, true);

		if (r)
			return r;
		graph_uses_done(g, tgid, start_ns);
	}
	hand_out(h);
	return 0;
}

int harvest_look(struct harvest *h, uint32_t tgid, uint64_t start_ns, struct mdl_process **ret)
{
	int r = h->probe ? counters(h, tgid, start_ns, false) : 0;

	if (!r && h->lookup)
		r = facts(h, tgid, start_ns);
	return r ? r : graph_snapshot(sink_graph(h->sink), tgid, start_ns, records_now(), ret);
}

int harvest_all(struct harvest *h, uint64_t now_ns)
{
	int r = graph_finish(sink_graph(h->sink), now_ns);

	return r ? r : harvest_ended(h);
}

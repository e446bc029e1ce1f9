/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/harvest.h"

#include <errno.h>
#include <string.h>

#include "app/records.h"
#include "app/roots.h"
#include "base/cleanup.h"
#include "facts/dist.h"
#include "facts/record.h"

struct harvest {
	struct probe *probe; /* borrowed; NULL: replay */
	struct sink *sink;   /* borrowed */
	struct roots *roots; /* borrowed; NULL: no facts */
	struct dist *dist;   /* owned; NULL: no facts */
	void (*on_process)(void *arg, struct mdl_process *p);
	void *arg;
};

int harvest_new(struct probe *probe, struct sink *sink, struct roots *roots, struct harvest **ret)
{
	_cleanup_(harvest_freep) struct harvest *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->probe = probe;
	h->sink = sink;
	h->roots = roots;
	if (roots) {
		int r = dist_new(&h->dist);

		if (r)
			return r;
	}
	*ret = TAKE_PTR(h);
	return 0;
}

struct harvest *harvest_free(struct harvest *h)
{
	if (!h)
		return NULL;
	(void)dist_free(h->dist);
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

		if (probe_use_count(h->probe, &keys[i], take, &count))
			continue; /* the kernel could not announce it, and counted that as lost */
		len = records_uses(rec, sizeof(rec), tgid, start_ns, &keys[i], count);
		r = sink_put(h->sink, rec, len);
		if (r)
			return r;
	}
	return 0;
}

static bool same_package(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	return strcspn(b, ".") == n && strncmp(a, b, n) == 0;
}

/* Another module of the same top-level package that has a file, best a submodule: it tells where m would lie. */
static const struct mdl_module *near(const struct mdl_process *p, const struct mdl_module *m)
{
	const struct mdl_module *found = NULL;
	size_t len = strlen(m->name);

	for (size_t i = 0; i < p->n_modules; i++) {
		const struct mdl_module *o = &p->modules[i];

		if (!o->file || !same_package(o->name, m->name))
			continue;
		if (strncmp(o->name, m->name, len) == 0 && o->name[len] == '.')
			return o;
		found = o;
	}
	return found;
}

static int module_facts(struct harvest *h, int root, const struct mdl_process *p,
			const struct mdl_module *m, int64_t offset_ns)
{
	uint8_t rec[FACTS_RECORD_MAX];
	struct facts_query q = {
		.tgid = p->pid,
		.start_ns = p->start_ns,
		.ts_ns = records_now(),
		.started_ns = (int64_t)p->begin_ns + offset_ns,
		.version = p->py_version,
		.module = m->name,
		.file = m->file,
	};
	const struct mdl_module *other = m->file ? NULL : near(p, m);
	size_t len;
	int r;

	if (other) {
		q.near = other->name;
		q.near_file = other->file;
	}
	r = facts_record(h->dist, root, &q, rec, &len);
	if (r == -ENOMEM)
		return r;
	return r ? 0 : sink_put(h->sink, rec, len);
}

/* Distributions, and kinds that the events did not show. */
static int facts(struct harvest *h, uint32_t tgid, uint64_t start_ns)
{
	int64_t offset_ns = graph_host(sink_graph(h->sink))->realtime_offset_ns;
	struct mdl_process *p = NULL;
	int root, r;

	r = graph_snapshot(sink_graph(h->sink), tgid, start_ns, records_now(), &p);
	if (r)
		return r == -ENOMEM ? r : 0;
	root = roots_find(h->roots, tgid, start_ns);
	for (size_t i = 0; !r && i < p->n_modules; i++)
		if (p->modules[i].file && p->modules[i].status == MDL_LOADED)
			r = dist_prepare(h->dist, root, p->modules[i].name, p->modules[i].file);
	if (r != -ENOMEM)
		r = 0;
	for (size_t i = 0; !r && i < p->n_modules; i++)
		if (p->modules[i].status == MDL_LOADED)
			r = module_facts(h, root, p, &p->modules[i], offset_ns);
	(void)graph_process_free(p);
	return r;
}

static int settle(struct harvest *h, uint32_t tgid, uint64_t start_ns, bool take)
{
	int r = h->probe ? counters(h, tgid, start_ns, take) : 0;

	if (!r && h->dist)
		r = facts(h, tgid, start_ns);
	if (h->roots)
		roots_forget(h->roots, tgid, start_ns);
	return r;
}

static void hand_out(struct harvest *h)
{
	struct mdl_process *p;

	while ((p = graph_take_ended(sink_graph(h->sink)))) {
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

	if (!r && h->dist)
		r = facts(h, tgid, start_ns);
	return r ? r : graph_snapshot(sink_graph(h->sink), tgid, start_ns, records_now(), ret);
}

int harvest_all(struct harvest *h, uint64_t now_ns)
{
	int r = graph_finish(sink_graph(h->sink), now_ns);

	return r ? r : harvest_ended(h);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A measured process made by hand, for tests of analysis and export. Time passes only by fake_spend(): loads are
 * opened and closed like in a real run, and totals, self times, parents and depths follow.
 */
#pragma once
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "model/profile.h"

#define FAKE_OFFSET_NS 1700000000000000000
#define FAKE_DEPTH 64

struct fake {
	struct mdl_profile profile;
	struct mdl_process *p; /* the one that is being made */
	struct intern *strings;
	uint64_t now_ns;
	int32_t open[FAKE_DEPTH];
	int32_t n_open;
	uint32_t tid;
};

static inline void *fake_grow(void *array, size_t n, size_t size)
{
	void *p = array;

	if ((n & (n - 1)) == 0) {
		p = realloc(array, (n ? 2 * n : 1) * size);
		assert(p);
	}
	memset((char *)p + n * size, 0, size);
	return p;
}

static inline const char *fake_str(struct fake *f, const char *s)
{
	return s ? intern_str(f->strings, s) : NULL;
}

static inline void fake_init(struct fake *f)
{
	*f = (struct fake){.now_ns = 5000000000, .tid = 100};
	f->profile.version = "1.0.0";
	f->profile.host = "build-7";
	f->profile.kernel = "6.1.0-13-amd64";
	f->profile.arch = "x86_64";
	f->profile.boot_id = "0f9c2c5e-1111-2222-3333-444455556666";
	f->profile.realtime_offset_ns = FAKE_OFFSET_NS;
	f->profile.started_ns = f->now_ns;
	f->profile.complete = true;
	if (intern_new(&f->strings) < 0)
		abort();
}

/* The process that the calls below add to. */
static inline struct mdl_process *fake_process(struct fake *f, const char *app, uint32_t pid)
{
	static const char cmdline[] = "/usr/bin/python3\0manage.py\0check";
	struct mdl_process *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	f->profile.processes = fake_grow(f->profile.processes, f->profile.n_processes, sizeof(p));
	f->profile.processes[f->profile.n_processes++] = p;
	f->p = p;
	f->n_open = 0;
	f->tid = pid;
	p->pid = pid;
	p->ppid = 1;
	p->uid = 1000;
	p->py_version = 0x030b02f0;
	p->probe = LMMSD_PROBE_USDT;
	p->from_start = true;
	p->ended = true;
	p->usage = true;
	p->start_ns = p->begin_ns = f->now_ns;
	p->app = strdup(app);
	p->comm = strdup("python3");
	p->exe = strdup("/usr/bin/python3.11");
	p->cgroup = strdup("/user.slice");
	p->cmdline = malloc(sizeof(cmdline));
	if (!p->cmdline)
		abort();
	memcpy(p->cmdline, cmdline, sizeof(cmdline));
	p->cmdline_len = sizeof(cmdline);
	return p;
}

static inline struct mdl_module *fake_module(struct fake *f, const char *name)
{
	struct mdl_process *p = f->p;

	for (size_t i = 0; i < p->n_modules; i++)
		if (!strcmp(p->modules[i].name, name))
			return &p->modules[i];
	p->modules = fake_grow(p->modules, p->n_modules, sizeof(*p->modules));
	p->modules[p->n_modules] =
		(struct mdl_module){.name = fake_str(f, name), .load = -1, .status = MDL_SEEN};
	return &p->modules[p->n_modules++];
}

static inline void fake_spend(struct fake *f, uint64_t ns)
{
	f->now_ns += ns;
	if (f->n_open)
		f->p->loads[f->open[f->n_open - 1]].self_ns += ns;
}

/* An import statement runs. */
static inline void fake_use(struct fake *f, const char *importer, const char *name, uint8_t place,
			    bool loaded)
{
	struct mdl_process *p = f->p;
	struct mdl_module *m = fake_module(f, name);

	m->uses++;
	m->uses_by_place[place]++;
	for (size_t i = 0; i < p->n_edges; i++) {
		struct mdl_edge *e = &p->edges[i];

		if (e->module != m->name || e->importer != fake_str(f, importer) ||
		    e->place != place)
			continue;
		e->count++;
		e->loaded |= loaded;
		return;
	}
	p->edges = fake_grow(p->edges, p->n_edges, sizeof(*p->edges));
	p->edges[p->n_edges++] = (struct mdl_edge){.importer = fake_str(f, importer),
						   .module = m->name,
						   .count = 1,
						   .place = place,
						   .loaded = loaded};
}

/* A load begins; the pointer holds until the next one. */
static inline struct mdl_load *fake_begin(struct fake *f, const char *importer, const char *name,
					  uint8_t place)
{
	struct mdl_process *p = f->p;
	struct mdl_module *m;
	struct mdl_load *l;

	assert(f->n_open < FAKE_DEPTH);
	fake_use(f, importer, name, place, true);
	m = fake_module(f, name);
	p->loads = fake_grow(p->loads, p->n_loads, sizeof(*p->loads));
	l = &p->loads[p->n_loads];
	*l = (struct mdl_load){
		.name = m->name,
		.importer = fake_str(f, importer),
		.start_ns = f->now_ns,
		.parent = f->n_open ? f->open[f->n_open - 1] : -1,
		.depth = (uint32_t)f->n_open,
		.tid = f->tid,
		.place = place,
		.kind = LMMSD_KIND_BYTECODE,
	};
	if (m->load < 0)
		m->load = (int32_t)p->n_loads;
	m->n_loads++;
	m->status = MDL_LOADED;
	f->open[f->n_open++] = (int32_t)p->n_loads++;
	return l;
}

static inline void fake_end(struct fake *f)
{
	struct mdl_load *l = &f->p->loads[f->open[--f->n_open]];

	l->total_ns = f->now_ns - l->start_ns;
}

/* A load that imports nothing itself. */
static inline struct mdl_load *fake_leaf(struct fake *f, const char *importer, const char *name,
					 uint8_t place, uint64_t ns)
{
	struct mdl_load *l = fake_begin(f, importer, name, place);

	fake_spend(f, ns);
	fake_end(f);
	return l;
}

/* What was loaded so far was the start. */
static inline void fake_started(struct fake *f)
{
	struct mdl_process *p = f->p;

	p->cold_start_ns = 0;
	for (size_t i = 0; i < p->n_loads; i++)
		if (p->loads[i].parent < 0)
			p->cold_start_ns += p->loads[i].total_ns;
}

static inline void fake_done(struct fake *f)
{
	f->p->end_ns = f->profile.ended_ns = f->now_ns;
}

static inline void fake_free(struct fake *f)
{
	for (size_t i = 0; i < f->profile.n_processes; i++) {
		struct mdl_process *p = f->profile.processes[i];

		free(p->app);
		free(p->comm);
		free(p->exe);
		free(p->cgroup);
		free(p->cwd);
		free(p->cmdline);
		free(p->loads);
		free(p->modules);
		free(p->edges);
		free(p);
	}
	free(f->profile.processes);
	(void)intern_free(f->strings);
	*f = (struct fake){0};
}

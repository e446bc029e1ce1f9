/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Event sequences in few words, for tests of graph/: a story has a process, a thread and a clock, and each function
 * below is one event. Times are in ns and absolute. A failed event fails the test.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"
#include "model/event.h"
#include "model/profile.h"

#define STMT (LMMSD_WHERE_FRAME | LMMSD_WHERE_STMT)
#define AT_MODULE (STMT | LMMSD_WHERE_MODBODY)
#define AT_FUNC (STMT | LMMSD_WHERE_FUNC)
#define BY_IMPORTLIB (LMMSD_WHERE_FRAME | LMMSD_WHERE_INTERNAL | LMMSD_WHERE_MODBODY)
#define BY_CALL (LMMSD_WHERE_FRAME | LMMSD_WHERE_DYNAMIC | LMMSD_WHERE_MODBODY)

static const struct ev_where nobody = {.importer = "", .file = "", .func = ""};

struct story {
	struct graph *g;
	uint32_t tgid, tid;
	uint64_t start_ns;
	bool may_fail; /* allocations fail here */
};

static inline void tell(struct story *s, struct ev ev)
{
	int r;

	ev.tgid = s->tgid;
	ev.tid = s->tid;
	ev.start_ns = s->start_ns;
	r = graph_event(s->g, &ev);
	if (!s->may_fail)
		assert_int_equal(r, 0);
}

static inline struct ev_where where(uint32_t flags, const char *importer, uint64_t frame)
{
	return (struct ev_where){.flags = flags,
				 .importer = importer,
				 .frame = frame,
				 .file = importer[0] ? "/app/x.py" : "",
				 .func = "",
				 .line = importer[0] ? 7 : 0};
}

static inline void proc(struct story *s, uint64_t ts, uint32_t flags)
{
	tell(s, (struct ev){.kind = LMMSD_EV_PROC,
			    .ts_ns = ts,
			    .interp = 1,
			    .proc = {.flags = flags,
				     .ppid = 1,
				     .uid = 1000,
				     .exec_ns = flags & LMMSD_PROC_EXEC ? ts : 0,
				     .comm = "python3",
				     .exe = "/usr/bin/python3.11",
				     .cgroup = "/user.slice",
				     .cwd = "/srv/shop",
				     .cmdline = "python3\0x.py",
				     .cmdline_len = 13}});
}

static inline void host(struct story *s, bool usage)
{
	tell(s, (struct ev){.kind = LMMSD_EV_HOST,
			    .ts_ns = 1,
			    .host = {.name = "h",
				     .kernel = "6.1",
				     .arch = "x86_64",
				     .boot_id = "b",
				     .version = "1",
				     .realtime_offset_ns = 5,
				     .usage = usage}});
}

static inline void interp(struct story *s, uint8_t flags)
{
	tell(s, (struct ev){.kind = LMMSD_EV_INTERP,
			    .interp = 1,
			    .interp_info = {.version = 0x030b02f0,
					    .probe = LMMSD_PROBE_USDT,
					    .flags = flags,
					    .path = "/usr/bin/python3.11"}});
}

static inline void load_at(struct story *s, uint64_t ts, uint64_t sp, const char *name,
			   struct ev_where w)
{
	tell(s, (struct ev){.kind = LMMSD_EV_LOAD_START,
			    .ts_ns = ts,
			    .interp = 1,
			    .load = {.sp = sp, .name = name, .body_file = "", .where = w}});
}

/* frame: by importlib each one is another. */
static inline void load(struct story *s, uint64_t ts, uint64_t sp, uint64_t frame, const char *name,
			const char *importer, uint32_t flags)
{
	load_at(s, ts, sp, name, where(flags, importer, frame));
}

static inline void done(struct story *s, uint64_t ts, uint64_t sp, uint64_t frame)
{
	tell(s, (struct ev){.kind = LMMSD_EV_LOAD_DONE,
			    .ts_ns = ts,
			    .done = {.sp = sp, .frame = frame, .found = 1}});
}

static inline void failed(struct story *s, uint64_t ts, uint64_t sp, uint64_t frame)
{
	tell(s, (struct ev){.kind = LMMSD_EV_LOAD_DONE,
			    .ts_ns = ts,
			    .done = {.sp = sp, .frame = frame}});
}

static inline void body(struct story *s, uint64_t ts, uint64_t sp, uint64_t frame, const char *name,
			const char *file, struct ev_where w)
{
	w.frame = frame;
	tell(s, (struct ev){.kind = LMMSD_EV_BODY_START,
			    .ts_ns = ts,
			    .interp = 1,
			    .load = {.sp = sp, .name = name, .body_file = file, .where = w}});
}

static inline void body_done(struct story *s, uint64_t ts, uint64_t sp, uint64_t frame)
{
	tell(s, (struct ev){.kind = LMMSD_EV_BODY_DONE,
			    .ts_ns = ts,
			    .done = {.sp = sp, .frame = frame, .found = 1}});
}

static inline void ext(struct story *s, uint64_t ts, const char *name, const char *file)
{
	tell(s, (struct ev){.kind = LMMSD_EV_EXT_EXEC,
			    .ts_ns = ts,
			    .ext = {.name = name, .file = file}});
}

static inline void compile(struct story *s, uint64_t ts, const char *file)
{
	tell(s, (struct ev){.kind = LMMSD_EV_COMPILE, .ts_ns = ts, .compile = {.file = file}});
}

static inline void lazy(struct story *s, uint64_t ts, uint64_t sp, uint64_t frame)
{
	tell(s, (struct ev){.kind = LMMSD_EV_LAZY,
			    .ts_ns = ts,
			    .load = {.sp = sp,
				     .name = "",
				     .body_file = "",
				     .where = where(LMMSD_WHERE_FRAME, "", frame)}});
}

static inline void leave(struct story *s, uint64_t ts, int32_t status, uint32_t flags)
{
	tell(s, (struct ev){.kind = LMMSD_EV_EXIT,
			    .ts_ns = ts,
			    .exit = {.status = status, .flags = flags}});
}

static inline void fork_to(struct story *s, uint64_t ts, uint32_t child, uint64_t child_start)
{
	tell(s, (struct ev){.kind = LMMSD_EV_FORK,
			    .ts_ns = ts,
			    .fork = {.child_tgid = child, .child_start_ns = child_start}});
}

/* A use key: id tells keys apart; place by the arguments. */
static inline struct lmmsd_use_key key(const struct story *s, uint64_t id, uint8_t place,
				       int16_t level)
{
	return (struct lmmsd_use_key){.tgid = s->tgid,
				      .start_ns = s->start_ns,
				      .name = id,
				      .globals = 0x1000,
				      .place = place,
				      .level = level};
}

static inline void use(struct story *s, struct lmmsd_use_key k, const char *name,
		       const char *package, uint8_t flags, struct ev_where w)
{
	tell(s, (struct ev){.kind = LMMSD_EV_USE,
			    .interp = 1,
			    .use = {.keyed = true,
				    .key = k,
				    .name = name,
				    .package = package,
				    .flags = flags,
				    .where = w}});
}

static inline void uses(struct story *s, struct lmmsd_use_key k, uint64_t count)
{
	tell(s, (struct ev){.kind = LMMSD_EV_USES, .uses = {.key = k, .count = count}});
}

static inline void dist(struct story *s, const char *name, const char *distribution, uint8_t kind,
			const char *file)
{
	tell(s, (struct ev){.kind = LMMSD_EV_DIST,
			    .dist = {.name = name,
				     .dist = distribution,
				     .version = distribution[0] ? "1.0" : "",
				     .file = file,
				     .kind = kind}});
}

static inline struct story story_begin(const struct graph_limits *limits)
{
	struct story s = {.tgid = 100, .tid = 100, .start_ns = 50};

	assert_int_equal(graph_new(limits ? limits : &graph_default_limits, &s.g), 0);
	return s;
}

/* A process seen from its start at 100, its interpreter with all probes. */
/* Where uses are counted and bodies are seen. */
static inline struct story story_counting(void)
{
	struct story s = story_begin(NULL);

	host(&s, true);
	interp(&s, LMMSD_INTERP_BODIES);
	proc(&s, 100, LMMSD_PROC_EXEC);
	return s;
}

static inline struct story story_from_start(void)
{
	struct story s = story_begin(NULL);

	host(&s, false);
	interp(&s, LMMSD_INTERP_BODIES | LMMSD_INTERP_COMPILE | LMMSD_INTERP_EXT);
	proc(&s, 100, LMMSD_PROC_EXEC);
	return s;
}

/* The next process that ended, its counters given up on. */
static inline struct mdl_process *take(struct story *s)
{
	uint32_t tgid;
	uint64_t start_ns;

	while (graph_next_pending(s->g, &tgid, &start_ns))
		graph_uses_done(s->g, tgid, start_ns);
	return graph_take_ended(s->g);
}

/* The process exits: what is known of it. The graph is gone. */
static inline struct mdl_process *end(struct story *s)
{
	struct mdl_process *m;

	leave(s, 9000, 0, 0);
	m = take(s);
	assert_non_null(m);
	graph_free(s->g);
	return m;
}

static inline const struct mdl_load *load_named(const struct mdl_process *m, const char *name)
{
	for (size_t i = 0; i < m->n_loads; i++)
		if (strcmp(m->loads[i].name, name) == 0)
			return &m->loads[i];
	fail_msg("no load of %s", name);
	return NULL;
}

static inline const struct mdl_module *module_named(const struct mdl_process *m, const char *name)
{
	for (size_t i = 0; i < m->n_modules; i++)
		if (strcmp(m->modules[i].name, name) == 0)
			return &m->modules[i];
	fail_msg("no module %s", name);
	return NULL;
}

static inline const char *parent_of(const struct mdl_process *m, const char *name)
{
	const struct mdl_load *l = load_named(m, name);

	return l->parent < 0 ? "" : m->loads[l->parent].name;
}

static inline const struct mdl_edge *edge_of(const struct mdl_process *m, const char *importer,
					     const char *module)
{
	for (size_t i = 0; i < m->n_edges; i++) {
		const struct mdl_edge *e = &m->edges[i];

		if (strcmp(e->importer ? e->importer : "", importer) == 0 &&
		    strcmp(e->module, module) == 0)
			return e;
	}
	return NULL;
}

static inline void check_lost(const struct story *s, unsigned int reason, uint64_t n)
{
	assert_int_equal(graph_lost(s->g)[reason], n);
}

/* Whatever happens: no self time exceeds its total, and all of them fit in the time that was covered. */
static inline void check_sane(const struct mdl_process *m, uint64_t covered)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n_loads; i++) {
		assert_true(m->loads[i].self_ns <= m->loads[i].total_ns);
		assert_true(m->loads[i].exec_ns <= m->loads[i].total_ns);
		assert_true(m->loads[i].parent < (int32_t)i);
		sum += m->loads[i].self_ns;
	}
	assert_true(sum <= covered);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The BPF half on the real kernel, on a real interpreter: what its tests share. Include behind <cmocka.h>. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "decode/decode.h"
#include "probe/probe.h"
#include "probe/reader.h"

#define RIG_PYTHON "/usr/bin/python3"
#define RIG_EVENTS 65536
#define RIG_NAME 64

struct rig_event {
	uint16_t kind;
	uint32_t tgid;
	char name[RIG_NAME];
	bool keyed; /* of a use: the kernel counts it */
	struct lmmsd_use_key key;
	uint32_t flags;
	uint64_t ino;
	uint32_t ctime_s, ctime_ns;
};

struct rig {
	struct probe *probe;
	struct reader *reader; /* NULL: nobody reads */
	struct decoder *decoder;
	struct target *target;
	int fd;
	uint32_t interp;
	struct rig_event *events;
	size_t n;
};

/*
 * What this kernel offers; without what must be, the test is skipped. With LMMSD_TEST_MASK=old
 * only what 5.10 offers, so that the code for old kernels runs here.
 */
static inline struct features rig_features(void)
{
	const char *mask = getenv("LMMSD_TEST_MASK");
	struct features f;

	feature_probe(&f);
	if (mask && strcmp(mask, "old") == 0)
		f.task_storage = f.cookie = f.uprobe_multi = false;
	if (!f.permitted || !f.btf || !f.ringbuf || !f.tp_btf) {
		print_message("this kernel or user cannot load what lmmsd needs\n");
		skip();
	}
	return f;
}

static inline struct probe_options rig_options(void)
{
	return (struct probe_options){
		.ring_bytes = 1 << 20,
		.max_use_keys = 16384,
		.max_procs = 1024,
		.filter_pids = true, /* the host's other Pythons are none of a test's business */
		.usage = true,
		.features = rig_features(),
	};
}

static inline int rig_record(void *arg, const void *rec, size_t len)
{
	struct rig *g = arg;
	struct rig_event *e = &g->events[g->n];
	struct ev ev;

	assert_int_equal(decoder_next(g->decoder, rec, len, &ev), 0);
	assert_true(g->n < RIG_EVENTS);
	*e = (struct rig_event){.kind = ev.kind, .tgid = ev.tgid};
	if (ev.kind == LMMSD_EV_LOAD_START || ev.kind == LMMSD_EV_BODY_START)
		(void)snprintf(e->name, sizeof(e->name), "%s", ev.load.name);
	if (ev.kind == LMMSD_EV_USE) {
		(void)snprintf(e->name, sizeof(e->name), "%s", ev.use.name);
		e->keyed = ev.use.keyed;
		e->key = ev.use.key;
	}
	if (ev.kind == LMMSD_EV_PROC)
		e->flags = ev.proc.flags;
	if (ev.kind == LMMSD_EV_EXE) {
		e->ino = ev.exe.ino;
		e->ctime_s = ev.exe.ctime_s;
		e->ctime_ns = ev.exe.ctime_ns;
	}
	g->n++;
	return 0;
}

/* Loaded, with a reader whose queue has so many bytes (0: no reader), attached to nothing. */
static inline void rig_load(struct rig *g, const struct probe_options *o, size_t queue_bytes)
{
	memset(g, 0, sizeof(*g));
	g->fd = -EBADF;
	g->events = calloc(RIG_EVENTS, sizeof(*g->events));
	assert_non_null(g->events);
	assert_int_equal(decoder_new(&g->decoder), 0);
	assert_int_equal(probe_new(o, &g->probe), 0);
	if (queue_bytes)
		assert_int_equal(reader_start(probe_ring_fd(g->probe), queue_bytes, &g->reader), 0);
	assert_int_equal(probe_attach_process(g->probe), 0);
}

static inline void rig_attach(struct rig *g)
{
	g->fd = open(RIG_PYTHON, O_RDONLY | O_CLOEXEC);
	if (g->fd < 0 || target_open(g->fd, RIG_PYTHON, TARGET_WANT_AUTO, &g->target) ||
	    !g->target->is_python || g->target->refused) {
		print_message("no CPython in " RIG_PYTHON " that can be probed\n");
		skip();
	}
	assert_int_equal(probe_attach(g->probe, g->fd, g->target, &g->interp), 0);
}

static inline void rig_free(struct rig *g)
{
	g->reader = reader_stop(g->reader);
	g->probe = probe_free(g->probe);
	g->decoder = decoder_free(g->decoder);
	g->target = target_free(g->target);
	closep(&g->fd);
	free(g->events);
}

/* Runs argv as a watched process; its pid. */
static inline pid_t rig_start(struct rig *g, const char *const argv[])
{
	int go[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(go[0]);
	assert_int_equal(probe_watch_pid(g->probe, (uint32_t)pid), 0);
	assert_int_equal(write(go[1], "", 1), 1);
	(void)close(go[1]);
	return pid;
}

/* ... to its end. */
static inline pid_t rig_run(struct rig *g, const char *const argv[])
{
	pid_t pid = rig_start(g, argv);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return pid;
}

static inline pid_t rig_python(struct rig *g, const char *code)
{
	const char *const argv[] = {RIG_PYTHON, "-I", "-S", "-c", code, NULL};

	return rig_run(g, argv);
}

/* All that was sent so far is in g->events then. */
static inline void rig_drain(struct rig *g)
{
	assert_int_equal(reader_kick(g->reader), 0);
	assert_true(reader_drain(g->reader, rig_record, g) >= 0);
}

/* One watched Python from its start to its end, and all that was sent of it; its pid. */
static inline pid_t rig_observe(struct rig *g, const struct probe_options *o, const char *code)
{
	pid_t pid;

	rig_load(g, o, 1 << 20);
	rig_attach(g);
	pid = rig_python(g, code);
	rig_drain(g);
	return pid;
}

static inline size_t rig_count(const struct rig *g, uint16_t kind, pid_t pid, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->events[i].kind == kind && g->events[i].tgid == (uint32_t)pid &&
		     (!name || strcmp(g->events[i].name, name) == 0);
	return n;
}

static inline uint64_t rig_lost(const struct rig *g, size_t reason)
{
	uint64_t lost[LMMSD_LOST_MAX];

	assert_int_equal(probe_lost(g->probe, lost), 0);
	return lost[reason];
}

static inline void rig_nothing_lost(const struct rig *g)
{
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		assert_int_equal(rig_lost(g, i), 0);
	if (g->reader)
		assert_int_equal(reader_dropped(g->reader), 0);
}

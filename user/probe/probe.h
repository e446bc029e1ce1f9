/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The BPF half's life in user space: open, tune, load, attach to interpreters, read counters, detach. Everything
 * that was attached goes with probe_free() or with the process, however it ends: links are file descriptors.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/event.h"
#include "lmmsd/reasons.h"
#include "probe/feature.h"
#include "probe/target.h"

struct probe_options {
	size_t ring_bytes; /* power of two, multiple of the page size */
	size_t max_use_keys;
	size_t max_procs;
	bool filter_pids; /* only probe_watch_pid()'s processes and the children they start */
	bool filter_uid;
	uint32_t uid;
	bool usage;		  /* attach the use probe too */
	struct features features; /* from feature_probe() */
};

struct probe;
/* Loads the programs. -EPERM: not permitted. -EOPNOTSUPP: this kernel cannot. */
int probe_new(const struct probe_options *options, struct probe **ret);
struct probe *probe_free(struct probe *p); /* detaches all; NULL */
static inline void probe_freep(struct probe **p)
{
	(void)probe_free(*p);
}

/* Process tracepoints: exec, fork, exit. Before any interpreter, so that no process is half known. */
int probe_attach_process(struct probe *p);

/*
 * Attaches to the file behind fd (borrowed) as target_open() described it. System-wide, one link a program.
 * *ret_interp: its id in events. -ENOSPC: LMMSD_MAX_INTERPS are attached. Nothing stays attached on failure.
 */
int probe_attach(struct probe *p, int fd, const struct target *t, uint32_t *ret_interp);
void probe_detach(struct probe *p, uint32_t interp);

int probe_watch_pid(struct probe *p, uint32_t pid);
/* What to think of a program at its next exec; ctime as in LMMSD_EV_EXE. */
int probe_exe_verdict(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns,
		      bool python);
/* Was it executed, and no verdict given yet? */
bool probe_exe_undecided(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);
/* Its next exec is an unknown program's again. */
void probe_exe_forget(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);

/* Counter of a use key; take: remove it. -ENOENT: none. */
int probe_use_count(struct probe *p, const struct lmmsd_use_key *key, bool take, uint64_t *ret);
/*
 * Some of the keys, at most *n, and how many in *n. *pos: 0 for the first, then as it was left: what comes and goes
 * meanwhile moves nothing. -ENOENT: these were the last.
 */
int probe_use_some(struct probe *p, uint32_t *pos, struct lmmsd_use_key *keys, uint32_t *n);
#define PROBE_USE_SOME 1024 /* *n at least: more have no place in common */
/* Does the kernel side know this process? From its exec, fork or first event to its end, if there was room. */
bool probe_follows(struct probe *p, uint32_t tgid, uint64_t start_ns);
/* Sums of all CPUs. */
int probe_lost(struct probe *p, uint64_t ret_lost[LMMSD_LOST_MAX]);
int probe_ring_fd(const struct probe *p);
/* Time in the import probes, all CPUs together, as they measure it themselves: without what a trap costs. */
int probe_spent_ns(struct probe *p, uint64_t *ret);

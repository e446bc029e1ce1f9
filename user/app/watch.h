/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The interpreters of this host: found, examined, attached; and kept up to date while programs start and files change. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "app/sink.h"
#include "probe/probe.h"

struct watch;
/* probe: NULL: only look, attach nothing (--check). All borrowed. max_attached: files at once. */
int watch_new(struct probe *probe, struct sink *sink, enum target_want want, size_t max_attached,
	      struct watch **ret);
struct watch *watch_free(struct watch *w); /* what is attached stays so until probe_free(); NULL */
static inline void watch_freep(struct watch **w)
{
	(void)watch_free(*w);
}

/*
 * While BPF is still being loaded: what is found is examined and waits. watch_use() ends that: what is found from then on is attached
 * to at once, and what waits by watch_attach_next(), or when it is executed. probe: borrowed.
 */
void watch_hold(struct watch *w);
void watch_use(struct watch *w, struct probe *probe);
size_t watch_held(const struct watch *w);
/* What waits so far does not have to wait for the rest: when it is attached to, the programs that need it are told to be Pythons. */
size_t watch_first(struct watch *w);
/* The one that waits the longest. False: none waits. */
bool watch_attach_next(struct watch *w);

struct lookup;
/* Asks it before a file is touched whose file system might not answer. Borrowed. */
void watch_ask_first(struct watch *w, struct lookup *lookup);

/* What to look at; the looking is watch_run()'s. */
int watch_add_all(struct watch *w); /* the usual places and running processes */
int watch_add_places(struct watch *w);
int watch_add_processes(struct watch *w);
int watch_add_pid(struct watch *w, uint32_t pid);
int watch_add_path(struct watch *w, const char *path);
/* A program was executed that BPF never saw: look at it. */
int watch_exe(struct watch *w, uint32_t pid, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);

/* Works off what was added, at most max files (0: all). Returns how many files were looked at, negative errno. */
int watch_run(struct watch *w, size_t max);
/*
 * Detaches from files that were written to in place: the probes are in the middle of something else's instructions. Cheap, asks no
 * file system; call it every second or so.
 */
void watch_check(struct watch *w);
/* Detaches from files that are gone and that nothing maps. Call now and then, after watch_add_all() and watch_run(). */
void watch_sweep(struct watch *w);

/* Interpreters in the order found. */
struct watch_interp {
	uint32_t id; /* as in events; 0: not attached */
	uint32_t version;
	const char *version_text;
	uint8_t probe; /* LMMSD_PROBE_*; 0: refused */
	const char *path;
	const char *refused;  /* why not attached; NULL */
	const char *degraded; /* why with a lesser probe; NULL */
	uint8_t flags;
};
bool watch_interp(const struct watch *w, size_t i, struct watch_interp *ret);
size_t watch_attached(const struct watch *w);
/* Times that a limit, or a file system that does not answer, ended a search for interpreters. */
uint64_t watch_search_cut(const struct watch *w);
/* Interpreters that were not attached to since there was no room. */
uint64_t watch_no_room(const struct watch *w);
/* Files that may hold a Python but could not be read. */
uint64_t watch_unreadable(const struct watch *w);
/* Is this running process one of a watched interpreter (its executable or a library that it maps)? Negative errno: could not be read. */
int watch_is_python(struct watch *w, uint32_t pid);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once
#include "app/watch.h"
#include "probe/discover.h"

#define WATCH_MAPS_NS 200000000ull

/* Files that hold a CPython and are not attached to, that we remember. */
#define WATCH_MAX_REFUSED 256

struct watch_item {
	int fd;		       /* owned: the file that was examined; -EBADF: not attached to */
	char *path;	       /* owned */
	struct target *target; /* owned */
	struct discover_id file_id;
	uint32_t id;  /* attached as; 0: not */
	uint32_t pid; /* of the process in whose mount namespace it was seen; 0: ours */
	int error;    /* of the attach */
	uint8_t flags;
	bool named;  /* asked for by its path */
	bool mapped; /* by somebody, as far as was looked */
	bool again;  /* refused as it was before */
	bool held;   /* to be attached to by watch_attach_next() */
	unsigned int idle_sweeps;
};

/* Programs that are Python through a library: remembered, since the kernel side may forget what it was told. */
#define WATCH_MAX_NEEDS 1024

/* A program that was executed, and whose looking at is not over. */
struct watch_program {
	uint64_t ino;
	uint32_t ctime_s, ctime_ns;
};
#define WATCH_MAX_PROGRAMS 4096

/* Files that found no room and were counted. More than these are counted again when they are met again. */
struct watch_refusal {
	uint64_t ino, dev;
	int64_t ctime_ns;
};
#define WATCH_MAX_REFUSALS 1024

struct watch {
	struct probe *probe; /* borrowed; NULL: only look */
	struct sink *sink;   /* borrowed */
	enum target_want want;
	struct discover *discover; /* owned */
	struct lookup *lookup;	   /* borrowed; NULL: nobody goes first */
	int proc_fd, root_fd;
	struct watch_item *items; /* owned */
	size_t n_items, cap_items, attached, max_attached;
	bool hold; /* what is found waits; no verdicts are given */
	size_t held;
	size_t first, first_needs; /* of those that wait, and of needs */
	uint64_t no_room, programs_cut;
	size_t n_refused, n_said;
	struct watch_program needs[WATCH_MAX_NEEDS];
	size_t n_needs;
	struct watch_program programs[WATCH_MAX_PROGRAMS];
	size_t n_programs;
	struct watch_refusal refusals[WATCH_MAX_REFUSALS]; /* the last ones */
	size_t n_refusals;
	uint32_t next_pid; /* whose mappings are looked at next; 0: a round is over */
	uint64_t round_ns; /* when this round began */
	uint64_t maps_ns;  /* that reading mappings may take at a time */
	uint64_t room_ns;  /* of the last search for room */
};

/* watch.c */
void watch_item_done(struct watch_item *it);
/* Detaches. Those behind it move up. */
void watch_drop(struct watch *w, size_t i);
/* Written to in place: the probes of the old content must go before those of the new one come. */
void watch_drop_rewritten(struct watch *w, const struct discover_id *id);

/* watch_look.c: what it is, and what follows from that. 0, -ENOMEM. */
int watch_look(struct watch *w, struct discover_file *f);

/* A held one is attached to, or goes. */
void watch_attach_held(struct watch *w, size_t i);

/* Examined again, would its probes go where they are? */
bool watch_still_fits(const struct watch *w, const struct watch_item *it);

/* watch_sweep.c */
/* STATX_INO and STATX_NLINK as the kernel has them: no file system is waited for. */
struct statx;
int watch_statx(int fd, struct statx *ret);
bool watch_full(const struct watch *w);
/* Detaches from a few files that nothing maps, if there are any and it was not asked to just now. */
void watch_make_room(struct watch *w);

/* watch_exe.c */
/* Its next start says it again. */
void watch_forget(struct watch *w, const struct discover_id *id);
void watch_verdict(struct watch *w, const struct discover_id *id, bool python);
/* False: no room, which is counted. */
bool watch_remember_need(struct watch *w, const struct discover_id *id);
/* The verdicts on the first n that were not given while their libraries waited. */
void watch_decide_needs(struct watch *w, size_t n);
/* All that was queued has been looked at: no program stays undecided. */
void watch_settle(struct watch *w);

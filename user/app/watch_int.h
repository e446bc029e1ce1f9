/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once
#include "app/watch.h"
#include "probe/discover.h"

/* Files that hold a CPython, attached or refused, that we remember. */
#define WATCH_MAX_ITEMS 4096

struct watch_item {
	int fd;		       /* owned: the file that was examined */
	char *path;	       /* owned */
	struct target *target; /* owned */
	struct discover_id file_id;
	uint32_t id;  /* attached as; 0: not */
	uint32_t pid; /* of the process in whose mount namespace it was seen; 0: ours */
	int error;    /* of the attach */
	uint8_t flags;
	bool mapped;
	unsigned int idle_sweeps;
};

/* Programs that are Python through a library: remembered, since the kernel side may forget what it was told. */
#define WATCH_MAX_NEEDS 1024

/* A program that was executed, and whose looking at is not over. */
struct watch_program {
	uint64_t ino;
	uint32_t ctime_s, ctime_ns;
	bool alive; /* the process still ran it when it was queued */
};
#define WATCH_MAX_PROGRAMS 4096

struct watch {
	struct probe *probe; /* borrowed; NULL: only look */
	struct sink *sink;   /* borrowed */
	enum target_want want;
	struct discover *discover; /* owned */
	int proc_fd, root_fd;
	struct watch_item *items; /* owned */
	size_t n_items, cap_items, attached;
	struct watch_program needs[WATCH_MAX_NEEDS];
	size_t n_needs;
	struct watch_program programs[WATCH_MAX_PROGRAMS];
	size_t n_programs;
};

/* watch_exe.c */
void watch_verdict(struct watch *w, const struct discover_id *id, bool python);
void watch_remember_need(struct watch *w, const struct discover_id *id);
/* All that was queued has been looked at: no program stays undecided. */
void watch_settle(struct watch *w);

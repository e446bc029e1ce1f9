/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by the files of discover only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/discover.h"

#define DISCOVER_MAX_QUEUE 65536
#define DISCOVER_MAX_SEEN 16384
#define DISCOVER_MAX_RENEWED 64

/* Something to look at. */
enum discover_kind {
	DISCOVER_PROCESS, /* pid: its executable and its libraries */
	DISCOVER_EXE,	  /* pid */
	DISCOVER_MAP,	  /* pid, start, end, ino, path */
	DISCOVER_PLACES,  /* the usual ones */
	DISCOVER_FOUND,	  /* path below the root, of `pid` or, when that is 0, ours */
	DISCOVER_NAMED,	  /* path as the caller gave it */
};
struct discover_job {
	enum discover_kind kind;
	uint32_t pid;
	uint64_t start, end, ino;
	char *path; /* owned */
};

struct discover_queue {
	struct discover_job *job; /* owned; [head, tail) are waiting */
	size_t head, tail, cap;
};

struct discover {
	int proc_fd; /* borrowed */
	int root_fd; /* borrowed */
	char *root;  /* owned: path of root_fd, "" for "/" */
	struct discover_queue queue;
	struct seen *seen; /* owned */
	struct discover_id renewed[DISCOVER_MAX_RENEWED];
	size_t n_renewed;
	struct discover_stats stats;
	struct discover_scout scout; /* no functions: none goes first */
};

/* Copies path (may be NULL). A full queue drops the job and counts it. 0 or -ENOMEM. */
int discover_push(struct discover *d, const struct discover_job *job, const char *path);

/* Looks through the usual places and queues what is found. 0 or -ENOMEM. */
int discover_places(struct discover *d);

/* May a mapped file of this name hold an interpreter? Base name only. */
bool discover_mapped_name(const char *path);

/* fdio_open_beneath() the root of pid, or ours when pid is 0. The scout goes first. */
int discover_open_in(const struct discover *d, uint32_t pid, const char *path);

struct seen;
int seen_new(struct seen **ret);
struct seen *seen_free(struct seen *s);
/*
 * SEEN_NEW: remembered from now on. SEEN_RENEWED: pinned, and its ctime is another one than before. -ENOMEM. A file that
 * is not pinned is new again when its ctime changes.
 */
enum { SEEN_KNOWN, SEEN_NEW, SEEN_RENEWED };
int seen_add(struct seen *s, const struct discover_id *id);
int seen_pin(struct seen *s, const struct discover_id *id);
void seen_forget(struct seen *s, const struct discover_id *id);
void seen_prune(struct seen *s);
/* Is there one of this inode number and ctime? */
bool seen_program(const struct seen *s, uint64_t ino, int64_t ctime_ns);
size_t seen_count(const struct seen *s);

/*
 * Paths that ld.so.cache has for `name`, into found (borrowed from cache), at most max. cache: the file's bytes, hostile.
 * Returns how many.
 */
size_t discover_ldcache(const uint8_t *cache, size_t len, const char *name, const char *found[],
			size_t max);

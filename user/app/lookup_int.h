/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by lookup.c and lookup_scout.c only. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "app/lookup.h"
#include "base/buf.h"

#define LOOKUP_PATIENCE_NS (2ull * 1000000000) /* for what is under way when the time is up */
#define LOOKUP_MAX_STUCK 3
#define LOOKUP_MAX_HUNG 16
#define LOOKUP_MAX_LEFT 16

/* Did not answer: not asked again for a while. */
struct lookup_hung {
	int what;	   /* LOOKUP_ANSWERS, _OPEN or _WALK */
	uint64_t mount;	   /* 0: any */
	char *path;	   /* owned: and what is below. NULL: the whole mount */
	uint64_t again_ns; /* CLOCK_MONOTONIC; 0: free */
};

struct lookup {
	pid_t pid;		       /* 0: none */
	int fd;			       /* owned */
	pid_t stuck[LOOKUP_MAX_STUCK]; /* killed, and still there */
	int64_t credit_ns;	       /* may be less than nothing */
	uint64_t at_ns;		       /* when credit_ns was right */
	uint64_t cut, dist_cut;
	double gone_cpu_s; /* of those that were left */
	struct lookup_hung hung[LOOKUP_MAX_HUNG];
	size_t next_hung;
	uint64_t search_again_ns;    /* before this no search */
	char *left[LOOKUP_MAX_LEFT]; /* owned: directories of automounters */
	size_t n_left;
	bool said, search_said;
};

/* lookup.c */
int lookup_start(struct lookup *l); /* if it does not run. -EBUSY: too many hang */
/* Never waits: who hangs in a file system may not even die. */
void lookup_leave(struct lookup *l);
/* root_fd goes along with the first byte; -EBADF: none. */
int lookup_send(const struct lookup *l, const struct buf *b, int root_fd, uint64_t end_ns);
/* fd: takes a descriptor that comes along, if it has none; NULL: none is expected. */
int lookup_receive(const struct lookup *l, void *to, size_t len, int *fd, uint64_t end_ns);

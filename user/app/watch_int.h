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

struct watch {
	struct probe *probe; /* borrowed; NULL: only look */
	struct sink *sink;   /* borrowed */
	enum target_want want;
	struct discover *discover; /* owned */
	int proc_fd, root_fd;
	struct watch_item *items; /* owned */
	size_t n_items, cap_items, attached;
};

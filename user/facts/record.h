/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* LMMSD_EV_DIST records: what the file system says about one module of a process. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/event.h"

struct dist;

struct facts_query {
	uint32_t tgid;
	uint64_t start_ns;  /* of the process, as in every record */
	uint64_t ts_ns;	    /* CLOCK_MONOTONIC of the record */
	int64_t started_ns; /* Unix time of its last exec */
	uint32_t version;   /* PY_VERSION_HEX; 0: unknown, then kinds by name only */
	const char *module; /* absolute name */
	const char *file;   /* as the code object says it; NULL or "": not known */
	/*
	 * For a module without a file: another one with the same top-level package whose file is known, best a submodule
	 * of it. NULL: none.
	 */
	const char *near;
	const char *near_file;
};

#define FACTS_MAX_DIST 256 /* name, version: longer ones are cut */
#define FACTS_RECORD_MAX                                                                           \
	(sizeof(struct lmmsd_ev_dist) + LMMSD_NAME_MAX + 2 * FACTS_MAX_DIST + LMMSD_PATH_MAX)
/*
 * buf: FACTS_RECORD_MAX bytes. root_fd: see dist.h; -EBADF: kinds by name only. -ENODATA: nothing to say. -ENOMEM.
 * What was found on disk holds for ten seconds of ts_ns. The kind is a guess from what is there: what the
 * interpreter's own events said goes before it.
 */
int facts_record(struct dist *d, int root_fd, const struct facts_query *q, void *buf,
		 size_t *ret_len);

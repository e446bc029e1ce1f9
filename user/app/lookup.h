/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Looks the modules of processes up on disk, in a process of its own. The files are other people's. So the reading is
 * done with no more rights than to read, it may take a quarter of the time that passes, and a file system that does
 * not answer (NFS, FUSE) holds that process and not lmmsd: it is left behind, and another one started.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"

struct lookup;
int lookup_new(struct lookup **ret);
struct lookup *lookup_free(struct lookup *l); /* does not wait for a process that hangs; NULL */
static inline void lookup_freep(struct lookup **l)
{
	(void)lookup_free(*l);
}

/*
 * root_fd: of p's file system, see facts/dist.h; borrowed. offset_ns: Unix time less CLOCK_MONOTONIC. put() gets the
 * LMMSD_EV_DIST records; its error ends it. 0, -ENOMEM, put()'s. A process for whose modules there was no time is
 * counted.
 */
int lookup_process(struct lookup *l, const struct mdl_process *p, int root_fd, int64_t offset_ns,
		   int (*put)(void *arg, const void *rec, size_t len), void *arg);
uint64_t lookup_cut(const struct lookup *l); /* processes for which there was no time */

/*
 * Does the file behind an O_PATH fd answer? Its first byte was read, or refused. -ETIMEDOUT: not within two seconds; then
 * no other file of that mount is asked again. Other negative errno: it cannot be told.
 */
int lookup_answers(void *lookup, int path_fd);

/* The other process: the one argument that makes this program it, and its main(). */
#define LOOKUP_ARGUMENT "--look-up-modules"
int lookup_serve(void);

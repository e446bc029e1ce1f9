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
uint64_t lookup_cut(const struct lookup *l);	  /* processes for which there was no time */
double lookup_cpu_s(const struct lookup *l);	  /* processor time of all of its processes */
uint64_t lookup_dist_cut(const struct lookup *l); /* times that metadata were more than is read */

/*
 * For struct discover_scout: it goes first. What does not answer within two seconds is left alone for ten minutes, with all of its
 * mount as far as that is known. -ETIMEDOUT: it did not. Other negative errno: it cannot be told.
 */
int lookup_answers(void *lookup, int path_fd); /* its first byte was read, or refused */
int lookup_open(void *lookup, int root_fd, const char *path);
/* Says what it passes by, and counts it as cut. */
int lookup_walk(void *lookup, int root_fd, int (*found)(void *found_arg, const char *path),
		void *found_arg, uint64_t *ret_cut);
/* A directory that is left to its automounter; NULL: no more. */
const char *lookup_left(const struct lookup *l, size_t i);

/* The other process: the one argument that makes this program it, and its main(). */
#define LOOKUP_ARGUMENT "--look-up-modules"
int lookup_serve(void);

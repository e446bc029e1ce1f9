/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Which installed distribution a module's file belongs to, as the metadata beside it say (*.dist-info, *.egg-info, eggs,
 * editable installs). Every file that is read is the target's and hostile: sizes and counts are bounded, nothing but regular
 * files is opened, no link leads out of root_fd. Indexes of site directories are cached;
 * a directory is taken for unchanged for a second.
 *
 * root_fd: O_PATH directory of the target's root: "/proc/PID/root", or "/" when the process is gone and had our mount
 * namespace; -EBADF: nothing can be looked up.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dist;
int dist_new(struct dist **ret);
struct dist *dist_free(struct dist *d); /* NULL */
static inline void dist_freep(struct dist **d)
{
	(void)dist_free(*d);
}

/*
 * Indexes the site directory of a module's file without asking anything of it. An editable install is told from the
 * site directory where it is registered, so prepare all modules of a process before finding the first.
 */
int dist_prepare(struct dist *d, int root_fd, const char *module, const char *file);

struct dist_found {
	const char *name;    /* borrowed until the next call for d */
	const char *version; /* borrowed; NULL: it does not say */
};
/*
 * module: absolute name, "a.b.c". file: absolute path of its source, bytecode or shared object. 0: *ret is set.
 * -ENODATA: no distribution: the standard library, or a file that nothing installed. -EBADF, -ENOMEM.
 */
int dist_find(struct dist *d, int root_fd, const char *module, const char *file,
	      struct dist_found *ret);

struct dist_stats {
	size_t sites; /* cached */
	size_t bytes; /* about */
	uint64_t cut; /* times that a limit ended a look */
};
void dist_stats(const struct dist *d, struct dist_stats *ret);

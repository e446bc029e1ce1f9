/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Index of one site directory: who owns which packages. Built once, then only read, but for names and versions. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct site;
/*
 * Indexes the directory `path` (absolute in the root). -ENOENT …: it cannot be listed. *ret_cut counts limits that
 * were met.
 */
int site_new(int root_fd, const char *path, struct site **ret, uint64_t *ret_cut);
struct site *site_free(struct site *s); /* NULL */
static inline void site_freep(struct site **s)
{
	(void)site_free(*s);
}
size_t site_bytes(const struct site *s); /* about */

/*
 * The distribution that owns rel ("pkg/mod.py") or the module. Looks into RECORDs again where several claim the package.
 * 0: *ret_index. -ENODATA: none, or it cannot be told. -ENOMEM.
 */
int site_owner(struct site *s, int root_fd, const char *module, const char *rel, size_t *ret_index);
/* An editable install registered here whose project holds the file. 0, -ENODATA. */
int site_editable_owner(struct site *s, const char *file, size_t *ret_index);
/* Name and version as its metadata say, else as its directory is called. Borrowed from s. version: may be NULL. */
int site_describe(struct site *s, int root_fd, size_t index, const char **ret_name,
		  const char **ret_version);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The ad-hoc reports of lmmsd: a measured profile, with what analysis/ filled in, to one of the formats. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/profile.h"

enum export_format {
	EXPORT_TEXT, /* for people: tree for one process, table for several */
	EXPORT_TREE,
	EXPORT_TABLE,
	EXPORT_JSON,
	EXPORT_IMPORTTIME,
	EXPORT_SPEEDSCOPE,
	EXPORT_PERFETTO,
	EXPORT_FOLDED,
};

/* How a person is going to look at it; the formats for programs ignore it. Zero is a plain file. */
struct export_style {
	unsigned int width; /* columns; 0: not bounded */
	bool color;
	bool utf8; /* line drawing beyond ASCII */
};

#define EXPORT_FORMATS "tree|table|json|importtime|speedscope|perfetto|folded"

/* The name as in --format; "text" for EXPORT_TEXT. Static. */
const char *export_format_name(enum export_format format);
/* -EINVAL: no such name. */
int export_format_from_name(const char *name, enum export_format *ret);
/* By what the path ends with, the longest suffix first. -EINVAL: the suffix says nothing. */
int export_format_from_suffix(const char *path, enum export_format *ret);
/* All suffixes that name one, with blanks between. */
void export_add_suffixes(struct buf *b);
/* One that names the format; ".txt" for those for people. Static. */
const char *export_suffix(enum export_format format);

/*
 * Writes one report. The caller flushes and closes. -E2BIG: importtime has no place for a second process: the caller
 * needs a file, see export_profile_to(). -ENOMEM, or the error of the stream.
 */
int export_profile(enum export_format format, const struct mdl_profile *profile,
		   const struct export_style *style, FILE *out);

/*
 * Writes to a path ("-": stdout) that appears complete or not at all. For importtime with several processes to one
 * file each: "out.log" becomes "out.PID.log"; a pid that came twice gets "out.PID-2.log". Then -E2BIG when path is no
 * name of a regular file. *ret_files (may be NULL): how many files were written.
 */
int export_profile_to(enum export_format format, const struct mdl_profile *profile,
		      const struct export_style *style, const char *path, size_t *ret_files);
/* The name of the i-th process's file: "dir/out.PID.log", the same pid's n-th process in "dir/out.PID-n.log". */
void export_add_path(struct buf *b, const char *path, const struct mdl_profile *profile, size_t i);

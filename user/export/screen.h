/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the reports for people are made of: cells, times, colours. Only within export/. Adds to a struct buf. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "export/export.h"
#include "export/rows.h"

#define SCREEN_NARROW 78 /* columns: below, sentences are shorter or broken */

enum screen_color {
	SCREEN_PLAIN,
	SCREEN_BOLD,
	SCREEN_DIM,
	SCREEN_WARN, /* something is missing or failed */
	SCREEN_GOOD, /* what can be saved */
	SCREEN_HOT,  /* a quarter of the start and more */
	SCREEN_WARM, /* a tenth */
};

/* Starts a colour; SCREEN_PLAIN ends it. Nothing without style->color. */
void screen_color(struct buf *b, const struct export_style *style, enum screen_color color);
/* How hot a part of a whole is; of nothing: not at all. */
enum screen_color screen_heat(uint64_t part_ns, uint64_t whole_ns);

/* Printable text of at most `width` columns, cut in the middle; 0: not bounded. Returns the columns it took. */
size_t screen_cut(struct buf *b, const struct export_style *style, const char *s, size_t width);
/* The same, filled up with blanks to `width`. */
/* Columns for an app's name in a title with facts behind it. */
size_t screen_title_width(const struct export_style *style);
void screen_left(struct buf *b, const struct export_style *style, const char *s, size_t width);
/* Printable text of at most `width` columns, cut in front, at a slash if there is one near; 0: not bounded. */
void screen_cut_front(struct buf *b, const struct export_style *style, const char *s, size_t width);
void screen_pad(struct buf *b, size_t n);
/* Right-aligned. decimals: of ms. */
void screen_ms(struct buf *b, uint64_t ns, int decimals, int width);
/* 1 or 2, whichever suits times of this size. */
int screen_decimals(uint64_t whole_ns);

/*
 * Where a load's import stands: "shop/models.py:12 (function)"; without a file the importer, unless it is `above`
 * (may be NULL). At most `width` columns, 0: not bounded. Adds nothing when nothing is known.
 */
void screen_site(struct buf *b, const struct export_style *style, const struct mdl_load *load,
		 const char *above, size_t width);
/* A path without what every installed module's begins with. Borrowed from path. */
const char *screen_short_path(const char *path);
/* The program's own code rather than an installed package's or the standard library's. */
bool screen_is_local(const char *file);

/* The line that says what was lost and what to do about it; nothing when nothing was. */
void screen_lost(struct buf *b, const struct export_style *style, const uint64_t *lost,
		 bool complete);
/* "exit 3", "signal 9 (Killed)", or "runs on" */
void screen_end(struct buf *b, const struct mdl_process *p);
/* What the columns are, for the foot of a report. */
const char *screen_legend(const struct export_style *style);
const char *screen_tier(uint8_t tier); /* "func", "mod", "" */

/* Adds a buffer that was put together apart; with its error, or a name would be short in silence. */
void screen_join(struct buf *b, const struct buf *part);
/* Ends a line, without blanks at its end. */
void screen_newline(struct buf *b);
/* Writes what b holds and empties it. 0, -ENOMEM, or the error of the stream. */
int screen_flush(struct buf *b, FILE *out);

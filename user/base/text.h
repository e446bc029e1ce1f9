/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Text that came from outside: made valid UTF-8, and made safe for a terminal. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* How a str of the target is stored: the values of LMMSD_STR_* (base does not know the ABI; a test compares). */
#define TEXT_UTF8 0
#define TEXT_LATIN1 1
#define TEXT_UCS2 2
#define TEXT_UCS4 4
#define TEXT_CUT 0x80 /* flag: it was longer; a sequence that the cut split is left out */

/* LMMSD_STR_* bytes to valid UTF-8: bad sequences, lone surrogates and NULs become U+FFFD. Adds to b. */
void text_utf8(struct buf *b, uint8_t kind, const void *data, size_t len);
/* Adds s with control characters (C0, DEL, C1, bidi overrides) as \xNN or \u{NNNN}. s is valid UTF-8. */
void text_printable(struct buf *b, const char *s);
/* Columns that a valid UTF-8 string takes on a terminal, counting code points; good enough for padding. */
size_t text_width(const char *s);
bool text_ends_with(const char *s, const char *suffix);
bool text_starts_with(const char *s, const char *prefix);
/* Has the last part of a path a suffix? The dot of ".profile" begins none. */
bool text_has_suffix(const char *path);

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* An app's modules as a table for a terminal. Only within export/. */
#pragma once
#include "base/buf.h"
#include "export/export.h"
#include "model/review.h"

/* At most `most` rows (0: all), those worth it first; reasons: what stands behind each action below its row. */
void table_modules(struct buf *b, const struct export_style *style, const struct rv_app *a,
		   size_t most, bool reasons);
/* Text in as many lines as it takes; the first goes on where the line is, the others are indented. Ends the line. */
void table_wrapped(struct buf *b, const struct export_style *style, const char *s, size_t indent);
/* A number right-aligned, "-" when it is not known. */
void table_ms(struct buf *b, double ms, int width);
void table_pct(struct buf *b, double pct, int width);

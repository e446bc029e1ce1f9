/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What python -X importtime prints: rows in order of end, indented by depth. Two differences. Loads by
 * importlib.import_module() and reload() are here, CPython does not show them. And rows of two threads are not mixed:
 * an outermost load comes with all that is in it, since indentation would lie otherwise.
 *
 * Rounded is the self time only; cumulative is the sum of self times, so that the columns agree to the microsecond.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "export/formats.h"
#include "export/rows.h"
#include "export/screen.h"

/* Readers split at " | " and take leading blanks for depth. */
static void add_name(struct buf *b, const char *name)
{
	_buf_ struct buf text = {0};

	text_printable(&text, name);
	for (const char *s = buf_str(&text); *s; s++) {
		if (*s == ' ' || *s == '|')
			buf_addf(b, "\\x%02x", (unsigned int)*s);
		else
			buf_addc(b, *s);
	}
	if (!*name)
		buf_addc(b, '?');
	/* An allocation that failed must not shorten a name in silence. */
	if (buf_error(&text))
		b->error = buf_error(&text);
}

static uint64_t to_us(uint64_t ns)
{
	return ns / 1000 + (ns % 1000 >= 500);
}

static int write_rows(const struct rows *rows, FILE *out)
{
	_free_ uint64_t *cumulative_us = calloc(rows->n + 1, sizeof(*cumulative_us));
	_buf_ struct buf b = {0};
	int r = 0;

	if (!cumulative_us)
		return -ENOMEM;
	for (size_t i = rows->n; i-- > 0;) {
		cumulative_us[i] += to_us(rows->row[i].load->self_ns);
		if (rows->row[i].parent >= 0)
			cumulative_us[rows->row[i].parent] += cumulative_us[i];
	}
	for (int32_t i = rows_first_postorder(rows, rows->first); r == 0 && i >= 0;
	     i = rows_next_postorder(rows, i)) {
		const struct row *row = &rows->row[i];

		buf_addf(&b, "import time: %9" PRIu64 " | %10" PRIu64 " | ",
			 to_us(row->load->self_ns), cumulative_us[i]);
		screen_pad(&b, 2 * (size_t)row->depth);
		add_name(&b, row->load->name);
		buf_addc(&b, '\n');
		r = screen_flush(&b, out);
	}
	return r;
}

int export_importtime(const struct mdl_process *p, FILE *out)
{
	_cleanup_(rows_clear) struct rows rows = {.first = -1, .last = -1};
	int r = p ? rows_init(&rows, p) : 0;

	if (r < 0)
		return r;
	errno = 0;
	if (fputs("import time: self [us] | cumulative | imported package\n", out) < 0)
		return errno ? -errno : -EIO;
	return write_rows(&rows, out);
}

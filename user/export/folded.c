/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Stacks for flame graphs: "app;importer;imported SELF_US". What is below half a microsecond is left out. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "export/formats.h"
#include "export/rows.h"

static void add_frame(struct buf *b, const char *name)
{
	_buf_ struct buf text = {0};

	text_printable(&text, name);
	for (const char *s = buf_str(&text); *s; s++) {
		if (*s == ';')
			buf_adds(b, "\\x3b");
		else
			buf_addc(b, *s);
	}
	if (buf_error(&text))
		b->error = buf_error(&text);
}

static int write_stack(const struct buf *stack, uint64_t self_ns, FILE *out)
{
	uint64_t us = self_ns / 1000 + (self_ns % 1000 >= 500);

	if (buf_error(stack))
		return buf_error(stack);
	errno = 0;
	if (us && fprintf(out, "%s %" PRIu64 "\n", buf_str(stack), us) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

static int write_process(const struct mdl_process *p, FILE *out)
{
	_cleanup_(rows_clear) struct rows rows = {0};
	_free_ size_t *length = NULL; /* by row: of the stack that ends with it */
	_buf_ struct buf stack = {0};
	size_t app;
	int r = rows_init(&rows, p);

	if (r < 0)
		return r;
	length = calloc(rows.n + 1, sizeof(*length));
	if (!length)
		return -ENOMEM;
	add_frame(&stack, p->app && *p->app ? p->app : "python");
	app = stack.len;
	for (int32_t i = rows.first; r == 0 && i >= 0; i = rows_next_preorder(&rows, i)) {
		const struct row *row = &rows.row[i];

		if (buf_error(&stack))
			return buf_error(&stack);
		stack.len = row->parent < 0 ? app : length[row->parent];
		buf_addc(&stack, ';');
		add_frame(&stack, row->load->name);
		length[i] = stack.len;
		r = write_stack(&stack, row->load->self_ns, out);
	}
	return r;
}

int export_folded(const struct mdl_profile *profile, FILE *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < profile->n_processes; i++)
		r = write_process(profile->processes[i], out);
	return r;
}

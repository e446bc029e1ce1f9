/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One process after the other: what its start costs, what would make it shorter, and the tree of its loads. */
#include "export/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "export/formats.h"
#include "export/screen.h"

#define ROWS_MAX 100
#define WIDE 110 /* columns from which on there is room for where imports stand */
#define SITE_LEAST 28

static void tree_clear(struct tree *t)
{
	rows_clear(&t->rows);
	branches_clear(&t->branches);
	buf_free(&t->out);
}

static uint64_t outermost_ns(const struct rows *rows)
{
	uint64_t sum = 0;

	for (int32_t i = rows->first; i >= 0; i = rows->row[i].next)
		sum += rows->row[i].load->total_ns;
	return sum;
}

static size_t longest_name(const struct tree *t)
{
	size_t longest = TREE_NAME_MIN;

	for (size_t i = 0; i < t->branches.n; i++) {
		const struct branch *b = &t->branches.branch[i];
		size_t columns;

		if (b->row < 0)
			continue;
		columns = 2 * (b->depth < TREE_INDENT_MAX ? b->depth : TREE_INDENT_MAX) +
			  text_width(t->rows.row[b->row].load->name) +
			  strlen(tree_note(&t->rows.row[b->row]));
		if (columns > longest)
			longest = columns;
	}
	return longest;
}

/* The name column is as wide as the rows need, as long as that leaves room for where they were imported. */
static void find_widths(struct tree *t)
{
	size_t width = t->style->width, others, most = TREE_NAME_MAX, name = longest_name(t);

	t->sites = !width || width >= WIDE;
	others = TREE_NUMBERS + (t->sites ? 2 + SITE_LEAST : 0);
	if (width)
		most = width > others + TREE_NAME_MIN ? width - others : TREE_NAME_MIN;
	if (most > TREE_NAME_MAX)
		most = TREE_NAME_MAX;
	t->name_width = name < most ? name : most;
	if (width && t->sites)
		t->site_width = width - TREE_NUMBERS - t->name_width - 2;
	/* However deep, some of the name shows. */
	t->indent_max = (uint32_t)(t->name_width - TREE_NAME_MIN) / 2 + 2;
	if (t->indent_max > TREE_INDENT_MAX)
		t->indent_max = TREE_INDENT_MAX;
}

/* What the tree does not show but a reader may wonder about. */
static void add_foot(struct tree *t)
{
	struct buf *b = &t->out;

	screen_color(b, t->style, SCREEN_DIM);
	if (t->branches.hidden) {
		buf_addf(b, "\nLeft out: %zu of %zu loads (below ", t->branches.hidden, t->rows.n);
		screen_ms(b, t->branches.least_ns, t->decimals, 0);
		buf_adds(b, t->style->width && t->style->width < SCREEN_NARROW ?
				    " ms,\ninside of packages below " :
				    " ms, inside of packages below ");
		screen_ms(b, t->branches.least_ns * BRANCHES_INSIDE_FACTOR, t->decimals, 0);
		buf_adds(b, " ms).\n");
	}
	if (t->rows.n_unloaded)
		buf_addf(b, "%sUsed, but not loaded while lmmsd watched: %zu module%s.\n",
			 t->branches.hidden ? "" : "\n", t->rows.n_unloaded,
			 t->rows.n_unloaded == 1 ? "" : "s");
	screen_color(b, t->style, SCREEN_PLAIN);
}

static int write_process(const struct mdl_process *p, const struct export_style *style, bool first,
			 FILE *out)
{
	_cleanup_(tree_clear) struct tree t = {.p = p, .style = style};
	int r = rows_init(&t.rows, p);

	if (r < 0)
		return r;
	t.whole_ns = rows_cold_start_known(p) && p->cold_start_ns ? p->cold_start_ns :
								    outermost_ns(&t.rows);
	t.decimals = screen_decimals(t.whole_ns);
	r = branches_init(&t.branches, &t.rows, t.whole_ns, ROWS_MAX);
	if (r < 0)
		return r;
	find_widths(&t);
	if (!first)
		buf_addc(&t.out, '\n');
	tree_add_head(&t);
	tree_add_savers(&t);
	tree_add_rows(&t);
	add_foot(&t);
	return screen_flush(&t.out, out);
}

int export_tree(const struct mdl_profile *profile, const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};
	int r;

	screen_lost(&b, style, profile->lost, profile->complete);
	if (!profile->n_processes)
		buf_adds(&b, "No Python process was seen.\n");
	r = screen_flush(&b, out);
	for (size_t i = 0; r == 0 && i < profile->n_processes; i++)
		r = write_process(profile->processes[i], style, i == 0, out);
	if (r < 0 || !profile->n_processes)
		return r;
	buf_addc(&b, '\n');
	screen_color(&b, style, SCREEN_DIM);
	buf_adds(&b, screen_legend(style));
	screen_color(&b, style, SCREEN_PLAIN);
	return screen_flush(&b, out);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The tree itself, a line a load. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "export/screen.h"
#include "export/tree.h"

static void add_indent(struct buf *b, const struct tree *t, const struct branch *branch,
		       const bool *more)
{
	static const char *const ascii[] = {"| ", "  ", "|-", "`-"};
	static const char *const lines[] = {"│ ", "  ", "├─", "└─"};
	const char *const *draw = t->style->utf8 ? lines : ascii;

	if (branch->depth == 0)
		return;
	if (branch->depth > t->indent_max) {
		buf_addf(b, "(%" PRIu32 ")", branch->depth);
		while (text_width(buf_str(b)) < 2 * t->indent_max && buf_error(b) == 0)
			buf_addc(b, ' ');
		return;
	}
	for (uint32_t i = 1; i < branch->depth; i++)
		buf_adds(b, draw[more[i] ? 0 : 1]);
	buf_adds(b, draw[branch->last ? 3 : 2]);
}

const char *tree_note(const struct row *row)
{
	const struct mdl_load *l = row->load;

	if (l->status == MDL_FAILED)
		return " (failed)";
	if (l->flags & MDL_LOAD_OPEN)
		return " (did not end)";
	return row->module && !row->stands ? " (again)" : "";
}

static void add_name(struct tree *t, const struct branch *branch, const bool *more)
{
	const struct row *row = &t->rows.row[branch->row];
	_buf_ struct buf indent = {0};
	size_t used, note_width = text_width(tree_note(row)), room;

	add_indent(&indent, t, branch, more);
	used = text_width(buf_str(&indent));
	screen_color(&t->out, t->style, SCREEN_DIM);
	screen_join(&t->out, &indent);
	screen_color(&t->out, t->style, SCREEN_PLAIN);
	room = t->name_width > used + note_width + 3 ? t->name_width - used - note_width : 3;
	used += screen_cut(&t->out, t->style, row->load->name, room);
	if (note_width) {
		screen_color(&t->out, t->style, SCREEN_WARN);
		buf_adds(&t->out, tree_note(row));
		screen_color(&t->out, t->style, SCREEN_PLAIN);
		used += note_width;
	}
	screen_pad(&t->out, t->name_width > used ? t->name_width - used : 0);
}

/* Where the import stands, or who made it where that is all that is known. */
static void add_site(struct tree *t, const struct branch *branch)
{
	const struct mdl_load *l = t->rows.row[branch->row].load;
	const char *above = branch->above < 0 ? "__main__" : t->rows.row[branch->above].load->name;
	_buf_ struct buf site = {0};

	if (!t->sites)
		return;
	screen_site(&site, t->style, l, above, t->site_width);
	if (site.len) {
		buf_adds(&t->out, "  ");
		screen_color(&t->out, t->style, SCREEN_DIM);
	}
	screen_join(&t->out, &site);
	if (site.len)
		screen_color(&t->out, t->style, SCREEN_PLAIN);
}

static void add_row(struct tree *t, const struct branch *branch, const bool *more)
{
	const struct row *row = &t->rows.row[branch->row];
	const struct mdl_module *m = row->stands ? row->module : NULL;
	enum screen_color heat = screen_heat(row->load->total_ns, t->whole_ns);
	struct buf *b = &t->out;

	screen_color(b, t->style, heat);
	screen_ms(b, row->load->total_ns, t->decimals, 9);
	screen_color(b, t->style, SCREEN_PLAIN);
	screen_color(b, t->style, screen_heat(row->load->self_ns, t->whole_ns));
	screen_ms(b, row->load->self_ns, t->decimals, 10);
	screen_color(b, t->style, SCREEN_PLAIN);
	if (m && m->saving_ns) {
		screen_color(b, t->style, SCREEN_GOOD);
		screen_ms(b, m->saving_ns, t->decimals, 10);
		screen_color(b, t->style, SCREEN_PLAIN);
	} else {
		buf_addf(b, "%10s", "-");
	}
	if (m && t->p->usage)
		buf_addf(b, " %5" PRIu64, m->uses);
	else
		buf_addf(b, " %5s", "-");
	buf_addf(b, "  %-4s", m ? screen_tier(m->tier) : "");
	buf_adds(b, "  ");
	add_name(t, branch, more);
	add_site(t, branch);
	screen_newline(b);
}

static void add_summary(struct tree *t, const struct branch *branch, const bool *more)
{
	_buf_ struct buf indent = {0};

	screen_color(&t->out, t->style, SCREEN_DIM);
	screen_ms(&t->out, branch->hidden_ns, t->decimals, 9);
	screen_pad(&t->out, TREE_NUMBERS - 9);
	add_indent(&indent, t, branch, more);
	screen_join(&t->out, &indent);
	buf_addf(&t->out, "%s %zu more\n", t->style->utf8 ? "…" : "...", branch->hidden);
	screen_color(&t->out, t->style, SCREEN_PLAIN);
}

static void add_titles(struct tree *t)
{
	struct buf *b = &t->out;

	buf_adds(b, "\n");
	screen_color(b, t->style, SCREEN_BOLD);
	buf_adds(b, "Imports, the longest first\n");
	screen_color(b, t->style, SCREEN_PLAIN);
	screen_color(b, t->style, SCREEN_DIM);
	buf_adds(b, "    total      self    saving  uses  tier  ");
	screen_left(b, t->style, "module", t->name_width);
	buf_adds(b, t->sites ? "  imported at" : "");
	screen_newline(b);
	screen_color(b, t->style, SCREEN_PLAIN);
}

void tree_add_rows(struct tree *t)
{
	bool more[TREE_INDENT_MAX + 1] = {false};

	if (!t->rows.n)
		return;
	add_titles(t);
	for (size_t i = 0; i < t->branches.n; i++) {
		const struct branch *branch = &t->branches.branch[i];

		if (branch->depth <= t->indent_max)
			more[branch->depth] = !branch->last;
		if (branch->row >= 0)
			add_row(t, branch, more);
		else
			add_summary(t, branch, more);
	}
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What stands above the tree: the process, its start, and the imports that are worth deferring. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "export/python.h"
#include "export/savers.h"
#include "export/screen.h"
#include "export/tree.h"

#define SAVERS_MAX 8
#define SAVER_NUMBERS 28 /* columns in front of the name */
#define CMDLINE_MAX 400

static void heading(struct tree *t, const char *text)
{
	screen_color(&t->out, t->style, SCREEN_BOLD);
	buf_adds(&t->out, text);
	screen_color(&t->out, t->style, SCREEN_PLAIN);
}

static void add_cmdline(struct tree *t)
{
	_buf_ struct buf line = {0};
	const struct mdl_process *p = t->p;
	size_t max = t->style->width ? t->style->width : CMDLINE_MAX;

	for (size_t at = 0; at < p->cmdline_len && line.len < CMDLINE_MAX;) {
		size_t len = strnlen(p->cmdline + at, p->cmdline_len - at);

		if (at)
			buf_addc(&line, ' ');
		buf_add(&line, p->cmdline + at, len);
		at += len + 1;
	}
	if (buf_error(&line))
		t->out.error = buf_error(&line);
	if (line.len) {
		screen_cut(&t->out, t->style, buf_str(&line), max);
		buf_addc(&t->out, '\n');
	}
}

static void add_times(struct tree *t)
{
	const struct mdl_process *p = t->p;
	struct buf *b = &t->out;

	if (rows_cold_start_known(p)) {
		heading(t, "  cold start  ");
		screen_color(b, t->style, SCREEN_BOLD);
		screen_ms(b, p->cold_start_ns, t->decimals, 9);
		buf_adds(b, " ms");
		screen_color(b, t->style, SCREEN_PLAIN);
		buf_addf(b, "   in imports, %zu loads in all\n", t->rows.n);
	} else {
		heading(t, "  loads       ");
		screen_ms(b, t->whole_ns, t->decimals, 9);
		buf_addf(b, " ms   in imports, %zu loads in all\n", t->rows.n);
	}
	if (p->interpreter_ns) {
		heading(t, "  interpreter ");
		screen_ms(b, p->interpreter_ns, t->decimals, 9);
		buf_adds(b, t->style->width && t->style->width < SCREEN_NARROW ?
				    " ms   until the first statement\n" :
				    " ms   from exec to the program's first statement\n");
	}
	if (!p->from_start)
		buf_adds(b, "  It ran already: what it imported before has no times.\n");
}

void tree_add_head(struct tree *t)
{
	const struct mdl_process *p = t->p;
	char version[PYTHON_VERSION_SIZE];
	const char *python = python_version(p->py_version, version);
	struct buf *b = &t->out;

	screen_color(b, t->style, SCREEN_BOLD);
	screen_cut(b, t->style, p->app && *p->app ? p->app : "python",
		   screen_title_width(t->style));
	screen_color(b, t->style, SCREEN_PLAIN);
	if (python)
		buf_addf(b, "   python %s", python);
	buf_addf(b, "   pid %" PRIu32 "   ", p->pid);
	if (p->ended && p->exit_status)
		screen_color(b, t->style, SCREEN_WARN);
	screen_end(b, p);
	if (p->ended && p->exit_status)
		screen_color(b, t->style, SCREEN_PLAIN);
	buf_adds(b, p->forked ? "   forked\n" : "\n");
	screen_lost(b, t->style, p->lost, true);
	add_cmdline(t);
	buf_addc(b, '\n');
	add_times(t);
}

static void add_saver(struct tree *t, const struct row *row, size_t name_width)
{
	const struct mdl_load *l = row->load;
	struct buf *b = &t->out;
	/* These rows have fewer numbers than the tree's and their own name column. */
	size_t width = t->style->width, taken = SAVER_NUMBERS + name_width + 2;
	size_t room = !width ? 0 : width > taken + TREE_SITE_MIN ? width - taken : TREE_SITE_MIN;

	screen_color(b, t->style, SCREEN_GOOD);
	screen_ms(b, row->module->saving_ns, t->decimals, 10);
	screen_color(b, t->style, SCREEN_PLAIN);
	screen_ms(b, l->total_ns, t->decimals, 10);
	buf_addf(b, "  %-4s  ", screen_tier(row->module->tier));
	screen_left(b, t->style, l->name, name_width);
	buf_adds(b, "  ");
	screen_site(b, t->style, l, NULL, room);
	buf_addc(b, '\n');
}

void tree_add_savers(struct tree *t)
{
	int32_t found[SAVERS_MAX];
	size_t n = savers_find(&t->rows, t->whole_ns / 100, found, SAVERS_MAX);
	size_t width = TREE_NAME_MIN, most = TREE_NAME_MIN;

	if (!n)
		return;
	if (t->style->width > SAVER_NUMBERS + 2 + TREE_SITE_MIN + TREE_NAME_MIN)
		most = t->style->width - SAVER_NUMBERS - 2 - TREE_SITE_MIN;
	for (size_t i = 0; i < n; i++) {
		size_t columns = text_width(t->rows.row[found[i]].load->name);

		if (columns > width)
			width = columns;
	}
	if (t->style->width && width > most)
		width = most;
	buf_addc(&t->out, '\n');
	heading(t, "What would make the start shorter");
	screen_color(&t->out, t->style, SCREEN_DIM);
	if (!t->style->width || t->style->width >= 67)
		buf_adds(&t->out, "  (rows may contain one another)");
	buf_addc(&t->out, '\n');
	screen_color(&t->out, t->style, SCREEN_PLAIN);
	screen_color(&t->out, t->style, SCREEN_DIM);
	buf_adds(&t->out, "    saving     total  tier  ");
	screen_left(&t->out, t->style, "module", width);
	buf_adds(&t->out, "  imported at\n");
	screen_color(&t->out, t->style, SCREEN_PLAIN);
	for (size_t i = 0; i < n; i++)
		add_saver(t, &t->rows.row[found[i]], width);
}

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/review_table.h"

#include <inttypes.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/screen.h"

#define NUMBERS 68
#define NAME_LEAST 18
#define NAME_MOST 44

static void right(struct buf *b, const struct buf *cell, int width)
{
	size_t columns = text_width(buf_str(cell));

	if (columns < (size_t)width)
		screen_pad(b, (size_t)width - columns);
	screen_join(b, cell);
}

void table_ms(struct buf *b, double ms, int width)
{
	_buf_ struct buf cell = {0};

	words_ms(&cell, ms);
	right(b, &cell, width);
}

void table_pct(struct buf *b, double pct, int width)
{
	_buf_ struct buf cell = {0};

	words_pct(&cell, pct);
	right(b, &cell, width);
}

static size_t name_width(const struct export_style *style, const struct rv_app *a, size_t most)
{
	size_t width = NAME_LEAST, room = style->width ? style->width : 110, shown = 0;

	for (size_t i = 0; i < a->n_modules && (!most || shown < most); i++, shown++) {
		size_t columns = text_width(a->modules[i].name);

		if (columns > width)
			width = columns;
	}
	if (width > NAME_MOST)
		width = NAME_MOST;
	if (width + NUMBERS > room)
		width = room > NUMBERS + NAME_LEAST ? room - NUMBERS : NAME_LEAST;
	return width;
}

static enum screen_color color_of(const struct rv_module *m)
{
	return m->action == RV_DEFER ? SCREEN_GOOD :
	       m->action == RV_HOIST ? SCREEN_WARM :
	       m->action == RV_NONE  ? SCREEN_DIM :
				       SCREEN_PLAIN;
}

static void add_row(struct buf *b, const struct export_style *style, const struct rv_module *m,
		    size_t name)
{
	screen_color(b, style, color_of(m));
	buf_addf(b, "%-7s", words_action(m->action));
	screen_color(b, style, SCREEN_PLAIN);
	screen_left(b, style, m->name, name);
	table_ms(b, m->ms.p50, 9);
	table_ms(b, m->self_ms, 9);
	table_ms(b, m->saving_ms, 9);
	table_pct(b, m->run_pct, 7);
	table_pct(b, m->share_pct, 8);
	buf_addf(b, " %-9s%s%s", words_place(m), words_tier(m->tier), m->spans ? "?" : "");
	if (m->slow) {
		screen_color(b, style, SCREEN_WARN);
		buf_adds(b, " slow");
		screen_color(b, style, SCREEN_PLAIN);
	}
	screen_newline(b);
}

void table_modules(struct buf *b, const struct export_style *style, const struct rv_app *a,
		   size_t most, bool reasons)
{
	size_t name = name_width(style, a, most), shown = 0, left = 0;

	if (!a->n_modules)
		return;
	if (b->len)
		buf_addc(b, '\n');
	screen_color(b, style, SCREEN_DIM);
	buf_adds(b, "action ");
	screen_left(b, style, "module", name);
	buf_adds(b, "       ms     self   saving  run %  share % stands   tier");
	screen_color(b, style, SCREEN_PLAIN);
	buf_addc(b, '\n');
	for (size_t i = 0; i < a->n_modules; i++) {
		const struct rv_module *m = &a->modules[i];

		if (most && (shown == most || !words_is_worth_a_row(m))) {
			left++;
			continue;
		}
		add_row(b, style, m, name);
		shown++;
		if (!reasons || !m->reason || (m->action == RV_KEEP && !m->spans && !m->doubt))
			continue;
		screen_pad(b, 7);
		table_wrapped(b, style, m->reason, 7);
	}
	if (left)
		buf_addf(
			b,
			"and %zu more modules that take less or stand where they belong (lmmsctl modules)\n",
			left);
}

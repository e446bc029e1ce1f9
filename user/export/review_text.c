/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The review for a terminal: what to change first, then each app. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/review_table.h"
#include "export/screen.h"

#define STEPS_SHOWN 8
#define ROWS_SHOWN 25
#define CHANGES_SHOWN 15
#define WIDTH_LEAST 60
#define WIDTH_FILE 100 /* of a file, and where the terminal does not say */

static size_t width_of(const struct export_style *style)
{
	size_t width = style->width ? style->width : WIDTH_FILE;

	return width < WIDTH_LEAST ? WIDTH_LEAST : width;
}

void table_wrapped(struct buf *b, const struct export_style *style, const char *s, size_t indent)
{
	_buf_ struct buf safe = {0};
	size_t width = width_of(style), column = indent;
	const char *p;

	text_printable(&safe, s);
	if (buf_error(&safe)) {
		screen_join(b, &safe);
		return;
	}
	for (p = buf_str(&safe); *p;) {
		size_t len = strcspn(p, " "), columns;
		_buf_ struct buf word = {0};

		buf_add(&word, p, len);
		columns = text_width(buf_str(&word));
		if (column > indent && column + 1 + columns > width) {
			buf_addc(b, '\n');
			screen_pad(b, indent);
			column = indent;
		} else if (column > indent) {
			buf_addc(b, ' ');
			column++;
		}
		screen_join(b, &word);
		column += columns;
		p += len;
		p += strspn(p, " ");
	}
	buf_addc(b, '\n');
}

static void wrapped_buf(struct buf *b, const struct export_style *style, const struct buf *text,
			size_t indent)
{
	if (buf_error(text))
		screen_join(b, text);
	table_wrapped(b, style, buf_str(text), indent);
}

static void add_title(struct buf *b, const struct export_style *style, const struct rv_review *r)
{
	screen_color(b, style, SCREEN_BOLD);
	buf_adds(b, "Import review");
	screen_color(b, style, SCREEN_PLAIN);
	if (r->label) {
		buf_adds(b, " of ");
		text_printable(b, r->label);
	}
	if (r->host) {
		buf_adds(b, ", ");
		text_printable(b, r->host);
	}
	buf_addf(b, ": %zu app%s\n", r->n_apps, r->n_apps == 1 ? "" : "s");
	if (r->note)
		table_wrapped(b, style, r->note, 0);
}

static void add_lost(struct buf *b, const struct export_style *style, const struct rv_review *r)
{
	_buf_ struct buf lost = {0};

	words_lost(&lost, r->lost);
	if (!lost.len && !buf_error(&lost))
		return;
	screen_color(b, style, SCREEN_WARN);
	wrapped_buf(b, style, &lost, 0);
	screen_color(b, style, SCREEN_PLAIN);
}

static void add_first(struct buf *b, const struct export_style *style, const struct rv_review *r)
{
	_buf_ struct buf headline = {0}, look = {0};
	bool saves = words_saves(r);

	words_headline(&headline, r);
	buf_addc(b, '\n');
	screen_color(b, style, SCREEN_BOLD);
	buf_adds(b, saves ? "Change first: " : "");
	screen_color(b, style, SCREEN_PLAIN);
	wrapped_buf(b, style, &headline, saves ? 14 : 0);
	words_look(&look, r);
	if (look.len || buf_error(&look)) {
		buf_adds(b, "\nWorth a look: ");
		wrapped_buf(b, style, &look, 14);
	}
	if (r->n_steps < 1 + (size_t)saves)
		return;
	buf_adds(b, saves ? "\nThen:\n" : "\nFor order only:\n");
	for (size_t i = saves; i < r->n_steps && i < STEPS_SHOWN; i++) {
		_buf_ struct buf line = {0};

		buf_addf(&line, "%s: %s.", r->steps[i].app, r->steps[i].text);
		buf_addf(b, "%3zu. ", i + 1);
		wrapped_buf(b, style, &line, 5);
	}
	if (r->n_steps > STEPS_SHOWN)
		buf_addf(b, "     and %zu more, below\n", r->n_steps - STEPS_SHOWN);
}

static void add_whole(struct buf *b, const struct export_style *style, const struct rv_app *a)
{
	buf_adds(b, "Cold start   ");
	words_times(b, &a->cold_start);
	words_against(b, a);
	buf_addc(b, '\n');
	if (a->interpreter.n) {
		buf_adds(b, "Interpreter  ");
		words_times(b, &a->interpreter);
		buf_adds(b, " before the program's first statement\n");
	}
	buf_addf(b, "Runs         %" PRIu64 ": ", a->runs);
	words_runs(b, a);
	buf_addc(b, '\n');
	if (!a->uses_counted)
		buf_adds(b, "Uses         " WORDS_NO_USES "\n");
	if (a->can_save_ms > 0) {
		buf_adds(b, "Can be saved ");
		screen_color(b, style, SCREEN_GOOD);
		buf_adds(b, a->uses_counted ? "" : "up to ");
		words_ms(b, a->can_save_ms);
		buf_adds(b, " ms");
		screen_color(b, style, SCREEN_PLAIN);
		if (a->cold_start.p50 > 0)
			buf_addf(b, ", %.0f %% of the start",
				 fmin(100, a->can_save_ms / a->cold_start.p50 * 100));
		buf_addc(b, '\n');
	}
}

static void add_changes(struct buf *b, const struct export_style *style, const struct rv_app *a)
{
	size_t n[RV_CHANGE_KINDS] = {0}, room[RV_CHANGE_KINDS];
	uint64_t left = a->cut_changes;

	if (!a->n_changes)
		return;
	for (size_t i = 0; i < a->n_changes; i++)
		n[a->changes[i].kind]++;
	rv_change_room(n, CHANGES_SHOWN, room);
	buf_adds(b, "\nChanged since the period before:\n");
	for (size_t i = 0; i < a->n_changes; i++) {
		const struct rv_change *c = &a->changes[i];
		_buf_ struct buf line = {0};

		if (!room[c->kind]) {
			left++;
			continue;
		}
		room[c->kind]--;
		buf_addf(&line, "%s %s", words_change(c->kind),
			 c->module ? c->module : "(the whole start)");
		if (c->before && c->after)
			buf_addf(&line, ": %s -> %s", c->before, c->after);
		else if (c->before || c->after)
			buf_addf(&line, ": %s", c->before ? c->before : c->after);
		if (c->why)
			buf_addf(&line, "; %s", c->why);
		buf_adds(b, "  ");
		wrapped_buf(b, style, &line, 4);
	}
	if (left)
		buf_addf(b, "  and %" PRIu64 " more (--format json)\n", left);
}

static void add_checklist(struct buf *b, const struct export_style *style, const struct rv_app *a)
{
	if (a->verify) {
		buf_adds(b, "\nVerified:  ");
		table_wrapped(b, style, a->verify->text ? a->verify->text : "", 11);
	}
	if (!a->n_checklist)
		return;
	buf_adds(b, "\nChecklist:\n");
	for (size_t i = 0; i < a->n_checklist; i++) {
		const struct rv_check *c = &a->checklist[i];
		_buf_ struct buf line = {0};

		buf_addf(&line, "%s: %s", c->item, c->evidence);
		buf_adds(b, c->done ? "  [x] " : "  [ ] ");
		wrapped_buf(b, style, &line, 6);
	}
}

static void add_app(struct buf *b, const struct export_style *style, const struct rv_app *a)
{
	_buf_ struct buf name = {0};
	size_t columns;

	text_printable(&name, a->app);
	columns = text_width(buf_str(&name));
	buf_addc(b, '\n');
	screen_color(b, style, SCREEN_BOLD);
	screen_join(b, &name);
	screen_color(b, style, SCREEN_PLAIN);
	buf_addc(b, '\n');
	for (size_t i = 0; i < columns && i < width_of(style); i++)
		buf_addc(b, '=');
	buf_addc(b, '\n');
	add_whole(b, style, a);
	table_modules(b, style, a, ROWS_SHOWN, true);
	add_changes(b, style, a);
	add_checklist(b, style, a);
}

static void add_legend(struct buf *b, const struct export_style *style, const struct rv_review *r)
{
	_buf_ struct buf line = {0};

	words_tiers(&line, r);
	buf_adds(&line,
		 " ms: median of warm runs with what it imports. saving: how much shorter the "
		 "start is without the module. run %: share of the runs that imported it "
		 "(whether they went on to use it is not measured). share %: its part of all "
		 "imports that ran.");
	buf_addc(b, '\n');
	wrapped_buf(b, style, &line, 0);
}

int export_review_text(const struct rv_review *r, const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};
	int e;

	add_title(&b, style, r);
	add_lost(&b, style, r);
	add_first(&b, style, r);
	e = screen_flush(&b, out);
	for (size_t i = 0; i < r->n_apps && e == 0; i++) {
		add_app(&b, style, r->apps[i]);
		e = screen_flush(&b, out);
	}
	if (e < 0)
		return e;
	if (r->n_apps)
		add_legend(&b, style, r);
	return screen_flush(&b, out);
}

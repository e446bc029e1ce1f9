/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The review for a repository, a wiki or a mail. Names cannot become markup: every character that could is escaped. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/screen.h"

#define ROWS_SHOWN 60

static void add(struct buf *b, const char *s)
{
	_buf_ struct buf safe = {0};

	text_printable(&safe, s ? s : "-");
	if (buf_error(&safe)) {
		screen_join(b, &safe);
		return;
	}
	for (const char *p = buf_str(&safe); *p; p++) {
		if (*p == '<' || *p == '>' || *p == '&') {
			buf_adds(b, *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : "&amp;");
			continue;
		}
		if (strchr("\\`*_{}[]#|~!$@", *p))
			buf_addc(b, '\\');
		buf_addc(b, *p);
	}
}

static void add_buf(struct buf *b, const struct buf *text)
{
	if (buf_error(text))
		screen_join(b, text);
	add(b, buf_str(text));
}

static void add_head(struct buf *b, const struct rv_review *r)
{
	_buf_ struct buf text = {0};

	buf_adds(b, "# Import review");
	if (r->label) {
		buf_adds(b, " of ");
		add(b, r->label);
	}
	buf_adds(b, "\n\n");
	words_lost(&text, r->lost);
	if (text.len || buf_error(&text)) {
		buf_adds(b, "**");
		add_buf(b, &text);
		buf_adds(b, "**\n\n");
		buf_reset(&text);
	}
	if (r->note) {
		add(b, r->note);
		buf_adds(b, "\n\n");
	}
	words_headline(&text, r);
	buf_adds(b, words_saves(r) ? "**Change first:** " : "");
	add_buf(b, &text);
	buf_adds(b, "\n");
	buf_reset(&text);
	words_look(&text, r);
	if (text.len || buf_error(&text)) {
		buf_adds(b, "\n**Worth a look:** ");
		add_buf(b, &text);
		buf_addc(b, '\n');
	}
	if (r->n_steps > 1)
		buf_adds(b, "\n## In this order\n\n");
	for (size_t i = 0; i < r->n_steps && r->n_steps > 1; i++) {
		buf_addf(b, "%zu. ", i + 1);
		add(b, r->steps[i].app);
		buf_adds(b, ": ");
		add(b, r->steps[i].text);
		buf_adds(b, ".\n");
	}
}

static void add_whole(struct buf *b, const struct rv_app *a)
{
	_buf_ struct buf text = {0};

	buf_adds(b, "\n## ");
	add(b, a->app);
	words_times(&text, &a->cold_start);
	buf_adds(b, "\n\n- Cold start: ");
	add_buf(b, &text);
	words_against(b, a);
	buf_addf(b, "\n- Runs: %" PRIu64 " (", a->runs);
	words_runs(b, a);
	buf_adds(b, ")\n");
	if (!a->uses_counted)
		buf_adds(b, "- Uses: " WORDS_NO_USES "\n");
	if (a->can_save_ms > 0)
		buf_addf(b, "- Can be saved: %s%.1f ms\n", a->uses_counted ? "" : "up to ",
			 a->can_save_ms);
}

static void add_row(struct buf *b, const struct rv_module *m)
{
	buf_addf(b, "| %s | ", words_action(m->action));
	add(b, m->name);
	buf_adds(b, " | ");
	words_ms(b, m->ms.p50);
	buf_adds(b, " | ");
	words_ms(b, m->self_ms);
	buf_adds(b, " | ");
	words_ms(b, m->saving_ms);
	buf_adds(b, " | ");
	words_pct(b, m->run_pct);
	buf_adds(b, " | ");
	words_pct(b, m->share_pct);
	buf_addf(b, " | %s | %s%s%s | ", words_place(m), words_tier(m->tier), m->spans ? " ?" : "",
		 m->slow ? ", slow" : "");
	add(b, m->reason);
	buf_adds(b, " |\n");
}

static void add_modules(struct buf *b, const struct rv_app *a)
{
	size_t shown = 0, left = 0;

	if (!a->n_modules)
		return;
	buf_adds(
		b,
		"\n| action | module | ms | self | saving | run % | share % | stands | tier | why |\n"
		"|---|---|--:|--:|--:|--:|--:|---|---|---|\n");
	for (size_t i = 0; i < a->n_modules; i++) {
		if (shown == ROWS_SHOWN || !words_is_worth_a_row(&a->modules[i])) {
			left++;
			continue;
		}
		add_row(b, &a->modules[i]);
		shown++;
	}
	if (left)
		buf_addf(b, "\n%zu more modules take less or stand where they belong.\n", left);
}

static void add_rest(struct buf *b, const struct rv_app *a)
{
	if (a->n_changes)
		buf_adds(b, "\n### Changed since the period before\n\n"
			    "| what | module | before | after | why |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < a->n_changes; i++) {
		const struct rv_change *c = &a->changes[i];

		buf_adds(b, "| ");
		add(b, words_change(c->kind));
		buf_adds(b, " | ");
		add(b, c->module ? c->module : "the whole start");
		buf_adds(b, " | ");
		add(b, c->before);
		buf_adds(b, " | ");
		add(b, c->after);
		buf_adds(b, " | ");
		add(b, c->why);
		buf_adds(b, " |\n");
	}
	if (a->cut_changes)
		buf_addf(b, "\n%" PRIu64 " more changes were left out.\n", a->cut_changes);
	if (a->verify) {
		buf_adds(b, "\n### Verified\n\n");
		add(b, a->verify->text);
		buf_adds(b, ".\n");
	}
	if (a->n_checklist)
		buf_adds(b, "\n### Checklist\n\n");
	for (size_t i = 0; i < a->n_checklist; i++) {
		buf_addf(b, "- [%c] ", a->checklist[i].done ? 'x' : ' ');
		add(b, a->checklist[i].item);
		buf_adds(b, ": ");
		add(b, a->checklist[i].evidence);
		buf_addc(b, '\n');
	}
}

int export_review_markdown(const struct rv_review *r, FILE *out)
{
	_buf_ struct buf b = {0};
	int e;

	add_head(&b, r);
	e = screen_flush(&b, out);
	for (size_t i = 0; i < r->n_apps && e == 0; i++) {
		add_whole(&b, r->apps[i]);
		add_modules(&b, r->apps[i]);
		add_rest(&b, r->apps[i]);
		e = screen_flush(&b, out);
	}
	if (e < 0)
		return e;
	if (r->n_apps) {
		buf_addc(&b, '\n');
		words_tiers(&b, r);
		buf_adds(&b,
			 " Times are medians of warm runs in ms; saving is how much shorter the "
			 "start is without the module. Made by lmmsd.\n");
	}
	return screen_flush(&b, out);
}

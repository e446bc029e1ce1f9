/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The review as one page that needs nothing else: no network, no fonts, no images. It reads and prints without scripts; a
 * short one sorts tables and zooms pictures. Whatever a target is called, it stays text: html_text() is the only way in.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/screen.h"

void html_text(struct buf *b, const char *s)
{
	_buf_ struct buf safe = {0};

	text_printable(&safe, s ? s : "-");
	if (buf_error(&safe)) {
		screen_join(b, &safe);
		return;
	}
	for (const char *p = buf_str(&safe); *p; p++) {
		const char *entity = *p == '<'	? "&lt;" :
				     *p == '>'	? "&gt;" :
				     *p == '&'	? "&amp;" :
				     *p == '"'	? "&quot;" :
				     *p == '\'' ? "&#39;" :
				     *p == '`'	? "&#96;" :
						  NULL;

		if (entity)
			buf_adds(b, entity);
		else
			buf_addc(b, *p);
	}
}

void html_buf(struct buf *b, const struct buf *text)
{
	if (buf_error(text))
		screen_join(b, text);
	html_text(b, buf_str(text));
}

static void add_interval(struct buf *b, const struct rv_times *t)
{
	if (!t->n) {
		buf_adds(b, "no warm run was seen from its start");
		return;
	}
	buf_adds(b, t->full ? "95 % " : "");
	words_ms(b, t->lo);
	buf_adds(b, " to ");
	words_ms(b, t->hi);
	buf_addf(b, ", %" PRIu64 " warm run%s%s; 95th percentile ", t->n, t->n == 1 ? "" : "s",
		 t->full ? "" : " (too few for an interval)");
	words_ms(b, t->p95);
}

static void add_sites(struct buf *b, const struct rv_step *s)
{
	size_t n = s->n_sites + s->more_sites;

	for (size_t i = 0; i < s->n_sites && i < 6; i++) {
		_buf_ struct buf text = {0};

		words_site(&text, &s->sites[i]);
		buf_adds(b, i ? "<br><code>" : "<code>");
		html_buf(b, &text);
		buf_adds(b, "</code>");
	}
	if (n > 6)
		buf_addf(b, "<br>and %zu more", n - 6);
}

static void add_head(struct buf *b, const struct rv_review *r)
{
	_buf_ struct buf until = {0};

	buf_adds(
		b,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
		"style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
		"form-action 'none'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n<title>Import review");
	if (r->label) {
		buf_adds(b, " of ");
		html_text(b, r->label);
	}
	buf_adds(b, "</title>\n<style>\n");
	html_style(b);
	buf_adds(b, "</style>\n</head>\n<body>\n<header>\n<h1>Import review");
	if (r->label) {
		buf_adds(b, " of ");
		html_text(b, r->label);
	}
	buf_adds(b, "</h1>\n<p class=\"sub\">");
	if (r->host)
		html_text(b, r->host);
	words_time(&until, r->since_s);
	buf_addf(b, "%s%zu app%s &middot; ", r->host ? " &middot; " : "", r->n_apps,
		 r->n_apps == 1 ? "" : "s");
	html_buf(b, &until);
	buf_reset(&until);
	buf_adds(b, " to ");
	words_time(&until, r->until_s);
	html_buf(b, &until);
	buf_adds(b, "</p>\n");
	if (r->note) {
		buf_adds(b, "<p class=\"sub\">");
		html_text(b, r->note);
		buf_adds(b, "</p>\n");
	}
	buf_adds(b, "</header>\n<main>\n");
}

static void add_lost(struct buf *b, const struct rv_review *r)
{
	_buf_ struct buf text = {0};

	words_lost(&text, r->lost);
	if (!text.len && !buf_error(&text))
		return;
	buf_adds(b, "<p class=\"lost\" role=\"note\">");
	html_buf(b, &text);
	buf_adds(b, "</p>\n");
}

static void add_bar(struct buf *b, double pct)
{
	double width = !(pct > 0) ? 0 : pct > 100 ? 100 : pct;

	buf_addf(b, "<span class=\"bar\"><span style=\"width:%.1f%%\"></span></span>", width);
}

static void add_first(struct buf *b, const struct rv_review *r)
{
	const struct rv_step *s = r->steps;
	_buf_ struct buf text = {0};

	if (!words_saves(r)) {
		words_headline(&text, r);
		buf_adds(b,
			 "<section class=\"first calm\" aria-label=\"Result\"><p class=\"big\">");
		html_buf(b, &text);
		buf_adds(b, "</p></section>\n");
		return;
	}
	buf_adds(b, "<section class=\"first\" aria-labelledby=\"change-first\">\n"
		    "<h2 id=\"change-first\">Change first</h2>\n<p class=\"big\"><b>");
	html_text(b, s->app);
	buf_adds(b, "</b>: ");
	html_text(b, s->text);
	buf_adds(b, ".</p>\n");
	if (s->saving_pct > 0) {
		buf_adds(b, "<p class=\"part\">");
		add_bar(b, s->saving_pct);
		buf_addf(b, "<span>%.0f %% of its start", s->saving_pct);
		if (s->month_s >= 1)
			buf_addf(b, " &middot; %.*f %s over the starts of this period",
				 s->month_s >= 36000 ? 0 : 1,
				 s->month_s >= 7200 ? s->month_s / 3600 : s->month_s,
				 s->month_s >= 7200 ? "hours" : "seconds");
		buf_adds(b, "</span></p>\n");
	}
	buf_adds(b, "</section>\n");
}

static void add_look(struct buf *b, const struct rv_review *r)
{
	_buf_ struct buf text = {0};

	words_look(&text, r);
	if (!text.len && !buf_error(&text))
		return;
	buf_adds(b, "<p class=\"look\"><b>Worth a look:</b> ");
	html_buf(b, &text);
	buf_adds(b, "</p>\n");
}

static void add_steps(struct buf *b, const struct rv_review *r)
{
	if (r->n_steps < 2)
		return;
	buf_adds(
		b,
		"<section aria-labelledby=\"steps\"><h2 id=\"steps\">In this order</h2>\n"
		"<div class=\"scroll\"><table class=\"steps sortable\">\n<caption class=\"hidden\">What to change, most "
		"worthwhile first</caption><thead><tr><th scope=\"col\" class=\"n\">#</th>"
		"<th scope=\"col\">app</th><th scope=\"col\">import</th>"
		"<th scope=\"col\">what to do</th><th scope=\"col\" data-nosort>where</th>"
		"<th scope=\"col\" class=\"n\">saves ms a start</th>"
		"<th scope=\"col\" class=\"n\">of its start</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < r->n_steps; i++) {
		const struct rv_step *s = &r->steps[i];

		buf_addf(b, "<tr><td class=\"n\" data-v=\"%zu\">%zu</td><td>", i + 1, i + 1);
		html_text(b, s->app);
		buf_adds(b, "</td><th scope=\"row\"><code>");
		html_text(b, s->module);
		buf_addf(
			b,
			"</code></th><td><span class=\"act %s\">%s</span></td><td class=\"where\">",
			words_action(s->action), words_action(s->action));
		add_sites(b, s);
		buf_addf(b, "</td><td class=\"n\" data-v=\"%.6f\">", s->saving_ms);
		words_ms(b, s->saving_ms > 0 ? s->saving_ms : NAN);
		buf_addf(b, "</td><td class=\"n\" data-v=\"%.4f\">", s->saving_pct);
		if (s->saving_pct > 0)
			buf_addf(b, "%.0f&nbsp;%%</td></tr>\n", s->saving_pct);
		else
			buf_adds(b, "-</td></tr>\n");
	}
	buf_adds(b, "</tbody></table></div></section>\n");
}

static void add_index(struct buf *b, const struct rv_review *r)
{
	if (r->n_apps < 2)
		return;
	buf_adds(
		b,
		"<nav aria-labelledby=\"apps\"><h2 id=\"apps\">Apps</h2>\n<div class=\"scroll\">"
		"<table class=\"sortable\"><thead><tr><th scope=\"col\">app</th>"
		"<th scope=\"col\" class=\"n\">cold start ms</th>"
		"<th scope=\"col\" class=\"n\">period before</th>"
		"<th scope=\"col\" class=\"n\">can be saved</th><th scope=\"col\" class=\"n\">runs</th>"
		"</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < r->n_apps; i++) {
		const struct rv_app *a = r->apps[i];

		buf_addf(b, "<tr><th scope=\"row\"><a href=\"#app%zu\">", i);
		html_text(b, a->app);
		buf_addf(b, "</a></th><td class=\"n\" data-v=\"%.6f\">",
			 isfinite(a->cold_start.p50) ? a->cold_start.p50 : -1);
		words_ms(b, a->cold_start.p50);
		buf_addf(b, "</td><td class=\"n\" data-v=\"%.6f\">",
			 isfinite(a->before.p50) ? a->before.p50 : -1);
		words_ms(b, a->before.p50);
		buf_addf(b, "</td><td class=\"n\" data-v=\"%.6f\">", a->can_save_ms);
		words_ms(b, a->can_save_ms);
		buf_addf(b, "</td><td class=\"n\" data-v=\"%" PRIu64 "\">%" PRIu64 "</td></tr>\n",
			 a->runs, a->runs);
	}
	buf_adds(b, "</tbody></table></div></nav>\n");
}

static void add_tiles(struct buf *b, const struct rv_app *a)
{
	buf_adds(b, "<dl class=\"tiles\">\n<div><dt>Cold start</dt><dd><b>");
	words_ms(b, a->cold_start.p50);
	buf_adds(b, "</b> ms<small>");
	add_interval(b, &a->cold_start);
	buf_adds(b, "</small></dd></div>\n");
	if (a->before.n && a->before.p50 > 0 && a->cold_start.n) {
		buf_addf(b,
			 "<div><dt>Against the period before</dt><dd><b>%+.0f</b> %%<small>it was ",
			 (a->cold_start.p50 / a->before.p50 - 1) * 100);
		words_ms(b, a->before.p50);
		buf_adds(b, " ms</small></dd></div>\n");
	}
	buf_addf(b, "<div><dt>Can be saved</dt><dd><b>%s", a->uses_counted ? "" : "up to ");
	words_ms(b, a->can_save_ms);
	buf_adds(b, "</b> ms<small>");
	if (a->can_save_ms > 0 && a->cold_start.p50 > 0)
		buf_addf(b, "%.0f %% of the start",
			 fmin(100, a->can_save_ms / a->cold_start.p50 * 100));
	else
		buf_adds(b, "no import is left that is worth moving");
	buf_addf(b, "</small></dd></div>\n<div><dt>Runs</dt><dd><b>%" PRIu64 "</b><small>",
		 a->runs);
	words_runs(b, a);
	buf_adds(b, "</small></dd></div>\n");
	if (!a->uses_counted)
		buf_adds(b, "<div><dt>Uses</dt><dd><small>" WORDS_NO_USES "</small></dd></div>\n");
	if (a->interpreter.n) {
		buf_adds(b, "<div><dt>Interpreter</dt><dd><b>");
		words_ms(b, a->interpreter.p50);
		buf_adds(b, "</b> ms<small>before the first statement</small></dd></div>\n");
	}
	buf_adds(b, "</dl>\n");
}

static int add_app(struct buf *b, const struct rv_app *a, size_t number)
{
	int e;

	buf_addf(
		b,
		"<section class=\"app\" id=\"app%zu\" aria-labelledby=\"name%zu\">\n<h2 id=\"name%zu\">",
		number, number, number);
	html_text(b, a->app);
	buf_adds(b, "</h2>\n");
	add_tiles(b, a);
	html_history(b, a);
	e = html_icicle(b, a, number);
	if (e < 0)
		return e;
	html_modules(b, a, number);
	html_changes(b, a);
	html_checklist(b, a);
	buf_adds(b, "</section>\n");
	return 0;
}

static void add_foot(struct buf *b, const struct rv_review *r)
{
	buf_adds(b, "</main>\n<footer><p>");
	words_tiers(b, r);
	buf_adds(
		b,
		" A tier with ? has an interval that spans a threshold; it keeps last month's. Times "
		"are medians of warm runs.</p>\n<p><b>saving</b>: how much shorter the start is without "
		"the module, all that only it brings along included. <b>run %</b>: share of the runs "
		"that imported it; whether they went on to use it is not measured. <b>share %</b>: its "
		"part of all imports that ran.</p>\n<p>lmmsd ");
	html_text(b, r->version ? r->version : "");
	buf_adds(b, "</p></footer>\n<script>\n");
	html_script(b);
	buf_adds(b, "</script>\n</body>\n</html>\n");
}

int export_review_html(const struct rv_review *r, FILE *out)
{
	_buf_ struct buf b = {0};
	int e;

	add_head(&b, r);
	add_lost(&b, r);
	add_first(&b, r);
	add_look(&b, r);
	add_steps(&b, r);
	add_index(&b, r);
	e = screen_flush(&b, out);
	for (size_t i = 0; i < r->n_apps && e == 0; i++) {
		e = add_app(&b, r->apps[i], i);
		if (e == 0)
			e = screen_flush(&b, out);
	}
	if (e < 0)
		return e;
	add_foot(&b, r);
	return screen_flush(&b, out);
}

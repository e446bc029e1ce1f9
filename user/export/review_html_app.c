/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Pictures and the table of one app. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "export/review_int.h"

#define WIDE 1200.0 /* units of a picture's width */
#define ROW 20.0
#define CHAR 6.4 /* a letter's width at the size of the labels */
#define LABEL_LEAST 4
#define ROWS_MOST 400
#define HISTORY_HIGH 60.0

/* The first n code points, escaped. */
static void add_label(struct buf *b, const char *name, size_t n)
{
	_buf_ struct buf safe = {0}, cut = {0};
	const char *p;

	text_printable(&safe, name);
	if (buf_error(&safe) || text_width(buf_str(&safe)) <= n) {
		html_buf(b, &safe);
		return;
	}
	for (p = buf_str(&safe); *p; p++)
		if (((uint8_t)*p & 0xc0) != 0x80 && n-- == 1)
			break;
	buf_add(&cut, buf_str(&safe), (size_t)(p - buf_str(&safe)));
	html_buf(b, &cut);
	buf_adds(b, "…");
}

static void add_node(struct buf *b, const struct rv_node *n, double x, double width, size_t row)
{
	size_t fits = width > CHAR ? (size_t)((width - 8) / CHAR) : 0;

	buf_addf(b,
		 "<g class=\"node%s\" data-x=\"%.2f\" data-w=\"%.2f\" data-d=\"%" PRIu32
		 "\" data-t=\"%.3f\" data-s=\"%.3f\" data-n=\"",
		 n->action == RV_DEFER ? " defer" :
		 n->depth % 2	       ? " odd" :
					 "",
		 x, width, n->depth, n->total_ms, n->self_ms);
	html_text(b, n->name);
	buf_addf(b, "\" data-r=\"%zu\"><title>", row);
	html_text(b, n->name);
	buf_addf(
		b,
		": %.2f ms, own code %.2f ms%s</title><rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%.0f\"/>",
		n->total_ms, n->self_ms, n->action == RV_DEFER ? ", defer this" : "", x,
		n->depth * ROW, width, ROW - 1);
	buf_addf(b, "<text x=\"%.2f\" y=\"%.1f\">", x + 4, n->depth * ROW + 14);
	if (fits >= LABEL_LEAST)
		add_label(b, n->name, fits);
	buf_adds(b, "</text></g>\n");
}

int html_icicle(struct buf *b, const struct rv_app *a, size_t number)
{
	_free_ double *x = calloc(a->n_nodes + 1, sizeof(*x));	     /* of each node */
	_free_ double *next = calloc(a->n_nodes + 1, sizeof(*next)); /* where its next child goes */
	double whole = 0, at = 0, scale;
	uint32_t depth = 0;

	if (!x || !next)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_nodes; i++) {
		whole += a->nodes[i].parent < 0 ? a->nodes[i].total_ms : 0;
		depth = a->nodes[i].depth > depth ? a->nodes[i].depth : depth;
	}
	if (!(whole > 0))
		return 0;
	scale = WIDE / whole;
	buf_addf(
		b,
		"<h3 id=\"picture%zu\">Where the start's time goes</h3>\n<p class=\"hint\">Each box is a module, as wide as it "
		"takes, below what loads it. <span class=\"key\"></span> can be deferred. <span class=\"js\">Click or "
		"press Enter to zoom, arrow keys to move, Escape to go back.</span></p>\n"
		"<div class=\"scroll\"><svg class=\"icicle\" role=\"img\" tabindex=\"0\" aria-labelledby=\"picture%zu\" viewBox=\"0 0 %.0f "
		"%.0f\" xmlns=\"http://www.w3.org/2000/svg\">\n",
		number, number, WIDE, (depth + 1) * ROW);
	for (size_t i = 0; i < a->n_nodes; i++) {
		const struct rv_node *n = &a->nodes[i];
		double width = n->total_ms * scale;

		x[i] = n->parent < 0 ? at : next[n->parent];
		if (n->parent < 0)
			at += width;
		else
			next[n->parent] += width;
		next[i] = x[i];
		add_node(b, n, x[i], width, i);
	}
	buf_adds(b, "</svg></div>\n<p class=\"detail\" aria-live=\"polite\">&nbsp;</p>\n");
	return 0;
}

void html_history(struct buf *b, const struct rv_app *a)
{
	double most = 0, step;

	if (a->n_days < 2)
		return;
	for (size_t i = 0; i < a->n_days; i++)
		most = fmax(most, a->days[i].p50_ms);
	if (!(most > 0))
		return;
	step = 600.0 / (double)(a->n_days - 1);
	buf_adds(b, "<figure class=\"history\"><figcaption>Cold start by day, ");
	words_day(b, a->days[0].day);
	buf_adds(b, " to ");
	words_day(b, a->days[a->n_days - 1].day);
	buf_adds(b, ", highest ");
	words_ms(b, most);
	buf_addf(
		b,
		" ms</figcaption>\n<svg role=\"img\" aria-label=\"Cold start by day\" viewBox=\"-6 -6 612 %.0f\">"
		"<line class=\"zero\" x1=\"0\" x2=\"600\" y1=\"%.0f\" y2=\"%.0f\"/><polyline points=\"",
		HISTORY_HIGH + 12, HISTORY_HIGH, HISTORY_HIGH);
	for (size_t i = 0; i < a->n_days; i++)
		buf_addf(b, "%s%.1f,%.1f", i ? " " : "", (double)i * step,
			 HISTORY_HIGH * (1 - a->days[i].p50_ms / most));
	buf_adds(b, "\"/>\n");
	for (size_t i = 0; i < a->n_days; i++) {
		buf_addf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>", (double)i * step,
			 HISTORY_HIGH * (1 - a->days[i].p50_ms / most));
		words_day(b, a->days[i].day);
		buf_adds(b, ": ");
		words_ms(b, a->days[i].p50_ms);
		buf_addf(b, " ms, %" PRIu64 " runs</title></circle>\n", a->days[i].n);
	}
	buf_adds(b, "</svg></figure>\n");
}

static void add_cell(struct buf *b, double value, bool pct)
{
	/* what is not known sorts below everything */
	buf_addf(b, "<td class=\"n\" data-v=\"%.6f\">", isfinite(value) ? value : -1.0);
	if (pct)
		words_pct(b, value);
	else
		words_ms(b, value);
	buf_adds(b, "</td>");
}

static void add_ways(struct buf *b, const struct rv_module *m)
{
	if (!m->n_sites && m->n_chain < 2)
		return;
	buf_adds(b, "<details><summary>imported by ");
	if (m->n_sites)
		html_text(b, m->sites[0].importer ? m->sites[0].importer : "an unknown module");
	else
		html_text(b, m->chain[m->n_chain - 2]);
	if (m->n_sites > 1)
		buf_addf(b, " and %zu more", m->n_sites - 1 + m->more_sites);
	buf_adds(b, "</summary><ul>");
	for (size_t i = 0; i < m->n_sites; i++) {
		_buf_ struct buf site = {0};

		words_site(&site, &m->sites[i]);
		buf_adds(b, "<li>");
		html_text(b, m->sites[i].importer);
		buf_adds(b, " <code>");
		html_buf(b, &site);
		buf_addf(b, "</code> (%s%s)</li>", jsonx_place(m->sites[i].place),
			 m->sites[i].cached ? ", found it loaded" : "");
	}
	if (m->more_sites)
		buf_addf(b, "<li>and %zu more</li>", m->more_sites);
	buf_adds(b, "</ul>");
	if (m->n_chain > 1) {
		buf_adds(b, "<p>");
		for (size_t i = 0; i < m->n_chain; i++) {
			buf_adds(b, i ? " &rarr; " : "");
			html_text(b, m->chain[i]);
		}
		buf_adds(b, "</p>");
	}
	buf_adds(b, "</details>");
}

static void add_row(struct buf *b, const struct rv_module *m)
{
	static const int order[] = {[RV_DEFER] = 0, [RV_HOIST] = 1, [RV_NONE] = 2, [RV_KEEP] = 3};

	buf_addf(b,
		 "<tr class=\"%s\"><td data-v=\"%d\"><span class=\"act %s\">%s</span></td>"
		 "<th scope=\"row\" data-v=\"",
		 words_is_worth_a_row(m) ? "row" : "row minor",
		 m->action <= RV_HOIST ? order[m->action] : 2, words_action(m->action),
		 words_action(m->action));
	html_text(b, m->name);
	buf_adds(b, "\"><code>");
	html_text(b, m->name);
	buf_adds(b, "</code>");
	if (m->slow)
		buf_adds(b, " <span class=\"slow\">slow</span>");
	if (m->distribution) {
		buf_adds(b, "<small>");
		html_text(b, m->distribution);
		buf_addc(b, ' ');
		html_text(b, m->version ? m->version : "");
		buf_adds(b, "</small>");
	}
	buf_adds(b, "</th>");
	add_cell(b, m->ms.p50, false);
	add_cell(b, m->self_ms, false);
	add_cell(b, m->saving_ms, false);
	add_cell(b, m->run_pct, true);
	add_cell(b, m->share_pct, true);
	buf_addf(b, "<td>%s%s</td><td title=\"%.2f to %.2f ms\">%s%s</td><td class=\"why\">",
		 words_place(m), m->placement_mixed ? "+" : "", m->ms.n ? m->ms.lo : 0,
		 m->ms.n ? m->ms.hi : 0, words_tier(m->tier), m->spans ? " ?" : "");
	html_text(b, m->reason);
	add_ways(b, m);
	buf_adds(b, "</td></tr>\n");
}

void html_modules(struct buf *b, const struct rv_app *a, size_t number)
{
	static const char *const heads[] = {"ms", "self", "saving", "run&nbsp;%", "share&nbsp;%"};
	size_t n = a->n_modules < ROWS_MOST ? a->n_modules : ROWS_MOST, minor = 0;

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		minor += !words_is_worth_a_row(&a->modules[i]);
	buf_addf(b, "<h3 id=\"modules%zu\">Modules</h3>\n", number);
	if (minor)
		buf_addf(
			b,
			"<p class=\"js all\"><label><input type=\"checkbox\" data-for=\"table%zu\"> show the %zu "
			"that take less or stand where they belong</label></p>\n",
			number, minor);
	buf_addf(
		b,
		"<div class=\"scroll\"><table class=\"sortable modules\" id=\"table%zu\" aria-labelledby=\"modules%zu\"><thead><tr>"
		"<th scope=\"col\">action</th><th scope=\"col\">module</th>",
		number, number);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		buf_addf(b, "<th scope=\"col\" class=\"n\">%s</th>", heads[i]);
	buf_adds(
		b,
		"<th scope=\"col\">stands</th><th scope=\"col\">tier</th>"
		"<th scope=\"col\" data-nosort>why, and who imports it</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < n; i++)
		add_row(b, &a->modules[i]);
	buf_adds(b, "</tbody></table></div>\n");
	if (a->n_modules > n || a->cut_modules)
		buf_addf(b, "<p>%" PRIu64 " more modules are in the JSON review.</p>\n",
			 a->n_modules - n + a->cut_modules);
}

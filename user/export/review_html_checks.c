/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What follows the modules of an app: changes, verification, checklist. */
#include <inttypes.h>

#include "export/review_int.h"

void html_changes(struct buf *b, const struct rv_app *a)
{
	buf_adds(b, "<h3>Changed since the period before</h3>\n");
	if (!a->n_changes) {
		buf_adds(b, "<p>Nothing that can be told from noise.</p>\n");
		return;
	}
	buf_adds(
		b,
		"<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th scope=\"col\">what</th>"
		"<th scope=\"col\">module</th><th scope=\"col\">before</th><th scope=\"col\">after</th>"
		"<th scope=\"col\">noticed</th><th scope=\"col\">why</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < a->n_changes; i++) {
		const struct rv_change *c = &a->changes[i];

		buf_addf(b, "<tr><td><span class=\"chg %s\">%s</span></td><th scope=\"row\"><code>",
			 words_change(c->kind), words_change(c->kind));
		html_text(b, c->module ? c->module : "the whole start");
		buf_adds(b, "</code></th><td>");
		html_text(b, c->before);
		buf_adds(b, "</td><td>");
		html_text(b, c->after);
		buf_adds(b, "</td><td>");
		words_day(b, c->day);
		buf_adds(b, "</td><td>");
		html_text(b, c->why);
		buf_adds(b, "</td></tr>\n");
	}
	buf_adds(b, "</tbody></table></div>\n");
	if (a->cut_changes)
		buf_addf(b, "<p>%" PRIu64 " more changes were left out.</p>\n", a->cut_changes);
}

void html_checklist(struct buf *b, const struct rv_app *a)
{
	if (a->verify) {
		buf_addf(b, "<h3>Verification of the last changes</h3>\n<p class=\"verdict %s\">",
			 a->verify->holds ? "yes" : "no");
		html_text(b, a->verify->text);
		buf_adds(b, ".</p>\n");
	}
	if (a->verify && a->verify->n_moved) {
		buf_adds(b, "<p>Left the start: ");
		for (size_t i = 0; i < a->verify->n_moved; i++) {
			buf_adds(b, i ? ", <code>" : "<code>");
			html_text(b, a->verify->moved[i].module);
			buf_addf(b, "</code> (promised %.1f ms)", a->verify->moved[i].predicted_ms);
		}
		buf_adds(b, "</p>\n");
	}
	buf_adds(b, "<h3>Profiling checklist</h3>\n<ul class=\"check\">\n");
	for (size_t i = 0; i < a->n_checklist; i++) {
		const struct rv_check *c = &a->checklist[i];

		buf_addf(b,
			 "<li class=\"%s\"><span class=\"box\" aria-hidden=\"true\">%s</span><b>",
			 c->done ? "done" : "open", c->done ? "&#10003;" : "");
		html_text(b, c->item);
		buf_addf(b, "</b><span class=\"hidden\">%s</span> <span>",
			 c->done ? " (done)" : " (open)");
		html_text(b, c->evidence);
		buf_adds(b, "</span></li>\n");
	}
	buf_adds(b, "</ul>\n");
}

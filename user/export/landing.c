/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The landing page: what was lost first, what runs, what it costs, where to read on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "export/metrics.h"
#include "export/review_int.h"

#define ROWS 20

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\"><title>lmmsd</title><style>\n"
	":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f6f8fa;"
	"--bad:#a40e26;--bad-bg:#ffe3e3}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#0f1317;--fg:#e3e8ee;--dim:#9aa5b1;--line:#30363d;"
	"--soft:#171c22;--bad:#ff9a9a;--bad-bg:#3b1418}}\n"
	"body{margin:0 auto;max-width:70rem;padding:1.2rem 1.5rem 3rem;background:var(--bg);color:var(--fg);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}.dim{color:var(--dim)}"
	"a{color:inherit}\n"
	".lost{background:var(--bad-bg);color:var(--bad);padding:.5rem .8rem;border-radius:6px}\n"
	".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;"
	"font-variant-numeric:tabular-nums}\n"
	"th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
	"thead th{background:var(--soft);color:var(--dim);font-size:.82rem}"
	".n{text-align:right;white-space:nowrap}\n</style></head><body>\n";

static const struct {
	const char *name, *cure;
} reasons[] = {
#define REASON_ROW(id, name, cure) {name, cure},
	LMMSD_REASONS(REASON_ROW)
#undef REASON_ROW
};

static void lost(struct buf *b, const struct mdl_metrics *m, const struct export_landing *l)
{
	bool any = false;

	if (l->problem) {
		buf_adds(b, "<p class=\"lost\">The database cannot be written: ");
		html_text(b, l->problem);
		buf_adds(b, "</p>\n");
	}
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		if (!m->lost[i])
			continue;
		buf_adds(b, any ? "<br>" : "<p class=\"lost\"><b>Lost since the start:</b><br>");
		buf_addf(b, "%llu %s: %s", (unsigned long long)m->lost[i], reasons[i].name,
			 reasons[i].cure);
		any = true;
	}
	buf_adds(b, any ? "</p>\n" : "<p class=\"dim\">Nothing was lost since the start.</p>\n");
}

static void watched(struct buf *b, const struct mdl_metrics *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n_interpreters; i++)
		n += m->interpreters[i].n;
	buf_addf(b,
		 "<h2>What runs</h2>\n<p>%llu Python processes now; %llu interpreters are watched",
		 (unsigned long long)m->processes, (unsigned long long)n);
	for (size_t i = 0; i < m->n_interpreters; i++)
		buf_addf(b, "%s%llu x %s by %s", i ? ", " : ": ",
			 (unsigned long long)m->interpreters[i].n, m->interpreters[i].python,
			 m->interpreters[i].probe);
	buf_addf(b, ". %llu events came; %llu runs are stored, %llu wait for the disk.</p>\n",
		 (unsigned long long)m->events, (unsigned long long)m->stored_runs,
		 (unsigned long long)m->queued_runs);
	buf_adds(b, "<p>lmmsd itself: ");
	if (!isnan(m->process.resident_bytes))
		buf_addf(b, "%.0f MiB of memory, ", m->process.resident_bytes / 1048576);
	buf_addf(b, "%.1f s of processor time", m->process.cpu_s);
	if (!isnan(m->bpf_run_s))
		buf_addf(b,
			 ", %.1f s in its BPF programs; of late %.3g %% of this host's processors",
			 m->bpf_run_s, m->overhead_ratio * 100);
	if (m->overhead_budget > 0 && m->overhead_ratio > m->overhead_budget)
		buf_addf(b, ", <b>over the budget of %.3g %%</b>", m->overhead_budget * 100);
	buf_adds(b, ".</p>\n");
}

static int by_time(const void *a, const void *b)
{
	const struct mdl_metrics_app *x = *(const struct mdl_metrics_app *const *)a;
	const struct mdl_metrics_app *y = *(const struct mdl_metrics_app *const *)b;

	return (x->cold_start_s < y->cold_start_s) - (x->cold_start_s > y->cold_start_s);
}

static void link_review(struct buf *b, const char *app)
{
	buf_adds(b, "<a href=\"/api/v1/review?app=");
	for (const char *c = app; *c; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		    (*c >= '0' && *c <= '9') || strchr("-._~/", *c))
			buf_addc(b, *c);
		else
			buf_addf(b, "%%%02X", (unsigned char)*c);
	}
	buf_adds(b, "\">");
	html_text(b, app);
	buf_adds(b, "</a>");
}

static const struct mdl_metrics_module *dearest(const struct mdl_metrics_app *a)
{
	const struct mdl_metrics_module *best = NULL;

	for (size_t i = 0; i < a->n_modules; i++) {
		const struct mdl_metrics_module *x = a->modules[i];

		if (strcmp(x->module, MDL_OTHER) != 0 && x->deferrable_s > 0 &&
		    (!best || x->deferrable_s > best->deferrable_s))
			best = x;
	}
	return best;
}

static void row(struct buf *b, const struct mdl_metrics_app *a)
{
	const struct mdl_metrics_module *x = dearest(a);
	bool other = !strcmp(a->app, MDL_OTHER);

	buf_adds(b, "<tr><th scope=\"row\">");
	if (other)
		buf_adds(b, "all others");
	else
		link_review(b, a->app);
	buf_addf(b, "</th><td class=\"n\">%llu</td><td class=\"n\">", (unsigned long long)a->runs);
	words_ms(b, a->warm_runs ? a->cold_start_s * 1000 / (double)a->warm_runs : NAN);
	buf_addf(b, "</td><td class=\"n\">%.1f s</td><td>", a->cold_start_s);
	if (x) {
		html_text(b, x->module);
		buf_adds(b, ": ");
		words_ms(b, x->deferrable_s * 1000 / (double)a->warm_runs);
		buf_adds(b, " a run");
	}
	buf_adds(b, "</td></tr>\n");
}

static int costs(struct buf *b, const struct mdl_metrics *m)
{
	_free_ const struct mdl_metrics_app **order = calloc(m->n_apps + 1, sizeof(void *));

	if (!order)
		return -ENOMEM;
	buf_adds(b, "<h2>What it costs</h2>\n");
	if (!m->n_apps) {
		buf_adds(
			b,
			"<p class=\"dim\">No Python program has run since lmmsd was started.</p>\n");
		return 0;
	}
	for (size_t i = 0; i < m->n_apps; i++)
		order[i] = &m->apps[i];
	qsort(order, m->n_apps, sizeof(*order), by_time);
	buf_adds(
		b,
		"<div class=\"scroll\"><table><thead><tr><th scope=\"col\">app</th>"
		"<th scope=\"col\" class=\"n\">runs</th><th scope=\"col\" class=\"n\">warm start, mean</th>"
		"<th scope=\"col\" class=\"n\">in starts, altogether</th>"
		"<th scope=\"col\">most could be saved without</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < m->n_apps && i < ROWS; i++)
		row(b, order[i]);
	buf_adds(b, "</tbody></table></div>\n");
	if (m->n_apps > ROWS)
		buf_addf(
			b,
			"<p class=\"dim\">%zu more apps are in <a href=\"/metrics\">/metrics</a>.</p>\n",
			m->n_apps - ROWS);
	return 0;
}

static void links(struct buf *b, const struct export_landing *l)
{
	buf_adds(b, "<h2>Read on</h2>\n<ul>\n<li>");
	if (l->newest_review) {
		buf_adds(b, "<a href=\"/reviews/");
		html_text(b, l->newest_review);
		buf_adds(b, "\">The newest monthly review</a>; ");
	} else {
		buf_adds(b, "No monthly review yet: the first one comes when a month has ended; ");
	}
	buf_adds(
		b,
		"<a href=\"/reviews/\">all of them</a></li>\n"
		"<li><a href=\"/api/v1/review\">This month so far, as JSON</a>; <code>?month=YYYY-MM&amp;app=NAME</code></li>\n"
		"<li><a href=\"/metrics\">Metrics</a> for Prometheus</li>\n"
		"<li><a href=\"/-/healthy\">healthy</a>, <a href=\"/-/ready\">ready</a></li>\n"
		"<li>On this host: <code>lmmsctl review</code>, <code>lmmsctl apps</code>, <code>man lmmsd</code></li>\n</ul>\n");
}

int export_landing(const struct mdl_metrics *m, const struct export_landing *l, struct buf *out)
{
	int r;

	buf_adds(out, head);
	buf_adds(out, "<h1>lmmsd");
	if (l->host) {
		buf_adds(out, " on ");
		html_text(out, l->host);
	}
	buf_adds(
		out,
		"</h1>\n<p class=\"dim\">What Python programs import here, and what that costs. lmmsd ");
	html_text(out, m->version);
	buf_adds(out, ", counting since ");
	words_time(out, m->created_s);
	buf_adds(out, ".</p>\n");
	lost(out, m, l);
	watched(out, m);
	r = costs(out, m);
	links(out, l);
	buf_adds(out, "</body></html>\n");
	return r ? r : buf_error(out);
}

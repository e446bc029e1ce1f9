/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The two text formats: families, samples, escapes. */
#include "export/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "export/metrics_int.h"

const char *export_metrics_mime(enum export_metrics_format format)
{
	return format == EXPORT_METRICS_OPENMETRICS ?
		       "application/openmetrics-text; version=1.0.0; charset=utf-8" :
		       "text/plain; version=0.0.4; charset=utf-8";
}

/*
 * Both formats want the same escapes in label values. Whatever is no text is made text, and two names do not become one, which
 * would be the same series twice: a control character is \xNN, and so is a backslash that would read like one.
 */
static void add_value(struct buf *b, const char *s)
{
	_buf_ struct buf clean = {0};

	text_utf8(&clean, TEXT_UTF8, s, strlen(s));
	if (buf_error(&clean))
		b->error = -ENOMEM;
	for (const char *c = buf_str(&clean); *c; c++) {
		bool control = (unsigned char)*c < 0x20 || *c == 0x7f;

		if (*c == '\n') {
			buf_adds(b, "\\n");
		} else if (control || (*c == '\\' && c[1] == 'x')) {
			buf_addf(b, "\\\\x%02x", (unsigned int)*c);
		} else if (*c == '\\' || *c == '"') {
			buf_addc(b, '\\');
			buf_addc(b, *c);
		} else {
			buf_addc(b, *c);
		}
	}
}

/* The shortest that reads back as the same number. */
static void add_double(struct buf *b, double v)
{
	char text[40];

	if (isnan(v) || isinf(v)) {
		buf_adds(b, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_adds(b, text);
}

/* A bound has the same text in both formats, so that a series is the same one: with a point or an exponent. */
static void add_bound(struct buf *b, double v)
{
	size_t at = b->len;

	add_double(b, v);
	if (!buf_error(b) && !strpbrk(b->data + at, ".en"))
		buf_adds(b, ".0");
}

void metrics_begin(struct metrics_writer *w, const struct metrics_family *f)
{
	w->family = f;
	w->begun = false;
}

static void header(struct metrics_writer *w)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "info"};
	const struct metrics_family *f = w->family;
	const char *suffix = "", *type = types[f->type];

	if (w->begun)
		return;
	w->begun = true;
	/* In OpenMetrics a family has the name without the suffix. */
	if (!w->open && f->type == METRICS_COUNTER)
		suffix = "_total";
	if (!w->open && f->type == METRICS_INFO) {
		suffix = "_info";
		type = "gauge";
	}
	buf_addf(w->b, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, suffix, f->help, f->name,
		 suffix, type);
	if (w->open && f->unit)
		buf_addf(w->b, "# UNIT %s %s\n", f->name, f->unit);
}

/* le NAN: none. */
static void name_and_labels(struct metrics_writer *w, const char *suffix,
			    const struct metrics_labels *l, double le)
{
	struct buf *b = w->b;
	bool any = false;

	header(w);
	buf_adds(b, w->family->name);
	buf_adds(b, suffix);
	for (size_t i = 0; l && i < METRICS_LABELS && l->l[i].name; i++) {
		buf_addf(b, "%s%s=\"", any ? "," : "{", l->l[i].name);
		add_value(b, l->l[i].value ? l->l[i].value : "");
		buf_addc(b, '"');
		any = true;
	}
	if (!isnan(le)) {
		buf_adds(b, any ? ",le=\"" : "{le=\"");
		add_bound(b, le);
		buf_addc(b, '"');
		any = true;
	}
	buf_adds(b, any ? "} " : " ");
}

static const char *suffix_of(const struct metrics_writer *w)
{
	return w->family->type == METRICS_COUNTER ? "_total" :
	       w->family->type == METRICS_INFO	  ? "_info" :
						    "";
}

static void created(struct metrics_writer *w, const struct metrics_labels *l, int64_t created_s)
{
	if (!w->open || !created_s)
		return;
	name_and_labels(w, "_created", l, NAN);
	buf_addf(w->b, "%lld\n", (long long)created_s);
}

void metrics_u64(struct metrics_writer *w, const struct metrics_labels *l, uint64_t v,
		 int64_t created_s)
{
	name_and_labels(w, suffix_of(w), l, NAN);
	buf_addf(w->b, "%llu\n", (unsigned long long)v);
	created(w, l, created_s);
}

void metrics_double(struct metrics_writer *w, const struct metrics_labels *l, double v,
		    int64_t created_s)
{
	name_and_labels(w, suffix_of(w), l, NAN);
	add_double(w->b, v);
	buf_addc(w->b, '\n');
	created(w, l, created_s);
}

void metrics_histogram(struct metrics_writer *w, const struct metrics_labels *l,
		       const double *bounds, const uint64_t *counts, size_t n, double sum,
		       int64_t created_s)
{
	uint64_t below = 0;

	for (size_t i = 0; i <= n; i++) {
		below += counts[i];
		name_and_labels(w, "_bucket", l, i < n ? bounds[i] : INFINITY);
		buf_addf(w->b, "%llu\n", (unsigned long long)below);
	}
	name_and_labels(w, "_sum", l, NAN);
	add_double(w->b, sum);
	buf_addc(w->b, '\n');
	name_and_labels(w, "_count", l, NAN);
	buf_addf(w->b, "%llu\n", (unsigned long long)below);
	created(w, l, created_s);
}

int export_metrics(enum export_metrics_format format, const struct mdl_metrics *m, struct buf *out)
{
	struct metrics_writer w = {
		.b = out,
		.open = format == EXPORT_METRICS_OPENMETRICS,
		.shared = format == EXPORT_METRICS_TEXTFILE,
	};

	metrics_host(&w, m);
	metrics_apps(&w, m);
	if (w.open)
		buf_adds(out, "# EOF\n");
	return buf_error(out);
}
